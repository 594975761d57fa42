"""The columns of a history, and what it says of itself."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import pyarrow as pa
from pydantic import TypeAdapter

from errors import BadInput

_MOMENT = pa.timestamp("us", "UTC")
#: our own layout: a row is one record, and says of its order what the record's system said with it
SCHEMA = pa.schema(
    [
        # line, fee (a line that is no goods), authorization, charge, cancellation (of a line) or adjustment (of stock)
        ("record", pa.string()),
        # of the line, within its order; of the authorization, charge, cancellation or adjustment
        ("record_id", pa.string()),
        ("order_id", pa.string()),
        ("customer_id", pa.string()),
        # when the order was placed, it was authorized, charged, cancelled, or the stock was corrected
        ("at", _MOMENT),
        # of the order on its lines; of authorizations and charges their own
        ("status", pa.string()),
        ("sku", pa.string()),
        # of the line; what is cancelled; what is added to the stock, below 0 what is taken from it
        ("qty", pa.int64()),
        ("unit_price_cents", pa.int64()),
        ("location", pa.string()),
        # of the whole order
        ("total_cents", pa.int64()),
        ("line1", pa.string()),
        ("postal_code", pa.string()),
        ("promised_at", _MOMENT),
        # to when the customer moved the promise
        ("moved_to", _MOMENT),
        ("shipped_at", _MOMENT),
        # of the order: when it was cancelled, where it was placed (web, store, phone), and by whom (retail, wholesale)
        ("cancelled_at", _MOMENT),
        ("channel", pa.string()),
        ("customer_kind", pa.string()),
        # of authorizations and charges
        ("amount_cents", pa.int64()),
        ("refunded_cents", pa.int64()),
        # of the SKU at the location, when the order was placed, or before the correction
        ("on_hand", pa.int64()),
        ("reserved", pa.int64()),
        ("safety_stock", pa.int64()),
    ]
)
RECORDS = ("line", "fee", "authorization", "charge", "cancellation", "adjustment")
#: those that definitions know, beside the open ones of ORD-2 for lines; others are read, and reported
STATUSES: Mapping[str, tuple[str, ...]] = {
    "line": ("ready", "shipped", "delivered", "cancelled"),
    "authorization": ("authorized", "expired", "voided", "declined"),
    "charge": ("captured", "pending", "refunded", "disputed"),
}


@dataclass(frozen=True)
class Layout:
    """How the rows of a history are read as rows of `SCHEMA`."""

    name: str
    #: SQL of our columns, by name; one that is missing is not there
    columns: Mapping[str, str]
    #: the column of what a cancellation is held against: the order that it names, or the customer
    origin: str
    told: "Told"

    @property
    def total_cents(self) -> str:
        """SQL of the total of an order, of its lines."""
        return "max(total_cents)" if "total_cents" in self.columns else "sum(qty * unit_price_cents)::bigint"

    @property
    def place(self) -> str:
        """SQL of a hash of the customer and address (where there is one) of an order; null where one of them is not known."""
        known = ["customer_id", *(column for column in ("line1", "postal_code") if column in self.columns)]
        return f"case when {' and '.join(f'{column} is not null' for column in known)} then hash({', '.join(known)}) end"

    @property
    def level(self) -> str:
        """SQL of a hash of what the usual price of a SKU depends on, as far as the history tells it."""
        known = [column for column in ("channel", "customer_kind") if column in self.columns]
        return f"hash({', '.join(known)})" if known else "0::ubigint"

    def view(self, rows: str) -> str:
        """SQL that reads `rows`; missing columns are null, `at` is called `moment`; moments may be in a zone."""
        selected = [
            f"{self.columns.get(name, f'null::{_SQL_TYPES[type_]}')} as {'moment' if name == 'at' else name}"
            for name, type_ in zip(SCHEMA.names, SCHEMA.types, strict=True)
        ]
        return f"select {', '.join(selected)}, {self.columns[self.origin]} as origin from {rows}"


@dataclass(frozen=True)
class Told:
    """What a history says of itself beside its rows, in the metadata of its file."""

    layout: str = "order records"
    currency: str = ""
    #: all moments are days, so that nothing is known of minutes
    is_dates_only: bool = False
    #: what its cancellations are held against: order_id or customer_id
    origin: Literal["order_id", "customer_id"] = "order_id"

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """As a file has it."""
        return {_TOLD: json.dumps(asdict(self)).encode()}

    @classmethod
    def by(cls, schema: pa.Schema) -> "Told":
        """What the file of this schema says, or of one that was not imported. Raises ValueError for what nobody writes."""
        said = (schema.metadata or {}).get(_TOLD)
        return TypeAdapter(cls).validate_json(said) if said else cls()


_TOLD = b"missions"


def recognise(schema: pa.Schema, what: str) -> Layout:
    """The layout of a history with our columns. Raises BadInput that names `what` and what is missing, or wrong."""
    times = Counter(map(str.lower, schema.names))  # the engine does not tell capitals apart
    alike = [name for name in SCHEMA.names if times[name.lower()] > 1]
    if alike:
        raise BadInput(f"{what}: has several columns {alike[0]}, whatever the capitals; rename all but one")
    missing = {"order_id", "at", "sku", "qty"} - set(schema.names)
    if missing:
        listed = ", ".join(sorted(missing))
        raise BadInput(f"{what}: has no column {listed}; `missions history import` makes a history of any export of orders")
    columns = {field.name: _read(schema, field.name, field.type, what) for field in SCHEMA if field.name in schema.names}
    columns.setdefault("record", "'line'")
    told = Told.by(schema)
    return Layout(told.layout, columns, told.origin if told.origin in columns else "order_id", told)


_SQL_TYPES: Mapping[pa.DataType, str] = {pa.string(): "varchar", pa.int64(): "bigint", _MOMENT: "timestamp"}


def _read(schema: pa.Schema, name: str, wanted: pa.DataType, what: str) -> str:
    """SQL of a column as text, whole number or moment. Raises BadInput where it is of no such type."""
    type_ = schema.field(name).type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_null(type_):
        return f"null::{_SQL_TYPES[wanted]}"
    column = f'"{name}"'
    whole = (
        f"(case when {column} is null or isnan({column}) then null "
        f"when {column} = trunc({column}) then {column}::bigint else error('{name} is no whole number') end)"
    )
    if wanted == _MOMENT:
        _refuse_unless(pa.types.is_timestamp(type_) or pa.types.is_date(type_), schema, name, "a date and time", what)
        return f"{column}::timestamptz" if getattr(type_, "tz", None) else f"{column}::timestamp"
    if wanted == pa.int64():
        _refuse_unless(pa.types.is_integer(type_) or pa.types.is_floating(type_), schema, name, "a whole number", what)
        return whole if pa.types.is_floating(type_) else f"{column}::bigint"
    is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)
    _refuse_unless(is_text or pa.types.is_integer(type_) or pa.types.is_floating(type_), schema, name, "text", what)
    return f"{whole}::varchar" if pa.types.is_floating(type_) else f"{column}::varchar"


def _refuse_unless(fits: bool, schema: pa.Schema, name: str, wanted: str, what: str) -> None:
    if not fits:
        raise BadInput(f"{what}: the column {name} is {schema.field(name).type} and must be {wanted}; convert it before")
