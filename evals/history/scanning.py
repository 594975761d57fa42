"""`scan`: the exceptions of a history of orders, of any size, by queries of one engine that keeps within its memory."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals.history.detectors import DETECTORS
from evals.history.detectors.detector import Detector
from evals.history.layout import RECORDS, Layout, recognise
from evals.history.relations import FOUND, orders, relations
from evals.history.thresholds import Thresholds
from evals.history.told import tell
from evals.history.whole_file import whole_file
from graphs.settings import settings
from knowledge_index.policies import PolicyBook

LEAST_MEMORY_MB = 256
_RESULT = """
select left(md5(concat(kind, chr(0), subject, chr(0), other_id)), 16) as exception_id, kind, subject,
    nullif(other_id, '') as other_id, customer_id, moment::timestamptz as "at", money_cents, says, told as case
from found left join cases using (kind, subject, other_id)
order by kind, subject, other_id
"""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Found:
    """What a scan found."""

    #: "order records" or "Online Retail"
    layout: str
    lines: int
    #: exceptions by kind, of every kind that was looked for
    counts: Mapping[str, int]
    #: those of them that a Mission can be run on
    cases: Mapping[str, int]
    #: kind -> why, such as "no column status"
    not_looked_for: Mapping[str, str]
    seconds: float
    #: one row an exception; None where they went into a file
    exceptions: pd.DataFrame | None


def scan(
    orders: pd.DataFrame | Path | str,
    out: Path | str | None = None,
    *,
    thresholds: Thresholds | None = None,
    as_of: datetime | None = None,
    memory_mb: int = 1024,
    on_progress: OnProgress | None = None,
) -> Found:
    """Find the exceptions in a history of orders; docs/history.md has its columns and the kinds.

    >>> found = scan("orders.parquet")
    >>> found.exceptions[["kind", "subject", "says"]]

    Args:
        orders: a DataFrame, or a parquet file of any size. Moments without a zone are UTC.
        out: a parquet file for the exceptions, which appears whole or not at all; without it they are in `exceptions`.
        thresholds: of the definitions; those of the policies in force at `as_of` unless given.
        as_of: the moment at which the cases are looked at; now unless given.
        memory_mb: what the engine may use, MiB; what does not fit goes to temporary files.
        on_progress: told how many steps are done, and of how many.

    Raises BadInput for a history that cannot be read or holds what cannot be reckoned with, and an `out` that cannot be written.
    """
    begun = time.perf_counter()
    if memory_mb < LEAST_MEMORY_MB:
        raise BadInput(f"{memory_mb} MiB of memory are not enough; give at least {LEAST_MEMORY_MB}")
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC)
    thresholds = thresholds or Thresholds.of(PolicyBook.load(settings().policies), as_of)
    what = "the DataFrame" if isinstance(orders, pd.DataFrame) else str(orders)
    with _engine(memory_mb) as engine, _in_sentences(what, memory_mb):
        layout, rows = _opened(engine, orders, what)
        search = _Search(engine, layout, thresholds, on_progress)
        search.run(rows, what, as_of)
        frame = None
        if out is None:
            frame = engine.sql(_RESULT).to_arrow_table().to_pandas()
        else:
            with whole_file(Path(out)) as unfinished:
                engine.execute(f"copy ({_RESULT}) to {_text(str(unfinished))} (format parquet, compression zstd)")
        search.advance()
        counted = engine.execute(
            "select kind, count(*), count(told) from found left join cases using (kind, subject, other_id) group by kind"
        )
        by_kind = {kind: (number, cases) for kind, number, cases in counted.fetchall()}
    counts = {detector.kind: by_kind.get(detector.kind, (0, 0))[0] for detector in search.looked_for}
    cases = {kind: cases for kind, (_, cases) in by_kind.items() if cases}
    return Found(layout.name, search.counts["line"], counts, cases, search.not_looked_for, time.perf_counter() - begun, frame)


class _Search:
    """The steps of a scan, one query after the other."""

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, layout: Layout, thresholds: Thresholds, on_progress: OnProgress | None
    ) -> None:
        self._engine, self._layout, self._thresholds, self._on_progress = engine, layout, thresholds, on_progress
        self._done, self._steps = 0, 0
        self.counts: Mapping[str, int] = {}
        self.looked_for: list[Detector] = []
        self.not_looked_for: dict[str, str] = {}

    def run(self, rows: str, what: str, as_of: datetime) -> None:
        """Fill the tables `found` and `cases`."""
        for sql in relations(self._layout, rows):
            self._engine.execute(sql)
        self._count(what)
        for detector in DETECTORS:
            reason = _missing(detector, self._layout, self.counts)
            if reason:
                self.not_looked_for[detector.kind] = reason
            else:
                self.looked_for.append(detector)
        self._set_variables()
        told = tell(self.looked_for, self._layout, self.counts, as_of)
        self._steps = 3 + len(self.looked_for) + len(told)
        if self._on_progress:
            self._on_progress(0, self._steps)
        for sql in (orders(self._layout), FOUND):
            self._do(sql)
        for detector in self.looked_for:
            columns = "subject, coalesce(other_id, ''), customer_id, moment, money_cents, says"
            self._do(f"insert into found select '{detector.kind}', {columns} from ({detector.query})")
        for sql in told:
            self._do(sql)

    def advance(self) -> None:
        """One step more is done."""
        self._done += 1
        if self._on_progress:
            self._on_progress(self._done, self._steps)

    def _do(self, sql: str) -> None:
        self._engine.execute(sql)
        self.advance()

    def _count(self, what: str) -> None:
        self.counts = dict(self._engine.execute("select record, count(*) from others group by record").fetchall())
        lines = self._engine.execute("select count(*) from lines").fetchone()
        self.counts = {"line": lines[0] if lines else 0, **self.counts}
        unknown = [str(record)[:60] for record in self.counts if record not in RECORDS]
        if unknown:
            raise BadInput(f"{what}: there is no record {min(unknown)!r}; «record» is one of {', '.join(RECORDS)}")
        if not self.counts.get("line"):
            raise BadInput(f"{what}: holds no order line; give a history of orders")

    def _set_variables(self) -> None:
        for name, value in self._thresholds:
            self._engine.execute(f"set variable {name} = $1", [list(value) if isinstance(value, tuple) else value])
        has_address = {"line1", "postal_code"} & self._layout.columns.keys()
        self._engine.execute(f"set variable and_address = '{', same address' if has_address else ''}'")
        self._engine.execute("set variable end_of_history = (select max(moment) from records)")


def _missing(detector: Detector, layout: Layout, counts: Mapping[str, int]) -> str | None:
    columns = [column for column in detector.needs if column not in layout.columns]
    if columns:
        return f"no column {', '.join(columns)}"
    records = [record for record in detector.records if not counts.get(record)]
    return f"no {', '.join(records)} in it" if records else None


@contextmanager
def _engine(memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, whose temporary files are gone afterwards, however it ends."""
    with tempfile.TemporaryDirectory(prefix="missions-history-") as folder:
        chosen: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mb}MiB",
            "temp_directory": folder,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=chosen) as engine:
            engine.execute("set TimeZone = 'UTC'")
            yield engine


@contextmanager
def _in_sentences(what: str, memory_mb: int) -> Iterator[None]:
    """Errors of the engine as BadInput."""
    try:
        yield
    except RuntimeError as error:  # so the engine says that Ctrl-C was pressed
        if "interrupted" not in str(error):
            raise
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise BadInput(
            f"{what}: {memory_mb} MiB of memory and the space for temporary files are not enough; give more of either"
        ) from error
    except (duckdb.DataError, duckdb.InvalidInputException, duckdb.OperationalError) as error:
        first = str(error).splitlines()[0][:200]
        raise BadInput(f"{what}: holds something that cannot be reckoned with ({first}); mend it") from error


def _opened(engine: duckdb.DuckDBPyConnection, orders: pd.DataFrame | Path | str, what: str) -> tuple[Layout, str]:
    """The layout of a history, and SQL that names its rows."""
    if isinstance(orders, pd.DataFrame):
        try:
            table = pa.Table.from_pandas(orders, preserve_index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise BadInput(f"{what}: a column holds values of several types ({str(error)[:200]}); convert it before") from error
        engine.register("history", table)
        return recognise(table.schema, what), "history"
    try:
        schema = pq.read_schema(orders)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise BadInput(f"{what}: is no parquet file that can be read ({str(error).splitlines()[0][:120]}); give one") from error
    # a name is a pattern to the engine: what means something in patterns is put in brackets
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(orders))
    return recognise(schema, what), f"read_parquet({_text(pattern)})"


def _text(value: Any) -> str:
    quoted = str(value).replace("'", "''")
    return f"'{quoted}'"
