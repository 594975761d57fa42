"""Records and stock as the omnichannel clauses read them: STK-1 available, STK-2 trust, what is left of a delivery."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

Case = dict[str, Any]
Record = dict[str, Any]
Action = dict[str, Any]
Readings = dict[str, str]

OPEN = ("new", "payment_review", "backordered", "address_hold")
FINISHED = ("shipped", "delivered", "cancelled")
TRUST_FOR = timedelta(days=30)


class Escalate(Exception):
    """A clause says *escalate to `queue`*."""

    def __init__(self, queue: str, clause: str) -> None:
        super().__init__(f"{clause}: {queue}")
        self.queue, self.clause = queue, clause


def missing() -> Escalate:
    """GOV-7."""
    return Escalate("operations", "GOV-7")


def when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def moment(text: str | None, unknown: datetime) -> datetime:
    return when(text) or unknown


NEVER = datetime.max.replace(tzinfo=UTC)


def collection(case: Case, system: str, name: str) -> list[Record]:
    """The records of a collection, none if it is absent; GOV-7 if the system cannot be read."""
    collections = case["systems"].get(system, {})
    if collections is None:
        raise missing()
    return collections.get(name) or []


def one(records: list[Record], **keys: Any) -> Record | None:
    for record in records:
        if all(record.get(name) == value for name, value in keys.items()):
            return record
    return None


def act(name: str, **args: Any) -> Action:
    return {"name": name, "args": args}


def id_key(identifier: str, readings: Readings) -> tuple[int, str]:
    """Sorts ids as plain strings, or by their digits in the other reading."""
    digits = re.sub(r"\D", "", identifier) if readings["id_order"] == "numeric" else ""
    return (int(digits or 0), identifier)


class Stock:
    """Stock of all locations; what `take` took is no longer available."""

    def __init__(self, case: Case, readings: Readings) -> None:
        self.readings = readings
        self.as_of = moment(case["as_of"], NEVER)
        self.rows = collection(case, "wms", "stock")
        self.types = {place["location"]: place.get("type") for place in collection(case, "wms", "locations")}
        self.taken: dict[tuple[str, str], int] = {}

    def row(self, sku: str, location: str) -> Record | None:
        return one(self.rows, sku=sku, location=location)

    def available(self, row: Record) -> int | None:
        """STK-1, None where a number is not known."""
        numbers = [row.get("on_hand"), row.get("reserved"), row.get("safety_stock")]
        if self.readings["stock_null"] == "as_zero":
            numbers = [number or 0 for number in numbers]
        on_hand, reserved, safety = numbers
        if on_hand is None or reserved is None or safety is None:
            return None
        return int(on_hand - reserved - safety) - self.taken.get((row["sku"], row["location"]), 0)

    def trusted(self, row: Record) -> bool:
        """STK-2; a count or failed picks that are not known make no trust."""
        counted, picks = when(row.get("last_counted_at")), row.get("failed_picks_14d")
        if self.readings["stock_null"] == "as_zero":
            picks = picks or 0
        return counted is not None and self.as_of - counted <= TRUST_FOR and picks is not None and picks < 2

    def enough(self, sku: str, location: str, qty: int) -> bool:
        """Whether the location has the quantity, trusted or not."""
        row = self.row(sku, location)
        free = None if row is None else self.available(row)
        return free is not None and free >= qty

    def fills(self, sku: str, location: str, qty: int) -> bool:
        row = self.row(sku, location)
        return row is not None and self.trusted(row) and self.enough(sku, location, qty)

    def fills_all(self, lines: list[Record], location: str) -> bool:
        return all(self.fills(line["sku"], location, line["qty"]) for line in lines)

    def free(self, sku: str, location: str) -> int:
        row = self.row(sku, location)
        return (None if row is None else self.available(row)) or 0

    def of_type(self, kind: str) -> list[str]:
        return [location for location, its_type in self.types.items() if its_type == kind]

    def most(self, sku: str, locations: list[str]) -> str | None:
        """The one with the most available, if equal the first by id (STK-4)."""
        return min(locations, key=lambda place: (-self.free(sku, place), id_key(place, self.readings)), default=None)

    def best(self, line: Record, kind: str) -> str | None:
        """Another location of that type with trusted stock for the line."""
        others = [place for place in self.of_type(kind) if place != line.get("location")]
        return self.most(line["sku"], [place for place in others if self.fills(line["sku"], place, line["qty"])])

    def take(self, sku: str, location: str, qty: int) -> None:
        self.taken[sku, location] = self.taken.get((sku, location), 0) + qty

    def own_untrusted(self, line: Record) -> bool:
        """Whether the line's own location would have had enough but is not trusted."""
        sku, place, qty = line["sku"], line.get("location"), line["qty"]
        return place is not None and self.enough(sku, place, qty) and not self.fills(sku, place, qty)


def left_of_inbound(case: Case, delivery: Record, order_id: str, readings: Readings) -> int:
    """Quantity of a delivery not promised to other orders than this one (STK-1)."""
    if delivery.get("qty") is None:
        return 0
    promised = sum(
        line["qty"]
        for order in collection(case, "oms", "orders")
        if order["order_id"] != order_id and _promises(order, readings)
        for line in order["lines"]
        if line.get("backorder_po_id") == delivery["po_id"] and line["sku"] == delivery["sku"]
    )
    return int(delivery["qty"] - promised)


def _promises(order: Record, readings: Readings) -> bool:
    scope = readings["promise_scope"]
    return scope == "all" or (order["status"] in OPEN if scope == "open_only" else order["status"] not in FINISHED)


def inbound_to(case: Case, sku: str, location: str | None, qty: int, order_id: str, readings: Readings) -> list[Record]:
    """Deliveries of the SKU to the location with enough left, the earliest `eta` first."""
    deliveries = [
        delivery
        for delivery in collection(case, "wms", "inbound")
        if delivery["sku"] == sku
        and location is not None
        and delivery["location"] == location
        and left_of_inbound(case, delivery, order_id, readings) >= qty
    ]
    return sorted(deliveries, key=lambda found: (moment(found.get("eta"), NEVER), id_key(found["po_id"], readings)))
