"""Missions run over recorded exceptions: the answers, their figures, why a case was answered so."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evals import plots
from evals.evaluation.environment import EvalEnvironment, Evaluation
from evals.evaluation.persistence import judged_case, run_of
from evals.evaluation.store import EvaluationStore, StoredEvaluation
from evals.recorded.cases import RecordedException
from evals.reports.runs import OpenRun, RunComparison, open_run
from evals.walk import Walk
from evals.walk.vary import vary as varied
from evals.walk.vary import with_value as with_that
from evals.walk.views import Picture, ProposalCard, Rail
from ledger.memory import MemoryLedger
from missions.cases import Cases, Source, cases
from missions.opened import present
from missions.progress import progress
from rendering import Displayable, Part, table
from settings import settings


@dataclass(frozen=True)
class Explanation(Displayable):
    """A Mission on one case up to where a person decides: what it proposes, and the Explain rail that led there."""

    walk: Walk

    @property
    def proposal(self) -> ProposalCard | None:
        """What it proposes; None where it is an incident."""
        return self.walk.proposal

    @property
    def rail(self) -> Rail:
        """What was read, found, applied and planned."""
        return self.walk.rail

    def frame(self) -> pd.DataFrame:
        """The rail: a row an observation, with seq, at (UTC), step, kind, text, evidence."""
        return self.walk.observations

    def plot(self) -> Picture:
        """The graph, with the nodes that have run."""
        return self.walk.graph

    def parts(self) -> Iterator[Part]:
        """What it is about, the proposal, the rail."""
        yield from self.walk.parts()
        if self.proposal:
            yield from self.proposal.parts()
        yield from self.rail.parts()


@dataclass(frozen=True, repr=False)
class Evaluated(OpenRun):
    """A run over cases, which can be asked about each of them. `figures` and `cases` are frames; `plot()` draws the figures."""

    recorded: Cases = field(repr=False)
    version: EvalEnvironment = field(repr=False)

    def explain(self, case_id: str) -> Explanation:
        """Why a case was answered so: the Mission on it, once more. Raises BadInput for an id that is not in the run."""
        return explain(self.recorded[case_id], self.version)


@dataclass(frozen=True)
class Variation(Displayable):
    """What a Mission says to a case with one value after another in one place of it."""

    place: str
    rows: pd.DataFrame = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """A row a value: the value under the name of its place, verdict, plan, cites, approval, money_at_stake_cents."""
        return self.rows

    def plot(self) -> "plots.Drawing":
        """A chart: which verdict there is at which value, and who must approve it."""
        return plots.steps(self.rows, self.place, "verdict", "approval")

    def parts(self) -> Iterator[Part]:
        """A row a value."""
        yield table(self.rows.to_dict("records"))


def run(cases_of: Source = None, version: EvalEnvironment | None = None, *, keep: bool = False) -> Evaluated:
    """Run Missions over recorded exceptions, up to where a person would decide: about 200 a second, and nothing is done.

    >>> today = ms.run("order_exception")
    >>> today.figures                 # DataFrame: a row a figure, share with its 95% interval
    >>> today.cases.query("wrong != ''")
    >>> today.explain("dev-ord-0007")

    Args:
        cases_of: what `cases` takes.
        version: what `version` gives; what there is unless given.
        keep: keep it among the evaluations, as `missions eval` does, for the dashboard and `open_run`.

    Raises BadInput for cases that cannot be read, and Stuck for one that would be an incident.
    """
    environment, recorded, begun = version or present(), cases(cases_of), time.perf_counter()
    evaluation = Evaluation(environment)
    with progress(len(recorded)) as on_done:
        judged = []
        for case in recorded:
            judged.append(judged_case(case, evaluation.run(case), environment.catalogue))
            on_done(len(judged), len(recorded))
    made = run_of(environment, settings().phrasings, [], judged, time.perf_counter() - begun)
    if keep:
        EvaluationStore.of(settings().home).write(made, judged)
    return Evaluated(StoredEvaluation(made, judged, []), recorded, environment)


def compare(a: OpenRun | str, b: OpenRun | str) -> RunComparison:
    """Two runs over the same cases, `a` the earlier one: what flipped, which way, and whether that is more than noise.

    A name is that of a kept run, as for `open_run`. Raises BadInput where there is none.
    """
    before, after = (open_run(one) if isinstance(one, str) else one for one in (a, b))
    return RunComparison(before, after)


def walk(case: RecordedException | str, version: EvalEnvironment | None = None, *, ledger: MemoryLedger | None = None) -> Walk:
    """A walk through a Mission on one case, node by node: `step()`, `drive()`, and then `approve(by=…, reason=…)` as a person.

    Args:
        case: it, or its id among those that the company has recorded.
        version: what `version` gives; what there is unless given.
        ledger: one that several walks share, for `overruled`.

    Raises BadInput where there is no such case.
    """
    return Walk(version or present(), _case(case), ledger=ledger)


def explain(case: RecordedException | str, version: EvalEnvironment | None = None) -> Explanation:
    """What a Mission proposes for one case, and why. As for `walk`; raises BadInput where there is no such case."""
    return Explanation(walk(case, version).drive())


def with_value(case: RecordedException | str, *, collection: str, record: str, field: str, value: Any) -> RecordedException:
    """The case with another fact. What was expected of it is not known then.

    >>> ms.with_value("dev-ord-0007", collection="payments.payments", record="O-99308", field="fraud/score", value=0.8)

    Args:
        collection, record, field: where the Explain rail says that it was read; a key of several fields is "HP-1, DC-2", and a
            field within another one is named from the outside in.

    Raises BadInput where there is no such place.
    """
    return with_that(present(), _case(case), collection, record, field, value)


def vary(
    case: RecordedException | str, *, collection: str, record: str, field: str, values: Iterable[Any],
    version: EvalEnvironment | None = None,
) -> Variation:  # fmt: skip
    """What a Mission says to the case with one value after another in one place, which is named as for `with_value`.

    Raises BadInput where there is no such place.
    """
    return Variation(field, varied(version or present(), _case(case), collection, record, field, values))


def _case(case: RecordedException | str) -> RecordedException:
    return cases()[case] if isinstance(case, str) else case
