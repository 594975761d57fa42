"""What the ledger keeps: frozen records, plain data only.

Money is in integer US cents (`*_cents`), moments are timezone-aware UTC datetimes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

RunStatus = Literal["running", "waiting", "incident", "closed"]
Outcome = Literal["executed", "nothing_to_do", "rejected", "escalated", "abandoned"]
ProposalStatus = Literal["pending", "approved", "rejected", "sent_back", "superseded", "escalated", "automatic"]
DecisionKind = Literal["approve", "edit", "reject", "respond", "escalate"]
EffectStatus = Literal["intended", "executing", "done", "failed", "unknown"]
ReadStatus = Literal["ok", "absent", "failed"]
ObservationKind = Literal[
    "event", "read", "finding", "policy", "prediction", "plan", "check", "decision", "effect", "verdict", "missing"
]

#: From the least to the most authority over proposals. "none" is the route of a plan that waits for nobody.
ROLES = ("none", "reviewer", "supervisor", "finance")
#: What a person can be; who is none of ROLES decides about no proposal (`ledger/permissions.py` says what else each may).
PERSON_ROLES = ("customer", "analyst", "reviewer", "supervisor", "finance", "administrator", "auditor")

#: a source is named as the system whose events it hands in; no colon, for that ends the name in a source id
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")

#: who makes drafts that no person made, and those of them that ask a language model; no person is called so
REASONERS = ("planner", "llm", "hybrid")
MODELS = ("llm", "hybrid")


@dataclass(frozen=True, kw_only=True)
class Event:
    """The message that says that something happened; taken in once per `source_id`."""

    source_id: str
    name: str
    mission: str
    subject: str
    trigger: Mapping[str, Any]
    #: the moment at which the case is looked at
    as_of: datetime
    #: the person who asked for it, who then may not approve what is proposed; empty where a system did
    requested_by: str = ""

    @property
    def source(self) -> str:
        """The source that it came from, as its id says; empty where none is named, as in a file."""
        name, colon, _ = self.source_id.partition(":")
        return name if colon and SOURCE_NAME.fullmatch(name) else ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One pass of a Mission over one exception."""

    run_id: str
    event: Event
    #: graph, pack, policies, catalogue, model: what the run started with
    versions: Mapping[str, str]
    status: RunStatus
    started_at: datetime
    verdict: str | None = None
    outcome: Outcome | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value read from a system, with where and when it was read."""

    name: str
    tool: str
    args: Mapping[str, Any]
    status: ReadStatus
    #: the record, the list of records, or None
    value: Any
    read_at: datetime
    error: str | None = None

    @property
    def read(self) -> str:
        """The read of its pack that it is of: "orders" of "orders[2]", the third of several."""
        return self.name.partition("[")[0]


@dataclass(frozen=True)
class NewObservation:
    """An observation as a node hands it in: the ledger gives it its number and its moment."""

    #: the node that says it
    step: str
    kind: ObservationKind
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Observation(NewObservation):
    """One line of the Explain rail."""

    seq: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What may go out within a window before somebody with more authority decides, and what a plan adds to it."""

    clause: str
    #: whose total it is: of who receives it, as the catalogue calls them ("customer"), of an APPROVER, a SOURCE, or a DAY
    per: str
    #: which one; empty of an approver, who is known once somebody decides, and of a day
    key: str
    #: "given" (refunds, credits, costs) or "paid"
    kind: str
    days: int
    most_cents: int
    #: who decides above it
    role: str
    four_eyes: bool
    #: (step, cents): what the steps of the plan add, counted from 0
    adds: tuple[tuple[int, int], ...]


#: totals that are of nobody who receives something
APPROVER, SOURCE, DAY = "approver", "source", "day"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Who must approve: the least role, and whether two different people must."""

    role: str
    four_eyes: bool
    #: clauses that raise it above the base
    clauses: Sequence[str] = ()
    #: True where policy lets whoever worded it approve it, and the check found nothing new in the words
    own: bool = False
    #: what it adds to, over all runs
    limits: tuple[Limit, ...] = ()


#: what a plan takes that waits for nobody
NOBODY = Approval(role="none", four_eyes=False)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A plan with what it stands on. The digest binds plan, arguments, evidence and policy version."""

    proposal_id: str
    run_id: str
    #: 1 for the first of a run; every edit and every new look adds one
    revision: int
    #: one of REASONERS, or the person who edited it
    author: str
    verdict: str
    #: [{"name", "args", "for", "part", "cites", "tier", "says", "tool", "undo"}] in the order of execution
    plan: Sequence[Mapping[str, Any]]
    rationale: str
    #: [{"clause", "version"}]
    cites: Sequence[Mapping[str, Any]]
    #: [{"option", "for", "lost_because"}]
    alternatives: Sequence[Mapping[str, Any]]
    #: [{"step", "system", "record", "field", "before", "after"}]; steps count from 1
    changes: Sequence[Mapping[str, Any]]
    confidence: float
    money_at_stake_cents: int
    approval: Approval
    digest: str
    created_at: datetime
    #: an approval after this moment is refused
    expires_at: datetime
    #: by when somebody should decide: the sooner, the more money and the higher the tier; the queue is in this order
    due_at: datetime
    #: of the customer or account, as the pack tells it ("vip"); empty where there is none
    tier: str = ""
    status: ProposalStatus = "pending"
    #: the run that must be closed before this can be approved, because it would change the same record; or empty
    held_by: str = ""
    #: the proposal whose steps it takes back, after a step of that one failed; or empty
    undoes: str = ""

    @property
    def touches(self) -> tuple[str, ...]:
        """The records that it would change; of one order in two systems the name is the same."""
        return tuple(dict.fromkeys(change["record"] for change in self.changes))


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person decided about a proposal, with a reason."""

    decision_id: str
    proposal_id: str
    run_id: str
    kind: DecisionKind
    by: str
    role: str
    reason: str
    digest: str
    at: datetime
    #: approve: {"without": [parts that are rejected]}; edit: {"plan": [...]}; respond: {"remark": str}; escalate: {"queue": str}
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """What a plan took when it was executed, as the executor worked it out, and the decisions that it counted."""

    proposal_id: str
    run_id: str
    digest: str
    role: str
    four_eyes: bool
    #: ids
    decisions: Sequence[str]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """What a step of a plan adds to a total, from when it was decided about, and from when it is begun."""

    proposal_id: str
    run_id: str
    step: int
    kind: str
    per: str
    key: str
    cents: int
    #: by the database's clock
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One executed action of an approved (or automatic) plan."""

    run_id: str
    proposal_id: str
    #: place in the plan, from 0
    step: int
    action: str
    tool: str
    args: Mapping[str, Any]
    key: str
    status: EffectStatus
    at: datetime
    receipt: Mapping[str, Any] | None = None
    error: str | None = None
    #: [{"system", "record", "field", "before", "after"}]: what the step is to change, and what is there before
    expects: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class RunHistory:
    """What happened in a run so far: what a step knows of it, and what a plan is worked out again from."""

    run: Run
    #: the latest of each name, in the order in which they were read
    facts: Sequence[Fact] = ()
    #: the oldest first, as all that follows
    proposals: Sequence[Proposal] = ()
    decisions: Sequence[Decision] = ()
    effects: Sequence[Effect] = ()

    @property
    def proposal(self) -> Proposal | None:
        """The latest, whatever its status."""
        return self.proposals[-1] if self.proposals else None

    def effects_of(self, proposal_id: str) -> list[Effect]:
        """Those of one plan."""
        return [one for one in self.effects if one.proposal_id == proposal_id]


def latest_facts(looks: Iterable[Iterable[Fact]]) -> list[Fact]:
    """Of what several looks read, the latest of each name, in the order in which they were read."""
    latest: dict[str, Fact] = {}
    for fact in (fact for look in looks for fact in look):
        latest.pop(fact.name, None)
        latest[fact.name] = fact
    return list(latest.values())


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A run that cannot go on by itself."""

    incident_id: str
    run_id: str
    reason: str
    at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Lease:
    """A run that a process works on."""

    run_id: str
    #: greater with every holder
    token: int
    #: how many holders in a row before this one did not give it back
    lost: int = 0


@dataclass(frozen=True)
class Leave:
    """Leave to send one write, for whoever holds its run: nobody ends the run as long as it is good."""

    run_id: str
    token: int
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account of this project, with what they are (PERSON_ROLES)."""

    name: str
    role: str
    #: whose orders and messages a customer sees
    customer_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Somebody has a proposal open; others see it, and may decide all the same."""

    proposal_id: str
    by: str
    since: datetime
    #: it lapses by itself
    until: datetime


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """A row of the audit log: `digest` covers the row and the digest before it."""

    seq: int
    at: datetime
    kind: str
    run_id: str
    body: Mapping[str, Any]
    previous: str
    digest: str
