"""Stock that can be promised (STK-1), that can be trusted (STK-2), and where else it is (STK-4).

What a plan takes is not there for its next line; the takings are kept here, per case.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nodes.functions.times import days_between
from systems.records import Records

Record = Mapping[str, Any]
STOCK_FUNCTIONS = ("available", "trusted", "cover", "places", "deliveries", "stand_ins", "location_type")


class Missing(LookupError):
    """A collection that a function needs was not read."""


class Stock:
    """The stock functions of one case. `needs(collection)` raises Missing for a collection that could not be read.

    Args:
        records: what was read.
        needs: called with a collection before it is looked at.
        trust: the values of STK-2: counted_within_days, failed_picks_below.
        as_of: the moment at which the case is looked at.
        subject: the order whose own backorders do not count against a delivery.
    """

    def __init__(
        self, records: Records, needs: Callable[[str], None], trust: Mapping[str, Any], as_of: str, subject: str
    ) -> None:
        self._records, self._needs, self._trust, self._as_of, self._subject = records, needs, trust, as_of, subject
        self._taken: dict[tuple[str, str], int] = {}

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions by the name that packs use."""
        return {name: getattr(self, name) for name in STOCK_FUNCTIONS}

    def take(self, sku: str, location: str, qty: int) -> None:
        """Use up stock: what is taken is not available any more."""
        self._taken[sku, location] = self._taken.get((sku, location), 0) + qty

    def put_back(self) -> None:
        """Forget what was taken: a new plan begins."""
        self._taken.clear()

    def available(self, sku: str, location: str) -> int:
        """Units that can be promised; 0 where there is no record or a quantity is not known."""
        self._needs("wms.stock")
        return self._available(self._records.get("wms.stock", sku, location))

    def trusted(self, sku: str, location: str) -> bool:
        """True if the record was counted lately and its picks succeed; False where that is not known."""
        self._needs("wms.stock")
        return self._trusted(self._records.get("wms.stock", sku, location))

    def cover(self, sku: str, location: str, qty: int) -> str:
        """How a location covers a quantity: `sure`, `doubtful` (enough, but not to be trusted) or `short`."""
        if self.available(sku, location) < qty:
            return "short"
        return "sure" if self.trusted(sku, location) else "doubtful"

    def places(self, kind: str, sku: str, qty: int, but_not: str) -> list[dict[str, Any]]:
        """Other locations of a kind (dc, store, flagship) with trusted stock of `qty`: most available first, then by id."""
        self._needs("wms.locations")
        self._needs("wms.stock")
        found = []
        for place in self._records.all("wms.locations"):
            location = place["location"]
            if place["type"] == kind and location != but_not:
                stock = self._records.get("wms.stock", sku, location)
                if self._trusted(stock) and self._available(stock) >= qty:
                    found.append({"location": location, "available": self._available(stock)})
        return sorted(found, key=lambda place: (-place["available"], place["location"]))

    def location_type(self, location: str) -> str:
        """dc, store or flagship; empty where the location is not known."""
        self._needs("wms.locations")
        return str((self._records.get("wms.locations", location) or {}).get("type") or "")

    def deliveries(self, sku: str, location: str, qty: int) -> list[dict[str, Any]]:
        """Inbound deliveries of a SKU to a location with `qty` that nobody else waits for: the earliest first, then by id."""
        self._needs("wms.inbound")
        found = [
            dict(inbound)
            for inbound in self._records.all("wms.inbound")
            if inbound["sku"] == sku and inbound["location"] == location and inbound["eta"]
            and inbound["qty"] is not None and inbound["qty"] - self._promised(inbound["po_id"], sku) >= qty
        ]  # fmt: skip
        return sorted(found, key=lambda inbound: (inbound["eta"], inbound["po_id"]))

    def stand_ins(self, sku: str, unit_price_cents: int, within_percent: int) -> list[str]:
        """The substitutes of a SKU whose price is near enough, in the order of the item's record."""
        self._needs("erp.items")
        near = []
        for other in (self._records.get("erp.items", sku) or {}).get("substitutes") or ():
            price = (self._records.get("erp.items", other) or {}).get("unit_price_cents")
            if price is not None and abs(price - unit_price_cents) * 100 <= within_percent * unit_price_cents:
                near.append(other)
        return near

    def _promised(self, po_id: str, sku: str) -> int:
        self._needs("oms.orders")
        return sum(
            line["qty"]
            for order in self._records.all("oms.orders")
            if order["order_id"] != self._subject and order["status"] not in ("cancelled", "shipped", "delivered")
            for line in order["lines"]
            if line.get("backorder_po_id") == po_id and line["sku"] == sku
        )

    def _available(self, stock: Record | None) -> int:
        if stock is None or None in (stock["on_hand"], stock["reserved"], stock["safety_stock"]):
            return 0
        free = stock["on_hand"] - stock["reserved"] - stock["safety_stock"]
        return int(free) - self._taken.get((stock["sku"], stock["location"]), 0)

    def _trusted(self, stock: Record | None) -> bool:
        if stock is None or stock["last_counted_at"] is None or stock["failed_picks_14d"] is None:
            return False
        counted_days_ago = days_between(stock["last_counted_at"], self._as_of)
        fresh: bool = counted_days_ago <= self._trust["counted_within_days"]
        sound: bool = stock["failed_picks_14d"] < self._trust["failed_picks_below"]
        return fresh and sound
