"""What stands in an export of orders, before anything is looked for in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evals.history.layout import Told
from evals.history.mapping import ExportMapping, Ours
from rendering import words


@dataclass(frozen=True)
class WrongRow:
    """A row that is left out, since it cannot be read: by its number in its file, from 1, without the heading."""

    file: str
    row: int
    column: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What stands in an export, before anything is looked for."""

    mapping: ExportMapping
    #: why a column of theirs is taken for one of ours; empty where the mapping was given, or is known
    because: Mapping[Ours, str]
    currency: str
    rows: int
    wrong_rows: int
    wrong: Sequence[WrongRow]
    #: how many of each record; fees are lines that are no goods
    records: Mapping[str, int]
    orders: int
    customers: int
    #: days of the first and the last moment
    first: str
    last: str
    #: all moments are days, so that nothing is known of minutes
    is_dates_only: bool
    #: statuses without a meaning, with their rows, the most frequent first
    unknown_statuses: Mapping[str, int]
    #: orders whose rows name several totals
    several_totals: int
    #: orders whose goods come to more than their total
    over_total: int
    #: rows of goods by weight or length, which count as one piece at the price of the row
    fractions: int
    #: rows of orders in other currencies, which are left out
    other_currencies: Mapping[str, int]
    #: kind -> why it cannot be looked for with these columns
    not_looked_for: Mapping[str, str]
    #: what the history says of itself, beside its rows
    told: Told

    def sentences(self) -> Iterator[str]:
        """What a person should know of it before anything is looked for."""
        listed = ", ".join(f"{number:,} {record}s" for record, number in sorted(self.records.items()))
        yield (
            f"{self.mapping.layout}: {self.rows:,} rows, {self.orders:,} orders of {self.customers:,} customers, {self.first} to "
            f"{self.last} in {self.mapping.time.zone}, in {self.currency}; {listed}."
        )
        if self.mapping.not_goods:
            yield f"No goods, by their codes: {', '.join(self.mapping.not_goods)}."
        if self.is_dates_only:
            yield "Its moments are days: nothing is known of hours and minutes."
        for status, rows in self.unknown_statuses.items():
            yield f"The status {status!r} of {rows:,} rows has no known meaning: say it under `statuses`."
        for currency, rows in self.other_currencies.items():
            yield f"{rows:,} rows of orders in {currency} are left out: import them by `money: {{currency: {currency}}}`."
        if self.several_totals:
            yield f"The rows of {self.several_totals:,} orders name several totals; the highest counts."
        if self.over_total:
            yield f"The goods of {self.over_total:,} orders come to more than their total: see unit_price, total and discounts."
        if self.fractions:
            yield f"{self.fractions:,} rows are of goods by weight or length, and count as one piece."
        for one in self.wrong:
            yield f"Left out: {one.file}, row {one.row}, {one.column} is {one.value[:60]!r}, which cannot be read."
        if self.wrong_rows > len(self.wrong):
            yield f"Left out in all: {self.wrong_rows:,} rows."
        for kind, reason in self.not_looked_for.items():
            yield f"Cannot be looked for: {words(kind)}, {reason}."
