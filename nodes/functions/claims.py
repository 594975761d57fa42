"""What open orders lay claim to: reservations of stock, and deliveries they wait for; and whose turn is first (OMN-1).

A claim is a line of an open order with `order_id`, `customer_id` and `promised_at` of its order, and `picked`: whether
any line of it is picked, or not known not to be.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nodes.functions.times import moment
from systems.records import Records

Claim = Mapping[str, Any]
CLAIM_FUNCTIONS = ("reservations", "waiting_for", "by_priority", "tier")
#: stands for no moment where only the order matters
FIRST_MOMENT = "0001-01-01T00:00:00Z"
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

        A tier that is not known gives no precedence, nor does a promise that is not known.
        """
        told = [{**claim, "tier": self.tier(claim["customer_id"])} for claim in claims]
        return sorted(told, key=self._turn)

    def _turn(self, claim: Claim) -> tuple[int, bool, datetime, str, str]:
        tier = self._tiers.index(claim["tier"]) if claim["tier"] in self._tiers else len(self._tiers) - 1
        promised = claim["promised_at"]
        return (tier, promised is None, moment(promised or FIRST_MOMENT), claim["order_id"], claim["line_id"])

    def tier(self, customer_id: str) -> str | None:
        """The tier of a customer; None where there is no record of them."""
        self._needs("crm.customers")
        return (self._records.get("crm.customers", customer_id) or {}).get("tier")

    def _lines(self) -> list[dict[str, Any]]:
        self._needs("oms.orders")
        return [
            {
                **line,
                **{name: order[name] for name in ("order_id", "customer_id", "promised_at")},
                "picked": any(other.get("picked", False) is not False for other in order["lines"]),
            }
            for order in self._records.all("oms.orders")
            if order["status"] in OPEN
            for line in order["lines"]
        ]
