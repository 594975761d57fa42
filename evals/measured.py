"""The figures of cases with their intervals; how steady trials are; what became of a figure from one run to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from evals.intervals import Cluster, Interval, of_difference, of_mean, of_paired_share, of_share
from evals.scorers import SCORERS, Scorer
from graphs.comparison import NOISE, by_case, chance, common, differences
from ledger.evaluations import EvaluationCase


@dataclass(frozen=True)
class Measured:
    """A figure over some cases."""

    scorer: Scorer
    #: cases that it applies to
    cases: int
    #: None where it applies to none
    interval: Interval | None


@dataclass(frozen=True)
class Change:
    """A figure over the cases that two runs have in common."""

    scorer: Scorer
    a: float
    b: float
    #: of b less a
    difference: Interval
    #: ids of the cases in which it is lower in b, and higher
    lower: Sequence[str]
    higher: Sequence[str]

    @property
    def worse(self) -> bool:
        """Whether it is worse at all."""
        return self.difference.mean < 0 if self.scorer.better == "high" else self.difference.mean > 0

    @property
    def worse_cases(self) -> Sequence[str]:
        """The cases in which it is worse."""
        return self.lower if self.scorer.better == "high" else self.higher

    @property
    def p(self) -> float:
        """How probable so uneven a split of the cases that changed is by chance: the exact sign test, McNemar's of a share."""
        return chance(len(self.lower), len(self.higher))

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval leaves no difference out, and the test does not take it for chance either."""
        return (self.difference.low > 0 or self.difference.high < 0) and self.p < NOISE


def measured(cases: Sequence[EvaluationCase]) -> list[Measured]:
    """Every figure with its interval, in the order of the scorers."""
    return [measure(scorer, cases) for scorer in SCORERS]


def measure(scorer: Scorer, cases: Sequence[EvaluationCase]) -> Measured:
    """One figure with its interval."""
    clusters = [cluster for trials in by_case(cases).values() if (cluster := _values(scorer, trials))]
    interval = of_share(clusters) if scorer.kind == "share" else of_mean(clusters, bounded=scorer.kind == "part")
    return Measured(scorer, len(clusters), interval)


def changes(a: Sequence[EvaluationCase], b: Sequence[EvaluationCase]) -> list[Change]:
    """What became of every figure that applies in both, over the cases that both have."""
    sides = common(a, b)
    found = (_change(scorer, sides) for scorer in SCORERS)
    return [change for change in found if change is not None]


def _change(scorer: Scorer, sides: Sequence[tuple[Sequence[EvaluationCase], Sequence[EvaluationCase]]]) -> Change | None:
    pairs = [
        (after[0].case_id, _mean(was), _mean(now), len(was))
        for before, after in sides
        if (was := _values(scorer, before)) and (now := _values(scorer, after))
    ]
    if not pairs:
        return None
    lower = [case_id for case_id, was, now, _ in pairs if now < was]
    higher = [case_id for case_id, was, now, _ in pairs if now > was]
    if scorer.kind == "share" and all(trials == 1 for *_, trials in pairs):
        difference = of_paired_share(len(lower), len(higher), len(pairs))
    else:
        difference = of_difference([now - was for _, was, now, _ in pairs])
    a, b = _mean([was for _, was, _, _ in pairs]), _mean([now for _, _, now, _ in pairs])
    return Change(scorer, a, b, difference, lower, higher)


def pass_hat(cases: Sequence[EvaluationCase]) -> list[float]:
    """pass^k for k = 1 … trials: the chance that all of k trials of a case are exact, in the mean over the cases.

    Of n trials with c exact it is C(c, k) / C(n, k), the estimate without bias (tau-bench, arXiv:2406.12045). Empty where
    nothing was expected; up to the fewest trials of a case.
    """
    exact = [[case.figures["exact"] for case in trials if case.figures] for trials in by_case(cases).values()]
    counted = [(len(trials), round(sum(map(bool, trials)))) for trials in exact if trials]
    fewest = min((n for n, _ in counted), default=0)
    return [sum(comb(c, k) / comb(n, k) for n, c in counted) / len(counted) for k in range(1, fewest + 1)]


def unsteady(cases: Sequence[EvaluationCase]) -> dict[str, tuple[int, int]]:
    """Cases that were not answered alike each time: id -> (exact, trials)."""
    found = {}
    for case_id, trials in by_case(cases).items():
        if any(differences(trials[0], other) for other in trials[1:]):
            found[case_id] = sum(bool(case.figures.get("exact")) for case in trials), len(trials)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _values(scorer: Scorer, trials: Sequence[EvaluationCase]) -> Cluster:
    return [value for case in trials if (value := case.figures.get(scorer.name)) is not None]
