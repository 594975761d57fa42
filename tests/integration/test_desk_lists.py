"""What waits, as a list: whose it is, filtered, in an order, a page at a time, with counts over all of it."""

from contextlib import suppress
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from errors import Refused
from ledger import authorization
from ledger.queries import QueueFilter
from tests.actions import SEND_MESSAGE
from tests.integration.desk_examples import Office
from tests.ledger_examples import NOW

pytest_plugins = ["tests.integration.desk_examples"]

HOUR = timedelta(hours=1)
ALL = QueueFilter(scope="all")


def listed(office: Office, by: str = "Rita", offset: int = 0, limit: int = 50, **wanted: Any) -> list[str]:
    """The runs of a page of the queue."""
    chosen = QueueFilter(**{"scope": "all", **wanted})
    return [row.run_id for row in office.desk.queue(office.person(by), chosen, offset, limit).rows]


def approvers(office: Office, run_id: str) -> set[str]:
    """The people whom the choke point would let approve now."""
    run, proposal, earlier = office.ledger.run(run_id), office.ledger.proposal(run_id), office.ledger.decisions(run_id)
    assert proposal is not None
    found = set()
    for person in office.people:
        ask = authorization.DecisionRequest(
            proposal_id=proposal.proposal_id, kind="approve", by=person.name, reason="r", digest=proposal.digest,
            at=office.clock.now,
        )  # fmt: skip
        with suppress(Refused):
            authorization.judge(ask, person, proposal, run, earlier)
            found.add(person.name)
    return found


def test_a_message_of_a_model_in_a_plan_is_known_in_the_list(office: Office) -> None:
    step = {"name": SEND_MESSAGE, "args": {"text": "Dear Ann"}}
    office.waits("run-1", plan=[step])
    office.waits("run-2", plan=[step, {**step, "written_by": "small"}])
    assert {row.run_id: row.written_by_model for row in office.desk.waiting(["run-1", "run-2"])} == {
        "run-1": False,
        "run-2": True,
    }


# Whose it is


def test_mine_is_exactly_what_the_rules_let_one_approve(office: Office) -> None:
    """Every role, plan of four eyes, author, requester, approval and expiry there is, with two people in each part."""
    for name, role in (("Ada", "administrator"), ("Otto", "auditor")):
        office.ledger.add_person(name, role)
    office.ledger.add_person("Carl", "customer", "C-1")
    people = ("Rita", "Fay")
    ways = product(
        ("reviewer", "supervisor", "finance"), ("", "Rita", "Fay", "once"), ("planner", *people), ("", *people),
        (-HOUR, 2 * HOUR),
    )  # fmt: skip
    runs = []
    for number, (role, approved, author, asked, left) in enumerate(ways):
        runs.append(f"run-{number:03}")
        office.waits(
            runs[-1], {"requested_by": asked}, role=role, four_eyes=approved != "once", author=author,
            expires_at=NOW + left, created_at=NOW - 9 * HOUR, due_at=NOW - 2 * HOUR,
        )  # fmt: skip
        if approved in people:
            office.approved_by(runs[-1], approved)
    found = {
        person.name: {row.run_id for row in office.desk.queue(person, QueueFilter(), limit=1_000).rows}
        for person in office.people
    }
    allowed = {run_id: approvers(office, run_id) for run_id in runs}
    assert {run_id: {name for name, mine in found.items() if run_id in mine} for run_id in runs} == allowed
    assert {name: len(mine) for name, mine in found.items()} == {
        "Ada": 0, "Carl": 0, "Nick": 0, "Otto": 0, "Fay": 36, "Fred": 108, "Rita": 12, "Rolf": 36, "Sara": 72,
    }  # fmt: skip


def test_in_its_last_moment_a_proposal_is_still_mine(office: Office) -> None:
    office.waits("run-1", expires_at=NOW, due_at=NOW, created_at=NOW - HOUR)
    assert "Rita" in approvers(office, "run-1")
    assert listed(office, scope="mine") == ["run-1"]


@pytest.mark.parametrize("written", ["rita", " RITA "])
def test_who_asked_for_it_is_the_same_person_however_the_name_is_written(office: Office, written: str) -> None:
    office.waits("run-1", {"requested_by": written})
    assert "Rita" not in approvers(office, "run-1")
    assert listed(office, scope="mine") == []


def test_only_what_is_pending_and_not_stopped_waits(office: Office) -> None:
    for run_id in ("run-1", "run-2", "run-3", "run-4"):
        office.waits(run_id)
    office.decide("run-2", "Rita")
    office.ledger.incident("run-3", "wms is down", NOW)
    office.ledger.finish("run-4", "fulfil", "abandoned", NOW)
    assert listed(office) == ["run-1"]
    assert [row.run_id for row in office.desk.waiting(["run-1", "run-2", "run-3", "run-4", "run-9"])] == ["run-1"]


def test_a_row_has_what_the_list_shows(office: Office) -> None:
    made = office.waits("run-1", {"subject": "O-7", "mission": "m"}, role="finance", four_eyes=True, tier="vip", author="Rolf")
    office.decide("run-1", "Fay")
    claim = office.desk.claim(made.proposal_id, "Fred")
    (row,) = office.desk.queue(office.person("Fred"), ALL).rows
    assert (row.subject, row.mission, row.name, row.verdict, row.author) == ("O-7", "m", "order.payment_review", "fulfil", "Rolf")
    assert (row.money_at_stake_cents, row.tier, row.role, row.four_eyes, row.digest) == (
        12_500,
        "vip",
        "finance",
        True,
        made.digest,
    )
    assert (row.created_at, row.expires_at, row.due_at) == (made.created_at, made.expires_at, made.due_at)
    assert (row.approved_by, row.claim) == (("Fay",), claim)
    assert list(office.desk.waiting(["run-1"])) == [row]


# Filters, orders, pages, counts


@pytest.fixture
def four(office: Office) -> Office:
    """Four that wait, of two missions, three verdicts and three tiers."""
    for number, (subject, mission, verdict, tier, cents, due_h, age_h) in enumerate(
        (
            ("O-4471", "order_exception", "fulfil", "vip", 500, 3, 1),
            ("O-44_1", "order_exception", "cancel", "", 70_000, 1, 4),
            ("ACME 100%", "account_save", "contact", "tier 1", 9_000, 4, 2),
            ("acme gmbh", "account_save", "contact", "tier 2", 9_000, 2, 3),
        ),
        start=1,
    ):
        office.waits(
            f"r{number}", {"subject": subject, "mission": mission}, verdict=verdict, tier=tier, money_at_stake_cents=cents,
            due_at=NOW + due_h * HOUR, created_at=NOW - age_h * HOUR, role="finance" if number == 2 else "reviewer",
        )  # fmt: skip
    return office


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        ({}, ["r2", "r4", "r1", "r3"]),
        ({"order": "money"}, ["r2", "r4", "r3", "r1"]),
        ({"order": "oldest"}, ["r2", "r4", "r3", "r1"]),
        ({"scope": "mine"}, ["r4", "r1", "r3"]),
        ({"mission": "account_save"}, ["r4", "r3"]),
        ({"verdict": "cancel"}, ["r2"]),
        ({"tier": "vip"}, ["r1"]),
        ({"text": "acme"}, ["r4", "r3"]),
        ({"text": "  o-44 "}, ["r2", "r1"]),
        ({"text": "O-44_"}, ["r2"]),
        ({"text": "100%"}, ["r3"]),
        ({"text": "%"}, ["r3"]),
        ({"text": "r3"}, ["r3"]),
        ({"text": "3"}, []),
        ({"text": "\\"}, []),
        ({"mission": "account_save", "tier": "tier 2", "scope": "mine"}, ["r4"]),
        ({"mission": "account' OR '1'='1"}, []),
    ],
)
def test_the_queue_is_filtered_and_ordered(four: Office, wanted: dict[str, Any], runs: list[str]) -> None:
    assert listed(four, **wanted) == runs


def test_what_is_claimed_and_what_has_expired_are_lists_of_their_own(four: Office) -> None:
    four.desk.claim("p of r1", "Rolf")
    assert listed(four, scope="claimed") == ["r1"]
    four.clock.passes(minutes=6)
    assert listed(four, scope="claimed") == listed(four, scope="expired") == []
    four.clock.passes(days=3)
    assert listed(four, scope="expired") == ["r2", "r4", "r1", "r3"]
    assert listed(four, scope="mine") == []


def test_counts_and_sums_are_over_all_pages(four: Office) -> None:
    pages = [four.desk.queue(four.person("Rita"), ALL, offset, 2) for offset in (0, 2, 4)]
    assert [[row.run_id for row in page.rows] for page in pages] == [["r2", "r4"], ["r1", "r3"], []]
    for page in pages:
        assert (page.total, page.money_cents) == (4, 88_500)
        assert page.by_mission == {"order_exception": 2, "account_save": 2}
        assert page.by_verdict == {"fulfil": 1, "cancel": 1, "contact": 2}
        assert page.by_tier == {"vip": 1, "tier 1": 1, "tier 2": 1}
    mine = four.desk.queue(four.person("Rita"), QueueFilter(scope="mine", mission="order_exception"))
    assert (mine.total, mine.money_cents, mine.by_verdict) == (1, 500, {"fulfil": 1})


def test_nothing_that_waits_comes_to_nothing(office: Office) -> None:
    page = office.desk.queue(office.person("Rita"), ALL)
    assert (list(page.rows), page.total, page.money_cents, page.by_mission, page.by_verdict) == ([], 0, 0, {}, {})
