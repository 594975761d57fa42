"""What the ledger keeps of outgoing events: how far each destination has been told the audit log.

The log is the outbox. Each change of a run is told of in it by the same transaction, numbered in the order of their commits
and without gaps; so an event can be neither lost nor made up, and nothing is written for it while a run is under way.
"""

from dataclasses import dataclass
from datetime import datetime

from ledger.records import AuditEntry


@dataclass(frozen=True, kw_only=True)
class OutboxPosition:
    """How far a destination has been told the log, and what became of the last try where it failed."""

    name: str
    #: the last row that was delivered, or is not for it
    seq: int
    delivered_at: datetime | None
    #: tries in a row of the next one for it
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    error: str
    #: rows of the log after `seq`, not all of which need be for it; and when the first of them was written
    behind: int
    behind_since: datetime | None


@dataclass(frozen=True)
class OutboxLease:
    """The right to send to a destination what comes after row `seq`, good while no newer `token` was given out."""

    name: str
    token: int
    seq: int


@dataclass(frozen=True)
class OutboxFailing:
    """How often in a row a destination was not told its next event, and since when."""

    failures: int
    since: datetime


@dataclass(frozen=True)
class OutboxRow:
    """A row of the log, with Mission and subject of the run that it tells of; empty where it tells of none."""

    entry: AuditEntry
    mission: str
    subject: str


@dataclass(frozen=True)
class Pause:
    """Seconds until the next try: 1, 2, 4 … `longest` of them times `share`, and no fewer than `wish`."""

    wish: float
    longest: float
    share: float
