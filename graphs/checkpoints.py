"""Checkpoints in PostgreSQL, written only by whoever holds the lease of the run, and how long they are kept.

Retention: of runs that are over the ledger and its audit log stay; the means of working go.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool
from sqlalchemy import delete, select, text

from errors import Stuck, TakenOver, TryAgain
from ledger.canonical import utc_now
from ledger.connections import away, is_cut, parse, plain
from ledger.invariants import TAKEN_OVER
from ledger.leases import FENCE
from ledger.postgres import PostgresLedger
from ledger.records import Lease
from ledger.tables import DEAD_LETTERS, LEASES, RUNS, SESSIONS

Pool = ConnectionPool[Connection[dict[str, Any]]]
#: seconds after which whoever waits for a connection is refused, and a pool begins again: between tries of its own it
#: pauses longer and longer, and would stay away for minutes after a database that was away for minutes
GIVES_UP = 5.0
#: runs whose checkpoints are deleted at a time
_BATCH = 200


class _Data(JsonPlusSerializer):
    """What a checkpoint holds is data in the one form in which it is written; no other form is looked into."""

    def __init__(self) -> None:
        super().__init__(allowed_msgpack_modules=None)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Raises Stuck for what cannot have been written here."""
        try:
            if data[0] in ("null", "msgpack"):
                return super().loads_typed(data)
        except Exception as error:  # whatever its bytes make the decoder raise
            raise Stuck(_UNREADABLE) from error
        raise Stuck(_UNREADABLE)


_UNREADABLE = "the checkpoint of the run cannot be read; restart the run, or close it"


class Checkpoints(PostgresSaver):
    """LangGraph's saver. With a lease, a write raises TakenOver once another process has the run."""

    def __init__(self, pool: Pool, held: Lease | None = None) -> None:
        super().__init__(pool, serde=_Data())
        self._pool, self._held = pool, held
        self._together: ExitStack | None = None
        self._session: Connection[DictRow] | None = None

    def under(self, held: Lease) -> "Checkpoints":
        """The same checkpoints, for the holder of a lease."""
        return Checkpoints(self._pool, held)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Whatever is written within is there as one at the end, and nothing of it where it raises."""
        with _translated(), ExitStack() as self._together:
            try:
                yield
            finally:
                self._together = self._session = None

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[Cursor[DictRow]]:
        """The saver asks for a pipeline when it writes. Raises TryAgain where the database does not answer."""
        with _translated(), ExitStack() as stack:
            session = stack.enter_context(self._writing(stack)) if pipeline else stack.enter_context(self._connection())
            yield stack.enter_context(session.cursor(binary=True, row_factory=dict_row))

    @contextmanager
    def _writing(self, alone: ExitStack) -> Iterator[Connection[DictRow]]:
        with self.lock:  # the saver is asked from several threads
            if self._session is not None:
                yield self._session
                return
            stack = alone if self._together is None else self._together
            session = stack.enter_context(self._connection())
            stack.enter_context(session.transaction())
            held = self._held
            if held is not None and session.execute(FENCE, (held.run_id, held.token)).fetchone() is None:
                raise TakenOver(TAKEN_OVER.format(held.run_id))
            self._session = None if self._together is None else session
            yield session

    @contextmanager
    def _connection(self) -> Iterator[Connection[dict[str, Any]]]:
        """One that answers. The pool's own check would pause longer and longer for each that does not."""
        with self._pool.connection() as connection:
            if not is_cut(connection):
                yield connection
                return
        self._pool.check()  # whoever cut this one off has cut off the others
        with self._pool.connection() as connection:
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as failed:
        raise TryAgain(f"The database of the checkpoints {away(failed)}") from failed


def open_pool(url: str) -> Pool:
    """Connections for checkpoints."""
    return ConnectionPool(
        url,
        connection_class=Connection[dict[str, Any]],
        min_size=1,
        max_size=8,
        timeout=GIVES_UP,
        reconnect_timeout=GIVES_UP,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )


def set_up_checkpoints(url: str) -> None:
    """Make LangGraph's tables, unless they are there: then it takes no right to make tables."""
    with psycopg.connect(plain(parse(url))) as session:
        there = session.execute("SELECT to_regclass('checkpoint_migrations') IS NOT NULL").fetchone() == (True,)
        newest = session.execute("SELECT max(v) FROM checkpoint_migrations").fetchone() if there else None
    if newest != (len(PostgresSaver.MIGRATIONS) - 1,):
        with PostgresSaver.from_conn_string(url) as saver:
            saver.setup()


@dataclass(frozen=True)
class Pruned:
    """How many of each were deleted."""

    #: closed runs that had checkpoints
    runs: int
    leases: int
    sessions: int
    dead_letters: int


def prune(ledger: PostgresLedger, saver: PostgresSaver, before: datetime) -> Pruned:
    """Delete the checkpoints and leases of runs that were closed before a moment, dead letters settled before it, and
    sessions that have expired.

    Nothing of a run that is open is touched. May be called by several at once, and again after it was stopped.
    Needs an account that owns the tables.
    """
    runs, after = 0, ""
    while batch := _prune_batch(ledger, saver, before, after):
        runs, after = runs + len(batch), batch[-1]
    over = select(RUNS.c.run_id).where(RUNS.c.status == "closed", RUNS.c.ended_at < before)
    with ledger.transaction() as tx:
        leases = tx.execute(delete(LEASES).where(LEASES.c.run_id.in_(over))).rowcount
        sessions = tx.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < utc_now())).rowcount
        letters = tx.execute(delete(DEAD_LETTERS).where(DEAD_LETTERS.c.settled_at < before)).rowcount
    return Pruned(runs, leases, sessions, letters)


def _prune_batch(ledger: PostgresLedger, saver: PostgresSaver, before: datetime, after: str) -> Sequence[str]:
    """The next closed runs that have checkpoints, which are then gone. What another has in its hands is passed over."""
    kept = select(text("thread_id")).select_from(text("checkpoints"))
    wanted = (
        select(RUNS.c.run_id)
        .where(RUNS.c.status == "closed", RUNS.c.ended_at < before, RUNS.c.run_id > after, RUNS.c.run_id.in_(kept))
        .order_by(RUNS.c.run_id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    with ledger.transaction() as tx:
        found = tx.execute(wanted).scalars().all()
        if found:
            saver.prune(found, strategy="delete")
    return found
