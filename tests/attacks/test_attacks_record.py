"""Whoever wants to stop the ledger, or to change it behind its back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic, sleep

import psycopg
import pytest
from sqlalchemy.exc import InternalError, ProgrammingError

from errors import MissionsError, Refused
from graphs.checkpoints import set_up_checkpoints
from graphs.ledgers import Ledgers, open_ledgers
from ledger.audit_export import examine, keep_powers
from ledger.canonical import utc_now
from ledger.connections import parse, plain
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import Role, as_role, grant_roles, signed_in
from ledger.sql import locks
from tests.conftest import _database
from tests.ledger_examples import a_call, a_fact, a_proposal, an_effect, decided, said, staffed, started

STOP = pytest.mark.promise("Nobody can stop the ledger")
ACTING: tuple[Role, ...] = ("missions_reasoner", "missions_executor", "missions_dashboard")
SHADOW: Role = "missions_shadow"


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
    "a long look": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger.audit",
    "tables that are read": "LOCK TABLE ledger.runs, ledger.audit, ledger.turns, ledger.leases IN ACCESS SHARE MODE",
}


@STOP
@pytest.mark.parametrize("how", HELD)
def test_a_role_that_writes_nothing_holds_whatever_locks_it_can(how: str, url: str, ledgers: Ledgers) -> None:
    run_id = f"run {how}"
    with session(url, SHADOW) as mallory:
        mallory.execute(HELD[how].encode())
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


#: of what a server has once for all
SPENT = (
    "SELECT pg_advisory_lock(1)", "SELECT pg_advisory_xact_lock_shared(1, 2)", "SELECT pg_try_advisory_lock(7, n) FROM "
    "generate_series(1, 50000) n", "SELECT pg_try_advisory_xact_lock(1)", "SELECT lo_create(0)", "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')", "CREATE TEMP TABLE mine (x int)", "CREATE TABLE public.mine (x int)",
)  # fmt: skip


@STOP
@pytest.mark.parametrize("role", [*ACTING, SHADOW])
@pytest.mark.parametrize("statement", SPENT)
def test_a_role_takes_of_what_a_server_has_once(statement: str, role: Role, url: str) -> None:
    with session(url, role) as mallory, pytest.raises(psycopg.errors.InsufficientPrivilege):
        mallory.execute(statement.encode())


@STOP
@pytest.mark.parametrize("role", [*ACTING, SHADOW])
def test_a_role_gathers_locks_until_there_are_none_for_others(role: Role, url: str, ledgers: Ledgers) -> None:
    """On a PostgreSQL whose account could not take the functions away from everybody."""
    with psycopg.connect(url, autocommit=True) as owner, psycopg.connect(signed_in(url, role, {})) as mallory:
        owner.execute(f"GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO {role}")
        mallory.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 3000) n")
        with ledgers.executor.transaction() as tx:
            assert tx.exec_driver_sql("SELECT ledger.end_stalled()").scalar() == 1
        with pytest.raises(psycopg.OperationalError):
            mallory.execute("SELECT 1")
        owner.execute(f"REVOKE EXECUTE ON FUNCTION pg_advisory_lock(bigint) FROM {role}")
    started(ledgers.front, f"run after a hoard of {role}")


@STOP
def test_a_role_that_writes_nothing_takes_every_connection(url: str, ledgers: Ledgers) -> None:
    address = signed_in(url, SHADOW, {})
    with ExitStack() as stack:

        def take_all() -> None:
            for _ in range(500):
                stack.enter_context(psycopg.connect(address))

        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            take_all()
        for role in ACTING:
            psycopg.connect(signed_in(url, role, {})).close()


BESIDE = {
    "it waits for a row of an accomplice": "SELECT FROM ledger.runs WHERE run_id = 'run-a' FOR UPDATE",
    "it sleeps": "SELECT pg_sleep(60)",
}


@STOP
@pytest.mark.parametrize("how", BESIDE)
def test_whoever_holds_the_log_looks_busy(how: str, url: str, ledgers: Ledgers) -> None:
    with suppress(MissionsError):
        started(ledgers.front, "run-a")

    holds = Event()

    def hold() -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(signed_in(url, "missions_reasoner", {})) as mallory:
            mallory.execute("SELECT ledger.append(now(), 'incident_opened', 'run-x', '{}')")
            holds.set()
            mallory.execute(BESIDE[how].encode())

    with suppress(psycopg.OperationalError), psycopg.connect(signed_in(url, "missions_dashboard", {})) as accomplice:
        accomplice.execute("SELECT FROM ledger.runs FOR UPDATE")
        thread = Thread(target=hold)
        thread.start()
        assert holds.wait(10)
        begun = monotonic()
        while ledgers_wait(ledgers, f"run while {how}"):
            sleep(0.2)
        assert monotonic() - begun < 45
        thread.join()


@STOP
def test_a_role_that_writes_holds_every_row_that_is_decided_about(url: str, ledgers: Ledgers) -> None:
    started(ledgers.front, "run-h")
    ledgers.reasoner.propose(a_proposal("p-h", run_id="run-h"))
    with suppress(psycopg.OperationalError), psycopg.connect(signed_in(url, "missions_reasoner", {})) as mallory:
        mallory.execute("SELECT FROM ledger.proposals FOR UPDATE")
        mallory.execute("SELECT FROM ledger.runs FOR UPDATE")
        begun = monotonic()
        while True:
            with suppress(MissionsError):
                decided(ledgers.front, proposal_id="p-h")
                break
        assert monotonic() - begun < 35


UNREADABLE = {
    "a moment before all calendars": ("'4713-01-01 BC'", "'{}'"),
    "no moment": ("'-infinity'", "'{}'"),
    "a number of 131,072 digits": ("now()", "'{\"a\": 1e131071}'"),
    "600 lists in each other": ("now()", "('{\"a\":' || repeat('[', 600) || repeat(']', 600) || '}')::jsonb"),
    "600 objects in each other": ("now()", "(repeat('{\"a\":', 600) || '1' || repeat('}', 600))::jsonb"),
    "a number deep below": ("now()", '\'{"a": [{"b": [-1e131071]}]}\''),
}


@STOP
@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize("role", ACTING)
def test_a_row_that_nobody_can_read_is_written_to_stay(role: Role, what: str, url: str) -> None:
    at, body = UNREADABLE[what]
    rows = [f"SELECT ledger.append({at}, 'incident_opened', 'run-1', {body})"]
    rows += [
        f"INSERT INTO ledger.observations VALUES ('run-n', 1, {at}, 'x', 'read', 'x', {body})",
        f"INSERT INTO ledger.incidents (incident_id, run_id, reason, at) VALUES ('i', 'run-n', 'x', {at})",
        f"INSERT INTO ledger.facts VALUES ('run-n', 1, 0, 'x', 'x', '{{}}', 'ok', {body}, {at}, NULL)",
    ]
    for row in rows[: 4 if role == "missions_reasoner" else 2]:
        if "incidents" in row and "now()" in row:
            continue
        with session(url, role) as mallory, pytest.raises(psycopg.errors.IntegrityError, match="legible|digest"):
            mallory.execute(row.encode())


@STOP
def test_a_role_makes_a_default_for_itself_with_which_nobody_can_work_in_it(url: str) -> None:
    keep_powers(url)
    with PostgresLedger.open(url) as ledger:
        with psycopg.connect(signed_in(url, "missions_executor", {})) as mallory:
            mallory.execute("ALTER ROLE missions_executor SET default_transaction_read_only = on")
        try:
            started(ledger, "run-d")
            with open_ledgers(url, 30) as opened:
                assert opened.executor.incident("run-d", "stuck", utc_now()).run_id == "run-d"
            found = examine(ledger).problems
        finally:
            with psycopg.connect(url) as owner:
                owner.execute("ALTER ROLE missions_executor RESET ALL")
    assert any("default_transaction_read_only=on (missions_executor)" in one for one in found)


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
        mallory.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        mallory.execute("SELECT count(*) FROM ledger.leases")
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
    assert len({locks.turn_of_record(f"oms.orders O-{number}") for number in range(100)}) > 80


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
