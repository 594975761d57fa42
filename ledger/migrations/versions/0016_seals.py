"""Rows of the log carry digests of the rows that they tell of, every cell of them; what is there already is sealed here."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

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
#: which rows a row of the log seals: those that were written with it
_SEALS = r"""
CREATE FUNCTION ledger.seals(kind text, run text, body jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(name, ledger.seal(name, whose)) FROM (
        SELECT unnest(CASE
            WHEN kind = 'event_taken_in' THEN '{inbox,runs}'::text[]
            WHEN kind = 'proposed' THEN '{observations,facts,model_calls,proposals,touches}'
            WHEN kind = 'decided' THEN '{observations,decisions}'
            WHEN kind = 'effect_marked' AND body ->> 'status' = 'intended' THEN '{authorizations,effects}'
            WHEN kind = 'incident_opened' THEN '{observations,facts,model_calls,incidents}'
            WHEN kind = 'observed' THEN '{observations}'
            WHEN kind = 'run_resumed' THEN '{observations,facts,model_calls}'
            WHEN kind IN ('run_closed', 'run_restarted') THEN -- of a run that was begun before there were seals, all
                '{inbox,runs,observations,facts,model_calls,proposals,touches,decisions,authorizations,effects,incidents}'
        END) AS name, run AS whose
        UNION ALL SELECT 'people', body ->> 'name' WHERE kind = 'person_added'
        UNION ALL SELECT unnest('{accounts,codes}'::text[]), body ->> 'name'
            WHERE kind IN ('password_reset', 'password_changed', 'signed_in') OR kind LIKE 'second\_factor\_%'
        UNION ALL SELECT unnest('{sessions,devices}'::text[]), unnest(ARRAY[body ->> 'session', body ->> 'device'])
            WHERE kind = 'signed_in'
        UNION ALL SELECT 'admissions', body ->> 'admission_id' WHERE kind LIKE 'admission\_%'
        UNION ALL SELECT 'event_sources', body ->> 'name' WHERE kind LIKE 'event\_source\_%'
        UNION ALL SELECT 'dead_letters', body ->> 'letter_id' WHERE kind LIKE 'dead\_letter\_%'
        UNION ALL SELECT 'feeds', body ->> 'name' WHERE kind LIKE 'feed\_%'
        UNION ALL SELECT 'policy_drafts', body ->> 'draft_id' WHERE kind LIKE 'policy\_%'
        UNION ALL SELECT 'lessons', body ->> 'decision_id' WHERE kind LIKE 'lesson\_%'
        UNION ALL SELECT body ->> 'rows_of', body ->> 'row' WHERE kind = 'row_sealed'
    ) AS told WHERE whose IS NOT NULL
$$;
REVOKE ALL ON FUNCTION ledger.seal(text, text, bigint), ledger.seals(text, text, jsonb) FROM PUBLIC;
"""

#: what is there already; `until` is from when on a row may be gone
_KNOWN = """
SELECT ledger.append(now(), 'row_sealed', '', jsonb_strip_nulls(jsonb_build_object(
    'rows_of', rows_of, 'row', whose, 'until', until, 'name', owner
)))
FROM (
    SELECT 'people' AS rows_of, name AS whose, NULL::timestamptz AS until, NULL AS owner, 1 AS place FROM ledger.people
    UNION ALL SELECT 'accounts', people.name, NULL, NULL, 2 FROM ledger.accounts JOIN ledger.people USING (key)
    UNION ALL SELECT 'codes', people.name, NULL, NULL, 3 FROM ledger.accounts JOIN ledger.people USING (key)
    UNION ALL SELECT 'sessions', digest, expires_at, people.name, 4 FROM ledger.sessions JOIN ledger.people USING (key)
    UNION ALL SELECT 'devices', digest || ' ' || key, at + interval '180 days', NULL, 5 FROM ledger.devices
    UNION ALL SELECT 'admissions', admission_id, NULL, NULL, 6 FROM ledger.admissions
    UNION ALL SELECT 'event_sources', name, NULL, NULL, 7 FROM ledger.event_sources
    UNION ALL SELECT 'dead_letters', letter_id, settled_at, NULL, 8 FROM ledger.dead_letters
    UNION ALL SELECT 'feeds', name, NULL, NULL, 9 FROM ledger.feeds WHERE cursor <> ''
    UNION ALL SELECT 'policy_drafts', draft_id, NULL, NULL, 10 FROM ledger.policy_drafts
    UNION ALL SELECT 'lessons', decision_id, NULL, NULL, 11 FROM ledger.lessons
) AS found ORDER BY place, whose COLLATE "C"
"""

#: as before, and with the seals in the body
_APPEND = r"""
CREATE OR REPLACE FUNCTION ledger.append(at timestamptz, kind text, run_id text, body jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- who called, for within this function everybody is the owner
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    seq bigint := 0;
    previous text := repeat('0', 64);
    moment text;
    sealed jsonb;
BEGIN
    IF kind !~ '^[a-z_]{1,60}$' OR jsonb_typeof(body) <> 'object' THEN
        RAISE EXCEPTION 'no row of the audit log is of the kind %', kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- in brackets, for the first THEN ends a condition
    IF NOT (CASE
        WHEN kind = 'proposed' THEN has_any_column_privilege(caller, 'ledger.proposals', 'INSERT')
        WHEN kind = 'decided' THEN has_any_column_privilege(caller, 'ledger.decisions', 'INSERT')
        WHEN kind = 'effect_marked' THEN has_any_column_privilege(caller, 'ledger.effects', 'UPDATE')
        WHEN kind = 'event_taken_in' THEN has_any_column_privilege(caller, 'ledger.inbox', 'INSERT')
        WHEN kind IN ('run_resumed', 'run_restarted', 'run_abandoned') THEN
            has_column_privilege(caller, 'ledger.runs', 'versions', 'UPDATE')
        WHEN kind IN ('run_closed', 'incident_opened', 'released', 'observed') THEN true
        WHEN kind LIKE 'lesson\_%' THEN has_any_column_privilege(caller, 'ledger.lessons', 'INSERT')
        WHEN kind LIKE 'policy\_%' THEN has_any_column_privilege(caller, 'ledger.policy_drafts', 'INSERT')
        WHEN kind LIKE 'feed\_%' THEN has_any_column_privilege(caller, 'ledger.feeds', 'INSERT')
        WHEN kind = 'dead_letter_kept' THEN has_any_column_privilege(caller, 'ledger.dead_letters', 'INSERT')
        WHEN kind LIKE 'model\_%' THEN has_any_column_privilege(caller, 'ledger.model_calls', 'INSERT')
        WHEN kind = 'row_sealed' THEN has_table_privilege(caller, 'ledger.audit', 'INSERT')
        -- people, accounts, sources, and whatever else there is, are of those who manage people
        ELSE has_any_column_privilege(caller, 'ledger.people', 'INSERT')
    END) THEN
        RAISE EXCEPTION 'permission denied for the audit log: rows of the kind % are not of the role %', kind, caller
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF at > clock_timestamp() + interval '1 day' THEN
        RAISE EXCEPTION 'the audit log takes no row of %, which is to come', at USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM FROM ledger.turns WHERE turn = 0 FOR UPDATE;
    -- after its turn has come, so that it sees what others wrote before
    body := body - 'rows';
    sealed := ledger.seals(kind, run_id, body);
    IF sealed IS NOT NULL THEN
        body := body || jsonb_build_object('rows', sealed);
    END IF;
    SELECT last.seq, last.digest INTO seq, previous FROM ledger.audit AS last ORDER BY last.seq DESC LIMIT 1;
    seq := coalesce(seq, 0) + 1;
    previous := coalesce(previous, repeat('0', 64));
    moment := to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN extract(microseconds FROM at)::bigint % 1000000 = 0 THEN '' ELSE to_char(at AT TIME ZONE 'UTC', '.US') END
        || '+00:00';
    INSERT INTO ledger.audit (seq, at, kind, run_id, body, previous, digest) VALUES (
        seq, at, kind, run_id, body, previous,
        encode(sha256(convert_to(
            '[' || seq || ',"' || moment || '","' || kind || '",' || ledger.quoted(run_id) || ',' || ledger.canonical(body)
            || ',"' || previous || '"]', 'UTF8'
        )), 'hex')
    );
    RETURN seq;
END $$;
"""


def upgrade() -> None:
    for statements in (_SEAL, _SEALS, _APPEND, _KNOWN):
        op.execute(statements)
