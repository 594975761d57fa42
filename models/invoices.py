"""Invoices in free text: what a model is asked to find in one, and what of its answer is believed.

Every value comes with its quote. A value that does not stand in its quote, or a quote that does not stand in the text, is
refused: a model finds what is there, and a person decides whether it is right.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from errors import BadInput
from models.answers import object_schema
from models.masking import MARK

_MOST_LINES = 200
_MOST_CENTS = 10**12
_NUMBER = re.compile(r"\d{1,3}(?:[ ,.'’]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?!\d)|\d+")

_TEXTS = ("number", "currency", "issue_date", "supplier", "tax_id", "order_reference")
_CENTS = ("freight_cents", "tax_cents", "total_cents")
_OF_LINES = {"line_id": "string", "order_line": "string", "name": "string", "qty": "integer", "unit_price_cents": "integer",
             "amount_cents": "integer"}  # fmt: skip
#: what an invoice may be without
_OPTIONAL = {"tax_id", "order_reference", "order_line", "name", "freight_cents", "tax_cents"}


def _quoted(kind: str) -> dict[str, Any]:
    return {"anyOf": [object_schema({"value": {"type": kind}, "quote": {"type": "string"}}), {"type": "null"}]}


#: of the answer: for each field of an invoice a value and its quote, or null
SCHEMA = object_schema(
    {
        "kind": {"type": "string", "enum": ["invoice", "credit note", "something else"]},
        **{name: _quoted("string") for name in _TEXTS},
        "lines": {
            "type": "array", "maxItems": _MOST_LINES,
            "items": object_schema({name: _quoted(kind) for name, kind in _OF_LINES.items()}),
        },
        **{name: _quoted("integer") for name in _CENTS},
    }
)  # fmt: skip


def checked(text: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of SCHEMA: its fields, each {"value", "quote"} or None.

    Raises BadInput that names the field where a value is missing, stands in no quote, or its quote not in the text.
    """
    if answer["kind"] != "invoice":
        raise BadInput("the model does not read this text as an invoice; if it is one, enter it manually")
    if not answer["lines"]:
        raise BadInput("the model found no lines in the invoice; enter it by hand")
    plain = _plain(text)
    for name in (*_TEXTS, *_CENTS):
        _check(name, name, answer[name], plain)
    for number, line in enumerate(answer["lines"], start=1):
        for name in _OF_LINES:
            _check(f"{name} of line {number}", name, line[name], plain)
    return dict(answer)


def values(read: Mapping[str, Any]) -> dict[str, Any]:
    """A checked answer as `systems.invoices` reads an invoice; amounts that the text does not name are none."""
    found = {name: field and field["value"] for name, field in read.items() if name not in ("kind", "lines")}
    lines = [{name: field and field["value"] for name, field in line.items()} for line in read["lines"]]
    for line in lines:
        line["name"] = line["name"] or ""
    return {**found, "freight_cents": found["freight_cents"] or 0, "tax_cents": found["tax_cents"] or 0, "lines": lines}


def quotes(read: Mapping[str, Any]) -> dict[str, str]:
    """The words that each value of a checked answer was read from."""
    lines = ((f"{name} {number}", field) for number, line in enumerate(read["lines"], 1) for name, field in line.items())
    fields = ((name, field) for name, field in read.items() if name not in ("kind", "lines"))
    return {name: field["quote"] for name, field in (*fields, *lines) if field}


def _check(where: str, name: str, field: Mapping[str, Any] | None, text: str) -> None:
    if field is None:
        if name not in _OPTIONAL:
            raise BadInput(f"the model found no {where} in the text; enter this invoice by hand")
        return
    value, quote = field["value"], _plain(field["quote"])
    if not quote or quote not in text:
        raise BadInput(f"what the model gives for {where} is not in the text; enter this invoice manually")
    if not _stands(name, value, quote):
        raise BadInput(f"what the model gives for {where} is not in its quote; enter this invoice manually")


def _stands(name: str, value: str | int, quote: str) -> bool:
    if name == "qty":
        return isinstance(value, int) and value in map(int, re.findall(r"\d{1,9}", quote))
    if isinstance(value, int):
        return 0 <= value < _MOST_CENTS and any(value == _cents(number) for number in _NUMBER.findall(quote))
    if name == "issue_date":
        return _is_day(value, quote)
    if name == "currency":
        # a sign such as $ stands for a code; which one it is, the person who looks sees
        return bool(re.fullmatch(r"[A-Z]{3}", value)) and (value.casefold() in quote or not quote.isascii() or "$" in quote)
    return bool(_plain(value)) and _plain(value) in quote and not MARK.search(value)


def _cents(number: str) -> int:
    """The amount that a number is: its last point or comma parts cents off, where one or two digits follow, or thousands."""
    digits, behind = int(re.sub(r"\D", "", number)), re.search(r"[.,](\d{1,2})$", number)
    return digits * (100 if behind is None else 10 if len(behind[1]) == 1 else 1)


def _is_day(value: str, quote: str) -> bool:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return False
    numbers = set(map(int, re.findall(r"\d{1,4}", quote)))
    month = day.month in numbers or re.search(r"[^\W\d_]{3,}", quote) is not None
    return day.day in numbers and bool({day.year, day.year % 100} & numbers) and month


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
