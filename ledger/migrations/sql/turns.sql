-- Turns, leases and totals: who waits for whom, and for how long.

-- what waits for its turn waits at rows that no role can lock by itself:
-- 0 is the log's, 1 that of budgets for models, the others are of records of the systems and of totals
CREATE FUNCTION ledger.take_turns(wanted integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM ledger.turns WHERE turn = ANY (wanted) AND turn > 0 ORDER BY turn FOR UPDATE;
END $$;

-- the first of the runs that go on, have a plan that stands and would change one of these records, and do not wait for this run
CREATE FUNCTION ledger.to_wait_for(mine text, records text[], turns integer[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- first, so that what others committed while it waited is found
    PERFORM ledger.take_turns(turns);
    RETURN (
        SELECT min(runs.run_id COLLATE "C")
        FROM ledger.touches JOIN ledger.proposals USING (proposal_id) JOIN ledger.runs USING (run_id)
        WHERE touches.record = ANY (records) AND runs.run_id <> mine AND runs.status <> 'closed'
            AND proposals.status IN ('pending', 'approved', 'automatic')
            AND NOT EXISTS (
                SELECT FROM ledger.proposals newer
                WHERE newer.run_id = proposals.run_id AND newer.revision > proposals.revision
            )
            AND mine NOT IN (
                WITH RECURSIVE held (run_id) AS (
                    SELECT runs.run_id
                    UNION SELECT held_by FROM held JOIN ledger.proposals USING (run_id) WHERE status = 'pending' AND held_by <> ''
                )
                SELECT run_id FROM held
            )
    );
END $$;

-- of sessions that stop others: at a turn, or of a part and in the midst of writing, for long, whatever they wait for unless it
-- is another of these; or of a part, with more locks than any needs, of which a server has a number for all
CREATE FUNCTION ledger.end_stalled() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_parts integer[] := ARRAY(
        SELECT pid FROM pg_stat_activity
        WHERE usename IN ('missions_reasoner', 'missions_executor', 'missions_dashboard', 'missions_shadow')
    );
    stopping integer[] := ARRAY(
        SELECT DISTINCT pid FROM pg_locks
        WHERE granted AND mode IN ('RowShareLock', 'RowExclusiveLock') AND pid <> pg_backend_pid()
            AND (relation = 'ledger.turns'::regclass OR pid = ANY (of_parts) AND relation IN (
                SELECT oid FROM pg_class WHERE relnamespace = 'ledger'::regnamespace
            ))
    );
    hoarding integer[] := ARRAY(SELECT pid FROM pg_locks WHERE pid = ANY (of_parts) GROUP BY pid HAVING count(*) > 2000);
BEGIN
    RETURN (
        SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE pid = ANY (stopping) AND xact_start < clock_timestamp() - interval '10 seconds'
            AND NOT pg_blocking_pids(pid) && stopping
        OR pid = ANY (hoarding) AND pid <> pg_backend_pid()
    );
EXCEPTION WHEN insufficient_privilege THEN
    RETURN 0;
END $$;

-- of a lease: the session of its holder, which PostgreSQL knows to be there or not
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

-- a lease is taken by who is there, and its token only grows
CREATE FUNCTION ledger.lease_is_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_owner boolean := pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE');
BEGIN
    IF TG_OP = 'INSERT' OR NEW.token <> OLD.token THEN
        NEW.session_pid := pg_backend_pid();
        NEW.session_start := ledger.session_start();
    END IF;
    IF of_owner OR (CASE
        WHEN NEW.until > clock_timestamp() + interval '1 hour' THEN false
        WHEN TG_OP = 'INSERT' THEN NEW.token = 1
        WHEN NEW.token = OLD.token THEN OLD.session_pid = pg_backend_pid()
        ELSE NEW.token = OLD.token + 1
            AND (OLD.until <= clock_timestamp() OR ledger.has_ended(OLD.session_pid, OLD.session_start))
    END) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the lease of run % is held by another session', NEW.run_id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER lease_is_kept BEFORE INSERT OR UPDATE ON ledger.leases FOR EACH ROW EXECUTE FUNCTION ledger.lease_is_kept();

-- whoever waits for a turn counts what was committed meanwhile: each statement of a function sees what is there when it begins
CREATE FUNCTION ledger.count_totals(mine text, wanted jsonb, turns integer[]) RETURNS TABLE(place bigint, cents bigint, now timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(turns) > 0 THEN
        PERFORM ledger.take_turns(turns);
    END IF;
    RETURN QUERY SELECT asked.place, coalesce((
        SELECT sum(added.cents)::bigint FROM ledger.commitments added
        LEFT JOIN ledger.effects ON effects.run_id = added.run_id
            AND effects.proposal_id = added.proposal_id AND effects.step = added.step
        WHERE added.kind = asked.total ->> 0 AND added.per = asked.total ->> 1 AND added.key = asked.total ->> 2
            AND added.at > clock_timestamp() - make_interval(days => (asked.total ->> 3)::integer)
            -- in this order: most of a window was done, and nothing else needs to be looked up
            AND CASE
                WHEN effects.status IN ('executing', 'done', 'unknown') THEN true
                WHEN effects.status = 'failed' OR added.run_id = mine THEN false
                ELSE EXISTS (
                    SELECT FROM ledger.proposals JOIN ledger.runs USING (run_id)
                    WHERE proposal_id = added.proposal_id AND runs.status <> 'closed'
                        AND (effects.status = 'intended' OR proposals.status IN ('pending', 'approved', 'automatic'))
                        AND NOT EXISTS (
                            SELECT FROM ledger.proposals newer
                            WHERE newer.run_id = added.run_id AND newer.number > proposals.number
                        )
                )
            END
    ), 0), clock_timestamp()
    FROM jsonb_array_elements(wanted) WITH ORDINALITY asked (total, place);
END $$;

INSERT INTO ledger.turns SELECT generate_series(0, 2049);
