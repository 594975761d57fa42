-- What a value may be, so that whoever reads a row can: a year that calendars have, and JSON of a depth and with numbers
-- that every reader takes. One row that cannot be read would stop all who read the table.

CREATE FUNCTION ledger.is_plain(said jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT NOT pg_catalog.jsonb_path_exists(said, 'strict $.**{64 to last}')
        AND NOT pg_catalog.jsonb_path_exists(said, 'strict $.** ? (@.type() == "number" && (@ > 1e30 || @ < -1e30))')
$$;
CREATE FUNCTION ledger.is_moment(at timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.date_part('year', at AT TIME ZONE 'UTC') BETWEEN 1 AND 9999
$$;

ALTER TABLE ledger.accounts ADD CONSTRAINT ck_accounts_legible CHECK (ledger.is_moment(one_time_until));
ALTER TABLE ledger.admissions ADD CONSTRAINT ck_admissions_legible CHECK (
    ledger.is_moment(asked_at)
    AND ledger.is_moment(lapses_at)
    AND ledger.is_moment(settled_at)
);
ALTER TABLE ledger.arrivals ADD CONSTRAINT ck_arrivals_legible CHECK (ledger.is_moment(hour));
ALTER TABLE ledger.attempts ADD CONSTRAINT ck_attempts_legible CHECK (ledger.is_moment(until) AND ledger.is_moment(at));
ALTER TABLE ledger.audit ADD CONSTRAINT ck_audit_legible CHECK (ledger.is_moment(at) AND ledger.is_plain(body));
ALTER TABLE ledger.authorizations ADD CONSTRAINT ck_authorizations_legible CHECK (
    ledger.is_moment(at)
    AND ledger.is_plain(decisions)
);
ALTER TABLE ledger.claims ADD CONSTRAINT ck_claims_legible CHECK (ledger.is_moment(since) AND ledger.is_moment(until));
ALTER TABLE ledger.commitments ADD CONSTRAINT ck_commitments_legible CHECK (ledger.is_moment(at));
ALTER TABLE ledger.dead_letters ADD CONSTRAINT ck_dead_letters_legible CHECK (
    ledger.is_moment(at)
    AND ledger.is_moment(settled_at)
);
ALTER TABLE ledger.decisions ADD CONSTRAINT ck_decisions_legible CHECK (ledger.is_moment(at) AND ledger.is_plain(details));
ALTER TABLE ledger.devices ADD CONSTRAINT ck_devices_legible CHECK (ledger.is_moment(at));
ALTER TABLE ledger.drafts ADD CONSTRAINT ck_drafts_legible CHECK (ledger.is_plain(body));
ALTER TABLE ledger.effects ADD CONSTRAINT ck_effects_legible CHECK (
    ledger.is_moment(at)
    AND ledger.is_plain(args)
    AND ledger.is_plain(receipt)
    AND ledger.is_plain(expects)
);
ALTER TABLE ledger.event_sources ADD CONSTRAINT ck_event_sources_legible CHECK (
    ledger.is_moment(added_at)
    AND ledger.is_moment(ended_at)
    AND ledger.is_plain(missions)
);
ALTER TABLE ledger.facts ADD CONSTRAINT ck_facts_legible CHECK (
    ledger.is_moment(read_at)
    AND ledger.is_plain(args)
    AND ledger.is_plain(value)
);
ALTER TABLE ledger.feeds ADD CONSTRAINT ck_feeds_legible CHECK (ledger.is_moment(polled_at));
ALTER TABLE ledger.inbox ADD CONSTRAINT ck_inbox_legible CHECK (
    ledger.is_moment(as_of)
    AND ledger.is_moment(taken_in_at)
    AND ledger.is_plain(trigger)
);
ALTER TABLE ledger.incidents ADD CONSTRAINT ck_incidents_legible CHECK (ledger.is_moment(at) AND ledger.is_moment(closed_at));
ALTER TABLE ledger.leases ADD CONSTRAINT ck_leases_legible CHECK (ledger.is_moment(until) AND ledger.is_moment(session_start));
ALTER TABLE ledger.lessons ADD CONSTRAINT ck_lessons_legible CHECK (ledger.is_moment(at));
ALTER TABLE ledger.model_calls ADD CONSTRAINT ck_model_calls_legible CHECK (
    ledger.is_moment(at)
    AND ledger.is_moment(ended_at)
    AND ledger.is_plain(answer)
);
ALTER TABLE ledger.observations ADD CONSTRAINT ck_observations_legible CHECK (ledger.is_moment(at) AND ledger.is_plain(evidence));
ALTER TABLE ledger.policy_books ADD CONSTRAINT ck_policy_books_legible CHECK (
    ledger.is_moment(at)
    AND ledger.is_plain(documents)
);
ALTER TABLE ledger.policy_drafts ADD CONSTRAINT ck_policy_drafts_legible CHECK (
    ledger.is_moment(drafted_at)
    AND ledger.is_moment(settled_at)
    AND date_part('year', in_force_from) BETWEEN 1 AND 9999
    AND ledger.is_plain(agreed)
);
ALTER TABLE ledger.proposals ADD CONSTRAINT ck_proposals_legible CHECK (
    ledger.is_moment(created_at)
    AND ledger.is_moment(expires_at)
    AND ledger.is_moment(due_at)
    AND ledger.is_plain(plan)
    AND ledger.is_plain(cites)
    AND ledger.is_plain(alternatives)
    AND ledger.is_plain(changes)
    AND ledger.is_plain(clauses)
    AND ledger.is_plain(limits)
);
ALTER TABLE ledger.runs ADD CONSTRAINT ck_runs_legible CHECK (
    ledger.is_moment(started_at)
    AND ledger.is_moment(ended_at)
    AND ledger.is_plain(versions)
);
ALTER TABLE ledger.sends ADD CONSTRAINT ck_sends_legible CHECK (ledger.is_moment(until));
ALTER TABLE ledger.sessions ADD CONSTRAINT ck_sessions_legible CHECK (
    ledger.is_moment(started_at)
    AND ledger.is_moment(expires_at)
);
