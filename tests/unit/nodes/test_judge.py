"""The check trusts nobody: every plan is judged on the facts, whoever made it."""

from typing import Any

import pytest

from nodes.check import MOST_ACTIONS
from tests.actions import (
    BACKORDER_LINE,
    CANCEL_ORDER,
    CAPTURE_PAYMENT,
    CONFIRM_RESERVATION,
    OPEN_CASE,
    REALLOCATE_LINE,
    REAUTHORIZE,
    REFUND_CHARGE,
    RELEASE_PAYMENT_HOLD,
    RELEASE_TO_FULFILMENT,
    REQUEST_CYCLE_COUNT,
    SEND_MESSAGE,
    SUBSTITUTE_LINE,
    UPDATE_SHIPPING_ADDRESS,
    VOID_AUTHORIZATION,
)
from tests.engine import (
    a_charge,
    a_line,
    a_payment,
    a_stock,
    an_address,
    an_exception,
    an_inbound,
    an_order,
    drafted,
    judged,
    objections,
)

O1 = {"order_id": "O-1"}
O9 = {"order_id": "O-9"}
LINE = {"order_id": "O-1", "line_id": "1"}
NOTICE = {"customer_id": "C-1", "template": "delay_notice", "text": "It comes later."}
RELEASE = [(RELEASE_PAYMENT_HOLD, O1), (CONFIRM_RESERVATION, O1), (RELEASE_TO_FULFILMENT, O1)]
CORRECTED = [{"order_id": "O-1", "result": "corrected", "confidence": 0.9, "suggested": an_address(postal_code="45403")}]
SHIPPED = [an_order(status="shipped")]


def test_a_plan_in_order_passes_with_sentences_tiers_and_undoing() -> None:
    judgement = judged(an_exception(), drafted(an_exception()))
    assert judgement.objections == ()
    assert [action["tier"] for action in judgement.plan] == ["recommend"] * 3
    assert next(action["tool"] for action in judgement.plan) == "payments.release_payment_hold"
    assert judgement.money_at_stake_cents == 10_000


@pytest.mark.parametrize(
    ("name", "args", "exception", "says"),
    [
        (REAUTHORIZE, {**O9, "amount_cents": 10_000}, {}, "only this case's order is authorized"),
        (
            CAPTURE_PAYMENT,
            {**O9, "amount_cents": 10_000},
            {"orders": SHIPPED},
            "only this case's order is captured",
        ),
        (RELEASE_PAYMENT_HOLD, O9, {}, "an order with a high fraud score is not released"),
        (
            RELEASE_PAYMENT_HOLD,
            O1,
            {"payments": [a_payment(fraud={"score": 0.75, "signals": []})]},
            "an order with a high fraud score is not released (FRD-3)",
        ),
        (RELEASE_PAYMENT_HOLD, O1, {"payments": [a_payment(fraud=None)]}, "it is not known whether"),
        (
            RELEASE_PAYMENT_HOLD,
            O1,
            {"payments": [a_payment(fraud={"score": 0.5, "signals": ["x"]})]},
            "released only when every signal is explained",
        ),
        (RELEASE_TO_FULFILMENT, O9, {}, "only this case's order is released"),
        (
            UPDATE_SHIPPING_ADDRESS,
            {**O1, "ship_to": an_address(line1="Elsewhere 1")},
            {"address_checks": CORRECTED},
            "the carrier suggests",
        ),
        (UPDATE_SHIPPING_ADDRESS, {**O1, "ship_to": an_address()}, {}, "the carrier suggests"),
        (CANCEL_ORDER, {**O9, "reason": "duplicate"}, {}, "only this case's order or its later duplicate"),
        (
            REALLOCATE_LINE,
            {**LINE, "to_location": "DC-2"},
            {},
            "this must hold: the location reliably has enough stock",
        ),
        (
            REALLOCATE_LINE,
            {**LINE, "to_location": "DC-2"},
            {"stock": [a_stock("A", "DC-2", failed_picks_14d=2)]},
            "enough stock",
        ),
        (
            SUBSTITUTE_LINE,
            {**LINE, "sku": "B"},
            {"orders": [an_order(allow_substitution=True)]},
            "the substitute is in stock",
        ),
        (BACKORDER_LINE, {**LINE, "po_id": "PO-9"}, {"inbound": [an_inbound()]}, "the delivery is large enough"),
        (BACKORDER_LINE, {**LINE, "po_id": "PO-1"}, {"inbound": [an_inbound(qty=1)]}, "the delivery is large enough"),
        (
            REFUND_CHARGE,
            {"charge_id": "ch-9", "amount_cents": 1},
            {},
            "a refund does not exceed what is left on this customer's charge",
        ),
        (
            REFUND_CHARGE,
            {"charge_id": "ch-1", "amount_cents": 9_001},
            {"payments": [a_payment(charges=[a_charge(refunded_cents=1_000)])]},
            "a refund does not exceed what is left on this customer's charge",
        ),
        (VOID_AUTHORIZATION, {"auth_id": "au-9"}, {}, "the authorization belongs to this customer"),
        (SEND_MESSAGE, {**NOTICE, "customer_id": "C-9"}, {}, "the customer who placed the order"),
        (SEND_MESSAGE, {"customer_id": "C-1", "template": "delay_notice"}, {}, "send_message needs the argument 'text'"),
        (SEND_MESSAGE, {**NOTICE, "text": ""}, {}, "text must be text of 1 to 4000 characters"),
        (SEND_MESSAGE, {**NOTICE, "text": "x" * 4_001}, {}, "text must be text of 1 to 4000 characters"),
        (SEND_MESSAGE, {**NOTICE, "text": {"draft": "delay_notice"}}, {}, "text must be text"),
        (SEND_MESSAGE, {**NOTICE, "template": "you_won"}, {}, "template must be one of"),
        ("open_everything", {}, {}, "'open_everything' is not an action of the catalogue"),
        (REFUND_CHARGE, {"charge_id": "ch-1", "amount_cents": -1}, {}, "whole number of cents"),
        (CAPTURE_PAYMENT, {**O1, "amount_cents": 10_000}, {}, "only a shipped order is captured manually"),
        (CAPTURE_PAYMENT, {**O1, "amount_cents": 9_999}, {"orders": SHIPPED}, "the amount is not the order total"),
        (RELEASE_TO_FULFILMENT, O1, {}, "the payment is still on hold"),
    ],
)
def test_an_action_that_the_facts_do_not_bear_is_sent_back(name: str, args: Any, exception: Any, says: str) -> None:
    verdict = "capture" if exception.get("orders") == SHIPPED else "fulfil_with_changes"
    assert says in objections(an_exception(**exception), verdict, (name, args))


def test_what_cannot_be_told_is_sent_back() -> None:
    said = objections(an_exception(wms=None), "fulfil_with_changes", (REALLOCATE_LINE, {**LINE, "to_location": "DC-2"}))
    assert "it is not known whether the location reliably has enough stock" in said


@pytest.mark.parametrize("plan", [RELEASE[::-1], [RELEASE[1], RELEASE[0], RELEASE[2]]])
def test_a_wrong_order_of_work_is_sent_back(plan: list[Any]) -> None:
    assert "must come after" in objections(an_exception(), "fulfil", *plan)


def test_a_message_before_the_work_is_sent_back() -> None:
    message = (SEND_MESSAGE, NOTICE)
    assert "send_message must come after release_payment_hold" in objections(an_exception(), "fulfil", message, *RELEASE)
    assert objections(an_exception(), "fulfil", *RELEASE, message) == ""


def test_the_same_step_twice_is_sent_back_by_its_need() -> None:
    assert "step 2, release_payment_hold: the payment is not on hold" in objections(
        an_exception(), "fulfil", RELEASE[0], *RELEASE
    )


def test_refunds_are_added_up_over_the_plan() -> None:
    raw = an_exception(payments=[a_payment(charges=[a_charge()])])
    refund = (REFUND_CHARGE, {"charge_id": "ch-1", "amount_cents": 6_000})
    assert objections(raw, "fulfil_with_changes", refund) == ""
    assert "step 2, refund_charge: the amount is more than what is left" in objections(raw, "fulfil_with_changes", refund, refund)


def test_a_clause_that_was_not_retrieved_cannot_be_cited() -> None:
    assert objections(an_exception(), "fulfil", *RELEASE, cites=("ORD-2", "XYZ-1")) == "XYZ-1 is cited and was not retrieved"


def test_a_verdict_that_the_pack_does_not_have_is_sent_back() -> None:
    assert "'celebrate' is not a verdict of order_exception" in objections(an_exception(), "celebrate")


@pytest.mark.parametrize(
    "plan",
    [
        [],
        RELEASE[:1],
        [(OPEN_CASE, {"queue": "fraud", "subject_id": "O-1"}), RELEASE[0]],
        [(OPEN_CASE, {"queue": "fraud", "subject_id": "O-1"})] * 2,
    ],
)
def test_an_escalation_that_does_anything_else_than_open_one_case_is_sent_back(plan: list[Any]) -> None:
    assert objections(an_exception(), "escalate", *plan) == "an escalation opens one case and does nothing else"


def test_more_actions_than_anybody_can_decide_are_sent_back() -> None:
    count = (REQUEST_CYCLE_COUNT, {"sku": "A", "location": "DC-1"})
    assert "at most 200" in objections(an_exception(), "fulfil", *[count] * (MOST_ACTIONS + 1))
    assert objections(an_exception(), "fulfil", *[count] * MOST_ACTIONS) == ""


def test_what_a_draft_says_of_itself_is_not_trusted() -> None:
    draft = drafted(an_exception())
    for action in draft["plan"]:
        action.update(tier="automate", says="nothing happens", approved=True)
    draft.update(money_at_stake_cents=0, approval={"role": "none"})
    judgement = judged(an_exception(), draft)
    assert judgement.approval.role == "reviewer" and judgement.money_at_stake_cents == 10_000
    assert {action["tier"] for action in judgement.plan} == {"recommend"}


def test_judging_changes_neither_facts_nor_draft() -> None:
    raw = an_exception(orders=[an_order(lines=[a_line("1", "A"), a_line("2", "B")])], stock=[a_stock("A"), a_stock("B", "DC-2")])
    draft = drafted(raw)
    assert judged(raw, draft) == judged(raw, draft) and draft == drafted(raw)
