"""Plain functions over records: moments (ISO 8601 text with a Z), orders and their money, invoices, accounts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

SECONDS_PER_DAY = 86_400
Record = Mapping[str, Any]


@lru_cache(maxsize=50_000)
def moment(text: str) -> datetime:
    """The moment that an ISO 8601 text names. Raises ValueError for anything else, and for one without a zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return parsed


def days_between(earlier: str, later: str) -> float:
    """Exact 24-hour spans from one moment to another; negative if `later` comes first."""
    return (moment(later) - moment(earlier)).total_seconds() / SECONDS_PER_DAY


def latest(records: Sequence[Record], field: str) -> Record | None:
    """The record whose moment in `field` is the latest, the first of equals; None of no records."""
    newest: Record | None = None
    for record in records:
        if newest is None or moment(record[field]) > moment(newest[field]):
            newest = record
    return newest


def earliest(records: Sequence[Record], field: str) -> Record | None:
    """The record whose moment in `field` is the earliest, the first of equals; None of no records."""
    return min(records, key=lambda record: moment(record[field]), default=None)


def duplicates(order: Record, orders: Sequence[Record], within_minutes: int) -> list[Record]:
    """The neighbours, cancelled ones left out, with the same SKUs and quantities and the same `line1` and `postal_code`."""
    return [
        other
        for other in _neighbours(order, orders, within_minutes)
        if other["status"] != "cancelled" and _goods(other) == _goods(order) and _same_place(other, order) is True
    ]


def separate_purchases(order: Record, orders: Sequence[Record], within_minutes: int) -> list[Record]:
    """The neighbours that are known to differ from the order in goods or place."""
    return [
        other
        for other in _neighbours(order, orders, within_minutes)
        if _goods(other) != _goods(order) or _same_place(other, order) is False
    ]


def is_later(one: Record, other: Record) -> bool:
    """True if `one` was created after `other`, of equal times if its id is higher."""
    return (moment(one["created_at"]), one["order_id"]) > (moment(other["created_at"]), other["order_id"])


def payment_of(order_id: str, payments: Sequence[Record]) -> Record:
    """The payment record of an order. Raises KeyError where there is none: its money is not known."""
    for payment in payments:
        if payment["order_id"] == order_id:
            return payment
    raise KeyError(order_id)


def refundable(charges: Sequence[Record], cents: int) -> list[Record]:
    """The latest captured of the charges of which at least `cents` is left, in a list; empty where there is none."""
    enough = [charge for charge in charges if charge["amount_cents"] - charge["refunded_cents"] >= cents]
    return sorted(enough, key=lambda charge: moment(charge["captured_at"]), reverse=True)[:1]


def newest_charge(charges: Sequence[Record]) -> Record | None:
    """The charge that was captured last, of equal moments the one with the higher id; None of none."""
    return max(charges, key=lambda charge: (moment(charge["captured_at"]), charge["charge_id"]), default=None)


def charged_cents(charges: Sequence[Record]) -> int:
    """What charges come to, in cents; what was refunded of them is not taken off."""
    return sum(charge["amount_cents"] for charge in charges)


def left_cents(charges: Sequence[Record]) -> int:
    """What is left of charges after what was refunded of them, in cents."""
    return sum(charge["amount_cents"] - charge["refunded_cents"] for charge in charges)


def skus_of(orders: Sequence[Record]) -> list[str]:
    """Every SKU of the orders, once."""
    return list(dict.fromkeys(line["sku"] for order in orders for line in order["lines"]))


def lines_cents(lines: Sequence[Record]) -> int:
    """What lines cost together, in cents."""
    return sum(line["qty"] * line["unit_price_cents"] for line in lines)


def substitute_skus(items: Sequence[Record]) -> list[str]:
    """Every substitute that the items name, once."""
    return list(dict.fromkeys(sku for item in items for sku in item.get("substitutes") or ()))


def _neighbours(order: Record, orders: Sequence[Record], within_minutes: int) -> list[Record]:
    """The other orders of the same customer created at most `within_minutes` before or after."""
    created = moment(order["created_at"])
    return [
        other
        for other in orders
        if other["order_id"] != order["order_id"]
        and other["customer_id"] == order["customer_id"]
        and abs((moment(other["created_at"]) - created).total_seconds()) <= within_minutes * 60
    ]


def _goods(order: Record) -> list[tuple[str, int]]:
    return sorted((line["sku"], line["qty"]) for line in order["lines"])


def _same_place(one: Record, other: Record) -> bool | None:
    """Whether two orders go to the same `line1` and `postal_code`; None where that is not known."""
    places = [order.get("ship_to") or {} for order in (one, other)]
    parts = [(place.get("line1"), place.get("postal_code")) for place in places]
    return None if any(None in part for part in parts) else parts[0] == parts[1]


def repeated_invoices(invoice: Record, invoices: Sequence[Record]) -> list[Record]:
    """The earlier invoices of the same vendor with the same number, ignoring case, spaces and punctuation.

    Raises ValueError where it is not known which came first.
    """
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
    """The lines whose price is not the order's, each with `ordered_cents` and `line_apart_cents` (of the line, without sign).

    What a special item `price` tells of a line, the parts of a cent in its price, counts. Raises KeyError for a line that
    the order does not have.
    """
    ordered = {line["po_line"]: line["unit_price_cents"] for line in purchase_order["lines"]}
    beside = {one["line"]: one["amount_cents"] for one in invoice.get("special_items") or () if one["kind"] == "price"}
    priced = [{**line, "ordered_cents": ordered[line["po_line"]]} for line in invoice["lines"]]
    lines = [{**line, "line_apart_cents": _line_apart(line, beside.get(line["po_line"], 0))} for line in priced]
    return [line for line in lines if line["line_apart_cents"] > 0]


def _line_apart(line: Record, beside_cents: int) -> int:
    apart: int = (line["unit_price_cents"] - line["ordered_cents"]) * line["qty"] + beside_cents
    return abs(apart)


def _bare(number: str | None) -> str:
    return "".join(character for character in (number or "").casefold() if character.isalnum())


def fallen_by(weeks: Sequence[int | None], span: int, percent: int) -> bool:
    """Whether the mean of the last `span` weekly counts is at least `percent` below the mean of the `span` before them.

    False where one of these counts is not known, or where nothing was used before.
    """
    known = [count for count in weeks[-2 * span :] if count is not None]
    if len(known) < 2 * span:
        return False
    before, last = sum(known[:span]), sum(known[span:])
    return before > 0 and (before - last) * 100 >= percent * before
