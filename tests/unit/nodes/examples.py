"""One exception of each of the other Missions, to change at will; `tests/engine.py` has the order."""

from typing import Any

from tests.engine import AS_OF, Raw, a_charge, a_customer, a_line, a_payment, a_stock, an_inbound, an_order

LATE = "2026-03-20T12:00:00Z"
SOON = "2026-03-12T12:00:00Z"


def _exception(mission: str, trigger: Raw, systems: Raw, changes: Raw) -> Raw:
    """A collection given replaces it, a system given as None is down; `trigger` adds to the trigger."""
    trigger = {**trigger, **changes.pop("trigger", {})}
    for name, value in changes.items():
        if name in systems and value is None:
            systems[name] = None
        else:
            systems[next(system for system, found in systems.items() if found and name in found)][name] = value
    return {"case_id": "c-1", "mission": mission, "as_of": AS_OF, "trigger": trigger, "systems": systems}


# Accounts


def a_contact(contact_id: str = "N-1", **other: Any) -> Raw:
    return {"contact_id": contact_id, "email_status": "valid", "opted_out": False, **other}


def an_account(**other: Any) -> Raw:
    """Of tier 1, with two signals (the champion has left, a low NPS) and a renewal in 30 days."""
    return {
        "account_id": "A-1",
        "name": "Lakeside Dental Inc",
        "arr_cents": 12_000_000,
        "owner_id": "U-1",
        "renewal_at": "2026-04-09T12:00:00Z",
        "last_meaningful_contact_at": "2026-03-01T12:00:00Z",
        "champion_left": True,
        "nps": 3,
        "do_not_contact": False,
        "legal_hold": False,
        "contacts": [a_contact("N-1"), a_contact("N-2")],
        **other,
    }


def a_renewal(opportunity_id: str = "P-1", **other: Any) -> Raw:
    return {"opportunity_id": opportunity_id, "account_id": "A-1", "kind": "renewal", "open": True, **other}


def account_review(**changes: Any) -> Raw:
    systems: Raw = {
        "crm": {"accounts": [an_account()], "cases": [], "usage": [], "opportunities": [a_renewal()]},
        "erp": {"receivables": []},
    }
    return _exception("account_save", {"event": "account.daily_review", "account_id": "A-1"}, systems, changes)


# Invoices


def an_invoice(invoice_id: str = "I-1", **other: Any) -> Raw:
    lines = other.pop("lines", None) or [{"po_line": "10", "qty": 2, "unit_price_cents": 5_000}]
    goods = sum(line["qty"] * line["unit_price_cents"] for line in lines)
    return {
        "invoice_id": invoice_id,
        "vendor_id": "V-1",
        "vendor_invoice_no": "2026/17",
        "po_id": "PO-1",
        "category": "goods",
        "currency": "USD",
        "lines": lines,
        "freight_cents": 0,
        "tax_cents": 0,
        "total_cents": goods + other.get("freight_cents", 0) + other.get("tax_cents", 0),
        "received_at": "2026-03-09T12:00:00Z",
        "budget_id": "B-1",
        **other,
    }


def a_vendor(**other: Any) -> Raw:
    return {"vendor_id": "V-1", "name": "Acme Textiles GmbH", "status": "active", "bank_changed_at": None, **other}


def a_purchase_order(**other: Any) -> Raw:
    line = {"po_line": "10", "sku": "A", "qty": 2, "unit_price_cents": 5_000}
    return {"po_id": "PO-1", "vendor_id": "V-1", "currency": "USD", "lines": [line], "budget_id": "B-1", **other}


def an_invoice_received(**changes: Any) -> Raw:
    """An invoice that nothing stands against."""
    systems: Raw = {
        "erp": {
            "invoices": [an_invoice()],
            "purchase_orders": [a_purchase_order()],
            "receipts": [{"po_id": "PO-1", "po_line": "10", "qty_received": 2, "qty_invoiced": 0}],
            "vendors": [a_vendor()],
            "budgets": [{"budget_id": "B-1", "remaining_cents": 10**9}],
        }
    }
    return _exception("invoice_approval", {"event": "invoice.received", "invoice_id": "I-1"}, systems, changes)


# Omnichannel


def _company() -> Raw:
    kinds = {"DC-1": "dc", "DC-2": "dc", "DC-3": "dc", "ST-1": "store", "ST-2": "store", "ST-3": "store", "FL-1": "flagship"}
    km = {"ST-1": {"ST-2": 10, "ST-3": 25, "FL-1": 3}}
    return {
        "oms": {"orders": [an_order()], "returns": []},
        "payments": {"payments": [a_payment(charges=[a_charge()])]},
        "wms": {
            "stock": [],
            "locations": [{"location": place, "type": kind, "km_to": km.get(place, {})} for place, kind in kinds.items()],
            "inbound": [],
        },
        "crm": {"customers": [a_customer()]},
        "erp": {"items": [{"sku": "A", "title": "A", "unit_price_cents": 5_000, "unit_cost_cents": 3_000, "substitutes": []}]},
    }


def pickup_failed(**changes: Any) -> Raw:
    """An order of two of A that is picked up at ST-1; ST-2 (10 km) and DC-1 have them."""
    order = an_order(lines=[a_line(location="ST-1")], pickup_location="ST-1", allow_ship_home=True)
    systems = _company()
    systems["oms"]["orders"] = [order]
    systems["wms"]["stock"] = [a_stock("A", "ST-2"), a_stock("A", "DC-1")]
    return _exception("omnichannel_exception", {"event": "bopis.pick_failed", "order_id": "O-1"}, systems, changes)


def reserving(order_id: str, qty: int, **other: Any) -> Raw:
    """An open order with a line of A at DC-1; its customer is C-<number>."""
    line = {name: other.pop(name) for name in ("backorder_po_id", "picked") if name in other}
    number = order_id.partition("-")[2]
    return an_order(order_id, customer_id=f"C-{number}", lines=[a_line(qty=qty, **line)], **other)


def customers(**tiers: str | None) -> list[Raw]:
    """C1="vip" is customer C-1, a vip."""
    return [a_customer(customer_id=f"C-{name[1:]}", tier=tier) for name, tier in tiers.items()]


def discrepancy(**changes: Any) -> Raw:
    """Phantom stock of A at DC-1 on which two orders count; DC-2 has 5."""
    systems = _company()
    systems["oms"]["orders"] = [reserving("O-1", 2), reserving("O-2", 3)]
    systems["crm"]["customers"] = customers(C1="standard", C2="vip")
    systems["wms"]["stock"] = [a_stock("A", "DC-1", 10, failed_picks_14d=2), a_stock("A", "DC-2", 5)]
    return _exception(
        "omnichannel_exception", {"event": "inventory.discrepancy", "sku": "A", "location": "DC-1"}, systems, changes
    )


def delay(**changes: Any) -> Raw:
    """Delivery PO-1 of A comes after two orders that wait for it were promised; DC-2 has 5."""
    systems = _company()
    systems["oms"]["orders"] = [
        reserving("O-1", 2, backorder_po_id="PO-1", status="backordered"),
        reserving("O-2", 3, backorder_po_id="PO-1", status="backordered"),
    ]
    systems["crm"]["customers"] = customers(C1="standard", C2="vip")
    systems["wms"]["stock"] = [a_stock("A", "DC-2", 5)]
    systems["wms"]["inbound"] = [an_inbound(eta=LATE, expedited_eta=None, expedite_cost_cents=None)]
    return _exception("omnichannel_exception", {"event": "inbound.delayed", "po_id": "PO-1"}, systems, changes)


def a_return(**other: Any) -> Raw:
    return {
        "return_id": "R-1",
        "order_id": "O-1",
        "line_id": "1",
        "sku": "A",
        "qty": 2,
        "scanned_sku": "A",
        "condition": "resellable",
        "refunded_cents": 0,
        "receipt_posted": False,
        "received_at": "2026-03-09T12:00:00Z",
        "location": "DC-1",
        **other,
    }


def return_unreconciled(**changes: Any) -> Raw:
    """A return that is neither posted nor refunded."""
    systems = _company()
    systems["oms"] = {"orders": [an_order(status="delivered")], "returns": [a_return()]}
    return _exception("omnichannel_exception", {"event": "return.unreconciled", "return_id": "R-1"}, systems, changes)


def vip_conflict(**changes: Any) -> Raw:
    """Line 1 of a VIP's order is short; O-2 of a standard customer could wait for PO-1."""
    systems = _company()
    systems["oms"]["orders"] = [
        reserving("O-1", 2, picked=False),
        reserving("O-2", 2, picked=False, promised_at=LATE),
        reserving("O-3", 2, picked=False, promised_at=LATE),
    ]
    systems["crm"]["customers"] = customers(C1="vip", C2="standard", C3="gold")
    systems["wms"]["inbound"] = [an_inbound(expedited_eta=SOON, expedite_cost_cents=100)]
    trigger = {"event": "order.vip_conflict", "order_id": "O-1", "line_id": "1"}
    return _exception("omnichannel_exception", trigger, systems, changes)


# Support


def a_subscription(subscription_id: str = "S-1", **other: Any) -> Raw:
    return {"subscription_id": subscription_id, "customer_id": "C-1", "plan": "seasonal box", "status": "active", **other}


def message(text: str, **changes: Any) -> Raw:
    """A message of customer C-1, whose only order O-1001 was delivered a day ago; O-2002 is another customer's."""
    order = an_order("O-1001", status="delivered")
    systems: Raw = {
        "oms": {"orders": [order, an_order("O-2002", customer_id="C-2")]},
        "payments": {"payments": [a_payment("O-1001", charges=[a_charge()]), a_payment("O-2002", charges=[a_charge("ch-9")])]},
        "crm": {"customers": [a_customer()], "subscriptions": [a_subscription()]},
        "erp": {"items": [{"sku": "A", "title": "A", "unit_price_cents": 5_000, "final_sale": False, "substitutes": []}]},
        "logistics": {
            "shipments": [
                {
                    "order_id": "O-1001",
                    "status": "delivered",
                    "last_scan_at": "2026-03-09T12:00:00Z",
                    "delivered_at": "2026-03-09T12:00:00Z",
                }
            ]
        },
    }
    trigger = {
        "event": "support.message",
        "ticket_id": "T-1",
        "customer_id": "C-1",
        "text": text,
        "photos": 0,
        "sender_verified": False,
    }
    return _exception("support_resolution", trigger, systems, changes)
