"""Leases of runs: who works on which, until when, and the token that fences off whoever had it before.

A holder keeps a session of the database, which its row names, so that PostgreSQL tells at once when its process has
died; and the row has an end that it moves on, so that one that was frozen, or is cut off, loses the lease too. Every
holder has a greater token than the one before, and writes only in transactions that find its own token: a holder that
wakes up late writes nothing. The moments are the database's: the clocks of the machines do not matter.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

import psycopg
from sqlalchemy import Connection, func, select, text, update

from errors import BadInput, Refused, TakenOver, TryAgain
from ledger.records import Lease
from ledger.sentences import away, leased, no_run, taken_over
from ledger.tables import LEASES, SENDS

#: seconds for which a lease is good without a sign of life
LASTS = 30.0

_FIRST = """
INSERT INTO ledger.leases (run_id, token, holder, until) VALUES (%s, 0, '', clock_timestamp()) ON CONFLICT DO NOTHING
"""
_LOOK = """
SELECT token, holder, lost, until <= clock_timestamp() OR ledger.has_ended(session_pid, session_start)
FROM ledger.leases WHERE run_id = %s FOR UPDATE
"""
#: the database notes whose session it is
_TAKE = """
UPDATE ledger.leases
SET token = %(token)s, holder = %(holder)s, lost = %(lost)s, until = clock_timestamp() + make_interval(secs => %(lasts)s)
WHERE run_id = %(run_id)s
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


@contextmanager
def lease(address: str, run_id: str, lasts: float = LASTS) -> Iterator[Lease]:
    """Hold a run. Refused when somebody holds it who gives signs of life; TryAgain when the database does not answer."""
    with ExitStack() as stack:
        try:
            session = stack.enter_context(psycopg.connect(address, autocommit=True))
            taken = _take(session, run_id, lasts)
        except psycopg.OperationalError as failed:
            raise TryAgain(f"The database of the ledger {away(failed)}") from failed
        ended = threading.Event()
        pulse = threading.Thread(target=_prolong, args=(session, taken, lasts, ended), name=f"lease {run_id}", daemon=True)
        pulse.start()
        try:
            yield taken
        finally:
            ended.set()
            pulse.join()
            # a session that was lost has given it back already
            with suppress(psycopg.Error):
                session.execute(_GIVE_BACK, {"run_id": run_id, "token": taken.token})


def require(tx: Connection, held: Lease) -> None:
    """Raise TakenOver unless this still is the lease of the run; nobody can take it before the transaction ends."""
    mine = select(LEASES.c.token).where(LEASES.c.run_id == held.run_id, LEASES.c.token == held.token)
    if tx.execute(mine.with_for_update(read=True)).first() is None:
        raise TakenOver(taken_over(held.run_id))


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


def _take(session: psycopg.Connection, run_id: str, lasts: float) -> Lease:
    try:
        session.execute(_FIRST, (run_id,))
    except psycopg.errors.ForeignKeyViolation as failed:
        raise BadInput(no_run(run_id)) from failed
    with session.transaction():
        found = session.execute(_LOOK, (run_id,)).fetchone()
        assert found is not None
        token, holder, lost, is_free = found
        if not is_free:
            raise Refused(leased(run_id))
        taken = Lease(run_id, token + 1, lost + 1 if holder else 0)
        me = f"{socket.gethostname()} {os.getpid()}"
        session.execute(_TAKE, {"run_id": run_id, "token": taken.token, "holder": me, "lost": taken.lost, "lasts": lasts})
    return taken


def _prolong(session: psycopg.Connection, held: Lease, lasts: float, ended: threading.Event) -> None:
    """Signs of life until it ends. Whoever cannot give them, or was too late, learns it from its next write."""
    with suppress(psycopg.Error):
        while not ended.wait(lasts / 3):
            session.execute(_PROLONG, {"run_id": held.run_id, "token": held.token, "lasts": lasts})
