"""Invoices in the two syntaxes of EN 16931: UBL 2.1 (OASIS; Peppol BIS Billing 3 among it) and CII (UN/CEFACT D16B).

An allowance, a prepayment, another payee, a credit note …: each becomes a special item that a Mission looks at. What not even
that can say is refused by name and never dropped, since what is paid is what the record says. Whether the sums add up is
not looked at here: a Mission finds that.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from iso4217 import Currency
from pydantic import ValidationError

from errors import BadInput
from systems.invoice_xml import CII, UBL, InvoiceElement, open_document
from systems.invoices import (
    BY_HAND,
    COMMERCIAL,
    FROM_SUPPLIER,
    MAX_LINES,
    MAX_NAME,
    MAX_QTY,
    Invoice,
    InvoiceLine,
    SpecialItem,
    SpecialKind,
    first_fault,
    quoted,
)  # fmt: skip

CREDIT_NOTE = f"{{{UBL}CreditNote-2}}CreditNote"
#: UN/EDIFACT 1001, the codes of documents that take money back
CREDIT_NOTES = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"})
#: UN/EDIFACT 7161, the code of the freight service
FREIGHT_CODE = "FC"
FREIGHT_WORDS = re.compile(r"(freight|shipping)( (and|&) handling)?( (charge|cost|fee)s?)?", re.IGNORECASE)


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
    payee: str
    payee_names: Sequence[str]
    #: amounts that change the total: where, which kind, and whether they raise it (1) or lower it (-1); zero changes nothing
    amounts: Sequence[tuple[str, SpecialKind, int]]
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
    line_charges: str


_UBL = Syntax(
    number="cbc:ID", type_code="cbc:InvoiceTypeCode", copies={"cbc:CopyIndicator": "says that this is a copy"},
    issue_date="cbc:IssueDate", currency="cbc:DocumentCurrencyCode", paid_in="cbc:PaymentCurrencyCode",
    tax_currency="cbc:TaxCurrencyCode", tax=("cac:TaxTotal", "cbc:TaxAmount"), total="cac:LegalMonetaryTotal/cbc:PayableAmount",
    payee="cac:PayeeParty", payee_names=("cac:PartyName/cbc:Name",),
    amounts=(
        ("cac:LegalMonetaryTotal/cbc:PrepaidAmount", "prepaid", -1),
        ("cac:LegalMonetaryTotal/cbc:PayableRoundingAmount", "rounding", 1),
        ("cac:WithholdingTaxTotal/cbc:TaxAmount", "withheld", -1),
    ),
    orders=("cac:OrderReference/cbc:ID", "cac:InvoiceLine/cac:OrderLineReference/cac:OrderReference/cbc:ID"),
    supplier="cac:AccountingSupplierParty/cac:Party",
    names=("cac:PartyName/cbc:Name", "cac:PartyLegalEntity/cbc:RegistrationName"),
    ids=("cac:PartyIdentification/cbc:ID", "cac:PartyLegalEntity/cbc:CompanyID", "cbc:EndpointID"), vat=_ubl_vat,
    charges="cac:AllowanceCharge", is_charge="cbc:ChargeIndicator", charged="cbc:Amount", reason="cbc:AllowanceChargeReason",
    reason_code="cbc:AllowanceChargeReasonCode", lines="cac:InvoiceLine", line_id="cbc:ID", quantity="cbc:InvoicedQuantity",
    line_total="cbc:LineExtensionAmount", price="cac:Price/cbc:PriceAmount", price_for="cac:Price/cbc:BaseQuantity",
    name="cac:Item/cbc:Name", order_line="cac:OrderLineReference/cbc:LineID", inner_lines=("cac:SubInvoiceLine",),
    line_charges="cac:AllowanceCharge",
)  # fmt: skip
_UBL_CREDIT = replace(
    _UBL, type_code="cbc:CreditNoteTypeCode", lines="cac:CreditNoteLine", quantity="cbc:CreditedQuantity",
    orders=("cac:OrderReference/cbc:ID", "cac:CreditNoteLine/cac:OrderLineReference/cac:OrderReference/cbc:ID"),
    inner_lines=("cac:SubCreditNoteLine",),
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
    payee=f"{_SETTLED}/ram:PayeeTradeParty", payee_names=("ram:Name",),
    amounts=(
        (f"{_SUMS}/ram:TotalPrepaidAmount", "prepaid", -1),
        (f"{_SUMS}/ram:RoundingAmount", "rounding", 1),
        (f"{_SETTLED}/ram:SpecifiedLogisticsServiceCharge/ram:AppliedAmount", "charge", 1),
    ),
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
    line_charges="ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeAllowanceCharge",
)  # fmt: skip
_SYNTAXES = {
    f"{{{UBL}Invoice-2}}Invoice": _UBL, CREDIT_NOTE: _UBL_CREDIT,
    f"{{{CII}CrossIndustryInvoice:100}}CrossIndustryInvoice": _CII,
}  # fmt: skip


def _invoice_and_syntax(root: InvoiceElement) -> tuple[InvoiceElement, Syntax]:
    """The root of an invoice, with its currency. Refuses other documents, and copies."""
    syntax = _SYNTAXES.get(str(root.element.tag))
    if syntax is None:
        what = f"is no invoice in UBL 2 or CII (its root element is {quoted(str(root.element.tag), 120)})"
        raise BadInput(f"{root.file}: {what}; ask the supplier for the invoice as UBL, or as Factur-X with its lines")
    for path, why in syntax.copies.items():
        if (copy := root.one(path)) and copy.truth():
            raise copy.bad(why, "ask the supplier for the original")
    return replace(root, currency=_currency(root, syntax)), syntax


def _special_items(root: InvoiceElement, syntax: Syntax, type_code: str, supplier: str) -> Iterator[SpecialItem]:
    """What stands on the whole invoice beside its lines, freight and tax."""
    total = root.need(syntax.total)
    if type_code in CREDIT_NOTES or root.element.tag == CREDIT_NOTE:
        yield SpecialItem(kind="credit_note", says=f"is a credit note (document type {type_code})")
    elif type_code != COMMERCIAL:
        yield SpecialItem(kind="other_document", says=f"is a document of type {type_code}, and no commercial invoice")
    if total.amount() < 0 and type_code not in CREDIT_NOTES:
        yield SpecialItem(kind="credit_note", says=f"asks for no payment: its total is {total.shown()}")
    for payee in root.all(syntax.payee):
        name = _first_name(payee, syntax.payee_names) or "somebody else"
        if name.casefold() != supplier.casefold():
            yield SpecialItem(kind="payee", says=f"is to be paid to {name}"[:MAX_NAME])
    for path, kind, sign in syntax.amounts:
        for node in root.all(path):
            if node.amount():
                says = f"{_SAID[kind]} {node.shown()}"
                yield SpecialItem(kind=kind, says=says, amount_cents=sign * node.cents(signed=True))


_SAID = {"prepaid": "paid before:", "rounding": "rounded by", "withheld": "tax withheld:", "charge": "charge of"}


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


def _charges(node: InvoiceElement, path: str, syntax: Syntax, line: str | None = None) -> Iterator[SpecialItem | int]:
    """Allowances and charges, of the whole invoice or of one `line`; of freight on the whole invoice, the cents alone."""
    for one in node.all(path):
        amount = one.need(syntax.charged)
        if not amount.amount():
            continue
        why, code = one.one(syntax.reason), one.one(syntax.reason_code)
        is_charge, reason = one.need(syntax.is_charge).truth(), why.name() if why else "no reason given"
        cents = amount.cents(signed=True)
        freight = code.identifier() == FREIGHT_CODE if code else FREIGHT_WORDS.fullmatch(reason)
        if is_charge and freight and cents > 0 and line is None:
            yield cents
            continue
        # a negative charge lowers the total as an allowance does, and a negative allowance raises it
        signed = cents if is_charge else -cents
        says = f"{'charge' if signed > 0 else 'allowance'} of {amount.shown()} ({reason})"[:MAX_NAME]
        yield SpecialItem(kind="charge" if signed > 0 else "allowance", line=line, says=says, amount_cents=signed)


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
    return amounts[0].cents(signed=True) if amounts else 0


def read_invoice(file: Path, content: bytes | None = None) -> Invoice:
    """The invoice of an XML file, or of its content. Raises BadInput, one sentence, for all that cannot be taken in whole."""
    root, syntax = _invoice_and_syntax(open_document(file, content))
    lines = root.all(syntax.lines)
    if not lines:
        raise root.bad(f"has no {syntax.lines.rpartition(':')[2]}", FROM_SUPPLIER)
    if len(lines) > MAX_LINES:
        raise root.bad(f"has {len(lines):,} lines, and {MAX_LINES:,} are the most", "ask the supplier for several invoices")
    type_code, supplier = root.need(syntax.type_code).identifier(), _supplier(root.need(syntax.supplier), syntax)
    try:
        charges = list(_charges(root, syntax.charges, syntax))
        read = [_line(line, syntax) for line in lines]
        of_lines = [item for line in lines for item in _charges(line, syntax.line_charges, syntax, _about(line, syntax))]
        return Invoice(
            number=root.need(syntax.number).identifier(), type_code=type_code, currency=root.currency,
            issue_date=root.need(syntax.issue_date).day(), **supplier, order_reference=_order_reference(root, syntax),
            lines=tuple(line for line, _ in read if line), freight_cents=sum(one for one in charges if isinstance(one, int)),
            tax_cents=_tax(root, syntax), total_cents=root.need(syntax.total).cents(signed=True),
            special_items=(
                *_special_items(root, syntax, type_code, supplier["supplier"]),
                *(one for one in (*(item for _, item in read), *of_lines, *charges) if isinstance(one, SpecialItem)),
            ),
        )  # fmt: skip
    except ValidationError as error:  # amounts that are too large together, or by the price of one
        raise root.bad(f"cannot be accepted ({first_fault(error)})", BY_HAND) from error


def _about(node: InvoiceElement, syntax: Syntax) -> str:
    """The line of the order that a line is for, or else its own number."""
    return _order_line(node, syntax) or node.need(syntax.line_id).identifier()


def _order_line(node: InvoiceElement, syntax: Syntax) -> str | None:
    found = node.one(syntax.order_line)
    return found.identifier() if found and found.text() else None


def _line(node: InvoiceElement, syntax: Syntax) -> tuple[InvoiceLine | None, SpecialItem | None]:
    """A line, and what it cannot say: of one that takes goods back there is nothing else."""
    for inner in (one for path in syntax.inner_lines for one in node.all(path)):
        raise inner.bad("is a line inside a line", BY_HAND)
    quantity, total, named = node.need(syntax.quantity), node.need(syntax.line_total), node.one(syntax.name)
    qty, name, about = quantity.number(), named.name() if named else "", _about(node, syntax)
    if qty <= 0 or total.amount() < 0:
        says = f"{quantity.text()} × {name or 'goods'} for {total.shown()}"[:MAX_NAME]
        return None, SpecialItem(kind="returned", line=about, says=says, amount_cents=total.cents(signed=True))
    price, unit = _unit_price(node, quantity, syntax)
    whole, rounded = math.ceil(qty), _half_up(unit)
    if whole > MAX_QTY:
        raise quantity.bad(f"must be at most {MAX_QTY:,}, and is {quantity.text()}", BY_HAND)
    exact, stated = qty * unit, total.cents()
    # of parts of a cent the line's own amount is taken where it is a rounding of them; what it says otherwise, AP-7 finds
    cents = stated if exact.denominator != 1 and abs(stated - exact) <= 1 else _half_up(exact)
    line = InvoiceLine(
        line_id=node.need(syntax.line_id).identifier(), order_line=_order_line(node, syntax), qty=whole,
        unit_price_cents=rounded, amount_cents=stated, name=name,
    )  # fmt: skip
    if whole == qty and rounded == unit:
        return line, None
    kind: SpecialKind = "price" if whole == qty else "fraction"
    says = f"{quantity.text()} × {name or 'goods'} at {price}"[:MAX_NAME]
    return line, SpecialItem(kind=kind, line=about, says=says, amount_cents=cents - whole * rounded)


def _unit_price(node: InvoiceElement, quantity: InvoiceElement, syntax: Syntax) -> tuple[str, Fraction]:
    """The net price of one in words and exactly, in cents; a discount beside it is in it already (EN 16931, BT-146 to BT-148)."""
    price, base, units = node.need(syntax.price), node.one(syntax.price_for), Fraction(1)
    if base is not None:
        if len({base.element.get("unitCode"), quantity.element.get("unitCode")} - {None}) > 1:
            raise base.bad("is in another unit than the quantity", BY_HAND)
        units = base.number()
        if units <= 0:
            raise base.bad(f"must be above 0, and is {base.text()}", FROM_SUPPLIER)
    cents = price.amount() * 100 / units
    if cents < 0:
        raise price.bad(f"is negative ({price.shown()})", FROM_SUPPLIER)
    return price.shown() if units == 1 else f"{price.shown()} for {units}", cents


def _half_up(cents: Fraction) -> int:
    return math.floor(cents + Fraction(1, 2))


def _supplier(party: InvoiceElement, syntax: Syntax) -> dict[str, Any]:
    name = _first_name(party, syntax.names)
    if name is None:
        raise party.bad("has no name", FROM_SUPPLIER)
    ids = dict.fromkeys(node.identifier() for path in syntax.ids for node in party.all(path) if node.text())
    registrations = syntax.vat(party)
    for surplus in registrations[1:]:
        raise surplus.bad("is a second VAT registration of the supplier", FROM_SUPPLIER)
    tax_id = registrations[0].identifier() if registrations else None
    return {"supplier": name, "supplier_ids": tuple(ids), "tax_id": tax_id}


def _first_name(party: InvoiceElement, paths: Sequence[str]) -> str | None:
    return next(filter(None, (node.name() for path in paths for node in party.all(path))), None)


def _order_reference(root: InvoiceElement, syntax: Syntax) -> str | None:
    orders = dict.fromkeys(node.identifier() for path in syntax.orders for node in root.all(path) if node.text())
    if len(orders) > 1:
        named = ", ".join(map(quoted, list(orders)[:3]))
        raise root.bad(f"refers to {len(orders)} orders ({named})", "ask the supplier for one invoice an order")
    return next(iter(orders), None)
