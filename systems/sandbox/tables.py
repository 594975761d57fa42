"""The tables of the sandbox company: schema `sandbox`, one table a collection or a list inside a record.

Columns are the fields of `systems/company.yaml` in their order. Three kinds of columns are not:

- `inner` columns are the company's own bookkeeping: never read back, never shown in a receipt
- `mark` columns are false until a write sets them, and appear in a record only when they are true
- `extra` columns appear in a record only once a write has set them, so that what was loaded reads back as it was

`unsaid` lists the fields that a loaded record did not carry, because absent and null are not the same.
Money is in integer US cents. A null passes every CHECK: it means "not known".
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from systems.company import COLLECTIONS, Collection, Kind, RecordPart

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


def _own(table: str) -> Iterator[SchemaItem]:
    """What the company keeps in a table besides the fields of its records, and rules of its own."""
    match table:
        case "oms_orders_lines":
            # whether its quantity is part of wms.stock.reserved at its location
            yield _inner("reserved", sa.Boolean, nullable=False, server_default="false")
            yield sa.CheckConstraint("qty > 0", name="qty_positive")
            # An order never has two lines of one SKU.
            standing = sa.Column("cancelled").is_(False)
            yield sa.Index("one_line_a_sku", "order_id", "sku", unique=True, postgresql_where=standing)
        case "payments_payments":
            # the moment at which the case was recorded: what is live or expired is decided by it, not by today's clock
            yield _inner("clock_at", sa.DateTime(timezone=True))
        case "payments_payments_authorizations":
            yield _inner("captured_cents", sa.BigInteger, nullable=False, server_default="0")
            yield sa.CheckConstraint("captured_cents between 0 and amount_cents", name="captured_within_amount")
        case "payments_payments_charges":
            yield sa.CheckConstraint("refunded_cents between 0 and amount_cents", name="refunded_within_amount")
        case "erp_receivables":
            # an account may have several overdue invoices, so nothing but the row's number identifies one
            yield _inner("row", sa.BigInteger, sa.Identity(), primary_key=True)


def _fields(kinds: Mapping[str, Kind], **info: str) -> Iterator[SchemaItem]:
    for name, kind in kinds.items():
        yield sa.Column(name, _TYPES["text" if isinstance(kind, list) else kind], info=info.copy())
        if isinstance(kind, list):
            yield sa.CheckConstraint(f"{name} in ({', '.join(map(repr, kind))})", name=f"{name}_known")


def _common(table: str, one: Collection | RecordPart) -> Iterator[SchemaItem]:
    for name in one.marks:
        yield sa.Column(name, sa.Boolean, nullable=False, server_default="false", info={"kind": "mark"})
    yield from (sa.CheckConstraint(f"{name} >= 0", name=f"{name}_not_negative") for name in one.not_negative)
    yield from (sa.Index(f"{table}_by_{name}", name) for name in one.index)
    yield from _own(table)


def _records(name: str, one: Collection) -> sa.Table:
    """A table of records. `seq` keeps the order in which they came."""
    table = name.replace(".", "_")
    return sa.Table(
        table, METADATA, *(_key(field) for field in one.key if field not in one.fields), *_fields(one.fields),
        *(sa.Column(part, _TYPES["nested"]) for part, inside in one.parts.items() if not inside.fields),
        *_fields(one.written, kind="extra"), *_common(table, one), _inner("unsaid", sa.ARRAY(sa.Text)),
        _inner("seq", sa.BigInteger, sa.Identity()),
        info={"collection": name, "noun": one.noun, "part": None, "writes": one.writes},
    )  # fmt: skip


def _elements(parent: sa.Table, part: str, one: RecordPart) -> sa.Table:
    """A table of the elements of the list `part` of a record; `position` (from 0) identifies those that have no key."""
    keys, table = [column.name for column in parent.primary_key], f"{parent.name}_{part}"
    return sa.Table(
        table, METADATA, *(_inner(column, sa.Text, primary_key=not one.unique) for column in keys),
        *([_key(one.key)] if one.key else []), *_fields(one.fields), *_common(table, one),
        _inner("position", sa.BigInteger, primary_key=one.key is None, autoincrement=False, nullable=False),
        _inner("unsaid", sa.ARRAY(sa.Text)), sa.ForeignKeyConstraint(keys, [f"{SCHEMA}.{parent.name}.{name}" for name in keys]),
        info={"collection": parent.info["collection"], "noun": one.noun, "part": part, "parent_key": keys, "writes": one.writes},
    )  # fmt: skip


def _tables() -> Iterator[tuple[str, tuple[sa.Table, Mapping[str, sa.Table]]]]:
    for name, one in COLLECTIONS.items():
        table = _records(name, one)
        yield name, (table, {part: _elements(table, part, inside) for part, inside in one.parts.items() if inside.fields})


#: every collection with the tables of the lists inside its records
TABLES: Mapping[str, tuple[sa.Table, Mapping[str, sa.Table]]] = dict(_tables())
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
