"""How an export of orders is read: `mapping.yaml`, which `missions history import` writes and a person edits.

    columns: {order_id: Order ID, at: Order Date, sku: SKU, qty: Units, unit_price: Price}    # ours: the export's
    money: {currency: EUR, decimal: ",", unit: major}       # 1.234,50 is EUR 1,234.50; `minor` where amounts are in cents
    time: {zone: Europe/Berlin, formats: ["%d.%m.%Y %H:%M"]}    # of moments without a zone; ISO 8601 is read without a format
    statuses: {versandt: shipped}       # of orders; docs/history.md has ours
    payments: {bezahlt: captured}       # of their charges
    not_goods: [POST, DISCOUNT]         # codes that are postage, fees and adjustments
    cancellation: [{column: Order ID, starts_with: C}]    # rows that take goods back: all of these conditions hold
    adjustment: [{column: Units, below: 0}]               # rows that correct the stock

A column may be a list, of which the first that the export has is read. Source: Kimball and Ross, The Data
Warehouse Toolkit (2013), chapter 6, for an order's lines, fees and status at the grain of a line.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from ruamel.yaml import YAML

from errors import BadInput
from evals.history.layout import STATUSES
from strict_yaml import read_yaml

#: what a row may tell of a line and its order
Ours = Literal[
    "order_id", "customer_id", "at", "status", "sku", "item", "qty", "unit_price", "line_total", "total", "currency", "location",
    "line1", "postal_code", "promised_at", "shipped_at", "cancelled_at", "paid_at", "payment_status", "refunded", "channel",
    "customer_kind",
]  # fmt: skip
OURS: tuple[Ours, ...] = get_args(Ours)
MOMENTS: tuple[Ours, ...] = ("at", "promised_at", "shipped_at", "cancelled_at", "paid_at")
AMOUNTS: tuple[Ours, ...] = ("unit_price", "line_total", "total", "refunded")
#: of the layout, without the open ones of ORD-2, which every company names for itself
OrderStatus = Literal["new", "payment_review", "backordered", "address_hold", "ready", "shipped", "delivered", "cancelled"]
PaymentStatus = Literal["captured", "pending", "refunded", "disputed"]
assert set(STATUSES["charge"]) == set(get_args(PaymentStatus))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]


class MoneyFormat(_Strict):
    """Of the amounts: their currency, where no column says it, what divides the decimals, and major units or minor ones."""

    currency: str = Field(default="", pattern="^([A-Z]{3})?$")
    decimal: Literal[".", ","] = "."
    unit: Literal["major", "minor"] = "major"


class TimeFormat(_Strict):
    """Of the moments: the zone of those that name none, and their formats (strptime) where they are not ISO 8601."""

    zone: str = "UTC"
    formats: tuple[str, ...] = ()

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(f"there is no time zone {zone!r}; name one such as America/New_York") from error
        return zone


class Mark(_Strict):
    """A condition on a column of a row; of `is`, empty text is no value."""

    column: str
    starts_with: str | None = None
    below: float | None = None
    is_: tuple[str, ...] | None = Field(default=None, alias="is")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(one is not None for one in (self.starts_with, self.below, self.is_)) != 1:
            raise ValueError("says one of starts_with, below, is")
        return self


class ExportMapping(_Strict):
    """How the rows of an export are read as lines, cancellations and adjustments, and as the charges of their orders."""

    layout: str = "an export"
    columns: Mapping[Ours, Columns]
    money: MoneyFormat = MoneyFormat()
    time: TimeFormat = TimeFormat()
    statuses: Mapping[str, OrderStatus] = {}
    payments: Mapping[str, PaymentStatus] = {}
    not_goods: tuple[str, ...] = ()
    cancellation: tuple[Mark, ...] = ()
    adjustment: tuple[Mark, ...] = ()

    @classmethod
    def load(cls, file: Path) -> "ExportMapping":
        """A `mapping.yaml`. Raises BadInput with file, line and remedy."""
        return read_yaml(file, "mapping of an export").as_model(cls, "docs/history.md")

    def dump(self, file: Path) -> None:
        """Write it as a person edits it."""
        said = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        said["columns"] = {ours: theirs[0] if len(theirs) == 1 else theirs for ours, theirs in said["columns"].items()}
        with file.open("w", encoding="utf-8") as opened:
            YAML().dump(said, opened)

    def fitted(self, there: Sequence[str], what: str) -> "ExportMapping":
        """With the one column of each that the export has, as it spells it.

        Raises BadInput where a column that must be there is not, or one that is named is misspelt.
        """
        spelt = {plain_name(one): one for one in reversed(there)}
        found = {
            ours: next((spelt[plain_name(one)] for one in theirs if plain_name(one) in spelt), "")
            for ours, theirs in self.columns.items()
        }
        marks = [mark.column for mark in (*self.cancellation, *self.adjustment)]
        wrong = [theirs[0] for ours, theirs in self.columns.items() if not found[ours] and len(theirs) == 1 and not self.is_known]
        wrong += [one for one in marks if plain_name(one) not in spelt and not self.is_known]
        if wrong:
            near = get_close_matches(plain_name(wrong[0]), spelt, n=1, cutoff=0.6)
            meant = f"; did you mean {spelt[near[0]]!r}?" if near else f"; its columns are {', '.join(there)[:300]}"
            raise BadInput(f"{what}: has no column {wrong[0]!r}{meant}")
        columns = {ours: (theirs,) for ours, theirs in found.items() if theirs}
        missing = [ours for ours in ("order_id", "at") if ours not in columns]
        missing += [] if {"sku", "item"} & columns.keys() else ["sku"]
        if missing:
            raise BadInput(
                f"{what}: no column is known to be {' or '.join(missing)}; name it under `columns` of a mapping, "
                f"the columns are {', '.join(there)[:300]}"
            )
        whole = {
            field: marks if all(plain_name(one.column) in spelt for one in marks) else ()
            for field, marks in (("cancellation", self.cancellation), ("adjustment", self.adjustment))
        }
        return self.model_copy(update={"columns": columns, **whole})

    @cached_property
    def is_known(self) -> bool:
        """Whether it is one of layouts.yaml, of which an export may lack columns."""
        return self.layout in vocabulary().layouts


class _KnownExport(ExportMapping):
    known_by: tuple[str, ...]


class Vocabulary(_Strict):
    """`layouts.yaml`: the exports that are known, and the words by which others are guessed."""

    layouts: Mapping[str, _KnownExport]
    names: Mapping[Ours, tuple[str, ...]]
    statuses: Mapping[str, OrderStatus]
    payments: Mapping[str, PaymentStatus]
    not_goods: tuple[str, ...]
    not_goods_words: tuple[str, ...]

    def known(self, there: Sequence[str]) -> ExportMapping | None:
        """The export that has these columns; none where it is of no layout that is known."""
        plain = {plain_name(one) for one in there}
        for name, layout in self.layouts.items():
            if {plain_name(one) for one in layout.known_by} <= plain:
                return layout.model_copy(update={"layout": name})
        return None


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """That of `layouts.yaml`."""
    return read_yaml(Path(__file__).with_name("layouts.yaml"), "layouts of exports").as_model(Vocabulary, "its head")


def plain_name(name: str) -> str:
    """A name of a column, status or code without capitals, blanks and signs."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
