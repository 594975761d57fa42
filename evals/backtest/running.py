"""`backtest`: what would have happened, had the Missions of today been there when a history was made."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from evals import plots
from evals.backtest.judging import JUDGED, BacktestCase, judged_case
from evals.backtest.tallies import WAYS, By, Minutes, Tally, lacks, tallies
from evals.backtest.worlds import Worlds, find_worlds
from evals.evaluation.engines import Result, engine_of
from evals.evaluation.environment import EvalEnvironment, code_digest
from evals.evaluation.jobs import Job, read_exceptions
from evals.history.detectors import DETECTORS
from evals.history.scanning import ScanThresholds
from graphs.candidate import Candidate
from knowledge_index.embeddings import MiniLM
from rendering import Displayable, Part, Table, Title, day, frame, money, plain, words
from settings import settings
from systems.catalogue import load_catalogue

#: what it is about, pieces done and of how many
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Backtest(Displayable):
    """What was found; shows itself in a notebook."""

    history: str
    lines: int
    #: first and last moment of the history
    begins: datetime
    ends: datetime
    #: of its amounts
    currency: str
    #: as of when what was in force of the policies counted, whenever an exception was
    as_of: datetime
    code: str
    minutes: Minutes
    cases: Sequence[BacktestCase]
    #: kind -> why nothing of it was looked at
    left_out: Mapping[str, str]
    #: orders that were cancelled, refunded or disputed, and those of them that are the subject of a case
    troubled: int
    troubled_seen: int
    #: exceptions too large for a case, or whose subject no event can name
    untold: int

    @property
    def all(self) -> Tally:
        """All cases."""
        return Tally("all", self.cases, self.minutes)

    def tallies(self, by: By) -> list[Tally]:
        """The cases by kind, month, channel or value."""
        return tallies(self.cases, by, self.minutes, self.currency)

    @property
    def lacks(self) -> list[tuple[str, str, int, int]]:
        """Why cases were handed over: (data, kind, cases, those of them that went wrong)."""
        return lacks(self.cases)

    def money(self, cents: float) -> str:
        """An amount of the history."""
        return money(round(cents), self.currency)

    def rounded(self, cents: float) -> str:
        """The same without what is less than a major unit."""
        return re.sub(r"\.\d+", "", self.money(cents))

    def rows(self) -> list[dict[str, Any]]:
        """A row an exception; amounts in minor units."""
        return [
            {
                **asdict(case),
                "known_at": case.known_at.isoformat(),
                "judged": case.judged,
                "lacking": "; ".join(case.lacking),
                "followed": "; ".join(case.followed),
                "cancelled_after": case.cancelled_after and round(case.cancelled_after.total_seconds() / 3600, 2),
            }
            for case in self.cases
        ]

    def frame(self) -> pd.DataFrame:
        """A row an exception; `known_at` is a moment (UTC), `cancelled_after` hours, `*_cents` minor units."""
        found: pd.DataFrame = frame(self.rows(), [*BacktestCase.__dataclass_fields__, "judged"])
        return found.assign(known_at=pd.to_datetime(found["known_at"], utc=True))

    def summary(self) -> dict[str, Any]:
        """Figures as plain data: of all, by each way, what was lacking, what was left out."""
        return {
            "history": self.history, "lines": self.lines, "begins": self.begins, "ends": self.ends, "as_of": self.as_of,
            "code": self.code, "currency": self.currency, "minutes": asdict(self.minutes), "all": _figures(self.all),
            "by": {by: {one.name: _figures(one) for one in self.tallies(by)} for by in WAYS},
            "lacking": [dict(zip(("data", "kind", "cases", "trouble"), one, strict=True)) for one in self.lacks],
            "left_out": dict(self.left_out), "untold": self.untold,
            "troubled": self.troubled, "troubled_seen": self.troubled_seen,
        }  # fmt: skip

    def plot(self, by: By = "month") -> "plots.Drawing":
        """A chart: exceptions by month, kind, channel or value, and what the Missions on them come to."""
        tallied = [
            {by: one.name, "exceptions": number, "judged": judged}
            for one in self.tallies(by)
            for judged, number in one.counts.items()
        ]
        rows = frame([row for row in tallied if row["exceptions"]], [by, "exceptions", "judged"])
        return plots.columns(rows, by, "exceptions", "judged") if by == "month" else plots.bars(rows, "exceptions", by, "judged")

    def headline(self) -> str:
        """What it comes to, in sentences."""
        if not self.cases:
            return "No exception was found that a Mission handles."
        all_ = self.all
        return (
            f"Of {len(self.cases):,} exceptions, {all_.troubles:,} are known to have gone wrong. Missions would have "
            f"stepped in on {all_.counts['caught']:,} of those ({self.rounded(all_.money_cents('caught'))} of orders), missed "
            f"{all_.counts['missed']:,}, and stepped in needlessly on {all_.counts['needless']:,} that went well; "
            f"{all_.counts['handed over']:,} they would have handed to a person."
        )

    def parts(self) -> Iterator[Part]:
        """See Displayable."""
        yield Title("Backtest: what would have happened")
        yield f"{plain(self.history)}, {day(self.begins)} to {day(self.ends)}, {self.lines:,} order lines."
        yield self.headline()
        yield self.table("kind")
        if self.lacks:
            yield Table(("handed over, not knowing", "kind", "cases", "went wrong"), self.lacks, ("cases", "went wrong"))
        if self.left_out:
            yield Table(("not in it", "because"), [(words(kind), reason) for kind, reason in self.left_out.items()])

    def table(self, by: By) -> Table:
        """Counts, money and hours, slice by slice and of all."""
        shown = [judged for judged in JUDGED if judged != "rightly let go" or self.all.counts[judged]]
        columns = (by, "exceptions", *shown, "value caught", "hours saved")
        rows = [
            (
                one.name, f"{len(one.cases):,}", *(f"{one.counts[judged]:,}" for judged in shown),
                self.rounded(one.money_cents("caught")), f"{one.hours:,.1f}",
            )
            for one in (*self.tallies(by), self.all)
        ]  # fmt: skip
        return Table(columns, rows, columns[1:])


def _figures(one: Tally) -> dict[str, Any]:
    sure = {"caught_share": one.caught_share, "needless_share": one.needless_share, "missed_share": one.missed_share}
    return {
        "exceptions": len(one.cases),
        **{judged.replace(" ", "_"): count for judged, count in one.counts.items()},
        "trouble": one.troubles,
        **{name: interval and asdict(interval) for name, interval in sure.items()},
        "caught_cents": one.money_cents("caught"),
        "needless_cents": one.money_cents("needless"),
        "missed_cents": one.money_cents("missed"),
        "given_back_cents": one.given_back_cents,
        "hours": round(one.hours, 2),
    }


def backtest(
    history: pd.DataFrame | Path | str,
    *,
    as_of: datetime | None = None,
    minutes: Minutes | None = None,
    workers: int | None = None,
    memory_mb: int = 1024,
    trusted: bool = False,
    on_progress: OnProgress | None = None,
) -> Backtest:
    """Run Missions on the exceptions of a history of orders, each as it was known at its moment; docs/backtest.md says how.

    >>> found = backtest("orders.parquet")
    >>> found.frame()[["kind", "subject", "judged"]]

    Args:
        history: a DataFrame, or a parquet file of `missions history import` or `make`.
        as_of: policies that are in force then are used for all of it; now unless given.
        minutes: what people need; those of the settings unless given.
        workers: processes; one unless given.
        memory_mb, trusted: as of `evals.history.scan`.
        on_progress: called with what is done, how many pieces of it are, and of how many.

    Raises BadInput for a history that cannot be read, and Stuck for a case that would be an incident.
    """
    chosen, as_of = settings(), (as_of or datetime.now(UTC)).astimezone(UTC)
    machine = engine_of("processes", workers, chosen)
    catalogue = load_catalogue(chosen.systems)
    present = Candidate.present(chosen, catalogue, as_of)
    thresholds = ScanThresholds.of(present.policies, as_of)
    with TemporaryDirectory(prefix="missions-backtest-") as folder:
        file = Path(folder, "cases.parquet")
        found = find_worlds(
            history, file, list(present.packs), thresholds, memory_mb=memory_mb, trusted=trusted,
            on_progress=on_progress and (lambda done, of: on_progress("searching", done, of)),
        )  # fmt: skip
        results: dict[str, Result] = {}
        with (
            EvalEnvironment.of_candidate(present, catalogue, chosen, MiniLM(), standing=as_of) as environment,
            machine.open(environment, chosen) as run,
        ):
            for job, result in run(Job(case) for case in read_exceptions(file, environment.packs)):
                results[job.case.case_id] = result
                if on_progress:
                    on_progress("running Missions", len(results), len(found.exceptions))
    return Backtest(
        history="the DataFrame" if isinstance(history, pd.DataFrame) else Path(history).name, lines=found.lines,
        begins=found.begins, ends=found.ends, currency=found.currency, as_of=as_of, code=code_digest(),
        minutes=minutes or Minutes(by_hand=chosen.minutes_by_hand, to_decide=chosen.minutes_to_decide),
        cases=_judged(found, results), left_out=found.left_out, troubled=found.troubled,
        troubled_seen=len({row["subject"] for row in found.exceptions if row["is_troubled"]}),
        untold=len(found.exceptions) - len(results),
    )  # fmt: skip


def _judged(found: Worlds, results: Mapping[str, Result]) -> list[BacktestCase]:
    declared = {detector.kind: detector.backtest for detector in DETECTORS}
    cases = []
    for row in found.exceptions:
        with suppress(KeyError):
            result, when = results[row["exception_id"]], declared[row["kind"]]
            cases += [judged_case(row, result, when, found.ends)] if when else []
    return sorted(cases, key=lambda case: (case.known_at, case.exception_id))
