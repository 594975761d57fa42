"""Names from outside are shown as text, whatever stands in them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from tests.conftest import _database
from tests.integration.commands import missions
from tests.integration.live_company import RECORDED

ORDER = "O-52022"
HOSTILE = "\x1b]0;owned\x07\x1b[31m[red]O-1[/red]\n\u202e[link=http://x]missions: all is well[/link]\x9b2J"
LONG = "Z" * 20_000


def hostile_order() -> dict[str, Any]:
    """An order and a customer with hostile names."""
    text = json.dumps(RECORDED["dev-ord-0004"]).replace(json.dumps(ORDER), json.dumps(HOSTILE))
    case: dict[str, Any] = {**json.loads(text), "case_id": f"hostile order {HOSTILE}"}
    case["systems"]["crm"]["customers"][0]["name"] = HOSTILE + LONG
    return case


def hostile_message() -> dict[str, Any]:
    """A hostile message of a customer with a hostile name about a ticket with a hostile number."""
    case: dict[str, Any] = json.loads(json.dumps(RECORDED["dev-sup-0003"])) | {"case_id": f"hostile message {HOSTILE}"}
    case["trigger"] |= {"ticket_id": HOSTILE, "text": f"I was charged twice for O-66588. {HOSTILE} {LONG}"}
    case["systems"]["crm"]["customers"][0]["name"] = HOSTILE + LONG
    return case


def hostile_invoice() -> dict[str, Any]:
    """An invoice whose number, vendor and budget have hostile names."""
    case: dict[str, Any] = json.loads(json.dumps(RECORDED["dev-inv-0004"]))
    erp, invoice_id = case["systems"]["erp"], case["trigger"]["invoice_id"]
    text = json.dumps({**case, "case_id": f"hostile invoice {HOSTILE}"}).replace(json.dumps(invoice_id), json.dumps(HOSTILE))
    names = [*(vendor["name"] for vendor in erp["vendors"]), *(one["vendor_invoice_no"] for one in erp["invoices"])]
    for name in names:
        text = text.replace(json.dumps(name), json.dumps(f"{HOSTILE} {name} {LONG}"))
    made: dict[str, Any] = json.loads(text)
    return made


@pytest.fixture(scope="module")
def shown(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `run`, `queue` and `show` print of cases whose names are hostile."""
    cases = [hostile_order(), hostile_message(), hostile_invoice()]
    file: Path = tmp_path_factory.mktemp("hostile") / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    with _database(server_url) as url:
        migrate(url)
        ran = missions("run", file, DATABASE_URL=url)
        assert ran.returncode == 0, ran.stderr
        ledger = PostgresLedger.open(url)
        runs = ledger.runs()
        ledger.close()
        assert [run.event.subject for run in runs] == [HOSTILE] * len(cases)
        printed = [ran, missions("queue", DATABASE_URL=url), *(missions("show", run.run_id, DATABASE_URL=url) for run in runs)]
        assert {done.returncode for done in printed} == {0}
        yield "".join(done.stdout + done.stderr for done in printed)


def test_no_control_character_reaches_the_screen(shown: str) -> None:
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown) == []


def test_markup_is_shown_and_not_followed(shown: str) -> None:
    together = re.sub(r"\s", "", shown)  # columns are folded
    assert "[red]O-1[/red]" in together
    assert "[link=http://x]" in together


def test_a_name_cannot_begin_a_line_of_its_own(shown: str) -> None:
    assert not [line for line in shown.splitlines() if line.startswith("missions:")]


def test_a_name_of_20_kb_does_not_fill_the_screen(shown: str) -> None:
    assert "Z" * 2_500 not in shown.replace("\n", "")
