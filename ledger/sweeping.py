"""The sweep: proves that every run is running, waiting, an incident or closed, and makes what is none of these an incident."""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.roles import patient
from ledger.sql.rows import statements

_SQL = statements("sweeping")


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
        runs: dict[str, int] = dict(session.execute(_SQL["counts"].text.encode()).fetchall())
        (lost,) = session.execute(_SQL["events"].text.encode()).fetchone() or (0,)
        broken = tuple((run_id, reason) for run_id, _, reason in session.execute(_SQL["broken"].text.encode()))
    return Swept(runs, lost, broken)


def sweep(ledger: Ledger, url: str) -> Swept:
    """`look`, and make each run that is not what its status says an incident; one that is closed stays so, and is reported."""
    found = look(url)
    for run_id, reason in found.broken:
        if ledger.run(run_id).status != "closed":
            ledger.incident(run_id, f"The sweep found that {reason}.", utc_now())
    return found
