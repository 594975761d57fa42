-- name: citations
SELECT cite ->> 'clause' AS clause, mission, author, count(*) AS proposals, max(created_at) AS last
FROM ledger.proposals JOIN ledger.runs USING (run_id) JOIN ledger.inbox USING (source_id), jsonb_array_elements(cites) AS cite
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT :limit

-- name: citing
SELECT run_id, subject, mission, proposals.verdict, author, created_at AS at, (
    SELECT CAST(cite ->> 'version' AS integer) FROM jsonb_array_elements(cites) AS cite WHERE cite ->> 'clause' = :clause LIMIT 1
) AS version
FROM ledger.proposals JOIN ledger.runs USING (run_id) JOIN ledger.inbox USING (source_id)
WHERE cites @> CAST(:cited AS jsonb) ORDER BY proposals.number DESC LIMIT :limit

-- name: accounts
SELECT name, role, customer_id, accounts.key IS NOT NULL AS known, one_time_until, factor_step,
    coalesce(live.sessions, 0) AS sessions, live.signed_in_at
FROM ledger.people LEFT JOIN ledger.accounts USING (key) LEFT JOIN (
    SELECT key, count(*) AS sessions, max(started_at) AS signed_in_at FROM ledger.sessions WHERE expires_at > :at GROUP BY key
) AS live USING (key)
WHERE strpos(lower(name), lower(:text)) > 0 ORDER BY key COLLATE "C" OFFSET :offset LIMIT :limit
