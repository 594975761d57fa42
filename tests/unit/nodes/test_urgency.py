"""How soon a proposal is due: sooner for more money and a higher tier, within the time in which it can be approved."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nodes.check import LEAST_CENTS, MOST_CENTS, TIERS, due_at

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CENTS = st.integers(-(10**12), 10**12)
TIER = st.sampled_from(["", "standard", "vip", "gold", "tier 1", "tier 2", "tier 3", "<b>vip</b>"])
LIFE = st.integers(60, 90 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
AGE = st.integers(-(10**8), 10**8).map(lambda seconds: timedelta(seconds=seconds))


def due(cents: int = 0, tier: str = "", life: timedelta = 2 * DAY, since: timedelta = timedelta(0)) -> datetime:
    return due_at(START + since, START + since + life, cents, tier)


@given(CENTS, TIER, LIFE)
def test_it_is_due_between_its_creation_and_its_expiry(cents: int, tier: str, life: timedelta) -> None:
    left = (due(cents, tier, life) - START) / life
    # money and tier take 45% each, and the moment is a whole second
    assert 0.1 - 1 / life.total_seconds() <= left <= 1


@given(CENTS, CENTS, TIER, LIFE)
def test_more_money_is_never_due_later(one: int, other: int, tier: str, life: timedelta) -> None:
    assert due(max(one, other), tier, life) <= due(min(one, other), tier, life)


@given(st.integers(LEAST_CENTS, MOST_CENTS // 10), TIER, st.integers(60 * 60, 90 * 86_400))
def test_ten_times_the_money_is_due_sooner_by_the_same_share_wherever_it_stands(cents: int, tier: str, seconds: int) -> None:
    life = timedelta(seconds=seconds)
    sooner = (due(cents, tier, life) - due(10 * cents, tier, life)).total_seconds()
    assert abs(sooner - seconds * 0.45 / 4) <= 1.5


@given(CENTS, LIFE)
def test_a_higher_tier_is_due_sooner(cents: int, life: timedelta) -> None:
    top, middle, none = ({due(cents, tier, life) for tier in tiers} for tiers in (("vip", "tier 1"), ("gold", "tier 2"), ("",)))
    assert len(top) == len(middle) == len(none) == 1
    assert max(top) < max(middle) < max(none)


@given(CENTS, st.text(max_size=20), LIFE)
def test_a_tier_that_nobody_knows_counts_for_nothing(cents: int, tier: str, life: timedelta) -> None:
    assert tier in TIERS or due(cents, tier, life) == due(cents, "", life)


def test_the_least_and_the_most_that_money_and_tier_do() -> None:
    assert due() == due(LEAST_CENTS) == due(-5, "standard") == START + 2 * DAY
    assert due(MOST_CENTS, "vip") == due(10 * MOST_CENTS, "tier 1") == START + 0.2 * DAY
    assert due(MOST_CENTS) == due(0, "vip") == START + 1.1 * DAY


@given(st.tuples(CENTS, TIER, LIFE, AGE), st.tuples(CENTS, TIER, LIFE, AGE), AGE)
def test_of_two_proposals_the_same_one_comes_first_whenever_they_are_made(
    one: tuple[int, str, timedelta, timedelta], other: tuple[int, str, timedelta, timedelta], shift: timedelta
) -> None:
    """Nothing but the distance between the two counts, so the order that the queue has once, it keeps."""
    now, later = ([due(*weights, since + by) for *weights, since in (one, other)] for by in (timedelta(0), shift))
    assert [moment + shift for moment in now] == later


@given(CENTS, TIER, LIFE, st.integers(1, 10**6))
def test_of_equal_weight_the_older_one_is_due_first(cents: int, tier: str, life: timedelta, seconds: int) -> None:
    assert due(cents, tier, life) < due(cents, tier, life, timedelta(seconds=seconds))
