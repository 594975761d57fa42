"""The row of a run, locked: whoever changes anything of a run takes this lock first."""

from sqlalchemy import Connection, bindparam, text, update

from errors import BadInput, TakenOver
from ledger.records import Lease, Run, RunStatus
from ledger.sentences import no_run, taken_over
from ledger.sql.rows import select_runs, to_run
from ledger.tables import RUNS

_LOCKED = select_runs().where(RUNS.c.run_id == bindparam("run")).with_for_update(of=RUNS, key_share=True)
#: the lease first, as everywhere
_HELD = text(
    "SELECT status FROM ledger.runs JOIN ledger.leases USING (run_id) WHERE run_id = :run AND token = :held"
    " FOR SHARE OF leases FOR NO KEY UPDATE OF runs"
)
_SET_STATUS = update(RUNS).where(RUNS.c.run_id == bindparam("run")).values(status=bindparam("status"))


def locked_run(tx: Connection, run_id: str) -> Run:
    """The run as it stands, unchanged by others until this transaction ends. BadInput when there is none."""
    row = tx.execute(_LOCKED, {"run": run_id}).first()
    if row is None:
        raise BadInput(no_run(run_id))
    return to_run(row)


def held_run(tx: Connection, held: Lease) -> RunStatus:
    """The status of a run, unchanged by others until this transaction ends. Raises TakenOver where the lease is lost."""
    status: RunStatus | None = tx.scalar(_HELD, {"run": held.run_id, "held": held.token})
    if status is None:
        raise TakenOver(taken_over(held.run_id))
    return status


def set_status(tx: Connection, run_id: str, status: RunStatus) -> None:
    tx.execute(_SET_STATUS, {"run": run_id, "status": status})
