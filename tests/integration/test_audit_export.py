"""An exported log with its signed head: verified by itself, against the ledger it came from, and never taken for another."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dashboard.pages.audit import parse_head
from errors import BadInput
from ledger.audit_export import HEAD, KEY, LOG, examine_export, examine_head, export, read_head
from ledger.postgres import PostgresLedger
from ledger.signatures import fingerprint, public_key, signing_key
from tests.integration.commands import missions, refused
from tests.ledger_examples import NOW, staffed, started


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        staffed(opened)
        started(opened)
        yield opened


@pytest.fixture
def exported(ledger: PostgresLedger, tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    export(ledger, folder, signing_key(tmp_path / "keys" / "audit.pem"), NOW)
    return folder


def test_an_export_verifies_by_itself_and_against_a_ledger_that_has_grown(ledger: PostgresLedger, exported: Path) -> None:
    head, key = read_head(exported / HEAD), public_key(exported / KEY)
    assert (head.seq, head.digest) == ledger.audit_head() == parse_head((exported / HEAD).read_text())
    assert (head.log, head.exported_at, head.key) == (ledger.audit()[0].digest, NOW, fingerprint(key))
    assert [json.loads(line)["digest"] for line in (exported / LOG).read_text().splitlines()] == [
        entry.digest for entry in ledger.audit()
    ]
    started(ledger, "run-2")
    assert examine_export(exported, key).problems == examine_head(ledger, head, key).problems == []


def test_the_key_is_made_once_for_this_account_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "audit.pem"
    first, again = signing_key(file), signing_key(file)
    assert fingerprint(first.public_key()) == fingerprint(again.public_key())
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["audit.pem"]


def _edit_a_row(folder: Path) -> None:
    file = folder / LOG
    file.write_text(file.read_text().replace('"Nick"', '"Mick"'))


def _cut_the_tail(folder: Path) -> None:
    file = folder / LOG
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def _cut_the_tail_and_the_head(folder: Path) -> None:
    _cut_the_tail(folder)
    last = json.loads((folder / LOG).read_text().splitlines()[-1])
    head = json.loads((folder / HEAD).read_text())
    (folder / HEAD).write_text(json.dumps(head | {"seq": last["seq"], "digest": last["digest"]}))


def _add_a_row(folder: Path) -> None:
    file = folder / LOG
    file.write_text(file.read_text() + file.read_text().splitlines()[-1] + "\n")


def _say_it_was_later(folder: Path) -> None:
    head = json.loads((folder / HEAD).read_text())
    (folder / HEAD).write_text(json.dumps(head | {"exported_at": "2030-01-01T00:00:00Z"}))


@pytest.mark.parametrize("tamper", [_edit_a_row, _cut_the_tail, _cut_the_tail_and_the_head, _add_a_row, _say_it_was_later])
def test_an_export_that_was_tampered_with_is_found(exported: Path, tamper: Callable[[Path], None]) -> None:
    tamper(exported)
    assert examine_export(exported, public_key(exported / KEY)).problems


def test_a_head_by_another_key_or_of_another_log_is_found(
    ledger: PostgresLedger, exported: Path, ledger_url: str, tmp_path: Path
) -> None:
    head, other = read_head(exported / HEAD), signing_key(tmp_path / "other.pem").public_key()
    assert any("not signed by this key" in problem for problem in examine_head(ledger, head, other).problems)
    with psycopg.connect(ledger_url) as session:
        session.execute("SET session_replication_role = replica")
        session.execute("DELETE FROM ledger.audit")
    problems = examine_head(ledger, head, public_key(exported / KEY)).problems
    assert any("of another log" in problem for problem in problems) and any("tail was cut" in problem for problem in problems)


HOSTILE = ["", "null", "[]", "{}", "[" * 100_000, '{"seq": 1}', "\x00", '{"seq": true, "at": 3}', '{"at": "2026-01-01"}']


@pytest.mark.parametrize("content", HOSTILE, ids=lambda content: repr(content[:12]))
def test_files_that_are_none_of_an_export_are_refused_with_a_sentence(exported: Path, content: str) -> None:
    key = public_key(exported / KEY)
    if content:
        (exported / LOG).write_text(content)
        with pytest.raises(BadInput, match="this is not a row of an audit log"):
            examine_export(exported, key)
    (exported / HEAD).write_text(content)
    with pytest.raises(BadInput, match="is not the head"):
        examine_export(exported, key)
    (exported / KEY).write_text(content)
    with pytest.raises(BadInput, match="is not a public Ed25519 key"):
        public_key(exported / KEY)


def test_an_empty_log_is_not_exported(ledger_url: str, tmp_path: Path) -> None:
    with PostgresLedger.open(ledger_url) as ledger, pytest.raises(BadInput, match="nothing to export"):
        export(ledger, tmp_path / "export", signing_key(tmp_path / "audit.pem"), NOW)
    assert list((tmp_path / "export").iterdir()) == []


def test_the_commands_export_and_verify(ledger: PostgresLedger, ledger_url: str, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"

    def command(*words: str | Path) -> list[str]:
        done = missions("audit", *words, DATABASE_URL=ledger_url, MISSIONS_HOME=home)
        assert done.stderr == ""
        return [str(done.returncode), " ".join(done.stdout.split())]

    seq, digest = ledger.audit_head()
    refused(missions("audit", "verify", "--head", out / HEAD, DATABASE_URL=ledger_url, MISSIONS_HOME=home), "head.json")
    status, told = command("export", "--out", out)
    assert (status, f"to row {seq}, {digest}." in told) == ("0", True)
    assert fingerprint(public_key(out / KEY)) in told
    intact = f"{seq} rows, head {digest}."
    for words in (("verify",), ("verify", "--head", out / HEAD), ("verify", "--export", out, "--key", out / KEY)):
        status, told = command(*words)
        assert (status, told.endswith(intact)) == ("0", True), told
    with psycopg.connect(ledger_url) as session:
        session.execute("UPDATE ledger.people SET role = 'finance' WHERE name = 'Nick'")
    status, told = command("verify", "--head", out / HEAD)
    assert (status, "The person 'nick'" in told) == ("1", True)
