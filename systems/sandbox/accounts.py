"""What the payments, the customer system and the ERP of the sandbox company do: their write tools that are programs.

Those that change one record alone stand in `systems/company.yaml`. Money is in integer US cents.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import select

from errors import Refused
from systems.sandbox import database as db
from systems.sandbox.work import Act, Cents, Id, Words, Work

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


def expedite_po(work: Work, po_id: Id) -> None:
    """Have an inbound delivery come at its expedited date, with all that it brings, once."""
    work.row(db.INBOUND, po_id=po_id)
    for inbound in work.rows(db.INBOUND, po_id=po_id):
        if inbound["expedited"]:
            raise Refused(f"Delivery {po_id} is expedited already.")
        if inbound["expedited_eta"] is None:
            raise Refused(f"Delivery {po_id} cannot be expedited.")
        work.change(db.INBOUND, inbound, eta=inbound["expedited_eta"], expedited=True)


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
    "payments": (reauthorize, capture_payment),
    "crm": (flag_contact, open_case),
    "erp": (post_payment, expedite_po, post_return_receipt),
}
DESTRUCTIVE = (capture_payment, post_payment)
