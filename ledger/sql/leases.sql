-- name: take
-- the database notes whose session it is
INSERT INTO ledger.leases AS mine (run_id, token, holder, until)
VALUES (%(run_id)s, 1, %(holder)s, clock_timestamp() + make_interval(secs => %(lasts)s))
ON CONFLICT (run_id) DO UPDATE SET token = mine.token + 1, holder = excluded.holder, until = excluded.until,
    lost = CASE mine.holder WHEN '' THEN 0 ELSE mine.lost + 1 END
WHERE mine.until <= clock_timestamp() OR ledger.has_ended(mine.session_pid, mine.session_start)
RETURNING token, lost

-- name: prolong
UPDATE ledger.leases SET until = clock_timestamp() + make_interval(secs => %(lasts)s)
WHERE run_id = %(run_id)s AND token = %(token)s

-- name: give_back
UPDATE ledger.leases SET until = clock_timestamp(), holder = '', lost = 0
WHERE run_id = %(run_id)s AND token = %(token)s

-- name: leave
INSERT INTO ledger.sends (run_id, until)
SELECT run_id, LEAST(until, clock_timestamp() + make_interval(secs => :seconds)) FROM ledger.leases
WHERE run_id = :run_id AND token = :token AND until > clock_timestamp()
ON CONFLICT (run_id) DO UPDATE SET until = excluded.until RETURNING until

-- name: is_free
SELECT until <= clock_timestamp() OR ledger.has_ended(session_pid, session_start)
FROM ledger.leases WHERE run_id = :run_id FOR UPDATE

-- name: end
UPDATE ledger.leases SET token = token + 1, holder = '', lost = 0, until = clock_timestamp() WHERE run_id = :run_id
