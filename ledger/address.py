"""The address of a PostgreSQL database, in the forms that its two clients want."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from errors import BadInput

_NAMES = ("postgresql", "postgres", "postgresql+psycopg")


def parse(url: str) -> URL:
    """For SQLAlchemy with psycopg. The message of BadInput does not repeat the address, which may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _NAMES:
        raise BadInput("The database address is none of PostgreSQL: write postgresql://user:password@host/database.")
    return parsed.set(drivername="postgresql+psycopg")


def plain(url: URL) -> str:
    """For psycopg itself, password included: never to be shown."""
    address, mark, query = url.set(drivername="postgresql").render_as_string(hide_password=False).partition("?")
    # SQLAlchemy writes a blank as "+", which psycopg does not read as one
    return address + mark + query.replace("+", "%20")
