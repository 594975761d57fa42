"""Commercial invoices as they arrive, and as records of `erp.invoices`.

One in UBL is read by `systems.ubl`; here, one that a person entered in a JSON file, as `missions invoice read` prepares it
from a mail:

{"number": "INV-7", "currency": "USD", "issue_date": "2026-03-14", "supplier": "ACME", "tax_id": null,
 "order_reference": "PO-1", "freight_cents": 0, "tax_cents": 0, "total_cents": 1000,
 "lines": [{"line_id": "1", "order_line": "1", "qty": 2, "unit_price_cents": 500, "amount_cents": 1000, "name": "Pen"}]}
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from iso4217 import Currency
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from errors import BadInput
from strict_json import strict_json

BY_HAND = "enter this invoice by hand"
FROM_SUPPLIER = "ask the supplier for a corrected invoice"
MAX_ID = 100
MAX_NAME = 200
#: quantity times price stays below 2**63
MAX_QTY, MAX_CENTS = 1_000_000, 10**12
MAX_LINES = 2_000
_MAX_BYTES = 2_000_000


def quoted(text: str, characters: int = 40) -> str:
    """Text from outside, fit to stand in a sentence: in quotes, short, with invisible characters spelled out."""
    return repr(text[:characters] + ("…" if len(text) > characters else ""))


def _identifier(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip()
    if not text.isprintable() or not any(map(str.isalnum, text)):
        raise ValueError("must have a letter or a digit, and no hidden characters")
    return text


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line, without hidden characters")
    return text.strip()


def _hundredths(code: str) -> str:
    if Currency(code).exponent != 2:
        raise ValueError("is not divided into hundredths")
    return code


Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_identifier)]
Name = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_name)]
Cents = Annotated[int, Field(ge=0, lt=MAX_CENTS)]


class InvoiceLine(BaseModel, extra="forbid", strict=True, frozen=True):
    """A line; `order_line` is the line of the purchase order that it names, `amount_cents` what it says that it comes to."""

    line_id: Identifier
    order_line: Identifier | None = None
    qty: Annotated[int, Field(ge=1, le=MAX_QTY)]
    unit_price_cents: Cents
    amount_cents: Cents
    name: Name = ""


class Invoice(BaseModel, extra="forbid", strict=True, frozen=True):
    """A commercial invoice; amounts in cents (hundredths) of `currency`, a code of ISO 4217."""

    number: Identifier
    #: UN/EDIFACT 1001, the code of a commercial invoice
    type_code: Literal["380"] = "380"
    currency: Annotated[str, AfterValidator(_hundredths)]
    issue_date: date
    #: who says that they sent it, and their ids; nothing of it is proven
    supplier: Annotated[Name, Field(min_length=1)]
    supplier_ids: tuple[Identifier, ...] = ()
    tax_id: Identifier | None = None
    order_reference: Identifier | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    freight_cents: Cents = 0
    tax_cents: Cents = 0
    total_cents: Cents


def first_fault(error: ValidationError) -> str:
    """Where and what the first thing is that does not fit, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:100] or 'the file'}: {first['msg'][:200]}"


def read_invoice_file(file: Path) -> Invoice:
    """The invoice of a JSON file. Raises BadInput, one sentence, for everything else."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise BadInput("larger than 2 MB")
        strict_json(content)
        return Invoice.model_validate_json(content)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give an invoice as JSON or as UBL 2.1") from error
    except ValidationError as error:
        raise BadInput(f"{file}: {first_fault(error)}; fix it in the file") from error
    except BadInput as error:
        raise BadInput(f"{file}: {error}; give an invoice as JSON, or fix the file") from error


def record(
    invoice: Invoice, *, vendor_id: str, purchase_order: Mapping[str, Any] | None, received_at: str, invoice_id: str,
    budget_id: str | None, category: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The invoice as a record of `erp.invoices`.

    `purchase_order` is the record of the order that the invoice refers to, or None if there is none; `received_at` is a
    moment such as 2026-03-14T09:30:00Z. Raises BadInput when order, vendor and lines do not belong together.
    """
    where, ordered = f"Invoice {quoted(invoice.number)}", quoted(invoice.order_reference or "")
    if purchase_order is not None:
        po_id = purchase_order["po_id"]
        if po_id != invoice.order_reference:
            what = f"refers to {f'order {ordered}' if invoice.order_reference else 'no order'}, and was given with order {po_id}"
            raise BadInput(f"{where} {what}; give the order that it refers to, or none")
        if purchase_order["vendor_id"] != vendor_id:
            raise BadInput(f"{where} refers to order {po_id}, which vendor {vendor_id} was not given; {FROM_SUPPLIER}")
        known = {line["po_line"] for line in purchase_order["lines"]}
        for line in invoice.lines:
            if line.order_line is None and line.line_id not in known:
                what = f"does not say which line of order {ordered} its line {quoted(line.line_id)} is for"
                raise BadInput(f"{where} {what}; {FROM_SUPPLIER}, or {BY_HAND}")
    lines = [
        {"po_line": line.order_line or line.line_id, "qty": line.qty, "unit_price_cents": line.unit_price_cents}
        for line in invoice.lines
    ]
    for po_line, times in Counter(line["po_line"] for line in lines).items():
        if times > 1:  # each could bill no more than was received, and all together more
            raise BadInput(f"{where} bills line {quoted(str(po_line))} more than once; {FROM_SUPPLIER} with one line for it")
    return {
        "invoice_id": invoice_id, "vendor_id": vendor_id, "vendor_invoice_no": invoice.number, "po_id": invoice.order_reference,
        "category": category, "currency": invoice.currency, "lines": lines, "freight_cents": invoice.freight_cents,
        "tax_cents": invoice.tax_cents, "total_cents": invoice.total_cents, "received_at": received_at, "budget_id": budget_id,
    }  # fmt: skip
