"""Whether the rows of the ledger are what the audit chain says of them: pure functions over one run.

The chain is the witness: what it says of a row, the row must still say, and every row must stand in it. A field
that an older row of the chain does not mention is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger import audit_chain, authorization
from ledger.authorization import authority, unapproved
from ledger.canonical import storable
from ledger.records import NOBODY, AuditEntry, Authorization, Commitment, Decision, Effect, Fact, Incident, Person, Proposal, Run

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


#: what there is of a run by the fields of `Rows`, and how one is called in a sentence
_NAMES: Mapping[str, str] = {
    "proposals": "Proposal {} of run {}",
    "decisions": "Decision {} of run {}",
    "effects": "Effect {} of run {}",
    "authorizations": "The authorization of proposal {} of run {}",
    "commitments": "What proposal {} of run {} adds to a total",
    "incidents": "Incident {} of run {}",
}


class _Telling:
    """What the chain says of one run, read from its first row to its last."""

    def __init__(self) -> None:
        self.run: RowData = {}
        #: by the names of _NAMES, then by key
        self.rows: dict[str, dict[str, RowData]] = {name: {} for name in _NAMES}
        #: sentences about effects after the end of the run
        self.late: list[str] = []
        #: the effect because of which the run was reopened, until somebody settles it
        self.reopened = ""

    def hear(self, entry: AuditEntry) -> None:
        """Take one row of the chain in. Raises KeyError where its body lacks what it must have."""
        body, at = dict(entry.body), entry.at
        match entry.kind:
            case "event_taken_in":
                self.run = {**body, "status": "running", "verdict": None, "outcome": None, "ended_at": None}
            case "proposed":
                if superseded := body.pop("supersedes"):
                    self.rows["proposals"][superseded]["status"] = "superseded"
                self.rows["proposals"][body["proposal_id"]] = body
                self.run["status"] = "waiting" if body["status"] == "pending" else "running"
            case "decided":
                status = self.rows["proposals"][body["proposal_id"]]["status"] = body.pop("proposal_status")
                self._commit(body)
                self.rows["decisions"][body["decision_id"]] = {**body, "at": at}
                if status != "pending":
                    self.run["status"] = "running"
            case "released":
                self.rows["proposals"][body["proposal_id"]]["status"] = "superseded"
                if self.run["status"] == "waiting":
                    self.run["status"] = "running"
            case "effect_marked":
                if self.run["status"] == "closed":
                    self.late.append(f"{body['action']} ({body['key']}) was marked '{body['status']}' after the run had ended")
                if allowed := body.pop("authorized", None):
                    self.rows["authorizations"][body["proposal_id"]] = allowed
                self._commit(body)
                self.rows["effects"][body["key"]] = {**body, "at": at}
            case "incident_opened":
                if reopens := body.pop("reopens", ""):
                    self.run |= {"verdict": None, "outcome": None, "ended_at": None}
                    self.reopened = reopens
                self.rows["incidents"][body["incident_id"]] = {**body, "at": at, "closed_at": None}
                self.run["status"] = "incident"
            case "run_resumed":
                self._close_incidents(entry)
                self.run["status"] = "waiting" if self._pending() else "running"
            case "run_restarted":
                self._close_incidents(entry)
                if superseded := body["supersedes"]:
                    self.rows["proposals"][superseded]["status"] = "superseded"
                self.run |= {"status": "running", "versions": body["versions"]}
            case "run_closed":
                self._close_incidents(entry)
                for proposal in self._pending():
                    proposal["status"] = "superseded"
                self.run |= {"status": "closed", **body, "ended_at": at}

    def _commit(self, body: RowData) -> None:
        for step, *named, cents, at in body.pop("adds", ()):
            self.rows["commitments"][_named(body["proposal_id"], step, *named)] = {"cents": cents, "at": at}

    def _pending(self) -> list[RowData]:
        return [proposal for proposal in self.rows["proposals"].values() if proposal["status"] == "pending"]

    def _close_incidents(self, entry: AuditEntry) -> None:
        self.reopened = ""
        for incident in self.rows["incidents"].values():
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
    yield from compared("Run {}", {rows.run.run_id: run}, {rows.run.run_id: telling.run} if telling.run else {})
    for part, kept in _as_logged(rows, telling.rows["proposals"]).items():
        yield from compared(_NAMES[part].format("{}", rows.run.run_id), kept, telling.rows[part])
    yield from _unauthorized(rows)


def _as_logged(rows: Rows, proposals: Mapping[str, RowData]) -> dict[str, dict[str, RowData]]:
    """The rows as the chain would tell of them; `proposals` is what it does tell of those."""
    return {
        "proposals": {one.proposal_id: _proposal(one, rows.looks, proposals) for one in rows.proposals},
        "decisions": {one.decision_id: {**audit_chain.of_decision(one, ""), "at": one.at} for one in rows.decisions},
        "effects": {one.key: {**audit_chain.of_effect(one), "at": one.at} for one in rows.effects},
        "authorizations": {one.proposal_id: audit_chain.of_authorization(one) for one in rows.authorizations},
        "commitments": {
            _named(one.proposal_id, one.step, one.kind, one.per, one.key): {"cents": one.cents, "at": one.at}
            for one in rows.commitments
        },
        "incidents": {
            one.incident_id: {**audit_chain.of_incident(one), "at": one.at, "closed_at": one.closed_at} for one in rows.incidents
        },
    }


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


def compared(name: str, rows: Mapping[str, RowData], logged: Mapping[str, RowData]) -> Iterator[str]:
    """A sentence for each row that is not as it is logged, by key; `name` is how one is called, with {} for its key."""
    for key, row in rows.items():
        if key not in logged:
            yield f"{name.format(key)} is in the ledger but not in the audit log: it was added, bypassing the audit log."
            continue
        said = logged[key]
        fields = [_WORDS.get(field, field) for field in said if field in row and storable(row[field]) != storable(said[field])]
        if fields:
            differing = f"is not as the audit log says ({', '.join(fields)})"
            yield f"{name.format(key)} {differing}: it was changed, bypassing the audit log."
    for key in logged.keys() - rows.keys():
        yield f"{name.format(key)} is in the audit log but missing from the ledger: it was deleted, bypassing the audit log."


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
