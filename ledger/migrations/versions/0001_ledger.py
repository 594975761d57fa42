"""The ledger: its tables, the one function that writes its log, the seals, and what the tables refuse."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "sql"
# Columns are named, so that one that is added later changes no digest of before: whoever adds one makes another function.
#: Of a run, what never changes once it is written: the columns of a table, and the one that says how far a digest goes,
#: for more may follow. What does change stands in the log itself.
_OF_RUNS = (
    ("inbox", "source_id name mission subject trigger as_of requested_by digest taken_in_at", "runs.number"),
    ("runs", "run_id number source_id started_at", "number"),
    ("observations", "run_id seq at step kind text evidence", "seq"),
    ("facts", "run_id look position name tool args status value read_at error", "look"),
    (
        "model_calls",
        "call_id number run_id look purpose model prompt question status at ended_at reserved_tokens input_tokens "
        "output_tokens cost_cents latency_ms retries error answer",
        "number",
    ),
    ("drafts", "draft_id number run_id body", "number"),
    (
        "proposals",
        "proposal_id number run_id revision author verdict plan rationale cites alternatives changes confidence "
        "money_at_stake_cents role four_eyes clauses own digest created_at expires_at due_at tier held_by undoes",
        "number",
    ),
    ("touches", "proposal_id record", "proposals.number"),
    ("decisions", "decision_id number proposal_id run_id kind by role reason digest at details", "number"),
    ("authorizations", "proposal_id run_id digest role four_eyes decisions at", "proposals.number"),
    ("effects", "key number run_id proposal_id step action tool args expects", "number"),
    ("incidents", "incident_id number run_id reason at", "number"),
)
#: single rows: what is digested, the columns, and by what the log calls the row
_ROWS = (
    ("people", "people", "key name role customer_id skeleton", "name"),
    ("accounts", "accounts", "key password_hash one_time_until factor_secret", "people.name"),
    # changes with each sign-in, where a password does not
    ("codes", "accounts", "key factor_step", "people.name"),
    ("sessions", "sessions", "digest key started_at expires_at", "digest"),
    ("devices", "devices", "digest key at", "digest || ' ' || devices.key"),
    (
        "admissions",
        "admissions",
        "admission_id number kind name role customer_id account asked_by asked_at lapses_at half status settled_by settled_at",
        "admission_id",
    ),
    ("event_sources", "event_sources", "name digest added_by added_at ended_at missions as_of_days hourly", "name"),
    ("dead_letters", "dead_letters", "letter_id number source body at settled_at settled_by settled_reason", "letter_id"),
    ("feeds", "feeds", "name cursor", "name"),
    (
        "policy_drafts",
        "policy_drafts",
        "draft_id number policy_id base_version base_digest version in_force_from text reason drafted_by drafted_at status "
        "settled_by settled_at settled_reason agreed",
        "draft_id",
    ),
    ("lessons", "lessons", "decision_id number status by at dataset digest reason", "decision_id"),
)
_JOINED = {
    "inbox": " JOIN ledger.runs USING (source_id)",
    "touches": " JOIN ledger.proposals USING (proposal_id)",
    "authorizations": " JOIN ledger.proposals USING (proposal_id)",
    "accounts": " JOIN ledger.people USING (key)",
}


def _row(table: str, columns: str) -> str:
    """Its text tells NULL from '' and from JSON's null."""
    return f"ROW({', '.join(f'{table}.{column}' for column in columns.split())})::text"


def _of_run(table: str, columns: str, last: str) -> str:
    last = last if "." in last else f"{table}.{last}"
    owner = {"inbox": "runs", "touches": "proposals"}.get(table, table)
    mine = f"FROM ledger.{table}{_JOINED.get(table, '')} WHERE {owner}.run_id = whose"
    row = _row(table, columns)
    return f"""
        WHEN '{table}' THEN
            upto := coalesce(upto, (SELECT max({last}) {mine}), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT {last} AS place, {row} AS said {mine} AND {last} <= upto) AS told;"""


def _single(name: str, table: str, columns: str, key: str) -> str:
    key = key if "." in key.split()[0] else f"{table}.{key}"
    return f"""
        WHEN '{name}' THEN
            SELECT {_row(table, columns)} INTO found FROM ledger.{table}{_JOINED.get(table, "")} WHERE {key} = whose;"""


_SEAL = f"""
CREATE FUNCTION ledger.seal(name text, whose text, upto bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 AS $$
DECLARE
    found text;
BEGIN
    CASE name{"".join(_of_run(*one) for one in _OF_RUNS)}{"".join(_single(*one) for one in _ROWS)}
    END CASE;
    RETURN coalesce(upto || ' ', '') || encode(sha256(convert_to(coalesce(found, ''), 'UTF8')), 'hex');
END $$;
"""


def upgrade() -> None:
    for statements in (_sql("tables"), _SEAL, _sql("log"), _sql("turns"), _sql("authority"), _sql("values")):
        op.get_bind().exec_driver_sql(statements)
    # triggers call theirs all the same
    op.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC")


def _sql(name: str) -> str:
    # a driver takes % for the place of a value
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8").replace("%", "%%")
