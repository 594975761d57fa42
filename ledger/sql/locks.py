"""Who waits for whom: the row of a run, locked by whoever changes anything of it, and turns.

Turns are rows that one transaction has at a time, which no role can lock but through a function of the database.
"""

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, text, update

from errors import BadInput, TakenOver
from ledger.invariants import NO_RUN, TAKEN_OVER
from ledger.records import Lease, Run, RunStatus
from ledger.sql.rows import run, select_runs, to_run
from ledger.tables import RUNS

_LOCKED = select_runs().where(RUNS.c.run_id == bindparam("run")).with_for_update(of=RUNS, key_share=True)
#: finds the run under its lease, and has both until the transaction ends: the lease first, as everywhere
FENCE = """SELECT status FROM ledger.runs JOIN ledger.leases USING (run_id) WHERE run_id = %(run_id)s AND token = %(token)s
FOR SHARE OF leases FOR NO KEY UPDATE OF runs"""
_SET_STATUS = update(RUNS).where(RUNS.c.run_id == bindparam("run")).values(status=bindparam("status"))


def locked_run(tx: Connection, run_id: str) -> Run:
    """The run as it stands, unchanged by others until this transaction ends. BadInput when there is none."""
    row = tx.execute(_LOCKED, {"run": run_id}).first()
    if row is None:
        raise BadInput(NO_RUN.format(run_id))
    return to_run(row)


def held_run(tx: Connection, held: Lease) -> RunStatus:
    """The status of a run, unchanged by others until this transaction ends. Raises TakenOver where the lease is lost."""
    found = run(tx, FENCE, vars(held)).fetchone()
    if found is None:
        raise TakenOver(TAKEN_OVER.format(held.run_id))
    status: RunStatus = found[0]
    return status


def set_status(tx: Connection, run_id: str, status: RunStatus) -> None:
    """Needs the lock of the run, or its lease."""
    tx.execute(_SET_STATUS, {"run": run_id, "status": status})


#: of what is counted against the budgets for models
TURN_OF_BUDGETS = 1
#: of records of the systems: two that share a turn wait for each other, and no harm is done
_FIRST_RECORD, _RECORDS = 2, 1024
#: of totals that limits are about, which are taken after all others
_FIRST_TOTAL, _TOTALS = 1026, 1024
#: with turn 0, which nobody takes
TURNS_IN_ALL = _FIRST_TOTAL + _TOTALS
_TAKE_TURNS = text("SELECT ledger.take_turns(:turns)")


def take_turns(tx: Connection, turns: Iterable[int]) -> None:
    """Wait until these are free, and have them until the transaction ends; all take them in the same order."""
    tx.execute(_TAKE_TURNS, {"turns": sorted(set(turns))})


def turn_of_record(record: str) -> int:
    """The turn of whoever proposes something about a record, or is done with it."""
    return _FIRST_RECORD + _hash(record) % _RECORDS


def turn_of_total(*total: str) -> int:
    """The turn of whoever adds to a total."""
    return _FIRST_TOTAL + _hash("\n".join(total)) % _TOTALS


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
