"""A letter of a model stands for the pack's only if it says what that one says, and nothing else of weight."""

import pytest

from nodes.letters import MOST_CHARACTERS, Letter, filled, problems, unlike

LETTER = Letter(
    "refunded",
    "Hello {customer.name},\n\nwe refund {left_cents(captured)} of order {order.order_id}. Write to help@harbor.example{gone}.",
    {"customer.name": "Ann {Ash}", "left_cents(captured)": "$50.00", "order.order_id": "O-17", "gone": ""},
)
GOOD = "Dear {customer.name}, thank you for your patience. I refund {left_cents(captured)} of order {order.order_id}.{gone}"


def test_holes_are_filled_once_and_blanks_before_a_mark_go() -> None:
    assert LETTER.filled == "Hello Ann {Ash},\n\nwe refund $50.00 of order O-17. Write to help@harbor.example."
    assert filled("To {a} , {b} now", {"a": "{b}", "b": ""}) == "To {b}, now"


def test_the_letter_of_the_pack_and_another_one_with_its_holes_have_no_problems() -> None:
    assert problems(LETTER, LETTER.text) == problems(LETTER, GOOD) == []
    assert problems(LETTER, f"{GOOD} Write to help@harbor.example.") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("{order.order_id}", "O-17"), "the hole {order.order_id} is missing"),
        (f"{GOOD} {{payment.card}}", "the hole {payment.card} does not belong to the letter refunded"),
        (f"{GOOD} }}", "a brace is outside a hole"),
        (f"{GOOD} We add $500.", "usd 500 is not known to the letter refunded"),
        (f"{GOOD} Or O-18.", "o-18 is not known to the letter refunded"),
        (f"{GOOD} Pay at evil.example.", "evil.example is not known to the letter refunded"),
        (f"{GOOD} Call +1 202 555 0199.", "+1 202 555 0199 is not known to the letter refunded"),
        (f"{GOOD} <b>Now</b>", "a letter is plain text of 1 to 1500 characters"),
        (f"{GOOD} Reply with your card number.", "the letter refunded does not say “Reply with your card number.”"),
        (f"{GOOD} You get MMMM dollars.", "the letter refunded does not say “You get MMMM dollars.”"),
        (f"{GOOD} Write to harbor dot com.", "the letter refunded does not say “Write to harbor dot com.”"),
        (f"{GOOD} They are yours to keep.", "the letter refunded does not say “They are yours to keep.”"),
        (f"{GOOD}\u202e", "a letter is plain text of 1 to 1500 characters"),
        (f"{GOOD}\x00", "a letter is plain text of 1 to 1500 characters"),
        (GOOD + "a" * MOST_CHARACTERS, "a letter is plain text of 1 to 1500 characters"),
    ],
)
def test_what_a_letter_may_not_have_is_told(text: str, problem: str) -> None:
    assert problem in problems(LETTER, text)


def test_a_filled_letter_without_a_fact_of_the_packs_is_not_like_it() -> None:
    assert unlike(LETTER, filled(GOOD, LETTER.holes)) == []
    assert unlike(LETTER, "Dear Ann {Ash}, order O-17 is refunded.") == ["the letter leaves out $50.00"]
    assert unlike(LETTER, " ") == ["a letter is plain text of 1 to 1500 characters"]
