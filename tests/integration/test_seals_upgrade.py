"""A database of the release before the seals: what it holds is sealed when it is migrated, and its runs go on."""

import shutil
from pathlib import Path

import psycopg
import pytest

import ledger.migrate
from ledger.auditing import examine
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from tests.ledger_examples import LATER, a_fact, a_proposal, decided, said, staffed, started

#: as the release before wrote them
_ROWS = """
INSERT INTO ledger.accounts (key, password_hash) VALUES ('rita', 'hash');
INSERT INTO ledger.sessions VALUES ('s-1', 'rita', now(), now() + interval '1 hour'),
    ('s-2', 'rita', now(), now() - interval '1 s');
INSERT INTO ledger.devices VALUES ('d-1', 'rita', now());
INSERT INTO ledger.feeds VALUES ('oms.events', '17', now(), ''), ('crm.events', '', now(), 'away');
INSERT INTO ledger.dead_letters (letter_id, source, body, reason, at) VALUES ('l-1', 'oms', '{', 'no JSON', now());
INSERT INTO ledger.event_sources (name, digest, added_by, added_at) VALUES ('oms', 'd', 'Ada', now());
INSERT INTO ledger.admissions (admission_id, kind, name, role, account, asked_by, asked_at, lapses_at, status)
    VALUES ('a-1', 'role', 'Flora', 'finance', true, 'Ada', now(), now(), 'asked');
"""


@pytest.fixture
def older(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database as the release before left it: people, a run, and a row in every other table."""
    scripts = ledger.migrate._SCRIPTS
    copy = tmp_path / "migrations"
    shutil.copytree(scripts, copy)
    for file in (copy / "versions").glob("*.py"):
        if file.name >= "0016":
            file.unlink()
    monkeypatch.setattr(ledger.migrate, "_SCRIPTS", copy)
    migrate(database_url)
    with PostgresLedger.open(database_url) as opened:
        staffed(opened)
        started(opened)
        opened.record_facts("run-1", [a_fact()])
    with psycopg.connect(database_url) as session:
        session.execute(_ROWS.encode())
        assert session.execute("SELECT FROM ledger.audit WHERE body ? 'rows'").fetchone() is None
    monkeypatch.setattr(ledger.migrate, "_SCRIPTS", scripts)
    assert migrate(database_url) is True
    return database_url


def test_an_older_ledger_is_as_its_log_says_and_its_runs_go_on(older: str) -> None:
    with PostgresLedger.open(older) as opened:
        assert examine(opened).problems == []
        opened.propose(a_proposal())
        decided(opened)
        opened.observe("run-1", [said("closed")])
        opened.finish("run-1", "fulfil", "rejected", LATER)
        assert examine(opened).problems == []
        with psycopg.connect(older) as session:
            session.execute("UPDATE ledger.observations SET text = 'another'")
        assert examine(opened).problems


@pytest.mark.parametrize("change", [
    "UPDATE ledger.people SET role = 'finance' WHERE name = 'Nick'", "UPDATE ledger.accounts SET password_hash = 'mine'",
    "INSERT INTO ledger.sessions VALUES ('s-3', 'rita', now(), now() + interval '1 hour')",
    "DELETE FROM ledger.sessions WHERE digest = 's-1'", "DELETE FROM ledger.dead_letters",
    "UPDATE ledger.dead_letters SET body = 'another'", "UPDATE ledger.feeds SET cursor = '16'",
    "UPDATE ledger.event_sources SET missions = '[]'", "UPDATE ledger.admissions SET asked_by = 'Bob'",
    "UPDATE ledger.devices SET key = 'fred'", "UPDATE ledger.accounts SET factor_step = 1",
])  # fmt: skip
def test_what_was_there_before_is_watched_from_then_on(change: str, older: str) -> None:
    with psycopg.connect(older) as session:
        session.execute(change.encode())
    with PostgresLedger.open(older) as opened:
        assert examine(opened).problems


def test_what_has_expired_before_may_be_deleted(older: str) -> None:
    with psycopg.connect(older) as session:
        session.execute("DELETE FROM ledger.sessions WHERE expires_at < now()")
    with PostgresLedger.open(older) as opened:
        assert examine(opened).problems == []
