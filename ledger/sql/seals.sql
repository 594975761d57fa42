-- name: broken
SELECT audit.run_id, told.name, min(audit.seq) AS seq
FROM ledger.audit, jsonb_each_text(audit.body -> 'rows') AS told (name, seal)
WHERE audit.run_id = ANY (:ids) AND told.name = ANY (:names)
GROUP BY audit.run_id, told.name, told.seal
HAVING told.seal <> ledger.seal(told.name, audit.run_id, split_part(told.seal, ' ', 1)::bigint)
ORDER BY seq

-- name: added
-- what stands in a run that has ended, or waits for somebody, after what its last seal covers
SELECT sealed.run_id, sealed.name FROM (
    SELECT audit.run_id, told.name, max(split_part(told.seal, ' ', 1)::bigint) AS upto
    FROM ledger.audit, jsonb_each_text(audit.body -> 'rows') AS told (name, seal)
    WHERE audit.run_id = ANY (:ids) AND told.name IN ('observations', 'facts', 'model_calls', 'drafts')
    GROUP BY audit.run_id, told.name
) AS sealed JOIN ledger.runs ON runs.run_id = sealed.run_id AND (runs.status = 'closed'
    OR runs.status IN ('waiting', 'incident') AND sealed.name = 'observations'
    OR runs.status = 'waiting' AND sealed.name = 'facts')
WHERE sealed.upto < CASE sealed.name
    WHEN 'facts' THEN (SELECT max(f.look) FROM ledger.facts f WHERE f.run_id = sealed.run_id)
    WHEN 'observations' THEN (SELECT max(o.seq) FROM ledger.observations o WHERE o.run_id = sealed.run_id)
    WHEN 'drafts' THEN (SELECT max(d.number) FROM ledger.drafts d WHERE d.run_id = sealed.run_id)
    ELSE (SELECT max(c.number) FROM ledger.model_calls c WHERE c.run_id = sealed.run_id)
END

-- name: single
SELECT seq, at, kind, body FROM ledger.audit
WHERE body -> 'rows' ?| CAST(:names AS text[]) OR kind = ANY (:leaving) ORDER BY seq
