"""What open orders lay claim to: reservations of stock, and deliveries they wait for; and whose turn is first (OMN-1).

A claim is a line of an open order with `order_id`, `customer_id` and `promised_at` of its order.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nodes.functions.stock import Missing
from nodes.functions.times import moment
from systems.records import Records

Claim = Mapping[str, Any]
CLAIM_FUNCTIONS = ("reservations", "waiting_for", "by_priority", "tier")
OPEN = ("new", "payment_review", "backordered", "address_hold")


def promised_latest_first(claims: Sequence[Claim]) -> list[Claim]:
    """Claims by `promised_at`, the latest first, then by order id."""
    by_id = sorted(claims, key=lambda claim: (claim["order_id"], claim["line_id"]))
    return sorted(by_id, key=lambda claim: moment(claim["promised_at"]), reverse=True)


class Claims:
    """The claim functions of one case. `needs(collection)` raises Missing for a collection that could not be read.

    Args:
        records: what was read.
        needs: called with a collection before it is looked at.
        tiers: customer tiers, the one that is served first first.
    """

    def __init__(self, records: Records, needs: Callable[[str], None], tiers: Sequence[str]) -> None:
        self._records, self._needs, self._tiers = records, needs, list(tiers)

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions by the name that packs use."""
        return {name: getattr(self, name) for name in CLAIM_FUNCTIONS}

    def reservations(self, sku: str) -> list[dict[str, Any]]:
        """The lines of open orders with this SKU that do not wait for a delivery."""
        return [claim for claim in self._lines() if claim["sku"] == sku and not claim.get("backorder_po_id")]

    def waiting_for(self, po_id: str) -> list[dict[str, Any]]:
        """The lines of open orders that wait for this delivery."""
        return [claim for claim in self._lines() if claim.get("backorder_po_id") == po_id]

    def by_priority(self, claims: Sequence[Claim]) -> list[dict[str, Any]]:
        """Claims with their customer's `tier`: by tier, then the earliest `promised_at`, then the order id.

        A single claim needs no tier. Raises LookupError where the tier of one of several is not known.
        """
        if len(claims) < 2:
            return [dict(claim) for claim in claims]
        told = [{**claim, "tier": self.tier(claim["customer_id"])} for claim in claims]
        for claim in told:
            if claim["tier"] not in self._tiers:
                raise Missing(f"the tier of customer {claim['customer_id']} is not known")
        return sorted(
            told,
            key=lambda claim: (self._tiers.index(claim["tier"]), moment(claim["promised_at"]), claim["order_id"], claim["line_id"]),
        )

    def tier(self, customer_id: str) -> str | None:
        """The tier of a customer; None where there is no record of them."""
        self._needs("crm.customers")
        return (self._records.get("crm.customers", customer_id) or {}).get("tier")

    def _lines(self) -> list[dict[str, Any]]:
        self._needs("oms.orders")
        return [
            {**line, **{name: order[name] for name in ("order_id", "customer_id", "promised_at")}}
            for order in self._records.all("oms.orders")
            if order["status"] in OPEN
            for line in order["lines"]
        ]
