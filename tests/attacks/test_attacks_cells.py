"""Whoever owns the tables changes one cell of them, adds a row or deletes one: `missions audit verify` says so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pyotp
import pytest
from sqlalchemy import BigInteger, Boolean, Column, Date, Float, ForeignKeyConstraint, Integer, Table, create_engine, text

from graphs.ledgers import open_ledgers
from ledger.admissions import AdmissionRequest
from ledger.connections import parse
from ledger.lessons import Settlement
from ledger.migrate import migrate
from ledger.policies import NewDraft
from ledger.postgres import PostgresLedger
from ledger.records import Approval
from ledger.roles import grant_roles
from ledger.services import AdminService, Inbox
from ledger.sql.reconciling import differences
from ledger.tables import METADATA
from tests.conftest import _database
from tests.ledger_examples import LATER, a_call, a_fact, a_limit, a_proposal, an_effect, answered, decided, said, staffed, started

pytestmark = pytest.mark.promise("A change behind the ledger's back is found")

#: what the log does not tell of, and why
UNTOLD = {
    "leases": "who works on a run changes by the second, and says nothing about it",
    "sends": "until when an answer may still come, for seconds",
    "claims": "who has a proposal open, for minutes",
    "attempts": "counted at each wrong password and forgotten after a day; a wait is told of",
    "arrivals": "counted at each event, for an hour",
    "outgoing": "how far destinations were told the log, which changes with each event",
    "feeds.polled_at": "when it was last asked", "feeds.error": "what went wrong last",
    "dead_letters.reason": "what was wrong when the same came last",
    "audit": "the chain itself: attacked by tests of its own",
}  # fmt: skip
#: of which the cells do not matter as long as each row is there
LISTED = {"turns"}
CELLS = [
    (table, column)
    for table in METADATA.sorted_tables
    for column in table.columns
    if not {table.name, f"{table.name}.{column.name}"} & UNTOLD.keys()
]
#: what grows while a run is under way, and is sealed at its proposals and its end
GROWING = {"observations", "facts", "model_calls", "drafts"}
TABLES = sorted({table.name for table, _ in CELLS})


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with _database(server_url) as made:
        migrate(made)
        grant_roles(made)
        with open_ledgers(made, 30) as ledgers:
            reasoner, front = ledgers.reasoner, ledgers.front
            staffed(front)
            front.add_person("Casey", "customer", "C-1")
            for run_id, proposal_id in (("run-1", "p-1"), ("run-2", "p-2")):
                started(front, run_id)
                reasoner.record_facts(run_id, [a_fact(), a_fact("payment", status="failed", value=None, error="away")])
                reasoner.observe(run_id, [said("read"), said("found")])
                reasoner.draft(run_id, {"verdict": "fulfil", "plan": []})
                call = a_call(f"call of {run_id}", run_id=run_id)
                reasoner.begin_model_call(call, run_tokens=10**9, day_tokens=10**9, day_cents=0)
                reasoner.end_model_call(call.call_id, answered())
                approval = Approval(role="reviewer", four_eyes=False, clauses=("GOV-3",), limits=(a_limit(),))
                reasoner.propose(replace(a_proposal(proposal_id, run_id=run_id), approval=approval))
            decided(front, "reject", proposal_id="p-2", by="Rita")
            decided(front)
            executor = ledgers.executor
            executor.intend([an_effect(expects=[{"record": "O-1"}])])
            executor.mark_effect("k-0", "executing", at=LATER)
            executor.mark_effect("k-0", "unknown", error="no answer", at=LATER)
            executor.incident("run-1", "stuck", LATER)
            executor.finish("run-2", "fulfil", "rejected", LATER)
            lesson = front.decisions("run-2")[0].decision_id
            front.settle_lesson(Settlement(decision_id=lesson, status="dropped", by="Nick", at=LATER, reason="known"))
            # two that stay as they are for long: one waits, of one a step is in doubt
            for run_id in ("run-5", "run-6"):
                started(front, run_id)
                reasoner.record_facts(run_id, [a_fact()])
                reasoner.observe(run_id, [said("read")])
                reasoner.propose(a_proposal(f"p of {run_id}", run_id=run_id))
                if run_id == "run-6":
                    reasoner.incident(run_id, "stuck", LATER)
                reasoner.observe(run_id, [said("check")])
            desk = AdminService(front)
            password = desk.give_one_time("Rita")
            takes, mine = {"reviewer"}, "correct horse battery"
            shown = desk.sign_in("Rita", password, timedelta(hours=1), mine, second_factor=takes)
            code = pyotp.TOTP(shown.secret).now()
            assert desk.sign_in("Rita", mine, timedelta(hours=1), code=code, second_factor=takes).token
            front.add_person("Ada", "administrator")
            desk.ask(AdmissionRequest(kind="role", name="Flora", role="finance"), "Ada")
            draft = NewDraft(
                policy_id="REF", base_version=1, base_digest="d", version=2, in_force_from=LATER.date().replace(year=2999),
                text="# Refunds", reason="more of them",
            )  # fmt: skip
            desk.draft_policy(draft, "Sara")
            desk.keep_policies([["REF.md", "# Refunds"]])
            inbox = Inbox(front)
            inbox.add_source("oms")
            inbox.advance("oms.events", "", "17")
            inbox.keep_letter("oms", "no event", "It is no JSON.")
        yield made


def _said(url: str, *statements: str) -> list[str]:
    """What verification says after these, which are then taken back."""
    engine = create_engine(parse(url))
    with engine.connect() as tx:
        begun = tx.begin()
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            tx.exec_driver_sql(statement)
        found = list(differences(tx))
        begun.rollback()
    engine.dispose()
    return found


def _freed(table: Table, column: Column[object]) -> Iterator[str]:
    """What an owner does first, so that a cell takes any value."""
    if column.name == "number":
        yield f"ALTER TABLE {table.fullname} ALTER COLUMN number DROP IDENTITY"
    for constraint in table.constraints:
        if not isinstance(constraint, ForeignKeyConstraint):  # which are not looked at here
            yield f"ALTER TABLE {table.fullname} DROP CONSTRAINT IF EXISTS {constraint.name} CASCADE"


def _other(column: Column[object]) -> str:
    """Another value of the same type."""
    name = f'"{column.name}"'
    kind = column.type
    if isinstance(kind, Boolean):
        return f"NOT {name}"
    if isinstance(kind, Integer | BigInteger | Float):
        return f"coalesce({name}, 0) + 1000"
    if isinstance(kind, Date):
        return f"{name} + 1"
    return {
        "CleanText": f"coalesce({name}, '') || 'x'",
        "Moment": f"coalesce({name}, now()) + interval '1 second'",
        "PlainJson": "'[{\"x\": 1}]'",
    }[type(kind).__name__]


def test_nothing_is_said_of_a_ledger_that_nobody_changed(url: str) -> None:
    assert _said(url) == []


@pytest.mark.parametrize(("table", "column"), CELLS, ids=lambda it: it.name)
def test_one_cell_is_changed(table: Table, column: Column[object], url: str) -> None:
    one = f"ctid = (SELECT min(ctid) FROM {table.fullname})"
    change = f'UPDATE {table.fullname} SET "{column.name}" = {_other(column)} WHERE {one}'
    assert _said(url, *_freed(table, column), change)


@pytest.mark.parametrize("run_id", ["run-5", "run-6"])
@pytest.mark.parametrize("column", METADATA.tables["ledger.observations"].columns, ids=lambda it: it.name)
def test_one_cell_is_changed_of_what_was_said_last_where_nothing_goes_on(column: Column[object], run_id: str, url: str) -> None:
    table = METADATA.tables["ledger.observations"]
    one = f"(run_id, seq) = (SELECT '{run_id}', max(seq) FROM ledger.observations WHERE run_id = '{run_id}')"
    assert _said(url, *_freed(table, column), f'UPDATE {table.fullname} SET "{column.name}" = {_other(column)} WHERE {one}')


@pytest.mark.parametrize("run_id", ["run-5", "run-6"])
def test_something_is_said_in_a_run_where_nothing_goes_on(run_id: str, url: str) -> None:
    more = (
        f"SELECT '{run_id}', seq + 1, at, step, kind, text, evidence FROM ledger.observations WHERE run_id = '{run_id}' LIMIT 1"
    )
    last = f"(SELECT max(seq) FROM ledger.observations WHERE run_id = '{run_id}')"
    added = more.replace("seq + 1", f"{last} + 1")
    assert _said(url, f"INSERT INTO ledger.observations (run_id, seq, at, step, kind, text, evidence) {added}")


def test_a_fact_is_added_to_a_run_that_waits(url: str) -> None:
    names = ", ".join(f'"{column.name}"' for column in METADATA.tables["ledger.facts"].columns if column.name != "look")
    copied = f"INSERT INTO ledger.facts (look, {names}) SELECT look + 1, {names} FROM ledger.facts WHERE run_id = 'run-5'"
    assert _said(url, copied)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_is_deleted(table: str, url: str) -> None:
    assert _said(url, f"DELETE FROM ledger.{table} WHERE ctid = (SELECT min(ctid) FROM ledger.{table})")


@pytest.mark.parametrize("table", TABLES)
def test_a_row_is_added(table: str, url: str) -> None:
    assert _said(url, *_copied(METADATA.tables[f"ledger.{table}"]))


def _copied(table: Table) -> Iterator[str]:
    """A row like the first one, under another key; whatever must be told apart."""
    unlike = {column.name for column in table.columns if column.primary_key or column.unique or column.name == "number"}
    unlike -= {"position", "look"} if table.name == "facts" else set()
    for index in table.indexes:
        if index.unique:
            yield f"DROP INDEX ledger.{index.name}"
    for name in unlike:
        yield from _freed(table, table.columns[name])
    values = (
        "99" if (table.name, column.name) == ("facts", "position")
        else _other(column) if column.name in unlike and column.name != "run_id" else f'"{column.name}"'
        for column in table.columns
    )  # fmt: skip
    where = "WHERE run_id = 'run-2'" if table.name in GROWING else ""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    yield f"INSERT INTO {table.fullname} ({names}) SELECT {', '.join(values)} FROM {table.fullname} {where} LIMIT 1"


SWAPS = {
    "the runs of two proposals": "UPDATE ledger.proposals SET run_id = CASE run_id WHEN 'run-1' THEN 'run-2' ELSE 'run-1' END",
    "the events of two runs": (
        "UPDATE ledger.runs SET source_id = CASE run_id WHEN 'run-1' THEN 'event of run-2' ELSE 'event of run-1' END"
    ),
    "two runs' observations": (
        "UPDATE ledger.observations SET run_id = CASE run_id WHEN 'run-1' THEN 'run-2' ELSE 'run-1' END"
    ),
    "two observations' places": "UPDATE ledger.observations SET seq = 3 - seq WHERE run_id = 'run-1'",
    "two facts' places": "UPDATE ledger.facts SET position = 1 - position WHERE run_id = 'run-1'",
    "the records of two proposals": (
        "UPDATE ledger.touches SET proposal_id = CASE proposal_id WHEN 'p-1' THEN 'p-2' ELSE 'p-1' END"
    ),
    "two people's roles": (
        "UPDATE ledger.people SET role = CASE name WHEN 'Rita' THEN 'finance' ELSE 'reviewer' END "
        "WHERE name IN ('Rita', 'Fred')"
    ),
    "two people's keys": (
        "UPDATE ledger.people SET key = CASE name WHEN 'Rita' THEN 'fred' ELSE 'rita' END WHERE name IN ('Rita', 'Fred')"
    ),
    "whose the account is": "UPDATE ledger.accounts SET key = 'fred'",
    "whose the session is": "UPDATE ledger.sessions SET key = 'fred'",
    "a whole run under another id": "; ".join(
        f"UPDATE ledger.{name} SET run_id = 'run-3' WHERE run_id = 'run-1'"
        for name in ("runs", "observations", "facts", "proposals", "decisions", "effects", "incidents", "authorizations")
    ),
    "a second person of the same name": (
        "INSERT INTO ledger.people VALUES ('rita ', 'Rita', 'finance', NULL, 'another look')"
    ),
    "a run and all that is of it gone": "; ".join(
        f"DELETE FROM ledger.{name} WHERE run_id = 'run-2'"
        for name in ("observations", "facts", "proposals", "decisions", "model_calls", "runs")
    ),
    "JSON's null for none": "UPDATE ledger.facts SET value = 'null' WHERE value IS NULL",
    "a JSON field of null more": "UPDATE ledger.facts SET args = args || '{\"x\": null}' WHERE run_id = 'run-1'",
    "a code that was used again": "UPDATE ledger.accounts SET factor_step = NULL",
}  # fmt: skip


#: what an owner does first, so that rows are not told apart
_NO_KEYS = [
    "DROP INDEX ledger.uq_proposals_pending",
    *(f"ALTER TABLE ledger.{name} DROP CONSTRAINT pk_{name} CASCADE" for name in ("people", "observations", "facts")),
    "ALTER TABLE ledger.runs DROP CONSTRAINT uq_runs_source_id",
]


@pytest.mark.parametrize("change", SWAPS.values(), ids=SWAPS)
def test_several_cells_are_changed_so_that_they_fit(change: str, url: str) -> None:
    assert _said(url, *_NO_KEYS, change)


def test_the_examples_fill_every_table(url: str) -> None:
    with psycopg.connect(url) as session:
        for table in TABLES:
            assert session.execute(f"SELECT FROM ledger.{table}".encode()).fetchone() is not None, table
    with PostgresLedger.open(url) as ledger:
        assert ledger.verify_audit() == []
