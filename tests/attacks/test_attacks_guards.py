"""Whoever owns the database takes its guards away, or opens a door in them: `missions audit verify` says so."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from ledger.audit_export import examine, keep_powers
from ledger.canonical import utc_now
from ledger.connections import parse
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import as_role, grant_roles
from ledger.sql import guards
from ledger.sql.guards import differences
from ledger.tables import SCHEMA
from tests.conftest import _database
from tests.ledger_examples import staffed
from tests.schema import written

pytestmark = pytest.mark.promise("A change behind the ledger's back is found")

CHANGES = {
    "a function that writes the log without a chain": (
        "CREATE OR REPLACE FUNCTION ledger.append(at timestamptz, kind text, run_id text, body jsonb) RETURNS bigint "
        "LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1::bigint'",
        "function append",
    ),
    "a function that seals nothing": (
        "CREATE OR REPLACE FUNCTION ledger.seals(kind text, run text, body jsonb) RETURNS jsonb LANGUAGE sql STABLE "
        "SET search_path = pg_catalog, pg_temp AS 'SELECT NULL::jsonb'",
        "function seals",
    ),
    "a guard that lets everything through": (
        "CREATE OR REPLACE FUNCTION ledger.may_authorize() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
        "function may_authorize",
    ),
    "a guard that looks elsewhere": ("ALTER FUNCTION ledger.may_intend() RESET search_path", "function may_intend"),
    "a guard that acts as its owner": ("ALTER FUNCTION ledger.log_follows() SECURITY DEFINER", "function log_follows"),
    "a function more": (
        "CREATE FUNCTION ledger.help() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM ledger.audit'",
        "function help",
    ),
    "a function under the same name": (
        "CREATE FUNCTION ledger.append(at text, kind text, run_id text, body jsonb) RETURNS bigint "
        "LANGUAGE sql AS 'SELECT 1::bigint'",
        "function append(at text",
    ),
    "a trigger dropped": ("DROP TRIGGER log_stays ON ledger.audit", "trigger log_stays of audit"),
    "a trigger switched off": (
        "ALTER TABLE ledger.effects DISABLE TRIGGER needs_authorization",
        "needs_authorization of effects",
    ),
    "every trigger switched off": ("ALTER TABLE ledger.decisions DISABLE TRIGGER ALL", "number_is_next of decisions"),
    "a trigger that fires never here": ("ALTER TABLE ledger.audit ENABLE REPLICA TRIGGER log_follows", "log_follows of audit"),
    "a foreign key switched off": ("ALTER TABLE ledger.effects DISABLE TRIGGER ALL", "fk_effects_run_id of effects"),
    "a trigger under a condition": (
        "DROP TRIGGER log_stays ON ledger.audit; CREATE TRIGGER log_stays BEFORE UPDATE ON ledger.audit "
        "FOR EACH ROW WHEN (OLD.seq < 0) EXECUTE FUNCTION ledger.log_stays()",
        "trigger log_stays of audit",
    ),
    "a trigger that changes rows on their way": (
        "CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.role := ''none''; RETURN NEW; END'; "
        "CREATE TRIGGER a BEFORE INSERT ON ledger.proposals FOR EACH ROW EXECUTE FUNCTION public.mine()",
        "trigger a of proposals",
    ),
    "a rule that does nothing instead": (
        "CREATE RULE quiet AS ON INSERT TO ledger.incidents DO INSTEAD NOTHING",
        "rule quiet of incidents",
    ),
    "a constraint dropped": ("ALTER TABLE ledger.policy_drafts DROP CONSTRAINT ck_policy_drafts_four_eyes", "four_eyes"),
    "a constraint that is not checked": (
        "ALTER TABLE ledger.runs DROP CONSTRAINT ck_runs_status; "
        "ALTER TABLE ledger.runs ADD CONSTRAINT ck_runs_status CHECK (status <> '') NOT VALID",
        "ck_runs_status of runs",
    ),
    "four eyes without their index": ("DROP INDEX ledger.uq_decisions_approval", "uq_decisions_approval"),
    "a key dropped": ("ALTER TABLE ledger.sends DROP CONSTRAINT pk_sends", "pk_sends"),
    "a column more": ("ALTER TABLE ledger.people ADD COLUMN boss boolean DEFAULT true", "column people.boss"),
    "a column that may be empty": ("ALTER TABLE ledger.audit ALTER COLUMN digest DROP NOT NULL", "column audit.digest"),
    "another default": ("ALTER TABLE ledger.proposals ALTER COLUMN own SET DEFAULT true", "column proposals.own"),
    "a table that a crash empties": ("ALTER TABLE ledger.claims SET UNLOGGED", "relation claims"),
    "a table more": ("CREATE TABLE ledger.mine (x integer)", "relation mine"),
    "a view in place of a table": (
        "ALTER TABLE ledger.arrivals RENAME TO real_arrivals; CREATE VIEW ledger.arrivals AS SELECT * FROM ledger.real_arrivals",
        "relation arrivals",
    ),
    "rows of another table": ("CREATE TABLE public.more () INHERITS (ledger.turns)", "inheritance of more"),
    "rows that are hidden": ("ALTER TABLE ledger.effects ENABLE ROW LEVEL SECURITY", "relation effects"),
    "a policy": ("CREATE POLICY none ON ledger.runs USING (false)", "policy none of runs"),
    "a table of a part's own": ("ALTER TABLE ledger.audit OWNER TO missions_executor", "belongs to missions_executor"),
    "a function of a part's own": (
        "ALTER FUNCTION ledger.seal(text, text, bigint) OWNER TO missions_reasoner",
        "belongs to missions_reasoner",
    ),
    "a part that writes the log": ("GRANT INSERT ON ledger.audit TO missions_shadow", "missions_shadow may INSERT"),
    "a part that deletes the log": ("GRANT DELETE ON ledger.audit TO missions_executor", "missions_executor may DELETE"),
    "a part that writes one column": (
        "GRANT UPDATE (body) ON ledger.audit TO missions_reasoner",
        "missions_reasoner may UPDATE on the table audit (body)",
    ),
    "a part that writes a column more": ("GRANT UPDATE (role) ON ledger.proposals TO missions_executor", "proposals (role)"),
    "a part that holds the log": ("GRANT ALL ON ledger.turns TO missions_dashboard", "table turns"),
    "a part that reads passwords": ("GRANT SELECT ON ledger.accounts TO missions_reasoner", "missions_reasoner may SELECT"),
    "a part that hands on": (
        "GRANT INSERT ON ledger.facts TO missions_reasoner WITH GRANT OPTION",
        "missions_reasoner may INSERT",
    ),
    "a part that makes tables": ("GRANT CREATE ON SCHEMA ledger TO missions_reasoner", "missions_reasoner may CREATE"),
    "a part that calls what is not its own": (
        "GRANT EXECUTE ON FUNCTION ledger.append(timestamptz, text, text, jsonb) TO missions_shadow",
        "missions_shadow may EXECUTE",
    ),
    "everybody": ("GRANT UPDATE ON ledger.people TO PUBLIC", "PUBLIC may UPDATE"),
    "everybody who reads": ("GRANT SELECT ON ledger.runs TO PUBLIC", "PUBLIC may SELECT"),
    "everybody who calls": (
        "GRANT EXECUTE ON FUNCTION ledger.append(timestamptz, text, text, jsonb) TO PUBLIC",
        "PUBLIC may EXECUTE",
    ),
    "a stranger": ("CREATE ROLE stranger_1; GRANT INSERT ON ledger.decisions TO stranger_1", "stranger_1 may INSERT"),
    "what will be made": (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT ALL ON TABLES TO missions_reasoner",
        "By default, missions_reasoner may INSERT",
    ),
    "a part that is another": ("GRANT missions_executor TO missions_reasoner", "missions_reasoner may act as missions_executor"),
    "a part that is a stranger": (
        "CREATE ROLE stranger_2; GRANT stranger_2 TO missions_executor",
        "missions_executor may act as stranger_2",
    ),
    "a stranger who is a part": (
        "CREATE ROLE stranger_3; GRANT missions_executor TO stranger_3",
        "stranger_3 may act in the role missions_executor",
    ),
    "a part that may all": ("ALTER ROLE missions_reasoner SUPERUSER", "missions_reasoner may do what no part"),
    "a part that makes roles": ("ALTER ROLE missions_executor CREATEROLE", "missions_executor may do what no part"),
    "a part past the policies": ("ALTER ROLE missions_shadow BYPASSRLS", "missions_shadow may do what no part"),
    "a part without triggers": (
        "ALTER ROLE missions_executor SET session_replication_role = replica",
        "Triggers are switched off for missions_executor",
    ),
    "a database without triggers": (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$",
        "Triggers are switched off for test_",
    ),
}

#: whoever is above all grants makes somebody else who does
POWERS = {
    "a superuser more": ("CREATE ROLE mallory SUPERUSER", "Mallory (superuser) is above"),
    "a role that becomes superuser": ("CREATE ROLE mallory; ALTER ROLE mallory SUPERUSER", "Mallory (superuser)"),
    "a member of who owns the ledger": (
        "CREATE ROLE mallory; CREATE ROLE lord; CREATE ROLE knight; ALTER SCHEMA ledger OWNER TO lord; "
        "GRANT lord TO knight; GRANT knight TO mallory",
        "Mallory (acts as lord",
    ),
    "another owner of the database": (
        "CREATE ROLE mallory; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO mallory', current_database()); END $$",
        "Mallory (acts as mallory",
    ),
    "who writes all data": ("CREATE ROLE mallory; GRANT pg_write_all_data TO mallory", "Mallory (acts as pg_write_all_data"),
    "who writes files": ("CREATE ROLE mallory; GRANT pg_write_server_files TO mallory", "Mallory (acts as pg_write_server_files"),
    "an event trigger": (
        "CREATE FUNCTION public.mine() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER mallory ON ddl_command_end EXECUTE FUNCTION public.mine()",
        "The event trigger mallory (mine())",
    ),
    "a part that looks elsewhere": (
        "ALTER ROLE missions_executor SET search_path = mallory, pg_catalog",
        "search_path=mallory, pg_catalog (missions_executor)",
    ),
    "a library before all": ("ALTER ROLE ALL SET session_preload_libraries = 'mallory'", "session_preload_libraries=mallory"),
}


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with _database(server_url) as made:
        migrate(made)
        grant_roles(made)
        with PostgresLedger.open(made) as ledger:
            staffed(ledger)
        yield made


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_guard_is_taken_away_or_a_door_opened(change: str, said: str, url: str) -> None:
    engine = create_engine(parse(url))
    with engine.connect() as tx:
        tx.execute(text(change.replace(":", r"\:")))
        found = list(differences(tx))
        tx.rollback()
    engine.dispose()
    assert any(said in one for one in found), found


@pytest.mark.parametrize(("change", "said"), POWERS.values(), ids=POWERS)
def test_somebody_comes_to_stand_above_all_grants(change: str, said: str, url: str) -> None:
    keep_powers(url)
    engine = create_engine(parse(url))
    with engine.connect() as tx:
        assert list(guards.new_powers(tx)) == []
        tx.execute(text(change.replace(":", r"\:")))
        found = list(guards.new_powers(tx))
        guards.keep_powers(tx, utc_now(), again=False)
        assert list(guards.new_powers(tx)) == found, "the next start does not make it right"
        guards.keep_powers(tx, utc_now(), again=True)
        assert list(guards.new_powers(tx)) == []
        tx.rollback()
    engine.dispose()
    assert any(said in one for one in found), found


def test_nothing_is_said_where_nobody_changed_anything_whoever_verifies(url: str, database_url: str) -> None:
    migrate(database_url)
    for address in (url, as_role(url, "missions_dashboard"), database_url):
        with PostgresLedger.open(address) as ledger:
            assert examine(ledger).problems == []


def test_what_the_migrations_make_is_what_is_compared(database_url: str) -> None:
    migrate(database_url)
    assert SCHEMA.read_text(encoding="utf-8") == written(database_url), "call `make schema`"
