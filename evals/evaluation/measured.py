"""The figures of cases with their intervals, by slices; how steady trials are, and how calibrated; what became of a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal, get_args

from errors import BadInput
from evals.evaluation.answers import differences
from evals.evaluation.comparison import NOISE, by_case, chance, common
from evals.evaluation.scorers import SCORERS, Scorer
from evals.evaluation.store import EvaluationCase
from evals.intervals import Cluster, Interval, of_difference, of_mean, of_paired_share, of_share


@dataclass(frozen=True)
class Measured:
    """A figure over some cases."""

    scorer: Scorer
    #: cases that it applies to
    cases: int
    #: None where it applies to none
    interval: Interval | None

    @property
    def mean(self) -> float | None:
        """None where it applies to no case."""
        return self.interval.mean if self.interval else None


@dataclass(frozen=True)
class FigureChange:
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

    @property
    def meaning(self) -> Literal["", "noise", "worse", "better"]:
        """What it comes to; empty where nothing changed."""
        if not self.difference.mean:
            return ""
        return ("worse" if self.worse else "better") if self.beyond_noise else "noise"


def measured(cases: Sequence[EvaluationCase]) -> list[Measured]:
    """Every figure with its interval, in the order of the scorers."""
    return [measure(scorer, cases) for scorer in SCORERS]


def measure(scorer: Scorer, cases: Sequence[EvaluationCase]) -> Measured:
    """One figure with its interval."""
    clusters = [cluster for trials in by_case(cases).values() if (cluster := _values(scorer, trials))]
    interval = of_share(clusters) if scorer.kind == "share" else of_mean(clusters, bounded=scorer.kind == "part")
    return Measured(scorer, len(clusters), interval)


def changes(a: Sequence[EvaluationCase], b: Sequence[EvaluationCase]) -> list[FigureChange]:
    """What became of every figure that applies in both, over the cases that both have."""
    sides = common(a, b)
    found = (_change(scorer, sides) for scorer in SCORERS)
    return [change for change in found if change is not None]


def _change(scorer: Scorer, sides: Sequence[tuple[Sequence[EvaluationCase], Sequence[EvaluationCase]]]) -> FigureChange | None:
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
    return FigureChange(scorer, a, b, difference, lower, higher)


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
        if any(differences(trials[0].result, other.result) for other in trials[1:]):
            found[case_id] = sum(bool(case.figures.get("exact")) for case in trials), len(trials)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _values(scorer: Scorer, trials: Sequence[EvaluationCase]) -> Cluster:
    return [value for case in trials if (value := case.figures.get(scorer.name)) is not None]


BINS = 10


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence lies from `low` up to, and in the last one including, `high`."""

    low: float
    high: float
    answers: int
    #: the mean confidence, and the share that was exact; None where there is no answer
    confidence: float | None
    exact: Interval | None


@dataclass(frozen=True)
class Calibration:
    """The reliability curve."""

    bins: Sequence[Bin]
    answers: int

    @property
    def error(self) -> float | None:
        """The expected calibration error: by how much confidence and share of exact differ, weighted by answers."""
        off = [
            one.answers * abs(one.confidence - one.exact.mean) for one in self.bins if one.confidence is not None and one.exact
        ]
        return sum(off) / self.answers if self.answers else None


def calibration(cases: Sequence[EvaluationCase]) -> Calibration:
    """Over the cases of which something was expected and that were answered with a confidence."""
    known = [case for case in cases if case.figures and case.result.confidence is not None]
    sorted_in: list[list[EvaluationCase]] = [[] for _ in range(BINS)]
    for case in known:
        sorted_in[min(BINS - 1, max(0, int((case.result.confidence or 0.0) * BINS)))].append(case)
    return Calibration([_bin(number, found) for number, found in enumerate(sorted_in)], len(known))


def _bin(number: int, cases: Sequence[EvaluationCase]) -> Bin:
    confidence = [case.result.confidence or 0.0 for case in cases]
    clusters = [[float(case.figures["exact"] or 0.0) for case in trials] for trials in by_case(cases).values()]
    mean = sum(confidence) / len(confidence) if confidence else None
    return Bin(number / BINS, (number + 1) / BINS, len(cases), mean, of_share(clusters))


By = Literal["clause", "dimensions", "money", "mission", "event"]
WAYS: tuple[By, ...] = get_args(By)

#: governance says who decides, and that what is missing goes to a person: no dimension of the case
_GOVERNANCE = "GOV"
#: (up to so many cents, name)
_BANDS = ((0, "nothing"), (10_000, "up to $100"), (100_000, "up to $1,000"), (1_000_000, "up to $10,000"))
_MOST = "more than $10,000"


def slices(cases: Sequence[EvaluationCase], by: By) -> dict[str, list[EvaluationCase]]:
    """Name -> its cases, of those that were measured. A case stands in several slices of clauses, and in one of any others."""
    # where they have an order of their own
    names = [*(name for _, name in _BANDS), _MOST] if by == "money" else ()
    found: dict[str, list[EvaluationCase]] = {name: [] for name in names}
    for case in cases:
        for name in _slices_of(case, by) if case.figures else ():
            found.setdefault(name, []).append(case)
    kept = {name: ones for name, ones in found.items() if ones}
    return kept if names else dict(sorted(kept.items()))


def way(name: str) -> By:
    """One of WAYS. Raises BadInput for another name."""
    if found := next((one for one in WAYS if one == name), None):
        return found
    raise BadInput(f"--by {name[:40]!r} is not a way to slice; choose one of {', '.join(WAYS)}")


def dimensions(case: EvaluationCase) -> int:
    """How many documents the clauses that decide it come from (fraud, stock, address …), governance aside.

    A case of one dimension is decided by one document alone; one of four has four needs that a plan must join.
    """
    return len({clause.rpartition("-")[0] for clause in (case.expected or case.result).cite} - {_GOVERNANCE})


def _slices_of(case: EvaluationCase, by: By) -> Sequence[str]:
    if by == "clause":
        return sorted({*case.result.cite, *(case.expected.cite if case.expected else ())})
    if by == "money":
        cents = case.result.money_at_stake_cents
        return ["not kept" if cents is None else next((name for most, name in _BANDS if cents <= most), _MOST)]
    one: Mapping[By, str] = {"dimensions": str(dimensions(case)), "mission": case.mission, "event": case.event or "not kept"}
    return [one[by]]
