"""What several systems of the sandbox company ask of an order before they change anything about it."""

from typing import Any

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.shapes import Row
from systems.sandbox.work import Work


def open_order(work: Work, order_id: str, what: str, *, or_ready: bool = False) -> Row:
    """The order, locked. Raises Refused unless it is open (or ready); `what` says in a sentence what was wanted."""
    order = work.row(t.ORDERS, order_id=order_id)
    if order["status"] not in t.OPEN and not (or_ready and order["status"] == "ready"):
        raise Refused(f"Order {order_id} is {order['status']}, so it cannot {what}.")
    return order


def lines_of(work: Work, order_id: str) -> list[Row]:
    """The lines of the order that are not cancelled, locked."""
    return work.rows(t.ORDER_LINES, order_id=order_id, cancelled=False)


def line_of(work: Work, order_id: str, line_id: str) -> Row:
    """The line, locked. Raises Refused when the order has no such line any more."""
    found = work.rows(t.ORDER_LINES, order_id=order_id, line_id=line_id, cancelled=False)
    if not found:
        raise Refused(f"Order {order_id} has no line {line_id}.")
    return found[0]


def reserve(work: Work, sku: str, location: str | None, qty: int) -> None:
    """Add to what is reserved. Raises Refused when it is more than lies there free."""
    stock = free_stock(work, sku, location, qty)
    work.change(t.STOCK, stock, reserved=(stock["reserved"] or 0) + qty)


def free_stock(work: Work, sku: str, location: str | None, qty: int) -> Row:
    """The stock, locked. Raises Refused when it has fewer than `qty` units that are not reserved."""
    stock = work.row(t.STOCK, sku=sku, location=location)
    free = (stock["on_hand"] or 0) - (stock["reserved"] or 0)
    if stock["quarantined"]:
        raise Refused(f"The stock of {sku} at {location} is in quarantine; take it from elsewhere.")
    if free < qty:
        raise Refused(f"{location} has {max(free, 0)} unreserved units of {sku}, and {qty} are wanted.")
    return stock


def unreserve(work: Work, line: Row) -> None:
    """Set a line's units free, if they are reserved."""
    if not line["reserved"]:
        return
    work.change(t.ORDER_LINES, line, reserved=False)
    for stock in work.rows(t.STOCK, sku=line["sku"], location=line["location"]):
        work.change(t.STOCK, stock, reserved=max((stock["reserved"] or 0) - line["qty"], 0))


def move_line(work: Work, order: Row, line: Row, **values: Any) -> None:
    """Give a line another SKU, place or delivery; reserved units follow it where it still takes stock."""
    held, after = line["reserved"], {**line, **values}
    takes_stock = after["backorder_po_id"] is None
    unreserve(work, line)
    if takes_stock:
        free_stock(work, after["sku"], after["location"], line["qty"])
    if takes_stock and held:
        reserve(work, after["sku"], after["location"], line["qty"])
    work.change(t.ORDER_LINES, {**line, "reserved": False}, **values, reserved=takes_stock and held)
