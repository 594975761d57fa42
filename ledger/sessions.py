"""Sessions of the database that were ended while nobody used them."""

import selectors
from typing import Any

import psycopg


def is_cut(session: psycopg.Connection[Any]) -> bool:
    """Whether the server has ended a session that nobody uses now, by what has come unasked; nothing is sent."""
    if session.closed:
        return True
    with selectors.DefaultSelector() as arrived:
        arrived.register(session, selectors.EVENT_READ)
        return bool(arrived.select(0))
