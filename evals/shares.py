"""Shares of few cases, with how sure they are."""

from math import sqrt

#: of the normal distribution, for 95 %
_Z = 1.959964


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; from 0 to 1 where there is nothing to tell from."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, _Z * _Z
    middle = share + z2 / (2 * of)
    half = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - half) / (1 + z2 / of), (middle + half) / (1 + z2 / of)
    return (0.0 if hits == 0 else low), (1.0 if hits == of else high)
