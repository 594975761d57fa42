-- name: supersede
-- the pending one of the run, unless this proposal is there already
WITH known AS (SELECT proposal_id FROM ledger.proposals WHERE proposal_id = %(proposal_id)s), superseded AS (
    UPDATE ledger.proposals SET status = 'superseded'
    WHERE run_id = %(run_id)s AND status = 'pending' AND NOT EXISTS (SELECT FROM known) RETURNING proposal_id
)
SELECT EXISTS (SELECT FROM known), (SELECT proposal_id FROM superseded)

-- name: to_wait_for
SELECT ledger.to_wait_for(%(run_id)s, CAST(%(records)s AS text[]), CAST(%(turns)s AS integer[]))

-- name: add
-- with what it would change, and the status of its run; {columns} are all but the number
WITH made AS (
    INSERT INTO ledger.proposals ({columns})
    SELECT {columns} FROM jsonb_populate_record(NULL::ledger.proposals, CAST(%(row)s AS jsonb)) RETURNING proposals.*
), touched AS (
    INSERT INTO ledger.touches (proposal_id, record) SELECT proposal_id, unnest(CAST(%(records)s AS text[])) FROM made
)
UPDATE ledger.runs SET status = CASE made.status WHEN 'pending' THEN 'waiting' ELSE 'running' END
FROM made WHERE runs.run_id = made.run_id
