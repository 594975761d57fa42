"""Where a line of facts is best cut in two, and whether chance would cut it as well. Pure functions over arrays."""

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 4_000
_AT_ONCE = 250


Numbers = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


def split_points(facts: Numbers, from_low: bool, near: float, least: int) -> dict[int, float]:
    """How many of the sorted facts lie below a number -> the roundest number of which that is so.

    At least so many lie on each side; a fact that is the number itself lies below where it is `from_low`.
    """
    found = {}
    for cut in range(least, len(facts) - least + 1):
        low, high = float(facts[cut - 1]), float(facts[cut])
        if low < high and (number := roundest(low, high, from_low, near)) is not None:
            found[cut] = number
    return found


def roundest(low: float, high: float, from_low: bool, near: float) -> float | None:
    """The number with the fewest digits between two, and of these the nearest to another one.

    `low` itself is one of them where it is `from_low`, otherwise `high` is. It is an integer where `near` is one, or there
    is none.
    """
    for digits in range(-12, 1 if isinstance(near, int) else 10):
        unit = 10.0**-digits
        first, last = floor(low / unit), ceil(high / unit)
        places = {first, first + 1, last - 1, last, min(max(round(near / unit), first), last)}
        numbers = [round(place * unit, max(digits, 0)) for place in places]
        fitting = [one for one in numbers if (low <= one < high if from_low else low < one <= high)]
        if fitting:
            nearest = min(fitting, key=lambda one: abs(one - near))
            return int(nearest) if isinstance(near, int) else nearest
    return None if isinstance(near, int) else low if from_low else high


def against(wants: Flags) -> Counts:
    """For each row of wishes, in the order of their facts, and each number of facts below a cut: how many wishes it denies."""
    nothing = np.zeros((wants.shape[0], 1), dtype=np.int64)
    above_before = np.hstack([nothing, np.cumsum(wants, axis=1)])
    below_before = np.hstack([nothing, np.cumsum(~wants, axis=1)])
    denied: Counts = above_before + (below_before[:, -1:] - below_before)
    return denied


def chance(wants: Flags, here: int, candidates: Sequence[int]) -> float:
    """How often so many fewer would be denied if those who are against the present cut (`here`) had cases of any fact.

    A permutation test; that the best of all candidates is taken is in it. The same wishes give the same number.
    """
    above_now = np.arange(len(wants)) >= here
    disagree, random = wants != above_now, np.random.default_rng(0)

    def gained(rows: Flags) -> Counts:
        denied = against(rows != above_now)
        fewer: Counts = denied[:, here] - denied[:, candidates].min(axis=1)
        return fewer

    least, as_great = gained(disagree[np.newaxis, :])[0], 1
    for _ in range(PERMUTATIONS // _AT_ONCE):
        shuffled = random.permuted(np.tile(disagree, (_AT_ONCE, 1)), axis=1)
        as_great += int(np.sum(gained(shuffled) >= least))
    return as_great / (PERMUTATIONS + 1)
