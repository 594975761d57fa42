"""Whether the rows of the ledger are what the audit chain says of them: pure functions over one run, or over people.

The chain is the witness: what it says of a row, the row must still say, and every row must stand in it. A field
that an older row of the chain does not mention is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ledger import audit_chain, authorization, lessons, policies
from ledger.authorization import authority, person_key, unapproved
from ledger.canonical import storable
from ledger.lessons import Settlement
from ledger.policies import PolicyDraft, PolicySnapshot
from ledger.records import (
    NOBODY,
    AuditEntry,
    Authorization,
    Commitment,
    Decision,
    Effect,
    Fact,
    Incident,
    Person,
    Proposal,
    Run,
)

RowData = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What the ledger holds of one run."""

    run: Run
    looks: Sequence[Sequence[Fact]] = ()
    proposals: Sequence[Proposal] = ()
    decisions: Sequence[Decision] = ()
    effects: Sequence[Effect] = ()
    authorizations: Sequence[Authorization] = ()
    commitments: Sequence[Commitment] = ()
    incidents: Sequence[Incident] = ()


@dataclass
class _Telling:
    """What the chain says of one run, read from its first row to its last."""

    run: RowData = field(default_factory=dict)
    proposals: dict[str, RowData] = field(default_factory=dict)
    decisions: dict[str, RowData] = field(default_factory=dict)
    effects: dict[str, RowData] = field(default_factory=dict)
    authorizations: dict[str, RowData] = field(default_factory=dict)
    commitments: dict[str, RowData] = field(default_factory=dict)
    incidents: dict[str, RowData] = field(default_factory=dict)
    #: sentences about effects after the end of the run
    late: list[str] = field(default_factory=list)
    #: the effect because of which the run was reopened, until somebody settles it
    reopened: str = ""

    def hear(self, entry: AuditEntry) -> None:
        """Take one row of the chain in. Raises KeyError where its body lacks what it must have."""
        body, at = dict(entry.body), entry.at
        match entry.kind:
            case "event_taken_in":
                self.run = {**body, "status": "running", "verdict": None, "outcome": None, "ended_at": None}
            case "proposed":
                if superseded := body.pop("supersedes"):
                    self.proposals[superseded]["status"] = "superseded"
                self.proposals[body["proposal_id"]] = body
                self.run["status"] = "waiting" if body["status"] == "pending" else "running"
            case "decided":
                status = self.proposals[body["proposal_id"]]["status"] = body.pop("proposal_status")
                self._commit(body)
                self.decisions[body["decision_id"]] = {**body, "at": at}
                if status != "pending":
                    self.run["status"] = "running"
            case "released":
                self.proposals[body["proposal_id"]]["status"] = "superseded"
                if self.run["status"] == "waiting":
                    self.run["status"] = "running"
            case "effect_marked":
                if self.run["status"] == "closed":
                    self.late.append(f"{body['action']} ({body['key']}) was marked '{body['status']}' after the run had ended")
                if allowed := body.pop("authorized", None):
                    self.authorizations[body["proposal_id"]] = allowed
                self._commit(body)
                self.effects[body["key"]] = {**body, "at": at}
            case "incident_opened":
                if reopens := body.pop("reopens", ""):
                    self.run |= {"verdict": None, "outcome": None, "ended_at": None}
                    self.reopened = reopens
                self.incidents[body["incident_id"]] = {**body, "at": at, "closed_at": None}
                self.run["status"] = "incident"
            case "run_resumed":
                self._close_incidents(entry)
                self.run["status"] = "waiting" if self._pending() else "running"
            case "run_restarted":
                self._close_incidents(entry)
                if superseded := body["supersedes"]:
                    self.proposals[superseded]["status"] = "superseded"
                self.run |= {"status": "running", "versions": body["versions"]}
            case "run_closed":
                self._close_incidents(entry)
                for proposal in self._pending():
                    proposal["status"] = "superseded"
                self.run |= {"status": "closed", **body, "ended_at": at}

    def _commit(self, body: RowData) -> None:
        for step, *named, cents, at in body.pop("adds", ()):
            self.commitments[_named(body["proposal_id"], step, *named)] = {"cents": cents, "at": at}

    def _pending(self) -> list[RowData]:
        return [proposal for proposal in self.proposals.values() if proposal["status"] == "pending"]

    def _close_incidents(self, entry: AuditEntry) -> None:
        self.reopened = ""
        for incident in self.incidents.values():
            if incident["closed_at"] is None:
                incident["closed_at"] = entry.at


def run_differences(rows: Rows, entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One sentence for each row of a run that is not as the chain says; `entries` are the run's, in their order."""
    telling, of = _Telling(), f"of run {rows.run.run_id}"
    for entry in entries:
        try:
            telling.hear(entry)
        except KeyError as missing:
            yield f"Audit row {entry.seq} {of} refers to {missing}, which no earlier row introduces."
    yield from (f"{one} {of}: nothing may be done then." for one in telling.late)
    if telling.reopened:
        yield f"Effect {telling.reopened} {of} was sent after the run had ended; the run is an incident until it is resolved."
    if rows.run.status == "closed":
        doubt = ("executing",) if rows.run.outcome == "abandoned" else ("executing", "unknown")
        yield from (
            f"Effect {one.key} ({one.action}) {of} is '{one.status}', and the run has ended: look whether it was done."
            for one in rows.effects if one.status in doubt
        )  # fmt: skip
    run = {
        **audit_chain.of_event(rows.run.event, rows.run.versions), "status": rows.run.status,
        "verdict": rows.run.verdict, "outcome": rows.run.outcome, "ended_at": rows.run.ended_at,
    }  # fmt: skip
    yield from _differing(f"Run {rows.run.run_id}", run, telling.run)
    proposals = {one.proposal_id: _proposal(one, rows.looks, telling.proposals) for one in rows.proposals}
    yield from _compared(f"Proposal {{}} {of}", proposals, telling.proposals)
    decisions = {one.decision_id: {**audit_chain.of_decision(one, ""), "at": one.at} for one in rows.decisions}
    yield from _compared(f"Decision {{}} {of}", decisions, telling.decisions)
    effects = {one.key: {**audit_chain.of_effect(one), "at": one.at} for one in rows.effects}
    yield from _compared(f"Effect {{}} {of}", effects, telling.effects)
    allowed = {one.proposal_id: audit_chain.of_authorization(one) for one in rows.authorizations}
    yield from _compared(f"The authorization of proposal {{}} {of}", allowed, telling.authorizations)
    adding = {
        _named(one.proposal_id, one.step, one.kind, one.per, one.key): {"cents": one.cents, "at": one.at}
        for one in rows.commitments
    }
    yield from _compared(f"What proposal {{}} {of} adds to a total", adding, telling.commitments)
    yield from _unauthorized(rows)
    incidents = {
        one.incident_id: {**audit_chain.of_incident(one), "at": one.at, "closed_at": one.closed_at} for one in rows.incidents
    }
    yield from _compared(f"Incident {{}} {of}", incidents, telling.incidents)


def _named(proposal_id: str, step: int, *total: str) -> str:
    return f"{proposal_id}, step {step + 1} ({' '.join(total).strip()})"


def _unauthorized(rows: Rows) -> Iterator[str]:
    """Effects that stand there without what they need: an authorization over decisions that give it, for that step."""
    proposals = {one.proposal_id: one for one in rows.proposals}
    allowed = {one.proposal_id: one for one in rows.authorizations}
    for effect in rows.effects:
        name, given = f"Effect {effect.key} of run {rows.run.run_id}", allowed.get(effect.proposal_id)
        proposal = proposals.get(effect.proposal_id)
        step = proposal.plan[effect.step] if proposal and 0 <= effect.step < len(proposal.plan) else {}
        if given is None:
            yield f"{name} has no authorization: it was written, bypassing the audit log."
        if (step.get("name"), storable(step.get("args"))) != (effect.action, storable(effect.args)):
            yield f"{name} is not a step of the plan that was decided: it was changed, bypassing the audit log."
        elif proposal and effect.step in authorization.steps_left_out(proposal, rows.decisions):
            yield f"{name} belongs to a part that an approval left out: it was written without authorization."
        elif proposal and (wrong := _undecided(proposal, rows, given)):
            yield f"{name} was not allowed, for {wrong}: it was written, bypassing the audit log."


def _undecided(proposal: Proposal, rows: Rows, given: Authorization | None) -> str | None:
    least = replace(proposal.approval, role=given.role, four_eyes=given.four_eyes) if given else proposal.approval
    if given and (given.digest != proposal.digest or authority(given.role) < authority(proposal.approval.role)):
        return "its authorization is for another plan"
    if proposal.status == "automatic" and least.role == NOBODY.role:
        return None
    roles = {one.by: one.role for one in rows.decisions}  # whoever approved may be something else by now
    return unapproved(proposal, rows.run, rows.decisions, least, lambda name: Person(name=name, role=roles[name]))


def _proposal(proposal: Proposal, looks: Sequence[Sequence[Fact]], logged: Mapping[str, RowData]) -> RowData:
    """With the evidence that there was when it was proposed: later looks belong to later proposals."""
    seen = len(logged.get(proposal.proposal_id, {}).get("evidence", ()))
    return audit_chain.of_proposal(proposal, None, [audit_chain.look_digest(look) for look in looks[:seen]])


def people_differences(people: Iterable[Person], entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The same for people and their roles; `entries` are those of the kind "person_added"."""
    logged = {person_key(entry.body["name"]): dict(entry.body) for entry in entries}
    rows = {person_key(person.name): audit_chain.of_person(person) for person in people}
    yield from _compared("The person '{}'", rows, logged)


def draft_differences(kept: Iterable[PolicyDraft], entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The same for drafts of policies and what became of them; `entries` are those of DRAFT_KINDS."""
    logged: dict[str, RowData] = {}
    for entry in entries:
        key, status = entry.body["draft_id"], DRAFT_KINDS[entry.kind]
        agreed = logged.get(key, {}).get("agreed", [])
        if entry.kind == "policy_draft_agreed":
            logged[key] = {**logged.get(key, {}), "agreed": [*agreed, entry.body["by"]]}
            continue
        settled_at = None if status == "draft" else entry.at
        logged[key] = {**entry.body, "status": status, "settled_at": settled_at, "agreed": agreed}
    rows = {}
    for draft in kept:
        last = (draft.drafted_by, draft.reason) if draft.status == "draft" else (draft.settled_by, draft.settled_reason)
        shown = {**policies.audited_draft(draft, *last), "status": draft.status, "settled_at": draft.settled_at}
        rows[draft.draft_id] = {**shown, "agreed": [one["by"] for one in draft.agreed]}
    yield from _compared("The policy draft {}", rows, logged)


def book_differences(kept: Iterable[PolicySnapshot], entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The same for the policies in force; `entries` are those of the kind "policies_kept"."""
    logged = {one.body["book_id"]: {**one.body, "at": one.at} for one in entries}
    rows = {one.book_id: {**policies.audited_policies(one), "at": one.at} for one in kept}
    yield from _compared("The book of policies {}", rows, logged)


def lesson_differences(kept: Iterable[Settlement], entries: Iterable[AuditEntry]) -> Iterator[str]:
    """The same for what became of lessons; `entries` are those of LESSON_KINDS."""
    logged = {one.body["decision_id"]: {**one.body, "status": LESSON_KINDS[one.kind], "at": one.at} for one in entries}
    rows = {one.decision_id: {**lessons.audited(one), "status": one.status, "at": one.at} for one in kept}
    yield from _compared("The settled lesson {}", rows, logged)


#: kinds of audit rows about a lesson, and its status after each
LESSON_KINDS: Mapping[str, str] = {"lesson_promoted": "promoted", "lesson_dropped": "dropped"}

#: kinds of audit rows about a draft, and its status after each
DRAFT_KINDS: Mapping[str, str] = {
    "policy_drafted": "draft",
    "policy_draft_agreed": "draft",
    "policy_put_in_force": "in_force",
    "policy_draft_withdrawn": "withdrawn",
}


def _compared(name: str, rows: Mapping[str, RowData], logged: Mapping[str, RowData]) -> Iterator[str]:
    for key, row in rows.items():
        if key not in logged:
            yield f"{name.format(key)} is in the ledger but not in the audit log: it was added, bypassing the audit log."
        else:
            yield from _differing(name.format(key), row, logged[key])
    for key in logged.keys() - rows.keys():
        yield f"{name.format(key)} is in the audit log but missing from the ledger: it was deleted, bypassing the audit log."


def _differing(name: str, row: RowData, logged: RowData) -> Iterator[str]:
    if not logged:
        yield f"{name} is in the ledger but not in the audit log: it was added, bypassing the audit log."
        return
    fields = [_WORDS.get(field, field) for field in logged if field in row and storable(row[field]) != storable(logged[field])]
    if fields:
        yield f"{name} is not as the audit log says ({', '.join(fields)}): it was changed, bypassing the audit log."


#: fields of bodies that are digests of something, by what that is
_WORDS: Mapping[str, str] = {
    "row_digest": "plan, changes or rationale",
    "args_digest": "arguments",
    "receipt_digest": "receipt",
    "error_digest": "error",
    "expects_digest": "expected values",
    "details_digest": "details",
    "text_digest": "text",
    "evidence": "facts it stands on",
}
