"""One function writes the audit log; what waits for its turn waits at rows that no role can lock by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: tables whose rows are numbered in the order in which they were written
_NUMBERED = (
    "runs", "proposals", "decisions", "effects", "incidents", "dead_letters", "policy_drafts", "lessons", "model_calls",
)  # fmt: skip

#: as Python's json.dumps(sort_keys=True, separators=(",", ":")) writes it, so that digests of before hold
_CANONICAL = r"""
CREATE FUNCTION ledger.quoted(said text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    escaped text := to_json(said)::text;
BEGIN
    IF escaped ~ '^[ -~]*$' THEN
        RETURN escaped;
    END IF;
    RETURN (
        SELECT string_agg(
            CASE
                WHEN code < 127 THEN letter
                WHEN code < 65536 THEN '\u' || lpad(to_hex(code), 4, '0')
                ELSE '\u' || to_hex(55296 + ((code - 65536) >> 10)) || '\u' || to_hex(56320 + ((code - 65536) & 1023))
            END, '' ORDER BY place
        )
        FROM regexp_split_to_table(escaped, '') WITH ORDINALITY AS letters (letter, place), ascii(letter) AS code
    );
END $$;

CREATE FUNCTION ledger.canonical(said jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text;
BEGIN
    CASE jsonb_typeof(said)
        WHEN 'object' THEN
            RETURN '{' || coalesce((
                SELECT string_agg(ledger.quoted(key) || ':' || ledger.canonical(value), ',' ORDER BY key COLLATE "C")
                FROM jsonb_each(said)
            ), '') || '}';
        WHEN 'array' THEN
            RETURN '[' || coalesce((
                SELECT string_agg(ledger.canonical(value), ',' ORDER BY place)
                FROM jsonb_array_elements(said) WITH ORDINALITY AS items (value, place)
            ), '') || ']';
        WHEN 'string' THEN
            RETURN ledger.quoted(said #>> '{}');
        WHEN 'number' THEN
            IF said::text !~ '\.' THEN
                RETURN said::text;
            END IF;
            number := said::text::float8::text;
            IF number ~ 'e' AND number !~ 'e-' THEN
                RAISE EXCEPTION 'the audit log holds no fraction as great as %', said
                    USING ERRCODE = 'numeric_value_out_of_range';
            END IF;
            RETURN number || CASE WHEN number ~ '[.e]' THEN '' ELSE '.0' END;
        ELSE
            RETURN said::text;
    END CASE;
END $$;
"""

#: kinds of rows are of whoever may write the rows that they tell of
_APPEND = r"""
CREATE FUNCTION ledger.append(at timestamptz, kind text, run_id text, body jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- who called, for within this function everybody is the owner
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    seq bigint := 0;
    previous text := repeat('0', 64);
    moment text;
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
        WHEN kind IN ('run_closed', 'incident_opened', 'released') THEN true
        WHEN kind LIKE 'lesson\_%' THEN has_any_column_privilege(caller, 'ledger.lessons', 'INSERT')
        WHEN kind LIKE 'policy\_%' THEN has_any_column_privilege(caller, 'ledger.policy_drafts', 'INSERT')
        WHEN kind LIKE 'feed\_%' THEN has_any_column_privilege(caller, 'ledger.feeds', 'INSERT')
        WHEN kind = 'dead_letter_kept' THEN has_any_column_privilege(caller, 'ledger.dead_letters', 'INSERT')
        WHEN kind LIKE 'model\_%' THEN has_any_column_privilege(caller, 'ledger.model_calls', 'INSERT')
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

#: a row of the log stays what it is, and the next one follows it, whoever writes
_LOG_STAYS = """
CREATE FUNCTION ledger.log_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of the audit log are neither changed nor deleted' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.log_stays();

CREATE FUNCTION ledger.log_follows() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq <> 1 + coalesce((SELECT max(seq) FROM ledger.audit), 0) THEN
        RAISE EXCEPTION 'row % does not follow the last one of the audit log', NEW.seq USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER log_follows BEFORE INSERT ON ledger.audit FOR EACH ROW EXECUTE FUNCTION ledger.log_follows();
"""

#: 0 is the log's, 1 that of budgets for models, the others are of records of the systems
_TURNS = """
INSERT INTO ledger.turns SELECT generate_series(0, 1025);

CREATE FUNCTION ledger.take_turns(wanted integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM ledger.turns WHERE turn = ANY (wanted) AND turn > 0 ORDER BY turn FOR UPDATE;
END $$;

CREATE FUNCTION ledger.end_stalled() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (
            SELECT DISTINCT activity.pid FROM pg_stat_activity activity JOIN pg_locks held USING (pid)
            WHERE held.relation = 'ledger.turns'::regclass AND held.mode = 'RowShareLock' AND held.granted
            AND activity.pid <> pg_backend_pid() AND activity.xact_start < clock_timestamp() - interval '10 seconds'
            -- those who wait themselves are not the ones who stop the others
            AND activity.wait_event_type IS DISTINCT FROM 'Lock'
        ) AS stalled
    );
EXCEPTION WHEN insufficient_privilege THEN
    RETURN 0;
END $$;
"""

#: of a lease: the session of its holder, which PostgreSQL knows to be there or not
_LEASES = """
CREATE FUNCTION ledger.has_ended(pid integer, start timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pid IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_stat_get_activity(pid) there WHERE there.backend_start IS NOT DISTINCT FROM start
    )
$$;

CREATE FUNCTION ledger.session_start() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())
$$;

CREATE FUNCTION ledger.lease_is_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_owner boolean := pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE');
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.token <> OLD.token THEN
        NEW.session_pid := pg_backend_pid();
        NEW.session_start := ledger.session_start();
    END IF;
    IF of_owner OR (CASE
        WHEN NEW.until > clock_timestamp() + interval '1 hour' THEN false
        WHEN TG_OP = 'INSERT' THEN NEW.token = 0 AND NEW.holder = '' AND NEW.until <= clock_timestamp()
        WHEN NEW.token = OLD.token THEN OLD.session_pid = pg_backend_pid()
        ELSE NEW.token = OLD.token + 1
            AND (OLD.until <= clock_timestamp() OR ledger.has_ended(OLD.session_pid, OLD.session_start))
    END) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the lease of run % is held by another session', NEW.run_id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER lease_is_kept BEFORE INSERT OR UPDATE ON ledger.leases FOR EACH ROW EXECUTE FUNCTION ledger.lease_is_kept();
"""

#: nobody takes the last number there is, after which no other could come
_NUMBERS = """
CREATE FUNCTION ledger.number_is_next() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.number <> currval(pg_get_serial_sequence('ledger.' || TG_TABLE_NAME, 'number')) THEN
        RAISE EXCEPTION 'rows of % are numbered by the database', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION ledger.place_is_next() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fits boolean;
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'observations' THEN
            fits := NEW.seq = 1 + coalesce((SELECT max(seq) FROM ledger.observations WHERE run_id = NEW.run_id), 0);
        WHEN 'facts' THEN
            -- a look is written as one
            fits := NEW.look - coalesce((SELECT max(look) FROM ledger.facts WHERE run_id = NEW.run_id), 0)
                = CASE NEW.position WHEN 0 THEN 1 ELSE 0 END;
        WHEN 'proposals' THEN
            fits := NEW.revision BETWEEN 1
                AND 1 + coalesce((SELECT max(revision) FROM ledger.proposals WHERE run_id = NEW.run_id), 0);
    END CASE;
    IF NOT fits THEN
        RAISE EXCEPTION 'the next row of % in run % has another number', TG_TABLE_NAME, NEW.run_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "turns",
        sa.Column("turn", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("turn", name=op.f("pk_turns")),
        schema="ledger",
    )
    op.add_column("leases", sa.Column("session_pid", sa.Integer()), schema="ledger")
    op.add_column("leases", sa.Column("session_start", sa.DateTime(timezone=True)), schema="ledger")
    for statements in (_CANONICAL, _APPEND, _LOG_STAYS, _TURNS, _LEASES, _NUMBERS):
        op.execute(statements)
    for table in _NUMBERED:
        _before_insert(table, "number_is_next")
    for table in ("observations", "facts", "proposals"):
        _before_insert(table, "place_is_next")
    op.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC")


def _before_insert(table: str, name: str) -> None:
    op.execute(f"CREATE TRIGGER {name} BEFORE INSERT ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION ledger.{name}()")
