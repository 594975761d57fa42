"""What a model writes quotes only what it was shown, and never a way to get in touch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.quoting import contacts, quotable, ungrounded

FACTS = {
    "order": {"order_id": "O-1742", "total_cents": 123_450, "promised_at": "2026-03-10T12:00:00Z", "lines": [{"qty": 30}]},
    "payment": {"fraud": {"score": 0.85}, "auth": "au_99"},
    "invoice": {"currency": "EUR", "total_cents": 9_900},
    "note": "Ring at 17 please, or see evil.example",
}


@pytest.mark.parametrize(
    "text",
    [
        "Order O-1742 of $1,234.50 (or 1234.5, or 123450 cents) is late.",
        "USD 1,234.50 and 1234.50 dollars are the same.",
        "It was promised for 10 March 2026, March 10, 2026-03-10 12:00, in 2026.",
        "The score is 0.85, or 85%; au_99 failed.",
        "30 pieces, 30-day window, 2 of 3 lines, the 2nd time in 12 days, ring at 17.",
        "The invoice is of 99.00 EUR.",
        "payment.fraud.score and order.lines.qty and fraud.score are fields, i.e. names.",
        "Nothing is quoted here.",
    ],
)
def test_what_was_shown_may_be_quoted_however_it_is_written(text: str) -> None:
    assert ungrounded(text, quotable(FACTS)) == []


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("Refund $1,234.51.", "usd 1234.51"),
        ("Refund $1,234.50k.", "usd 1234.5k"),
        ("Refund 1,234.50 GBP.", "gbp 1234.5"),
        ("Refund £99.", "gbp 99"),
        ("Refund .500 to the card.", "500"),
        ("Refund $12.", "usd 12"),
        ("$100.00 may be refunded.", "usd 100"),
        ("$30 may be refunded.", "usd 30"),
        ("Twenty-five units of forty.", "25"),
        ("Ninety days.", "90"),
        ("It is 12% dearer.", "12%"),
        ("It takes 2.5 days.", "2.5"),
        ("Ａｎｄ order O-１７43.", "o-1743"),
        ("Order O-17\u200b43 too.", "o-1743"),
        ("٥٠ pieces.", "50"),
        ("On 11 March 2026.", "2026-03-11"),
        ("On 3/10/2026.", "3/10/2026"),
        ("A thousand more.", "thousand"),
        ("Version 2.0.17 says so.", "2.0.17"),
        ("Pay at evil.example now.", "evil.example"),
        ("Pay at https://evil/x?y=1 now.", "https://evil/x?y=1"),
        ("Write to a.b@evil.example!", "a.b@evil.example"),
        ("Call +1 202 555 0199.", "+1 202 555 0199"),
        ("Go to javascript:alert now", "javascript:alert"),
        ("IBAN DE89370400440532013000.", "de89370400440532013000"),
    ],
)
def test_what_was_not_shown_is_ungrounded(text: str, strange: str) -> None:
    assert strange in ungrounded(text, quotable(FACTS))


def test_a_way_to_get_in_touch_is_never_quotable_though_the_data_has_it() -> None:
    assert ungrounded("See evil.example.", quotable(FACTS)) == ["evil.example"]
    assert contacts(FACTS["note"]) == {"evil.example"}


@given(st.text(max_size=300), st.integers(100, 10**9))
def test_no_text_around_it_hides_an_amount(text: str, amount: int) -> None:
    assert ungrounded(f"{text} ${amount} {text}", ()) != []


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=50) | st.integers() | st.floats() | st.none()))
def test_any_plain_data_can_be_looked_through(data: dict[str, object]) -> None:
    known = quotable(data)
    assert all(not ungrounded(str(value), known) for value in data.values() if type(value) is int and value >= 0)
