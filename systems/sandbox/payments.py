"""The payment system of the sandbox company: its write tools. Money is in integer US cents."""

from datetime import timedelta

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Cents, Id
from systems.sandbox.shapes import Row
from systems.sandbox.work import Work, now

_GOOD_FOR = timedelta(days=7)


def release_payment_hold(work: Work, order_id: Id) -> None:
    """Release the payment hold of an order that is neither cancelled nor shipped."""
    order = work.row(t.ORDERS, order_id=order_id)
    if order["status"] in ("cancelled", "shipped", "delivered"):
        raise Refused(f"Order {order_id} is {order['status']}, so its payment hold stays as it is.")
    payment = work.row(t.PAYMENTS, order_id=order_id)
    if not payment["on_hold"]:
        raise Refused(f"The payment of order {order_id} is not on hold.")
    work.change(t.PAYMENTS, payment, on_hold=False)


def void_authorization(work: Work, auth_id: Id) -> None:
    """Void an authorization that is authorized and not captured."""
    authorization = work.row(t.AUTHORIZATIONS, auth_id=auth_id)
    if authorization["status"] != "authorized":
        raise Refused(f"Authorization {auth_id} is {authorization['status']}, so there is nothing to void.")
    if authorization["captured_cents"]:
        raise Refused(f"Authorization {auth_id} was captured already; refund the charge instead.")
    work.change(t.AUTHORIZATIONS, authorization, status="voided")


def reauthorize(work: Work, order_id: Id, amount_cents: Cents) -> None:
    """Authorize an amount anew for an order that is not cancelled, for seven days."""
    _chargeable(work, order_id)
    payment = work.row(t.PAYMENTS, order_id=order_id)
    moment = payment["clock_at"] or now()
    work.add(
        t.AUTHORIZATIONS,
        auth_id=work.new_id("au"),
        order_id=order_id,
        position=len(work.rows(t.AUTHORIZATIONS, order_id=order_id)),
        amount_cents=amount_cents,
        status="authorized",
        authorized_at=moment,
        expires_at=moment + _GOOD_FOR,
    )


def capture_payment(work: Work, order_id: Id, amount_cents: Cents) -> None:
    """Capture an amount of an order's live authorization, at most what is left of it."""
    _chargeable(work, order_id)
    payment = work.row(t.PAYMENTS, order_id=order_id)
    moment = payment["clock_at"] or now()
    live = [row for row in work.rows(t.AUTHORIZATIONS, order_id=order_id) if _live(row, moment)]
    left = {row["auth_id"]: (row["amount_cents"] or 0) - row["captured_cents"] for row in live}
    fitting = [row for row in live if left[row["auth_id"]] >= amount_cents]
    if not fitting:
        best = max(left.values(), default=0)
        raise Refused(f"Order {order_id} has no live authorization that covers {amount_cents} cents (the best covers {best}).")
    authorization = fitting[-1]
    captured = authorization["captured_cents"] + amount_cents
    work.change(t.AUTHORIZATIONS, authorization, captured_cents=captured)
    work.add(
        t.CHARGES,
        charge_id=work.new_id("ch"),
        order_id=order_id,
        position=len(work.rows(t.CHARGES, order_id=order_id)),
        amount_cents=amount_cents,
        status="captured",
        captured_at=moment,
        refunded_cents=0,
    )


def refund_charge(work: Work, charge_id: Id, amount_cents: Cents) -> None:
    """Refund of a captured charge, at most what was captured less what was refunded."""
    charge = work.row(t.CHARGES, charge_id=charge_id)
    if charge["status"] != "captured":
        raise Refused(f"Charge {charge_id} is {charge['status']}; only a captured charge is refunded.")
    left = (charge["amount_cents"] or 0) - (charge["refunded_cents"] or 0)
    if amount_cents > left:
        raise Refused(f"Of charge {charge_id} {left} cents are left, so {amount_cents} cannot be refunded.")
    status = "refunded" if amount_cents == left else "captured"
    refunded = (charge["refunded_cents"] or 0) + amount_cents
    work.change(t.CHARGES, charge, refunded_cents=refunded, status=status)


def _chargeable(work: Work, order_id: str) -> None:
    if work.row(t.ORDERS, order_id=order_id)["status"] == "cancelled":
        raise Refused(f"Order {order_id} is cancelled, so nothing is charged for it.")


def _live(authorization: Row, moment: object) -> bool:
    expires = authorization["expires_at"]
    return authorization["status"] == "authorized" and (expires is None or expires > moment)


WRITES = (release_payment_hold, void_authorization, reauthorize, capture_payment, refund_charge)
DESTRUCTIVE = (void_authorization, capture_payment, refund_charge)
