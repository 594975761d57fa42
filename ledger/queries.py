"""What is asked of lists, and what comes back: filters, pages, rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger.records import Claim, Run

#: "mine" is what the person may approve now
Scope = Literal["mine", "all", "claimed", "expired"]
Order = Literal["due", "money", "oldest"]


@dataclass(frozen=True, kw_only=True)
class QueueFilter:
    """Empty text filters nothing."""

    scope: Scope = "mine"
    order: Order = "due"
    mission: str = ""
    verdict: str = ""
    tier: str = ""
    #: part of a subject, or the start of a run's id
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """A row of the queue; money in cents."""

    proposal_id: str
    run_id: str
    subject: str
    mission: str
    #: of the event
    name: str
    verdict: str
    author: str
    money_at_stake_cents: int
    tier: str
    role: str
    four_eyes: bool
    #: of the proposal; a decision names it
    digest: str
    created_at: datetime
    expires_at: datetime
    due_at: datetime
    #: the first of two approvals
    approved_by: Sequence[str]
    claim: Claim | None
    #: the run that is decided first, because it would change the same record; or empty
    held_by: str = ""
    #: whether a model wrote a message that a step of it sends
    written_by_model: bool = False


@dataclass(frozen=True)
class QueuePage:
    """Some rows, and counts over all that the filter lets through."""

    rows: Sequence[QueueRow]
    total: int
    money_cents: int
    by_mission: Mapping[str, int]
    by_verdict: Mapping[str, int]
    #: those of no tier left out
    by_tier: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Empty text and None filter nothing; `since` ≤ started < `until`."""

    text: str = ""
    mission: str = ""
    verdict: str = ""
    status: str = ""
    outcome: str = ""
    #: who decided something in it
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class RunPage:
    """Some runs, and how many there are in all."""

    runs: Sequence[Run]
    total: int
