"""Charges and goods of orders."""

from typing import Any

import pytest

from nodes.functions.plain import charged_cents, earliest, latest, newest_charge, refundable, skus_of
from tests.engine import a_charge, a_line, an_order

NOON, ONE = "2026-03-09T12:00:00Z", "2026-03-09T13:00:00Z"


@pytest.mark.parametrize(
    ("charges", "newest"),
    [
        ([], None),
        ([a_charge("ch-1", captured_at=NOON), a_charge("ch-2", captured_at=ONE)], "ch-2"),
        ([a_charge("ch-1", captured_at=ONE), a_charge("ch-2", captured_at=NOON)], "ch-1"),
        ([a_charge("ch-1"), a_charge("ch-2")], "ch-2"),
        ([a_charge("ch-2"), a_charge("ch-1")], "ch-2"),
        ([a_charge("ch-1", captured_at="2026-03-09T14:30:00+02:00"), a_charge("ch-2", captured_at=ONE)], "ch-2"),
    ],
)
def test_the_newest_charge_is_the_last_captured_then_the_higher_id(charges: Any, newest: str | None) -> None:
    found = newest_charge(charges)
    assert (found and found["charge_id"]) == newest


def test_the_newest_charge_cannot_be_told_where_a_moment_is_not_known() -> None:
    with pytest.raises(TypeError):
        newest_charge([a_charge("ch-1", captured_at=None), a_charge("ch-2")])


def test_what_was_charged_counts_without_what_was_refunded() -> None:
    assert charged_cents([]) == 0
    assert charged_cents([a_charge(refunded_cents=4_000), a_charge("ch-2", amount_cents=1)]) == 10_001


def test_the_skus_of_orders_are_told_once_in_their_order() -> None:
    orders = [an_order(lines=[a_line("1", "B"), a_line("2", "A")]), an_order("O-2", lines=[a_line("1", "A"), a_line("2", "C")])]
    assert skus_of(orders) == ["B", "A", "C"]
    assert skus_of([]) == []


@pytest.mark.parametrize(
    ("charges", "cents", "found"),
    [
        ([a_charge("ch-1"), a_charge("ch-2", captured_at=ONE)], 10_000, ["ch-1"]),
        ([a_charge("ch-1", captured_at=NOON), a_charge("ch-2", captured_at=ONE)], 10_000, ["ch-2"]),
        ([a_charge("ch-1"), a_charge("ch-2", captured_at=ONE, refunded_cents=1)], 10_000, ["ch-1"]),
        ([a_charge("ch-1", refunded_cents=1)], 10_000, []),
        ([], 1, []),
    ],
)
def test_the_latest_charge_with_enough_left_is_refunded(charges: Any, cents: int, found: list[str]) -> None:
    assert [charge["charge_id"] for charge in refundable(charges, cents)] == found


def test_the_earliest_and_the_latest_of_records_are_told_by_moment() -> None:
    records = [{"id": 1, "at": ONE}, {"id": 2, "at": NOON}, {"id": 3, "at": "2026-03-09T13:00:00+01:00"}, {"id": 4, "at": ONE}]
    assert (earliest(records, "at"), latest(records, "at")) == (records[1], records[0])
    assert earliest([], "at") is None and latest([], "at") is None


def test_a_moment_without_a_zone_is_none() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        earliest([{"at": "2026-03-09T13:00:00"}], "at")
