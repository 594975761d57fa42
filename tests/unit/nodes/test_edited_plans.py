"""What an edit makes of a plan: letters that name amounts which are the plan's no more."""

from typing import Any

import pytest

from nodes.authorship import outdated_letters
from systems.catalogue import load_catalogue
from tests.actions import REFUND_CHARGE, SEND_MESSAGE

CATALOGUE = load_catalogue()


def refund(charge: str, cents: int, part: str | None = None) -> dict[str, Any]:
    return {"name": REFUND_CHARGE, "args": {"charge_id": charge, "amount_cents": cents}, "part": part}


def letter(text: str, part: str | None = None) -> dict[str, Any]:
    args = {"customer_id": "C-1", "template": "refund_confirmation", "text": text}
    return {"name": SEND_MESSAGE, "args": args, "part": part}


TOTAL = letter("We refund you what you paid, $175.00, for the order of $300.00.")
BEFORE = [refund("ch_1", 10_000), refund("ch_2", 7_500), TOTAL]


def outdated(after: list[dict[str, Any]], before: list[dict[str, Any]] = BEFORE) -> list[str]:
    return outdated_letters(before, after, CATALOGUE)


@pytest.mark.parametrize("after", [[refund("ch_1", 10_000), refund("ch_2", 5_000), TOTAL], [refund("ch_1", 10_000), TOTAL]])
def test_a_letter_that_still_says_the_total_before_the_edit_is_told_with_step_and_amount(after: list[dict[str, Any]]) -> None:
    assert outdated(after) == [
        "the letter of step 3 still says $175.00, which is not an amount of the edited plan; change the letter too"
    ]


def test_the_amount_of_a_single_step_counts_however_it_is_written() -> None:
    for said in ("$1,075.00", "$1,075", "1075 dollars"):
        before = [refund("ch_1", 107_500), refund("ch_2", 1), letter(f"We refund {said} at once.")]
        (told,) = outdated([refund("ch_1", 100_000), *before[1:]], before)
        assert "step 3 still says $1,075.00" in told


@pytest.mark.parametrize(
    "after",
    [
        [refund("ch_1", 10_000), refund("ch_2", 5_000), letter("We refund you $150.00.")],
        [refund("ch_1", 10_000), refund("ch_2", 5_000)],
        [refund("ch_1", 7_500), refund("ch_2", 10_000), TOTAL],
        BEFORE,
    ],
    ids=["with its letter", "without a letter", "the total stays", "nothing"],
)
def test_an_edit_whose_letters_are_right_is_not_objected_to(after: list[dict[str, Any]]) -> None:
    assert outdated(after) == []


def test_an_amount_that_never_was_the_plans_is_none_of_the_edit() -> None:
    before = [refund("ch_1", 7_500), letter("Your order of $300.00 is on its way.")]
    assert outdated([refund("ch_1", 5_000), before[1]], before) == []


def test_a_letter_of_one_part_answers_for_that_part_alone() -> None:
    before = [
        refund("ch_1", 7_500, "O-1"), letter("We refund $75.00.", "O-1"),
        refund("ch_2", 7_500, "O-2"), letter("You get $75.00 back.", "O-2"),
    ]  # fmt: skip
    (told,) = outdated([*before[:2], refund("ch_2", 5_000, "O-2"), before[3]], before)
    assert "step 4 still says $75.00" in told
