"""What the processes of reasoner, executor and dashboard may write is said by the database, whatever the code does."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest

from errors import BadInput, Refused
from graphs.checkpoints import set_up_checkpoints
from graphs.ledgers import database_logins, open_ledgers
from ledger.connections import parse, plain
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.records import Decision
from ledger.roles import Role, as_role, grant_roles, has_roles
from ledger.services import AdminService
from ledger.tables import METADATA
from settings import Settings
from systems.sandbox.database import create_schema
from tests.conftest import _database
from tests.integration.commands import missions, refused
from tests.integration.live_company import Company
from tests.ledger_examples import LATER, a_fact, a_proposal, an_effect, an_event, decided, said, staffed, started

pytest_plugins = ["tests.integration.live_company"]

ROLES: tuple[Role, ...] = get_args(Role)
REASONER, EXECUTOR, DASHBOARD, SHADOW = ROLES


@pytest.fixture(scope="module")
def granted(server_url: str) -> Iterator[str]:
    """A database with roles, in which every statement of a test is taken back."""
    with _database(server_url) as url:
        migrate(url)
        set_up_checkpoints(url)
        create_schema(url)
        grant_roles(url)
        yield url


def _may(url: str, role: Role, statement: str) -> bool:
    with psycopg.connect(plain(parse(as_role(url, role)))) as session:
        try:
            session.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            session.rollback()
    return True


_ALL = {"observations", "leases", "incidents"}
_INCOMING = {"arrivals", "inbox", "runs", "feeds", "dead_letters"}
#: the tables that each may add rows to
ADDS = {
    REASONER: {*_ALL, "facts", "drafts", "proposals", "touches", "model_calls"},
    EXECUTOR: {*_ALL, "effects", "authorizations", "commitments", "sends"},
    DASHBOARD: {
        *_ALL,
        *_INCOMING,
        "decisions",
        "commitments",
        "people",
        "accounts",
        "admissions",
        "attempts",
        "devices",
        "sessions",
        "claims",
        "policy_drafts",
        "policy_books",
        "event_sources",
        "outgoing",
        "lessons",
        "model_calls",
    },
    SHADOW: set(),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_adds_rows_to_its_own_tables_and_to_no_other(granted: str, role: Role) -> None:
    with psycopg.connect(granted) as session:
        rows = session.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' "
            "AND has_any_column_privilege(%s, oid, 'INSERT')", (role,)
        )  # fmt: skip
        assert {name for (name,) in rows} == ADDS[role]


@pytest.mark.parametrize("role", ROLES)
def test_nobody_changes_or_deletes_what_was_said_decided_or_logged(granted: str, role: Role) -> None:
    for table in ("audit", "decisions", "facts", "observations", "drafts", "inbox"):
        assert not _may(granted, role, f"DELETE FROM ledger.{table}")
        with psycopg.connect(granted) as session:
            may = session.execute("SELECT has_any_column_privilege(%s, %s, 'UPDATE')", (role, f"ledger.{table}")).fetchone()
        assert may == (False,)
    for table in METADATA.sorted_tables:
        assert not _may(granted, role, f"TRUNCATE {table.fullname}")
    assert not _may(granted, role, "UPDATE ledger.proposals SET plan = '[]'")
    assert not _may(granted, role, "UPDATE ledger.effects SET args = '{}'")
    assert not _may(granted, role, "UPDATE ledger.model_calls SET question = ''")
    assert not _may(granted, role, "ALTER TABLE ledger.proposals DISABLE TRIGGER ALL")


@pytest.mark.parametrize("role", [REASONER, EXECUTOR, SHADOW])
def test_secrets_of_the_doors_are_read_by_the_dashboard_alone(granted: str, role: Role) -> None:
    for table in ("accounts", "admissions", "attempts", "devices", "sessions", "event_sources"):
        assert not _may(granted, role, f"SELECT FROM ledger.{table}")
        assert _may(granted, DASHBOARD, f"SELECT FROM ledger.{table}")


@pytest.mark.parametrize("role", ROLES)
def test_the_systems_of_the_company_are_reached_over_mcp_and_not_through_the_database(granted: str, role: Role) -> None:
    with psycopg.connect(granted) as session:
        may = session.execute("SELECT has_schema_privilege(%s, 'sandbox', 'USAGE')", (role,)).fetchone()
    assert may == (False,)
    assert _may(granted, role, "SELECT FROM checkpoints") == (role in (REASONER, EXECUTOR))


def test_each_part_is_refused_with_a_sentence_what_is_not_its_own(ledger_url: str) -> None:
    grant_roles(ledger_url)
    with open_ledgers(ledger_url, 30) as ledgers:
        reasoner, executor, front = ledgers.reasoner, ledgers.executor, ledgers.front
        staffed(front)
        with pytest.raises(Refused, match="permission denied for table inbox"):
            started(reasoner)
        started(front)
        reasoner.record_facts("run-1", [a_fact()])
        reasoner.observe("run-1", [said("read")])
        with executor.lease("run-1") as lease:
            held = executor.under(lease)
            with held.step():  # in one statement, and without the right to write drafts
                held.observe("run-1", [said("sent")])
            with pytest.raises(Refused, match="permission denied for table drafts"), held.step():
                held.draft("run-1", {"plan": []})
        assert [one.text for one in reasoner.observations("run-1")] == ["read", "sent"]
        reasoner.propose(a_proposal())
        refusal = "The database does not let this process do that: permission denied for table"
        with pytest.raises(Refused, match=f"{refusal} decisions"):
            decided(reasoner)
        with pytest.raises(Refused, match=f"{refusal} decisions"):
            decided(executor)
        with pytest.raises(Refused, match=f"{refusal} people"):
            reasoner.add_person("Mallory", "finance")
        with pytest.raises(Refused, match=f"{refusal} proposals"):
            executor.propose(a_proposal("p-2"))
        with pytest.raises(Refused, match=f"{refusal} facts"):
            executor.record_facts("run-1", [a_fact()])
        with pytest.raises(Refused, match=f"{refusal} inbox"):
            executor.take_in(an_event("another"), "run-9", {})
        decided(front)
        for ledger in (reasoner, front):
            with pytest.raises(Refused, match=f"{refusal} authorizations"):
                ledger.intend([an_effect()])
        executor.intend([an_effect()])
        executor.mark_effect("k-0", "executing", at=LATER)
        executor.mark_effect("k-0", "unknown", error="no answer", at=LATER)
        reasoner.incident("run-1", "stuck", LATER)
        front.mark_effect("k-0", "done", {"found": "Rita looked"}, at=LATER)
        front.resume("run-1", by="Rita", reason="mended", at=LATER)
        executor.finish("run-1", "fulfil", "executed", LATER)
        assert AdminService(front).has_administrator() is False
        assert front.verify_audit() == []


def test_a_proposal_is_not_approved_by_writing_that_it_is(ledger_url: str) -> None:
    with PostgresLedger.open(ledger_url) as ledger:
        staffed(ledger)
        started(ledger)
        ledger.propose(a_proposal(four_eyes=True, role="finance"))
        approve = b"UPDATE ledger.proposals SET status = 'approved'"
        with psycopg.connect(ledger_url) as session, pytest.raises(psycopg.Error, match="has not the approvals"):
            session.execute(approve)
        for written in (
            b"UPDATE ledger.proposals SET status = 'automatic'",
            b"UPDATE ledger.proposals SET status = 'automatic', role = 'none', four_eyes = false",
            b"CREATE TEMP TABLE proposal AS SELECT * FROM ledger.proposals;"
            b"UPDATE proposal SET proposal_id = 'other', revision = 7, status = 'automatic';"
            b"INSERT INTO ledger.proposals OVERRIDING SYSTEM VALUE SELECT * FROM proposal",
        ):
            with psycopg.connect(ledger_url) as session, pytest.raises(psycopg.Error, match="takes no approval"):
                session.execute(written)
        shadow = b"CREATE TEMP TABLE decisions AS SELECT 'p-0' proposal_id, 'approve' kind, unnest(ARRAY['a', 'b']) AS by;"
        with psycopg.connect(ledger_url) as session, pytest.raises(psycopg.Error, match="has not the approvals"):
            session.execute(shadow + approve)
        decided(ledger, by="Fred")
        with psycopg.connect(ledger_url) as session, pytest.raises(psycopg.Error, match="has not the approvals"):
            session.execute(approve)
        assert decided(ledger, by="Fay")[1] == "approved"


def test_a_live_mission_runs_in_the_three_roles(company: Company) -> None:
    def acts_as(ledger: Any) -> str:
        with ledger.transaction() as tx:
            return str(tx.exec_driver_sql("SELECT current_user").scalar_one())

    context = company.runtime.context
    assert [acts_as(one) for one in (context.ledger, context.executor, company.ledger)] == [REASONER, EXECUTOR, DASHBOARD]
    run = company.propose("dev-ord-0004")
    with pytest.raises(Refused, match="permission denied for table decisions"):
        context.ledger.decide(
            company.proposal(run).proposal_id, kind="approve", by="rita", reason="I am the model",
            digest=company.proposal(run).digest, at=LATER,
        )  # fmt: skip
    decisions: list[Decision] = company.ledger.decisions(run.run_id)
    assert decisions == []
    assert company.approve(run).outcome == "executed"


def test_roles_are_made_by_several_at_once_and_again_on_a_newer_database(server_url: str) -> None:
    with _database(server_url) as one, _database(server_url) as other:
        for url in (one, other):
            migrate(url)
            assert has_roles(url) is False
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(grant_roles, [one, other, one, other]))
        assert has_roles(one) and has_roles(other)
        with psycopg.connect(one) as session:
            session.execute("CREATE TABLE procrastinate_jobs (id bigserial)")
        assert not _may(one, DASHBOARD, "INSERT INTO procrastinate_jobs DEFAULT VALUES")
        grant_roles(one)
        assert [role for role in ROLES if not _may(one, role, "INSERT INTO procrastinate_jobs DEFAULT VALUES")] == [SHADOW]


def test_an_account_of_its_own_works_in_its_role_and_cannot_make_roles(granted: str) -> None:
    with psycopg.connect(granted, autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS missions_test_worker")
        session.execute("CREATE ROLE missions_test_worker LOGIN IN ROLE missions_executor")
    worker = granted.replace("//postgres:", "//missions_test_worker:")
    try:
        assert migrate(worker) is False
        set_up_checkpoints(worker)
        assert _may(worker, EXECUTOR, "SELECT FROM ledger.runs")
        with pytest.raises(psycopg.OperationalError, match="permission denied to set role"):
            _may(worker, DASHBOARD, "SELECT FROM ledger.runs")
        with pytest.raises(BadInput, match="may not make the roles"):
            grant_roles(worker)
    finally:
        with psycopg.connect(granted, autocommit=True) as session:
            session.execute("DROP ROLE missions_test_worker")


def test_the_command_gives_each_role_a_login_of_its_own(granted: str, tmp_path: Path) -> None:
    file = tmp_path / "logins.json"
    assert "MISSIONS_DATABASE_LOGINS" in missions("database", "roles", "--logins", file, DATABASE_URL=granted).stdout
    assert file.stat().st_mode & 0o777 == 0o600
    logins = database_logins(Settings(DATABASE_URL=granted, database_logins=file))
    passwords = {parse(address).password for address in logins.values()}
    assert len(passwords) == len(ROLES) and None not in passwords
    with open_ledgers(granted, 30, logins) as ledgers:
        for role, ledger in zip(ROLES, (ledgers.reasoner, ledgers.executor, ledgers.front), strict=False):
            with ledger.transaction() as tx:
                assert tx.exec_driver_sql("SELECT session_user").scalar() == role
    refused(missions("database", "roles", "--logins", file, DATABASE_URL=granted), "nothing replaces it")
    assert database_logins(Settings(DATABASE_URL=granted, database_logins=file)) == logins


@pytest.mark.parametrize(("holds", "told"), [
    (None, "holds no logins"), ("", "holds no logins"), ("[]", "holds no logins"), ("{}", "another database"),
    ('{"mallory": "postgresql://h/d"}', "holds no logins"),
    (json.dumps(dict.fromkeys(ROLES, "postgresql://r@elsewhere/d")), "another database"),
])  # fmt: skip
def test_a_file_of_logins_that_is_none_is_told_of(holds: str | None, told: str, granted: str, tmp_path: Path) -> None:
    file = tmp_path / "logins.json"
    if holds is not None:
        file.write_text(holds)
    refused(missions("queue", DATABASE_URL=granted, MISSIONS_DATABASE_LOGINS=file), told)


def test_the_command_makes_them(database_url: str) -> None:
    done = missions("database", "roles", DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "missions_executor" in done.stdout and has_roles(database_url)
    refused(missions("database", "roles", DATABASE_URL="mysql://x"), "not a PostgreSQL address")
