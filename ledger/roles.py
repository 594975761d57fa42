"""The database roles: what the processes of reasoner, executor and dashboard may write, by grants of PostgreSQL.

The reasoner decides nothing and effects nothing, the executor proposes nothing, the dashboard effects nothing; a shadow
writes nothing at all. Nobody changes or deletes a row of the audit log. All read what they need; password hashes and
sessions only the dashboard.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

import psycopg
from psycopg import sql

from errors import BadInput
from ledger.connections import connected, parse, plain
from ledger.migrate import alone
from ledger.sql.rows import statements

Role = Literal["missions_reasoner", "missions_executor", "missions_dashboard", "missions_shadow"]
Grants = Mapping[str, str]

#: what all three write: the log and the rail grow, whoever works on a run holds its lease, a run may become an incident
_ALL: Grants = {
    "observations": "INSERT",
    "leases": "INSERT (run_id, token, holder, until), UPDATE (token, holder, lost, until)",
    "incidents": "INSERT, UPDATE (closed_at)",
    "runs": "UPDATE (status, verdict, outcome, ended_at)",
    "proposals": "UPDATE (status, held_by)",
}
#: what comes in from outside, whichever process takes it in
_INCOMING: Grants = {
    "inbox": "INSERT",
    "arrivals": "INSERT, UPDATE",
    "runs": "INSERT, UPDATE (status, verdict, outcome, ended_at)",
    "feeds": "INSERT, UPDATE (cursor, polled_at, error)",
    "dead_letters": "INSERT, UPDATE (reason, settled_at, settled_by, settled_reason)",
}
#: questions to models, of whoever may ask one
_ASKING: Grants = {
    "model_calls": (
        "INSERT, UPDATE (status, ended_at, input_tokens, output_tokens, cost_cents, latency_ms, retries, error, answer)"
    )
}
#: what each may write in the schema "ledger", besides what all may
WRITES: Mapping[Role, Grants] = {
    # what comes in, and who asked for it, is not for whoever reasons over it to say
    "missions_reasoner": {
        **_ALL,
        **_ASKING,
        "facts": "INSERT",
        "proposals": "INSERT, UPDATE (status, held_by)",
        "touches": "INSERT",
        "drafts": "INSERT",
    },
    "missions_executor": {
        **_ALL,
        "authorizations": "INSERT",
        "commitments": "INSERT, UPDATE (cents, at)",
        "effects": "INSERT, UPDATE (status, receipt, error, at)",
        "sends": "INSERT, UPDATE (until)",
    },
    "missions_dashboard": {
        **_ALL,
        **_INCOMING,
        **_ASKING,
        "decisions": "INSERT",
        "commitments": "INSERT, UPDATE (cents, at)",
        # somebody looked up what became of a step in doubt; a new effect is the executor's
        "effects": "UPDATE (status, receipt, error, at)",
        # a run that is restarted
        "runs": "INSERT, UPDATE (status, verdict, outcome, ended_at, versions)",
        "people": "INSERT, UPDATE",
        "accounts": "INSERT, UPDATE",
        "sessions": "INSERT, UPDATE, DELETE",
        "attempts": "INSERT, UPDATE, DELETE",
        "devices": "INSERT, UPDATE, DELETE",
        "admissions": "INSERT, UPDATE (status, settled_by, settled_at, half)",
        "claims": "INSERT, UPDATE, DELETE",
        "policy_drafts": "INSERT, UPDATE",
        "policy_books": "INSERT",
        "event_sources": "INSERT, UPDATE",
        # how far they were told the log is not for whoever reasons or executes to say
        "outgoing": "INSERT, UPDATE, DELETE",
        # settled once, for good
        "lessons": "INSERT",
    },
    "missions_shadow": {},
}
#: those without which nobody acts in a role; a database whose roles are of an older release may lack that of shadows
_ACTING: tuple[Role, ...] = tuple(role for role, writes in WRITES.items() if writes)
#: the functions that those who act may call: the only way into the audit log, and to be alone for a moment
FUNCTIONS = (
    "append(timestamptz, text, text, jsonb)", "take_turns(integer[])", "end_stalled()", "has_ended(integer, timestamptz)",
    "session_start()", "count_totals(text, jsonb, integer[])", "to_wait_for(text, text[], integer[])",
)  # fmt: skip
#: with which everybody verifies, and every row is looked at
EVERYBODY = ("seal(text, text, bigint)", "is_plain(jsonb)", "is_moment(timestamptz)")
#: of every connection to the ledger. To verify 100,000 runs takes minutes, and none of its statements one
_PATIENCE = ("lock_timeout=10s", "statement_timeout=5min", "idle_in_transaction_session_timeout=5min")
#: what only the dashboard reads
SECRET = ("accounts", "sessions", "attempts", "devices", "admissions", "event_sources")
#: tables beside the ledger, by the start of their name: checkpoints for who drives runs, jobs for all
_DRIVING: tuple[Role, ...] = ("missions_reasoner", "missions_executor")
_BESIDE: Mapping[str, tuple[Role, ...]] = {"checkpoint": _DRIVING, "procrastinate_": _ACTING}
#: what takes something from all that a server has once: places for locks, and connections. Nobody here needs the former.
_BOUNDS = statements("roles")


def grant_roles(url: str) -> None:
    """Make the roles, and grant them what they need on this database.

    Changes nothing where all is there. Roles belong to the whole PostgreSQL, grants to this database. They have no password:
    until they are given one, they sign in only where PostgreSQL asks nobody for any, as the embedded one does behind the
    rights of its folder. BadInput where the account may not make roles or does not own the tables; TryAgain where the
    database does not answer.
    """
    with _as_owner(url) as tx:
        for role in WRITES:
            _make(tx, role)
        tables = tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tx.execute(sql.SQL(";\n").join(_statements([name for (name,) in tables])))
        for bound in _BOUNDS.values():
            # not by an account that owns no server, nor at the moment at which another database of it does the same
            with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_), tx.transaction():
                tx.execute(bound.text.encode())


@contextmanager
def _as_owner(url: str) -> Iterator[psycopg.Connection]:
    try:
        with connected(url, "The database of the roles") as tx:
            alone(tx)
            yield tx
    except psycopg.errors.InsufficientPrivilege as failed:
        raise BadInput(
            f"The database account may not make the roles: {str(failed).splitlines()[0]}. "
            "Call `missions database roles` with an account in DATABASE_URL that owns the tables and has CREATEROLE."
        ) from failed


def _make(tx: psycopg.Connection, role: Role) -> None:
    name = sql.Identifier(role)
    there = tx.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if there is None:
        # another database of the same PostgreSQL may make it at this moment
        made = "DO $$ BEGIN CREATE ROLE {} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        tx.execute(sql.SQL(made).format(name))
    elif there == (False,):  # as older releases made it
        # not by an account that may not, nor at the moment at which another does
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError_), tx.transaction():
            tx.execute(sql.SQL("ALTER ROLE {} LOGIN").format(name))
    try:
        with tx.transaction():
            tx.execute(sql.SQL("SET LOCAL ROLE {}").format(name))
            tx.execute("RESET ROLE")
    except psycopg.errors.InsufficientPrivilege:
        tx.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))


def give_passwords(url: str) -> dict[Role, str]:
    """Give each role a password of its own, where `grant_roles` was called; the addresses under which they sign in.

    Those of before are good no more. BadInput where the account may not; TryAgain where the database does not answer.
    """
    address, logins = parse(url), dict[Role, str]()
    with _as_owner(url) as tx:
        for role in WRITES:
            password = secrets.token_urlsafe(32)
            tx.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
            logins[role] = plain(address.set(username=role, password=password))
    return logins


def _statements(public: list[str]) -> Iterator[sql.Composable]:
    """Whatever was granted before, afterwards it is this."""
    yield sql.SQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC")
    for role, writes in WRITES.items():
        to = sql.Identifier(role)
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM {}").format(to)
        yield sql.SQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM {}").format(to)
        yield sql.SQL("GRANT USAGE ON SCHEMA ledger, public TO {}").format(to)
        yield sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {}").format(to)
        if role != "missions_dashboard":
            for name in SECRET:
                yield sql.SQL("REVOKE SELECT ON {} FROM {}").format(sql.Identifier("ledger", name), to)
        for name, privileges in writes.items():
            # privileges are the words of this file
            yield sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privileges), sql.Identifier("ledger", name), to)
        for start, roles in _BESIDE.items():
            for name in public if role in roles else ():
                if name.startswith(start):
                    table = sql.Identifier("public", name)
                    yield sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, to)
        for function in (*EVERYBODY, *(FUNCTIONS if role in _ACTING else ())):
            yield sql.SQL("GRANT EXECUTE ON FUNCTION ledger.{} TO {}").format(sql.SQL(function), to)
        if role in _ACTING and any(name.startswith("procrastinate_") for name in public):
            yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(to)


def has_roles(url: str) -> bool:
    """Whether `grant_roles` was called for this database."""
    function = "to_regprocedure('ledger.append(timestamptz, text, text, jsonb)')"
    may = (
        f"SELECT bool_and(has_function_privilege(role, {function}, 'EXECUTE') "
        "AND has_schema_privilege(role, 'ledger', 'USAGE')) FROM unnest(%s::text[]) role"
    )
    return _holds(url, _ACTING, may)


def as_role(url: str, role: Role) -> str:
    """The address under which one acts in this role from the first statement on, and could go back to the account."""
    return _with_option(url, f"role={role}")


def signed_in(url: str, role: Role, logins: Mapping[Role, str]) -> str:
    """The address under which one is this role and nobody else: of `logins`, or of a PostgreSQL that asks for no password.

    Where there is neither, that of `as_role`.
    """
    own = logins.get(role, "")
    if not own and not parse(url).password:
        with suppress(psycopg.OperationalError), psycopg.connect(direct := plain(parse(url).set(username=role))):
            own = direct
    own = own or as_role(url, role)
    # whatever somebody who once acted in the role made its default
    return _with_option(own, "default_transaction_read_only=off") if WRITES[role] else own


def reading(url: str, logins: Mapping[Role, str]) -> str:
    """The address under which the ledger is read and nothing is written: in the role of shadows, where the database has it."""
    may = (
        "SELECT bool_and(pg_has_role(role, 'MEMBER') AND has_table_privilege(role, 'ledger.runs', 'SELECT')) "
        "FROM unnest(%s::text[]) role"
    )
    return without_writes(signed_in(url, "missions_shadow", logins) if _holds(url, ("missions_shadow",), may) else url)


def without_writes(url: str) -> str:
    """The address under which every transaction only reads, whatever its account may do."""
    return _with_option(url, "default_transaction_read_only=on")


def patient(url: str) -> str:
    """The address under which nobody waits, works or pauses within a transaction for so long that others notice."""
    return _with_option(url, *_PATIENCE)


def _holds(url: str, roles: Sequence[Role], may: str) -> bool:
    """Whether all these roles are there and the query says that they may."""
    with connected(url) as tx:
        there = tx.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", (list(roles),)).fetchone()
        return there == (len(roles),) and tx.execute(may.encode(), (list(roles),)).fetchone() == (True,)


def _with_option(url: str, *options: str) -> str:
    address = parse(url)
    set_before = address.query.get("options", "")
    return plain(address.update_query_dict({"options": " -c ".join([str(set_before), *options]).strip()}))
