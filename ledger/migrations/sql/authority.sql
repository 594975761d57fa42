-- What the tables refuse, whoever writes: plans, effects and people without what they need.

-- a plan is approved by the decisions that stand beside it, whoever says so
CREATE FUNCTION ledger.needs_approvals() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status = 'automatic' AND (NEW.role <> 'none' OR TG_OP = 'UPDATE') THEN
        RAISE EXCEPTION 'proposal % is not one that takes no approval', NEW.proposal_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.status = 'approved' AND 1 + NEW.four_eyes::int > (
        SELECT count(DISTINCT by) FROM ledger.decisions WHERE proposal_id = NEW.proposal_id AND kind = 'approve'
    ) THEN
        RAISE EXCEPTION 'proposal % has not the approvals that it takes', NEW.proposal_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER needs_approvals BEFORE INSERT OR UPDATE OF status, role, four_eyes ON ledger.proposals
FOR EACH ROW WHEN (NEW.status IN ('approved', 'automatic')) EXECUTE FUNCTION ledger.needs_approvals();

-- no effect without what it needs: an authorization of the executor, over decisions that are there, for that very step.
-- The tables are named in full: one that somebody makes for his session alone stands before all others.
CREATE FUNCTION ledger.may_authorize() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked ledger.proposals;
    event ledger.inbox;
    ranks text[] := ARRAY['none', 'reviewer', 'supervisor', 'finance'];
    wrong text;
BEGIN
    SELECT * INTO asked FROM ledger.proposals WHERE proposal_id = NEW.proposal_id;
    SELECT inbox.* INTO event FROM ledger.inbox JOIN ledger.runs USING (source_id) WHERE run_id = asked.run_id;
    IF NEW.run_id <> asked.run_id OR NEW.digest <> asked.digest THEN
        wrong := 'is another one';
    ELSIF NOT EXISTS (SELECT FROM ledger.runs WHERE run_id = asked.run_id AND status = 'running') THEN
        wrong := 'is of a run that does not go on';
    ELSIF EXISTS (SELECT FROM ledger.proposals WHERE run_id = asked.run_id AND number > asked.number) THEN
        wrong := 'was replaced by a newer one';
    ELSIF array_position(ranks, NEW.role) < array_position(ranks, asked.role) OR NEW.four_eyes < asked.four_eyes THEN
        wrong := 'takes more than that';
    ELSIF asked.status = 'automatic' THEN
        wrong := CASE WHEN NEW.role <> 'none' OR NEW.four_eyes THEN 'says that it takes no approval, and takes one' END;
    ELSIF asked.status <> 'approved' THEN
        wrong := 'is ' || asked.status;
    ELSIF EXISTS (SELECT FROM ledger.decisions WHERE proposal_id = asked.proposal_id AND kind <> 'approve') THEN
        wrong := 'was decided otherwise';
    ELSIF 1 + NEW.four_eyes::int > (
        SELECT count(DISTINCT people.key) FROM ledger.decisions JOIN ledger.people ON people.name = decisions.by
        WHERE decisions.proposal_id = asked.proposal_id AND decisions.digest = asked.digest
            AND decisions.at <= asked.expires_at
            AND array_position(ranks, people.role) >= greatest(array_position(ranks, NEW.role), 2)
            AND array_position(ranks, decisions.role) >= greatest(array_position(ranks, NEW.role), 2)
            AND (asked.own OR people.key <> lower(btrim(normalize(asked.author, NFKC))))
            AND people.key <> lower(btrim(normalize(event.requested_by, NFKC)))
    ) THEN
        wrong := 'has not the approvals that it takes';
    END IF;
    IF wrong IS NOT NULL OR asked.proposal_id IS NULL THEN
        RAISE EXCEPTION 'proposal % %', NEW.proposal_id, coalesce(wrong, 'is not there')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER needs_decisions BEFORE INSERT ON ledger.authorizations FOR EACH ROW EXECUTE FUNCTION ledger.may_authorize();

CREATE FUNCTION ledger.may_intend() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status <> 'intended' OR NOT EXISTS (
        SELECT FROM ledger.authorizations allowed
        JOIN ledger.proposals asked USING (proposal_id, run_id, digest) JOIN ledger.runs USING (run_id)
        WHERE allowed.proposal_id = NEW.proposal_id AND run_id = NEW.run_id AND runs.status = 'running'
            AND asked.plan -> NEW.step ->> 'name' = NEW.action AND asked.plan -> NEW.step ->> 'tool' = NEW.tool
            AND asked.plan -> NEW.step -> 'args' = NEW.args AND NEW.step >= 0
            AND NOT EXISTS (
                SELECT FROM ledger.decisions WHERE decisions.proposal_id = asked.proposal_id AND kind = 'approve'
                    AND coalesce(details -> 'without', '[]') ? (asked.plan -> NEW.step ->> 'part')
            )
    ) OR EXISTS (SELECT FROM ledger.effects WHERE proposal_id = NEW.proposal_id AND step = NEW.step AND key <> NEW.key) THEN
        RAISE EXCEPTION 'effect % is no step of a plan that is authorized', NEW.key
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER needs_authorization BEFORE INSERT ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.may_intend();

-- the dashboard's leaves a step in doubt, where its run is given up, and settles one that was looked up; an owner is not held
CREATE FUNCTION ledger.may_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF has_table_privilege(current_user, 'ledger.effects', 'DELETE') THEN
        RETURN NEW;
    END IF;
    IF NOT (
        OLD.status = 'unknown' AND NEW.status IN ('done', 'failed')
        OR OLD.status = 'executing' AND NEW.status = 'unknown'
        OR has_table_privilege(current_user, 'ledger.effects', 'INSERT') AND (
            OLD.status = 'intended' AND NEW.status = 'executing'
            OR OLD.status = 'executing' AND NEW.status IN ('done', 'failed')
        )
    ) THEN
        RAISE EXCEPTION 'effect % is %, and cannot become % here', OLD.key, OLD.status, NEW.status
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves_on BEFORE UPDATE ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.may_move();

-- what has ended, or waits for somebody to settle it, is not opened by whoever neither decides nor executes
CREATE FUNCTION ledger.may_reopen() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.status IN ('closed', 'incident') AND NEW.status <> OLD.status
        AND NOT has_table_privilege(current_user, 'ledger.decisions', 'INSERT')
        AND NOT has_table_privilege(current_user, 'ledger.effects', 'INSERT')
    THEN
        RAISE EXCEPTION 'run % is %, and a person settles that', OLD.run_id, OLD.status
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays_ended BEFORE UPDATE OF status ON ledger.runs FOR EACH ROW EXECUTE FUNCTION ledger.may_reopen();

-- no effect that adds to a total without what was given for it
CREATE FUNCTION ledger.may_add() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger.proposals asked
        CROSS JOIN jsonb_array_elements(asked.limits) limited CROSS JOIN jsonb_array_elements(limited -> 'adds') added
        WHERE asked.proposal_id = NEW.proposal_id AND (added ->> 0)::integer = NEW.step
            -- what waits for nobody has no approver
            AND NOT (limited ->> 'per' = 'approver' AND asked.status = 'automatic')
            AND NOT EXISTS (
                SELECT FROM ledger.commitments kept
                WHERE kept.proposal_id = NEW.proposal_id AND kept.step = NEW.step AND kept.kind = limited ->> 'kind'
                    AND kept.per = limited ->> 'per' AND kept.cents >= (added ->> 1)::bigint
            )
    ) THEN
        RAISE EXCEPTION 'effect % adds to a total that it was not counted in', NEW.key
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adds_to_totals BEFORE INSERT ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.may_add();

-- what was given counts from the moment at which it was written on, and as much as it was
CREATE FUNCTION ledger.total_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NEW;
    END IF;
    IF NOT NEW.at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '1 minute'
        OR TG_OP = 'UPDATE' AND NEW.cents < OLD.cents
    THEN
        RAISE EXCEPTION 'what proposal % adds to a total counts from now on, and never less than before', NEW.proposal_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER total_stays BEFORE INSERT OR UPDATE ON ledger.commitments FOR EACH ROW EXECUTE FUNCTION ledger.total_stays();

-- nobody is given a say whom no second person confirmed; where nobody could confirm, the first people of a ledger are added by one
CREATE FUNCTION ledger.takes_two() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.role = OLD.role AND NEW.key = OLD.key
        OR NEW.role NOT IN ('reviewer', 'supervisor', 'finance', 'administrator') AND NOT (
            TG_OP = 'UPDATE' AND (
                OLD.role = 'administrator'
                -- of those who confirm, two others stay: or one person could take all others away, and be asked by nobody
                OR OLD.role IN ('supervisor', 'finance') AND 2 > (
                    SELECT count(*) FROM ledger.people
                    WHERE role IN ('administrator', 'supervisor', 'finance') AND key <> OLD.key
                )
            )
        )
        OR pg_has_role(caller, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        OR NOT EXISTS (SELECT FROM ledger.people WHERE role = 'administrator')
        OR NOT EXISTS (SELECT FROM ledger.people WHERE role IN ('administrator', 'supervisor', 'finance') AND key <> NEW.key)
        -- confirmed by this very transaction, so that each is used once
        OR EXISTS (
            SELECT FROM ledger.admissions asked
            WHERE asked.kind = 'role' AND asked.status = 'confirmed' AND asked.role = NEW.role
                AND asked.name = NEW.name AND asked.xmin = pg_current_xact_id()::xid
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'that % becomes % takes a second person who confirms', NEW.name, NEW.role
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER takes_two BEFORE INSERT OR UPDATE ON ledger.people FOR EACH ROW EXECUTE FUNCTION ledger.takes_two();

CREATE FUNCTION ledger.is_asked_first() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status <> 'asked' AND (TG_OP = 'INSERT' OR OLD.status <> 'asked') THEN
        RAISE EXCEPTION 'an admission is asked for, and then settled once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER is_asked_first BEFORE INSERT OR UPDATE ON ledger.admissions FOR EACH ROW EXECUTE FUNCTION ledger.is_asked_first();
