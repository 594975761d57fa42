"""Accounts: how their usage develops."""

from collections.abc import Sequence


def fallen_by(weeks: Sequence[int | None], span: int, percent: int) -> bool:
    """Whether the mean of the last `span` weekly counts is at least `percent` below the mean of the `span` before them.

    False where one of these counts is not known, or where nothing was used before.
    """
    known = [count for count in weeks[-2 * span :] if count is not None]
    if len(known) < 2 * span:
        return False
    before, last = sum(known[:span]), sum(known[span:])
    return before > 0 and (before - last) * 100 >= percent * before
