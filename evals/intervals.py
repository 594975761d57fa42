"""How sure a figure is: 95% intervals of means, and of the difference of two runs, over the cases that were measured.

The cases are taken as a sample of those that might come. A case that was run several times is one case: what its trials
have in common must not count several times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

#: the normal quantile of a two-sided 95%
_Z = 1.959963984540054
_RESAMPLES = 2_000
_SEED = 20260310
#: cells of a resample that are held at once
_MOST_CELLS = 4_000_000

#: the values of one case, one a trial
Cluster = Sequence[float]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% interval."""

    mean: float
    low: float
    high: float


def wilson(mean: float, n: float) -> Interval:
    """The Wilson score interval of a share of `n` independent cases; n > 0, and no whole number where trials are clustered."""
    middle = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return Interval(mean, max(0.0, min(mean, middle - half)), min(1.0, max(mean, middle + half)))


def of_count(hits: int, of: int) -> tuple[float, float]:
    """From where to where Wilson's interval of `hits` in `of` independent cases goes; from 0 to 1 where there is none."""
    found = wilson(hits / of, of) if of else Interval(0.0, 0.0, 1.0)
    return found.low, found.high


def of_share(clusters: Sequence[Cluster]) -> Interval | None:
    """Of yes and no: Wilson's, with as many cases as the trials are worth; None of nothing."""
    values = [value for cluster in clusters for value in cluster]
    if not values:
        return None
    mean = sum(values) / len(values)
    return wilson(mean, _worth(clusters, mean, len(values)))


def of_mean(clusters: Sequence[Cluster], bounded: bool) -> Interval | None:
    """Of any values, by a bootstrap of the cases with a fixed seed; None of nothing.

    `bounded`: the values are between 0 and 1. Where all of them are the same there is nothing to resample: of bounded ones
    Wilson's interval stands in, which is too wide rather than too narrow; of others nothing is known, and it is a point.
    """
    values = [value for cluster in clusters for value in cluster]
    if not values:
        return None
    mean = sum(values) / len(values)
    if len(set(values)) == 1:
        return wilson(mean, len(clusters)) if bounded else Interval(mean, mean, mean)
    sums = np.array([sum(cluster) for cluster in clusters], dtype=float)
    counts = np.array([len(cluster) for cluster in clusters], dtype=float)
    return Interval(mean, *_percentiles(sums, counts))


def of_difference(differences: Sequence[float]) -> Interval:
    """Of the mean of what each case differs by in two runs, by a bootstrap of the cases; of at least one case.

    Where every case differs by the same it is a point: nothing else is known.
    """
    mean = sum(differences) / len(differences)
    if len(set(differences)) == 1:
        return Interval(mean, mean, mean)
    return Interval(mean, *_percentiles(np.array(differences), np.ones(len(differences))))


def of_paired_share(worse: int, better: int, n: int) -> Interval:
    """Of the difference of two shares over the same `n` cases, of which so many became no and yes (Agresti and Min 2005)."""
    w, b, all_ = worse + 0.5, better + 0.5, n + 2
    mean, middle = (better - worse) / n, (b - w) / all_
    half = _Z * sqrt(max(0.0, w + b - (b - w) ** 2 / all_)) / all_
    return Interval(mean, max(-1.0, min(mean, middle - half)), min(1.0, max(mean, middle + half)))


def _worth(clusters: Sequence[Cluster], mean: float, n: int) -> float:
    """How many independent trials the clustered ones are worth: between the number of cases and that of trials."""
    if n == len(clusters):
        return n
    # the variance of the mean, from one case to another
    off = [sum(value - mean for value in cluster) for cluster in clusters]
    variance, alone = sum(one**2 for one in off) / n**2, mean * (1 - mean)
    # of one cluster alone nothing is off but for rounding
    return min(n, max(len(clusters), alone / variance)) if variance > 1e-12 * alone else len(clusters)


def _percentiles(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, float]:
    chance, size = np.random.default_rng(_SEED), len(sums)
    means: list[NDArray[np.float64]] = []
    rows = max(1, _MOST_CELLS // size)
    for first in range(0, _RESAMPLES, rows):
        drawn = chance.integers(0, size, (min(rows, _RESAMPLES - first), size))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)
