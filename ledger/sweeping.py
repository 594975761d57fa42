"""The sweep: proves that every run is running, waiting, an incident or closed, and makes what is none of these an incident."""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.roles import patient

#: what a status promises, and the sentence where it does not hold; the status is the truth and these are its signs
_BROKEN = """
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
"""
_COUNTS = "SELECT status, count(*) FROM ledger.runs GROUP BY status"
_EVENTS = "SELECT count(*) FROM ledger.inbox WHERE NOT EXISTS (SELECT FROM ledger.runs WHERE runs.source_id = inbox.source_id)"


@dataclass(frozen=True)
class Swept:
    """What a sweep found."""

    #: runs by status
    runs: Mapping[str, int]
    #: events that were taken in and have no run
    lost: int
    #: (run, sentence) of each run that is not what its status says
    broken: tuple[tuple[str, str], ...]


def look(url: str) -> Swept:
    """Look at every run, in one snapshot. Changes nothing."""
    with psycopg.connect(patient(url)) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        runs: dict[str, int] = dict(session.execute(_COUNTS).fetchall())
        (lost,) = session.execute(_EVENTS).fetchone() or (0,)
        broken = tuple((run_id, reason) for run_id, _, reason in session.execute(_BROKEN))
    return Swept(runs, lost, broken)


def sweep(ledger: Ledger, url: str) -> Swept:
    """`look`, and make each run that is not what its status says an incident. One that is closed stays closed, and is told."""
    found = look(url)
    for run_id, reason in found.broken:
        if ledger.run(run_id).status != "closed":
            ledger.incident(run_id, f"The sweep found that {reason}.", utc_now())
    return found
