"""Whoever wants to stop the ledger, or to change it behind its back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import monotonic, sleep

import psycopg
import pytest
from sqlalchemy.exc import InternalError, ProgrammingError

from errors import MissionsError, Refused
from graphs.ledgers import Ledgers, open_ledgers, set_up_checkpoints
from ledger.address import parse, plain
from ledger.canonical import utc_now
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import Role, as_role, grant_roles
from ledger.sql import turns
from tests.conftest import _database
from tests.ledger_examples import a_call, a_fact, a_proposal, an_effect, decided, said, staffed, started

STOP = pytest.mark.promise("Nobody can stop the ledger")
ACTING: tuple[Role, ...] = ("missions_reasoner", "missions_executor", "missions_dashboard")
SHADOW: Role = "missions_shadow"
#: keys under which locks were once taken: the log, migration, roles, jobs, budgets for models
KEYS = (0x6175646974, 0x6D696772617465, 0x726F6C6573, 0x6A6F6273, 0x6D6F64656C73)


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    """A database with roles, in which runs are made as the tests go."""
    with _database(server_url) as made:
        migrate(made)
        set_up_checkpoints(made)
        grant_roles(made)
        with PostgresLedger.open(made) as ledger:
            staffed(ledger)
        yield made


@pytest.fixture
def ledgers(url: str) -> Iterator[Ledgers]:
    with open_ledgers(url, 30) as opened:
        yield opened


@contextmanager
def session(url: str, role: Role) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain(parse(as_role(url, role)))) as opened:
        yield opened


def _whole_run(ledgers: Ledgers, run_id: str) -> None:
    """Everything that the parts write of a run."""
    started(ledgers.front, run_id)
    ledgers.reasoner.record_facts(run_id, [a_fact()])
    ledgers.reasoner.observe(run_id, [said("read")])
    call = a_call(f"call of {run_id}", run_id=run_id)
    ledgers.reasoner.begin_model_call(call, run_tokens=10**9, day_tokens=10**9, day_cents=0)
    ledgers.reasoner.propose(a_proposal(f"p of {run_id}", run_id=run_id))
    decided(ledgers.front, proposal_id=f"p of {run_id}")
    with ledgers.executor.lease(run_id) as held:
        executor = ledgers.executor.under(held)
        executor.intend([an_effect(f"k of {run_id}", run_id=run_id, proposal_id=f"p of {run_id}")])
        executor.mark_effect(f"k of {run_id}", "executing", at=utc_now())
        executor.mark_effect(f"k of {run_id}", "done", {"receipt_id": "R"}, at=utc_now())
        executor.finish(run_id, "fulfil", "executed", utc_now())


HELD = {
    "every key of before, for the session": "SELECT pg_advisory_lock(key) FROM unnest(ARRAY[{keys}]::bigint[]) key",
    "every key of before, for the transaction": "SELECT pg_advisory_xact_lock(key) FROM unnest(ARRAY[{keys}]::bigint[]) key",
    "keys of records": "SELECT pg_advisory_lock(hashtextextended(r, 0)) FROM unnest(ARRAY['payments order of {run}', 'x']) r",
    "a long look": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger.audit",
    "tables that are read": "LOCK TABLE ledger.runs, ledger.audit, ledger.turns, ledger.leases IN ACCESS SHARE MODE",
}


@STOP
@pytest.mark.parametrize("how", HELD)
def test_a_role_that_writes_nothing_holds_whatever_locks_it_can(how: str, url: str, ledgers: Ledgers) -> None:
    run_id = f"run {how}"
    with session(url, SHADOW) as mallory:
        mallory.execute(HELD[how].format(keys=", ".join(map(str, KEYS)), run=run_id).encode())
        begun = monotonic()
        _whole_run(ledgers, run_id)
        grant_roles(url)
        assert migrate(url) is False
        assert monotonic() - begun < 8
    assert ledgers.front.run(run_id).outcome == "executed"


REACHED = [
    *(
        f"LOCK TABLE ledger.{table} IN {mode} MODE"
        for table in ("audit", "turns", "runs", "leases", "proposals", "inbox", "feeds", "decisions")
        for mode in ("ROW SHARE", "ROW EXCLUSIVE", "SHARE", "ACCESS EXCLUSIVE")
    ),
    *(
        f"SELECT FROM ledger.{table} FOR {lock}"
        for table in ("audit", "turns", "runs", "leases", "proposals")
        for lock in ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")
    ),
    "SELECT ledger.take_turns(ARRAY[1, 2, 3])",
    "SELECT ledger.append(now(), 'decided', 'run-1', '{}')",
    "SELECT ledger.end_stalled()",
    "COMMENT ON SCHEMA ledger IS 'mine'",
    "UPDATE ledger.turns SET turn = -turn",
]


@STOP
@pytest.mark.parametrize("statement", REACHED)
def test_a_role_that_writes_nothing_reaches_for_a_lock_that_others_need(statement: str, url: str) -> None:
    with session(url, SHADOW) as mallory, pytest.raises(psycopg.errors.InsufficientPrivilege):
        mallory.execute(statement.encode())


@STOP
@pytest.mark.parametrize("role", ACTING)
@pytest.mark.parametrize("table", ["audit", "turns", "runs", "leases", "proposals", "inbox", "feeds", "decisions", "facts"])
def test_a_role_that_writes_locks_a_whole_table(role: Role, table: str, url: str) -> None:
    with session(url, role) as mallory, pytest.raises(psycopg.errors.InsufficientPrivilege):
        mallory.execute(f"LOCK TABLE ledger.{table} IN ACCESS EXCLUSIVE MODE".encode())


NUMBERS = {
    "a row of the log": (
        "missions_reasoner",
        "INSERT INTO ledger.audit VALUES (9223372036854775807, now(), 'x', '', '{}', '', '')",
    ),
    "a row of the log, by the one who decides": (
        "missions_dashboard",
        "INSERT INTO ledger.audit SELECT 9223372036854775807, at, kind, run_id, body, previous, digest FROM ledger.audit LIMIT 1",
    ),
    "a line of the rail": (
        "missions_executor",
        "INSERT INTO ledger.observations VALUES ('run-n', 2147483647, now(), 'x', 'read', 'x', '{}')",
    ),
    "a line of the rail, below all": (
        "missions_executor",
        "INSERT INTO ledger.observations VALUES ('run-n', -2147483648, now(), 'x', 'read', 'x', '{}')",
    ),
    "a look": (
        "missions_reasoner",
        "INSERT INTO ledger.facts VALUES ('run-n', 2147483647, 0, 'x', 'x', '{}', 'ok', NULL, now(), NULL)",
    ),
    "a revision": (
        "missions_reasoner",
        'INSERT INTO ledger.proposals OVERRIDING USER VALUE SELECT (jsonb_populate_record(p, \'{"proposal_id": "x", '
        '"revision": 2147483647, "status": "superseded"}\')).* FROM ledger.proposals p WHERE run_id = \'run-n\'',
    ),
    "the number of a run": (
        "missions_reasoner",
        "INSERT INTO ledger.runs (run_id, number, source_id, versions, status, started_at) OVERRIDING SYSTEM VALUE "
        "VALUES ('x', 9223372036854775807, 'event of run-n', '{}', 'running', now())",
    ),
    "the number of an incident": (
        "missions_executor",
        "INSERT INTO ledger.incidents (incident_id, number, run_id, reason, at) OVERRIDING SYSTEM VALUE "
        "VALUES ('x', 9223372036854775807, 'run-n', 'x', now())",
    ),
    "the token of a lease": ("missions_executor", "UPDATE ledger.leases SET token = 9223372036854775807"),
    "the token of the next lease": ("missions_reasoner", "UPDATE ledger.leases SET token = token + 1"),
    "the end of a lease": ("missions_reasoner", "UPDATE ledger.leases SET until = 'infinity'"),
    "a lease given back by another": ("missions_reasoner", "UPDATE ledger.leases SET until = now(), holder = ''"),
    "a lease of a run that nobody holds": (
        "missions_dashboard",
        "INSERT INTO ledger.leases (run_id, token, holder, until) VALUES ('run-o', 9223372036854775807, 'x', 'infinity')",
    ),
}


@STOP
@pytest.mark.parametrize("what", NUMBERS)
def test_a_role_that_writes_takes_the_last_number_that_there_is(what: str, url: str, ledgers: Ledgers) -> None:
    with suppress(MissionsError):
        started(ledgers.front, "run-n")
        started(ledgers.front, "run-o")
        ledgers.reasoner.propose(a_proposal("p-n", run_id="run-n"))
    role, statement = NUMBERS[what]
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
    with ledgers.executor.lease("run-n"), session(url, role) as mallory, pytest.raises(refusals):  # type: ignore[arg-type]
        mallory.execute(statement.encode())
    ledgers.reasoner.observe("run-n", [said(what)])
    ledgers.reasoner.record_facts("run-n", [a_fact()])
    with ledgers.reasoner.lease("run-n"), ledgers.reasoner.lease("run-o"):
        pass
    assert ledgers.front.verify_audit() == []


KINDS = {
    "missions_reasoner": ("decided", "effect_marked", "person_added", "run_resumed", "run_restarted", "policy_put_in_force"),
    "missions_executor": ("decided", "proposed", "event_taken_in", "person_added", "policy_drafted", "lesson_dropped"),
    "missions_dashboard": ("proposed",),
}


@pytest.mark.promise("A change behind the ledger's back is found")
@pytest.mark.parametrize(("role", "kind"), [(role, kind) for role, kinds in KINDS.items() for kind in kinds])
def test_a_role_writes_into_the_log_what_another_does(role: Role, kind: str, url: str) -> None:
    with session(url, role) as mallory, pytest.raises(psycopg.errors.InsufficientPrivilege, match="are not of the role"):
        mallory.execute("SELECT ledger.append(now(), %s, 'run-1', '{}')", (kind,))


@pytest.mark.promise("A change behind the ledger's back is found")
@pytest.mark.parametrize("statement", [
    "UPDATE ledger.audit SET body = '{}'", "DELETE FROM ledger.audit", "TRUNCATE ledger.audit",
    "INSERT INTO ledger.audit SELECT seq + 7, at, kind, run_id, body, previous, digest FROM ledger.audit",
])  # fmt: skip
def test_the_owner_of_the_tables_changes_the_log_by_mistake(statement: str, url: str) -> None:
    with psycopg.connect(url) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement.encode())


@STOP
@pytest.mark.parametrize("at", [timedelta(days=2), timedelta(days=9_000)])
def test_a_row_of_the_log_says_that_it_is_of_the_future(at: timedelta, ledgers: Ledgers) -> None:
    started(ledgers.front, f"run of {at}")
    with pytest.raises(MissionsError, match="which is to come"):
        ledgers.executor.incident(f"run of {at}", "stuck", datetime.now(UTC) + at)


@STOP
@pytest.mark.parametrize("role", ACTING)
def test_a_role_that_writes_keeps_the_log_to_itself(role: Role, url: str, ledgers: Ledgers) -> None:
    run_id = f"run beside {role}"
    begun = monotonic()
    with ExitStack() as stack:
        mallory = stack.enter_context(suppress(psycopg.OperationalError)) or stack.enter_context(session(url, role))
        mallory.execute("SELECT ledger.append(now(), 'incident_opened', 'run-x', '{}')")
        mallory.execute("SELECT ledger.take_turns(%s)", (list(range(1, 1026)),))
        while ledgers_wait(ledgers, run_id):
            sleep(0.2)
        assert 5 < monotonic() - begun < 40
    assert ledgers.front.run(run_id).status == "running"


def ledgers_wait(ledgers: Ledgers, run_id: str) -> bool:
    """Whether a run cannot be taken in yet."""
    try:
        started(ledgers.front, run_id)
    except MissionsError:
        return True
    return False


@STOP
def test_whoever_holds_the_lock_of_a_lease_as_it_once_was_changes_nothing(url: str, ledgers: Ledgers) -> None:
    """Nobody can make a live lease look dead, or one that ended look alive."""
    started(ledgers.front, "run-l")
    with session(url, SHADOW) as mallory:
        mallory.execute("SELECT pg_advisory_lock(key) FROM generate_series(-3000, 3000) key")
        refused = pytest.raises(Refused, match="is being worked on")
        with ledgers.executor.lease("run-l") as first, refused, ledgers.executor.lease("run-l"):
            pass
        with ledgers.executor.lease("run-l") as second:
            assert second.token == first.token + 1


@STOP
def test_writers_wait_for_each_other_and_none_is_lost(ledgers: Ledgers) -> None:
    def write(worker: int) -> None:
        for number in range(10):
            started(ledgers.front, f"run {worker} {number} of many")

    threads = [Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in ledgers.front.audit() if one.run_id.endswith("of many")]) == 40
    assert ledgers.front.verify_audit() == []


@STOP
def test_records_have_turns_of_their_own() -> None:
    assert len({turns.of_record(f"oms.orders O-{number}") for number in range(100)}) > 80


CLIMBED = {
    "back to the account": "RESET ROLE",
    "no role": "SET ROLE NONE",
    "the account by its name": "SET ROLE {owner}",
    "the executor": "SET ROLE missions_executor",
    "the dashboard": "SET ROLE missions_dashboard",
    "the account for the session": "SET SESSION AUTHORIZATION {owner}",
    "triggers switched off": "SET session_replication_role = replica",
    "a role made": "CREATE ROLE mallory LOGIN SUPERUSER",
    "its own rights raised": "ALTER ROLE missions_reasoner SUPERUSER",
    "a member of another": "GRANT missions_executor TO missions_reasoner",
    "another's password": "ALTER ROLE missions_executor PASSWORD 'mine'",
}


@pytest.mark.promise("What was not approved is not executed")
@pytest.mark.parametrize("how", CLIMBED)
def test_a_part_that_writes_sql_of_its_own_takes_more_than_its_role(how: str, url: str, ledgers: Ledgers) -> None:
    owner = parse(url).username
    with ledgers.reasoner.transaction() as tx:
        assert tx.exec_driver_sql("SELECT session_user").scalar() == "missions_reasoner"
        with suppress(ProgrammingError, InternalError):
            tx.exec_driver_sql(CLIMBED[how].format(owner=owner))
            assert tx.exec_driver_sql("SELECT current_user, session_user").one() == ("missions_reasoner", "missions_reasoner")
            with pytest.raises(ProgrammingError):
                tx.exec_driver_sql("INSERT INTO ledger.authorizations DEFAULT VALUES")
        tx.rollback()
