"""Leases of runs: who works on which, until when, and the token that fences off whoever had it before.

A process keeps a session of the database, which its rows name, so that PostgreSQL tells at once when it has
died; and the row has an end that it moves on, so that one that was frozen, or is cut off, loses the lease too. Every
holder has a greater token than the one before, and writes only in transactions that find its own token: a holder that
wakes up late writes nothing. The moments are the database's: the clocks of the machines do not matter.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import psycopg
from sqlalchemy import Connection, func, select, text, update

from errors import BadInput, Refused, TakenOver, TryAgain
from ledger.records import Lease
from ledger.sentences import away, leased, no_run, taken_over
from ledger.sessions import is_cut
from ledger.tables import SENDS

#: seconds for which a lease is good without a sign of life
LASTS = 30.0

#: the database notes whose session it is
_TAKE = """
INSERT INTO ledger.leases AS mine (run_id, token, holder, until)
VALUES (%(run_id)s, 1, %(holder)s, clock_timestamp() + make_interval(secs => %(lasts)s))
ON CONFLICT (run_id) DO UPDATE SET token = mine.token + 1, holder = excluded.holder, until = excluded.until,
    lost = CASE mine.holder WHEN '' THEN 0 ELSE mine.lost + 1 END
WHERE mine.until <= clock_timestamp() OR ledger.has_ended(mine.session_pid, mine.session_start)
RETURNING token, lost
"""
_PROLONG = """
UPDATE ledger.leases SET until = clock_timestamp() + make_interval(secs => %(lasts)s)
WHERE run_id = %(run_id)s AND token = %(token)s
"""
_GIVE_BACK = """
UPDATE ledger.leases SET until = clock_timestamp(), holder = '', lost = 0
WHERE run_id = %(run_id)s AND token = %(token)s
"""
_LEAVE = """
INSERT INTO ledger.sends (run_id, until)
SELECT run_id, LEAST(until, clock_timestamp() + make_interval(secs => :seconds)) FROM ledger.leases
WHERE run_id = :run_id AND token = :token AND until > clock_timestamp()
ON CONFLICT (run_id) DO UPDATE SET until = excluded.until RETURNING until
"""
_IS_FREE = """
SELECT until <= clock_timestamp() OR ledger.has_ended(session_pid, session_start)
FROM ledger.leases WHERE run_id = :run_id FOR UPDATE
"""
_END = """
UPDATE ledger.leases SET token = token + 1, holder = '', lost = 0, until = clock_timestamp() WHERE run_id = :run_id
"""
#: for the saver of checkpoints, which has a connection of its own
FENCE = "SELECT 1 FROM ledger.leases WHERE run_id = %s AND token = %s FOR SHARE"


class Keeper:
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
                        self._session.execute(_GIVE_BACK, {"run_id": run_id, "token": taken.token})

    def close(self) -> None:
        """End the session: whatever is still held is free."""
        self._ended.set()
        with self._lock:
            self._drop()

    def _take(self, run_id: str) -> Lease:
        asked = {"run_id": run_id, "holder": f"{socket.gethostname()} {os.getpid()}", "lasts": self._lasts}
        try:
            found = self._open().execute(_TAKE, asked).fetchone()
        except psycopg.errors.ForeignKeyViolation as failed:
            raise BadInput(no_run(run_id)) from failed
        except psycopg.OperationalError as failed:  # of a session that goes on, the other leases are held
            raise TryAgain(f"The database of the ledger {away(failed)}") from failed
        if found is None:
            raise Refused(leased(run_id))
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
                            self._session.execute(_PROLONG, {**vars(held), "lasts": self._lasts})


def leave_to_send(tx: Connection, held: Lease, seconds: float) -> datetime:
    """Until when a write that is sent now is good: so many seconds, and no longer than the lease lasts.

    Raises TakenOver where the lease has run out, whether or not another process has the run by now.
    """
    asked = {"run_id": held.run_id, "token": held.token, "seconds": seconds}
    until: datetime | None = tx.execute(text(_LEAVE), asked).scalar()
    if until is None:
        raise TakenOver(taken_over(held.run_id))
    return until


def end(tx: Connection, run_id: str) -> None:
    """Take the next token, so that whoever had the run sends and writes nothing any more.

    Refused while somebody works on it. Wants to be first in its transaction, as the lease of every writer is.
    """
    free = tx.execute(text(_IS_FREE), {"run_id": run_id}).scalar()
    if free is False:
        raise Refused(leased(run_id))
    tx.execute(text(_END), {"run_id": run_id})


def answered(tx: Connection, run_id: str) -> None:
    """What was sent for the run last has its answer: nothing of it is still to arrive."""
    tx.execute(update(SENDS).where(SENDS.c.run_id == run_id).values(until=func.clock_timestamp()))


def may_arrive(tx: Connection, run_id: str) -> bool:
    """Whether what was sent for the run may still be done."""
    sent = select(SENDS.c.run_id).where(SENDS.c.run_id == run_id, SENDS.c.until > func.clock_timestamp())
    return tx.execute(sent).first() is not None
