"""The audit chain in PostgreSQL: appended in the transaction of what it tells of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from ledger import audit_chain
from ledger.canonical import canonical, clean, moment
from ledger.records import AuditEntry
from ledger.sql.rows import fields, run
from ledger.tables import AUDIT

#: the one way by which a row is written: numbers, links and digests are the database's
_APPEND = "SELECT ledger.append(%(at)s, %(kind)s, %(run_id)s, CAST(%(body)s AS jsonb))"
#: rows fetched at a time while the whole log is read
_BATCH = 5000


def append(tx: Connection, at: datetime, kind: str, run_id: str, body: Mapping[str, Any]) -> None:
    """Add one row. Writers wait for each other until they commit, so numbers have no gaps.

    Every writer appends last, after it has the row of its run: nobody waits in a circle.
    """
    row = {"at": moment(at), "kind": kind, "run_id": clean(run_id), "body": canonical(body).decode()}
    run(tx, _APPEND, row)


def head(tx: Connection) -> tuple[int, str]:
    """(seq, digest) of the last row."""
    row = tx.execute(select(AUDIT.c.seq, AUDIT.c.digest).order_by(AUDIT.c.seq.desc()).limit(1)).first()
    return (row.seq, row.digest) if row else (0, audit_chain.START)


def first(tx: Connection) -> str:
    """The digest of the first row."""
    return tx.execute(select(AUDIT.c.digest).order_by(AUDIT.c.seq).limit(1)).scalar() or audit_chain.START


def digests(tx: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Of the rows with these numbers that are there."""
    wanted = select(AUDIT.c.seq, AUDIT.c.digest).where(AUDIT.c.seq.in_(numbers))
    return {row.seq: row.digest for row in tx.execute(wanted)}


def entries(tx: Connection, run_id: str | None = None) -> Iterator[AuditEntry]:
    """The log in order, a batch at a time."""
    wanted = select(AUDIT).order_by(AUDIT.c.seq)
    if run_id is not None:
        wanted = wanted.where(AUDIT.c.run_id == run_id)
    for row in tx.execute(wanted, execution_options={"yield_per": _BATCH}):
        yield AuditEntry(**fields(row))


def log(tx: Connection, run_id: str | None = None) -> list[AuditEntry]:
    return list(entries(tx, run_id))


def verify(tx: Connection, head: tuple[int, str] | None = None) -> list[str]:
    return audit_chain.verify(entries(tx), head)


def page(tx: Connection, before: int | None = None, limit: int = 100, run_id: str = "", kind: str = "") -> list[AuditEntry]:
    """Rows of the audit log, the newest first, from the one before number `before`."""
    wanted = select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(AUDIT.c.seq < before)
    if run_id:
        wanted = wanted.where(AUDIT.c.run_id == run_id)
    if kind:
        wanted = wanted.where(AUDIT.c.kind == kind)
    return [AuditEntry(**fields(row)) for row in tx.execute(wanted)]
