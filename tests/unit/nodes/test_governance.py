"""Who must approve: money bands at their limits, flagship stock, and what runs without anybody."""

import pytest

from nodes.check import Judgement
from tests.actions import BACKORDER_LINE, SEND_MESSAGE
from tests.engine import (
    a_customer,
    a_line,
    a_payment,
    a_stock,
    an_authorization,
    an_exception,
    an_inbound,
    an_order,
    drafted,
    judged,
)


def approval(cents: int, *, flagship: bool = False, on_hold: bool = True) -> Judgement:
    raw = an_exception(
        orders=[an_order(lines=[a_line(qty=1, unit_price_cents=cents)])],
        payments=[a_payment(on_hold=on_hold, authorizations=[an_authorization(amount_cents=cents)])],
        stock=[a_stock("A", "FL-1" if flagship else "DC-1")],
        customers=[a_customer(tier="vip")],
    )
    return judged(raw, drafted(raw))


@pytest.mark.parametrize(
    ("cents", "role", "four_eyes", "clauses"),
    [
        (1, "reviewer", False, ()),
        (50_000, "reviewer", False, ()),
        (50_001, "supervisor", False, ("GOV-3",)),
        (500_000, "supervisor", False, ("GOV-3",)),
        (500_001, "finance", True, ("GOV-3",)),
        (10**12, "finance", True, ("GOV-3",)),
    ],
)
def test_the_money_at_stake_gives_the_role(cents: int, role: str, four_eyes: bool, clauses: tuple[str, ...]) -> None:
    found = approval(cents)
    assert (found.money_at_stake_cents, found.approval.role, found.approval.four_eyes) == (cents, role, four_eyes)
    assert found.approval.clauses == clauses


@pytest.mark.parametrize(("cents", "role"), [(100, "supervisor"), (50_001, "supervisor"), (500_001, "finance")])
def test_stock_of_a_flagship_needs_at_least_a_supervisor(cents: int, role: str) -> None:
    found = approval(cents, flagship=True).approval
    assert found.role == role and found.four_eyes == (role == "finance")
    assert ("GOV-4" in found.clauses) == (role == "supervisor")


def test_without_a_hold_to_release_the_total_is_not_at_stake() -> None:
    found = approval(10**6, on_hold=False)
    assert (found.money_at_stake_cents, found.approval.role) == (0, "reviewer")


def test_an_escalation_and_an_empty_plan_wait_for_nobody() -> None:
    for raw in (an_exception(oms=None), an_exception(orders=[an_order(status="ready")])):
        assert judged(raw, drafted(raw)).approval.role == "none"


def test_what_follows_from_an_event_that_a_model_read_waits_for_a_person() -> None:
    raw = an_exception(oms=None)
    raw["trigger"]["read_by"] = "gpt-x"
    assert judged(raw, drafted(raw)).approval.role == "reviewer"


def test_a_notice_of_delay_runs_by_itself_beside_work_that_waits() -> None:
    raw = an_exception(stock=[], inbound=[an_inbound(eta="2026-03-15T12:00:00Z")])
    found = judged(raw, drafted(raw))
    assert [(action["name"], action["tier"]) for action in found.plan] == [
        (BACKORDER_LINE, "recommend"),
        (SEND_MESSAGE, "automate"),
    ]
    assert found.approval.role == "reviewer"


def test_only_the_notice_of_delay_is_a_message_that_runs_by_itself() -> None:
    checks = [{"order_id": "O-1", "result": "undeliverable", "confidence": None, "suggested": None}]
    raw = an_exception(address_checks=checks)
    assert {action["tier"] for action in judged(raw, drafted(raw)).plan} == {"recommend"}
