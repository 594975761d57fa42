"""Checkpoints in PostgreSQL, written only by whoever holds the lease of the run."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from errors import TakenOver, TryAgain
from ledger.leases import FENCE
from ledger.records import Lease
from ledger.sentences import away, taken_over

Pool = ConnectionPool[Connection[dict[str, Any]]]


class Checkpoints(PostgresSaver):
    """LangGraph's saver. With a lease, a write raises TakenOver once another process has the run."""

    def __init__(self, pool: Pool, held: Lease | None = None) -> None:
        super().__init__(pool, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._pool, self._held = pool, held

    def under(self, held: Lease) -> "Checkpoints":
        """The same checkpoints, for the holder of a lease."""
        return Checkpoints(self._pool, held)

    @contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[Cursor[DictRow]]:
        """The saver asks for a pipeline when it writes. Raises TryAgain where the database does not answer."""
        try:
            with (
                self._connection() as connection,
                connection.transaction() if pipeline else nullcontext(),
                connection.cursor(binary=True, row_factory=dict_row) as cursor,
            ):
                held = self._held if pipeline else None
                if held is not None and cursor.execute(FENCE, (held.run_id, held.token)).fetchone() is None:
                    raise TakenOver(taken_over(held.run_id))
                yield cursor
        except psycopg.OperationalError as failed:
            raise TryAgain(f"The database of the checkpoints {away(failed)}") from failed

    @contextmanager
    def _connection(self) -> Iterator[Connection[dict[str, Any]]]:
        """One that answers. The pool's own check would pause longer and longer for each that does not."""
        with self._pool.connection() as connection:
            if _answers(connection):
                yield connection
                return
        self._pool.check()  # whoever cut this one off has cut off the others
        with self._pool.connection() as connection:
            yield connection


def _answers(connection: Connection[dict[str, Any]]) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        return False
    return True


def open_pool(url: str) -> Pool:
    """Connections for checkpoints."""
    return ConnectionPool(
        url,
        connection_class=Connection[dict[str, Any]],
        min_size=1,
        max_size=8,
        # seconds, after which a run is driven on later
        timeout=10,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
