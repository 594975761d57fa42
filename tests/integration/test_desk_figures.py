"""What is found among many runs, how they came out, how long people took, who cites what, and what stands in the log."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from errors import BadInput
from ledger.queries import RunFilter
from tests.integration.desk_examples import Office
from tests.ledger_examples import NOW

pytest_plugins = ["tests.integration.desk_examples"]

HOUR = timedelta(hours=1)
#: of 2026, on which Berlin is one hour ahead and New York five behind
LATE = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def five(office: Office) -> Office:
    """Five runs, an hour apart: r1 executed, r2 rejected, r3 waits, r4 is an incident, r5 was automatic."""
    for number, (subject, mission) in enumerate(
        (
            ("O-1", "order_exception"),
            ("O-2", "order_exception"),
            ("A-3", "account_save"),
            ("A-4", "account_save"),
            ("T_5", "support"),
        )
    ):
        office.clock.now = NOW + number * HOUR
        office.waits(
            f"r{number + 1}", {"subject": subject, "mission": mission}, role="none" if subject == "T_5" else "reviewer",
            created_at=office.clock.now,
        )  # fmt: skip
    office.decide("r1", "Rita", at=NOW + 2 * HOUR)
    office.decide("r2", "Rolf", "reject", at=NOW + 3 * HOUR)
    office.decide("r4", "Rita", "respond", at=NOW + 6 * HOUR)
    office.ledger.finish("r1", "fulfil", "executed", NOW + 5 * HOUR)
    office.ledger.finish("r2", "fulfil", "rejected", NOW + 5 * HOUR)
    office.ledger.finish("r5", "refund", "executed", NOW + 5 * HOUR)
    office.ledger.incident("r4", "crm is down", NOW + 5 * HOUR)
    return office


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        ({}, ["r5", "r4", "r3", "r2", "r1"]),
        ({"text": "o-"}, ["r2", "r1"]),
        ({"text": "_"}, ["r5"]),
        ({"text": "r4"}, ["r4"]),
        ({"text": "nothing"}, []),
        ({"mission": "account_save"}, ["r4", "r3"]),
        ({"verdict": "fulfil"}, ["r2", "r1"]),
        ({"status": "closed"}, ["r5", "r2", "r1"]),
        ({"status": "waiting"}, ["r3"]),
        ({"status": "incident"}, ["r4"]),
        ({"outcome": "executed"}, ["r5", "r1"]),
        ({"person": "Rita"}, ["r4", "r1"]),
        ({"person": "Nick"}, []),
        ({"since": NOW + 2 * HOUR}, ["r5", "r4", "r3"]),
        ({"until": NOW + 2 * HOUR}, ["r2", "r1"]),
        ({"since": NOW + HOUR, "until": NOW + 3 * HOUR}, ["r3", "r2"]),
        ({"person": "Rita", "outcome": "executed", "mission": "order_exception", "verdict": "fulfil"}, ["r1"]),
        ({"mission": "order_exception", "status": "incident"}, []),
    ],
)
def test_runs_are_found_by_every_filter_the_newest_first(five: Office, wanted: dict[str, Any], runs: list[str]) -> None:
    page = five.desk.search(RunFilter(**wanted))
    assert ([run.run_id for run in page.runs], page.total) == (runs, len(runs))


def test_the_total_is_over_all_pages(five: Office) -> None:
    pages = [five.desk.search(RunFilter(), offset, 2) for offset in (0, 2, 4, 6)]
    assert [[run.run_id for run in page.runs] for page in pages] == [["r5", "r4"], ["r3", "r2"], ["r1"], []]
    assert {page.total for page in pages} == {5}
    assert pages[2].runs[0] == five.ledger.run("r1")


def test_a_person_who_decided_twice_is_found_once(office: Office) -> None:
    office.waits("r1", role="finance", four_eyes=True)
    office.decide("r1", "Fay")
    office.decide("r1", "Fred")
    assert office.desk.search(RunFilter(person="Fay")).total == 1
    assert office.desk.outcomes(RunFilter(person="Fay"))[0]["runs"] == 1


# Figures


def test_outcomes_are_counted_by_day_and_what_is_not_closed_by_its_status(five: Office) -> None:
    day = date(2026, 3, 1)
    assert five.desk.outcomes(RunFilter()) == [
        {"day": day, "outcome": "executed", "runs": 2},
        {"day": day, "outcome": "incident", "runs": 1},
        {"day": day, "outcome": "rejected", "runs": 1},
        {"day": day, "outcome": "waiting", "runs": 1},
    ]
    assert five.desk.outcomes(RunFilter(mission="order_exception", outcome="executed")) == [
        {"day": day, "outcome": "executed", "runs": 1}
    ]


def test_a_day_is_a_day_of_the_zone(office: Office) -> None:
    for number, at in enumerate((LATE - 2 * HOUR, LATE, LATE + HOUR, LATE + 6 * HOUR)):
        office.clock.now = at
        office.run(f"r{number}")
    counted = {
        zone: [(row["day"].day, row["runs"]) for row in office.desk.outcomes(RunFilter(), zone)]
        for zone in ("UTC", "Europe/Berlin", "America/New_York")
    }
    assert counted == {"UTC": [(1, 2), (2, 2)], "Europe/Berlin": [(1, 1), (2, 3)], "America/New_York": [(1, 3), (2, 1)]}


def test_a_zone_that_there_is_not_is_an_error_of_the_project(five: Office) -> None:
    for figures in (five.desk.outcomes, five.desk.decision_times):
        with pytest.raises(BadInput):
            figures(RunFilter(), "Mars/Olympus")


def test_the_time_to_a_decision_is_told_as_median_and_slowest_tenth(office: Office) -> None:
    for number, seconds in enumerate((600, 60, 120)):
        office.waits(f"r{number}", {"mission": "even" if number else "odd"}, created_at=NOW)
        office.decide(f"r{number}", "Rita", at=NOW + timedelta(seconds=seconds))
    (row,) = office.desk.decision_times(RunFilter())
    assert (row["day"], row["decisions"]) == (date(2026, 3, 1), 3)
    assert (float(row["median_s"]), float(row["p90_s"])) == (120, pytest.approx(120 + 0.8 * 480))
    (row,) = office.desk.decision_times(RunFilter(mission="even"))
    assert (row["decisions"], float(row["median_s"])) == (2, 90)
    assert office.desk.decision_times(RunFilter(person="Nick")) == []


def test_a_decision_counts_on_its_own_day_in_the_zone(office: Office) -> None:
    office.waits("r1", created_at=NOW, expires_at=NOW + 90 * HOUR)
    office.decide("r1", "Rita", at=LATE)
    days = {zone: office.desk.decision_times(RunFilter(), zone)[0]["day"].day for zone in ("UTC", "Europe/Berlin")}
    assert days == {"UTC": 1, "Europe/Berlin": 2}


def test_both_of_four_eyes_count_each_with_its_own_time(office: Office) -> None:
    office.waits("r1", role="finance", four_eyes=True, created_at=NOW)
    office.decide("r1", "Fay", at=NOW + HOUR)
    office.decide("r1", "Fred", at=NOW + 3 * HOUR)
    (row,) = office.desk.decision_times(RunFilter())
    assert (row["decisions"], float(row["median_s"])) == (2, 7_200)


def test_who_cited_what_how_often_the_most_first(office: Office) -> None:
    cite = {"clause": "FRD-2", "version": 3}
    for number, (mission, author, cites) in enumerate(
        (
            ("a", "planner", [cite, {"clause": "GOV-1", "version": 1}]),
            ("a", "planner", [cite]),
            ("a", "Rita", [cite]),
            ("b", "planner", []),
        )
    ):
        office.waits(f"r{number}", {"mission": mission}, author=author, cites=cites, created_at=NOW + number * HOUR)
    told = [(row["clause"], row["mission"], row["author"], row["proposals"], row["last"]) for row in office.desk.citations()]
    assert told == [
        ("FRD-2", "a", "planner", 2, NOW + HOUR), ("FRD-2", "a", "Rita", 1, NOW + 2 * HOUR), ("GOV-1", "a", "planner", 1, NOW),
    ]  # fmt: skip
    assert len(office.desk.citations(limit=1)) == 1


# Messages, incidents, audit


def test_a_customer_is_given_their_own_messages_and_no_other_runs(office: Office) -> None:
    for number, (name, customer_id) in enumerate(
        (("support.message", "C-1"), ("support.message", "C-2"), ("order.payment_review", "C-1"), ("support.message", "C-1"))
    ):
        office.clock.passes(minutes=1)
        office.run(f"r{number}", name=name, trigger={"customer_id": customer_id})
    assert [run.run_id for run in office.desk.messages("C-1", "support.message")] == ["r3", "r0"]
    assert [run.run_id for run in office.desk.messages("C-1", "support.message", limit=1)] == ["r3"]
    assert [run.run_id for run in office.desk.messages("C-2", "support.message")] == ["r1"]
    for other in ("C", "c-1", "", "%", "C-1' OR '1'='1"):
        assert list(office.desk.messages(other, "support.message")) == []


def test_incidents_come_with_their_runs_the_oldest_first(five: Office) -> None:
    five.ledger.incident("r3", "wms is down", NOW)
    assert [(one.reason, run) for one, run in five.desk.incidents()] == [
        ("wms is down", five.ledger.run("r3")), ("crm is down", five.ledger.run("r4")),
    ]  # fmt: skip
    five.ledger.resume("r4", by="Rita", reason="it is back", at=NOW + 9 * HOUR)
    assert [run.run_id for _, run in five.desk.incidents()] == ["r3"]
    assert [(run.run_id, one.closed_at) for one, run in five.desk.incidents(open_only=False)] == [
        ("r3", None), ("r4", NOW + 9 * HOUR),
    ]  # fmt: skip


def test_the_audit_log_is_paged_from_its_newest_row(five: Office) -> None:
    whole = five.ledger.audit()
    pages, before = [], None
    while page := five.desk.audit_page(before, limit=7):
        pages.append(page)
        before = page[-1].seq
    assert [len(page) for page in pages][:-1] == [7] * (len(pages) - 1)
    assert [entry for page in pages for entry in page] == whole[::-1]


def test_the_audit_log_is_filtered_by_run_and_kind(five: Office) -> None:
    whole = five.ledger.audit()
    assert five.desk.audit_page(run_id="r1") == [entry for entry in whole if entry.run_id == "r1"][::-1]
    assert five.desk.audit_page(kind="decided") == [entry for entry in whole if entry.kind == "decided"][::-1]
    assert [entry.kind for entry in five.desk.audit_page(run_id="r1", kind="decided")] == ["decided"]
    assert five.desk.audit_page(run_id="r") == five.desk.audit_page(before=1) == []
