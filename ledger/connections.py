"""Connections to PostgreSQL: addresses in the forms that its two clients want, and sessions that were cut."""

import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from errors import BadInput, TryAgain

#: how a server says that it takes no more connections; psycopg gives no code for what fails while it connects
_NO_CONNECTION = ("connection slots", "too many clients", "too many connections")
#: for one look: what the default one of a system keeps over many takes longer to make
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
_NAMES = ("postgresql", "postgres", "postgresql+psycopg")


def parse(url: str) -> URL:
    """For SQLAlchemy with psycopg. The message of BadInput does not repeat the address, which may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _NAMES:
        raise BadInput("The database address is not a PostgreSQL address; write it as postgresql://user:password@host/database.")
    return parsed.set(drivername="postgresql+psycopg")


def plain(url: URL) -> str:
    """For psycopg itself, password included: never to be shown."""
    address, mark, query = url.set(drivername="postgresql").render_as_string(hide_password=False).partition("?")
    # SQLAlchemy writes a blank as "+", which psycopg does not read as one
    return address + mark + query.replace("+", "%20")


@contextmanager
def connected(
    url: str, name: str = "The database of the ledger", remedy: str = "start it", *, autocommit: bool = False
) -> Iterator[psycopg.Connection]:
    """A session of its own. Raises TryAgain where the database, which is called so in the sentence, does not answer."""
    try:
        with psycopg.connect(plain(parse(url)), autocommit=autocommit) as session:
            yield session
    except psycopg.OperationalError as failed:
        raise TryAgain(f"{name} {away(failed, remedy)}.") from failed


def is_cut(session: psycopg.Connection[Any]) -> bool:
    """Whether the server has ended a session that nobody uses now, by what has come unasked; nothing is sent."""
    if session.closed:
        return True
    with _Selector() as arrived:
        arrived.register(session, selectors.EVENT_READ)
        return bool(arrived.select(0))


def away(failed: BaseException, remedy: str = "") -> str:
    """The end of a sentence that begins with a database: what it did not do, and the remedy where none is clearer."""
    lines = str(failed).strip().splitlines()
    said = lines[0] if lines else type(failed).__name__
    if isinstance(failed, psycopg.errors.DiskFull):
        return f"has no room: {said}; make room on its disk"
    if any(words in said for words in _NO_CONNECTION):
        return f"has no connection left: {said}; raise its max_connections, or end what holds them"
    if isinstance(failed, psycopg.errors.LockNotAvailable):
        return f"is held by another session: {said}; try again, and see `missions audit verify` if it stays so"
    return f"did not answer: {said}{remedy and '; '}{remedy}"
