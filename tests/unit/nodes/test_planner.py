"""The planner takes the first workable option of every finding, and what ends the case ends it."""

from typing import Any

import pytest

from evals.evaluation.environment import EvalEnvironment
from nodes import planner
from nodes.case import Case, PlanSoFar
from nodes.planner import Composed, compose, in_order, unique
from systems.catalogue import Catalogue
from tests.actions import (
    BACKORDER_LINE,
    CANCEL_LINE,
    CANCEL_ORDER,
    CONFIRM_RESERVATION,
    PLACE_ORDER_HOLD,
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
    a_customer,
    a_line,
    a_payment,
    a_stock,
    an_address,
    an_authorization,
    an_exception,
    an_inbound,
    an_order,
    drafted,
    judged,
    names,
    opened,
    result,
)

RELEASED = [RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT]
DOUBTFUL = [{"order_id": "O-1", "result": "ambiguous", "confidence": None, "suggested": None}]
CORRECTED = [{"order_id": "O-1", "result": "corrected", "confidence": 0.9, "suggested": an_address(postal_code="45403")}]
TWIN = an_order("O-2", created_at="2026-03-09T12:30:00Z")
CANCELLATION = {"name": CANCEL_ORDER, "args": {"order_id": "O-1", "reason": "duplicate"}}
SUBSTITUTES = [
    {"sku": "A", "unit_price_cents": 5_000, "substitutes": ["B", "C"]},
    {"sku": "B", "unit_price_cents": 5_501, "substitutes": []},
    {"sku": "C", "unit_price_cents": 4_500, "substitutes": []},
]


def args_of(draft: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [action["args"] for action in draft["plan"] if action["name"] == name]


def test_an_order_that_nothing_stops_is_fulfilled() -> None:
    draft = drafted(an_exception())
    assert (draft["verdict"], names(draft), draft["cites"], draft["confidence"]) == ("fulfil", RELEASED, ["ORD-2"], 1.0)


def test_the_first_workable_option_is_taken_and_the_others_say_why_they_lost() -> None:
    draft = drafted(an_exception(stock=[], inbound=[an_inbound()]))
    assert names(draft)[:1] == [BACKORDER_LINE] and draft["verdict"] == "backorder"
    assert [(lost["option"], lost["lost_because"]) for lost in draft["alternatives"]] == [
        ("another distribution centre", "no other distribution center reliably has 2 × A"),
        ("a store", "no store reliably has 2 × A"),
    ]


@pytest.mark.parametrize(
    ("found", "to"),
    [
        ([a_stock("A", "DC-2", 3), a_stock("A", "DC-3", 4), a_stock("A", "ST-1", 99)], "DC-3"),
        ([a_stock("A", "DC-3", 4), a_stock("A", "DC-2", 4)], "DC-2"),
        ([a_stock("A", "DC-2", 9, failed_picks_14d=2), a_stock("A", "ST-1", 2)], "ST-1"),
        ([a_stock("A", "DC-2", 9, last_counted_at="2026-02-08T11:59:59Z"), a_stock("A", "ST-1", 2)], "ST-1"),
        ([a_stock("A", "DC-2", 2, last_counted_at="2026-02-08T12:00:00Z"), a_stock("A", "ST-1", 2)], "DC-2"),
    ],
)
def test_a_short_line_moves_to_the_place_that_the_handbook_prefers(found: list[Any], to: str) -> None:
    draft = drafted(an_exception(stock=found))
    assert draft["verdict"] == "fulfil_with_changes"
    assert args_of(draft, REALLOCATE_LINE) == [{"order_id": "O-1", "line_id": "1", "to_location": to}]


@pytest.mark.parametrize(("tier", "verdict"), [("vip", "fulfil_with_changes"), ("gold", "cancel"), (None, "cancel")])
def test_only_a_vip_gets_stock_of_a_flagship(tier: str | None, verdict: str) -> None:
    assert drafted(an_exception(stock=[a_stock("A", "FL-1")], customers=[a_customer(tier=tier)]))["verdict"] == verdict


def test_the_first_substitute_near_in_price_and_in_stock_is_taken() -> None:
    raw = an_exception(orders=[an_order(allow_substitution=True)], stock=[a_stock("B"), a_stock("C")], items=SUBSTITUTES)
    assert args_of(drafted(raw), SUBSTITUTE_LINE) == [{"order_id": "O-1", "line_id": "1", "sku": "C"}]


def test_what_one_line_takes_is_not_there_for_the_next() -> None:
    lines = [a_line("1", "A"), a_line("2", "B")]
    items = [{"sku": sku, "unit_price_cents": 5_000, "substitutes": ["S"]} for sku in "ABS"]
    raw = an_exception(orders=[an_order(lines=lines, allow_substitution=True)], stock=[a_stock("S", on_hand=3)], items=items)
    draft = drafted(raw)
    assert [args["line_id"] for args in args_of(draft, SUBSTITUTE_LINE)] == ["1"]
    assert [args["line_id"] for args in args_of(draft, CANCEL_LINE)] == ["2"]


def test_a_doubtful_address_ends_the_case_with_nothing_but_the_hold() -> None:
    lapsed = [a_payment(authorizations=[])]
    draft = drafted(an_exception(address_checks=DOUBTFUL, payments=lapsed, stock=[]))
    assert (draft["verdict"], names(draft)) == ("hold_for_customer", [PLACE_ORDER_HOLD, SEND_MESSAGE])
    assert draft["cites"] == ["ADR-3"]


def test_a_hold_keeps_the_cancelled_duplicate_and_the_count_and_drops_the_rest() -> None:
    lines = [a_line("1", "A"), a_line("2", "B")]
    raw = an_exception(
        orders=[
            an_order(lines=lines, allow_split=False),
            an_order("O-2", lines=lines, created_at="2026-03-09T12:30:00Z"),
        ],
        payments=[a_payment(authorizations=[]), a_payment("O-2", authorizations=[an_authorization("au-2")])],
        stock=[a_stock("A", failed_picks_14d=5), a_stock("B")],
        address_checks=CORRECTED,
    )
    draft = drafted(raw)
    assert draft["verdict"] == "hold_for_customer"
    assert names(draft) == [
        CANCEL_ORDER,
        VOID_AUTHORIZATION,
        REQUEST_CYCLE_COUNT,
        PLACE_ORDER_HOLD,
        SEND_MESSAGE,
    ]
    assert draft["cites"] == ["DUP-1", "CAN-1", "STK-2", "STK-5"]
    assert not judged(raw, draft).objections


def test_an_escalation_keeps_nothing_else() -> None:
    raw = an_exception(orders=[an_order(), TWIN], payments=[a_payment(fraud={"score": 0.75, "signals": []}), a_payment("O-2")])
    draft = drafted(raw)
    assert (draft["verdict"], draft["cites"]) == ("escalate", ["FRD-3"])
    assert draft["plan"][0]["args"] == {"queue": "fraud", "subject_id": "O-1"} and len(draft["plan"]) == 1


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.3999, "fulfil"), (0.40, "escalate"), (0.7499, "escalate"), (0.75, "escalate"), (1, "escalate"), (0, "fulfil")],
)
def test_the_fraud_score_decides_at_its_limits(score: float, verdict: str) -> None:
    fraud = {"score": score, "signals": ["card_country_mismatch"]}
    assert drafted(an_exception(payments=[a_payment(fraud=fraud)]))["verdict"] == verdict


@pytest.mark.parametrize(
    ("down", "collections", "verdict"),
    [
        ("crm", {}, "fulfil"),
        ("erp", {}, "fulfil"),
        ("crm", {"stock": []}, "escalate"),
        ("wms", {}, "escalate"),
        ("wms", {"address_checks": DOUBTFUL}, "hold_for_customer"),
        ("wms", {"orders": [an_order(status="shipped")]}, "capture"),
        ("payments", {}, "escalate"),
        ("payments", {"orders": [an_order(status="delivered")]}, "no_action"),
        ("logistics", {}, "escalate"),
        ("logistics", {"payments": [a_payment(fraud={"score": 0.9, "signals": []})]}, "escalate"),
        ("oms", {}, "escalate"),
    ],
)
def test_a_system_that_is_down_matters_only_where_it_is_needed(down: str, collections: Any, verdict: str) -> None:
    raw = an_exception(**collections)
    raw["systems"][down] = None
    draft = drafted(raw)
    assert draft["verdict"] == verdict
    if verdict == "escalate" and "payments" not in collections:
        assert (draft["cites"], draft["plan"][0]["args"]["queue"]) == (["GOV-7"], "operations")
        assert f"{down} could not be reached" in draft["rationale"]


def test_what_could_not_be_read_lowers_the_confidence() -> None:
    assert 0 < drafted(an_exception(crm=None))["confidence"] < 1


def test_an_order_that_is_not_there_goes_to_operations() -> None:
    assert drafted(an_exception(orders=[]))["plan"][0]["args"] == {"queue": "operations", "subject_id": "O-1"}


@pytest.mark.parametrize("status", ["on_its_way", "SHIPPED", "", None])
def test_an_order_in_a_state_that_nobody_knows_is_neither_released_nor_cancelled(status: str | None) -> None:
    raw = an_exception(orders=[an_order(status=status)])
    assert "the order is neither open nor ready" in str(judged(raw, drafted(raw)).objections)
    cancelled = {**drafted(raw), "plan": [drafted(raw)["plan"][0] | CANCELLATION]}
    assert "the order is neither open nor ready" in str(judged(raw, cancelled).objections)


def test_changes_come_before_the_release_and_messages_last() -> None:
    lines = [a_line("1", "A"), a_line("2", "B")]
    raw = an_exception(
        orders=[an_order(lines=lines)],
        payments=[a_payment(authorizations=[])],
        address_checks=CORRECTED,
        stock=[a_stock("B")],
        inbound=[an_inbound(eta="2026-03-16T12:00:00Z")],
    )
    assert names(drafted(raw)) == [
        UPDATE_SHIPPING_ADDRESS,
        REAUTHORIZE,
        BACKORDER_LINE,
        *RELEASED,
        SEND_MESSAGE,
    ]


@pytest.mark.parametrize(("eta", "late"), [("2026-03-14T12:00:00Z", 0), ("2026-03-14T12:00:01Z", 1), ("2026-03-16T12:00:00Z", 1)])
def test_two_late_lines_give_one_notice_and_lines_in_time_none(eta: str, late: int) -> None:
    lines = [a_line("1", "A"), a_line("2", "B")]
    inbound = [an_inbound("PO-1", eta=eta), an_inbound("PO-2", sku="B", eta=eta)]
    draft = drafted(
        an_exception(
            orders=[an_order(lines=lines)],
            payments=[a_payment(authorizations=[an_authorization(amount_cents=20_000)])],
            stock=[],
            inbound=inbound,
        )
    )
    assert names(draft) == [BACKORDER_LINE, BACKORDER_LINE, *[SEND_MESSAGE] * late]


def test_a_delivery_later_than_two_days_after_the_promise_is_not_waited_for() -> None:
    assert drafted(an_exception(stock=[], inbound=[an_inbound(eta="2026-03-16T12:00:01Z")]))["verdict"] == "cancel"


def test_two_equal_refunds_of_one_charge_stay_two() -> None:
    lines = [a_line("1", "A"), a_line("2", "B"), a_line("3", "C")]
    raw = an_exception(
        orders=[an_order(lines=lines)],
        payments=[a_payment(charges=[a_charge(amount_cents=30_000)])],
        stock=[a_stock("C")],
    )
    draft = drafted(raw)
    assert args_of(draft, REFUND_CHARGE) == [{"charge_id": "ch-1", "amount_cents": 10_000}] * 2
    assert judged(raw, draft).money_at_stake_cents == 30_000


@pytest.mark.parametrize(
    ("minutes", "verdict"),
    [("12:30:00", "fulfil"), ("12:30:01", "fulfil"), ("11:30:00", "cancel_duplicate"), ("11:29:59", "fulfil")],
)
def test_the_later_of_two_duplicates_within_half_an_hour_is_cancelled(minutes: str, verdict: str) -> None:
    other = an_order("O-2", created_at=f"2026-03-09T{minutes}Z")
    draft = drafted(an_exception(orders=[an_order(), other], payments=[a_payment(), a_payment("O-2", authorizations=[])]))
    assert draft["verdict"] == verdict
    assert (CANCEL_ORDER in names(draft)) == (minutes in ("12:30:00", "11:30:00"))


def test_equal_actions_that_are_done_once_are_kept_once(lab: EvalEnvironment) -> None:
    count = {"name": REQUEST_CYCLE_COUNT, "args": {"sku": "A", "location": "DC-1"}}
    refund = {"name": REFUND_CHARGE, "args": {"charge_id": "ch-1", "amount_cents": 5}}
    assert unique([count, refund, dict(count), dict(refund)], lab.catalogue) == [count, refund, refund]


def test_actions_that_need_no_order_stay_as_given(lab: EvalEnvironment) -> None:
    given: list[dict[str, Any]] = [
        {"name": name, "args": {}} for name in (SEND_MESSAGE, REQUEST_CYCLE_COUNT, CONFIRM_RESERVATION, CANCEL_LINE)
    ]
    assert [action["name"] for action in in_order(given, lab.catalogue)] == [
        REQUEST_CYCLE_COUNT,
        CANCEL_LINE,
        CONFIRM_RESERVATION,
        SEND_MESSAGE,
    ]


def test_the_same_case_gives_the_same_plan() -> None:
    raw = an_exception(stock=[a_stock("A", "DC-2"), a_stock("A", "ST-1")], address_checks=CORRECTED)
    assert drafted(raw) == drafted(raw)


def test_a_plan_that_was_tried_leaves_the_case_as_it_was(lab: EvalEnvironment) -> None:
    case = opened(an_exception(stock=[a_stock("A", "DC-2", 2)]))
    first, second = compose(case, lab.catalogue), compose(case, lab.catalogue)
    assert REALLOCATE_LINE in names(first.draft)
    assert first == second
    tried = case.after(PlanSoFar().taking("A", "DC-2", 1).leaving("stock.short", [{"line_id": "1"}]))
    assert tried.scope is case.scope and compose(case, lab.catalogue) == first


def test_the_planner_makes_one_plan_for_a_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Case] = []

    def counted(case: Case, catalogue: Catalogue, *picks: Any) -> Composed:
        made.append(case)
        return compose(case, catalogue, *picks)

    monkeypatch.setattr(planner, "compose", counted)
    result(an_exception(stock=[a_stock("A", "DC-2")]))
    assert len(made) == 1
