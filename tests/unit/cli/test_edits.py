"""`--set` and `--drop` of `missions decide RUN edit`."""

from typing import Any

import pytest

from cli import decide
from errors import BadInput
from systems.catalogue import load_catalogue
from tests.actions import CANCEL_ORDER, REFUND_CHARGE

PLAN: list[dict[str, Any]] = [
    {
        "name": CANCEL_ORDER,
        "args": {"order_id": "O-1", "reason": "duplicate"},
        "for": "a",
        "part": "O-1",
        "cites": ["DUP-1"],
        "says": "…",
    },
    {
        "name": REFUND_CHARGE,
        "args": {"charge_id": "ch_1", "amount_cents": 500},
        "for": "b",
        "part": None,
        "cites": [],
        "says": "…",
    },
]


CATALOGUE = load_catalogue()


def edited(plan: list[dict[str, Any]], edits: list[str], drops: list[int]) -> list[dict[str, Any]]:
    return decide.edited(plan, edits, drops, CATALOGUE)


def test_a_word_that_is_none_of_the_choices_is_refused_with_the_choices() -> None:
    with pytest.raises(BadInput, match="reason must be one of duplicate, out_of_stock"):
        edited(PLAN, ["1.reason=because"], [])


def test_an_amount_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(BadInput, match="amount_cents must be a whole number of cents"):
        edited(PLAN, ["2.amount_cents=4.50"], [])


def test_an_argument_is_set_and_the_plan_that_was_given_stays_as_it_was() -> None:
    plan = edited(PLAN, ["1.reason=out_of_stock"], [])
    assert plan[0]["args"] == {"order_id": "O-1", "reason": "out_of_stock"}
    assert PLAN[0]["args"]["reason"] == "duplicate"


def test_a_number_stays_a_number_and_an_id_stays_a_text() -> None:
    plan = edited(PLAN, ["2.amount_cents=400", "2.charge_id=77"], [])
    assert plan[1]["args"] == {"charge_id": "77", "amount_cents": 400}


def test_a_value_may_hold_equals_and_dots() -> None:
    assert edited(PLAN, ["2.charge_id=a=b.c"], [])[1]["args"]["charge_id"] == "a=b.c"


def test_steps_are_counted_from_one_as_they_were_before_any_was_dropped() -> None:
    plan = edited(PLAN, ["2.amount_cents=1"], [1])
    assert [(step["name"], step["args"]["amount_cents"]) for step in plan] == [(REFUND_CHARGE, 1)]


def test_an_edit_takes_over_nothing_that_the_check_works_out_itself() -> None:
    assert edited(PLAN, [], [2]) == [{key: PLAN[0][key] for key in ("name", "args", "for", "part", "cites")}]


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "=",
        "1",
        "1.reason",
        "reason=x",
        "0.reason=x",
        "3.reason=x",
        "-1.reason=x",
        "1.=x",
        "1.amount_cents=5",
        "².reason=x",
        "1e0.reason=x",
    ],
)
def test_nonsense_to_set_is_refused_with_how_it_is_written(nonsense: str) -> None:
    with pytest.raises(BadInput, match="--set"):
        edited(PLAN, [nonsense], [])


@pytest.mark.parametrize("step", [0, 3, -1])
def test_a_step_that_is_not_there_cannot_be_dropped(step: int) -> None:
    with pytest.raises(BadInput, match="steps 1 to 2"):
        edited(PLAN, [], [step])


def test_an_edit_that_changes_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="--set"):
        edited(PLAN, [], [])
