"""Two proposals that would change the same record, in PostgreSQL: the second waits until the run of the first is closed."""

from collections.abc import Iterable
from functools import partial

from sqlalchemy import Connection, any_, bindparam, exists, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from ledger.canonical import clean
from ledger.columns import CleanText
from ledger.legality import waits_for
from ledger.records import Proposal
from ledger.sql import turns
from ledger.sql.lock import locked_run, set_status
from ledger.tables import PROPOSALS, RUNS, TOUCHES

_TOUCH = text("INSERT INTO ledger.touches (proposal_id, record) SELECT :proposal_id, unnest(CAST(:records AS text[]))")

_NEWER = PROPOSALS.alias()
#: runs with a plan that stands and would change one of these records
_OTHERS = (
    select(RUNS.c.run_id)
    .distinct()
    .join(PROPOSALS, PROPOSALS.c.run_id == RUNS.c.run_id)
    .join(TOUCHES, TOUCHES.c.proposal_id == PROPOSALS.c.proposal_id)
    .where(
        TOUCHES.c.record == any_(bindparam("records", type_=ARRAY(CleanText))),
        RUNS.c.run_id != bindparam("mine"),
        RUNS.c.status != "closed",
        PROPOSALS.c.status.in_(("pending", "approved", "automatic")),
        ~exists().where(_NEWER.c.run_id == PROPOSALS.c.run_id, _NEWER.c.revision > PROPOSALS.c.revision),
    )
)


def touch(tx: Connection, proposal: Proposal) -> str:
    """Note what a new proposal would change; the run that it has to wait for, or nothing. Needs the lock of its run."""
    records = _lock(tx, proposal.touches)
    if not records:
        return ""
    tx.execute(_TOUCH, {"proposal_id": clean(proposal.proposal_id), "records": records})
    found = sorted(tx.scalars(_OTHERS, {"records": records, "mine": proposal.run_id}))
    return next((run_id for run_id in found if not waits_for(run_id, proposal.run_id, partial(_held_by, tx))), "")


def release(tx: Connection, run_id: str) -> list[tuple[str, str]]:
    """Let the runs that waited for this one look at the world anew: each with its proposal, for the audit log.

    Needs the lock of the run, which is about to be closed.
    """
    released: list[tuple[str, str]] = []
    mine = select(TOUCHES.c.record).join(PROPOSALS, PROPOSALS.c.proposal_id == TOUCHES.c.proposal_id)
    # whoever proposes something about these records at this moment comes before, and is found, or after, and finds nobody
    _lock(tx, tx.scalars(mine.where(PROPOSALS.c.run_id == run_id)).all())
    waiting = (PROPOSALS.c.held_by == run_id, PROPOSALS.c.status == "pending")
    for other in sorted(tx.scalars(select(PROPOSALS.c.run_id).where(*waiting))):
        run = locked_run(tx, other)
        freed = update(PROPOSALS).where(PROPOSALS.c.run_id == other, *waiting).values(status="superseded")
        proposal_id = tx.scalar(freed.returning(PROPOSALS.c.proposal_id))
        if proposal_id is None:
            continue
        if run.status == "waiting":
            set_status(tx, other, "running")
        released.append((other, proposal_id))
    return released


def _lock(tx: Connection, records: Iterable[str]) -> list[str]:
    """The records, which others do nothing about until the transaction ends."""
    found = sorted({clean(record) for record in records})
    if found:
        turns.take(tx, map(turns.of_record, found))
    return found


def _held_by(tx: Connection, run_id: str) -> str:
    held = select(PROPOSALS.c.held_by).where(PROPOSALS.c.run_id == run_id, PROPOSALS.c.status == "pending")
    return tx.scalar(held) or ""
