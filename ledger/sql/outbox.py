"""How far destinations of outgoing events have been told the audit log, in PostgreSQL; all moments by its clock."""

from datetime import datetime

from sqlalchemy import Connection

from errors import BadInput, Refused
from ledger.canonical import clean
from ledger.decision_requests import check_reason
from ledger.outbox import OutboxFailing, OutboxLease, OutboxPosition, OutboxRow, Pause
from ledger.records import AuditEntry
from ledger.sql import chain, people
from ledger.sql.rows import fields, statements

_SQL = statements("outbox")
#: characters of what went wrong
_MOST_ERROR = 300


def positions(tx: Connection) -> list[OutboxPosition]:
    """Of every destination that was ever told anything and has not ended, by name."""
    return [OutboxPosition(**row._mapping) for row in tx.execute(_SQL["positions"])]


def begin(tx: Connection, name: str) -> None:
    """From now on a destination is told the log; where it is told already, nothing changes."""
    tx.execute(_SQL["begin"], {"name": name})


def take(tx: Connection, name: str, lasts: float) -> OutboxLease | None:
    """The right to send to a destination, for so many seconds.

    None where another has it, the next try is to come later, or the log holds nothing new.
    """
    row = tx.execute(_SQL["take"], {"name": name, "lasts": lasts}).first()
    return OutboxLease(*row) if row else None


def rows(tx: Connection, after: int, limit: int) -> list[OutboxRow]:
    """The next rows of the log after this one, in order."""
    found = tx.execute(_SQL["rows"], {"after": after, "limit": limit})
    return [OutboxRow(AuditEntry(**fields(row, "mission", "subject")), row.mission, row.subject) for row in found]


def advance(tx: Connection, lease: OutboxLease, seq: int, lasts: float, *, delivered: bool) -> bool:
    """Note that a destination has been told the log up to this row, and go on for so many seconds.

    False where another sender has taken over. Not `delivered` are rows that are not for it.
    """
    moved = {"name": lease.name, "token": lease.token, "seq": seq, "lasts": lasts}
    return tx.execute(_SQL["delivered" if delivered else "passed"], moved).first() is not None


def fail(tx: Connection, lease: OutboxLease, seq: int, error: str, pause: Pause) -> OutboxFailing | None:
    """Note that the first row for a destination after this one was not delivered; None where another sender has taken over."""
    asked = {"name": lease.name, "token": lease.token, "seq": seq, **vars(pause)}
    row = tx.execute(_SQL["failed"], {**asked, "error": clean(error)[:_MOST_ERROR]}).first()
    return OutboxFailing(*row) if row else None


def give_back(tx: Connection, lease: OutboxLease) -> None:
    """Let others send, where nobody has taken over already."""
    tx.execute(_SQL["give_back"], {"name": lease.name, "token": lease.token})


def skip(tx: Connection, at: datetime, name: str, by: str, reason: str) -> int:
    """Leave out the one row at which a destination fails; its number. `by` is an administrator, or the command line.

    Raises Refused where nothing fails, and without a reason.
    """
    return _give_up(
        tx, at, "skip", name, by, reason, Refused(f"{name[:60]!r} does not fail at any event: there is none to skip.")
    )


def end(tx: Connection, at: datetime, name: str, by: str, reason: str) -> int:
    """Forget a destination: it is told nothing after this row, whose number this is. BadInput where there is none."""
    missing = BadInput(f"No destination {name[:60]!r} was ever told anything; see `missions outgoing list`.")
    return _give_up(tx, at, "end", name, by, reason, missing)


def _give_up(tx: Connection, at: datetime, what: str, name: str, by: str, reason: str, otherwise: Exception) -> int:
    person = people.require_manager(tx, by, "manage_sources")
    check_reason(reason)
    seq = tx.execute(_SQL[what], {"name": clean(name)}).scalar()
    if seq is None:
        raise otherwise
    body = {"name": name, "seq": seq, "by": person.name if person else by, "reason": clean(reason).strip()}
    chain.append(tx, at, {"skip": "outgoing_skipped", "end": "outgoing_ended"}[what], "", body)
    return int(seq)
