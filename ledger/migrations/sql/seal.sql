-- A seal: a digest of rows, as their text, which tells NULL from '' and from JSON's null. Of a run, what never changes once it
-- is written; the column that says how far a digest goes stands as "place", for more may follow. What does change stands in
-- the log itself. Below them single rows, by what the log calls the row.
-- Columns are named, so that one that is added later changes no digest of before: whoever adds one makes another function.
CREATE FUNCTION ledger.seal(name text, whose text, upto bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET extra_float_digits = 1 AS $$
DECLARE
    found text;
BEGIN
    CASE name
        WHEN 'inbox' THEN
            upto := coalesce(upto, (SELECT max(runs.number) FROM ledger.inbox JOIN ledger.runs USING (source_id) WHERE runs.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT runs.number AS place, ROW(inbox.source_id, inbox.name, inbox.mission, inbox.subject, inbox.trigger, inbox.as_of, inbox.requested_by, inbox.digest, inbox.taken_in_at)::text AS said FROM ledger.inbox JOIN ledger.runs USING (source_id) WHERE runs.run_id = whose AND runs.number <= upto) AS told;
        WHEN 'runs' THEN
            upto := coalesce(upto, (SELECT max(runs.number) FROM ledger.runs WHERE runs.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT runs.number AS place, ROW(runs.run_id, runs.number, runs.source_id, runs.started_at)::text AS said FROM ledger.runs WHERE runs.run_id = whose AND runs.number <= upto) AS told;
        WHEN 'observations' THEN
            upto := coalesce(upto, (SELECT max(observations.seq) FROM ledger.observations WHERE observations.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT observations.seq AS place, ROW(observations.run_id, observations.seq, observations.at, observations.step, observations.kind, observations.text, observations.evidence)::text AS said FROM ledger.observations WHERE observations.run_id = whose AND observations.seq <= upto) AS told;
        WHEN 'facts' THEN
            upto := coalesce(upto, (SELECT max(facts.look) FROM ledger.facts WHERE facts.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT facts.look AS place, ROW(facts.run_id, facts.look, facts.position, facts.name, facts.tool, facts.args, facts.status, facts.value, facts.read_at, facts.error)::text AS said FROM ledger.facts WHERE facts.run_id = whose AND facts.look <= upto) AS told;
        WHEN 'model_calls' THEN
            upto := coalesce(upto, (SELECT max(model_calls.number) FROM ledger.model_calls WHERE model_calls.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT model_calls.number AS place, ROW(model_calls.call_id, model_calls.number, model_calls.run_id, model_calls.look, model_calls.purpose, model_calls.model, model_calls.prompt, model_calls.question, model_calls.status, model_calls.at, model_calls.ended_at, model_calls.reserved_tokens, model_calls.input_tokens, model_calls.output_tokens, model_calls.cost_cents, model_calls.latency_ms, model_calls.retries, model_calls.error, model_calls.answer)::text AS said FROM ledger.model_calls WHERE model_calls.run_id = whose AND model_calls.number <= upto) AS told;
        WHEN 'drafts' THEN
            upto := coalesce(upto, (SELECT max(drafts.number) FROM ledger.drafts WHERE drafts.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT drafts.number AS place, ROW(drafts.draft_id, drafts.number, drafts.run_id, drafts.body)::text AS said FROM ledger.drafts WHERE drafts.run_id = whose AND drafts.number <= upto) AS told;
        WHEN 'proposals' THEN
            upto := coalesce(upto, (SELECT max(proposals.number) FROM ledger.proposals WHERE proposals.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT proposals.number AS place, ROW(proposals.proposal_id, proposals.number, proposals.run_id, proposals.revision, proposals.author, proposals.verdict, proposals.plan, proposals.rationale, proposals.cites, proposals.alternatives, proposals.changes, proposals.confidence, proposals.money_at_stake_cents, proposals.role, proposals.four_eyes, proposals.clauses, proposals.own, proposals.digest, proposals.created_at, proposals.expires_at, proposals.due_at, proposals.tier, proposals.held_by, proposals.undoes)::text AS said FROM ledger.proposals WHERE proposals.run_id = whose AND proposals.number <= upto) AS told;
        WHEN 'touches' THEN
            upto := coalesce(upto, (SELECT max(proposals.number) FROM ledger.touches JOIN ledger.proposals USING (proposal_id) WHERE proposals.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT proposals.number AS place, ROW(touches.proposal_id, touches.record)::text AS said FROM ledger.touches JOIN ledger.proposals USING (proposal_id) WHERE proposals.run_id = whose AND proposals.number <= upto) AS told;
        WHEN 'decisions' THEN
            upto := coalesce(upto, (SELECT max(decisions.number) FROM ledger.decisions WHERE decisions.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT decisions.number AS place, ROW(decisions.decision_id, decisions.number, decisions.proposal_id, decisions.run_id, decisions.kind, decisions.by, decisions.role, decisions.reason, decisions.digest, decisions.at, decisions.details)::text AS said FROM ledger.decisions WHERE decisions.run_id = whose AND decisions.number <= upto) AS told;
        WHEN 'authorizations' THEN
            upto := coalesce(upto, (SELECT max(proposals.number) FROM ledger.authorizations JOIN ledger.proposals USING (proposal_id) WHERE authorizations.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT proposals.number AS place, ROW(authorizations.proposal_id, authorizations.run_id, authorizations.digest, authorizations.role, authorizations.four_eyes, authorizations.decisions, authorizations.at)::text AS said FROM ledger.authorizations JOIN ledger.proposals USING (proposal_id) WHERE authorizations.run_id = whose AND proposals.number <= upto) AS told;
        WHEN 'effects' THEN
            upto := coalesce(upto, (SELECT max(effects.number) FROM ledger.effects WHERE effects.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT effects.number AS place, ROW(effects.key, effects.number, effects.run_id, effects.proposal_id, effects.step, effects.action, effects.tool, effects.args, effects.expects)::text AS said FROM ledger.effects WHERE effects.run_id = whose AND effects.number <= upto) AS told;
        WHEN 'incidents' THEN
            upto := coalesce(upto, (SELECT max(incidents.number) FROM ledger.incidents WHERE incidents.run_id = whose), 0);
            SELECT string_agg(said, ',' ORDER BY place, said COLLATE "C") INTO found
            FROM (SELECT incidents.number AS place, ROW(incidents.incident_id, incidents.number, incidents.run_id, incidents.reason, incidents.at)::text AS said FROM ledger.incidents WHERE incidents.run_id = whose AND incidents.number <= upto) AS told;
        WHEN 'people' THEN
            SELECT ROW(people.key, people.name, people.role, people.customer_id, people.skeleton)::text INTO found FROM ledger.people WHERE people.name = whose;
        WHEN 'accounts' THEN
            SELECT ROW(accounts.key, accounts.password_hash, accounts.one_time_until, accounts.factor_secret)::text INTO found FROM ledger.accounts JOIN ledger.people USING (key) WHERE people.name = whose;
        WHEN 'codes' THEN
            SELECT ROW(accounts.key, accounts.factor_step)::text INTO found FROM ledger.accounts JOIN ledger.people USING (key) WHERE people.name = whose;
        WHEN 'sessions' THEN
            SELECT ROW(sessions.digest, sessions.key, sessions.started_at, sessions.expires_at)::text INTO found FROM ledger.sessions WHERE sessions.digest = whose;
        WHEN 'devices' THEN
            SELECT ROW(devices.digest, devices.key, devices.at)::text INTO found FROM ledger.devices WHERE devices.digest || ' ' || devices.key = whose;
        WHEN 'admissions' THEN
            SELECT ROW(admissions.admission_id, admissions.number, admissions.kind, admissions.name, admissions.role, admissions.customer_id, admissions.account, admissions.asked_by, admissions.asked_at, admissions.lapses_at, admissions.half, admissions.status, admissions.settled_by, admissions.settled_at)::text INTO found FROM ledger.admissions WHERE admissions.admission_id = whose;
        WHEN 'event_sources' THEN
            SELECT ROW(event_sources.name, event_sources.digest, event_sources.added_by, event_sources.added_at, event_sources.ended_at, event_sources.missions, event_sources.as_of_days, event_sources.hourly)::text INTO found FROM ledger.event_sources WHERE event_sources.name = whose;
        WHEN 'dead_letters' THEN
            SELECT ROW(dead_letters.letter_id, dead_letters.number, dead_letters.source, dead_letters.body, dead_letters.at, dead_letters.settled_at, dead_letters.settled_by, dead_letters.settled_reason)::text INTO found FROM ledger.dead_letters WHERE dead_letters.letter_id = whose;
        WHEN 'feeds' THEN
            SELECT ROW(feeds.name, feeds.cursor)::text INTO found FROM ledger.feeds WHERE feeds.name = whose;
        WHEN 'policy_drafts' THEN
            SELECT ROW(policy_drafts.draft_id, policy_drafts.number, policy_drafts.policy_id, policy_drafts.base_version, policy_drafts.base_digest, policy_drafts.version, policy_drafts.in_force_from, policy_drafts.text, policy_drafts.reason, policy_drafts.drafted_by, policy_drafts.drafted_at, policy_drafts.status, policy_drafts.settled_by, policy_drafts.settled_at, policy_drafts.settled_reason, policy_drafts.agreed)::text INTO found FROM ledger.policy_drafts WHERE policy_drafts.draft_id = whose;
        WHEN 'lessons' THEN
            SELECT ROW(lessons.decision_id, lessons.number, lessons.status, lessons.by, lessons.at, lessons.dataset, lessons.digest, lessons.reason)::text INTO found FROM ledger.lessons WHERE lessons.decision_id = whose;
    END CASE;
    RETURN coalesce(upto || ' ', '') || encode(sha256(convert_to(coalesce(found, ''), 'UTF8')), 'hex');
END $$;
