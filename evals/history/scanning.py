"""`scan`: the exceptions of a history of orders, of any size, by queries of one engine that keeps within its memory.

The numbers of the definitions that are those of the handbook stand in its clauses and nowhere else.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any, Self

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import BadInput
from evals import plots
from evals.atomic_write import atomic_write, refuse_to_replace
from evals.history.detectors import DETECTORS, Detector, missing, suspected
from evals.history.engine import engine_within, in_sentences, opened, within_seconds
from evals.history.importing import read_layout
from evals.history.incidents import join_incidents
from evals.history.layout import RECORDS, STATUSES, Layout
from evals.recorded.cases import MAX_LINE_BYTES
from knowledge_index.policies import PolicyBook
from ledger.invariants import LONGEST_NAME
from rendering import Displayable, Part, Table, words
from settings import SHIPPED_POLICIES, settings

_LEAST: Mapping[str, int] = {"price_factor": 2, "quantity_factor": 2, "level_lines": 1, "near_lines": 1}


@dataclass(frozen=True, kw_only=True)
class ScanThresholds:
    """What counts as an exception. Each is named in the definitions of docs/history.md."""

    #: DUP-1
    window_minutes: int
    #: REF-1
    apart_hours: int
    #: PHA-1
    shortfall_units: int
    shortfall_percent: int
    #: ORD-2
    open_statuses: tuple[str, ...]
    #: how many times the usual price is too much, or too little; a whole number
    price_factor: int = 5
    #: lines that a SKU needs to have a usual price
    price_lines: int = 20
    #: lines that make an unusual price a level of its own
    level_lines: int = 3
    #: hours between orders that are nearly the same; SKUs that they have at least, and percent of them that are the same
    near_hours: int = 24
    near_lines: int = 5
    near_percent: int = 80
    #: hours after an order in which a cancellation takes it back at once
    reversal_hours: int = 24
    #: how many times the quantity that hardly any line of a SKU goes beyond is too many
    quantity_factor: int = 10
    #: days at the beginning in which cancellations that name no order are not looked at; of a third of the history at most
    warm_up_days: int = 90

    def __post_init__(self) -> None:
        for name, value in self:
            least = _LEAST.get(name, 0)
            if name != "open_statuses" and (type(value) is not int or not least <= value <= 1_000_000):
                raise BadInput(f"{name} is {value!r}; give a whole number of {least} to 1,000,000")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter((name, getattr(self, name)) for name in self.__dataclass_fields__)

    @classmethod
    def of(cls, policies: PolicyBook, as_of: datetime, **others: int) -> Self:
        """Those in force at `as_of`; of the shipped policies where a company has no such clause. Raises BadInput."""
        own, shipped = policies.period(as_of).clauses, PolicyBook.load(SHIPPED_POLICIES)
        names = ("DUP-1", "REF-1", "PHA-1", "ORD-2")
        # a clause of the same id may be about something else, and say none of these numbers
        values = [{**shipped.clause(name, as_of).values, **(own[name].values if name in own else {})} for name in names]
        duplicate, charged, phantom, order = values
        return cls(
            window_minutes=duplicate["window_minutes"],
            apart_hours=charged["apart_hours"],
            shortfall_units=phantom["shortfall_units"],
            shortfall_percent=phantom["shortfall_percent"],
            open_statuses=tuple(order["unreleased_statuses"]),
            **others,
        )


LEAST_MEMORY_MB = 256
#: that are rendered at a time: a case may hold many orders, of a few KB each
_ORDERS_PER_MB = 50
#: what a scan of any file may take, and for each MB that it has; half a second and a few MB are usual
_SECONDS, _SECONDS_PER_MB = 20.0, 5.0
_TEMPORARY_MB, _TEMPORARY_PER_MB = 2_000, 50
WRITTEN = pa.schema(
    [
        # of kind, subject and other_id: the same exception has the same id in every scan
        ("exception_id", pa.string()),
        # those that are one thing have one; it is the id of one of them
        ("incident_id", pa.string()),
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("other_id", pa.string()),
        ("customer_id", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("money_cents", pa.int64()),
        ("says", pa.string()),
        # JSON of a recorded exception
        ("case", pa.string()),
    ]
)
_PORTIONS, _RENDERED = (Path(__file__).with_name(f"{name}.sql") for name in ("portions", "rendered"))
_SHELVES = "stock_adjustment"
#: open orders at a shelf of which a case tells at most
_MOST_ORDERS = 10_000
#: what is found in the order in which it is written, numbered from 1
#: `known_at`: the moment as of which its case tells what is known; null: the end of the history. `incident_id`: incidents.py
_EXCEPTIONS = """
create temp table exceptions as
select *, row_number() over (order by kind, subject, other_id) as number, null::timestamp as known_at,
    left(md5(concat(kind, chr(0), subject, chr(0), other_id)), 16) as exception_id, null::varchar as incident_id
from found
"""
#: of `exceptions` that are none for a Mission
_NO_CASES = "create or replace temp table cases (number bigint, rendered varchar)"
_PART = """
select exception_id, incident_id, kind, subject, nullif(other_id, '') as other_id, customer_id, moment::timestamptz as "at",
    money_cents, says, '{{"case_id":"' || exception_id || '",' || substr(rendered, 2) as case
from exceptions left join cases using (number) where number between {first} and {last} order by number
"""

_SPAN = "select make_timestamp(epoch_us(min(moment))), make_timestamp(epoch_us(max(moment))) from all_rows"
_STATUS_COUNTS = """
select record, status, count(*) from all_rows where status is not null group by all order by 3 desc, 1, 2 limit $1
"""
#: of a history whose status is something else there may be as many as rows
_MOST_STATUSES = 100

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class ScanResult(Displayable):
    """What a scan found."""

    #: "order records" or "Online Retail"
    layout: str
    lines: int
    #: of its amounts; empty: the company's
    currency: str
    #: exceptions by kind, of every kind that was looked for
    counts: Mapping[str, int]
    #: those of them that a Mission can be run on
    cases: Mapping[str, int]
    #: kind -> why, such as "no column status"
    not_looked_for: Mapping[str, str]
    #: (record, status) that no definition knows -> rows, such as ("line", "Shipped"): of the 100 that most rows have
    unknown_statuses: Mapping[tuple[str, str], int]
    #: from when cancellations are looked at that name no order (UTC): of those before, the order may lie before the history;
    #: None where they name theirs
    judged_from: datetime | None
    #: until all were found
    finding_s: float
    #: with telling the cases and writing them
    seconds: float
    #: one row an exception; None where they went into a file
    exceptions: pd.DataFrame | None
    #: one row an incident (exceptions that are one thing), the one most worth a look first; 10,000 at most (incidents.py)
    incidents: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """`exceptions`: a row each, money in cents, moments in UTC. Raises BadInput where they went into a file."""
        if self.exceptions is None:
            raise BadInput("the exceptions went into a file: read that, or scan without `out`")
        return self.exceptions

    def plot(self) -> "plots.Drawing":
        """A chart: exceptions by month and kind."""
        found = self.frame()
        rows = found.groupby([found["at"].dt.strftime("%Y-%m").rename("month"), "kind"]).size().rename("exceptions")
        return plots.columns(rows.reset_index(), "month", "exceptions", "kind")

    def parts(self) -> Iterator[Part]:
        """How much was searched, and a row a kind."""
        yield f"{self.layout}: {self.lines:,} lines, {sum(self.counts.values()):,} exceptions."
        rows = [(words(kind), f"{number:,}", f"{self.cases.get(kind, 0):,}") for kind, number in self.counts.items()]
        yield Table(("kind", "exceptions", "cases for a Mission"), rows, right=("exceptions", "cases for a Mission"))
        if self.not_looked_for:
            yield Table(("not looked for", "because"), [(words(kind), why) for kind, why in self.not_looked_for.items()])


def scan(
    orders: pd.DataFrame | Path | str,
    out: Path | str | None = None,
    *,
    thresholds: ScanThresholds | None = None,
    as_of: datetime | None = None,
    memory_mb: int = 1024,
    trusted: bool = False,
    on_progress: OnProgress | None = None,
) -> ScanResult:
    """Find the exceptions in a history of orders; docs/history.md has its columns and the kinds.

    >>> found = scan("orders.parquet")
    >>> found.exceptions[["kind", "subject", "says"]]

    Args:
        orders: a DataFrame, or a parquet file of any size. Moments without a zone are UTC.
        out: a parquet file for the exceptions, which appears whole or not at all; without it they are in `exceptions`.
        thresholds: of the definitions; those of the policies in force at `as_of` unless given.
        as_of: the moment at which the cases are looked at; now unless given.
        memory_mb: what the engine may use, MiB; what does not fit goes to temporary files.
        trusted: of a file, whether it may hold more, and take longer, than files of its size do.
        on_progress: called with how many steps are done, and of how many.

    Raises BadInput for a history that cannot be read or holds what cannot be reckoned with, and an `out` that cannot be written
    or is the history.
    """
    begun = time.perf_counter()
    if out is not None and not isinstance(orders, pd.DataFrame):
        refuse_to_replace([orders], Path(out))
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC)
    thresholds = thresholds or ScanThresholds.of(PolicyBook.load(*settings().policy_folders), as_of)
    with open_search(orders, thresholds, memory_mb=memory_mb, trusted=trusted, on_progress=on_progress) as search:
        search.find()
        incidents = join_incidents(search.engine)
        finding_s = time.perf_counter() - begun
        search.lay_out(as_of)
        if out is None:
            frame = pa.concat_tables([WRITTEN.empty_table(), *search.parts()]).to_pandas()
        else:
            frame = None
            with atomic_write(Path(out)) as unfinished, pq.ParquetWriter(unfinished, WRITTEN, compression="zstd") as writer:
                for part in search.parts():
                    writer.write_table(part)
    seconds = time.perf_counter() - begun
    cases = {kind: cases for kind, cases in search.cases.items() if cases}
    return ScanResult(
        layout=search.layout.name, lines=search.records["line"], currency=search.layout.told.currency,
        counts=search.counts, cases=cases,
        not_looked_for=search.not_looked_for,
        unknown_statuses=search.unknown_statuses, judged_from=search.judged_from,
        finding_s=finding_s, seconds=seconds, exceptions=frame, incidents=incidents,
    )  # fmt: skip


@dataclass(frozen=True)
class _Bounds:
    """What a scan may take of time and of the disk; None where it may take anything."""

    seconds: float | None = None
    temporary_mb: int | None = None

    @classmethod
    def of(cls, orders: pd.DataFrame | Path | str, trusted: bool) -> "_Bounds":
        """Of a file as much as one of its size takes, many times over."""
        if trusted or isinstance(orders, pd.DataFrame):
            return cls()
        with suppress(OSError):  # which is said where it is opened
            size_mb = Path(orders).stat().st_size / 1_000_000
            return cls(_SECONDS + _SECONDS_PER_MB * size_mb, _TEMPORARY_MB + int(_TEMPORARY_PER_MB * size_mb))
        return cls()


@contextmanager
def open_search(
    orders: pd.DataFrame | Path | str,
    thresholds: ScanThresholds,
    *,
    memory_mb: int,
    trusted: bool = False,
    on_progress: OnProgress | None = None,
) -> Iterator["Search"]:
    """An engine of its own on a history, whose rows are its view `all_rows`. Raises BadInput as `scan` does."""
    if memory_mb < LEAST_MEMORY_MB:
        raise BadInput(f"{memory_mb} MiB of memory are not enough; give at least {LEAST_MEMORY_MB}")
    what = "the DataFrame" if isinstance(orders, pd.DataFrame) else str(orders)
    bounds = _Bounds.of(orders, trusted)
    with (
        engine_within(memory_mb, bounds.temporary_mb) as engine,
        in_sentences(what, memory_mb),
        within_seconds(engine, bounds.seconds, what),
    ):
        layout, rows = read_layout(engine, *opened(engine, orders, what, trusted), what)
        engine.execute(f"create view all_rows as {layout.view(rows)}")
        search = Search(engine, layout, thresholds, memory_mb, on_progress)
        search.count(what)
        yield search


class Search:
    """The steps of a scan, one query after the other. Made by `open_search`."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        layout: Layout,
        thresholds: ScanThresholds,
        memory_mb: int,
        on_progress: OnProgress | None,
    ) -> None:
        """See `open_search`."""
        self.engine, self.layout, self.thresholds, self._on_progress = engine, layout, thresholds, on_progress
        self._orders_at_a_time = _ORDERS_PER_MB * memory_mb
        self._done, self._steps = 0, 0
        self._told_kinds: list[str] = []
        #: rows of each record
        self.records: Mapping[str, int] = {}
        self.unknown_statuses: dict[tuple[str, str], int] = {}
        self.looked_for: list[Detector] = []
        #: from when cancellations that name no order are looked at (UTC); None where they name theirs
        self.judged_from: datetime | None = None
        self.not_looked_for: dict[str, str] = {}
        #: exceptions of each kind that was looked for, and those of them that were rendered as cases
        self.counts: dict[str, int] = {}
        self.cases: Counter[str] = Counter()

    def find(self, detectors: Sequence[Detector] = DETECTORS, records: str = "from all_rows") -> None:
        """Fill the table `exceptions` with what is found in `records`: SQL of rows like those of `all_rows`."""
        self.engine.execute(f"create view records as {records}")
        for detector in detectors:
            reason = missing(detector, self.layout, self.records)
            if reason:
                self.not_looked_for[detector.kind] = reason
            else:
                self.looked_for.append(detector)
        has_address = {"line1", "postal_code"} & self.layout.columns.keys()
        self.set(**dict(self.thresholds), and_address=", same address" if has_address else "")
        begin, end = self.span
        names_no_order = self.layout.origin == "customer_id" and self.records.get("cancellation")
        if names_no_order and begin is not None:
            self.judged_from = begin + min(timedelta(self.thresholds.warm_up_days), (end - begin) / 3)
        self.set(end_of_history=end, judged_from=self.judged_from)
        statements = self.engine.extract_statements(suspected(self.layout, self.looked_for))
        self._steps = len(statements) + 2 * len(self.looked_for)
        if self._on_progress:
            self._on_progress(0, self._steps)
        for statement in statements:
            self._do(statement)
        for detector in self.looked_for:
            of_all = "subject, coalesce(other_id, '') as other_id, customer_id, moment, money_cents, says"
            columns = f"{of_all}, {detector.documents}, {detector.article}, {detector.chance}"
            self._do(f"insert into found select '{detector.kind}', {columns} from ({detector.query})")
        self.engine.execute(_EXCEPTIONS)
        found = dict(self.engine.execute("select kind, count(*) from exceptions group by kind").fetchall())
        self.counts = {detector.kind: found.get(detector.kind, 0) for detector in self.looked_for}

    @cached_property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last moment of the history (UTC, without a zone)."""
        begin, end = self.engine.execute(_SPAN).fetchall()[0]
        return begin, end

    def lay_out(self, as_of: datetime) -> None:
        """Make what cases are rendered from (portions.sql); `as_of` those are looked at that say no moment of their own."""
        # a correction names its shelf, and whose status is known tells which orders count on it
        has_shelves = {"location", "status"} <= self.layout.columns.keys()
        told = [one for one in self.looked_for if one.event and (has_shelves or one.kind != _SHELVES)]
        self._told_kinds = [detector.kind for detector in told]
        self.set(
            told_kinds=self._told_kinds,
            orders_at_a_time=self._orders_at_a_time,
            longest_name=LONGEST_NAME,
            most_orders=_MOST_ORDERS,
            most_bytes=MAX_LINE_BYTES,
            as_of=f"{as_of:%Y-%m-%dT%H:%M:%S.%fZ}",
            has_payments=self.records.get("authorization", 0) + self.records.get("charge", 0) > 0,
        )
        self.engine.execute(_PORTIONS.read_text("utf-8"))

    def parts(self) -> Iterator[pa.Table]:
        """What was found with its cases, in parts of which each fits into memory, in the order of their numbers."""
        for detector in sorted(self.looked_for, key=lambda detector: detector.kind):
            of_kind = f"from portions where kind = '{detector.kind}' group by portion order by portion"
            for first, last in self.engine.execute(f"select portion, max(number) {of_kind}").fetchall():
                part = self._part(detector, first, last)
                self.cases[detector.kind] += part.num_rows - part["case"].null_count
                yield part
            self._advance()

    def _part(self, detector: Detector, first: int, last: int) -> pa.Table:
        mission, event = detector.event or ("", "")
        self.set(mission=mission, event=event)
        cases = "shelf_cases" if detector.kind == _SHELVES else "order_cases"
        rendered = Template(_RENDERED.read_text("utf-8")).substitute(first=first, last=last, cases=cases)
        self.engine.execute(rendered if detector.kind in self._told_kinds else _NO_CASES)
        return self.engine.sql(_PART.format(first=first, last=last)).to_arrow_table().cast(WRITTEN)

    def _advance(self) -> None:
        self._done += 1
        if self._on_progress:
            self._on_progress(self._done, self._steps)

    def _do(self, statement: str | duckdb.Statement) -> None:
        self.engine.execute(statement)
        self._advance()

    def count(self, what: str) -> None:
        """Count the rows of each record, and those whose status no definition knows.

        Raises BadInput that names `what` where there is no line, or a record that is none.
        """
        self.records = dict(self.engine.execute("select record, count(*) from all_rows group by record").fetchall())
        unknown = [str(record)[:60] for record in self.records if record not in RECORDS]
        if unknown:
            raise BadInput(f"{what}: there is no record {min(unknown)!r}; «record» is one of {', '.join(RECORDS)}")
        if not self.records.get("line"):
            raise BadInput(f"{what}: holds no order line; give a history of orders")
        known = {**STATUSES, "line": (*STATUSES["line"], *self.thresholds.open_statuses)}
        for record, status, rows in self.engine.execute(_STATUS_COUNTS, [_MOST_STATUSES]).fetchall():
            if status not in known.get(record, (status,)):
                self.unknown_statuses[record, status] = rows

    def set(self, **variables: Any) -> None:
        """Set variables of the engine."""
        for name, value in variables.items():
            self.engine.execute(f"set variable {name} = $1", [list(value) if isinstance(value, tuple) else value])
