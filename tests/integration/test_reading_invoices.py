"""An invoice in a mail is read by a model, and shown with the words that it was read from."""

import json
from pathlib import Path

from systems.invoices import read_invoice_file
from tests.integration.commands import missions
from tests.model_server import behaviours as does
from tests.model_server.server import ModelServer
from tests.unit.models.test_invoices import RIGHT, TEXT, WRONG


def test_a_mail_becomes_a_file_that_a_person_looks_at(tmp_path: Path, ledger_url: str) -> None:
    mail, out = tmp_path / "mail.txt", tmp_path / "invoice.json"
    mail.write_text(f"{TEXT}\nQuestions: ann@example.com, account DE89 3704 0044 0532 0130 00", encoding="utf-8")
    with ModelServer(lambda _: does.Say(RIGHT)) as server:
        model = {"MISSIONS_MODEL": "gpt-x", "MISSIONS_MODEL_URL": server.url, "DATABASE_URL": ledger_url}
        done = missions("invoice", "read", mail, "--out", out, **model)
        again = missions("invoice", "read", mail, "--out", out, **model)
    assert done.returncode == 0, done.stderr
    assert "“DKK 1,250.00”" in done.stdout and "gpt-x" in done.stdout and "Written by a model" in done.stdout
    assert read_invoice_file(out).total_cents == 125_000 and json.loads(out.read_text())["supplier"] == "SellerCompany"
    (asked,) = server.asked
    assert b"ann@example.com" not in asked.raw and b"3704" not in asked.raw and "TOSL-110" in asked.user
    assert again.returncode == 1 and "exists already" in again.stderr and server.wrong == []


def test_what_a_model_makes_up_is_not_written(tmp_path: Path, ledger_url: str) -> None:
    mail, out = tmp_path / "mail.txt", tmp_path / "invoice.json"
    mail.write_text(TEXT, encoding="utf-8")
    with ModelServer(lambda _: does.Say(WRONG["a digit more"])) as server:
        done = missions(
            "invoice", "read", mail, "--out", out, MISSIONS_MODEL="m", MISSIONS_MODEL_URL=server.url, DATABASE_URL=ledger_url
        )
    assert (done.returncode, done.stderr.count("\n"), out.exists()) == (1, 1, False) and "total_cents" in done.stderr


def test_without_a_model_no_text_is_read(tmp_path: Path) -> None:
    mail = tmp_path / "mail.txt"
    mail.write_text(TEXT, encoding="utf-8")
    done = missions("invoice", "read", mail, "--out", tmp_path / "invoice.json")
    assert done.returncode == 1 and "MISSIONS_MODEL" in done.stderr
