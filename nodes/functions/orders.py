"""Orders beside one another, and the money of an order."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodes.functions.times import moment

Record = Mapping[str, Any]


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
