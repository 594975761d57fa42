-- The audit log: one function writes it, and no row of it changes.

-- as Python's json.dumps(sort_keys=True, separators=(",", ":")) writes it, so that both make the same digests
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

-- which rows a row of the log seals: those that were written with it
CREATE FUNCTION ledger.seals(kind text, run text, body jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(name, ledger.seal(name, whose)) FROM (
        SELECT unnest(CASE
            WHEN kind = 'event_taken_in' THEN '{inbox,runs}'::text[]
            WHEN kind = 'proposed' THEN '{observations,facts,model_calls,drafts,proposals,touches}'
            WHEN kind = 'decided' THEN '{observations,decisions}'
            WHEN kind = 'effect_marked' AND body ->> 'status' = 'intended' THEN '{authorizations,effects}'
            WHEN kind = 'incident_opened' THEN '{observations,facts,model_calls,drafts,incidents}'
            WHEN kind = 'observed' THEN '{observations}'
            WHEN kind IN ('run_resumed', 'run_restarted', 'run_closed') THEN '{observations,facts,model_calls,drafts}'
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
    ) AS told WHERE whose IS NOT NULL
$$;

-- the one way by which the log is written; kinds of rows are of whoever may write the rows that they tell of
CREATE FUNCTION ledger.append(at timestamptz, kind text, run_id text, body jsonb) RETURNS bigint
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

-- a row of the log stays what it is, and the next one follows it, whoever writes
CREATE FUNCTION ledger.log_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of the audit log are neither changed nor deleted' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER log_stays BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.audit
FOR EACH STATEMENT EXECUTE FUNCTION ledger.log_stays();

CREATE FUNCTION ledger.log_follows() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq <> 1 + coalesce((SELECT max(seq) FROM ledger.audit), 0) THEN
        RAISE EXCEPTION 'row % does not follow the last one of the audit log', NEW.seq USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER log_follows BEFORE INSERT ON ledger.audit FOR EACH ROW EXECUTE FUNCTION ledger.log_follows();

-- nobody takes the last number there is, after which no other could come
CREATE FUNCTION ledger.number_is_next() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.number <> currval(pg_get_serial_sequence('ledger.' || TG_TABLE_NAME, 'number')) THEN
        RAISE EXCEPTION 'rows of % are numbered by the database', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.dead_letters FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.decisions FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.drafts FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.incidents FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.lessons FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.model_calls FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.policy_drafts FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.proposals FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();
CREATE TRIGGER number_is_next BEFORE INSERT ON ledger.runs FOR EACH ROW EXECUTE FUNCTION ledger.number_is_next();

CREATE FUNCTION ledger.place_is_next() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
CREATE TRIGGER place_is_next BEFORE INSERT ON ledger.facts FOR EACH ROW EXECUTE FUNCTION ledger.place_is_next();
CREATE TRIGGER place_is_next BEFORE INSERT ON ledger.observations FOR EACH ROW EXECUTE FUNCTION ledger.place_is_next();
CREATE TRIGGER place_is_next BEFORE INSERT ON ledger.proposals FOR EACH ROW EXECUTE FUNCTION ledger.place_is_next();
