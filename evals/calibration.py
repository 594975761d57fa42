"""Is the confidence worth what it says: the share of exact answers beside the confidence they were given with."""

from collections.abc import Sequence
from dataclasses import dataclass

from evals.intervals import Interval, of_share
from graphs.comparison import by_case
from ledger.evaluations import EvaluationCase

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
