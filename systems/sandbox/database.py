"""The database of the sandbox company: schema `sandbox`, a table for each collection and list inside records, and their rows.

Columns are the fields of `company.yaml` in their order. Three kinds of columns are not:

- `inner` columns are the company's own bookkeeping: never read back, never shown in a receipt
- `mark` columns are false until a write sets them, and appear in a record only when they are true
- `extra` columns appear in a record only once a write has set them, so that what was loaded reads back as it was

`unsaid` lists the fields that a loaded record did not carry, because absent and null are not the same.
Money is in integer US cents. A null passes every CHECK: it means "not known".
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from errors import BadInput
from systems.sandbox.company import DECLARED, RECORD_TABLES, Kind, PartTable, RecordTable

Row = dict[str, Any]
SCHEMA = "sandbox"
METADATA = sa.MetaData(schema=SCHEMA)
#: statuses of an order about which something can be done
OPEN = ("new", "payment_review", "backordered", "address_hold")
_TYPES: Mapping[str, TypeEngine[Any]] = {
    "text": sa.Text(), "whole": sa.BigInteger(), "flag": sa.Boolean(), "number": sa.Double(),
    "moment": sa.DateTime(timezone=True), "nested": JSONB(none_as_null=True),
}  # fmt: skip


def _inner(name: str, *more: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, *more, info={"kind": "inner"}, **options)


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, primary_key=True)


def _fields(kinds: Mapping[str, Kind], **info: str) -> Iterator[SchemaItem]:
    for name, kind in kinds.items():
        yield sa.Column(name, _TYPES["text" if isinstance(kind, list) else kind], info=info.copy())
        if isinstance(kind, list):
            yield sa.CheckConstraint(f"{name} in ({', '.join(map(repr, kind))})", name=f"{name}_known")


def _common(table: str, one: RecordTable | PartTable) -> Iterator[SchemaItem]:
    flag: dict[str, Any] = {"nullable": False, "server_default": "false"}
    yield from (sa.Column(name, sa.Boolean, info={"kind": "mark"}, **flag) for name in one.marks)
    for name, kind in one.kept.items():
        at_first = {"flag": flag, "whole": {"nullable": False, "server_default": "0"}}
        yield _inner(name, _TYPES[kind], **at_first.get(kind, {}))
    yield from (sa.CheckConstraint(f"{name} >= 0", name=f"{name}_not_negative") for name in one.not_negative)
    yield from (sa.CheckConstraint(condition, name=name) for name, condition in one.checks.items())
    yield from (sa.Index(f"{table}_by_{name}", name) for name in one.index)
    for name, columns in one.distinct.items():
        unmarked = sa.and_(*(sa.Column(mark).is_(False) for mark in one.marks))
        yield sa.Index(name, *columns, unique=True, postgresql_where=unmarked)
    yield _inner("unsaid", sa.ARRAY(sa.Text))


def _tables(collection: str, one: RecordTable) -> tuple[sa.Table, Mapping[str, sa.Table]]:
    """The table of a collection, whose `seq` keeps the order in which records came, and those of the lists inside them.

    `position` (from 0) identifies the elements of a list that have no key, `row` records of which several share one.
    """
    name, info = collection.replace(".", "_"), {"collection": collection}
    records = sa.Table(
        name, METADATA, *([_key(field) for field in DECLARED.collections[collection].key if field not in one.fields]
                          or [_inner("row", sa.BigInteger, sa.Identity(), primary_key=True)]), *_fields(one.fields),
        *(sa.Column(part, _TYPES["nested"]) for part, inside in one.parts.items() if not inside.fields),
        *_fields(one.written, kind="extra"), *_common(name, one), _inner("seq", sa.BigInteger, sa.Identity()),
        info={**info, "noun": one.noun, "part": None, "writes": one.writes},
    )  # fmt: skip
    keys = [column.name for column in records.primary_key]
    parts = {}
    for part, inside in one.parts.items():
        key = DECLARED.part_key(collection, part)
        if inside.fields:
            parts[part] = sa.Table(
                f"{name}_{part}", METADATA, *(_inner(one, sa.Text, primary_key=not inside.unique) for one in keys),
                *([_key(key)] if key else []), *_fields(inside.fields), *_common(f"{name}_{part}", inside),
                _inner("position", sa.BigInteger, primary_key=not key, autoincrement=False, nullable=False),
                sa.ForeignKeyConstraint(keys, [f"{SCHEMA}.{name}.{one}" for one in keys]),
                info={**info, "noun": inside.noun, "part": part, "parent_key": keys, "writes": inside.writes,
                      "optional": inside.optional},
            )  # fmt: skip
    return records, parts


#: every collection with the tables of the lists inside its records
TABLES = {name: _tables(name, one) for name, one in RECORD_TABLES.items()}
ORDERS, ORDER_LINES = TABLES["oms.orders"][0], TABLES["oms.orders"][1]["lines"]
PAYMENTS, AUTHORIZATIONS, CHARGES = TABLES["payments.payments"][0], *TABLES["payments.payments"][1].values()
STOCK, LOCATIONS, INBOUND = (TABLES[f"wms.{name}"][0] for name in ("stock", "locations", "inbound"))
ACCOUNTS, SUBSCRIPTIONS, RETURNS = (TABLES[name][0] for name in ("crm.accounts", "crm.subscriptions", "oms.returns"))
ITEMS, BUDGETS, RECEIPTS = (TABLES[f"erp.{name}"][0] for name in ("items", "budgets", "receipts"))
INVOICES, INVOICE_LINES = TABLES["erp.invoices"][0], TABLES["erp.invoices"][1]["lines"]


# What the company did and what was loaded into it; no fields of a record.


def _required(name: str, kind: str = "text", **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _TYPES[kind], nullable=False, **options)


#: One row a write: the same key again gives the same answer.
WRITES = sa.Table(
    "receipts", METADATA, _key("key"), _required("tool"), _required("args_digest"), sa.Column("answer", JSONB),
    _required("done_at", "moment", server_default=sa.func.now()),
)  # fmt: skip
#: The newest holder that wrote, by what it held: an older one was replaced since.
FENCES = sa.Table("fences", METADATA, _key("scope"), _required("token", "whole"))
#: What has no record of its own: messages sent, tasks, counts asked for, labels, credits, cases opened.
DEEDS = sa.Table(
    "deeds", METADATA, _key("deed_id"), _required("collection"), _required("subject"), _required("body", "nested"),
    _required("done_at", "moment", server_default=sa.func.now()), sa.Column("seq", sa.BigInteger, sa.Identity()),
)  # fmt: skip
#: Which recorded exceptions were loaded, by the digest of their systems.
LOADED = sa.Table("loaded", METADATA, _key("case_id"), _required("digest"))
#: What a loaded case says about an order, a customer, a SKU …: no other case may say something else about it.
CLAIMS = sa.Table("claims", METADATA, *map(_required, ("kind", "id", "digest", "case_id")), sa.UniqueConstraint("kind", "id"))
#: What happened, as the feed of events reports it: the events of recorded exceptions that were loaded with it.
EVENTS = sa.Table(
    "events", METADATA, sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    _required("source_id", unique=True), _required("event", "nested"),
)  # fmt: skip


# Records as rows of the tables, and back


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
            if name not in (row["unsaid"] or ()):
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
        if elements is None and part.info["optional"]:
            own["unsaid"] = [*(own["unsaid"] or ()), name]
            continue
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
    row: Row = {}
    for column in table.columns:
        if "kind" in column.info:
            continue
        value = row[column.name] = clean(record.get(column.name))
        wanted, fits = _VALUES[type(column.type)]
        if value is None and column.primary_key:
            raise BadInput(f"{where} has no {column.name}, which identifies it; give it one")
        if value is not None and not fits(value):
            raise BadInput(f"{where}: {column.name} is {str(value)[:60]!r}, which is not a valid {wanted}; correct the record")
        if value is not None and isinstance(column.type, sa.DateTime):
            row[column.name] = datetime.fromisoformat(value)
    return {**row, "unsaid": [name for name in row if name not in record] or None}


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
