"""Invoices that arrive as UBL 2.1 (OASIS; the profiles EN 16931 and Peppol BIS Billing 3 among them).

What a record of `erp.invoices` cannot say (an allowance, a prepayment, another payee …) is refused by name and never
dropped, since what is paid is what the record says. Whether the sums add up is not looked at here: clause AP-7 decides that.

A file from outside is hostile until it is validated. It is read as UTF-8 and nothing else, so that what is looked for in
its text is what the parser sees; without a document type declaration there are no entities, neither bombs nor external
ones. Schemas, style sheets and addresses that a file names are never fetched. lxml's own limits (depth 256, names of
50,000 characters) stay on: 10 MB of the smallest elements take 0.3 s and 320 MB.
"""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from iso4217 import Currency
from lxml import etree
from pydantic import ValidationError

from errors import BadInput
from systems.invoices import (
    BY_HAND,
    FROM_SUPPLIER,
    MAX_ID,
    MAX_LINES,
    MAX_NAME,
    MAX_QTY,
    Invoice,
    InvoiceLine,
    first_fault,
    quoted,
)

MAX_BYTES = 10_000_000

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
INVOICE = f"{{{_UBL}Invoice-2}}Invoice"
CREDIT_NOTE = f"{{{_UBL}CreditNote-2}}CreditNote"
_NAMESPACES = {"cac": f"{_UBL}CommonAggregateComponents-2", "cbc": f"{_UBL}CommonBasicComponents-2"}
_DECIMAL = re.compile(r"[+-]?(?:\d{1,10}(?:\.\d{0,10})?|\.\d{1,10})", re.ASCII)
_TRUTH = re.compile("true|false|1|0")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(Z|[+-]\d{2}:\d{2})?", re.ASCII)


def open_document(file: Path, content: bytes | None = None) -> "UblElement":
    """The root element of an XML file, or of its content where that is at hand.

    Raises BadInput for what cannot be read, is too large, has a DTD or is no XML.
    """
    try:
        if content is None:
            with file.open("rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{file}: cannot be read ({why}); give a UBL 2.1 invoice") from error
    if len(content) > MAX_BYTES:
        raise BadInput(f"{file}: is over {MAX_BYTES // 1_000_000} MB, which no invoice needs; {FROM_SUPPLIER}")
    try:
        declares_types = "<!DOCTYPE" in content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: is not in UTF-8 (byte {error.start:,}); ask the supplier for the file in UTF-8") from error
    if declares_types:
        raise BadInput(f"{file}: has a document type declaration (DTD), which may hide an attack; {FROM_SUPPLIER} without one")
    # comments are removed since an amount with a comment in it would otherwise end at the comment
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        no_network=True, huge_tree=False, recover=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return UblElement(etree.fromstring(content, parser), str(file))
    except etree.ParseError as error:  # its text may quote the file
        why = "".join(filter(str.isprintable, " ".join(str(error.msg).split())))[:150]
        raise BadInput(f"{file}: is not well-formed XML ({why}); {FROM_SUPPLIER}") from error


@dataclass(frozen=True)
class UblElement:
    """An element of a document, with the file and the path that sentences about it name, and the currency of the invoice."""

    element: etree._Element
    file: str
    path: str = ""
    currency: str = ""

    def bad(self, what: str, remedy: str) -> BadInput:
        """The error that says what is wrong with this element, and what to do."""
        return BadInput(f"{self.file}: {self.path or 'the invoice'} {what}; {remedy}")

    def all(self, path: str) -> "list[UblElement]":
        """The elements at a path such as `cac:Party/cbc:Name`, in the order of the document."""
        name = "/".join(part for part in (self.path, re.sub(r"\w+:", "", path)) if part)
        found = self.element.findall(path, _NAMESPACES)
        names = [f"{name} {n}" for n in range(1, len(found) + 1)] if len(found) > 1 else [name]
        return [replace(self, element=one, path=path) for one, path in zip(found, names, strict=False)]

    def one(self, path: str) -> "UblElement | None":
        """The element at a path, or none. Several are refused: two readers could take different ones."""
        for surplus in (found := self.all(path))[1:]:
            raise surplus.bad("is more than an invoice can have one of", FROM_SUPPLIER)
        return found[0] if found else None

    def need(self, path: str) -> "UblElement":
        """The one element at a path."""
        found = self.one(path)
        if found is None:
            raise self.bad(f"has no {re.sub(r'[a-z]+:', '', path)}", FROM_SUPPLIER)
        return found

    def text(self) -> str:
        """The text of a leaf as it stands, without the white space around it; empty if there is none."""
        if len(self.element):
            raise self.bad("has elements inside where its value should be", FROM_SUPPLIER)
        return (self.element.text or "").strip()

    def identifier(self) -> str:
        """A number, id or code to be compared: in compatibility form, with a letter or digit and no invisible characters."""
        text = unicodedata.normalize("NFKC", self.text())
        if len(text) > MAX_ID or not text.isprintable():
            raise self.bad(f"must be at most {MAX_ID} characters that can be seen, and is {quoted(text)}", FROM_SUPPLIER)
        if not any(map(str.isalnum, text)):
            raise self.bad(f"must have a letter or a digit, and is {quoted(text)}", FROM_SUPPLIER)
        return text

    def name(self) -> str:
        """A text for people: on one line, without invisible characters, cut where it is very long."""
        text = " ".join(self.text().split())
        visible = "".join(filter(str.isprintable, text[: MAX_NAME + 1]))
        return visible if len(visible) <= MAX_NAME else f"{visible[: MAX_NAME - 1]}…"

    def number(self) -> Fraction:
        """A decimal number, exactly."""
        return Fraction(Decimal(self._matching(_DECIMAL, "a decimal number such as 12.50")))

    def amount(self) -> Fraction:
        """An amount of money in the currency of the invoice, exactly."""
        if (given := self.element.get("currencyID")) != self.currency:
            what = f"is in {quoted(given)}" if given else "does not say its currency"
            raise self.bad(f"{what}, and the invoice is in {self.currency}", FROM_SUPPLIER)
        return self.number()

    def shown(self) -> str:
        """An amount as it stands, for a sentence."""
        return f"{self.text()} {self.currency}"

    def cents(self, units: Fraction = Fraction(1)) -> int:
        """An amount of money for one of `units`, of at least zero, in whole cents."""
        cents = self.amount() / units * 100
        if cents < 0:
            raise self.bad(f"is negative ({self.shown()}), which only credits are", BY_HAND)
        if cents.denominator != 1:
            raise self.bad(f"gives no whole cents ({self.shown()})", BY_HAND)
        return cents.numerator

    def truth(self) -> bool:
        """Yes or no, as xs:boolean writes it."""
        return self._matching(_TRUTH, "true or false") in ("true", "1")

    def day(self) -> date:
        """A day, as xs:date writes it: a time zone may stand behind it."""
        with suppress(ValueError):
            return date.fromisoformat(self._matching(_DAY, wanted := "a date such as 2026-03-14")[:10])
        raise self.bad(f"must be {wanted}, and is {quoted(self.text())}", FROM_SUPPLIER)

    def _matching(self, pattern: re.Pattern[str], wanted: str) -> str:
        text = self.text()
        if not pattern.fullmatch(text):
            raise self.bad(f"must be {wanted}, and is {quoted(text)}", FROM_SUPPLIER)
        return text


#: UN/EDIFACT 1001, the codes of documents that take money back
CREDIT_NOTES = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"})
#: UN/EDIFACT 7161, the code of the freight service
FREIGHT_CODE = "FC"
FREIGHT_WORDS = re.compile(r"(freight|shipping)( (and|&) handling)?( (charge|cost|fee)s?)?", re.IGNORECASE)

#: what changes who is paid, or how much, and has no field in a record; an amount of zero changes nothing
_NO_FIELD = {
    "cac:PayeeParty": "is to be paid in place of the supplier",
    "cac:PrepaidPayment": "says that something was paid before",
    "cac:WithholdingTaxTotal": "withholds a tax",
    "cac:LegalMonetaryTotal/cbc:PrepaidAmount": "was paid before",
    "cac:LegalMonetaryTotal/cbc:AllowanceTotalAmount": "is taken off the invoice",
    "cac:LegalMonetaryTotal/cbc:PayableRoundingAmount": "was added to round the total",
}
_NEVER_PAID = "credit notes are never paid; set it off against the invoice that it corrects, by hand"


def _commercial_invoice(root: UblElement) -> UblElement:
    """The root of an invoice, with its currency. Refuses other documents, copies, and what no record can say."""
    if root.element.tag == CREDIT_NOTE:
        raise BadInput(f"{root.file}: is a credit note, and {_NEVER_PAID}")
    if root.element.tag != INVOICE:
        what = f"is not a UBL 2 invoice (its root element is {quoted(str(root.element.tag), 120)})"
        raise BadInput(f"{root.file}: {what}; ask the supplier for the invoice as UBL")
    node = root.need("cbc:InvoiceTypeCode")
    code = node.identifier()
    if code in CREDIT_NOTES:
        raise node.bad(f"{code} makes it a credit note", _NEVER_PAID)
    if code != "380":
        raise node.bad(f"must be 380, a commercial invoice, and is {quoted(code)}", BY_HAND)
    copy = root.one("cbc:CopyIndicator")
    if copy and copy.truth():
        raise copy.bad("says that this is a copy", "ask the supplier for the original")
    # a currency of hundredths (ISO 4217), in which the invoice is written and to be paid
    node = root.need("cbc:DocumentCurrencyCode")
    code = node.identifier()
    try:
        minor_units = Currency(code).exponent
    except ValueError:
        raise node.bad(f"{quoted(code)} is not a currency of ISO 4217", FROM_SUPPLIER) from None
    if minor_units != 2:
        raise node.bad(f"{code} is not divided into hundredths", BY_HAND)
    paid_in = root.one("cbc:PaymentCurrencyCode")
    if paid_in and paid_in.identifier() != code:
        raise paid_in.bad(f"asks for payment in another currency than {code}", BY_HAND)
    root = replace(root, currency=code)
    for path, why in _NO_FIELD.items():
        for node in root.all(path):
            if not path.startswith("cac:LegalMonetaryTotal/"):
                raise node.bad(why, BY_HAND)
            if node.amount():
                raise node.bad(f"of {node.shown()} {why}", BY_HAND)
    return root


def _freight(root: UblElement) -> int:
    """The freight in cents. Every other charge or allowance on the whole invoice is refused, unless it is zero."""
    cents = 0
    for node in root.all("cac:AllowanceCharge"):
        amount = node.need("cbc:Amount")
        if not amount.amount():
            continue
        why, code = node.one("cbc:AllowanceChargeReason"), node.one("cbc:AllowanceChargeReasonCode")
        reason = f"of {amount.shown()} ({quoted(why.name()) if why else 'no reason given'})"
        if not node.need("cbc:ChargeIndicator").truth():
            raise node.bad(f"is an allowance {reason}", BY_HAND)
        if not (code.identifier() == FREIGHT_CODE if code else why and FREIGHT_WORDS.fullmatch(why.name())):
            raise node.bad(f"is a charge {reason} that is not freight", BY_HAND)
        cents += amount.cents()
    return cents


def _tax(root: UblElement) -> int:
    """The tax in cents, once: it may be repeated in the currency of the tax office (EN 16931, BT-111)."""
    other = root.one("cbc:TaxCurrencyCode")
    repeated_in = other.identifier() if other else root.currency
    amounts = [node.need("cbc:TaxAmount") for node in root.all("cac:TaxTotal")]
    if repeated_in != root.currency:
        amounts = [amount for amount in amounts if amount.element.get("currencyID") != repeated_in]
    if len(amounts) > 1:
        raise amounts[1].bad("is a second total of the tax", BY_HAND)
    return amounts[0].cents() if amounts else 0


def read_invoice(file: Path, content: bytes | None = None) -> Invoice:
    """The invoice of a UBL file, or of its content. Raises BadInput, one sentence, for all that cannot be taken in whole."""
    root = _commercial_invoice(open_document(file, content))
    lines = root.all("cac:InvoiceLine")
    if not lines:
        raise root.bad("has no InvoiceLine", FROM_SUPPLIER)
    if len(lines) > MAX_LINES:
        raise root.bad(f"has {len(lines):,} lines, and {MAX_LINES:,} are the most", "ask the supplier for several invoices")
    try:
        return Invoice(
            number=root.need("cbc:ID").identifier(), currency=root.currency, issue_date=root.need("cbc:IssueDate").day(),
            **_supplier(root.need("cac:AccountingSupplierParty/cac:Party")), order_reference=_order_reference(root),
            freight_cents=_freight(root), lines=tuple(map(_line, lines)), tax_cents=_tax(root),
            total_cents=root.need("cac:LegalMonetaryTotal/cbc:PayableAmount").cents(),
        )  # fmt: skip
    except ValidationError as error:  # amounts that are too large together, or by the price of one
        raise root.bad(f"cannot be accepted ({first_fault(error)})", BY_HAND) from error


def _line(node: UblElement) -> InvoiceLine:
    for inner in node.all("cac:SubInvoiceLine"):
        raise inner.bad("is a line inside a line", BY_HAND)
    for amount in node.all("cac:AllowanceCharge/cbc:Amount"):
        if amount.amount():
            raise amount.bad(f"of {amount.shown()} is an allowance or charge on one line", BY_HAND)
    order_line, name = node.one("cac:OrderLineReference/cbc:LineID"), node.one("cac:Item/cbc:Name")
    line_id, quantity = node.need("cbc:ID").identifier(), node.need("cbc:InvoicedQuantity")
    order_line_id = order_line.identifier() if order_line and order_line.text() else None
    qty = quantity.number()
    if qty.denominator != 1 or not 0 < qty <= MAX_QTY:
        raise quantity.bad(f"must be a whole number from 1 to {MAX_QTY:,}, and is {quantity.text()}", BY_HAND)
    # the net price of one; a discount that stands beside it is in it already (EN 16931, BT-146 to BT-148)
    price, base, units = node.need("cac:Price/cbc:PriceAmount"), node.one("cac:Price/cbc:BaseQuantity"), Fraction(1)
    if base is not None:
        if len({base.element.get("unitCode"), quantity.element.get("unitCode")} - {None}) > 1:
            raise base.bad("is in another unit than the quantity", BY_HAND)
        units = base.number()
        if units <= 0:
            raise base.bad(f"must be above 0, and is {base.text()}", FROM_SUPPLIER)
    return InvoiceLine(
        line_id=line_id, order_line=order_line_id, qty=qty.numerator, unit_price_cents=price.cents(units),
        amount_cents=node.need("cbc:LineExtensionAmount").cents(), name=name.name() if name else "",
    )  # fmt: skip


def _supplier(party: UblElement) -> dict[str, Any]:
    names = [*party.all("cac:PartyName/cbc:Name"), *party.all("cac:PartyLegalEntity/cbc:RegistrationName")]
    name = next(filter(None, (node.name() for node in names)), None)
    if name is None:
        raise party.bad("has no name", FROM_SUPPLIER)
    paths = ("cac:PartyIdentification/cbc:ID", "cac:PartyLegalEntity/cbc:CompanyID", "cbc:EndpointID")
    ids = dict.fromkeys(node.identifier() for path in paths for node in party.all(path))
    kinds = ((scheme, scheme.one("cac:TaxScheme/cbc:ID")) for scheme in party.all("cac:PartyTaxScheme"))
    schemes = [scheme for scheme, kind in kinds if kind and kind.text() == "VAT"]
    if len(schemes) > 1:
        raise schemes[1].bad("is a second VAT registration of the supplier", FROM_SUPPLIER)
    tax_id = schemes[0].need("cbc:CompanyID").identifier() if schemes else None
    return {"supplier": name, "supplier_ids": tuple(ids), "tax_id": tax_id}


def _order_reference(root: UblElement) -> str | None:
    paths = ("cac:OrderReference/cbc:ID", "cac:InvoiceLine/cac:OrderLineReference/cac:OrderReference/cbc:ID")
    orders = dict.fromkeys(node.identifier() for path in paths for node in root.all(path))
    if len(orders) > 1:
        named = ", ".join(map(quoted, list(orders)[:3]))
        raise root.bad(f"refers to {len(orders)} orders ({named})", "ask the supplier for one invoice an order")
    return next(iter(orders), None)
