"""The warehouse system of the sandbox company: its write tools."""

from sqlalchemy import func, select

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Id
from systems.sandbox.orders import line_of, lines_of, move_line, open_order, reserve, unreserve
from systems.sandbox.shapes import Row
from systems.sandbox.work import Work


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
            work.change(t.ORDER_LINES, line, reserved=True)
    work.change(t.ORDERS, order, reservation="confirmed")


def reallocate_line(work: Work, order_id: Id, line_id: Id, to_location: Id) -> None:
    """Ship a line of an order that has not shipped from another location that has enough unreserved units."""
    order = open_order(work, order_id, "be reallocated", or_ready=True)
    line = line_of(work, order_id, line_id)
    if line["location"] == to_location and line["backorder_po_id"] is None:
        raise Refused(f"Line {line_id} of order {order_id} ships from {to_location} already.")
    work.row(t.LOCATIONS, location=to_location)
    move_line(work, order, line, location=to_location, backorder_po_id=None)


def backorder_line(work: Work, order_id: Id, line_id: Id, po_id: Id) -> None:
    """Let a line of an open order wait for an inbound delivery to its location that is not promised to others."""
    order = open_order(work, order_id, "be backordered")
    line = line_of(work, order_id, line_id)
    work.row(t.INBOUND, po_id=po_id)
    inbound = work.rows(t.INBOUND, po_id=po_id, sku=line["sku"], location=line["location"])
    if not inbound:
        raise Refused(f"Delivery {po_id} brings no {line['sku']} to {line['location']}, where line {line_id} wants it.")
    left = (inbound[0]["qty"] or 0) - _promised(work, po_id, line, order_id)
    if left < line["qty"]:
        raise Refused(f"Delivery {po_id} has {left} units that are not promised, and {line['qty']} are wanted.")
    move_line(work, order, line, backorder_po_id=po_id)
    if all(other["backorder_po_id"] for other in lines_of(work, order_id)):
        work.change(t.ORDERS, order, status="backordered")


def quarantine_stock(work: Work, sku: Id, location: Id) -> None:
    """Take the stock of a SKU at a location out of sale until it was looked at."""
    stock = work.row(t.STOCK, sku=sku, location=location)
    if stock["quarantined"]:
        raise Refused(f"The stock of {sku} at {location} is in quarantine already.")
    work.change(t.STOCK, stock, quarantined=True)


def request_cycle_count(work: Work, sku: Id, location: Id) -> None:
    """Have the units of a SKU at a known location counted."""
    if not work.rows(t.STOCK, sku=sku, location=location):
        work.row(t.LOCATIONS, location=location)
    work.do("wms.cycle_counts", f"{sku}@{location}", sku=sku, location=location)


def swap_reservation(work: Work, from_order_id: Id, to_order_id: Id, sku: Id) -> None:
    """Give an order that has not shipped the units of a SKU that an open one, not picked yet, was to have: at least as many."""
    if from_order_id == to_order_id:
        raise Refused(f"Order {to_order_id} cannot take its own reservation.")
    # In the order of their ids, so that two swaps never wait for each other.
    first, second = sorted((from_order_id, to_order_id))
    orders = {
        order_id: open_order(work, order_id, "swap its reservation", or_ready=order_id == to_order_id)
        for order_id in (first, second)
    }
    giving, taking = (_line_with(work, order_id, sku) for order_id in (from_order_id, to_order_id))
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
    freed = {**taking, "reserved": False}
    work.change(t.ORDER_LINES, freed, location=giving["location"], backorder_po_id=None, reserved=giving["reserved"])
    work.change(t.ORDERS, orders[from_order_id], reservation=None)
    work.do("wms.reservation_swaps", to_order_id, from_order_id=from_order_id, sku=sku, location=giving["location"])


def _line_with(work: Work, order_id: str, sku: str) -> Row:
    found = [line for line in lines_of(work, order_id) if line["sku"] == sku]
    if not found:
        raise Refused(f"Order {order_id} has no line of {sku}.")
    return found[0]


def _promised(work: Work, po_id: str, like: Row, except_order: str) -> int:
    lines = t.ORDER_LINES.join(t.ORDERS, t.ORDERS.c.order_id == t.ORDER_LINES.c.order_id)
    query = (
        select(func.coalesce(func.sum(t.ORDER_LINES.c.qty), 0))
        .select_from(lines)
        .where(
            t.ORDER_LINES.c.backorder_po_id == po_id,
            t.ORDER_LINES.c.sku == like["sku"],
            t.ORDER_LINES.c.location == like["location"],
            t.ORDER_LINES.c.order_id != except_order,
            t.ORDER_LINES.c.cancelled.is_(False),
            t.ORDERS.c.status.in_((*t.OPEN, "ready")),
        )
    )
    return int(work.connection.execute(query).scalar_one())


WRITES = (
    confirm_reservation,
    reallocate_line,
    backorder_line,
    quarantine_stock,
    request_cycle_count,
    swap_reservation,
)
DESTRUCTIVE = (quarantine_stock, swap_reservation)
