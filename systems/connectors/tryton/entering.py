"""An invoice of a vendor that came as a file, entered as a clerk would: a draft whose lines bill a purchase, to be looked at."""

import datetime as dt
from typing import Any

from pydantic import BaseModel
from trytond.pool import Pool
from trytond.transaction import without_check_access

from . import actions, records


class Billed(BaseModel):
    """A line as its paper has it: `purchase_line` counts the lines of the purchase from 1."""

    description: str
    quantity: float
    unit_price: str
    purchase_line: str | None = None


def enter_invoice(
    supplier: str,
    supplier_codes: list[str],
    reference: str,
    invoice_date: dt.date,
    currency: str,
    purchase: str | None,
    lines: list[Billed],
    total_amount: str,
) -> dict[str, Any]:
    """Enter an invoice of a vendor as a draft that bills a purchase of theirs; nothing is posted.

    The vendor is known by a code, an identifier or the name; a line by the line of the purchase that it names, or by a
    product whose code or name it is. What is not known is refused.
    """
    Invoice = Pool().get("account.invoice")
    invoice = Invoice(type="in", party=_vendor(supplier, supplier_codes), reference=actions.text_of(reference, 100))
    invoice.company, invoice.currency, invoice.invoice_date = _company(), _currency(currency), invoice_date
    invoice.set_journal()
    invoice.on_change_party()
    ordered = _purchase(purchase, invoice.party)
    invoice.lines = [_line(billed, invoice, ordered) for billed in lines]
    # what its paper says, which Tryton keeps for documents that come in
    invoice.source_total_amount = actions.amount(total_amount)
    with without_check_access():
        invoice.save()
        Invoice.update_taxes([invoice])
    return actions.done(invoice, id=str(invoice.id))


def _company() -> Any:
    return Pool().get("company.company").search([], limit=1)[0]


def _currency(code: str) -> Any:
    found = records.found("currency.currency", "code", code)
    if found is None:
        raise actions.refused(f"There is no currency {code}")
    return found


def _vendor(name: str, codes: list[str]) -> Any:
    """The one vendor with a code, an identifier or this name; an inactive one too, which the invoice is then looked at for."""
    wanted = ["OR", ("code", "in", codes), ("identifiers.code", "in", codes)]
    with records.inactive_records():
        found = Pool().get("party.party").search(wanted, limit=2) if codes else []
        found = found or Pool().get("party.party").search([("name", "=", name)], limit=2)
    if len(found) != 1:
        raise actions.refused(f"There is no party, or more than one, that is {name[:100]!r}")
    return found[0]


def _purchase(number: str | None, party: Any) -> Any:
    """The purchase of this number, if it is one of this party; what others ordered is not billed by it."""
    found = records.found("purchase.purchase", "number", number) if number else None
    return found if found and found.party == party else None


def _line(billed: Billed, invoice: Any, purchase: Any) -> Any:
    ordered = _ordered(billed, purchase)
    line = Pool().get("account.invoice.line")(type="line", invoice_type="in", party=invoice.party)
    line.company, line.currency, line.origin = invoice.company, invoice.currency, ordered
    line.product = ordered.product if ordered else _product(billed.description)
    if not line.product:
        raise actions.refused(f"The line {billed.description[:100]!r} names no line of its purchase and no product")
    line.on_change_product()
    line.unit = line.product.default_uom
    line.quantity, line.unit_price = billed.quantity, actions.amount(billed.unit_price)
    return line


def _ordered(billed: Billed, purchase: Any) -> Any:
    lines = list(purchase.line_lines) if purchase else []
    number = billed.purchase_line or ""
    if number.isdecimal() and 1 <= int(number) <= len(lines):
        return lines[int(number) - 1]
    named = [one for one in lines if one.product and billed.description in (one.product.code, one.product.name)]
    return named[0] if len(named) == 1 else None


def _product(name: str) -> Any:
    found = Pool().get("product.product").search(["OR", ("code", "=", name), ("name", "=", name)], limit=2)
    return found[0] if len(found) == 1 else None
