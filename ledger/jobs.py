"""Jobs: runs to be driven by whichever worker is free, through procrastinate on the database of the ledger.

A job is a hint, and the ledger is the truth: workers look every few seconds for runs that are 'running' with neither a
holder nor a job, and give them one, so that a job that was lost delays a run and loses nothing. Jobs of one subject
wait for each other, in the order in which they came. The sweep proves that every run is running, waiting, an incident or
closed, and makes what is none of these an incident.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException

from errors import TryAgain
from ledger.base import Ledger
from ledger.canonical import utc_now
from ledger.migrate import alone
from ledger.records import Run
from ledger.roles import patient
from ledger.sql.rows import statements

_SQL = statements("jobs")
#: the task that drives a run
DRIVE = "drive"


class Jobs:
    """Hands runs to the workers. Safe for threads. Made by `open_jobs`."""

    def __init__(self, app: App) -> None:
        self._app = app

    def drive(self, run: Run) -> None:
        """Have a run driven, after whatever else there is to do about its subject. Raises TryAgain without a database."""
        try:
            self._app.configure_task(DRIVE, lock=run.event.subject).defer(run_id=run.run_id)
        except ConnectorException as failed:
            raise TryAgain("The database of the jobs did not answer: the run waits until the workers find it.") from failed

    def has(self, run: Run) -> bool:
        """Whether there is a job for a run: a worker drives it now, or is going to."""
        jobs = self._app.job_manager.list_jobs(task=DRIVE, lock=run.event.subject)
        return any(job.status in ("todo", "doing") and job.task_kwargs.get("run_id") == run.run_id for job in jobs)


@contextmanager
def open_jobs(url: str) -> Iterator[Jobs]:
    """The jobs of this database, for whoever hands them out."""
    app = App(connector=SyncPsycopgConnector(conninfo=patient(url), min_size=0, max_size=4))
    with app.open():
        yield Jobs(app)


def make_job_tables(url: str) -> None:
    """Make procrastinate's tables where they are missing."""
    with psycopg.connect(url, autocommit=True) as session:
        if _has_tables(session):
            return
        with session.transaction():
            alone(session)
            if not _has_tables(session):
                app = App(connector=SyncPsycopgConnector(conninfo=url, min_size=0, max_size=1))
                with app.open():
                    app.schema_manager.apply_schema()


def forgotten(url: str) -> list[tuple[str, str]]:
    """(run, subject) of runs that are 'running' though nobody works on them and no job is there for them, oldest first."""
    with psycopg.connect(patient(url)) as session:
        found: list[tuple[Any, ...]] = session.execute(_SQL["forgotten"].text.encode()).fetchall()
    return [(run_id, subject) for run_id, subject in found]


def _has_tables(session: psycopg.Connection) -> bool:
    return session.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() != (None,)


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
