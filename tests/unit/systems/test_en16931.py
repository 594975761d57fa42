"""Invoices in UBL become records of `erp.invoices`, or one sentence says why not."""

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import ValidationError

from errors import BadInput
from systems.en16931 import read_invoice
from systems.invoice_xml import MAX_BYTES
from systems.invoices import MAX_LINES, Invoice
from systems.sandbox.payables import record
from tests.factur_x import CII

SAMPLES = Path(__file__).parents[3] / "evals" / "cases" / "ubl"
VALID = (SAMPLES / "ubl-tc434-example4.xml").read_text(encoding="utf-8")
ORDER = {"po_id": "123", "vendor_id": "V-1", "lines": [{"po_line": "1"}, {"po_line": "2"}, {"po_line": "3"}]}
PREPAID = '<cbc:PrepaidAmount currencyID="DKK">0.01</cbc:PrepaidAmount>'
PAYEE = "<cac:PayeeParty><cac:PartyName><cbc:Name>Quick Factoring</cbc:Name></cac:PartyName></cac:PayeeParty>"
#: stands in front of the total of the tax
BEFORE_TAX = "<cac:TaxTotal>"

Change = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    """Writes the valid sample with some texts replaced, each where it stands first; gives the file."""

    def write(*changes: tuple[str, str]) -> Path:
        text = VALID
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        return written(tmp_path, text.encode())

    return write


def written(folder: Path, content: bytes) -> Path:
    file = folder / "invoice.xml"
    file.write_bytes(content)
    return file


def recorded(invoice: Invoice, purchase_order: dict[str, Any] | None = None) -> dict[str, Any]:
    rest = {"received_at": "2026-03-14T09:30:00Z", "invoice_id": "I-1", "budget_id": "B-1", "category": "goods"}
    return record(invoice, vendor_id="V-1", purchase_order=purchase_order, **rest)


def refusal(file: Path) -> str:
    with pytest.raises(BadInput) as refused:
        read_invoice(file)
    sentence = str(refused.value)
    assert sentence.startswith(f"{file}: ") and len(sentence) < 500 and sentence.isprintable()
    return sentence.removeprefix(f"{file}: ")


def charge(kind: str, reason: str, amount: str = "12.50", code: str = "") -> tuple[str, str]:
    coded = f"<cbc:AllowanceChargeReasonCode>{code}</cbc:AllowanceChargeReasonCode>" if code else ""
    return BEFORE_TAX, (
        f"<cac:AllowanceCharge><cbc:ChargeIndicator>{kind}</cbc:ChargeIndicator>{coded}"
        f"<cbc:AllowanceChargeReason>{reason}</cbc:AllowanceChargeReason>"
        f'<cbc:Amount currencyID="DKK">{amount}</cbc:Amount></cac:AllowanceCharge>{BEFORE_TAX}'
    )


def test_an_invoice_on_an_order_becomes_a_record() -> None:
    invoice = read_invoice(SAMPLES / "ubl-tc434-example4.xml")
    assert invoice.issue_date == date(2013, 4, 10)
    assert invoice.supplier == "SellerCompany"
    assert (invoice.supplier_ids, invoice.tax_id) == (("5790000436101", "DK16356706"), "DK16356706")
    assert [(line.name, line.amount_cents) for line in invoice.lines][1] == ("Parker Pen", 50_000)
    assert recorded(invoice, ORDER) == {
        "invoice_id": "I-1",
        "vendor_id": "V-1",
        "vendor_invoice_no": "TOSL110",
        "po_id": "123",
        "category": "goods",
        "currency": "DKK",
        "lines": [
            {"po_line": "1", "qty": 1000, "unit_price_cents": 100},
            {"po_line": "2", "qty": 100, "unit_price_cents": 500},
            {"po_line": "3", "qty": 500, "unit_price_cents": 500},
        ],
        "special_items": [],
        "freight_cents": 0,
        "tax_cents": 67_500,
        "total_cents": 467_500,
        "received_at": "2026-03-14T09:30:00Z",
        "budget_id": "B-1",
    }


def test_an_invoice_without_an_order_keeps_its_own_lines_and_its_freight() -> None:
    made = recorded(read_invoice(SAMPLES / "ubl-tc434-example3.xml"))
    assert made["po_id"] is None and [line["po_line"] for line in made["lines"]] == ["1", "2"]
    assert (made["freight_cents"], made["tax_cents"], made["total_cents"]) == (10_000, 30_500, 200_500)
    # The lines come to 3,200.00, and the invoice says 1,600.00: AP-7 finds that, as it finds it in every record.
    assert sum(line["qty"] * line["unit_price_cents"] for line in made["lines"]) == 320_000


def items(invoice: Invoice) -> list[tuple[str, str | None, int]]:
    return [(item.kind, item.line, item.amount_cents) for item in invoice.special_items]


RETURNED = [("returned", "20", -10_998)]
EXAMPLE2 = [
    ("payee", None, 0), ("prepaid", None, -100_000), ("returned", "5", -396), ("returned", "2", -2_500),
    ("allowance", "1", -1_200), ("charge", "1", 1_200), ("allowance", None, -10_000),
]  # fmt: skip
EXAMPLE5 = [
    ("payee", None, 0), ("prepaid", None, -233_750), ("allowance", "1", -10_000), ("charge", "1", 10_000),
    ("allowance", None, -15_000), ("charge", None, 15_000),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("guide-example1.xml", RETURNED),
        ("ubl-tc434-creditnote1.xml", [("credit_note", None, 0)]),
        ("ubl-tc434-example1.xml", RETURNED),
        ("ubl-tc434-example2.xml", EXAMPLE2),
        ("ubl-tc434-example3.xml", []),
        ("ubl-tc434-example4.xml", []),
        ("ubl-tc434-example5.xml", EXAMPLE5),
    ],
)
def test_each_sample_is_taken_in_with_what_is_special_in_it(sample: str, expected: list[tuple[str, str | None, int]]) -> None:
    assert items(read_invoice(SAMPLES / sample)) == expected


def test_every_sample_is_tried() -> None:
    assert len(list(SAMPLES.glob("*.xml"))) == 7


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is not well-formed XML (Document is empty"),
        (b'{"invoice": 1}', "is not well-formed XML (Start tag expected"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "is not in UTF-8 (byte 9)"),
        (VALID[:2000].encode(), "is not well-formed XML"),
        (VALID.encode("utf-16"), "is not in UTF-8 (byte 0)"),
        (VALID.encode("utf-16-le"), "is not well-formed XML"),
        (VALID.replace("Parker Pen", "Stylo à bille").encode("latin-1"), "is not in UTF-8"),
        (f'<!DOCTYPE i [<!ENTITY a0 "ha">{BOMB}]><i>&a11;</i>'.encode(), "has a document type declaration (DTD)"),
        (f'<!DOCTYPE i [<!ENTITY a "{"a" * 99_999}">]><i>{"&a;" * 99_999}</i>'.encode(), "has a document type declaration"),
        (b'<!DOCTYPE i [<!ENTITY a SYSTEM "file:///etc/passwd">]><i>&a;</i>', "has a document type declaration"),
        (b'<!DOCTYPE i SYSTEM "http://127.0.0.1:1/i.dtd"><i/>', "has a document type declaration"),
        (b'<!DOCTYPE i [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p">%p;]><i/>', "has a document type declaration"),
        (b"<i>&undefined;</i>", "is not well-formed XML (Entity 'undefined' not defined"),
        (b"<i>" * 5000 + b"</i>" * 5000, "is not well-formed XML (Excessive depth"),
        (b"<" + b"i" * 99_999 + b"/>", "is not well-formed XML (Name too long"),
        (b" " * (MAX_BYTES + 1), "is over 10 MB"),
        (b"<html><body/></html>", "is no invoice in UBL 2 or CII (its root element is 'html')"),
        (b"<Invoice/>", "is no invoice in UBL 2 or CII (its root element is 'Invoice')"),
        (
            VALID.replace(":Invoice-2", ":Order-2").replace("Invoice ", "Order ").replace("</Invoice>", "</Order>").encode(),
            "is no invoice in UBL",
        ),
    ],
    ids=range(19),
)
def test_what_is_no_safe_utf8_ubl_invoice_is_refused(content: bytes, part: str, tmp_path: Path) -> None:
    assert refusal(written(tmp_path, content)).startswith(part)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.xml").startswith("cannot be read (No such file or directory)")
    assert refusal(tmp_path).startswith("cannot be read (Is a directory)")


def test_schemas_style_sheets_and_inclusions_that_a_file_names_are_not_fetched(changed: Change) -> None:
    inclusion = '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>'
    sheet = '?><?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?>'
    file = changed(("http://docs.oasis-open.org/", "http://127.0.0.1:1/"), ("?>", sheet), (BEFORE_TAX, inclusion + BEFORE_TAX))
    assert read_invoice(file) == read_invoice(SAMPLES / "ubl-tc434-example4.xml")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (">380<", "><", "InvoiceTypeCode must have a letter or a digit, and is ''"),
        ("<cbc:Note>", "<cbc:CopyIndicator>true</cbc:CopyIndicator><cbc:Note>", "CopyIndicator says that this is a copy"),
        (">DKK<", ">JPY<", "DocumentCurrencyCode JPY is not divided into hundredths; enter this invoice by hand"),
        (">DKK<", ">BHD<", "DocumentCurrencyCode BHD is not divided into hundredths"),
        (">DKK<", ">XAU<", "DocumentCurrencyCode XAU is not divided into hundredths"),
        (">DKK<", ">DKR<", "DocumentCurrencyCode 'DKR' is not a currency of ISO 4217"),
        (">DKK<", ">dkk<", "DocumentCurrencyCode 'dkk' is not a currency of ISO 4217"),
        (">DKK<", ">EUR<", "InvoiceLine 1/LineExtensionAmount is in 'DKK', and the invoice is in EUR"),
        ('currencyID="DKK">5.00', ">5.00", "InvoiceLine 2/Price/PriceAmount does not say its currency"),
        (
            'PayableAmount currencyID="DKK">4675',
            'PayableAmount currencyID="SEK">4675',
            "LegalMonetaryTotal/PayableAmount is in 'SEK'",
        ),
        (">4675.00</cbc:P", ">4675.005</cbc:P", "LegalMonetaryTotal/PayableAmount gives no whole cents (4675.005 DKK)"),
        (">4675.00</cbc:P", ">4,675.00</cbc:P", "LegalMonetaryTotal/PayableAmount must be a decimal number such as 12.50"),
        (">4675.00</cbc:P", ">1e9</cbc:P", "LegalMonetaryTotal/PayableAmount must be a decimal number"),
        (">4675.00</cbc:P", ">NaN</cbc:P", "LegalMonetaryTotal/PayableAmount must be a decimal number"),
        (">4675.00</cbc:P", ">٤٦٧٥</cbc:P", "LegalMonetaryTotal/PayableAmount must be a decimal number"),
        (">4675.00</cbc:P", f">{'9' * 400}</cbc:P", "LegalMonetaryTotal/PayableAmount must be a decimal number"),
        (">4675.00</cbc:P", "><b>4675.00</b></cbc:P", "LegalMonetaryTotal/PayableAmount has elements inside"),
        (
            "<cbc:PayableAmount",
            '<cbc:PayableAmount currencyID="DKK">1.00</cbc:PayableAmount><cbc:PayableAmount',
            "LegalMonetaryTotal/PayableAmount 2 is more than an invoice can have one of",
        ),
        (*charge("maybe", "Freight"), "AllowanceCharge/ChargeIndicator must be true or false, and is 'maybe'"),
        (
            BEFORE_TAX,
            f'<cac:TaxTotal><cbc:TaxAmount currencyID="DKK">1.00</cbc:TaxAmount></cac:TaxTotal>{BEFORE_TAX}',
            "TaxTotal 2/TaxAmount is a second total of the tax",
        ),
        (
            "<cac:OrderReference>",
            "<cac:OrderReference><cbc:ID>9</cbc:ID></cac:OrderReference><cac:OrderReference>",
            "the invoice refers to 2 orders ('9', '123'); ask the supplier for one invoice an order",
        ),
        ("<cbc:ID>TOSL110</cbc:ID>", "", "the invoice has no ID"),
        (">TOSL110<", ">TOSL&#x200b;110<", r"ID must be at most 100 characters that can be seen, and is 'TOSL\u200b110'"),
        (">TOSL110<", f">{'1' * 101}<", "ID must be at most 100 characters that can be seen"),
        (">TOSL110<", ">--<", "ID must have a letter or a digit, and is '--'"),
        ("2013-04-10", "2013-02-30", "IssueDate must be a date such as 2026-03-14, and is '2013-02-30'"),
        ("SellerCompany", "\t", "AccountingSupplierParty/Party has no name"),
    ],
)
def test_what_a_record_cannot_say_is_refused_by_name(old: str, new: str, part: str, changed: Change) -> None:
    assert refusal(changed((old, new))).startswith(part)


def test_a_missing_line_and_too_many_lines_are_refused(tmp_path: Path) -> None:
    start, end = VALID.index("<cac:InvoiceLine>"), VALID.index("</Invoice>")
    without, lines = VALID[:start], VALID[start:end]
    assert refusal(written(tmp_path, f"{without}</Invoice>".encode())).startswith("the invoice has no InvoiceLine")
    many = f"{without}{lines * (MAX_LINES // 3 + 1)}</Invoice>"
    assert refusal(written(tmp_path, many.encode())).startswith("the invoice has 2,001 lines, and 2,000 are the most")


@pytest.mark.parametrize(
    ("changes", "expected", "says"),
    [
        ([(">380<", ">381<")], ("credit_note", None, 0), "is a credit note (document type 381)"),
        ([(">380<", ">384<")], ("other_document", None, 0), "is a document of type 384, and no commercial invoice"),
        ([(">4675.00</cbc:P", ">-4675.00</cbc:P")], ("credit_note", None, 0), "asks for no payment: its total is -4675.00 DKK"),
        ([("<cbc:PayableAmount", PREPAID + "<cbc:PayableAmount")], ("prepaid", None, -1), "paid before: 0.01 DKK"),
        (
            [("<cbc:PayableAmount", PREPAID.replace("PrepaidAmount", "PayableRoundingAmount") + "<cbc:PayableAmount")],
            ("rounding", None, 1),
            "rounded by 0.01 DKK",
        ),
        ([charge("false", "Loyal \u202ecustomer")], ("allowance", None, -1250), "allowance of 12.50 DKK (Loyal customer)"),
        ([charge("true", "Packaging")], ("charge", None, 1250), "charge of 12.50 DKK (Packaging)"),
        ([charge("true", "Freight", code="ABL")], ("charge", None, 1250), "charge of 12.50 DKK (Freight)"),
        ([charge("true", "Freight", "-12.50")], ("allowance", None, -1250), "allowance of -12.50 DKK (Freight)"),
        ([charge("false", "Penalty", "-12.50")], ("charge", None, 1250), "charge of -12.50 DKK (Penalty)"),
        ([(">1000</cbc:I", ">-1000</cbc:I")], ("returned", "1", 100_000), "-1000 × Printing paper for 1000.00 DKK"),
        ([(">1000</cbc:I", ">0</cbc:I")], ("returned", "1", 100_000), "0 × Printing paper for 1000.00 DKK"),
        ([(">1000</cbc:I", ">999.5</cbc:I")], ("fraction", "1", -50), "999.5 × Printing paper at 1.00 DKK"),
        ([(">1.00</cbc:PriceAmount>", ">1.0049</cbc:PriceAmount>")], ("price", "1", 490), "1000 × Printing paper at 1.0049 DKK"),
        ([(BEFORE_TAX, PAYEE + BEFORE_TAX)], ("payee", None, 0), "is to be paid to Quick Factoring"),
    ],
    ids=range(15),
)
def test_what_stands_beside_lines_freight_and_tax_is_a_special_item(
    changes: list[tuple[str, str]], expected: tuple[str, str | None, int], says: str, changed: Change
) -> None:
    invoice = read_invoice(changed(*changes))
    assert items(invoice) == [expected] and invoice.special_items[0].says == says


def test_a_payee_that_is_the_supplier_is_nothing_special(changed: Change) -> None:
    assert items(read_invoice(changed((BEFORE_TAX, PAYEE.replace("Quick Factoring", "SELLERCOMPANY") + BEFORE_TAX)))) == []


def test_a_price_with_parts_of_a_cent_comes_to_the_amount_of_its_line_and_to_no_other(changed: Change) -> None:
    price = (">1.00</cbc:PriceAmount>", ">1.00333333333</cbc:PriceAmount>")
    stated = '<cbc:LineExtensionAmount currencyID="DKK">1000.00<'
    # 1,003.33333…: what the line says is taken where it is a rounding of that, and otherwise AP-7 finds that it is not
    for told, cents in (("1003.34", 334), ("1003.00", 333)):
        file = changed(price, (stated, stated.replace("1000.00", told)))
        assert items(read_invoice(file)) == [("price", "1", cents)]


def test_allowances_on_a_line_are_of_that_line_and_nothing_where_they_are_zero(changed: Change) -> None:
    def line_with(amount: str) -> Path:
        allowance = charge("false", "Damage", amount)[1].removesuffix(BEFORE_TAX)
        return changed(("<cac:Item>", f"{allowance}<cac:Item>"))

    assert items(read_invoice(line_with("1.00"))) == [("allowance", "1", -100)]
    assert items(read_invoice(line_with("0.00"))) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"type_code": "381"}, "type 381 needs a special item"),
        ({"total_cents": -1}, "a total below 0 needs"),
        ({"lines": ()}, "no lines"),
    ],
)
def test_an_invoice_that_hides_what_it_is_is_none(fields: dict[str, Any], why: str) -> None:
    plain = read_invoice(SAMPLES / "ubl-tc434-example4.xml").model_dump()
    with pytest.raises(ValidationError, match=why):
        Invoice.model_validate({**plain, **fields})


@pytest.mark.parametrize("reason", ["Freight", "SHIPPING", "Shipping & handling".replace("&", "&amp;"), "freight charges"])
def test_charges_for_freight_are_added_up(reason: str, changed: Change) -> None:
    file = changed(charge("true", reason), charge("1", "Transport", "0.50", code="FC"), charge("false", "none", "0"))
    assert read_invoice(file).freight_cents == 1300


def test_the_tax_may_be_told_again_in_the_currency_of_the_tax_office(changed: Change) -> None:
    again = f'<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">90.00</cbc:TaxAmount></cac:TaxTotal>{BEFORE_TAX}'
    tax_currency = "</cbc:DocumentCurrencyCode><cbc:TaxCurrencyCode>EUR</cbc:TaxCurrencyCode>"
    file = changed(("</cbc:DocumentCurrencyCode>", tax_currency), (BEFORE_TAX, again))
    assert read_invoice(file).tax_cents == 67_500


@pytest.mark.parametrize(
    ("price", "base", "unit", "expected"),
    [
        ("100.00", "100", "EA", 100),
        ("0.10", ".1", "EA", 100),
        ("-1.00", "1", "EA", "InvoiceLine 1/Price/PriceAmount is negative (-1.00 DKK); ask"),
        ("10.00", "0", "EA", "InvoiceLine 1/Price/BaseQuantity must be above 0, and is 0"),
        ("10.00", "1", "KGM", "InvoiceLine 1/Price/BaseQuantity is in another unit than the quantity"),
    ],
)
def test_a_price_for_several_is_divided_exactly(price: str, base: str, unit: str, expected: int | str, changed: Change) -> None:
    told = f'>{price}</cbc:PriceAmount><cbc:BaseQuantity unitCode="{unit}">{base}</cbc:BaseQuantity>'
    file = changed((">1.00</cbc:PriceAmount>", told))
    if isinstance(expected, int):
        assert read_invoice(file).lines[0].unit_price_cents == expected
    else:
        assert refusal(file).startswith(expected)


def test_texts_are_made_fit_for_a_screen_and_for_comparison(changed: Change) -> None:
    file = changed(
        (">TOSL110<", ">\n ＴＯＳＬ<!-- not the end -->１１０ <"),
        (">SellerCompany<", f">Seller\u202e\n  \u0085{'y' * 5000}<"),
        ("2013-04-10", "2013-04-10+02:00"),
    )
    invoice = read_invoice(file)
    assert invoice.number == "TOSL110" and invoice.issue_date == date(2013, 4, 10)
    assert invoice.supplier.startswith("Seller yyy") and len(invoice.supplier) <= 200


def referring(*lines: str) -> list[tuple[str, str]]:
    """Changes that make the first lines of the sample refer to lines of the order."""
    place = "</cbc:LineExtensionAmount>\n        <cac:Item>"
    return [
        (
            place,
            f"</cbc:LineExtensionAmount><cac:OrderLineReference><cbc:LineID>{n}</cbc:LineID></cac:OrderLineReference><cac:Item>",
        )
        for n in lines
    ]


def test_a_line_is_for_the_order_line_that_it_names(changed: Change) -> None:
    invoice = read_invoice(changed(*referring("20", "10", "30")))
    # The order may be one that nobody knows: the Mission then has no record of it, and says so.
    for order in (ORDER, None):
        assert [line["po_line"] for line in recorded(invoice, order)["lines"]] == ["20", "10", "30"]


def test_a_line_that_names_no_order_line_is_taken_by_its_own_number_only_if_the_order_has_it() -> None:
    invoice = read_invoice(SAMPLES / "ubl-tc434-example4.xml")
    sentence = "Invoice 'TOSL110' does not say which line of order '123' its line '3' is for; "
    with pytest.raises(BadInput, match=sentence):
        recorded(invoice, {**ORDER, "lines": ORDER["lines"][:2]})
    # Of an order that nobody knows its lines are not known: the Mission has no record of it then, and says so.
    assert [line["po_line"] for line in recorded(invoice)["lines"]] == ["1", "2", "3"]


def test_an_order_line_that_is_billed_twice_is_refused(changed: Change) -> None:
    invoice = read_invoice(changed(*referring("3")))
    with pytest.raises(BadInput, match="Invoice 'TOSL110' bills line '3' more than once; "):
        recorded(invoice, ORDER)


def test_an_order_that_the_invoice_does_not_name_or_another_vendor_has_is_refused() -> None:
    invoice = read_invoice(SAMPLES / "ubl-tc434-example4.xml")
    with pytest.raises(BadInput, match="refers to order '123', and was given with order 124; "):
        recorded(invoice, {**ORDER, "po_id": "124"})
    with pytest.raises(BadInput, match="refers to no order, and was given with order 123; "):
        recorded(read_invoice(SAMPLES / "ubl-tc434-example3.xml"), ORDER)
    with pytest.raises(BadInput, match="refers to order 123, which vendor V-1 was not given; "):
        recorded(invoice, {**ORDER, "vendor_id": "V-2"})


def test_an_invoice_in_cii_is_the_same_as_in_ubl(tmp_path: Path) -> None:
    assert read_invoice(written(tmp_path, CII.encode())) == read_invoice(SAMPLES / "ubl-tc434-example4.xml")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (">false<", ">true<", "says that this is a test"),
        ("</ram:LineID>", "</ram:LineID><ram:ParentLineID>9</ram:ParentLineID>", "is a line inside a line"),
        ('currencyID="DKK"', 'currencyID="EUR"', "is in 'EUR', and the invoice is in DKK"),
        ('format="102"', 'format="610"', "must be a date"),
        ("20130410", "20130230", "must be a date such as 20260314"),
        ('schemeID="FC"', 'schemeID="VA"', "is a second VAT registration"),
        ("<ram:ID>TOSL110</ram:ID>", "<ram:ID>1</ram:ID><ram:ID>2</ram:ID>", "more than an invoice can have one of"),
        ("<rsm:ExchangedDocumentContext>", "<!DOCTYPE a><rsm:ExchangedDocumentContext>", "has a document type declaration"),
        ("CrossIndustryInvoice:100", "CrossIndustryInvoice:200", "is no invoice in UBL 2 or CII"),
    ],
)
def test_what_no_record_can_say_is_refused_in_cii_as_in_ubl(old: str, new: str, part: str, tmp_path: Path) -> None:
    changed = CII.replace(old, new, 1)
    assert changed != CII and part in refusal(written(tmp_path, changed.encode()))


UNSAID = ["AllowanceCharge", "PrepaidAmount", "PayeeParty", "SubInvoiceLine", "CopyIndicator", "TaxCurrencyCode", "BaseQuantity"]
NUMBERS = ["-1", "0", "0.00", "0.001", "2.50", "381", "9" * 50, "1e3"]
WORDS = ["", " ", "JPY", "EUR", "true", "Freight", "\u200b", "x" * 300, "2013-02-30", "123"]
VALUES = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs", "Cc"])))


def mutate(root: etree._Element, draw: st.DrawFn) -> None:
    """Lose, double, move, rename or rewrite one element below the root."""
    below = [element for element in root.iterdescendants() if isinstance(element.tag, str)]
    element, other = draw(st.sampled_from(below)), draw(st.sampled_from(below))
    way = draw(st.sampled_from(["lose", "double", "move", "rename", "rewrite", "rewrite", "currency"]))
    if way == "lose":
        element.getparent().remove(element)
    elif way == "double":
        element.addnext(deepcopy(element))
    elif way == "move":
        other.append(deepcopy(element))
    elif way == "rename":
        element.tag = draw(st.sampled_from([other.tag, *(f"{other.tag[: other.tag.index('}') + 1]}{name}" for name in UNSAID)]))
    elif way == "rewrite":
        leaves = [leaf for leaf in below if not len(leaf)]
        draw(st.sampled_from(leaves)).text = draw(VALUES)
    else:
        element.set("currencyID", draw(st.sampled_from(["DKK", "EUR", "", "dkk"])))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The valid sample with a few mutations; one in ten has broken bytes as well."""
    root = etree.fromstring(VALID.encode())
    for _ in range(draw(st.integers(1, 3))):
        mutate(root, draw)
    content = etree.tostring(root, encoding="utf-8")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.binary(max_size=4)) + content[place + draw(st.integers(0, 40)) :]
    return content


@given(mutated())
@settings(max_examples=400, deadline=None)
def test_a_broken_invoice_gives_a_sound_record_or_bad_input_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "mutated.xml"
    file.write_bytes(content)
    try:
        made = recorded(read_invoice(file), ORDER)
    except BadInput as refused:
        assert str(refused).isprintable() and len(str(refused)) < 600
    else:
        assert made["currency"] == "DKK" and made["po_id"] == "123" and made["vendor_invoice_no"]
        assert made["freight_cents"] >= 0
        kinds = {item["kind"] for item in made["special_items"]}
        assert made["total_cents"] >= 0 or "credit_note" in kinds
        assert all(type(line["qty"]) is int and line["qty"] > 0 <= line["unit_price_cents"] for line in made["lines"])


def test_a_price_beyond_all_bounds_is_refused(changed: Change) -> None:
    told = '>9999999999</cbc:PriceAmount><cbc:BaseQuantity unitCode="EA">0.01</cbc:BaseQuantity>'
    assert "unit_price_cents" in refusal(changed((">1.00</cbc:PriceAmount>", told)))
