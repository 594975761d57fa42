"""The row of a run, locked: whoever changes anything of a run takes this lock first."""

from sqlalchemy import Connection, update

from errors import BadInput
from ledger.records import Run, RunStatus
from ledger.sentences import no_run
from ledger.sql.rows import select_runs, to_run
from ledger.tables import RUNS


def locked_run(tx: Connection, run_id: str) -> Run:
    """The run as it stands, unchanged by others until this transaction ends. BadInput when there is none."""
    row = tx.execute(select_runs().where(RUNS.c.run_id == run_id).with_for_update(of=RUNS, key_share=True)).first()
    if row is None:
        raise BadInput(no_run(run_id))
    return to_run(row)


def set_status(tx: Connection, run_id: str, status: RunStatus) -> None:
    tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(status=status))
