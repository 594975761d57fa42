"""Leases of runs: who works on which, until when, and the token that fences off whoever had it before.

A process keeps a session of the database, which its rows name, so that PostgreSQL tells at once when it has
died; and the row has an end that it moves on, so that one that was frozen, or is cut off, loses the lease too. Every
holder has a greater token than the one before, and writes only in transactions that find its own token: a holder that
wakes up late writes nothing (leases: Gray and Cheriton, 1989; fencing tokens: Kleppmann, "Designing Data-Intensive
Applications", chapter 8). The moments are the database's: the clocks of the machines do not matter.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import psycopg
from sqlalchemy import Connection, func, select, update

from errors import BadInput, Refused, TakenOver, TryAgain
from ledger.connections import away, is_cut
from ledger.invariants import LEASED, NO_RUN, TAKEN_OVER
from ledger.records import Lease
from ledger.sql.rows import statements
from ledger.tables import SENDS

#: seconds for which a lease is good without a sign of life
LASTS = 30.0

_SQL = statements("leases")
#: for the saver of checkpoints, which has a connection of its own
FENCE = "SELECT 1 FROM ledger.leases WHERE run_id = %s AND token = %s FOR SHARE"


class LeaseKeeper:
    """Holds the leases of a process, and gives signs of life for them: one session and one thread for all.

    Args:
        address: of the database, as psycopg reads it. Connects with the first lease.
        lasts: seconds for which a lease is good without a sign of life.
    """

    def __init__(self, address: str, lasts: float = LASTS) -> None:
        self._address, self._lasts = address, lasts
        self._held: set[Lease] = set()
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._session: psycopg.Connection | None = None

    @contextmanager
    def lease(self, run_id: str) -> Iterator[Lease]:
        """Hold a run. Refused when somebody holds it who gives signs of life; TryAgain when the database does not answer."""
        with self._lock:
            taken = self._take(run_id)
            self._held.add(taken)
        try:
            yield taken
        finally:
            with self._lock:
                self._held.discard(taken)
                # a session that was lost has given it back already
                with suppress(psycopg.Error):
                    if self._session is not None:
                        self._session.execute(_SQL["give_back"].text.encode(), {"run_id": run_id, "token": taken.token})

    def close(self) -> None:
        """End the session: whatever is still held is free."""
        self._ended.set()
        with self._lock:
            self._drop()

    def _take(self, run_id: str) -> Lease:
        asked = {"run_id": run_id, "holder": f"{socket.gethostname()} {os.getpid()}", "lasts": self._lasts}
        try:
            found = self._open().execute(_SQL["take"].text.encode(), asked).fetchone()
        except psycopg.errors.ForeignKeyViolation as failed:
            raise BadInput(NO_RUN.format(run_id)) from failed
        except psycopg.OperationalError as failed:  # of a session that goes on, the other leases are held
            raise TryAgain(f"The database of the ledger {away(failed)}") from failed
        if found is None:
            raise Refused(LEASED.format(run_id))
        return Lease(run_id, *found)

    def _open(self) -> psycopg.Connection:
        """The session; another in the place of one that was lost."""
        if self._session is not None and is_cut(self._session):
            with suppress(psycopg.Error):  # what came unasked may be news, such as of a setting
                self._session.execute("")
        if self._session is None or self._session.closed:
            self._drop()
            self._session = psycopg.connect(self._address, autocommit=True)
            self._ended = threading.Event()
            threading.Thread(target=self._prolong, args=(self._ended,), name="leases", daemon=True).start()
        return self._session

    def _drop(self) -> None:
        self._ended.set()
        if self._session is not None:
            self._session.close()
        self._session = None

    def _prolong(self, ended: threading.Event) -> None:
        """Signs of life until it ends. Whoever cannot give them, or was too late, learns it from its next write."""
        while not ended.wait(self._lasts / 3):
            with self._lock:
                for held in self._held:
                    with suppress(psycopg.Error):
                        if self._session is not None and not ended.is_set():
                            self._session.execute(_SQL["prolong"].text.encode(), {**vars(held), "lasts": self._lasts})


def leave_to_send(tx: Connection, held: Lease, seconds: float) -> datetime:
    """Until when a write that is sent now is good: so many seconds, and no longer than the lease lasts.

    Raises TakenOver where the lease has run out, whether or not another process has the run by now.
    """
    asked = {"run_id": held.run_id, "token": held.token, "seconds": seconds}
    until: datetime | None = tx.execute(_SQL["leave"], asked).scalar()
    if until is None:
        raise TakenOver(TAKEN_OVER.format(held.run_id))
    return until


def end(tx: Connection, run_id: str) -> None:
    """Take the next token, so that whoever had the run sends and writes nothing any more.

    Refused while somebody works on it. Wants to be first in its transaction, as the lease of every writer is.
    """
    free = tx.execute(_SQL["is_free"], {"run_id": run_id}).scalar()
    if free is False:
        raise Refused(LEASED.format(run_id))
    tx.execute(_SQL["end"], {"run_id": run_id})


def answered(tx: Connection, run_id: str) -> None:
    """What was sent for the run last has its answer: nothing of it is still to arrive."""
    tx.execute(update(SENDS).where(SENDS.c.run_id == run_id).values(until=func.clock_timestamp()))


def may_arrive(tx: Connection, run_id: str) -> bool:
    """Whether what was sent for the run may still be done."""
    sent = select(SENDS.c.run_id).where(SENDS.c.run_id == run_id, SENDS.c.until > func.clock_timestamp())
    return tx.execute(sent).first() is not None
