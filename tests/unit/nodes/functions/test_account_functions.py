"""How usage develops: the mean of the last weeks against the mean of as many before."""

import pytest

from nodes.functions.plain import fallen_by

OLDEST = [900, 0, 900, 0]


@pytest.mark.parametrize(
    ("before", "last", "percent", "fallen"),
    [
        ([100] * 4, [70] * 4, 30, True),
        ([100] * 4, [70, 70, 70, 71], 30, False),
        ([100] * 4, [0, 0, 0, 280], 30, True),
        ([1, 2, 3, 4], [1, 2, 2, 2], 30, True),
        ([1, 2, 3, 4], [1, 2, 2, 3], 30, False),
        ([100] * 4, [50] * 4, 50, True),
        ([100] * 4, [50, 50, 50, 51], 50, False),
        ([100] * 4, [0] * 4, 30, True),
        ([100] * 4, [100] * 4, 30, False),
        ([100] * 4, [200] * 4, 30, False),
        ([0] * 4, [0] * 4, 30, False),
        ([0] * 4, [50] * 4, 30, False),
        ([10**15] * 4, [7 * 10**14] * 4, 30, True),
        ([10**15] * 4, [7 * 10**14] * 3 + [7 * 10**14 + 1], 30, False),
    ],
)
def test_usage_has_fallen_from_the_limit_on(before: list[int], last: list[int], percent: int, fallen: bool) -> None:
    assert fallen_by([*OLDEST, *before, *last], 4, percent) is fallen
    assert fallen_by([*before, *last], 4, percent) is fallen


@pytest.mark.parametrize("place", range(8))
def test_with_a_week_that_is_not_known_usage_has_not_fallen(place: int) -> None:
    weeks: list[int | None] = [100, 100, 100, 100, 1, 1, 1, 1]
    weeks[place] = None
    assert fallen_by(weeks, 4, 30) is False


def test_a_week_that_nobody_compares_may_be_unknown() -> None:
    assert fallen_by([None, None, *[100] * 4, *[1] * 4], 4, 30) is True


@pytest.mark.parametrize("weeks", [[], [100], [100] * 7, [100] * 4])
def test_too_few_weeks_show_no_fall(weeks: list[int]) -> None:
    assert fallen_by(weeks, 4, 30) is False


def test_other_spans_are_compared_as_well() -> None:
    assert fallen_by([9, 9, 10, 5], 1, 50) is True
    assert fallen_by([10, 5, 10, 5], 2, 50) is False
