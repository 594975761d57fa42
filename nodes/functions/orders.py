"""Orders beside one another, and the money of an order."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodes.functions.times import moment

Record = Mapping[str, Any]


def neighbours(order: Record, orders: Sequence[Record], within_minutes: int) -> list[Record]:
    """The other orders of the same customer created at most `within_minutes` before or after, cancelled ones left out."""
    created = moment(order["created_at"])
    return [
        other
        for other in orders
        if other["order_id"] != order["order_id"]
        and other["customer_id"] == order["customer_id"]
        and other["status"] != "cancelled"
        and abs((moment(other["created_at"]) - created).total_seconds()) <= within_minutes * 60
    ]


def duplicates(order: Record, orders: Sequence[Record], within_minutes: int) -> list[Record]:
    """The neighbours with the same SKUs and quantities and the same `line1` and `postal_code`."""
    return [
        other
        for other in neighbours(order, orders, within_minutes)
        if _goods(other) == _goods(order) and _place(other) is not None and _place(other) == _place(order)
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


def refundable(charges: Sequence[Record], amount_cents: int) -> list[Record]:
    """The first captured charge of which at least `amount_cents` is left, in a list; an empty list where there is none."""
    return [charge for charge in charges if charge["amount_cents"] - charge["refunded_cents"] >= amount_cents][:1]


def substitute_skus(items: Sequence[Record]) -> list[str]:
    """Every substitute that the items name, once."""
    return list(dict.fromkeys(sku for item in items for sku in item.get("substitutes") or ()))


def _goods(order: Record) -> list[tuple[str, int]]:
    return sorted((line["sku"], line["qty"]) for line in order["lines"])


def _place(order: Record) -> tuple[str, str] | None:
    ship_to = order.get("ship_to")
    return (ship_to["line1"], ship_to["postal_code"]) if ship_to else None
