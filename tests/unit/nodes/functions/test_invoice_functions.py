"""An invoice beside earlier ones, its purchase order and what was received."""

from typing import Any

import pytest

from nodes.functions.plain import billed_beyond_receipt, priced_otherwise, repeated_invoices
from tests.unit.nodes.examples import a_purchase_order, an_invoice

BEFORE, AFTER = "2026-03-01T12:00:00Z", "2026-03-09T12:00:01Z"


def lines(*found: tuple[str, int, int]) -> list[dict[str, Any]]:
    return [{"po_line": name, "qty": qty, "unit_price_cents": cents} for name, qty, cents in found]


def receipt(po_line: str, received: int | None, invoiced: int | None = 0) -> dict[str, Any]:
    return {"po_id": "PO-1", "po_line": po_line, "qty_received": received, "qty_invoiced": invoiced}


@pytest.mark.parametrize(
    ("number", "other", "same"),
    [
        ("2026/17", "2026/17", True),
        ("2026/17", "2026-17", True),
        ("2026/17", " 2026 17 ", True),
        ("2026/17", "202617", True),
        ("INV-17a", "inv 17A", True),
        ("INV_17", "inv.17", True),
        ("Straße-1", "STRASSE 1", True),
        ("2026/17", "2026/017", False),
        ("2026/17", "2026/18", False),
        ("O17", "017", False),
        ("2026/17", None, False),
        (None, None, False),
        ("", "", False),
        ("--", "//", False),
    ],
)
def test_numbers_are_the_same_without_case_blanks_and_punctuation(number: Any, other: Any, same: bool) -> None:
    invoice = an_invoice(vendor_invoice_no=number)
    earlier = an_invoice("I-0", vendor_invoice_no=other, received_at=BEFORE)
    assert repeated_invoices(invoice, [invoice, earlier]) == ([earlier] if same else [])


@pytest.mark.parametrize(
    "other",
    [
        an_invoice("I-0", vendor_id="V-2", received_at=BEFORE),
        an_invoice("I-0", received_at=AFTER),
        an_invoice("I-0"),
        an_invoice("I-1", received_at=BEFORE),
    ],
    ids=["another vendor's", "a later one", "one of the same moment", "itself"],
)
def test_an_invoice_does_not_repeat(other: Any) -> None:
    assert repeated_invoices(an_invoice(), [other]) == []


def test_which_came_first_must_be_known_unless_another_did() -> None:
    unknown, earlier = an_invoice("I-0", received_at=None), an_invoice("I-2", received_at=BEFORE)
    with pytest.raises(ValueError, match="which of two invoices"):
        repeated_invoices(an_invoice(), [unknown])
    assert repeated_invoices(an_invoice(), [unknown, earlier]) == [earlier]


@pytest.mark.parametrize(
    ("billed", "receipts", "beyond"),
    [
        ([("10", 2, 1)], [receipt("10", 2)], []),
        ([("10", 3, 1)], [receipt("10", 2)], ["10"]),
        ([("10", 2, 1)], [receipt("10", 2, 1)], ["10"]),
        ([("10", 2, 1)], [receipt("10", 5, 3)], []),
        ([("10", 2, 1)], [receipt("10", 1), receipt("10", 1)], []),
        ([("10", 1, 1), ("10", 1, 1)], [receipt("10", 2)], []),
        ([("10", 1, 1), ("10", 2, 1)], [receipt("10", 2)], ["10"]),
        ([("10", 1, 1)], [], ["10"]),
        ([("10", 1, 1)], [receipt("20", 9)], ["10"]),
        ([("10", 1, 1)], [receipt("10", None)], ["10"]),
        ([("10", 1, 1)], [receipt("10", 9, None)], ["10"]),
        ([("10", 0, 1)], [], []),
        ([("10", 1, 1), ("20", 1, 1)], [receipt("20", 1)], ["10"]),
    ],
)
def test_what_bills_more_than_was_received_is_found(billed: Any, receipts: Any, beyond: list[str]) -> None:
    found = billed_beyond_receipt(an_invoice(lines=lines(*billed)), receipts)
    assert [line["po_line"] for line in found] == beyond


@pytest.mark.parametrize(("cents", "apart"), [(5_000, []), (5_001, [2]), (4_999, [2]), (1, [9_998])])
def test_a_price_is_compared_with_that_of_the_order(cents: int, apart: list[int]) -> None:
    found = priced_otherwise(an_invoice(lines=lines(("10", 2, cents))), a_purchase_order())
    assert [line["line_apart_cents"] for line in found] == apart
    assert all(line["ordered_cents"] == 5_000 and line["unit_price_cents"] == cents for line in found)


@pytest.mark.parametrize(("cents", "beside", "apart"), [(5_000, 1, [1]), (5_001, -2, []), (4_999, -1, [3])])
def test_the_parts_of_a_cent_in_a_price_count_for_its_line_and_no_other(cents: int, beside: int, apart: list[int]) -> None:
    special = [
        {"kind": kind, "line": line, "amount_cents": beside} for kind, line in (("price", "10"), ("price", "9"), ("charge", "10"))
    ]
    invoice = an_invoice(lines=lines(("10", 2, cents)), special_items=special)
    assert [line["line_apart_cents"] for line in priced_otherwise(invoice, a_purchase_order())] == apart


def test_a_line_that_was_not_ordered_has_no_price_to_compare() -> None:
    with pytest.raises(KeyError):
        priced_otherwise(an_invoice(lines=lines(("99", 1, 1))), a_purchase_order())
