"""Invoices that arrive as UBL 2.1 (OASIS; the profiles EN 16931 and Peppol BIS Billing 3 among them).

`read_invoice` takes an invoice in, or refuses it with a sentence; `record` puts it in the shape of `erp.invoices`.
What such a record cannot say (an allowance, a prepayment, another payee …) is refused by name and never dropped, since
what is paid is what the record says. Whether the sums add up is not looked at here: clause AP-7 decides about that.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from errors import BadInput
from systems.ubl_document import BY_HAND, FROM_SUPPLIER, Node, open_document, shown, whole_cents
from systems.ubl_terms import currency_of, freight_of, kind_of, refuse_what_no_record_says, tax_of

#: With amounts of ten digits, quantity times price stays below 2**63.
MAX_QTY = 1_000_000
MAX_LINES = 2_000


@dataclass(frozen=True)
class Supplier:
    """Who says that they sent the invoice. Nothing of it is proven."""

    name: str
    ids: tuple[str, ...]
    tax_id: str | None


@dataclass(frozen=True)
class Line:
    """A line; `order_line` is the line of the purchase order that it names, `amount_cents` what it says that it comes to."""

    line_id: str
    order_line: str | None
    qty: int
    unit_price_cents: int
    amount_cents: int
    name: str


@dataclass(frozen=True)
class Invoice:
    """A commercial invoice; amounts in cents (hundredths) of `currency`."""

    number: str
    type_code: str
    currency: str
    issue_date: date
    supplier: Supplier
    order_reference: str | None
    lines: tuple[Line, ...]
    freight_cents: int
    tax_cents: int
    total_cents: int


def read_invoice(file: Path) -> Invoice:
    """The invoice of a UBL file. Raises BadInput, one sentence, for everything that cannot be taken in whole."""
    root = open_document(file)
    type_code, currency = kind_of(root), currency_of(root)
    refuse_what_no_record_says(root, currency)
    return Invoice(
        number=root.need("cbc:ID").identifier(),
        type_code=type_code,
        currency=currency,
        issue_date=_date(root.need("cbc:IssueDate")),
        supplier=_supplier(root.need("cac:AccountingSupplierParty/cac:Party")),
        order_reference=_order_reference(root),
        freight_cents=freight_of(root, currency),
        lines=_lines(root, currency),
        tax_cents=tax_of(root, currency),
        total_cents=root.need("cac:LegalMonetaryTotal/cbc:PayableAmount").cents(currency),
    )


def record(
    invoice: Invoice,
    *,
    vendor_id: str,
    purchase_order: Mapping[str, Any] | None,
    received_at: str,
    invoice_id: str,
    budget_id: str | None,
    category: str | None,
) -> dict[str, Any]:
    """The invoice as a record of `erp.invoices`.

    `purchase_order` is the record of the order that the invoice refers to, or None if there is none; `received_at` is a
    moment such as 2026-03-14T09:30:00Z. Raises BadInput when order, vendor and lines do not belong together.
    """
    where = f"Invoice {shown(invoice.number)}"
    if purchase_order is not None:
        _refuse_other_order(invoice, purchase_order, vendor_id, where)
    known = None if purchase_order is None else {line["po_line"] for line in purchase_order["lines"]}
    order_lines = [_order_line(invoice, line, known, where) for line in invoice.lines]
    often = [order_line for order_line, times in Counter(order_lines).items() if times > 1]
    if often:
        # Each could bill no more than was received, and all together more.
        raise BadInput(f"{where} bills line {shown(often[0])} more than once; {FROM_SUPPLIER} with one line for it")
    return {
        "invoice_id": invoice_id,
        "vendor_id": vendor_id,
        "vendor_invoice_no": invoice.number,
        "po_id": invoice.order_reference,
        "category": category,
        "currency": invoice.currency,
        "lines": [
            {"po_line": order_line, "qty": line.qty, "unit_price_cents": line.unit_price_cents}
            for order_line, line in zip(order_lines, invoice.lines, strict=True)
        ],
        "freight_cents": invoice.freight_cents,
        "tax_cents": invoice.tax_cents,
        "total_cents": invoice.total_cents,
        "received_at": received_at,
        "budget_id": budget_id,
    }


def _refuse_other_order(invoice: Invoice, purchase_order: Mapping[str, Any], vendor_id: str, where: str) -> None:
    po_id = purchase_order["po_id"]
    if po_id != invoice.order_reference:
        named = f"order {shown(invoice.order_reference)}" if invoice.order_reference else "no order"
        raise BadInput(f"{where} refers to {named}, and was given with order {po_id}; give the order that it refers to, or none")
    if purchase_order["vendor_id"] != vendor_id:
        raise BadInput(f"{where} refers to order {po_id}, which vendor {vendor_id} was not given; {FROM_SUPPLIER}")


def _order_line(invoice: Invoice, line: Line, known: set[str] | None, where: str) -> str:
    if line.order_line is not None:
        return line.order_line
    if known is None or line.line_id in known:
        return line.line_id
    what = f"does not say which line of order {shown(invoice.order_reference or '')} its line {shown(line.line_id)} is for"
    raise BadInput(f"{where} {what}; {FROM_SUPPLIER}, or {BY_HAND}")


def _lines(root: Node, currency: str) -> tuple[Line, ...]:
    nodes = root.all("cac:InvoiceLine")
    if not nodes:
        raise root.bad("has no InvoiceLine", FROM_SUPPLIER)
    if len(nodes) > MAX_LINES:
        raise root.bad(f"has {len(nodes):,} lines, and {MAX_LINES:,} are the most", "ask the supplier for several invoices")
    return tuple(_line(node, currency) for node in nodes)


def _line(node: Node, currency: str) -> Line:
    for inner in node.all("cac:SubInvoiceLine"):
        raise inner.bad("is a line inside a line", BY_HAND)
    for amount in node.all("cac:AllowanceCharge/cbc:Amount"):
        if amount.amount(currency):
            raise amount.bad(f"of {amount.text()} {currency} is an allowance or charge on one line", BY_HAND)
    order_line = node.one("cac:OrderLineReference/cbc:LineID")
    name = node.one("cac:Item/cbc:Name")
    return Line(
        line_id=node.need("cbc:ID").identifier(),
        order_line=order_line.identifier() if order_line and order_line.text() else None,
        qty=_qty(node.need("cbc:InvoicedQuantity")),
        unit_price_cents=_unit_price_cents(node, currency),
        amount_cents=node.need("cbc:LineExtensionAmount").cents(currency),
        name=name.name() if name else "",
    )


def _qty(node: Node) -> int:
    qty = node.number()
    if qty.denominator != 1 or not 0 < qty <= MAX_QTY:
        raise node.bad(f"must be a whole number from 1 to {MAX_QTY:,}, and is {node.text()}", BY_HAND)
    return qty.numerator


def _unit_price_cents(line: Node, currency: str) -> int:
    """The net price of one; a discount that stands beside it is in it already (EN 16931, BT-146 to BT-148)."""
    price = line.need("cac:Price/cbc:PriceAmount")
    base = line.one("cac:Price/cbc:BaseQuantity")
    if base is None:
        return price.cents(currency)
    units = {base.attribute("unitCode"), line.need("cbc:InvoicedQuantity").attribute("unitCode")} - {None}
    if len(units) > 1:
        raise base.bad("is in another unit than the quantity", BY_HAND)
    if base.number() <= 0:
        raise base.bad(f"must be above 0, and is {base.text()}", FROM_SUPPLIER)
    return whole_cents(price, price.amount(currency) / base.number(), currency)


def _supplier(party: Node) -> Supplier:
    called = [*party.all("cac:PartyName/cbc:Name"), *party.all("cac:PartyLegalEntity/cbc:RegistrationName")]
    name = next(filter(None, (node.name() for node in called)), None)
    if name is None:
        raise party.bad("has no name", FROM_SUPPLIER)
    paths = ("cac:PartyIdentification/cbc:ID", "cac:PartyLegalEntity/cbc:CompanyID", "cbc:EndpointID")
    ids = dict.fromkeys(node.identifier() for path in paths for node in party.all(path))
    schemes = [node for node in party.all("cac:PartyTaxScheme") if _is_value_added(node)]
    if len(schemes) > 1:
        raise schemes[1].bad("is a second VAT registration of the supplier", FROM_SUPPLIER)
    tax_id = schemes[0].need("cbc:CompanyID").identifier() if schemes else None
    return Supplier(name=name, ids=tuple(ids), tax_id=tax_id)


def _is_value_added(scheme: Node) -> bool:
    kind = scheme.one("cac:TaxScheme/cbc:ID")
    return kind is not None and kind.text() == "VAT"


def _order_reference(root: Node) -> str | None:
    paths = ("cac:OrderReference/cbc:ID", "cac:InvoiceLine/cac:OrderLineReference/cac:OrderReference/cbc:ID")
    orders = dict.fromkeys(node.identifier() for path in paths for node in root.all(path))
    if len(orders) > 1:
        named = ", ".join(map(shown, list(orders)[:3]))
        raise root.bad(f"refers to {len(orders)} orders ({named})", "ask the supplier for one invoice an order")
    return next(iter(orders), None)


def _date(node: Node) -> date:
    text = node.text()
    # xs:date allows a time zone behind the day.
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}(Z|[+-]\d{2}:\d{2})?", text, re.ASCII):
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            pass
    raise node.bad(f"must be a date such as 2026-03-14, and is {shown(text)}", FROM_SUPPLIER)
