"""What the sandbox company does: its write tools that are programs.

Those that change records of one collection alone stand in `company.yaml`. Money is in integer US cents.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select

from errors import Refused
from systems.sandbox import database as db
from systems.sandbox.database import Row
from systems.sandbox.payables import enter_invoice
from systems.sandbox.work import Act, Cents, Id, Words, Work


def open_order(work: Work, order_id: str, what: str, *, or_ready: bool = False) -> Row:
    """The order, locked. Raises Refused unless it is open (or ready); `what` says in a sentence what was wanted."""
    order = work.row(db.ORDERS, order_id=order_id)
    if order["status"] not in db.OPEN and not (or_ready and order["status"] == "ready"):
        raise Refused(f"Order {order_id} is {order['status']}, so it cannot {what}.")
    return order


def lines_of(work: Work, order_id: str) -> list[Row]:
    """The lines of the order that are not cancelled, locked."""
    return work.rows(db.ORDER_LINES, order_id=order_id, cancelled=False)


def line_of(work: Work, order_id: str, called: str, **by: str) -> Row:
    """The first line with these values, locked. Raises Refused when the order has no such line any more."""
    for line in work.rows(db.ORDER_LINES, order_id=order_id, cancelled=False, **by):
        return line
    raise Refused(f"Order {order_id} has no line {called}.")


def free_stock(work: Work, sku: str, location: str | None, qty: int) -> Row:
    """The stock, locked. Raises Refused when it has fewer than `qty` units that are not reserved."""
    stock = work.row(db.STOCK, sku=sku, location=location)
    if stock["quarantined"]:
        raise Refused(f"The stock of {sku} at {location} is in quarantine; take it from elsewhere.")
    free = (stock["on_hand"] or 0) - (stock["reserved"] or 0)
    if free < qty:
        raise Refused(f"{location} has {max(free, 0)} unreserved units of {sku}, and {qty} are wanted.")
    return stock


def reserve(work: Work, sku: str, location: str | None, qty: int) -> None:
    """Add to what is reserved. Raises Refused when it is more than lies there free."""
    stock = free_stock(work, sku, location, qty)
    work.change(db.STOCK, stock, reserved=(stock["reserved"] or 0) + qty)


def unreserve(work: Work, line: Row) -> None:
    """Set a line's units free, if they are reserved."""
    if not line["reserved"]:
        return
    work.change(db.ORDER_LINES, line, reserved=False)
    for stock in work.rows(db.STOCK, sku=line["sku"], location=line["location"]):
        work.change(db.STOCK, stock, reserved=max((stock["reserved"] or 0) - line["qty"], 0))


def move_line(work: Work, line: Row, **values: Any) -> None:
    """Give a line another SKU, place or delivery; reserved units follow it where it still takes stock."""
    after = {**line, **values}
    takes_stock = after["backorder_po_id"] is None
    unreserve(work, line)
    if takes_stock:
        (reserve if line["reserved"] else free_stock)(work, after["sku"], after["location"], line["qty"])
    work.change(db.ORDER_LINES, {**line, "reserved": False}, **values, reserved=takes_stock and line["reserved"])


# Order management


def cancel_order(work: Work, order_id: Id, reason: Words) -> None:
    """Cancel an order that has not shipped, and set its reserved units free."""
    order = open_order(work, order_id, "be cancelled", or_ready=True)
    for line in lines_of(work, order_id):
        unreserve(work, line)
    work.change(db.ORDERS, order, status="cancelled", reservation=None)
    work.do("oms.cancellations", order_id, reason=reason)


def cancel_line(work: Work, order_id: Id, line_id: Id) -> None:
    """Cancel one line of an open order; the last line cannot be cancelled, the order must be. The total stays."""
    open_order(work, order_id, "lose a line")
    line = line_of(work, order_id, line_id, line_id=line_id)
    if len(lines_of(work, order_id)) == 1:
        raise Refused(f"Line {line_id} is the last of order {order_id}; cancel the order instead.")
    unreserve(work, line)
    work.change(db.ORDER_LINES, {**line, "reserved": False}, cancelled=True)


def substitute_line(work: Work, order_id: Id, line_id: Id, sku: Id) -> None:
    """Send a substitute of the item in its place, if the order allows it and the line's location has enough."""
    order = open_order(work, order_id, "be substituted")
    line = line_of(work, order_id, line_id, line_id=line_id)
    if not order["allow_substitution"]:
        raise Refused(f"Order {order_id} does not allow substitution.")
    if sku not in (work.row(db.ITEMS, sku=line["sku"])["substitutes"] or ()):
        raise Refused(f"{sku} is not a substitute for {line['sku']}.")
    if any(other["sku"] == sku for other in lines_of(work, order_id)):
        raise Refused(f"Order {order_id} has a line of {sku} already.")
    move_line(work, line, sku=sku, backorder_po_id=None)


def change_pickup_location(work: Work, order_id: Id, to_location: Id) -> None:
    """Move the pickup of an order to another store that has enough of every line."""
    order = open_order(work, order_id, "move its pickup", or_ready=True)
    if order["pickup_location"] is None:
        raise Refused(f"Order {order_id} is not to be picked up.")
    if order["pickup_location"] == to_location:
        raise Refused(f"Order {order_id} is already set for pickup at {to_location}.")
    if work.row(db.LOCATIONS, location=to_location)["type"] not in ("store", "flagship"):
        raise Refused(f"{to_location} is not a store; choose one for the pickup.")
    _move_all(work, order_id, to_location)
    work.change(db.ORDERS, order, pickup_location=to_location)


def convert_to_shipment(work: Work, order_id: Id, from_location: Id) -> None:
    """Ship a pickup order home from a location that has enough of every line, if the order allows it."""
    order = open_order(work, order_id, "be shipped home", or_ready=True)
    if order["pickup_location"] is None or not order["allow_ship_home"]:
        raise Refused(f"Order {order_id} is not a pickup order, or it cannot be shipped home.")
    if order["ship_to"] is None:
        raise Refused(f"Order {order_id} has no address to be shipped to.")
    work.row(db.LOCATIONS, location=from_location)
    _move_all(work, order_id, from_location)
    work.change(db.ORDERS, order, pickup_location=None)


def _move_all(work: Work, order_id: str, location: str) -> None:
    for line in lines_of(work, order_id):
        if line["location"] == location and line["backorder_po_id"] is None:
            free_stock(work, line["sku"], location, 0 if line["reserved"] else line["qty"])
        else:
            move_line(work, line, location=location, backorder_po_id=None)


# Warehouse


def confirm_reservation(work: Work, order_id: Id) -> None:
    """Reserve the units of every line of an open order that is not backordered; all of them or none."""
    order = open_order(work, order_id, "be reserved")
    if order["reservation"] == "confirmed":
        raise Refused(f"The reservation of order {order_id} is confirmed already.")
    from_stock = [line for line in lines_of(work, order_id) if line["backorder_po_id"] is None]
    if not from_stock:
        raise Refused(f"Order {order_id} has no line that takes stock, so there is nothing to reserve.")
    for line in sorted(from_stock, key=lambda row: (str(row["sku"]), str(row["location"]))):
        if not line["reserved"]:
            reserve(work, line["sku"], line["location"], line["qty"])
            work.change(db.ORDER_LINES, line, reserved=True)
    work.change(db.ORDERS, order, reservation="confirmed")


def reallocate_line(work: Work, order_id: Id, line_id: Id, to_location: Id) -> None:
    """Ship a line of an order that has not shipped from another location that has enough unreserved units."""
    open_order(work, order_id, "be reallocated", or_ready=True)
    line = line_of(work, order_id, line_id, line_id=line_id)
    if line["location"] == to_location and line["backorder_po_id"] is None:
        raise Refused(f"Line {line_id} of order {order_id} ships from {to_location} already.")
    work.row(db.LOCATIONS, location=to_location)
    move_line(work, line, location=to_location, backorder_po_id=None)


def backorder_line(work: Work, order_id: Id, line_id: Id, po_id: Id) -> None:
    """Let a line of an open order wait for an inbound delivery to its location that is not promised to others."""
    order = open_order(work, order_id, "be backordered")
    line = line_of(work, order_id, line_id, line_id=line_id)
    work.row(db.INBOUND, po_id=po_id)
    inbound = work.rows(db.INBOUND, po_id=po_id, sku=line["sku"], location=line["location"])
    if not inbound:
        raise Refused(f"Delivery {po_id} brings no {line['sku']} to {line['location']}, where line {line_id} wants it.")
    other, orders = db.ORDER_LINES.c, db.ORDERS.c
    same = (other.backorder_po_id == po_id, other.sku == line["sku"], other.location == line["location"])
    open_ones = (other.cancelled.is_(False), other.order_id != order_id, orders.status.in_((*db.OPEN, "ready")))
    joined = db.ORDER_LINES.join(db.ORDERS, orders.order_id == other.order_id)
    promised = select(func.coalesce(func.sum(other.qty), 0)).select_from(joined).where(*same, *open_ones)
    left = (inbound[0]["qty"] or 0) - int(work.connection.execute(promised).scalar_one())
    if left < line["qty"]:
        raise Refused(f"Delivery {po_id} has {left} units that are not promised, and {line['qty']} are wanted.")
    move_line(work, line, backorder_po_id=po_id)
    if all(one["backorder_po_id"] for one in lines_of(work, order_id)):
        work.change(db.ORDERS, order, status="backordered")


def request_cycle_count(work: Work, sku: Id, location: Id) -> None:
    """Have the units of a SKU at a known location counted."""
    if not work.rows(db.STOCK, sku=sku, location=location):
        work.row(db.LOCATIONS, location=location)
    work.do("wms.cycle_counts", f"{sku}@{location}", sku=sku, location=location)


def swap_reservation(work: Work, from_order_id: Id, to_order_id: Id, sku: Id) -> None:
    """Give an order that has not shipped the units of a SKU that an open one, not picked yet, was to have: at least as many."""
    if from_order_id == to_order_id:
        raise Refused(f"Order {to_order_id} cannot take its own reservation.")
    # In the order of their ids, so that two swaps never wait for each other.
    orders = {
        order_id: open_order(work, order_id, "swap its reservation", or_ready=order_id == to_order_id)
        for order_id in sorted((from_order_id, to_order_id))
    }
    giving, taking = (line_of(work, order_id, f"of {sku}", sku=sku) for order_id in (from_order_id, to_order_id))
    if giving["picked"]:
        raise Refused(f"The line of {sku} of order {from_order_id} is picked already.")
    if giving["qty"] < taking["qty"]:
        raise Refused(f"Order {from_order_id} has {giving['qty']} units of {sku}, and {taking['qty']} are wanted.")
    if giving["backorder_po_id"] is not None:
        raise Refused(f"The line of {sku} of order {from_order_id} is backordered, so it has no units to give.")
    unreserve(work, giving)
    unreserve(work, taking)
    if giving["reserved"]:
        reserve(work, sku, giving["location"], taking["qty"])
    moved = {"location": giving["location"], "backorder_po_id": None, "reserved": giving["reserved"]}
    work.change(db.ORDER_LINES, {**taking, "reserved": False}, **moved)
    work.change(db.ORDERS, orders[from_order_id], reservation=None)
    work.do("wms.reservation_swaps", to_order_id, from_order_id=from_order_id, sku=sku, location=giving["location"])


# Payments


def reauthorize(work: Work, order_id: Id, amount_cents: Cents) -> None:
    """Authorize an amount again for an order that is not cancelled, for seven days."""
    moment = _chargeable(work, order_id)
    granted = {"amount_cents": amount_cents, "status": "authorized", "authorized_at": moment}
    expires_at = moment + timedelta(days=7)
    work.add(db.AUTHORIZATIONS, auth_id=work.new_id("au"), order_id=order_id, **granted, expires_at=expires_at)


def capture_payment(work: Work, order_id: Id, amount_cents: Cents) -> None:
    """Capture an amount of an order's live authorization, at most what is left of it."""
    moment = _chargeable(work, order_id)
    granted = [row for row in work.rows(db.AUTHORIZATIONS, order_id=order_id) if row["status"] == "authorized"]
    live = [row for row in granted if row["expires_at"] is None or row["expires_at"] > moment]
    left = {row["auth_id"]: (row["amount_cents"] or 0) - row["captured_cents"] for row in live}
    fitting = [row for row in live if left[row["auth_id"]] >= amount_cents]
    if not fitting:
        best = max(left.values(), default=0)
        raise Refused(f"Order {order_id} has no live authorization that covers {amount_cents} cents (the best covers {best}).")
    work.change(db.AUTHORIZATIONS, fitting[-1], captured_cents=fitting[-1]["captured_cents"] + amount_cents)
    charge = {"amount_cents": amount_cents, "status": "captured", "captured_at": moment, "refunded_cents": 0}
    work.add(db.CHARGES, charge_id=work.new_id("ch"), order_id=order_id, **charge)


def _chargeable(work: Work, order_id: str) -> datetime:
    """The moment by which the order's payment lives, locked. Raises Refused for a cancelled order."""
    if work.row(db.ORDERS, order_id=order_id)["status"] == "cancelled":
        raise Refused(f"Order {order_id} is cancelled, so nothing is charged for it.")
    return work.row(db.PAYMENTS, order_id=order_id)["clock_at"] or datetime.now(UTC)


# Customers and accounts


def flag_contact(work: Work, contact_id: Id, issue: Words) -> None:
    """Note what is wrong with a contact."""
    holders = select(db.ACCOUNTS.c.account_id).where(db.ACCOUNTS.c.contacts.contains([{"contact_id": contact_id}]))
    if work.connection.execute(holders).first() is None:
        raise Refused(f"There is no contact {contact_id}.")
    work.do("crm.contact_flags", contact_id, issue=issue)


def open_case(work: Work, queue: Words, subject_id: Id) -> None:
    """Open a case about a subject in the queue of a team."""
    work.do("crm.queued_cases", subject_id, queue=queue)


# ERP


def post_payment(work: Work, invoice_id: Id, amount_cents: Cents) -> None:
    """Pay an invoice once, at most its total, from its budget; what it bills of an order counts as invoiced then.

    A held invoice may be paid, a rejected one may not.
    """
    invoice = work.row(db.INVOICES, invoice_id=invoice_id)
    if invoice["state"] in ("posted", "rejected"):
        raise Refused(f"Invoice {invoice_id} is {invoice['state']} already, so it cannot be paid.")
    if amount_cents > (invoice["total_cents"] or 0):
        raise Refused(f"Invoice {invoice_id} is over {invoice['total_cents']} cents, so {amount_cents} is too much.")
    if invoice["budget_id"] is not None:
        budget = work.row(db.BUDGETS, budget_id=invoice["budget_id"])
        left = budget["remaining_cents"] or 0
        if left < amount_cents:
            raise Refused(f"Budget {invoice['budget_id']} has {left} cents left, and {amount_cents} are wanted.")
        work.change(db.BUDGETS, budget, remaining_cents=left - amount_cents)
    for line in work.rows(db.INVOICE_LINES, invoice_id=invoice_id) if invoice["po_id"] is not None else ():
        for receipt in work.rows(db.RECEIPTS, po_id=invoice["po_id"], po_line=line["po_line"]):
            work.change(db.RECEIPTS, receipt, qty_invoiced=(receipt["qty_invoiced"] or 0) + (line["qty"] or 0))
    work.change(db.INVOICES, invoice, state="posted", state_reason=None)
    work.do("erp.payments", invoice_id, amount_cents=amount_cents)


def post_return_receipt(work: Work, return_id: Id, disposition: Literal["restock", "scrap"]) -> None:
    """Post the receipt of a return, once; resellable units go back on the shelf, where the location keeps the SKU."""
    returned = work.row(db.RETURNS, return_id=return_id)
    if returned["receipt_posted"]:
        raise Refused(f"The receipt of return {return_id} is posted already.")
    if disposition == "restock" and returned["condition"] != "resellable":
        raise Refused(f"Return {return_id} is {returned['condition']}, so it cannot be restocked.")
    restocked = {"sku": returned["sku"], "location": returned["location"]}
    for stock in work.rows(db.STOCK, **restocked) if disposition == "restock" else ():
        if stock["on_hand"] is not None:  # what is not known stays so
            work.change(db.STOCK, stock, on_hand=stock["on_hand"] + (returned["qty"] or 0))
    work.change(db.RETURNS, returned, receipt_posted=True, disposition=disposition)


#: the write tools of each system that are programs
WRITES: Mapping[str, tuple[Act, ...]] = {
    "oms": (cancel_order, cancel_line, substitute_line, change_pickup_location, convert_to_shipment),
    "wms": (confirm_reservation, reallocate_line, backorder_line, request_cycle_count, swap_reservation),
    "payments": (reauthorize, capture_payment),
    "crm": (flag_contact, open_case),
    "erp": (post_payment, post_return_receipt, enter_invoice),
}
DESTRUCTIVE = (cancel_order, cancel_line, swap_reservation, capture_payment, post_payment)
