"""Runs found: filters from the address, rows, counts, charts."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dashboard.pages.runs import (
    STATES,
    count_strip,
    counts,
    days_shown,
    decision_chart,
    outcome_chart,
    read_back,
    run_filter,
    run_table,
    unit_for,
    valid_zone,
)
from ledger.records import Run
from tests.ledger_examples import NOW, an_event

TODAY = date(2026, 3, 29)
HOSTILE = "<img src=x onerror=alert(1)>"
BY_DAY = [
    {"day": date(2026, 3, 28), "outcome": "executed", "runs": 2},
    {"day": date(2026, 3, 28), "outcome": "waiting", "runs": 1},
    {"day": date(2026, 3, 29), "outcome": "executed", "runs": 3},
]
TIMES = [{"day": date(2026, 3, 28), "median_s": 600.0, "p90_s": 7_300.0, "decisions": 4}]


def test_a_filter_looks_back_from_midnight_where_one_is() -> None:
    wanted = run_filter(period="7 days", zone="Europe/Berlin", today=TODAY)
    assert wanted.since == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert wanted.until is None


def test_both_days_of_a_stretch_are_in_it_also_when_the_clocks_change() -> None:
    wanted = run_filter(period="dates", between=(TODAY, TODAY), zone="Europe/Berlin", today=TODAY)
    assert (wanted.since, wanted.until) == (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


def test_all_time_has_no_end() -> None:
    wanted = run_filter(period="all", today=TODAY)
    assert (wanted.since, wanted.until) == (None, None)


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_a_status_or_an_outcome(state: str) -> None:
    wanted = run_filter(state=state, today=TODAY)
    assert (wanted.status, wanted.outcome) in ((state, ""), ("", state))
    assert bool(wanted.status) is (state in ("waiting", "running", "incident"))


@pytest.mark.parametrize(
    ("told", "zone"), [("Europe/Berlin", "Europe/Berlin"), ("Mars/Base", "UTC"), (None, "UTC"), ("x'; --", "UTC")]
)
def test_only_a_zone_that_there_is_is_taken(told: str | None, zone: str) -> None:
    assert valid_zone(told) == zone


@pytest.mark.parametrize(
    ("key", "given", "read"),
    [
        ("from", "2026-03-01", date(2026, 3, 1)), ("to", "yesterday", None), ("to", "9999-12-31", None), ("page", "3", 3),
        ("page", "-1", 1), ("page", "9" * 30, 1), ("period", "7 days", "7 days"), ("period", "aeon", "30 days"),
        ("find", HOSTILE, HOSTILE),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_read_asks_for_nothing(key: str, given: str, read: object) -> None:
    assert read_back(key, given) == read


def a_run(**other: Any) -> Run:
    values: dict[str, Any] = {"run_id": "r-1", "event": an_event(), "versions": {}, "status": "waiting", "started_at": NOW}
    return Run(**(values | other))


def test_rows_are_text_in_the_viewers_time() -> None:
    ended = a_run(status="closed", verdict=HOSTILE, outcome="executed", ended_at=NOW + timedelta(seconds=3))
    shown = str(run_table([ended, a_run(event=an_event(name=HOSTILE, mission=HOSTILE))], "Asia/Tokyo"))
    assert "Mar 1, 2026, 6:00 PM JST" in shown and "3.00 s" in shown and "<img" not in shown
    assert shown.count("<tr>") == 3


def test_counts_are_in_the_order_of_the_states() -> None:
    assert counts(BY_DAY) == {"waiting": 1, "executed": 5}
    shown = str(count_strip(6, counts(BY_DAY), 4))
    assert "<b>6</b><span>runs" in shown and "<b>4</b><span>decisions" in shown


def test_charts_show_the_days_of_the_filter() -> None:
    wanted = run_filter(period="7 days", zone="Europe/Berlin", today=TODAY)
    assert days_shown(wanted, BY_DAY, "Europe/Berlin", TODAY) == (date(2026, 3, 23), TODAY)
    everything = run_filter(period="all", today=TODAY)
    assert days_shown(everything, BY_DAY, "UTC", TODAY) == (date(2026, 3, 28), TODAY)
    one = run_filter(period="dates", between=(TODAY, TODAY), zone="Europe/Berlin", today=TODAY)
    assert days_shown(one, BY_DAY, "Europe/Berlin", TODAY) == (TODAY, TODAY)


def drawn_of(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows behind a chart, wherever Altair keeps them."""
    kept = chart["data"].get("values")
    return kept if kept is not None else chart["datasets"][chart["data"]["name"]]


def test_charts_are_drawn_of_what_the_ledger_counted() -> None:
    days = (date(2026, 3, 1), TODAY)
    bars = outcome_chart(BY_DAY, days).to_dict()
    assert {row["state"] for row in drawn_of(bars)} == {"waiting", "executed"}
    lines = decision_chart(TIMES, days).to_dict()
    assert [row["time"] for row in drawn_of(lines)] == [pytest.approx(600 / 3_600), pytest.approx(7_300 / 3_600)]
    assert lines["encoding"]["y"]["title"] == "to decide, hours"


@pytest.mark.parametrize(
    ("longest", "unit"), [(0, "seconds"), (100, "seconds"), (7_000, "minutes"), (90_000, "hours"), (200_000, "days")]
)
def test_times_are_in_a_unit_that_fits(longest: float, unit: str) -> None:
    assert unit_for([longest])[0] == unit
