"""The database of the sandbox company: its schema, and its records as rows of the tables and back."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from errors import BadInput
from systems.sandbox.tables import METADATA, SCHEMA, TABLES

Row = dict[str, Any]


def open_engine(url: str, **options: Any) -> sa.Engine:
    """A pool of connections that survives a restart of the server; the driver that `url` names does not matter."""
    options = options or {"pool_size": 5, "pool_pre_ping": True}
    return sa.create_engine(make_url(url).set(drivername="postgresql+psycopg"), hide_parameters=True, **options)


@lru_cache(maxsize=8)
def engine_of(url: str) -> sa.Engine:
    """For one thing now and then: it keeps no connection, but what it has compiled."""
    return open_engine(url, poolclass=sa.NullPool)


def create_schema(url: str) -> None:
    """Create schema and tables where they are missing, in a database of before too; one query when they are there."""
    with engine_of(url).begin() as connection:
        if {table.name for table in METADATA.tables.values()} <= set(sa.inspect(connection).get_table_names(schema=SCHEMA)):
            return
        # Two processes may come here at once: the second waits, and finds the tables.
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(sa.text(f"create schema if not exists {SCHEMA}"))
        connection.execute(sa.text(f"comment on schema {SCHEMA} is 'The sandbox company.'"))
        METADATA.create_all(connection, checkfirst=True)


def reset(url: str) -> None:
    """Empty the sandbox company: records, receipts, deeds and what was loaded."""
    create_schema(url)
    with engine_of(url).begin() as connection:
        for table in reversed(METADATA.sorted_tables):  # to truncate them takes ten times as long for a company of a few records
            connection.execute(table.delete())


def find_records(connection: sa.Connection, collection: str, *conditions: sa.ColumnElement[bool]) -> list[Row]:
    """The records of a collection that meet the conditions, in their order; wants a REPEATABLE READ transaction."""
    table, parts = TABLES[collection]
    rows = connection.execute(sa.select(table).where(*conditions).order_by(table.c.seq)).mappings().all()
    found = [record_of(table, dict(row)) for row in rows]
    for name, part in parts.items():
        owner = part.c[part.info["parent_key"][0]]
        query = sa.select(part).order_by(part.c.position)
        if conditions:
            query = query.where(owner.in_([row[owner.name] for row in rows]))
        of_parent: dict[str, list[Row]] = defaultdict(list)
        for element in connection.execute(query).mappings() if rows else ():
            of_parent[element[owner.name]].append(record_of(part, dict(element)))
        for record, row in zip(found, rows, strict=True):
            record[name] = of_parent.get(row[owner.name], [])
    return found


def rows_of(collection: str, record: Mapping[str, Any]) -> dict[sa.Table, list[Row]]:
    """The rows of one record. Raises BadInput, naming record and field, when a value has the wrong type."""
    table, parts = TABLES[collection]
    own = _row(table, record, collection)
    where = f"{collection} {'/'.join(str(own.get(column.name, '')) for column in table.primary_key)}"
    rows = {table: [own]}
    for name, part in parts.items():
        elements = record.get(name)
        if not isinstance(elements, list):
            raise BadInput(f"{where} has no list of {name}; give one, empty if need be")
        parent = {column: own[column] for column in part.info["parent_key"]}
        rows[part] = [
            {**_row(part, element, f"{where}, {name} {place}"), **parent, "position": place}
            for place, element in enumerate(elements)
        ]
    return rows


def record_of(table: sa.Table, row: Mapping[str, Any]) -> Row:
    """The record of a row: its fields, and the extra ones that a write has set."""
    unsaid = row["unsaid"] or ()
    record = {}
    for column in table.columns:
        kind, value = column.info.get("kind"), row[column.name]
        left_out = kind == "inner" or (kind == "mark" and not value)
        if left_out or (value is None and (kind == "extra" or column.name in unsaid)):
            continue
        record[column.name] = json_value(value)
    return record


def json_value(value: Any) -> Any:
    """A value as it stands in a record: moments as in RFC 3339 with a Z, without a fraction unless they have one."""
    if not isinstance(value, datetime):
        return value
    moment = value.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def clean(value: Any) -> Any:
    """The value with what PostgreSQL cannot store (NUL, half a surrogate pair) as U+FFFD; BadInput if a number is not finite."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {clean(name): clean(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [clean(inside) for inside in value]
    if isinstance(value, float) and not isfinite(value):
        raise BadInput(f"{value} is not a number that JSON knows; give a finite one or null")
    return value


def _row(table: sa.Table, record: Any, where: str) -> Row:
    if not isinstance(record, Mapping):
        raise BadInput(f"{where}: {str(record)[:60]!r} is not a record; give a JSON object")
    fields = [column for column in table.columns if "kind" not in column.info]
    row: Row = {column.name: _stored(column, record.get(column.name), where) for column in fields}
    return {**row, "unsaid": [name for name in row if name not in record] or None}


def _stored(column: sa.Column[Any], value: Any, where: str) -> Any:
    if value is None:
        if column.primary_key:
            raise BadInput(f"{where} has no {column.name}, which identifies it; give it one")
        return None
    value = clean(value)
    wanted, fits = _VALUES[type(column.type)]
    if not fits(value):
        raise BadInput(f"{where}: {column.name} is {str(value)[:60]!r}, which is not a valid {wanted}; correct the record")
    return datetime.fromisoformat(value) if isinstance(column.type, sa.DateTime) else value


def digest(value: Any) -> str:
    """A digest of plain data that does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def is_moment(value: str) -> bool:
    """Whether it is ISO 8601 with an offset or a Z."""
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


#: kind of a column -> what a sentence calls its values, and which those are
_VALUES: Mapping[type[Any], tuple[str, Callable[[Any], bool]]] = {
    sa.Text: ("text", lambda value: isinstance(value, str)),
    sa.Boolean: ("true or false", lambda value: isinstance(value, bool)),
    sa.BigInteger: ("whole number", lambda value: type(value) is int and abs(value) < 2**63),
    sa.Double: ("number", lambda value: type(value) in (int, float)),
    sa.DateTime: ("moment such as 2026-03-07T00:53:46Z", lambda value: isinstance(value, str) and is_moment(value)),
    JSONB: ("object or list", lambda value: isinstance(value, dict | list)),
}
