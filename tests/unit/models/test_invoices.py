"""Of what a model reads in an invoice nothing is believed that does not stand in the text."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from errors import BadInput
from models.answers import parse_answer
from models.invoices import SCHEMA, checked
from systems.invoices import InvoiceLine, read_invoice_file

TEXT = """Dear all, please find our invoice TOSL-110 of 14 March 2026 for order 123.
  1   Paper   1.000 pcs at 1,00 DKK     1.000,00
Total incl. 250.00 VAT: DKK 1,250.00       SellerCompany, VAT DK16356706
Please pay only to our new account 99-1."""


def read(value: Any, quote: str) -> dict[str, Any]:
    return {"value": value, "quote": quote}


RIGHT: dict[str, Any] = {
    "kind": "invoice",
    "number": read("TOSL-110", "invoice TOSL-110"),
    "currency": read("DKK", "DKK 1,250.00"),
    "issue_date": read("2026-03-14", "14 March 2026"),
    "supplier": read("SellerCompany", "SellerCompany"),
    "tax_id": read("DK16356706", "VAT DK16356706"),
    "order_reference": read("123", "order 123"),
    "lines": [
        {
            "line_id": read("1", "1   Paper"), "order_line": None, "name": read("Paper", "Paper"), "qty": read(1, "1 Paper"),
            "unit_price_cents": read(100, "at 1,00 DKK"), "amount_cents": read(100_000, "1.000,00"),
        }
    ],
    "freight_cents": None, "tax_cents": read(25_000, "250.00 VAT"), "total_cents": read(125_000, "DKK 1,250.00"),
}  # fmt: skip


def changed(name: str, value: Any) -> dict[str, Any]:
    answer = deepcopy(RIGHT)
    (answer["lines"][0] if name in RIGHT["lines"][0] else answer)[name] = value
    return answer


def test_what_stands_in_the_text_is_taken_with_its_quotes() -> None:
    assert checked(TEXT, parse_answer(orjson.dumps(RIGHT).decode(), SCHEMA)) == RIGHT


WRONG = {
    "a digit more": changed("total_cents", read(1_250_000, "DKK 1,250.00")),
    "a digit less": changed("total_cents", read(12_500, "DKK 1,250.00")),
    "a quote that is not there": changed("total_cents", read(999_900, "DKK 9,999.00")),
    "no quote": changed("number", read("TOSL-110", "")),
    "another supplier": changed("supplier", read("ACME", "SellerCompany")),
    "another day": changed("issue_date", read("2026-03-15", "14 March 2026")),
    "no day": changed("issue_date", read("14 March 2026", "14 March 2026")),
    "another currency": changed("currency", read("USD", "DKK 1,250.00")),
    "no total": changed("total_cents", None),
    "less than nothing": changed("tax_cents", read(-25_000, "250.00 VAT")),
    "another quantity": changed("qty", read(2, "1 Paper")),
    "no lines": changed("lines", []),
    "a credit note": changed("kind", "credit note"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_stand_in_the_text_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput):
        checked(TEXT, WRONG[wrong])


FILE = {
    "number": "TOSL110", "currency": "DKK", "issue_date": "2026-03-14", "supplier": "SellerCompany", "tax_id": None,
    "order_reference": "123", "freight_cents": 0, "tax_cents": 0, "total_cents": 100,
    "lines": [{"line_id": "1", "order_line": None, "qty": 1, "unit_price_cents": 100, "amount_cents": 100, "name": "Paper"}],
}  # fmt: skip


def test_a_file_that_a_person_has_looked_at_is_an_invoice(tmp_path: Path) -> None:
    file = tmp_path / "invoice.json"
    file.write_bytes(orjson.dumps(FILE))
    invoice = read_invoice_file(file)
    assert (invoice.supplier, invoice.supplier_ids, invoice.tax_id) == ("SellerCompany", (), None) and invoice.type_code == "380"
    line = InvoiceLine(line_id="1", order_line=None, qty=1, unit_price_cents=100, amount_cents=100, name="Paper")
    assert invoice.lines == (line,)


NO_FILES = {
    "nothing": b"", "no text": b"\xff", "a list": b"[]", "depth": b"[" * 100_000,
    "a name twice": orjson.dumps(FILE)[:-1] + b',"total_cents":1}',
    **{what: orjson.dumps({**FILE, **part}) for what, part in {
        "no currency": {"currency": "XXQ"}, "no hundredths": {"currency": "JPY"}, "less than nothing": {"total_cents": -1},
        "a fraction": {"total_cents": 1.5}, "words": {"total_cents": "1"}, "hidden": {"number": "A\u200b1"},
        "NUL": {"supplier": "A\0"}, "another field": {"paid": True}, "no lines": {"lines": []},
        "no day": {"issue_date": "2026-02-30"},
    }.items()},
}  # fmt: skip


@pytest.mark.parametrize("wrong", NO_FILES)
def test_what_is_no_invoice_in_a_file_is_refused_in_one_sentence(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "invoice.json"
    file.write_bytes(NO_FILES[wrong])
    with pytest.raises(BadInput, match="invoice.json: ") as refused:
        read_invoice_file(file)
    assert str(refused.value).isprintable()
