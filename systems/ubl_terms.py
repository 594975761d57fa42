"""A UBL invoice as a whole: its kind, its currency, what is charged beside its lines, and what no record can say."""

import re

from iso4217 import Currency

from errors import BadInput
from systems.ubl_document import BY_HAND, CREDIT_NOTE, FROM_SUPPLIER, INVOICE, Node, shown

#: UN/EDIFACT 1001, the code of a commercial invoice
COMMERCIAL_INVOICE = "380"
#: UN/EDIFACT 1001, the codes of documents that take money back
CREDIT_NOTES = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"})
#: UN/EDIFACT 7161, the code of the freight service
FREIGHT_CODE = "FC"
FREIGHT_WORDS = re.compile(r"(freight|shipping)( (and|&) handling)?( (charge|cost|fee)s?)?", re.IGNORECASE)

_NEVER_PAID = "credit notes are never paid; set it off against the invoice that it corrects, by hand"


def kind_of(root: Node) -> str:
    """The code of the kind of document, which is always 380: everything else is refused."""
    if root.element.tag == CREDIT_NOTE:
        raise BadInput(f"{root.file}: is a credit note, and {_NEVER_PAID}")
    if root.element.tag != INVOICE:
        found = shown(str(root.element.tag), 120)
        raise BadInput(f"{root.file}: is no UBL 2 invoice (its root element is {found}); ask the supplier for the invoice as UBL")
    code = root.need("cbc:InvoiceTypeCode")
    said = code.identifier()
    if said in CREDIT_NOTES:
        raise code.bad(f"{said} makes it a credit note", _NEVER_PAID)
    if said != COMMERCIAL_INVOICE:
        raise code.bad(f"must be {COMMERCIAL_INVOICE}, a commercial invoice, and is {shown(said)}", BY_HAND)
    copy = root.one("cbc:CopyIndicator")
    if copy and _truth(copy):
        raise copy.bad("says that this is a copy", "ask the supplier for the original")
    return said


def currency_of(root: Node) -> str:
    """The ISO 4217 code of a currency of hundredths, in which the invoice is written and to be paid."""
    node = root.need("cbc:DocumentCurrencyCode")
    code = node.identifier()
    try:
        minor_units = Currency(code).exponent
    except ValueError:
        raise node.bad(f"{shown(code)} is no currency of ISO 4217", FROM_SUPPLIER) from None
    if minor_units != 2:
        raise node.bad(f"{code} is not divided into hundredths", BY_HAND)
    paid_in = root.one("cbc:PaymentCurrencyCode")
    if paid_in and paid_in.identifier() != code:
        raise paid_in.bad(f"asks for payment in another currency than {code}", BY_HAND)
    return code


def refuse_what_no_record_says(root: Node, currency: str) -> None:
    """Refuse what changes who is paid, or how much, and has no field in a record."""
    for path, why in (
        ("cac:PayeeParty", "is to be paid in place of the supplier"),
        ("cac:PrepaidPayment", "says that something was paid before"),
        ("cac:WithholdingTaxTotal", "withholds a tax"),
    ):
        for node in root.all(path):
            raise node.bad(why, BY_HAND)
    for path, why in (
        ("cbc:PrepaidAmount", "was paid before"),
        ("cbc:AllowanceTotalAmount", "is taken off the invoice"),
        ("cbc:PayableRoundingAmount", "was added to round the total"),
    ):
        for amount in root.all(f"cac:LegalMonetaryTotal/{path}"):
            if amount.amount(currency):
                raise amount.bad(f"of {amount.text()} {currency} {why}", BY_HAND)


def freight_of(root: Node, currency: str) -> int:
    """The freight in cents. Every other charge or allowance on the whole invoice is refused, unless it is zero."""
    cents = 0
    for node in root.all("cac:AllowanceCharge"):
        amount = node.need("cbc:Amount")
        if not amount.amount(currency):
            continue
        why, code = node.one("cbc:AllowanceChargeReason"), node.one("cbc:AllowanceChargeReasonCode")
        said = f"of {amount.text()} {currency} ({shown(why.name()) if why else 'no reason given'})"
        if not _truth(node.need("cbc:ChargeIndicator")):
            raise node.bad(f"is an allowance {said}", BY_HAND)
        freight = code.identifier() == FREIGHT_CODE if code else bool(why and FREIGHT_WORDS.fullmatch(why.name()))
        if not freight:
            raise node.bad(f"is a charge {said} that is not freight", BY_HAND)
        cents += amount.cents(currency)
    return cents


def tax_of(root: Node, currency: str) -> int:
    """The tax in cents, once: it may be told again in the currency of the tax office (EN 16931, BT-111)."""
    other = root.one("cbc:TaxCurrencyCode")
    told_again = other.identifier() if other else currency
    amounts = [node.need("cbc:TaxAmount") for node in root.all("cac:TaxTotal")]
    amounts = [amount for amount in amounts if told_again == currency or amount.attribute("currencyID") != told_again]
    if len(amounts) > 1:
        raise amounts[1].bad("is a second total of the tax", BY_HAND)
    return amounts[0].cents(currency) if amounts else 0


def _truth(node: Node) -> bool:
    said = node.text()
    if said not in ("true", "false", "1", "0"):
        raise node.bad(f"must be true or false, and is {shown(said)}", FROM_SUPPLIER)
    return said in ("true", "1")
