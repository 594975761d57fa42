"""The log is cut or rewritten by whoever owns the database: a head that was kept outside says so."""

import json
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from errors import BadInput
from ledger import audit_heads as keeping
from ledger.audit_export import Head, examine
from ledger.audit_heads import Heads
from ledger.postgres import PostgresLedger
from ledger.signatures import signed, signing_key
from tests.conftest import empty
from tests.integration.commands import missions, refused
from tests.ledger_examples import staffed, started

pytestmark = pytest.mark.promise("A change behind the ledger's back is found")


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        staffed(opened)
        started(opened)
        yield opened


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    folder = tmp_path / "outside"
    folder.mkdir()
    return Heads(folder, "", tmp_path / "audit.pem")


def kept(heads: Heads) -> list[Path]:
    assert heads.folder is not None
    return sorted(heads.folder.iterdir())


def found(heads: Heads, ledger: PostgresLedger, *words: str) -> None:
    """One sentence, and it holds all these words."""
    problems, _ = heads.compare(ledger)
    assert len(problems) == 1, problems
    assert all(word in problems[0] for word in words), problems


def _cut(session: psycopg.Connection, rows: int) -> None:
    session.execute("SET LOCAL session_replication_role = replica")
    session.execute("DELETE FROM ledger.audit WHERE seq > (SELECT max(seq) FROM ledger.audit) - %s", [rows])


def test_heads_are_kept_as_the_log_grows_and_say_nothing_of_a_log_that_is_whole(ledger: PostgresLedger, heads: Heads) -> None:
    heads.keep(ledger)
    heads.keep(ledger)
    assert [file.stat().st_mode & 0o777 for file in kept(heads)] == [0o600]
    started(ledger, "run-2")
    heads.look(ledger)  # a moment ago another one was kept
    assert len(kept(heads)) == 1
    heads.keep(ledger)
    first, last = (Head.model_validate_json(file.read_bytes()) for file in kept(heads))
    assert first.seq < last.seq and (last.seq, last.digest) == ledger.audit_head() and first.log == last.log
    assert heads.compare(ledger) == ([], f"Heads in {heads.folder}: the log was compared with 2.")


@pytest.mark.parametrize("rows", [1, 3])
def test_the_end_of_the_log_is_cut_off(ledger: PostgresLedger, ledger_url: str, heads: Heads, rows: int) -> None:
    heads.keep(ledger)
    end, _ = ledger.audit_head()
    with psycopg.connect(ledger_url) as session:
        _cut(session, rows)
    found(heads, ledger, "was cut", f"ends at row {end - rows}", f"reached row {end}")


def test_the_end_is_cut_off_and_as_much_is_written_in_its_place(ledger: PostgresLedger, ledger_url: str, heads: Heads) -> None:
    heads.keep(ledger)
    end, _ = ledger.audit_head()
    with psycopg.connect(ledger_url) as session:
        _cut(session, 1)
        for number in range(3):
            body = json.dumps({"incident_id": f"i-{number}", "reason": "none"})
            session.execute("SELECT ledger.append(now(), 'incident_opened', 'run-1', %s::jsonb)", [body])
    assert not [problem for problem in examine(ledger).problems if "udit row" in problem]
    found(heads, ledger, "was rewritten", f"row {end} ")


def test_the_whole_log_and_ledger_are_made_anew(ledger: PostgresLedger, ledger_url: str, heads: Heads) -> None:
    heads.keep(ledger)
    with psycopg.connect(ledger_url) as session:
        empty(session)
    staffed(ledger)
    started(ledger, "another")
    started(ledger, "and one more")
    assert examine(ledger).problems == []
    found(heads, ledger, "was rewritten")


def test_nothing_is_left_of_the_log(ledger: PostgresLedger, ledger_url: str, heads: Heads) -> None:
    heads.keep(ledger)
    with psycopg.connect(ledger_url) as session:
        empty(session)
    found(heads, ledger, "was cut", "ends at row 0")


def _edited(file: Path, **other: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | other))


def _swapped(file: Path) -> None:
    first, last = sorted(file.parent.iterdir())
    before = first.read_bytes()
    first.write_bytes(last.read_bytes())
    last.write_bytes(before)


def _by_another_key(file: Path) -> None:
    key = signing_key(file.parent.parent / "another.pem")
    head = Head.model_validate_json(file.read_bytes())
    file.write_text(head.model_copy(update={"signature": signed(key, head.message())}).model_dump_json())


def _in_place_of(file: Path, make: Callable[[Path], object]) -> None:
    file.unlink()
    make(file)


FORGED: dict[str, Callable[[Path], object]] = {
    "another digest": lambda file: _edited(file, digest="0" * 64),
    "another row": lambda file: _edited(file, seq=1),
    "another moment": lambda file: _edited(file, exported_at="2026-01-01T00:00:00Z"),
    "no signature": lambda file: _edited(file, signature=""),
    "another key": _by_another_key,
    "swapped": _swapped,
    "a name of another row": lambda file: file.rename(file.with_name(f"{'9' * 12}{file.name[12:]}")),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-40]),
    "empty": lambda file: file.write_bytes(b""),
    "nested": lambda file: file.write_text("[" * 9_000),
    "a folder": lambda file: _in_place_of(file, Path.mkdir),
    "a link": lambda file: _in_place_of(file, lambda made: made.symlink_to("/dev/zero")),
    "a pipe": lambda file: _in_place_of(file, os.mkfifo),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_head_is_edited_or_swapped_to_fit(ledger: PostgresLedger, heads: Heads, forge: Callable[[Path], object]) -> None:
    heads.keep(ledger)
    started(ledger, "run-2")
    heads.keep(ledger)
    forge(kept(heads)[-1])
    found(heads, ledger, "is damaged or edited, or not signed")


def test_the_key_is_taken_away(ledger: PostgresLedger, heads: Heads) -> None:
    heads.keep(ledger)
    heads.key.unlink()
    found(heads, ledger, "there is no key ")


SLEEPS = f'{shlex.quote(sys.executable)} -c \'import subprocess; subprocess.run(["sleep", "30"])\''
#: what is wrong -> (folder, command, what is told)
BROKEN = {
    "the folder is gone": ("gone", "", "MISSIONS_AUDIT_HEADS"),
    "the folder is a file": ("audit.pem", "", "MISSIONS_AUDIT_HEADS"),
    "there is no such command": (None, "no-such-program --now", "cannot be started (No such file or directory)"),
    "the command is no line of words": (None, "cat 'open", "it is not a valid command line"),
    "the command is a blank": (None, " ", "it is not a valid command line"),
    "the command fails": (None, "sh -c 'exit 3'", "ended with status 3"),
    "the command hangs": (None, SLEEPS, "did not end within 0.3 seconds"),
}


@pytest.mark.parametrize(("folder", "command", "told"), BROKEN.values(), ids=BROKEN)
def test_heads_can_no_longer_be_kept(
    ledger: PostgresLedger, tmp_path: Path, folder: str | None, command: str, told: str,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(keeping, "PATIENCE_S", 0.3)
    signing_key(tmp_path / "audit.pem")
    heads, begun = Heads(tmp_path / folder if folder else None, command, tmp_path / "audit.pem"), time.monotonic()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):  # it goes on, and is told once
            heads.look(ledger)
    assert time.monotonic() - begun < 10
    assert [told in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(BadInput, match="MISSIONS_AUDIT_HEADS"):
        heads.keep(ledger)
    if folder:
        found(heads, ledger, told)


def test_a_folder_that_fails_does_not_keep_a_head_from_the_command(ledger: PostgresLedger, tmp_path: Path) -> None:
    heads = Heads(tmp_path / "gone", f"tee {tmp_path / 'taken.json'}", tmp_path / "audit.pem")
    heads.look(ledger)
    head = Head.model_validate_json((tmp_path / "taken.json").read_bytes())
    assert (head.seq, head.digest) == ledger.audit_head()


def test_the_command_that_verifies_keeps_a_head_and_finds_the_cut(
    ledger: PostgresLedger, ledger_url: str, tmp_path: Path, heads: Heads
) -> None:
    def verify(**variables: str | Path) -> tuple[int, str]:
        done = missions("audit", "verify", DATABASE_URL=ledger_url, MISSIONS_HOME=tmp_path / "home", **variables)
        return done.returncode, " ".join(done.stdout.split())

    assert heads.folder is not None
    status, told = verify(MISSIONS_AUDIT_HEADS=heads.folder)
    assert (status, "compared with 0." in told) == (0, True), told
    assert len(kept(heads)) == 1
    with psycopg.connect(ledger_url) as session:
        _cut(session, 1)
    assert verify()[1].count("was cut") == 0
    status, told = verify(MISSIONS_AUDIT_HEADS=heads.folder)
    assert (status, "was cut" in told, len(kept(heads))) == (1, True, 1), told


def test_a_command_that_is_not_there_is_told_of_when_the_log_is_verified(
    ledger: PostgresLedger, ledger_url: str, tmp_path: Path
) -> None:
    setting = {"MISSIONS_AUDIT_HEADS_COMMAND": "no-such-program secret"}
    done = missions("audit", "verify", DATABASE_URL=ledger_url, MISSIONS_HOME=tmp_path / "home", **setting)
    assert "secret" not in refused(done, "MISSIONS_AUDIT_HEADS_COMMAND", "cannot be started")
