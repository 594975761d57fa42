"""The ERP of the sandbox company: its write tools."""

from typing import Literal

from errors import Refused
from systems.sandbox import tables as t
from systems.sandbox.arguments import Cents, Id, Prose, Words
from systems.sandbox.shapes import Row
from systems.sandbox.work import Work


def post_payment(work: Work, invoice_id: Id, amount_cents: Cents) -> None:
    """Pay an invoice once, at most its total, from its budget; what it bills of an order counts as invoiced then.

    A held invoice may be paid, a rejected one may not.
    """
    invoice = _undecided(work, invoice_id, "be paid")
    if amount_cents > (invoice["total_cents"] or 0):
        raise Refused(f"Invoice {invoice_id} is over {invoice['total_cents']} cents, so {amount_cents} is too much.")
    if invoice["budget_id"] is not None:
        budget = work.row(t.BUDGETS, budget_id=invoice["budget_id"])
        left = budget["remaining_cents"] or 0
        if left < amount_cents:
            raise Refused(f"Budget {invoice['budget_id']} has {left} cents left, and {amount_cents} are wanted.")
        work.change(t.BUDGETS, budget, remaining_cents=left - amount_cents)
    _take_as_invoiced(work, invoice)
    work.change(t.INVOICES, invoice, state="posted", state_reason=None)
    work.do("erp.payments", invoice_id, amount_cents=amount_cents)


def hold_invoice(work: Work, invoice_id: Id, reason: Words) -> None:
    """Hold an invoice that is neither paid nor rejected."""
    work.change(t.INVOICES, _undecided(work, invoice_id, "be held"), state="held", state_reason=reason)


def reject_invoice(work: Work, invoice_id: Id, reason: Words) -> None:
    """Reject an invoice that is not paid."""
    work.change(t.INVOICES, _undecided(work, invoice_id, "be rejected"), state="rejected", state_reason=reason)


def send_vendor_message(work: Work, vendor_id: Id, template: Words, text: Prose | None = None) -> None:
    """Send a vendor a message made from a template, with a text of its own if there is one."""
    work.row(t.VENDORS, vendor_id=vendor_id)
    work.do("erp.vendor_messages", vendor_id, template=template, text=text)


def expedite_po(work: Work, po_id: Id) -> None:
    """Have an inbound delivery come at its expedited date, with all that it brings, once."""
    work.row(t.INBOUND, po_id=po_id)
    for inbound in work.rows(t.INBOUND, po_id=po_id):
        if inbound["expedited"]:
            raise Refused(f"Delivery {po_id} is expedited already.")
        if inbound["expedited_eta"] is None:
            raise Refused(f"Delivery {po_id} cannot be expedited.")
        work.change(t.INBOUND, inbound, eta=inbound["expedited_eta"], expedited=True)


def post_return_receipt(work: Work, return_id: Id, disposition: Literal["restock", "scrap"]) -> None:
    """Post the receipt of a return, once; resellable units go back on the shelf, where the location keeps the SKU."""
    returned = work.row(t.RETURNS, return_id=return_id)
    if returned["receipt_posted"]:
        raise Refused(f"The receipt of return {return_id} is posted already.")
    if disposition == "restock" and returned["condition"] != "resellable":
        raise Refused(f"Return {return_id} is {returned['condition']}, so it cannot be restocked.")
    if disposition == "restock":
        for stock in work.rows(t.STOCK, sku=returned["sku"], location=returned["location"]):
            if stock["on_hand"] is not None:  # what is not known stays so
                work.change(t.STOCK, stock, on_hand=stock["on_hand"] + (returned["qty"] or 0))
    work.change(t.RETURNS, returned, receipt_posted=True, disposition=disposition)


def _take_as_invoiced(work: Work, invoice: Row) -> None:
    for line in work.rows(t.INVOICE_LINES, invoice_id=invoice["invoice_id"]) if invoice["po_id"] is not None else ():
        for receipt in work.rows(t.RECEIPTS, po_id=invoice["po_id"], po_line=line["po_line"]):
            work.change(t.RECEIPTS, receipt, qty_invoiced=(receipt["qty_invoiced"] or 0) + (line["qty"] or 0))


def _undecided(work: Work, invoice_id: str, what: str) -> Row:
    invoice = work.row(t.INVOICES, invoice_id=invoice_id)
    if invoice["state"] in ("posted", "rejected"):
        raise Refused(f"Invoice {invoice_id} is {invoice['state']} already, so it cannot {what}.")
    return invoice


WRITES = (post_payment, hold_invoice, reject_invoice, send_vendor_message, expedite_po, post_return_receipt)
DESTRUCTIVE = (post_payment, reject_invoice)
