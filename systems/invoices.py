"""Commercial invoices as they arrive, and what becomes of them: `invoices` of systems.yaml.

One in XML is read by `systems.en16931`; here, one that a person entered in a JSON file, as `missions invoice read` prepares it
from a mail:

{"number": "INV-7", "currency": "USD", "issue_date": "2026-03-14", "supplier": "ACME", "tax_id": null,
 "order_reference": "PO-1", "freight_cents": 0, "tax_cents": 0, "total_cents": 1000,
 "lines": [{"line_id": "1", "order_line": "1", "qty": 2, "unit_price_cents": 500, "amount_cents": 1000, "name": "Pen"}]}

What becomes of one is said beside the systems, with the fields above as `invoice` and 16 digits of its file's sha256 as `digest`:

    invoices:
      enter: erp.enter_invoice           # a WRITE that takes an idempotency_key; without one, nothing is entered
      send: {reference: =invoice.number, amount: "=amount(invoice.total_cents, invoice.currency)"}
      event:                             # `answer` is what that tool answered
        mission: invoice_approval
        source_id: =digest
        trigger: {event: invoice.received, invoice_id: =answer.id}
"""

import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from iso4217 import Currency
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from errors import BadInput
from strict_json import strict_json
from systems.conditions import Value
from systems.values import VALUE_FUNCTIONS

BY_HAND = "enter this invoice by hand"
FROM_SUPPLIER = "ask the supplier for a corrected invoice"
MAX_ID = 100
MAX_NAME = 200
#: quantity times price stays below 2**63
MAX_QTY, MAX_CENTS = 1_000_000, 10**12
MAX_LINES = 2_000
#: UN/EDIFACT 1001, the code of a commercial invoice
COMMERCIAL = "380"
SpecialKind = Literal[
    "credit_note", "other_document", "payee", "returned", "fraction", "price", "allowance", "charge", "prepaid", "withheld",
    "rounding",
]  # fmt: skip
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


class SpecialItem(BaseModel, extra="forbid", strict=True, frozen=True):
    """What an invoice holds beside lines, freight and tax, and how it changes the total: in cents, below 0 where it lowers it.

    `line` is the line that it is about. A `fraction` or a `price` is of a line whose quantity is no whole number, or whose
    price has parts of a cent: the line then has both rounded (a quantity up), and the item the difference to its exact amount.
    """

    kind: SpecialKind
    line: Identifier | None = None
    says: Name
    amount_cents: Annotated[int, Field(ge=-MAX_CENTS, le=MAX_CENTS)] = 0


class Invoice(BaseModel, extra="forbid", strict=True, frozen=True):
    """A commercial invoice; amounts in cents (hundredths) of `currency`, a code of ISO 4217."""

    number: Identifier
    #: UN/EDIFACT 1001; 380 is a commercial invoice
    type_code: Annotated[str, Field(pattern=r"^[0-9]{1,3}$")] = COMMERCIAL
    currency: Annotated[str, AfterValidator(_hundredths)]
    issue_date: date
    #: who says that they sent it, and their ids; nothing of it is proven
    supplier: Annotated[Name, Field(min_length=1)]
    supplier_ids: tuple[Identifier, ...] = ()
    tax_id: Identifier | None = None
    order_reference: Identifier | None = None
    lines: Annotated[tuple[InvoiceLine, ...], Field(max_length=MAX_LINES)]
    freight_cents: Cents = 0
    tax_cents: Annotated[int, Field(ge=-MAX_CENTS, lt=MAX_CENTS)] = 0
    special_items: Annotated[tuple[SpecialItem, ...], Field(max_length=2 * MAX_LINES)] = ()
    #: below 0 where nothing is to be paid, as a `credit_note` among the special items says then
    total_cents: Annotated[int, Field(ge=-MAX_CENTS, lt=MAX_CENTS)]

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Self:
        kinds = {item.kind for item in self.special_items}
        if self.type_code != COMMERCIAL and not kinds & {"credit_note", "other_document"}:
            raise ValueError(f"a document of type {self.type_code} needs a special item that says so")
        if self.total_cents < 0 and "credit_note" not in kinds:
            raise ValueError("a total below 0 needs a special item `credit_note`")
        if not self.lines and not kinds:
            raise ValueError("it has no lines")
        return self

    @property
    def adds_up(self) -> bool:
        """Whether each line is its quantity times its price, and all with freight, tax and special items come to the total."""
        special = sum(item.amount_cents for item in self.special_items)
        lines = all(line.qty * line.unit_price_cents == line.amount_cents for line in self.lines)
        billed = sum(line.amount_cents for line in self.lines)
        return lines and billed + self.freight_cents + self.tax_cents + special == self.total_cents


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


class InvoicesConfig(BaseModel, extra="forbid", frozen=True):
    """`invoices` of systems.yaml; see the head of this file."""

    enter: Annotated[str, Field(pattern=r"^[^.\s]+\.\S+$")] | None = None
    send: Mapping[str, Any] = {}
    event: Mapping[str, Any]

    @property
    def mission(self) -> str:
        """The Mission that an invoice starts."""
        return str(self.event.get("mission"))

    @cached_property
    def sent(self) -> Value:
        """The arguments of `enter`, of `invoice` and `digest`."""
        return Value.compile(dict(self.send), "`send` of invoices")

    @cached_property
    def computed_event(self) -> Value:
        """The event, of `invoice`, `digest` and `answer`."""
        return Value.compile({"source_id": "=digest", **self.event}, "the event of invoices")

    @model_validator(mode="after")
    def _is_computed_of_them(self) -> Self:
        if not isinstance(self.event.get("mission"), str) or self.mission.startswith("="):
            raise ValueError("its event needs the name of a mission")
        names = {"invoice", "digest"}
        try:
            for expression in self.sent.expressions:
                expression.require(names, VALUE_FUNCTIONS, "`send` of invoices")
            for expression in self.computed_event.expressions:
                expression.require(names | {"answer"} if self.enter else names, VALUE_FUNCTIONS, "the event of invoices")
        except BadInput as error:
            raise ValueError(str(error)) from error
        return self
