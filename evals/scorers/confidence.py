"""Does it know how sure it can be? The calibration over many cases stands in `evals/calibration.py`."""

from evals.scorers.exact import exact
from evals.scorers.sides import Sides


def brier(sides: Sides) -> float | None:
    """squared distance of its confidence from what it was worth, 1 if exact and 0 if not: 0.25 is what a coin earns"""
    confidence = sides.result.get("confidence")
    return None if confidence is None else float((confidence - exact(sides)) ** 2)
