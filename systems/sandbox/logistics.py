"""The logistics system of the sandbox company: its write tool."""

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Id
from systems.sandbox.work import Work


def create_return_label(work: Work, order_id: Id) -> None:
    """Create a return label for an order that was shipped."""
    order = work.row(t.ORDERS, order_id=order_id)
    if order["status"] not in ("shipped", "delivered"):
        raise Refused(f"Order {order_id} is {order['status']}; only what was shipped can be returned.")
    work.do("logistics.return_labels", order_id)


WRITES = (create_return_label,)
DESTRUCTIVE = ()
