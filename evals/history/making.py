"""`make`: a made-up history of any size, with the exceptions in it known by construction."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from errors import BadInput
from evals.atomic_write import atomic_write
from evals.history.layout import SCHEMA
from evals.history.synthetic.draft import LOCATIONS, NEVER, Draft, Ints, ordinary
from evals.history.synthetic.money import put_in_money
from evals.history.synthetic.orders import (
    put_in_adjustments,
    put_in_duplicates,
    put_in_late_promises,
    put_in_repeated_lines,
    put_in_separate_purchases,
    put_in_short_stock,
    put_in_wrong_prices,
)

LEAST_LINES = 10_000
MOST_LINES = 1_000_000_000
TRUTH = pa.schema([("kind", pa.string()), ("subject", pa.string()), ("other_id", pa.string())])
_LINES_AN_ORDER = 3.76
_ORDERS_AT_A_TIME = 100_000
#: this share of the rows stands in a later stretch of the file than the rest of its order
_STRAYS = 0.02


def make(lines: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A history of about `lines` order lines, and its truth: kind, subject and other_id of every exception in it.

    The same seed gives the same history. Raises BadInput for a number of lines that it cannot be made of.
    """
    made = list(_stretches(lines, seed))
    history, truth = pa.concat_tables([one for one, _ in made]), pa.concat_tables([one for _, one in made])
    return history.to_pandas(), truth.to_pandas()


def make_files(lines: int, seed: int, out: Path, truth: Path, on_progress: Callable[[int, int], None] | None = None) -> int:
    """The same into two parquet files, stretch by stretch, each whole or not at all; gives the number of exceptions."""
    if out.resolve() == truth.resolve():
        raise BadInput(f"{out}: cannot hold both the history and its truth; name two files")
    exceptions = 0
    total = len(_firsts(lines))
    with ExitStack() as files:
        to_history = files.enter_context(pq.ParquetWriter(files.enter_context(atomic_write(out)), SCHEMA, compression="zstd"))
        to_truth = files.enter_context(pq.ParquetWriter(files.enter_context(atomic_write(truth)), TRUTH, compression="zstd"))
        if on_progress:
            on_progress(0, total)
        for done, (stretch, known) in enumerate(_stretches(lines, seed), start=1):
            to_history.write_table(stretch)
            to_truth.write_table(known)
            exceptions += known.num_rows
            if on_progress:
                on_progress(done, total)
    return exceptions


def _firsts(lines: int) -> range:
    if not LEAST_LINES <= lines <= MOST_LINES:
        raise BadInput(f"a history of {lines:,} lines cannot be made; ask for {LEAST_LINES:,} to {MOST_LINES:,}")
    return range(0, round(lines / _LINES_AN_ORDER), _ORDERS_AT_A_TIME)


def _stretches(lines: int, seed: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    firsts, orders = _firsts(lines), round(lines / _LINES_AN_ORDER)
    skus = min(20_000, max(24, lines // 400))
    prices = np.random.default_rng([seed, 0]).integers(100, 6_000, skus) * 5
    strays: pa.Table | None = None
    for number, first in enumerate(firsts):
        random = np.random.default_rng([seed, 1, number])
        draft = ordinary(random, first, min(_ORDERS_AT_A_TIME, orders - first), orders, prices)
        for put_in in (
            put_in_repeated_lines, put_in_wrong_prices, put_in_short_stock, put_in_late_promises, put_in_duplicates,
            put_in_separate_purchases, put_in_money, put_in_adjustments,
        ):  # fmt: skip
            put_in(draft)
        table = _table(draft)
        if strays is not None:
            table = pa.concat_tables([table, strays])
        table = table.take(random.permutation(table.num_rows))
        here = table.num_rows if first == firsts[-1] else round(table.num_rows * (1 - _STRAYS))
        table, strays = table.slice(0, here), table.slice(here)
        truth = pd.concat(draft.truth, ignore_index=True)
        yield (
            table,
            pa.table(
                {
                    name: pa.array(truth[column].astype(object), pa.string())
                    for name, column in zip(TRUTH.names, truth, strict=True)
                }
            ),
        )


def _table(draft: Draft) -> pa.Table:
    """Everything of a draft as rows of the layout."""
    orders = draft.orders.loc[draft.lines["order"]].reset_index(drop=True)
    lines = pd.concat([orders.drop(columns="stated", errors="ignore"), draft.lines], axis=1)
    _forget(draft, lines)
    lines["record"], lines["record_id"] = "line", lines["line"].astype("str")
    rows = pd.concat([lines, *draft.records], ignore_index=True)

    def number(column: str, unknown: int = -1) -> pa.Array:
        values = rows[column].fillna(unknown).to_numpy(dtype=np.int64)
        return pa.array(values, pa.int64(), mask=values == unknown)

    def named(prefix: str, column: str) -> pa.Array:
        padded = pc.utf8_lpad(pc.cast(number(column), pa.string()), 9, "0")
        return pc.binary_join_element_wise(prefix, padded, "")

    def moment(column: str) -> pa.Array:
        return number(column, NEVER).cast(pa.timestamp("us", "UTC"))

    columns = {
        "record": pa.array(rows["record"].astype(object), pa.string()),
        "record_id": pa.array(rows["record_id"].astype(object), pa.string()),
        "order_id": named("O-", "number"),
        "customer_id": named("C-", "customer"),
        "at": moment("at"),
        "status": pa.array(rows["status"].astype(object).where(rows["status"].notna(), None), pa.string()),
        "sku": named("HP-", "sku"),
        "qty": number("qty", NEVER),
        "unit_price_cents": number("price"),
        "location": pc.take(pa.array(LOCATIONS), number("location")),
        "total_cents": number("total"),
        "line1": pc.binary_join_element_wise(pc.cast(number("street"), pa.string()), "Mill Road", " "),
        "postal_code": pc.cast(number("postal_code"), pa.string()),
        "promised_at": moment("promised"),
        "moved_to": moment("moved"),
        "shipped_at": moment("shipped"),
        "amount_cents": number("amount"),
        "refunded_cents": number("refunded"),
        "on_hand": number("on_hand"),
        "reserved": number("reserved"),
        "safety_stock": number("safety"),
    }
    return pa.table(columns, SCHEMA)


def _forget(draft: Draft, lines: pd.DataFrame) -> None:
    """Some orders tell their address on one of their lines only, as merged exports do."""
    once: Ints = np.flatnonzero(draft.random.random(len(draft.orders)) < 0.02)
    if "stated" in draft.orders:
        once = np.union1d(once, np.flatnonzero((draft.orders["stated"] == "once").to_numpy()))
    is_last = ~lines["order"].duplicated(keep="last")
    silent = lines["order"].isin(once) & ~is_last
    lines.loc[silent, ["street", "postal_code"]] = -1


_KEY = ["kind", "subject", "other_id"]


@dataclass(frozen=True)
class DetectionCounts:
    """Of one kind of exception."""

    true: int
    found: int
    #: found and true
    hits: int

    @property
    def recall(self) -> float:
        """The share of what is true that was found; 1 where nothing is."""
        return self.hits / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        """The share of what was found that is true; 1 where nothing was."""
        return self.hits / self.found if self.found else 1.0


def compare(found: pd.DataFrame, truth: pd.DataFrame) -> dict[str, DetectionCounts]:
    """By kind, of two frames with kind, subject and other_id."""
    one, other = (frame[_KEY].fillna("") for frame in (found, truth))
    both = one.merge(other, on=_KEY)
    kinds = sorted({*one["kind"], *other["kind"]})
    counts = [frame["kind"].value_counts() for frame in (other, one, both)]
    return {kind: DetectionCounts(*(int(count.get(kind, 0)) for count in counts)) for kind in kinds}
