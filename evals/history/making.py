"""`make`: a made-up history of any size, with the exceptions in it known by construction."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.atomic_write import atomic_write
from evals.history.engine import engine_within
from evals.history.layout import SCHEMA

LEAST_LINES = 10_000
MOST_LINES = 1_000_000_000
TRUTH = pa.schema([("kind", pa.string()), ("subject", pa.string()), ("other_id", pa.string())])
_STRETCH = Path(__file__).with_suffix(".sql")
_LINES_AN_ORDER = 3.76
_ORDERS_AT_A_TIME = 100_000
#: this share of the rows stands in a later stretch of the file than the rest of its order
_STRAYS = 0.02
_MEMORY_MB = 1024


def make(lines: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A history of about `lines` order lines, and its truth: kind, subject and other_id of every exception in it.

    The same seed gives the same history. Raises BadInput for a number of lines that it cannot be made of.
    """
    made = list(_stretches(lines, seed))
    history, truth = pa.concat_tables([one for one, _ in made]), pa.concat_tables([one for _, one in made])
    return history.to_pandas(), truth.to_pandas()


def make_files(lines: int, seed: int, out: Path, truth: Path, on_progress: Callable[[int, int], None] | None = None) -> int:
    """The same into two parquet files, stretch by stretch, each whole or not at all; gives the number of exceptions.

    Raises BadInput where both are the same file.
    """
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
    """Rows of the layout, and what is true of their orders."""
    firsts, orders = _firsts(lines), round(lines / _LINES_AN_ORDER)
    chosen = {"seed": seed, "of": orders, "skus": min(20_000, max(24, lines // 400))}
    strays = SCHEMA.empty_table()
    with engine_within(_MEMORY_MB) as engine:
        for first in firsts:
            for name, value in {**chosen, "first": first, "number": min(_ORDERS_AT_A_TIME, orders - first)}.items():
                engine.execute(f"set variable {name} = {value}")
            engine.execute(_STRETCH.read_text("utf-8"))
            rows = pa.concat_tables([strays, engine.sql("from history").to_arrow_table().cast(SCHEMA)])
            here = rows.num_rows if first == firsts[-1] else round(rows.num_rows * (1 - _STRAYS))
            strays = rows.slice(here)
            yield rows.slice(0, here), engine.sql("from truth").to_arrow_table().cast(TRUTH)


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
