"""A stretch of a made-up history while it is being made: ordinary orders, into which exceptions and lookalikes are put.

Every order is given at most one part to play. What is true is written down where it is put in, never looked up afterwards.
Identifiers and places are numbers until the stretch is written; -1 and `NEVER` are "not known".
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
#: microseconds since 1970: the history begins on 1 January 2025 and lasts 600 days
BEGIN = 1_735_689_600 * SECOND
ROUND = 100 * DAY
ROUNDS = 6
END = BEGIN + ROUNDS * ROUND + 10 * DAY
NEVER = np.iinfo(np.int64).min
OPEN = ("new", "payment_review", "backordered", "address_hold")
LOCATIONS = ("DC-ATL", "DC-DFW", "DC-PDX", "ST-BOS")
#: order numbers are this many apart, so that those in between are free for repetitions
STRIDE = 4

Ints = NDArray[np.int64]


@dataclass
class Draft:
    """Orders and their lines (`order` is the place of a line's order), and what else is recorded."""

    random: np.random.Generator
    orders: pd.DataFrame
    lines: pd.DataFrame
    #: list price of each SKU, cents
    prices: Ints
    #: orders that play no part yet
    free: Ints
    #: authorizations, charges, cancellations, adjustments
    records: list[pd.DataFrame] = field(default_factory=list)
    #: (kind, subject, other)
    truth: list[pd.DataFrame] = field(default_factory=list)

    def cast(self, share: float, variants: int, **given: object) -> list[Ints]:
        """Orders for a part, by variant; `share` of all orders, never the same twice. `given` is set on each."""
        wanted = max(variants, round(share * len(self.orders)))
        chosen, self.free = self.free[:wanted], self.free[wanted:]
        for column, value in given.items():
            self.orders.loc[chosen, column] = value
        return [chosen[variant::variants] for variant in range(variants)]

    def open_again(self, places: Ints) -> None:
        """These orders have not left, and need not yet."""
        self.orders.loc[places, "status"] = self.random.choice(OPEN, len(places))
        self.orders.loc[places, "promised"], self.orders.loc[places, "shipped"] = END + 30 * DAY, NEVER
        self.lines.loc[self.lines["order"].isin(places), "on_hand"] += 1_000

    def between(self, low: int, high: int, number: int) -> Ints:
        """Random whole numbers, both ends included."""
        return self.random.integers(low, high, number, endpoint=True)

    def is_true(self, kind: str, subject: object, other: object) -> None:
        """Write down exceptions of a kind."""
        self.truth.append(pd.DataFrame({"kind": kind, "subject": subject, "other": other}))

    def order_ids(self, places: Ints) -> pd.Series:
        """The ids of orders."""
        return ids("O-", self.orders["number"].to_numpy()[places])

    def record(self, what: str, **columns: object) -> None:
        """Add records of this name."""
        self.records.append(pd.DataFrame({"record": what, **columns}))

    def first_lines(self, places: Ints) -> Ints:
        """The place of the first line of each of these orders."""
        order = self.lines["order"].to_numpy()
        first = np.full(len(self.orders), -1)
        first[order[::-1]] = np.arange(len(order))[::-1]
        return first[places]

    def add_lines(self, lines: pd.DataFrame) -> None:
        """More lines of orders that are there."""
        self.lines = pd.concat([self.lines, lines], ignore_index=True)


def ids(prefix: str, numbers: Ints) -> pd.Series:
    """Ids such as O-000000042."""
    return pd.Series(prefix, index=range(len(numbers)), dtype="str") + pd.Series(numbers).astype("str").str.zfill(9)


def ordinary(random: np.random.Generator, first: int, number: int, of: int, prices: Ints) -> Draft:
    """Orders `first` to `first + number` of `of`, with nothing exceptional about them.

    A customer orders once in a round of 100 days, so that two orders of one are never near each other by chance.
    """
    index = np.arange(first, first + number)
    customers = max(1, -(-of // ROUNDS))
    customer, round_ = index % customers, index // customers
    at = BEGIN + round_ * ROUND + customer * (98 * DAY) // customers + random.integers(0, 12 * HOUR, number)
    status = random.choice(["delivered", "shipped", "cancelled", "ready", *OPEN], number, p=[0.82, 0.1, 0.04, 0.02, *[0.005] * 4])
    orders = pd.DataFrame({"number": index * STRIDE, "customer": customer, "at": at, "status": status})
    orders["street"], orders["postal_code"] = customer, 10_000 + customer % 89_999
    orders["promised"] = at + random.integers(3 * DAY, 8 * DAY, number)
    orders["moved"] = NEVER
    has_left = np.isin(status, ["delivered", "shipped"])
    is_open = np.isin(status, OPEN)
    early = orders["promised"] - random.integers(HOUR, 2 * DAY, number)
    orders["shipped"] = np.where(has_left, early, NEVER)
    orders.loc[is_open, "promised"] = END + random.integers(DAY, 20 * DAY, is_open.sum())
    return Draft(random, orders, _lines(random, number, prices, is_open), prices, random.permutation(number))


def _lines(random: np.random.Generator, number: int, prices: Ints, is_open: NDArray[np.bool_]) -> pd.DataFrame:
    """One to ten lines an order, four on average, of different SKUs; some at a price of a promotion."""
    counts = np.clip(random.geometric(0.26, number), 1, 10)
    order = np.repeat(np.arange(number), counts)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    gap = max(1, len(prices) // 12)
    sku = (random.integers(0, len(prices), number)[order] + place * random.integers(1, gap, number, endpoint=True)[order]) % len(
        prices
    )
    qty = random.geometric(0.45, len(order)).clip(max=30)
    discount = random.choice([100, 90, 75, 50, 30], len(order), p=[0.88, 0.05, 0.04, 0.02, 0.01])
    lines = pd.DataFrame({"order": order, "line": place + 1, "sku": sku, "qty": qty})
    lines["price"] = prices[sku] * discount // 100
    lines["location"] = random.integers(0, len(LOCATIONS), len(order))
    lines["reserved"], lines["safety"] = random.integers(0, 40, len(order)), random.integers(0, 5, len(order))
    spare = np.where(is_open[order], random.integers(0, 60, len(order)), random.integers(-40, 60, len(order)))
    lines["on_hand"] = (lines["qty"] + lines["reserved"] + lines["safety"] + spare).clip(lower=0)
    return lines
