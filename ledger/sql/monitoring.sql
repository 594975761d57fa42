-- name: revision
SELECT version_num FROM ledger.alembic_version

-- name: trial
-- a row that any role may write, and that is taken back
SELECT ledger.append(clock_timestamp(), 'incident_opened', '', '{}')

-- name: unattended
-- seconds since anything happened to the run that was left lying longest
SELECT extract(epoch FROM now() - min((SELECT max(at) FROM ledger.audit WHERE audit.run_id = runs.run_id)))
FROM ledger.runs WHERE status = 'running'
AND NOT EXISTS (SELECT FROM ledger.leases WHERE leases.run_id = runs.run_id AND until > now())

-- name: outgoing
SELECT name, coalesce((SELECT max(seq) FROM ledger.audit), 0) - seq,
    coalesce(extract(epoch FROM now() - (SELECT at FROM ledger.audit WHERE audit.seq = outgoing.seq + 1)), 0),
    coalesce(extract(epoch FROM now() - failing_since), 0)
FROM ledger.outgoing
