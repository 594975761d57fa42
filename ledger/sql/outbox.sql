-- name: positions
SELECT name, seq, delivered_at, failures, failing_since, retry_at, error,
    coalesce((SELECT max(seq) FROM ledger.audit), 0) - seq AS behind,
    (SELECT at FROM ledger.audit WHERE audit.seq = outgoing.seq + 1) AS behind_since
FROM ledger.outgoing ORDER BY name COLLATE "C"

-- name: begin
-- a new destination is told what is written from now on
INSERT INTO ledger.outgoing (name, seq) SELECT :name, coalesce((SELECT max(seq) FROM ledger.audit), 0) ON CONFLICT DO NOTHING

-- name: take
UPDATE ledger.outgoing SET token = token + 1, until = clock_timestamp() + make_interval(secs => :lasts)
WHERE name = :name AND (until IS NULL OR until <= clock_timestamp()) AND (retry_at IS NULL OR retry_at <= clock_timestamp())
    AND seq < (SELECT max(seq) FROM ledger.audit)
RETURNING name, token, seq

-- name: rows
SELECT audit.*, coalesce(inbox.mission, '') AS mission, coalesce(inbox.subject, '') AS subject
FROM ledger.audit LEFT JOIN ledger.runs USING (run_id) LEFT JOIN ledger.inbox USING (source_id)
WHERE audit.seq > :after ORDER BY audit.seq LIMIT :limit

-- name: delivered
UPDATE ledger.outgoing SET seq = :seq, until = clock_timestamp() + make_interval(secs => :lasts), delivered_at = clock_timestamp(),
    failures = 0, failing_since = NULL, retry_at = NULL, error = ''
WHERE name = :name AND token = :token RETURNING seq

-- name: passed
UPDATE ledger.outgoing SET seq = :seq, until = clock_timestamp() + make_interval(secs => :lasts)
WHERE name = :name AND token = :token RETURNING seq

-- name: failed
UPDATE ledger.outgoing SET seq = :seq, failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp()),
    retry_at = clock_timestamp()
        + make_interval(secs => greatest(:wish, :share * least(:longest, (2 ^ least(failures, 30))::float8))),
    error = :error
WHERE name = :name AND token = :token RETURNING failures, failing_since

-- name: give_back
UPDATE ledger.outgoing SET until = NULL WHERE name = :name AND token = :token

-- name: skip
-- the sender that has it meanwhile goes no further
UPDATE ledger.outgoing SET seq = seq + 1, token = token + 1, until = NULL, failures = 0, failing_since = NULL, retry_at = NULL,
    error = ''
WHERE name = :name AND failures > 0 RETURNING seq

-- name: end
DELETE FROM ledger.outgoing WHERE name = :name RETURNING seq
