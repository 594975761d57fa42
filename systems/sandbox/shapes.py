"""Between records in the shape of CONTRACT.md and rows of the tables."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Table, Text

from errors import BadInput
from systems.sandbox import tables as t

#: Every collection with the tables of the lists inside its records.
COLLECTIONS: Mapping[str, tuple[Table, Mapping[str, Table]]] = {
    table.info["collection"]: (table, {part.info["part"]: part for part in parts})
    for table, *parts in (
        (t.ORDERS, t.ORDER_LINES), (t.RETURNS,), (t.PAYMENTS, t.AUTHORIZATIONS, t.CHARGES), (t.STOCK,), (t.LOCATIONS,),
        (t.INBOUND,), (t.CUSTOMERS,), (t.SUBSCRIPTIONS,), (t.ACCOUNTS,), (t.CASES,), (t.USAGE,), (t.OPPORTUNITIES,),
        (t.ITEMS,), (t.RECEIVABLES,), (t.INVOICES, t.INVOICE_LINES), (t.PURCHASE_ORDERS, t.PURCHASE_ORDER_LINES),
        (t.RECEIPTS,), (t.VENDORS,), (t.BUDGETS,), (t.ADDRESS_CHECKS,), (t.SHIPMENTS,),
    )
}  # fmt: skip

Row = dict[str, Any]


def fields(table: Table) -> list[Column[Any]]:
    """The columns that are fields of a loaded record."""
    return [column for column in table.columns if "kind" not in column.info]


def rows_of(collection: str, record: Mapping[str, Any]) -> dict[Table, list[Row]]:
    """The rows of one record. Raises BadInput, naming record and field, when a value has the wrong type."""
    table, parts = COLLECTIONS[collection]
    own = _row(table, record, collection)
    where = f"{collection} {identity(table, own)}"
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


def identity(table: Table, row: Mapping[str, Any]) -> str:
    """The name of a record in sentences and receipts: its key, parts joined by a slash."""
    names = table.info.get("parent_key") or [column.name for column in table.primary_key]
    return "/".join(str(row.get(name, "")) for name in names)


def record_of(table: Table, row: Mapping[str, Any]) -> Row:
    """The record of a row: its fields, and the extra ones that a write has set."""
    unsaid = row["unsaid"] or ()
    record = {}
    for column in table.columns:
        kind, value = column.info.get("kind"), row[column.name]
        left_out = kind == "inner" or (kind == "mark" and not value)
        if left_out or (value is None and (kind == "extra" or column.name in unsaid)):
            continue
        record[column.name] = told(value)
    return record


def told(value: Any) -> Any:
    """A value as it stands in a record: moments as ISO 8601 with a Z, without a fraction unless they have one."""
    if not isinstance(value, datetime):
        return value
    moment = value.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def clean(value: Any) -> Any:
    """The value with what PostgreSQL cannot store (NUL, half a surrogate pair) replaced by U+FFFD, at any depth.

    Raises BadInput for a number that is not finite.
    """
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {clean(name): clean(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [clean(inside) for inside in value]
    if isinstance(value, float) and not isfinite(value):
        raise BadInput(f"{value} is not a number that JSON knows; give a finite one or null")
    return value


def _row(table: Table, record: Any, where: str) -> Row:
    if not isinstance(record, Mapping):
        raise BadInput(f"{where}: {str(record)[:60]!r} is not a record; give a JSON object")
    row: Row = {column.name: _stored(column, record.get(column.name), where) for column in fields(table)}
    unsaid = [column.name for column in fields(table) if column.name not in record]
    return {**row, "unsaid": unsaid or None}


def _stored(column: Column[Any], value: Any, where: str) -> Any:
    if value is None:
        if column.primary_key:
            raise BadInput(f"{where} has no {column.name}, which identifies it; give it one")
        return None
    value = clean(value)
    if not _fits(column, value):
        raise BadInput(f"{where}: {column.name} is {str(value)[:60]!r}, which is no {_wanted(column)}; mend the record")
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    return value


def _fits(column: Column[Any], value: Any) -> bool:
    match column.type:
        case Text():
            return isinstance(value, str)
        case Boolean():
            return isinstance(value, bool)
        case BigInteger():
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        case Double():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case DateTime():
            return isinstance(value, str) and is_moment(value)
        case _:
            return isinstance(value, dict | list)


def is_moment(value: str) -> bool:
    """Whether it is ISO 8601 with an offset or a Z."""
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _wanted(column: Column[Any]) -> str:
    kinds: Iterable[tuple[type, str]] = (
        (Text, "text"), (Boolean, "true or false"), (BigInteger, "whole number"), (Double, "number"),
        (DateTime, "moment such as 2026-03-07T00:53:46Z"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(column.type, kind)), "object or list")
