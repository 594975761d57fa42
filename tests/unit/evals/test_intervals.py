"""How sure a figure is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import of_count, of_difference, of_mean, of_paired_share, of_share, wilson

CLUSTERS = st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=4), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (5, 50, 0.0435, 0.2136),
        (81, 263, 0.2553, 0.3662),
        (520, 520, 0.9927, 1.0),
    ],
)
def test_a_share_has_the_interval_of_wilson(right: int, n: int, low: float, high: float) -> None:
    """The figures are those of the formula in Wilson (1927), as tables of it print them."""
    assert of_count(right, n) == pytest.approx((low, high), abs=1e-4)
    found = of_share([[1.0]] * right + [[0.0]] * (n - right))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(CLUSTERS)
def test_a_mean_lies_in_its_interval(clusters: list[list[float]]) -> None:
    for found in (of_share(clusters), of_mean(clusters, bounded=True)):
        assert found is not None and 0.0 <= found.low <= found.mean <= found.high <= 1.0


def test_trials_that_always_agree_are_worth_one_case_and_trials_that_do_not_are_worth_more() -> None:
    alike, mixed = of_share([[1.0] * 5, [0.0] * 5] * 10), of_share([[1.0, 0.0, 1.0, 0.0]] * 20)
    once = of_share([[1.0], [0.0]] * 10)
    assert alike is not None and mixed is not None and once is not None
    assert (alike.low, alike.high) == pytest.approx((once.low, once.high))
    assert mixed.high - mixed.low == pytest.approx(once.high - once.low)
    apart = of_share([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]] * 10)
    assert apart is not None and apart.high - apart.low < once.high - once.low


def test_the_bootstrap_is_the_same_each_time_and_close_to_what_is_known_of_means() -> None:
    clusters = [[float(value)] for value in range(100)]
    found = of_mean(clusters, bounded=False)
    assert found == of_mean(clusters, bounded=False)
    assert found is not None and (found.low, found.high) == (pytest.approx(43.8, abs=0.5), pytest.approx(55.2, abs=0.5))


def test_values_that_are_all_the_same_are_not_taken_for_certain() -> None:
    bounded, other = of_mean([[1.0]] * 30, bounded=True), of_mean([[7.0]] * 30, bounded=False)
    assert bounded == wilson(1.0, 30) and other is not None and other.low == other.high == 7.0
    assert of_mean([], bounded=True) is None and of_share([]) is None and of_count(0, 0) == (0.0, 1.0)


def test_a_difference_of_a_few_flips_may_be_none() -> None:
    few, many = of_paired_share(4, 0, 520), of_paired_share(12, 0, 520)
    assert few.low < few.mean < 0 < few.high
    assert many.high < 0
    assert of_difference([0.0] * 9 + [-0.5]).mean == pytest.approx(-0.05)
