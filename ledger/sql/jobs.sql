-- name: broken
-- what a status promises, and the sentence where it does not hold; the status is the truth and these are its signs
SELECT run_id, status, 'it waits, and there is no proposal to decide about' AS reason FROM ledger.runs
WHERE status = 'waiting' AND NOT EXISTS (SELECT FROM ledger.proposals p WHERE p.run_id = runs.run_id AND p.status = 'pending')
UNION ALL
SELECT run_id, status, 'it is an incident, and nothing says why' FROM ledger.runs
WHERE status = 'incident' AND NOT EXISTS (SELECT FROM ledger.incidents i WHERE i.run_id = runs.run_id AND i.closed_at IS NULL)
UNION ALL
SELECT run_id, runs.status, 'it is ' || runs.status || ', and a proposal of it is shown as waiting' FROM ledger.runs
JOIN ledger.proposals p USING (run_id) WHERE p.status = 'pending' AND runs.status IN ('running', 'closed')
UNION ALL
SELECT run_id, status, 'it is ' || status || ', and an incident of it is open' FROM ledger.runs
WHERE status <> 'incident' AND EXISTS (SELECT FROM ledger.incidents i WHERE i.run_id = runs.run_id AND i.closed_at IS NULL)
UNION ALL
SELECT DISTINCT run_id, runs.status, 'it was closed as ' || runs.outcome || ' in the middle of a step' FROM ledger.runs
JOIN ledger.effects e USING (run_id) WHERE runs.status = 'closed' AND runs.outcome <> 'abandoned'
AND e.status IN ('executing', 'unknown')

-- name: counts
SELECT status, count(*) FROM ledger.runs GROUP BY status

-- name: events
SELECT count(*) FROM ledger.inbox
WHERE NOT EXISTS (SELECT FROM ledger.runs WHERE runs.source_id = inbox.source_id)

-- name: forgotten
-- runs that nobody works on, and that nobody is going to
SELECT runs.run_id, inbox.subject FROM ledger.runs JOIN ledger.inbox USING (source_id) LEFT JOIN ledger.leases USING (run_id)
WHERE runs.status = 'running' AND (leases.until IS NULL OR leases.until <= clock_timestamp())
AND NOT EXISTS (
    SELECT FROM procrastinate_jobs AS job
    WHERE job.status IN ('todo', 'doing') AND job.task_name = 'drive' AND job.lock = inbox.subject
    AND job.args ->> 'run_id' = runs.run_id
)
ORDER BY runs.number LIMIT 1000
