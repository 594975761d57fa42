"""What may be decided by whom, and which steps are legal: pure functions, the same for every ledger.

Each raises Refused (not allowed, or not any more) or BadInput (not as it must be) with one sentence, or returns
what follows.
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from errors import BadInput, Refused
from ledger import names, permissions
from ledger.canonical import clean, digest, moment
from ledger.records import (
    PERSON_ROLES,
    REASONERS,
    ROLES,
    Approval,
    Authorization,
    Decision,
    DecisionKind,
    NewObservation,
    Person,
    Proposal,
    ProposalStatus,
    Run,
)
from rendering import clock

#: by which the clocks of two machines may differ
SKEW = timedelta(minutes=5)
_AFTER: Mapping[DecisionKind, ProposalStatus] = {
    "approve": "approved",
    "edit": "sent_back",
    "reject": "rejected",
    "respond": "sent_back",
    "escalate": "escalated",
}
_VERBS: Mapping[DecisionKind, str] = {
    "approve": "approved",
    "edit": "edited",
    "reject": "rejected",
    "respond": "sent back",
    "escalate": "escalated",
}


Plan = Sequence[Mapping[str, Any]]
#: what stands in the log where nobody signed in
_SYSTEM = ("the command line", "the system", "missions")


@dataclass(frozen=True, kw_only=True)
class DecisionRequest:
    """A decision that a person asks for, before anything was checked."""

    proposal_id: str
    kind: DecisionKind
    #: the name of the authenticated person
    by: str
    reason: str
    #: digest of the proposal that the person saw
    digest: str
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


def authority(role: str) -> int:
    """The rank of a role, 0 for the least. Raises BadInput for what is no role."""
    try:
        return ROLES.index(role)
    except ValueError:
        raise BadInput(f"'{role}' is not a role of the ledger; name one of {', '.join(ROLES)}.") from None


def check_person(name: str, role: str, customer_id: str | None) -> None:
    """A person has a role that there is; a customer is the customer of somebody's records, and nobody else is; else BadInput."""
    person_key(name)
    if role not in PERSON_ROLES:
        raise BadInput(f"'{role}' is not a role of a person; name one of {', '.join(PERSON_ROLES)}.")
    if (role == "customer") != bool(customer_id):
        raise BadInput("A customer needs a customer id, and only customers have one.")


def check_new_name(name: str, alike: str | None) -> None:
    """BadInput for a name that cannot be told from another: of somebody who is there (`alike`), or of the system itself.

    A reasoner's name stands under its proposals, that of the command line under what nobody signed in for.
    """
    names.check_name(clean(name))
    if names.skeleton(name) in {names.skeleton(one) for one in (*REASONERS, *_SYSTEM)}:
        raise BadInput(f"'{name.strip()}' is the name of a reasoner or of the system, or looks like it: give another one.")
    if alike is not None:
        raise BadInput(
            f"'{name.strip()}' looks like '{alike}', who already exists; choose a name that cannot be confused with it."
        )


def is_called(person: Person, name: str) -> bool:
    """Whether the name is that of this person, but for case and blanks around it; another form of it only looks so."""
    return person.name.casefold() == clean(name).strip().casefold()


def rank(person: Person) -> int:
    """Authority over proposals: an administrator or an auditor has none."""
    return authority(person.role) if person.role in ROLES else 0


def person_key(name: str) -> str:
    """The form under which a person is unique: 'Ann', ' ann' and 'ANN' are one person. Raises BadInput where nothing is left.

    NFKC of Unicode Standard Annex 15, and case folding.
    """
    key = unicodedata.normalize("NFKC", clean(name)).strip().casefold()
    if not key:
        raise BadInput("A person needs a name: give one.")
    return key


def judge(
    ask: DecisionRequest,
    person: Person | None,
    proposal: Proposal,
    run: Run,
    earlier: Sequence[Decision],
    editors: Collection[str] = (),
) -> tuple[Person, ProposalStatus]:
    """Who decides, and the status of the proposal afterwards ("pending" after the first of two approvals).

    `earlier` are the decisions about this proposal, oldest first; `editors` are of `edited_by`. Raises Refused at the first
    rule that is broken.
    """
    if person is None:
        raise Refused(f"'{ask.by}' is not known to the ledger: add this person with a role first.")
    if not ask.reason.strip():
        raise Refused(f"A decision needs a reason: say why you {ask.kind} proposal {proposal.proposal_id}.")
    _still_open(proposal, run, earlier)
    if ask.digest != proposal.digest:
        raise Refused(f"Proposal {proposal.proposal_id} has changed since you opened it (its digest differs); open it again.")
    if ask.kind in ("approve", "edit") and proposal.held_by:
        raise Refused(
            f"Proposal {proposal.proposal_id} would change the same records as run {proposal.held_by}; "
            "decide that one first, and this one reads its data again."
        )
    if ask.kind in ("approve", "edit") and moment(ask.at) > proposal.expires_at:
        raise Refused(
            f"Proposal {proposal.proposal_id} expired at {clock(moment(proposal.expires_at), with_seconds=True)}: "
            "respond to it, so that the Mission looks again."
        )
    _has_authority(ask.kind, person, proposal)
    if ask.kind != "approve":
        return person, _AFTER[ask.kind]
    return person, _after_approval(person, proposal, run, earlier, editors)


def _still_open(proposal: Proposal, run: Run, earlier: Sequence[Decision]) -> None:
    """Raises Refused, saying who was faster, unless the proposal waits for a decision."""
    if proposal.status == "pending" and run.status == "waiting":
        return
    if proposal.status == "pending":
        raise Refused(
            f"Run {run.run_id} is '{run.status}' and waits for no decision about {proposal.proposal_id}: "
            "see the run for what it needs."
        )
    if proposal.status == "superseded":
        raise Refused(f"Proposal {proposal.proposal_id} was superseded by a newer one: open that one.")
    if not earlier:
        raise Refused(f"Proposal {proposal.proposal_id} is '{proposal.status}' and is not waiting for a decision.")
    raise Refused(already(earlier[-1]))


def already(last: Decision) -> str:
    """The message for somebody whom another person forestalled."""
    at = clock(moment(last.at), with_seconds=True)
    return f"Proposal {last.proposal_id} was already {_VERBS[last.kind]} by {last.by} at {at}."


def _has_authority(kind: DecisionKind, person: Person, proposal: Proposal) -> None:
    needed = proposal.approval.role if kind in ("approve", "edit") else "reviewer"
    if rank(person) < authority(needed):
        raise Refused(
            f"To {kind} proposal {proposal.proposal_id} requires the role {needed}, and {person.name} is {person.role}; "
            f"ask a person who is {needed} or above."
        )


def edited_by(plan: Plan, revision: int, proposals: Sequence[Proposal], decisions: Sequence[Decision]) -> frozenset[str]:
    """The keys of those whose words a plan may have: who edited it, and who edited what it was edited from.

    `revision` is that of its proposal; `proposals` and `decisions` are of the run. It follows from what was decided, not by what
    the proposal says of its author.
    """
    before = max((one for one in proposals if one.revision < revision), key=lambda one: one.revision, default=None)
    edits = [one for one in decisions if before and (one.kind, one.proposal_id) == ("edit", before.proposal_id)]
    if before is None or not edits:
        return frozenset()
    made = [edit for edit in edits if _is_of(plan, edit.details.get("plan") or (), before.plan)]
    return frozenset(person_key(edit.by) for edit in made).union(
        edited_by(before.plan, before.revision, proposals, decisions) if made else ()
    )


def _is_of(plan: Plan, edited: Plan, before: Plan) -> bool:
    """Whether a plan is what an edit made of the one before, or has a value that it brought in."""
    there, brought = _values(plan), _values(edited)
    return there == brought or bool(set(there) & (set(brought) - set(_values(before))))


def _values(plan: Plan) -> list[tuple[str, str, str]]:
    """(action, argument, value) of every argument of a plan, in its order."""
    steps = [step for step in plan if isinstance(step, Mapping) and isinstance(step.get("args"), Mapping)]
    return [(str(step.get("name")), str(name), digest(value)) for step in steps for name, value in sorted(step["args"].items())]


def _after_approval(
    person: Person, proposal: Proposal, run: Run, earlier: Sequence[Decision], editors: Collection[str]
) -> ProposalStatus:
    """Nobody approves their own words or request, but a tone that policy leaves to them; four eyes are two different people."""
    me = person_key(person.name)
    if run.event.requested_by and person_key(run.event.requested_by) == me:
        raise Refused(f"{person.name} asked for run {run.run_id} and may not approve its plan: another person must.")
    if me in {person_key(proposal.author), *editors} and not proposal.approval.own:
        raise Refused(
            f"{person.name} edited proposal {proposal.proposal_id} and may not approve it, nor what others edit it into: "
            "another person must."
        )
    if not proposal.approval.four_eyes:
        return "approved"
    approvals = [decision for decision in earlier if decision.kind == "approve"]
    if me in {person_key(decision.by) for decision in approvals}:
        raise Refused(
            f"{person.name} approved proposal {proposal.proposal_id} already: the second approval takes another person."
        )
    least = authority(proposal.approval.role)  # which may have risen since the first approval
    return "approved" if any(authority(decision.role) >= least for decision in approvals) else "pending"


def unapproved(
    proposal: Proposal,
    run: Run,
    decisions: Sequence[Decision],
    needed: Approval,
    person: Callable[[str], Person | None],
    authors: Collection[str] = (),
) -> str | None:
    """Why the decisions about a proposal do not make it an approved one, whatever its status says; None where they do.

    `needed` is what it takes, `person` tells who somebody is now, and `authors` are those who made it besides its author.
    """
    about = [one for one in decisions if one.proposal_id == proposal.proposal_id]
    approvals = [one for one in about if one.kind == "approve"]
    if len(approvals) < len(about):
        return "another decision contradicts it"
    if any(one.digest != proposal.digest for one in approvals):
        return "an approval of it is about another digest"
    if any(one.role not in ROLES or authority(one.role) < authority(needed.role) for one in approvals):
        return f"an approval of it is not from a {needed.role} or above"
    approvers = {person_key(one.by) for one in approvals}
    made = set() if needed.own and proposal.author not in REASONERS else {proposal.author, *authors}
    if approvers & {person_key(name) for name in (*made, run.event.requested_by) if name}:
        return "it was approved by the person who made it or asked for it"
    if len(approvers) < 1 + needed.four_eyes:
        return "it has not the approvals that it takes"
    for one in approvals:
        if not proposal.created_at - SKEW <= moment(one.at) <= proposal.expires_at:
            return f"the approval of {one.by} was not made while it could be approved"
        now = person(one.by)
        if now is None or rank(now) < authority(needed.role):
            return f"{one.by}, who approved it, is not {needed.role} or above now"
    return None


def authorize(proposal: Proposal, needed: Approval, decisions: Sequence[Decision], at: datetime) -> Authorization:
    """What a proposal is executed under: what it takes, and no less than what it says itself, over its approvals."""
    role = max(proposal.approval.role, needed.role, key=authority)
    return Authorization(
        proposal_id=proposal.proposal_id,
        run_id=proposal.run_id,
        digest=proposal.digest,
        role=role,
        four_eyes=proposal.approval.four_eyes or needed.four_eyes,
        decisions=[one.decision_id for one in decisions if one.proposal_id == proposal.proposal_id],
        at=at,
    )


def decision_of(ask: DecisionRequest, person: Person, run_id: str) -> Decision:
    """The record of a decision that `judge` let pass."""
    return Decision(
        decision_id=uuid4().hex,
        proposal_id=ask.proposal_id,
        run_id=run_id,
        kind=ask.kind,
        by=person.name,
        role=person.role,
        reason=ask.reason.strip(),
        digest=ask.digest,
        at=ask.at,
        details=ask.details,
    )


def observation_of(decision: Decision) -> NewObservation:
    """What the rail says of a decision."""
    without = decision.details.get("without")
    what = f"{decision.kind} without {', '.join(without)}" if without else decision.kind
    text = f"{decision.by} ({decision.role}): {what}, “{decision.reason}”"
    return NewObservation("review", "decision", text, {"decision": decision.decision_id})


def check_settlement(run: Run, person: Person | None, by: str, reason: str) -> Person:
    """Only an incident is resumed or abandoned, by somebody who may, with a reason; else Refused. Returns who does it."""
    if person is None:
        raise Refused(f"'{by}' is not known to the ledger: add this person with a role first.")
    if not reason.strip():
        raise Refused(f"To settle the incident of run {run.run_id} requires a reason; say what was fixed, or why it is closed.")
    if run.status != "incident":
        raise Refused(f"Run {run.run_id} is '{run.status}' and no incident: there is nothing to settle.")
    return permissions.require(person, "settle_incident")


def steps_left_out(proposal: Proposal, decisions: Iterable[Decision]) -> set[int]:
    """The steps of the parts that approvals left out, counted from 0."""
    parts = parts_left_out(proposal, decisions)
    return {step for step, action in enumerate(proposal.plan) if action.get("part") in parts}


def parts_left_out(proposal: Proposal, decisions: Iterable[Decision]) -> list[str]:
    """The parts of the plan that approvals left out; of two approvals, what either left out."""
    approvals = [one for one in decisions if one.proposal_id == proposal.proposal_id and one.kind == "approve"]
    return list(dict.fromkeys(part for one in approvals for part in one.details.get("without", ())))
