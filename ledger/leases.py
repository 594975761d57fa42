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

import psycopg
from sqlalchemy import Connection, select

from errors import BadInput, Refused, TakenOver, TryAgain
from ledger.records import Lease
from ledger.sentences import away, leased, no_run, taken_over
from ledger.tables import LEASES

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
