"""Turns: rows of the ledger that one transaction has at a time, which no role can lock but through this."""

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

#: of what is counted against the budgets for models
BUDGETS = 1
#: of records of the systems: two that share a turn wait for each other, and no harm is done
_FIRST_RECORD, _RECORDS = 2, 1024
#: of totals that limits are about, which are taken after all others
_FIRST_TOTAL, _TOTALS = 1026, 1024
#: with turn 0, which nobody takes
COUNT = _FIRST_TOTAL + _TOTALS
_TAKE = text("SELECT ledger.take_turns(:turns)")


def take(tx: Connection, turns: Iterable[int]) -> None:
    """Wait until these are free, and have them until the transaction ends; all take them in the same order."""
    tx.execute(_TAKE, {"turns": sorted(set(turns))})


def of_record(record: str) -> int:
    """The turn of whoever proposes something about a record, or is done with it."""
    return _FIRST_RECORD + _hash(record) % _RECORDS


def of_total(*total: str) -> int:
    """The turn of whoever adds to a total."""
    return _FIRST_TOTAL + _hash("\n".join(total)) % _TOTALS


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
