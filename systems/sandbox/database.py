"""The database of the sandbox company: its schema, its records by collection, emptying it."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, NullPool, Table, create_engine, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from systems.sandbox.journals import METADATA
from systems.sandbox.shapes import COLLECTIONS, Row, record_of
from systems.sandbox.tables import SCHEMA


def open_engine(url: str) -> Engine:
    """A pool of connections that survives a restart of the server; the driver that `url` names does not matter."""
    return create_engine(_address(url), pool_size=5, pool_pre_ping=True, hide_parameters=True)


@lru_cache(maxsize=8)
def engine_of(url: str) -> Engine:
    """For one thing now and then: it keeps no connection, but what it has compiled."""
    return create_engine(_address(url), poolclass=NullPool, hide_parameters=True)


def _address(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


def create_schema(url: str) -> None:
    """Create schema and tables where they are missing, in a database of before too; one query when they are there."""
    with engine_of(url).begin() as connection:
        if {table.name for table in METADATA.tables.values()} <= set(inspect(connection).get_table_names(schema=SCHEMA)):
            return
        # Two processes may come here at once: the second waits, and finds the tables.
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(text(f"create schema if not exists {SCHEMA}"))
        connection.execute(text(f"comment on schema {SCHEMA} is 'The sandbox company.'"))
        METADATA.create_all(connection, checkfirst=True)


def reset(url: str) -> None:
    """Empty the sandbox company: records, receipts, deeds and what was loaded."""
    create_schema(url)
    with engine_of(url).begin() as connection:
        for table in reversed(METADATA.sorted_tables):  # to truncate them takes ten times as long for a company of a few records
            connection.execute(table.delete())


def find(connection: Connection, collection: str, *conditions: ColumnElement[bool]) -> list[Row]:
    """The records of a collection that meet the conditions, in the order in which they came.

    Wants a REPEATABLE READ transaction: the lists inside the records are a second statement.
    """
    table, parts = COLLECTIONS[collection]
    query = select(table).where(*conditions).order_by(table.c.seq)
    rows = connection.execute(query).mappings().all()
    found = [record_of(table, dict(row)) for row in rows]
    for name, part in parts.items():
        of_parent = _elements(connection, part, rows, everything=not conditions)
        for record, row in zip(found, rows, strict=True):
            record[name] = of_parent.get(row[part.info["parent_key"][0]], [])
    return found


def _elements(connection: Connection, part: Table, rows: Any, *, everything: bool) -> Mapping[str, list[Row]]:
    owner = part.c[part.info["parent_key"][0]]
    query = select(part).order_by(part.c.position)
    if not everything:
        query = query.where(owner.in_([row[owner.name] for row in rows]))
    of_parent: dict[str, list[Row]] = defaultdict(list)
    for row in connection.execute(query).mappings() if rows else ():
        of_parent[row[owner.name]].append(record_of(part, dict(row)))
    return of_parent
