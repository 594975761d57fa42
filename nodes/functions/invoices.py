"""Invoices beside earlier ones, the purchase order and what was received."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nodes.functions.times import moment

Record = Mapping[str, Any]


def repeated_invoices(invoice: Record, invoices: Sequence[Record]) -> list[Record]:
    """The earlier invoices of the same vendor with the same number, ignoring case, spaces and punctuation."""
    number = _bare(invoice["vendor_invoice_no"])
    same = [
        other
        for other in invoices
        if other["invoice_id"] != invoice["invoice_id"]
        and other["vendor_id"] == invoice["vendor_id"]
        and number
        and _bare(other["vendor_invoice_no"]) == number
    ]
    known = [other for other in same if other["received_at"] is not None]
    earlier = [other for other in known if moment(other["received_at"]) < moment(invoice["received_at"])]
    if not earlier and len(known) < len(same):
        raise ValueError("it is not known which of two invoices with one number came first")
    return earlier


def billed_beyond_receipt(invoice: Record, receipts: Sequence[Record]) -> list[Record]:
    """The lines that bill more than was received and not yet invoiced; lines of one order line count together."""
    left: Counter[str] = Counter()
    for receipt in receipts:  # what is not known to be received, or to be free, cannot be billed
        if receipt["qty_received"] is not None and receipt["qty_invoiced"] is not None:
            left[receipt["po_line"]] += receipt["qty_received"] - receipt["qty_invoiced"]
    beyond = []
    for line in invoice["lines"]:
        left[line["po_line"]] -= line["qty"]
        if left[line["po_line"]] < 0:
            beyond.append(line)
    return beyond


def priced_otherwise(invoice: Record, purchase_order: Record) -> list[dict[str, Any]]:
    """The lines whose unit price is not the order's, each with `ordered_cents` and `apart_cents` (a unit, without sign).

    Raises KeyError for a line that the order does not have.
    """
    ordered = {line["po_line"]: line["unit_price_cents"] for line in purchase_order["lines"]}
    lines = [
        {
            **line,
            "ordered_cents": ordered[line["po_line"]],
            "apart_cents": abs(line["unit_price_cents"] - ordered[line["po_line"]]),
        }
        for line in invoice["lines"]
    ]
    return [line for line in lines if line["apart_cents"] > 0]


def money(cents: int, currency: str | None) -> str:
    """An amount as it stands on an invoice: `1,234.50 EUR`."""
    return f"{cents / 100:,.2f} {currency or '(currency not known)'}"


def _bare(number: str | None) -> str:
    return "".join(character for character in (number or "").casefold() if character.isalnum())
