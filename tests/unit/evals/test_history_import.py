"""Any export of orders becomes a history: by a layout that is known, by a guess, or by a mapping."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from errors import BadInput
from evals.history import scan
from evals.history.guessing import number
from evals.history.importing import import_exports
from evals.history.mapping import ExportMapping
from evals.history.profile import Profile

SHOPIFY = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Total,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Shipping Street,Shipping Zip,Cancelled at,Refunded Amount
#1001,bob@example.com,paid,2026-07-16 09:00:00 -0400,fulfilled,2026-07-17 10:00:00 -0400,USD,37.10,2026-07-16 08:59:12 -0400,\
2,"Mug, large",15.00,MUG-L,1 Main St,'04101,,0.00
#1002,al@example.com,refunded,2026-07-16 10:00:00 -0400,unfulfilled,,USD,15.70,2026-07-16 09:59:12 -0400,1,Cup,10.00,CUP,\
2 Main St,'04102,2026-07-18 09:00:00 -0400,15.70
#1002,al@example.com,,,,,,,,1,Plate,5.00,PLT,,,,
#1003,al@example.com,pending,,weird,,USD,5.00,2026-07-16 10:10:00 -0400,1,Plate,5.00,PLT,,,,
"""
#: an order a day, and its postage
GERMAN = "Auftragsnummer;Datum;Kunde;Artikelnummer;Artikel;Menge;Einzelpreis;Status\n" + "".join(
    f"A{100 + day};{day:02}.03.2026 {day % 10 + 8}:30;K{day % 7};{item};{words};{pieces};{price};{status}\n"
    for day in range(1, 29)
    for item, words, pieces, price, status in (
        (f"T-{day % 5}", "Tasse", 1 + day % 3, "1.234,50 €", "versandt"), ("VERSAND", "Versandkosten", 1, "4,90 €", "versandt"),
    )
)  # fmt: skip


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., tuple[Profile, pd.DataFrame]]:
    """The profile and the history of a file of this name and text."""

    def of(name: str, text: str | bytes, mapping: ExportMapping | None = None) -> tuple[Profile, pd.DataFrame]:
        file, out = tmp_path / name, tmp_path / "history.parquet"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_exports([file], out, mapping), pd.read_parquet(out)

    return of


Imported = Callable[..., tuple[Profile, pd.DataFrame]]


def test_an_export_of_shopify_is_known_with_its_charges_and_cancellations(imported: Imported) -> None:
    profile, history = imported("orders.csv", SHOPIFY)
    lines, charges = history[history["record"] == "line"], history[history["record"] == "charge"]
    assert profile.mapping.layout == "Shopify orders" and (profile.rows, profile.orders, profile.currency) == (4, 3, "USD")
    assert lines["status"].tolist()[:2] == ["shipped", "cancelled"] and lines["postal_code"].tolist()[0] == "04101"
    assert lines["at"].tolist()[0] == pd.Timestamp("2026-07-16 12:59:12Z")
    assert lines["unit_price_cents"].tolist() == [1500, 1000, 500, 500]
    assert charges["status"].tolist() == ["captured", "refunded", "pending"]
    assert charges["amount_cents"].tolist() == [3710, 1570, 500] and charges["refunded_cents"].tolist()[:2] == [0, 1570]
    assert profile.unknown_statuses == {"weird": 1}
    assert any("The status 'weird' of 1 rows has no known meaning" in one for one in profile.sentences())
    assert profile.not_looked_for["late_promise"] == "no column promised_at"


def test_an_export_that_nobody_knows_is_guessed_from_names_and_values(imported: Imported) -> None:
    profile, history = imported("export.csv", GERMAN.replace("Menge", "Mengee").encode("cp1252"))
    assert {ours: theirs for ours, (theirs,) in profile.mapping.columns.items()} == {
        "order_id": "Auftragsnummer", "at": "Datum", "customer_id": "Kunde", "sku": "Artikelnummer", "item": "Artikel",
        "qty": "Mengee", "unit_price": "Einzelpreis", "status": "Status",
    }  # fmt: skip
    assert profile.because["qty"] == "spelt nearly like 'menge'" and profile.currency == "EUR"
    assert profile.mapping.time.formats == ("%d.%m.%Y %H:%M",) and profile.mapping.not_goods == ("VERSAND",)
    assert profile.records == {"line": 28, "fee": 28} and set(history["status"]) == {"shipped"}
    assert set(history.loc[history["record"] == "line", "unit_price_cents"]) == {123450}
    assert history["at"].min() == pd.Timestamp("2026-03-01 09:30Z")


def test_what_was_guessed_is_written_and_read_again_as_it_was(imported: Imported, tmp_path: Path) -> None:
    profile, history = imported("export.csv", GERMAN)
    profile.mapping.dump(tmp_path / "mapping.yaml")
    again, same = imported("export.csv", GERMAN, ExportMapping.load(tmp_path / "mapping.yaml"))
    assert again.mapping == profile.mapping and same.equals(history)


def test_times_without_a_zone_are_those_of_the_zone_of_the_mapping(imported: Imported) -> None:
    profile, _ = imported("export.csv", GERMAN)
    in_berlin = profile.mapping.model_copy(update={"time": profile.mapping.time.model_copy(update={"zone": "Europe/Berlin"})})
    _, history = imported("export.csv", GERMAN, in_berlin)
    assert history["at"].min() == pd.Timestamp("2026-03-01 08:30Z")


def test_objects_with_their_lines_are_a_row_a_line(imported: Imported) -> None:
    order = {
        "id": 7, "number": "7", "status": "completed", "currency": "JPY",
        "date_created_gmt": "2026-01-01T10:00:00", "total": "300",
        "billing": {"email": "a@example.com"}, "shipping": {"postcode": "100"}, "refunds": [],
        "line_items": [{"sku": "A", "quantity": 2, "price": 100}, {"sku": "B", "quantity": 1, "price": 100}],
    }  # fmt: skip
    profile, history = imported("orders.jsonl", json.dumps(order) + "\n")
    assert profile.mapping.layout == "WooCommerce orders, by its REST API"
    assert history[["order_id", "customer_id", "sku", "qty", "unit_price_cents"]].values.tolist() == [
        ["7", "a@example.com", "A", 2, 100], ["7", "a@example.com", "B", 1, 100],
    ]  # fmt: skip


def test_a_workbook_is_read_by_its_first_sheet_with_rows(imported: Imported, tmp_path: Path) -> None:
    cells = [["Order ID", "Order Date", "SKU", "Quantity", "Unit Price"], *(
        [f"O-{number // 2}", f"2026-01-{number // 2 + 1:02} 10:00", f"S-{number}", "2", "3.5"] for number in range(20)
    )]  # fmt: skip
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = "".join(f"<row>{''.join(map(cell.format, row))}</row>" for row in cells)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheets = '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets>'
    link = f'<Relationship Id="r1" Type="{links}/worksheet" Target="worksheets/sheet1.xml"/>'
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    with zipfile.ZipFile(tmp_path / "made.xlsx", "w") as book:
        root = f'<Relationship Id="r0" Type="{links}/officeDocument" Target="xl/workbook.xml"/>'
        book.writestr("_rels/.rels", f'<Relationships xmlns="{package}">{root}</Relationships>')
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{links}">{sheets}</workbook>')
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{link}</Relationships>')
        book.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>')
    profile, history = imported("orders.xlsx", (tmp_path / "made.xlsx").read_bytes())
    assert profile.orders == 10 and history["unit_price_cents"].tolist() == [350] * 20


def test_rows_that_cannot_be_read_are_named_and_left_out_and_many_are_refused(imported: Imported) -> None:
    head, *rows = GERMAN.splitlines(keepends=True)
    many = head + "".join(row.replace("A1", f"A{copy}1") for copy in range(4) for row in rows)
    profile, history = imported("export.csv", many.replace("A0101;01.03.2026 9:30", "A0101;soon", 2))
    assert [(one.row, one.column, one.value) for one in profile.wrong] == [(1, "Datum", "soon"), (2, "Datum", "soon")]
    assert len(history) == 4 * 56 - 2
    with pytest.raises(BadInput, match=r"export.csv, row 1: Datum is 'soon', which cannot be read, and so in 2 of 56 rows"):
        imported("export.csv", GERMAN.replace("A101;01.03.2026 9:30", "A101;soon", 2))


def test_days_without_a_time_tell_nothing_of_minutes(imported: Imported, tmp_path: Path) -> None:
    rows = "".join(f"{number},2026-01-{number % 28 + 1:02},C1,S{number % 3},1,2.00\n" for number in range(100, 160))
    profile, _ = imported("export.csv", f"order id,order date,customer id,sku,quantity,unit price\n{rows}")
    assert profile.is_dates_only and profile.not_looked_for["duplicate_order"] == "its moments are days, and minutes count"
    assert scan(tmp_path / "history.parquet").not_looked_for["duplicate_order"] == "its moments are days, and minutes count"


def test_several_files_of_one_kind_are_one_history_and_of_two_kinds_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    for file, text in zip(files, (SHOPIFY, SHOPIFY.replace("#100", "#200"), GERMAN), strict=True):
        file.write_text(text)
    assert import_exports(files[:2], tmp_path / "out.parquet").orders == 6
    with pytest.raises(BadInput, match=r"c.csv: has other columns than .*a.csv"):
        import_exports([files[0], files[2]], tmp_path / "out.parquet")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"qty": ("Mengen",)}, "has no column 'Mengen'; did you mean 'Menge'"),
        ({"at": ("Artikel",)}, "row 1: Artikel is 'Tasse', which cannot be read"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_the_remedy(
    imported: Imported, changed: dict[str, tuple[str]], reason: str
) -> None:
    mapping = imported("export.csv", GERMAN)[0].mapping
    with pytest.raises(BadInput, match=reason):
        imported("export.csv", GERMAN, mapping.model_copy(update={"columns": {**mapping.columns, **changed}}))


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234.50", ".", 1234.5), ("$ 12", ".", 12), ("(12.00)", ".", -12),
        ("12.00-", ".", -12), ("-3", ".", -3),
        ("\u22123", ".", -3), ("US$ 5", ".", 5), ("5 USD", ".", 5),
        ("1.234,50 €", ",", 1234.5), ("EUR 3,5", ",", 3.5), ("1e3", ".", 1000), ("-$4.20", ".", -4.2), ("$-4.20", ".", -4.2),
        ("A12", ".", None), ("12 Main St", ".", None), ("", ".", None), ("2026-01-01", ".", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_and_programs_write_them(text: str, decimal: str, value: float | None) -> None:
    assert duckdb.execute(f"select {number('$1', decimal)}", [text]).fetchall() == [(value,)]
