"""How results compare with what was expected: the figures of a set of recorded exceptions, by the scorers."""

from collections.abc import Iterable, Mapping
from typing import Any

from evals.scorers import SCORERS
from evals.scorers.sides import Sides
from systems.catalogue import Catalogue

#: The figures of one case by name, yes as 1 and no as 0; None where a figure does not apply to it.
Figures = Mapping[str, float | None]
NAMES = tuple(scorer.name for scorer in SCORERS)


def judge(expected: Mapping[str, Any], result: Mapping[str, Any], catalogue: Catalogue) -> dict[str, float | None]:
    """Compare one result with what was expected of its case."""
    sides = Sides(expected, result, catalogue)
    return {scorer.name: scorer.score(sides) for scorer in SCORERS}


def means(figures: Iterable[Figures]) -> dict[str, float | None]:
    """The mean of every figure over the cases that it applies to; None where it applies to none."""
    rows = list(figures)
    return {name: _mean([value for row in rows if (value := row.get(name)) is not None]) for name in NAMES}


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
