"""A kept run to look at, in a notebook or by a command.

>>> run = evals.open_run("last")
>>> run.figures          # DataFrame: a row a figure, with its interval
>>> run.cases            # DataFrame: a row a case
>>> run.slices("clause")
>>> run.compare("last~1")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from errors import BadInput
from evals import plots
from evals.evaluation.answers import CaseAnswer
from evals.evaluation.comparison import KINDS, Comparison, compare, verdict_of, wrongs
from evals.evaluation.measured import FigureChange, changes, dimensions, measure, measured, slices, way
from evals.evaluation.scorers import BY_NAME, SCORERS
from evals.evaluation.store import ALL, EvaluationCase, EvaluationStore, StoredEvaluation, open_kept
from evals.reports.side_by_side import Counting, side_by_side
from rendering import frame, plain, share, words
from settings import settings

if TYPE_CHECKING:
    from pandas import DataFrame


def open_run(name: str = "last", store: EvaluationStore | None = None) -> "OpenRun":
    """A kept run: `last`, `last~1`, an id or the beginning of one, or the file of a kept run. Raises BadInput."""
    file = Path(name)
    if file.suffix == ".jsonl":
        return OpenRun(open_kept(file))
    store = store or EvaluationStore.of(settings().home)
    return OpenRun(store.open(store.find(name)))


@dataclass(frozen=True)
class OpenRun:
    """A kept run with its frames; shows itself in a notebook."""

    kept: StoredEvaluation

    @cached_property
    def figures(self) -> "DataFrame":
        """A row a figure: cases that it applies to, mean, and the 95% interval."""
        rows = [
            {"figure": one.scorer.name, "cases": one.cases, **(vars(one.interval) if one.interval else {})}
            for one in measured(self.kept.cases)
        ]
        return frame(rows, ["figure", "cases", "mean", "low", "high"]).set_index("figure")

    @cached_property
    def cases(self) -> "DataFrame":
        """A row a case and trial: mission, event, verdicts, dimensions, money in cents, what is wrong, every figure."""
        rows = [
            {
                "case": case.case_id,
                "trial": case.trial,
                "mission": case.mission,
                "event": case.event,
                "expected": case.expected.verdict if case.expected else None,
                "given": case.result.verdict,
                "dimensions": dimensions(case),
                "money_at_stake_cents": case.result.money_at_stake_cents,
                "confidence": case.result.confidence,
                "wrong": ", ".join(wrongs(case)),
                **{scorer.name: case.figures.get(scorer.name) for scorer in SCORERS},
            }
            for case in self.kept.cases
        ]
        return frame(rows, ["case", "trial"])

    def slices(self, by: str) -> "DataFrame":
        """A row a slice: by clause, dimensions, money, mission or event. Raises BadInput for another way."""
        rows = []
        for name, cases in slices(self.kept.cases, way(by)).items():
            exact, means = measure(BY_NAME["exact"], cases), {one.scorer.name: one.mean for one in measured(cases)}
            sure = exact.interval
            rows.append({by: name, "cases": exact.cases, "low": sure and sure.low, "high": sure and sure.high, **means})
        return frame(rows, [by, "cases"]).set_index(by)

    def frame(self) -> "DataFrame":
        """The figures."""
        return self.figures

    def plot(self) -> "plots.Drawing":
        """A chart: every share with its interval; of cases of which nothing was expected, their verdicts."""
        shares = [one for one in measured(self.kept.cases) if one.interval and one.scorer.kind != "amount"]
        if not shares:
            return plots.bars(self.cases.assign(cases=1), "cases", "given", "mission")
        rows = [{"figure": words(one.scorer.name), **vars(one.interval)} for one in shares]
        return plots.intervals(frame(rows), "figure", "share of cases, 95% interval")

    def compare(self, other: "OpenRun | str") -> "RunComparison":
        """This run beside an earlier one, or the one that a name means."""
        return RunComparison(other if isinstance(other, OpenRun) else open_run(other), self)

    def __repr__(self) -> str:
        run = self.kept.run
        exact = share(run.figures.get(ALL, {}).get("exact"))
        return f"{run.cases:,} cases of {plain(', '.join(file.name for file in run.files))}: {exact} exact"

    def _repr_html_(self) -> str:
        from evals.reports.page import run_fragment

        return str(run_fragment(self.kept))


@dataclass(frozen=True)
class RunComparison:
    """Two kept runs, a the earlier one; shows itself in a notebook."""

    a: OpenRun
    b: OpenRun

    @cached_property
    def comparison(self) -> Comparison:
        """Case by case."""
        return compare(self.a.kept.cases, self.b.kept.cases)

    @cached_property
    def changes(self) -> list[FigureChange]:
        """Figure by figure."""
        return changes(self.a.kept.cases, self.b.kept.cases)

    def frame(self) -> "DataFrame":
        """A row a case of both: what happened to it, both verdicts, in what they differ."""
        rows = [
            {
                "case": pair.b.case_id,
                "mission": pair.b.mission,
                "what": KINDS[pair.kind],
                "became_unsafe": pair.became_unsafe,
                "a": pair.a.result.verdict,
                "b": pair.b.result.verdict,
                "differs_in": ", ".join(pair.differs_in),
            }
            for pair in self.comparison.pairs
        ]
        return frame(rows, ["case", "mission"])

    @property
    def figures(self) -> "DataFrame":
        """A row a figure: in a, in b, the difference with its 95% interval, and whether that is more than noise."""
        rows = [
            {
                "figure": one.scorer.name,
                "a": one.a,
                "b": one.b,
                "difference": one.difference.mean,
                "low": one.difference.low,
                "high": one.difference.high,
                "p": one.p,
                "more_than_noise": one.beyond_noise,
            }
            for one in self.changes
        ]
        return frame(rows, ["figure"]).set_index("figure")

    def plot(self) -> "plots.Drawing":
        """A chart: by how much each share differs, with its interval."""
        rows = [
            {"figure": words(one.scorer.name), **vars(one.difference), "means": one.meaning or "the same"}
            for one in self.changes
            if one.scorer.kind != "amount"
        ]
        return plots.intervals(frame(rows), "figure", "b less a, 95% interval", color="means")

    def explain(self, case_id: str) -> "CasePage":
        """What was expected of a case beside both answers. Raises BadInput for an id that is not in both."""
        a, b = (_named(run.kept.cases, case_id) for run in (self.a, self.b))
        return CasePage(b.expected, [a.result, b.result], ["a", "b"], {**self.a.kept.run.counting, **self.b.kept.run.counting})

    def __repr__(self) -> str:
        return verdict_of(self.comparison)

    def _repr_html_(self) -> str:
        from evals.reports.page import compared_fragment

        return str(compared_fragment(self.a.kept, self.b.kept))


@dataclass(frozen=True)
class CasePage:
    """One case of a run, or of two, side by side with what was expected; shows itself in a notebook."""

    expected: CaseAnswer | None
    answers: Sequence[CaseAnswer]
    titles: Sequence[str]
    counting: Counting

    def __repr__(self) -> str:
        sides = zip(self.titles, self.answers, strict=True)
        wanted = [f"expected: {words(self.expected.verdict)}"] if self.expected else []
        return "; ".join([*wanted, *(f"{title}: {words(answer.verdict)}" for title, answer in sides)])

    def _repr_html_(self) -> str:
        from evals.reports.page import fragment

        return str(fragment(side_by_side(self.expected, self.answers, self.titles, self.counting)))


def _named(cases: Sequence[EvaluationCase], case_id: str) -> EvaluationCase:
    case = next((one for one in cases if one.case_id == case_id), None)
    if case is None:
        raise BadInput(f"{case_id} is none of the {len(cases):,} cases of this run; its frame `cases` lists them")
    return case
