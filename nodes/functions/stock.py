"""Stock that can be promised (STK-1), that can be trusted (STK-2), and where else it is (STK-4).

What a plan takes is not there for its next line.

And what open orders lay claim to: reservations of stock, and deliveries they wait for; and whose turn is first (OMN-1).
A claim is a line of an open order with `order_id`, `customer_id` and `promised_at` of its order, and `picked`: whether
any line of it is picked, or not known not to be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from nodes.clause_values import ask
from nodes.functions.plain import days_between, moment
from systems.records import Records

Record = Mapping[str, Any]
#: stands for no moment where only the order matters
FIRST_MOMENT = "0001-01-01T00:00:00Z"
OPEN = ("new", "payment_review", "backordered", "address_hold")


class MissingCollection(LookupError):
    """A collection that a function needs was not read."""


@dataclass
class RecordFunctions:
    """The functions over the records of one case: stock and claims."""

    NAMES: ClassVar[Sequence[str]] = (
        "available", "trusted", "cover", "places", "places_for_all", "nearest", "deliveries", "stand_ins", "margin",
        "location_type", "reservations", "waiting_for", "by_priority", "tier",
    )  # fmt: skip

    #: what was read
    records: Records
    #: called with a collection before it is looked at; raises MissingCollection for one that could not be read
    needs: Callable[[str], None]
    #: clause values in force: of STK_2 which stock is trusted, of OMN_1 the customer tiers, the one that is served first first
    values: Mapping[str, Mapping[str, Any]]
    #: the moment at which the case is looked at
    as_of: str
    #: the order whose own backorders do not count against a delivery
    subject: str
    #: what the plan so far has used up, by SKU and location
    taken: Callable[[], Mapping[tuple[str, str], int]] = dict

    def _record(self, part: str, *key: str) -> Record:
        """The record of a key; {} where there is none."""
        return self.records.get(self._looked_into(part), *key) or {}

    def _all(self, part: str) -> Iterable[Record]:
        return self.records.all(self._looked_into(part))

    def _looked_into(self, part: str) -> str:
        """The collection that is declared `as` this part. Raises MissingCollection where none is, or it could not be read."""
        collection = self.records.schema.parts_played.get(part)
        if collection is None:
            raise MissingCollection(f"no records are declared «as: {part}» in systems.yaml")
        self.needs(collection)
        return collection

    def available(self, sku: str, location: str) -> int:
        """Units that can be promised; 0 where there is no record or a quantity is not known."""
        return self._available(self._record("stock", sku, location))

    def trusted(self, sku: str, location: str) -> bool:
        """True if the record was counted lately and its picks succeed; False where that is not known."""
        return self._trusted(self._record("stock", sku, location))

    def cover(self, sku: str, location: str, qty: int) -> str:
        """How a location covers a quantity: `sure`, `doubtful` (enough, but not to be trusted) or `short`."""
        stock = self._record("stock", sku, location)
        if self._available(stock) < qty:
            return "short"
        return "sure" if self._trusted(stock) else "doubtful"

    def places(self, kind: str, sku: str, qty: int, but_not: str) -> list[dict[str, Any]]:
        """Other locations of a kind (dc, store, flagship) with trusted stock of `qty`: most available first, then by id."""
        return self.places_for_all(kind, [{"sku": sku, "qty": qty}], but_not)

    def places_for_all(self, kind: str, lines: Sequence[Record], but_not: str) -> list[dict[str, Any]]:
        """Other locations of a kind with trusted stock for every line: most `available` of the first line first, then by id."""
        found, places = [], self._all("locations")
        self._looked_into("stock")
        for place in places:
            location = place["location"]
            if place["type"] == kind and location != but_not:
                stocks = [(line, self._record("stock", line["sku"], location)) for line in lines]
                if all(self._trusted(stock) and self._available(stock) >= line["qty"] for line, stock in stocks):
                    found.append({"location": location, "available": self._available(stocks[0][1]) if stocks else 0})
        return sorted(found, key=lambda place: (-place["available"], place["location"]))

    def nearest(self, places: Sequence[Record], location: str, within_km: float) -> list[dict[str, Any]]:
        """Those of the places that are known to lie within so many km of a location, with `km`: nearest first, then by id."""
        self._looked_into("locations")
        near = [{**place, "km": self._km(location, place["location"])} for place in places]
        return sorted(
            (place for place in near if place["km"] is not None and place["km"] <= within_km),
            key=lambda place: (place["km"], place["location"]),
        )

    def margin(self, lines: Sequence[Record]) -> int:
        """What lines earn, in cents: price less the item's cost, times quantity. Raises KeyError where that is not known."""
        self._looked_into("items")
        earned = 0
        for line in lines:
            cost = self._record("items", line["sku"]).get("unit_cost_cents")
            if cost is None:
                raise KeyError(line["sku"])
            earned += (line["unit_price_cents"] - cost) * line["qty"]
        return earned

    def location_type(self, location: str) -> str:
        """dc, store or flagship; empty where the location is not known."""
        return str(self._record("locations", location).get("type") or "")

    def deliveries(self, sku: str, location: str, qty: int) -> list[dict[str, Any]]:
        """Inbound deliveries of a SKU to a location with `qty` that nobody else waits for: the earliest first, then by id."""
        coming = [one for one in self._all("inbound") if one["sku"] == sku and one["location"] == location and one["eta"]]
        free = (one for one in coming if one["qty"] is not None and one["qty"] - self._promised(one["po_id"], sku) >= qty)
        return sorted(map(dict, free), key=lambda inbound: (inbound["eta"], inbound["po_id"]))

    def stand_ins(self, sku: str, unit_price_cents: int, within_percent: int) -> list[str]:
        """The substitutes of a SKU whose price is near enough, in the order of the item's record."""
        near = []
        for other in self._record("items", sku).get("substitutes") or ():
            price = self._record("items", other).get("unit_price_cents")
            if price is not None and abs(price - unit_price_cents) * 100 <= within_percent * unit_price_cents:
                near.append(other)
        return near

    def _km(self, one: str, other: str) -> float | None:
        here, there = (self._record("locations", place).get("km_to") or {} for place in (one, other))
        return here.get(other, there.get(one))

    def _promised(self, po_id: str, sku: str) -> int:
        return sum(
            line["qty"]
            for order in self._all("orders")
            if order["order_id"] != self.subject and order["status"] not in ("cancelled", "shipped", "delivered")
            for line in order["lines"]
            if line.get("backorder_po_id") == po_id and line["sku"] == sku
        )

    def _available(self, stock: Record) -> int:
        if not stock or None in (stock["on_hand"], stock["reserved"], stock["safety_stock"]):
            return 0
        free = stock["on_hand"] - stock["reserved"] - stock["safety_stock"]
        return int(free) - self.taken().get((stock["sku"], stock["location"]), 0)

    def _trusted(self, stock: Record) -> bool:
        if not stock or stock["last_counted_at"] is None or stock["failed_picks_14d"] is None:
            return False
        counted_days_ago = days_between(stock["last_counted_at"], self.as_of)
        return ask(self.values["STK_2"], counted_lately, counted_days_ago, stock["failed_picks_14d"])

    def reservations(self, sku: str) -> list[dict[str, Any]]:
        """The lines of open orders with this SKU that do not wait for a delivery."""
        return [claim for claim in self._lines() if claim["sku"] == sku and not claim.get("backorder_po_id")]

    def waiting_for(self, po_id: str) -> list[dict[str, Any]]:
        """The lines of open orders that wait for this delivery."""
        return [claim for claim in self._lines() if claim.get("backorder_po_id") == po_id]

    def by_priority(self, claims: Sequence[Record]) -> list[dict[str, Any]]:
        """Claims with their customer's `tier`: by tier, then the earliest `promised_at`, then the order id.

        A tier that is not known gives no precedence, nor does a promise that is not known.
        """
        with_tier = [{**claim, "tier": self.tier(claim["customer_id"])} for claim in claims]
        return sorted(with_tier, key=self._turn)

    def _turn(self, claim: Record) -> tuple[int, bool, datetime, str, str]:
        tiers = list(self.values.get("OMN_1", {}).get("tiers", ()))
        tier = tiers.index(claim["tier"]) if claim["tier"] in tiers else len(tiers) - 1
        promised = claim["promised_at"]
        return (tier, promised is None, moment(promised or FIRST_MOMENT), claim["order_id"], claim["line_id"])

    def tier(self, customer_id: str) -> str | None:
        """The tier of a customer; None where there is no record of them."""
        return self._record("customers", customer_id).get("tier")

    def _lines(self) -> Iterator[dict[str, Any]]:
        for order in self._all("orders"):
            if order["status"] in OPEN:
                of_order = {name: order[name] for name in ("order_id", "customer_id", "promised_at")}
                of_order["picked"] = any(line.get("picked", False) is not False for line in order["lines"])
                yield from ({**line, **of_order} for line in order["lines"])


def counted_lately(trust: Mapping[str, Any], counted_days_ago: float, failed_picks: int) -> bool:
    """Whether a clause trusts a record of stock that was counted so long ago, and at which picks failed so often."""
    fresh: bool = counted_days_ago <= trust["counted_within_days"]
    return fresh and bool(failed_picks < trust["failed_picks_below"])


def promised_latest_first(claims: Sequence[Record]) -> list[Record]:
    """Claims by `promised_at`, the latest first, then by order id."""
    by_id = sorted(claims, key=lambda claim: (claim["order_id"], claim["line_id"]))
    return sorted(by_id, key=lambda claim: moment(claim["promised_at"]), reverse=True)
