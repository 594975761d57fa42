"""Retention: what is kept of runs that are over. The ledger and its audit log stay; the means of working go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from langgraph.checkpoint.postgres import PostgresSaver
from sqlalchemy import delete, select, text

from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.tables import DEAD_LETTERS, LEASES, RUNS, SESSIONS

#: runs whose checkpoints are deleted at a time
_BATCH = 200


@dataclass(frozen=True)
class Pruned:
    """How many of each were deleted."""

    #: closed runs that had checkpoints
    runs: int
    leases: int
    sessions: int
    dead_letters: int


def prune(ledger: PostgresLedger, saver: PostgresSaver, before: datetime) -> Pruned:
    """Delete the checkpoints and leases of runs that were closed before a moment, dead letters settled before it, and
    sessions that have expired.

    Nothing of a run that is open is touched. May be called by several at once, and again after it was stopped.
    Needs an account that owns the tables.
    """
    runs, after = 0, ""
    while batch := _prune_batch(ledger, saver, before, after):
        runs, after = runs + len(batch), batch[-1]
    over = select(RUNS.c.run_id).where(RUNS.c.status == "closed", RUNS.c.ended_at < before)
    with ledger.transaction() as tx:
        leases = tx.execute(delete(LEASES).where(LEASES.c.run_id.in_(over))).rowcount
        sessions = tx.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < utc_now())).rowcount
        letters = tx.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.settled_at < before)).rowcount
    return Pruned(runs, leases, sessions, letters)


def _prune_batch(ledger: PostgresLedger, saver: PostgresSaver, before: datetime, after: str) -> Sequence[str]:
    """The next closed runs that have checkpoints, which are then gone. What another has in its hands is passed over."""
    kept = select(text("thread_id")).select_from(text("checkpoints"))
    wanted = (
        select(RUNS.c.run_id)
        .where(RUNS.c.status == "closed", RUNS.c.ended_at < before, RUNS.c.run_id > after, RUNS.c.run_id.in_(kept))
        .order_by(RUNS.c.run_id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    with ledger.transaction() as tx:
        found = tx.execute(wanted).scalars().all()
        if found:
            saver.prune(found, strategy="delete")
    return found
