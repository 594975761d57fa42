-- what a step writes of its run; {held} is what it stands on: the lease of the run, where that is held

-- name: facts
-- one statement for all of a look
INSERT INTO ledger.facts (run_id, look, position, name, tool, args, status, value, read_at, error)
SELECT %(run_id)s, (SELECT coalesce(max(look), 0) + 1 FROM ledger.facts WHERE run_id = %(run_id)s), place - 1,
    name, tool, args, one.status, value, read_at, error
FROM {held} ROWS FROM (
    jsonb_to_recordset(CAST(%(facts)s AS jsonb))
    AS (name text, tool text, args jsonb, status text, value jsonb, read_at timestamptz, error text)
) WITH ORDINALITY AS one (name, tool, args, status, value, read_at, error, place)

-- name: drafts
-- the same draft of a run has the same id
INSERT INTO ledger.drafts (run_id, draft_id, body)
SELECT %(run_id)s, one.key, one.value FROM {held} jsonb_each(CAST(%(drafts)s AS jsonb)) AS one ON CONFLICT DO NOTHING

-- name: said
INSERT INTO ledger.observations (run_id, seq, at, step, kind, text, evidence)
SELECT %(run_id)s, one.* FROM {held} jsonb_to_recordset(CAST(%(said)s AS jsonb))
    AS one (seq integer, at timestamptz, step text, kind text, text text, evidence jsonb)
