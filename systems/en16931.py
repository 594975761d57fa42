"""Invoices in the two syntaxes of EN 16931: UBL 2.1 (OASIS; Peppol BIS Billing 3 among it) and CII (UN/CEFACT D16B).

What an `Invoice` cannot say (an allowance, a prepayment, another payee …) is refused by name and never dropped, since what
is paid is what the record says. Whether the sums add up is not looked at here: clause AP-7 decides that.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from iso4217 import Currency
from pydantic import ValidationError

from errors import BadInput
from systems.invoice_xml import CII, UBL, InvoiceElement, open_document
from systems.invoices import BY_HAND, FROM_SUPPLIER, MAX_LINES, MAX_QTY, Invoice, InvoiceLine, first_fault, quoted

CREDIT_NOTE = f"{{{UBL}CreditNote-2}}CreditNote"
#: UN/EDIFACT 1001, the codes of documents that take money back
CREDIT_NOTES = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"})
#: UN/EDIFACT 7161, the code of the freight service
FREIGHT_CODE = "FC"
FREIGHT_WORDS = re.compile(r"(freight|shipping)( (and|&) handling)?( (charge|cost|fee)s?)?", re.IGNORECASE)
_NEVER_PAID = "credit notes are never paid; set it off against the invoice that it corrects, by hand"


def _ubl_vat(party: InvoiceElement) -> list[InvoiceElement]:
    kinds = ((scheme, scheme.one("cac:TaxScheme/cbc:ID")) for scheme in party.all("cac:PartyTaxScheme"))
    return [scheme.need("cbc:CompanyID") for scheme, kind in kinds if kind and kind.text() == "VAT"]


def _cii_vat(party: InvoiceElement) -> list[InvoiceElement]:
    return [one for one in party.all("ram:SpecifiedTaxRegistration/ram:ID") if one.element.get("schemeID") == "VA"]


@dataclass(frozen=True)
class Syntax:
    """Where each term of an invoice stands; paths begin at the invoice, or at the line, party or charge that they are of."""

    number: str
    type_code: str
    #: what says that it is no invoice to be paid
    copies: Mapping[str, str]
    issue_date: str
    currency: str
    #: the currency it is to be paid in, where that is told
    paid_in: str
    tax_currency: str
    #: totals of the tax, and the amount in one; empty where they are that amount
    tax: tuple[str, str]
    total: str
    #: what changes who is paid, or how much, and has no field in an Invoice; an amount of zero changes nothing
    no_field: Mapping[str, str]
    no_amount: Mapping[str, str]
    orders: Sequence[str]
    supplier: str
    names: Sequence[str]
    ids: Sequence[str]
    vat: Callable[[InvoiceElement], list[InvoiceElement]]
    #: charges and allowances on the whole invoice, and what one has
    charges: str
    is_charge: str
    charged: str
    reason: str
    reason_code: str
    lines: str
    line_id: str
    quantity: str
    line_total: str
    price: str
    price_for: str
    name: str
    order_line: str
    inner_lines: Sequence[str]
    line_charged: str


_UBL = Syntax(
    number="cbc:ID", type_code="cbc:InvoiceTypeCode", copies={"cbc:CopyIndicator": "says that this is a copy"},
    issue_date="cbc:IssueDate", currency="cbc:DocumentCurrencyCode", paid_in="cbc:PaymentCurrencyCode",
    tax_currency="cbc:TaxCurrencyCode", tax=("cac:TaxTotal", "cbc:TaxAmount"), total="cac:LegalMonetaryTotal/cbc:PayableAmount",
    no_field={
        "cac:PayeeParty": "is to be paid in place of the supplier",
        "cac:PrepaidPayment": "says that something was paid before",
        "cac:WithholdingTaxTotal": "withholds a tax",
    },
    no_amount={
        "cac:LegalMonetaryTotal/cbc:PrepaidAmount": "was paid before",
        "cac:LegalMonetaryTotal/cbc:AllowanceTotalAmount": "is taken off the invoice",
        "cac:LegalMonetaryTotal/cbc:PayableRoundingAmount": "was added to round the total",
    },
    orders=("cac:OrderReference/cbc:ID", "cac:InvoiceLine/cac:OrderLineReference/cac:OrderReference/cbc:ID"),
    supplier="cac:AccountingSupplierParty/cac:Party",
    names=("cac:PartyName/cbc:Name", "cac:PartyLegalEntity/cbc:RegistrationName"),
    ids=("cac:PartyIdentification/cbc:ID", "cac:PartyLegalEntity/cbc:CompanyID", "cbc:EndpointID"), vat=_ubl_vat,
    charges="cac:AllowanceCharge", is_charge="cbc:ChargeIndicator", charged="cbc:Amount", reason="cbc:AllowanceChargeReason",
    reason_code="cbc:AllowanceChargeReasonCode", lines="cac:InvoiceLine", line_id="cbc:ID", quantity="cbc:InvoicedQuantity",
    line_total="cbc:LineExtensionAmount", price="cac:Price/cbc:PriceAmount", price_for="cac:Price/cbc:BaseQuantity",
    name="cac:Item/cbc:Name", order_line="cac:OrderLineReference/cbc:LineID", inner_lines=("cac:SubInvoiceLine",),
    line_charged="cac:AllowanceCharge/cbc:Amount",
)  # fmt: skip

_TRADE = "rsm:SupplyChainTradeTransaction"
_LINES = f"{_TRADE}/ram:IncludedSupplyChainTradeLineItem"
_AGREED, _SETTLED = f"{_TRADE}/ram:ApplicableHeaderTradeAgreement", f"{_TRADE}/ram:ApplicableHeaderTradeSettlement"
_SUMS = f"{_SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
_LINE, _OF_LINE = "ram:AssociatedDocumentLineDocument", "ram:SpecifiedLineTradeAgreement"
_CII = Syntax(
    number="rsm:ExchangedDocument/ram:ID", type_code="rsm:ExchangedDocument/ram:TypeCode",
    copies={
        "rsm:ExchangedDocument/ram:CopyIndicator/udt:Indicator": "says that this is a copy",
        "rsm:ExchangedDocumentContext/ram:TestIndicator/udt:Indicator": "says that this is a test",
    },
    issue_date="rsm:ExchangedDocument/ram:IssueDateTime/udt:DateTimeString", currency=f"{_SETTLED}/ram:InvoiceCurrencyCode",
    paid_in=f"{_SETTLED}/ram:PaymentCurrencyCode", tax_currency=f"{_SETTLED}/ram:TaxCurrencyCode",
    tax=(f"{_SUMS}/ram:TaxTotalAmount", ""), total=f"{_SUMS}/ram:DuePayableAmount",
    no_field={
        f"{_SETTLED}/ram:PayeeTradeParty": "is to be paid in place of the supplier",
        f"{_SETTLED}/ram:SpecifiedAdvancePayment": "says that something was paid before",
        f"{_SETTLED}/ram:SpecifiedLogisticsServiceCharge": "is a charge of its own",
    },
    no_amount={
        f"{_SUMS}/ram:TotalPrepaidAmount": "was paid before",
        f"{_SUMS}/ram:AllowanceTotalAmount": "is taken off the invoice",
        f"{_SUMS}/ram:RoundingAmount": "was added to round the total",
    },
    orders=(
        f"{_AGREED}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID",
        f"{_LINES}/{_OF_LINE}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID",
    ),
    supplier=f"{_AGREED}/ram:SellerTradeParty", names=("ram:SpecifiedLegalOrganization/ram:TradingBusinessName", "ram:Name"),
    ids=("ram:ID", "ram:GlobalID", "ram:SpecifiedLegalOrganization/ram:ID", "ram:URIUniversalCommunication/ram:URIID"),
    vat=_cii_vat, charges=f"{_SETTLED}/ram:SpecifiedTradeAllowanceCharge", is_charge="ram:ChargeIndicator/udt:Indicator",
    charged="ram:ActualAmount", reason="ram:Reason", reason_code="ram:ReasonCode", lines=_LINES, line_id=f"{_LINE}/ram:LineID",
    quantity="ram:SpecifiedLineTradeDelivery/ram:BilledQuantity",
    line_total="ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount",
    price=f"{_OF_LINE}/ram:NetPriceProductTradePrice/ram:ChargeAmount",
    price_for=f"{_OF_LINE}/ram:NetPriceProductTradePrice/ram:BasisQuantity", name="ram:SpecifiedTradeProduct/ram:Name",
    order_line=f"{_OF_LINE}/ram:BuyerOrderReferencedDocument/ram:LineID",
    inner_lines=(f"{_LINE}/ram:ParentLineID", f"{_LINE}/ram:LineStatusReasonCode"),
    line_charged="ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeAllowanceCharge/ram:ActualAmount",
)  # fmt: skip
_SYNTAXES = {f"{{{UBL}Invoice-2}}Invoice": _UBL, f"{{{CII}CrossIndustryInvoice:100}}CrossIndustryInvoice": _CII}


def _invoice_and_syntax(root: InvoiceElement) -> tuple[InvoiceElement, Syntax]:
    """The root of an invoice, with its currency. Refuses other documents, copies, and what no record can say."""
    if root.element.tag == CREDIT_NOTE:
        raise BadInput(f"{root.file}: is a credit note, and {_NEVER_PAID}")
    syntax = _SYNTAXES.get(str(root.element.tag))
    if syntax is None:
        what = f"is no invoice in UBL 2 or CII (its root element is {quoted(str(root.element.tag), 120)})"
        raise BadInput(f"{root.file}: {what}; ask the supplier for the invoice as UBL, or as Factur-X with its lines")
    node = root.need(syntax.type_code)
    code = node.identifier()
    if code in CREDIT_NOTES:
        raise node.bad(f"{code} makes it a credit note", _NEVER_PAID)
    if code != "380":
        raise node.bad(f"must be 380, a commercial invoice, and is {quoted(code)}", BY_HAND)
    for path, why in syntax.copies.items():
        if (copy := root.one(path)) and copy.truth():
            raise copy.bad(why, "ask the supplier for the original")
    root = replace(root, currency=_currency(root, syntax))
    for path, why in syntax.no_field.items():
        for node in root.all(path):
            raise node.bad(why, BY_HAND)
    for path, why in syntax.no_amount.items():
        for node in root.all(path):
            if node.amount():
                raise node.bad(f"of {node.shown()} {why}", BY_HAND)
    return root, syntax


def _currency(root: InvoiceElement, syntax: Syntax) -> str:
    """A currency of hundredths (ISO 4217), in which the invoice is written and to be paid."""
    node = root.need(syntax.currency)
    code = node.identifier()
    try:
        minor_units = Currency(code).exponent
    except ValueError:
        raise node.bad(f"{quoted(code)} is not a currency of ISO 4217", FROM_SUPPLIER) from None
    if minor_units != 2:
        raise node.bad(f"{code} is not divided into hundredths", BY_HAND)
    paid_in = root.one(syntax.paid_in)
    if paid_in and paid_in.identifier() != code:
        raise paid_in.bad(f"asks for payment in another currency than {code}", BY_HAND)
    return code


def _freight(root: InvoiceElement, syntax: Syntax) -> int:
    """The freight in cents. Every other charge or allowance on the whole invoice is refused, unless it is zero."""
    cents = 0
    for node in root.all(syntax.charges):
        amount = node.need(syntax.charged)
        if not amount.amount():
            continue
        why, code = node.one(syntax.reason), node.one(syntax.reason_code)
        reason = f"of {amount.shown()} ({quoted(why.name()) if why else 'no reason given'})"
        if not node.need(syntax.is_charge).truth():
            raise node.bad(f"is an allowance {reason}", BY_HAND)
        if not (code.identifier() == FREIGHT_CODE if code else why and FREIGHT_WORDS.fullmatch(why.name())):
            raise node.bad(f"is a charge {reason} that is not freight", BY_HAND)
        cents += amount.cents()
    return cents


def _tax(root: InvoiceElement, syntax: Syntax) -> int:
    """The tax in cents, once: it may be repeated in the currency of the tax office (EN 16931, BT-111)."""
    other = root.one(syntax.tax_currency)
    repeated_in = other.identifier() if other else root.currency
    totals, amount = syntax.tax
    amounts = [node.need(amount) if amount else node for node in root.all(totals)]
    if repeated_in != root.currency:
        amounts = [one for one in amounts if one.element.get("currencyID") != repeated_in]
    if len(amounts) > 1:
        raise amounts[1].bad("is a second total of the tax", BY_HAND)
    return amounts[0].cents() if amounts else 0


def read_invoice(file: Path, content: bytes | None = None) -> Invoice:
    """The invoice of an XML file, or of its content. Raises BadInput, one sentence, for all that cannot be taken in whole."""
    root, syntax = _invoice_and_syntax(open_document(file, content))
    lines = root.all(syntax.lines)
    if not lines:
        raise root.bad(f"has no {syntax.lines.rpartition(':')[2]}", FROM_SUPPLIER)
    if len(lines) > MAX_LINES:
        raise root.bad(f"has {len(lines):,} lines, and {MAX_LINES:,} are the most", "ask the supplier for several invoices")
    try:
        return Invoice(
            number=root.need(syntax.number).identifier(), currency=root.currency, issue_date=root.need(syntax.issue_date).day(),
            **_supplier(root.need(syntax.supplier), syntax), order_reference=_order_reference(root, syntax),
            freight_cents=_freight(root, syntax), lines=tuple(_line(line, syntax) for line in lines),
            tax_cents=_tax(root, syntax), total_cents=root.need(syntax.total).cents(),
        )  # fmt: skip
    except ValidationError as error:  # amounts that are too large together, or by the price of one
        raise root.bad(f"cannot be accepted ({first_fault(error)})", BY_HAND) from error


def _line(node: InvoiceElement, syntax: Syntax) -> InvoiceLine:
    for inner in (one for path in syntax.inner_lines for one in node.all(path)):
        raise inner.bad("is a line inside a line", BY_HAND)
    for amount in node.all(syntax.line_charged):
        if amount.amount():
            raise amount.bad(f"of {amount.shown()} is an allowance or charge on one line", BY_HAND)
    order_line, name = node.one(syntax.order_line), node.one(syntax.name)
    line_id, quantity = node.need(syntax.line_id).identifier(), node.need(syntax.quantity)
    order_line_id = order_line.identifier() if order_line and order_line.text() else None
    qty = quantity.number()
    if qty.denominator != 1 or not 0 < qty <= MAX_QTY:
        raise quantity.bad(f"must be a whole number from 1 to {MAX_QTY:,}, and is {quantity.text()}", BY_HAND)
    # the net price of one; a discount that stands beside it is in it already (EN 16931, BT-146 to BT-148)
    price, base, units = node.need(syntax.price), node.one(syntax.price_for), Fraction(1)
    if base is not None:
        if len({base.element.get("unitCode"), quantity.element.get("unitCode")} - {None}) > 1:
            raise base.bad("is in another unit than the quantity", BY_HAND)
        units = base.number()
        if units <= 0:
            raise base.bad(f"must be above 0, and is {base.text()}", FROM_SUPPLIER)
    return InvoiceLine(
        line_id=line_id, order_line=order_line_id, qty=qty.numerator, unit_price_cents=price.cents(units),
        amount_cents=node.need(syntax.line_total).cents(), name=name.name() if name else "",
    )  # fmt: skip


def _supplier(party: InvoiceElement, syntax: Syntax) -> dict[str, Any]:
    name = next(filter(None, (node.name() for path in syntax.names for node in party.all(path))), None)
    if name is None:
        raise party.bad("has no name", FROM_SUPPLIER)
    ids = dict.fromkeys(node.identifier() for path in syntax.ids for node in party.all(path))
    registrations = syntax.vat(party)
    for surplus in registrations[1:]:
        raise surplus.bad("is a second VAT registration of the supplier", FROM_SUPPLIER)
    tax_id = registrations[0].identifier() if registrations else None
    return {"supplier": name, "supplier_ids": tuple(ids), "tax_id": tax_id}


def _order_reference(root: InvoiceElement, syntax: Syntax) -> str | None:
    orders = dict.fromkeys(node.identifier() for path in syntax.orders for node in root.all(path))
    if len(orders) > 1:
        named = ", ".join(map(quoted, list(orders)[:3]))
        raise root.bad(f"refers to {len(orders)} orders ({named})", "ask the supplier for one invoice an order")
    return next(iter(orders), None)
