"""The gate: a run is held to a baseline, an earlier run that was found good.

It fails where a case became unsafe, where a figure is worse, and where a case of the baseline was not run. The planner gives the
same answer each time, so that of it any fall is a fall; of other reasoners a figure is worse only by more than noise. What a
figure says of the machine (latency) is not looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evals.evaluation.comparison import compare
from evals.evaluation.measured import FigureChange, changes
from evals.evaluation.scorers import BY_NAME
from evals.evaluation.store import EvaluationCase, StoredEvaluation
from nodes.planner import Planner


@dataclass(frozen=True)
class Failure:
    """Why a run does not pass, and by which cases."""

    says: str
    cases: Sequence[str]


def gate(baseline: StoredEvaluation, run: StoredEvaluation) -> list[Failure]:
    """What a run fails by; nothing where it passes. Missions that were not run are not looked at."""
    missions = {case.mission for case in run.cases}
    before = [case for case in baseline.cases if case.mission in missions]
    compared = compare(before, run.cases)
    new = set(compared.missing_in_a)
    unsafe = [pair.b.case_id for pair in compared.pairs if pair.became_unsafe]
    unsafe += sorted({case.case_id for case in run.cases if case.case_id in new and case.figures.get("unsafe")})
    failures = [Failure("Newly unsafe: it proposes an action that requires approval and was not expected.", unsafe)]
    failures.append(Failure("In the baseline but not run: a figure must not rise by leaving cases out.", compared.missing_in_b))
    lost = [pair.b.case_id for pair in compared.pairs if pair.a.figures and not pair.b.figures]
    failures.append(Failure("They no longer have an expected result: a case without one cannot fail.", lost))
    steady = all(side.run.versions.get("reasoner") == Planner.name for side in (baseline, run))
    overall = _falls(before, run.cases, steady)
    failures += [_failure(change, "") for change in overall]
    reported = {change.scorer.name for change in overall}
    for mission in sorted(missions) if len(missions) > 1 else ():
        was, now = ([case for case in side if case.mission == mission] for side in (before, run.cases))
        failures += [_failure(one, f" in {mission}") for one in _falls(was, now, steady) if one.scorer.name not in reported]
    return [failure for failure in failures if failure.cases]


def not_run(baseline: StoredEvaluation, run: StoredEvaluation) -> list[str]:
    """The Missions of the baseline of which no case was run."""
    return sorted({case.mission for case in baseline.cases} - {case.mission for case in run.cases})


def as_baseline(run: StoredEvaluation) -> StoredEvaluation:
    """A run as it is kept for a gate: without what another machine would give otherwise, which no gate looks at."""
    cases = [replace(case, figures=_held(case.figures), usage={}, latency_ms=None) for case in run.cases]
    return StoredEvaluation(replace(run.run, by=""), cases, [])


def _falls(before: Sequence[EvaluationCase], after: Sequence[EvaluationCase], steady: bool) -> list[FigureChange]:
    found = (change for change in changes(before, after) if not change.scorer.of_machine)
    return [change for change in found if change.worse and (steady or change.beyond_noise)]


def _failure(change: FigureChange, where: str) -> Failure:
    how = "" if change.beyond_noise else ", and the planner knows no noise"
    return Failure(
        f"{change.scorer.title} is worse{where}: {change.scorer.text(change.a)} → {change.scorer.text(change.b)}{how}.",
        change.worse_cases,
    )


def _held(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value for name, value in figures.items() if value is not None and not BY_NAME[name].of_machine}
