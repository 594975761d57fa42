"""Invoices that a person entered in a JSON file, as `missions invoice read` prepares it from a mail.

{"number": "INV-7", "currency": "USD", "issue_date": "2026-03-14", "supplier": "ACME", "tax_id": null,
 "order_reference": "PO-1", "freight_cents": 0, "tax_cents": 0, "total_cents": 1000,
 "lines": [{"line_id": "1", "order_line": "1", "qty": 2, "unit_price_cents": 500, "amount_cents": 1000, "name": "Pen"}]}
"""

import unicodedata
from datetime import date
from pathlib import Path
from typing import Annotated

from iso4217 import Currency
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from errors import BadInput
from strict_json import strict_json
from systems.ubl import MAX_LINES, MAX_QTY, Invoice, Line, Supplier
from systems.ubl_document import MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS
from systems.ubl_terms import COMMERCIAL_INVOICE

_MAX_BYTES = 2_000_000


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


Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS), AfterValidator(_identifier)]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS), AfterValidator(_name)]
Cents = Annotated[int, Field(ge=0, lt=10**12)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    line_id: Identifier
    order_line: Identifier | None = None
    qty: Annotated[int, Field(ge=1, le=MAX_QTY)]
    unit_price_cents: Cents
    amount_cents: Cents
    name: Name = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: Identifier
    currency: Annotated[str, AfterValidator(_hundredths)]
    issue_date: date
    supplier: Annotated[Name, Field(min_length=1)]
    tax_id: Identifier | None = None
    order_reference: Identifier | None = None
    lines: Annotated[list[_Line], Field(min_length=1, max_length=MAX_LINES)]
    freight_cents: Cents = 0
    tax_cents: Cents = 0
    total_cents: Cents


def read_invoice_file(file: Path) -> Invoice:
    """The invoice of a JSON file. Raises BadInput, one sentence, for everything else."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise BadInput("larger than 2 MB")
        strict_json(content)
        read = _File.model_validate_json(content)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give an invoice as JSON or as UBL 2.1") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{file}: {where[:100]}: {first['msg'][:200]}; mend it in the file") from error
    except BadInput as error:
        raise BadInput(f"{file}: {error}; give an invoice as JSON, or mend the file") from error
    return Invoice(
        number=read.number, type_code=COMMERCIAL_INVOICE, currency=read.currency, issue_date=read.issue_date,
        supplier=Supplier(name=read.supplier, ids=(), tax_id=read.tax_id), order_reference=read.order_reference,
        lines=tuple(Line(**line.model_dump()) for line in read.lines),
        freight_cents=read.freight_cents, tax_cents=read.tax_cents, total_cents=read.total_cents,
    )  # fmt: skip
