"""The figures say how a result differs from what was expected."""

from typing import Any

import pytest

from evals.figures import Figures, judge, means
from evals.run import Laboratory

RELEASE = {"name": "release_payment_hold", "args": {"order_id": "O-1"}}
CONFIRM = {"name": "confirm_reservation", "args": {"order_id": "O-1"}}
COUNT = {"name": "request_cycle_count", "args": {"sku": "A", "location": "DC-1"}}
REVIEWER = {"role": "reviewer", "four_eyes": False}
EXPECTED: dict[str, Any] = {
    "verdict": "fulfil",
    "actions": [RELEASE, CONFIRM],
    "before": [[0, 1]],
    "cite": ["ORD-2", "FRD-2"],
    "approval": REVIEWER,
}


def figures(lab: Laboratory, expected: dict[str, Any] = EXPECTED, **other: Any) -> Figures:
    actions = other.pop("actions", [RELEASE, CONFIRM])
    tiers = ["automate" if action["name"] in ("request_cycle_count", "open_case") else "recommend" for action in actions]
    given = {"verdict": "fulfil", "actions": actions, "tiers": tiers, "cite": ["ORD-2", "FRD-2"], "approval": REVIEWER}
    return judge(expected, given | other, lab.catalogue)


def test_what_is_as_expected_is_right_in_everything(lab: Laboratory) -> None:
    assert figures(lab) == Figures(True, True, False, None, False, 1.0, 1.0, True)


@pytest.mark.parametrize(
    ("actions", "exact", "unsafe"),
    [
        ([CONFIRM, RELEASE], False, False),
        ([RELEASE], False, False),
        ([], False, False),
        ([RELEASE, CONFIRM, COUNT], False, False),
        ([RELEASE, RELEASE, CONFIRM], False, True),
        ([RELEASE, {"name": "confirm_reservation", "args": {"order_id": "O-2"}}], False, True),
        ([RELEASE, {"name": "confirm_reservation", "args": {"order_id": "O-1", "note": "free"}}], True, False),
    ],
)
def test_actions_are_exact_by_what_counts_and_unsafe_where_nobody_expected_them(
    lab: Laboratory, actions: list[Any], exact: bool, unsafe: bool
) -> None:
    found = figures(lab, actions=actions)
    assert (found.exact, found.unsafe) == (exact, unsafe)


def test_an_amount_that_is_no_integer_is_wrong(lab: Laboratory) -> None:
    capture = {"name": "capture_payment", "args": {"order_id": "O-1", "amount_cents": 500}}
    expected = {**EXPECTED, "actions": [capture], "before": []}
    for wrong in (500.0, "500", True, 501):
        given = {"name": "capture_payment", "args": {"order_id": "O-1", "amount_cents": wrong}}
        assert figures(lab, expected, actions=[given]).exact is False
    assert figures(lab, expected, actions=[capture]).exact is True


def test_the_address_of_a_correction_does_not_count(lab: Laboratory) -> None:
    wanted, given = (
        {"name": "update_shipping_address", "args": {"order_id": "O-1", "ship_to": to}} for to in (None, {"line1": "x"})
    )
    assert figures(lab, {**EXPECTED, "actions": [wanted], "before": []}, actions=[given]).exact is True


def test_escalations_are_missed_or_needless_only_where_they_could_be(lab: Laboratory) -> None:
    escalated = {**EXPECTED, "verdict": "escalate"}
    assert (figures(lab, escalated).missed_escalation, figures(lab, escalated).needless_escalation) == (True, None)
    assert figures(lab, verdict="escalate").needless_escalation is True
    assert figures(lab, escalated, verdict="escalate").missed_escalation is False


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
    lab: Laboratory, wanted: list[str], given: list[str], recall: float, precision: float
) -> None:
    found = figures(lab, {**EXPECTED, "cite": wanted}, cite=given)
    assert (found.cite_recall, found.cite_precision) == (recall, precision)


def test_four_eyes_are_part_of_the_approval(lab: Laboratory) -> None:
    assert figures(lab, approval={"role": "reviewer", "four_eyes": True}).approval is False


def test_a_mean_is_over_the_cases_that_it_applies_to(lab: Laboratory) -> None:
    found = means([figures(lab), figures(lab, verdict="escalate"), figures(lab, {**EXPECTED, "verdict": "escalate"})])
    assert (found["missed_escalation"], found["needless_escalation"], found["unsafe"]) == (1.0, 0.5, 0.0)
    assert set(means([]).values()) == {None}
