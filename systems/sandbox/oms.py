"""The order management system of the sandbox company: its write tools."""

from typing import Any

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Id, Words
from systems.sandbox.orders import free_stock, line_of, lines_of, move_line, open_order, unreserve
from systems.sandbox.work import Work


def release_to_fulfilment(work: Work, order_id: Id) -> None:
    """Release an open order to fulfilment; its payment must not be on hold and its reservation must be confirmed."""
    order = open_order(work, order_id, "be released")
    if work.row(t.PAYMENTS, order_id=order_id)["on_hold"]:
        raise Refused(f"The payment of order {order_id} is on hold; release the hold before the order.")
    if order["reservation"] != "confirmed":
        raise Refused(f"The reservation of order {order_id} is not confirmed; confirm it before the release.")
    work.change(t.ORDERS, order, status="ready", hold_reason=None)


def cancel_order(work: Work, order_id: Id, reason: Words) -> None:
    """Cancel an order that has not shipped, and set its reserved units free."""
    order = work.row(t.ORDERS, order_id=order_id)
    if order["status"] in ("shipped", "delivered", "cancelled"):
        raise Refused(f"Order {order_id} is {order['status']}, so it cannot be cancelled.")
    for line in lines_of(work, order_id):
        unreserve(work, line)
    work.change(t.ORDERS, order, status="cancelled", reservation=None)
    work.do("oms.cancellations", order_id, reason=reason)


def cancel_line(work: Work, order_id: Id, line_id: Id) -> None:
    """Cancel one line of an open order; the last line cannot be cancelled, the order must be. The total stays."""
    open_order(work, order_id, "lose a line")
    line = line_of(work, order_id, line_id)
    if len(lines_of(work, order_id)) == 1:
        raise Refused(f"Line {line_id} is the last of order {order_id}; cancel the order instead.")
    unreserve(work, line)
    work.change(t.ORDER_LINES, {**line, "reserved": False}, cancelled=True)


def substitute_line(work: Work, order_id: Id, line_id: Id, sku: Id) -> None:
    """Send a substitute of the item in its place, if the order allows it and the line's location has enough."""
    order = open_order(work, order_id, "be substituted")
    line = line_of(work, order_id, line_id)
    if not order["allow_substitution"]:
        raise Refused(f"Order {order_id} does not allow substitution.")
    if sku not in (work.row(t.ITEMS, sku=line["sku"])["substitutes"] or ()):
        raise Refused(f"{sku} is no substitute of {line['sku']}.")
    if any(other["sku"] == sku for other in lines_of(work, order_id)):
        raise Refused(f"Order {order_id} has a line of {sku} already.")
    move_line(work, order, line, sku=sku, backorder_po_id=None)


def update_shipping_address(work: Work, order_id: Id, ship_to: dict[str, Any]) -> None:
    """Give an order that has not shipped another address: an object with at least line1, postal_code and country."""
    order = open_order(work, order_id, "change its address", or_ready=True)
    missing = [name for name in ("line1", "postal_code", "country") if not str(ship_to.get(name) or "").strip()]
    if missing:
        raise Refused(f"The new address of order {order_id} has no {missing[0]}.")
    work.change(t.ORDERS, order, ship_to=ship_to)


def place_order_hold(work: Work, order_id: Id, reason: Words) -> None:
    """Hold an order that has not shipped for the customer; a hold for its address sets it to address_hold."""
    order = open_order(work, order_id, "be held", or_ready=True)
    status = "address_hold" if reason == "address" and order["status"] in t.OPEN else order["status"]
    work.change(t.ORDERS, order, hold_reason=reason, status=status)


def reship_order(work: Work, order_id: Id) -> None:
    """Send the goods of a shipped or delivered order again, once."""
    order = work.row(t.ORDERS, order_id=order_id)
    if order["status"] not in ("shipped", "delivered"):
        raise Refused(f"Order {order_id} is {order['status']}; only what was shipped can be shipped again.")
    if order["reshipped"]:
        raise Refused(f"Order {order_id} was shipped again already.")
    work.change(t.ORDERS, order, reshipped=True)


def change_pickup_location(work: Work, order_id: Id, to_location: Id) -> None:
    """Move the pickup of an order to another store that has enough of every line."""
    order = open_order(work, order_id, "move its pickup", or_ready=True)
    if order["pickup_location"] is None:
        raise Refused(f"Order {order_id} is not to be picked up.")
    if order["pickup_location"] == to_location:
        raise Refused(f"Order {order_id} is to be picked up at {to_location} already.")
    if work.row(t.LOCATIONS, location=to_location)["type"] not in ("store", "flagship"):
        raise Refused(f"{to_location} is no store; choose one for the pickup.")
    _move_all(work, order_id, to_location)
    work.change(t.ORDERS, order, pickup_location=to_location)


def convert_to_shipment(work: Work, order_id: Id, from_location: Id) -> None:
    """Ship a pickup order home from a location that has enough of every line, if the order allows it."""
    order = open_order(work, order_id, "be shipped home", or_ready=True)
    if order["pickup_location"] is None or not order["allow_ship_home"]:
        raise Refused(f"Order {order_id} is no pickup order that may be shipped home.")
    if order["ship_to"] is None:
        raise Refused(f"Order {order_id} has no address to be shipped to.")
    work.row(t.LOCATIONS, location=from_location)
    _move_all(work, order_id, from_location)
    work.change(t.ORDERS, order, pickup_location=None)


def _move_all(work: Work, order_id: str, location: str) -> None:
    order = work.row(t.ORDERS, order_id=order_id)
    for line in lines_of(work, order_id):
        if line["location"] == location and line["backorder_po_id"] is None:
            free_stock(work, line["sku"], location, 0 if line["reserved"] else line["qty"])
        else:
            move_line(work, order, line, location=location, backorder_po_id=None)


WRITES = (
    release_to_fulfilment,
    cancel_order,
    cancel_line,
    substitute_line,
    update_shipping_address,
    place_order_hold,
    reship_order,
    change_pickup_location,
    convert_to_shipment,
)
DESTRUCTIVE = (cancel_order, cancel_line)
