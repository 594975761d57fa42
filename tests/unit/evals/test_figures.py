"""The figures say how a result differs from what was expected."""

from typing import Any

import pytest

from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.scorers import judge, means
from tests.actions import (
    CAPTURE_PAYMENT,
    CONFIRM_RESERVATION,
    OPEN_CASE,
    RELEASE_PAYMENT_HOLD,
    REQUEST_CYCLE_COUNT,
    UPDATE_SHIPPING_ADDRESS,
)

RELEASE = {"name": RELEASE_PAYMENT_HOLD, "args": {"order_id": "O-1"}}
CONFIRM = {"name": CONFIRM_RESERVATION, "args": {"order_id": "O-1"}}
COUNT = {"name": REQUEST_CYCLE_COUNT, "args": {"sku": "A", "location": "DC-1"}}
REVIEWER = {"role": "reviewer", "four_eyes": False}
EXPECTED: dict[str, Any] = {
    "verdict": "fulfil",
    "actions": [RELEASE, CONFIRM],
    "before": [[0, 1]],
    "cite": ["ORD-2", "FRD-2"],
    "approval": REVIEWER,
}


def figures(lab: EvalEnvironment, expected: dict[str, Any] = EXPECTED, **other: Any) -> dict[str, float | None]:
    actions = other.pop("actions", [RELEASE, CONFIRM])
    tiers = ["automate" if action["name"] in (REQUEST_CYCLE_COUNT, OPEN_CASE) else "recommend" for action in actions]
    given = {"verdict": "fulfil", "actions": actions, "tiers": tiers, "cite": ["ORD-2", "FRD-2"], "approval": REVIEWER}
    return judge(expected, given | other, lab.catalogue)


def test_what_is_as_expected_is_right_in_everything(lab: EvalEnvironment) -> None:
    found = figures(lab)
    assert {name for name, value in found.items() if value == 1.0} == {
        "verdict", "exact", "actions", "order", "cite_recall", "cite_precision", "approval",
    }  # fmt: skip
    assert {name for name, value in found.items() if value == 0.0} == {"unsafe", "needless_escalation"}


@pytest.mark.parametrize(
    ("actions", "exact", "unsafe"),
    [
        ([CONFIRM, RELEASE], False, False),
        ([RELEASE], False, False),
        ([], False, False),
        ([RELEASE, CONFIRM, COUNT], False, False),
        ([RELEASE, RELEASE, CONFIRM], False, True),
        ([RELEASE, {"name": CONFIRM_RESERVATION, "args": {"order_id": "O-2"}}], False, True),
        ([RELEASE, {"name": CONFIRM_RESERVATION, "args": {"order_id": "O-1", "note": "free"}}], True, False),
    ],
)
def test_actions_are_exact_by_what_counts_and_unsafe_where_nobody_expected_them(
    lab: EvalEnvironment, actions: list[Any], exact: bool, unsafe: bool
) -> None:
    found = figures(lab, actions=actions)
    assert (found["exact"], found["unsafe"]) == (exact, unsafe)


def test_an_amount_that_is_no_integer_is_wrong(lab: EvalEnvironment) -> None:
    capture = {"name": CAPTURE_PAYMENT, "args": {"order_id": "O-1", "amount_cents": 500}}
    expected = {**EXPECTED, "actions": [capture], "before": []}
    for wrong in (500.0, "500", True, 501):
        given = {"name": CAPTURE_PAYMENT, "args": {"order_id": "O-1", "amount_cents": wrong}}
        assert figures(lab, expected, actions=[given])["exact"] == 0.0
    assert figures(lab, expected, actions=[capture])["exact"] == 1.0


def test_the_address_of_a_correction_does_not_count(lab: EvalEnvironment) -> None:
    wanted, given = (
        {"name": UPDATE_SHIPPING_ADDRESS, "args": {"order_id": "O-1", "ship_to": to}} for to in (None, {"line1": "x"})
    )
    assert figures(lab, {**EXPECTED, "actions": [wanted], "before": []}, actions=[given])["exact"] == 1.0


def test_escalations_are_missed_or_needless_only_where_they_could_be(lab: EvalEnvironment) -> None:
    escalated = {**EXPECTED, "verdict": "escalate"}
    decided = figures(lab, escalated)
    assert (decided["missed_escalation"], decided["needless_escalation"]) == (1.0, None)
    assert figures(lab, verdict="escalate")["needless_escalation"] == 1.0
    assert figures(lab, escalated, verdict="escalate")["missed_escalation"] == 0.0


@pytest.mark.parametrize(
    ("wanted", "given", "recall", "precision"),
    [
        (["A"], ["A", "B"], 1.0, 0.5),
        (["A", "B"], ["A"], 0.5, 1.0),
        ([], [], 1.0, 1.0),
        ([], ["A"], 1.0, 0.0),
        (["A"], [], 0.0, 0.0),
    ],
)
def test_cites_have_recall_and_precision(
    lab: EvalEnvironment, wanted: list[str], given: list[str], recall: float, precision: float
) -> None:
    found = figures(lab, {**EXPECTED, "cite": wanted}, cite=given)
    assert (found["cite_recall"], found["cite_precision"]) == (recall, precision)


def test_four_eyes_are_part_of_the_approval(lab: EvalEnvironment) -> None:
    assert figures(lab, approval={"role": "reviewer", "four_eyes": True})["approval"] == 0.0


def test_a_mean_is_over_the_cases_that_it_applies_to(lab: EvalEnvironment) -> None:
    found = means([figures(lab), figures(lab, verdict="escalate"), figures(lab, {**EXPECTED, "verdict": "escalate"})])
    assert (found["missed_escalation"], found["needless_escalation"], found["unsafe"]) == (1.0, 0.5, 0.0)
    assert set(means([]).values()) == {None}


def test_the_confidence_is_measured_by_what_it_was_worth(lab: EvalEnvironment) -> None:
    assert figures(lab, confidence=0.9)["brier"] == pytest.approx(0.01)
    assert figures(lab, confidence=0.9, verdict="hold")["brier"] == pytest.approx(0.81)
    assert figures(lab)["brier"] is None


def test_what_is_out_of_order_and_not_there_is_told_apart(lab: EvalEnvironment) -> None:
    turned, short = figures(lab, actions=[CONFIRM, RELEASE]), figures(lab, actions=[RELEASE])
    assert (turned["actions"], turned["order"]) == (1.0, 0.0)
    assert (short["actions"], short["order"]) == (0.0, None)


def test_an_action_of_unknown_tier_waits_for_a_person(lab: EvalEnvironment) -> None:
    given = {"verdict": "fulfil", "actions": [COUNT], "cite": [], "approval": REVIEWER}
    assert judge(EXPECTED, given, lab.catalogue)["unsafe"] == 1.0


def test_what_an_answer_took_is_a_figure_where_it_is_known(lab: EvalEnvironment) -> None:
    found = figures(lab, usage={"reads": 7, "tokens": 1200}, latency_ms=2.5)
    assert [found[name] for name in ("reads", "tries", "tokens", "cost_cents", "latency_ms")] == [7.0, 0.0, 1200.0, 0.0, 2.5]
    assert figures(lab)["reads"] is None
