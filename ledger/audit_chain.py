"""The audit chain: what one row says, how it is digested, and how the whole is verified.

A hash chain, after Schneier and Kelsey, "Secure Audit Logs to Support Computer Forensics" (1999), without their encryption.
The digest of a row is sha256 over the canonical JSON of (seq, at, kind, run_id, body, digest of the row before).
Bodies hold ids, digests, verdicts, names and reasons; what systems and customers wrote stands there as a digest.
`ledger.reconciling` compares the rows of the ledger with them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger.canonical import clean, digest, digest_of, moment, storable
from ledger.invariants import event_digest
from ledger.records import AuditEntry, Authorization, Commitment, Decision, Effect, Event, Fact, Incident, Person, Proposal

#: what stands before the first row
START = "0" * 64

#: statuses in which a run may stay for long: what is said then has a row of its own, for no other row may follow soon
AT_REST = ("waiting", "incident")


def entry(before: tuple[int, str], at: datetime, kind: str, run_id: str, body: Mapping[str, Any]) -> AuditEntry:
    """The row after `before` (seq, digest); (0, START) is before the first."""
    seq, previous = before[0] + 1, before[1]
    at, run_id, body = moment(at), clean(run_id), storable(body)
    made = _seal(seq, at, kind, run_id, body, previous)
    return AuditEntry(seq=seq, at=at, kind=kind, run_id=run_id, body=body, previous=previous, digest=made)


def _seal(seq: int, at: datetime, kind: str, run_id: str, body: Mapping[str, Any], previous: str) -> str:
    return digest([seq, at, kind, run_id, body, previous])


def verify(entries: Iterable[AuditEntry], head: tuple[int, str] | None = None) -> list[str]:
    """One sentence for each thing that is wrong; an empty list says that the chain is intact.

    `head` is a (seq, digest) that was exported before: without it a cut tail cannot be seen.
    """
    problems: list[str] = []
    seq, previous = 0, START
    reached = head is None or head == (0, START)
    for row in entries:
        if row.seq != seq + 1:
            problems.append(f"After audit row {seq} comes row {row.seq}: rows between them were deleted or added.")
        if row.previous != previous:
            problems.append(f"Audit row {row.seq} does not follow the row before it: one was edited, moved or deleted.")
        if row.digest != _seal(row.seq, row.at, row.kind, row.run_id, row.body, row.previous):
            problems.append(f"Audit row {row.seq} was edited: its digest does not cover what it says.")
        seq, previous = row.seq, row.digest
        if head is not None and row.seq == head[0]:
            reached = True
            if row.digest != head[1]:
                problems.append(f"Audit row {row.seq} is not the one that was exported as the head.")
    if not reached and head is not None:
        problems.append(f"The audit log ends at row {seq}, and the exported head is row {head[0]}: its tail was cut.")
    return problems


def _fields(record: object, names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names.split()}


# What a row says, by its kind: what happened, in plain data.


def of_event(event: Event, versions: Mapping[str, str]) -> dict[str, Any]:
    """Of the kind "event_taken_in"."""
    return {
        **_fields(event, "source_id mission subject requested_by"),
        "event": event.name,
        "digest": event_digest(event),
        "as_of": moment(event.as_of).isoformat(),
        "versions": versions,
    }


def of_proposal(proposal: Proposal, superseded: str | None, evidence: Sequence[str]) -> dict[str, Any]:
    """`evidence` is the `look_digest` of each look at the world that was there when this was proposed, the first look first."""
    return {
        **_fields(proposal, "proposal_id revision author verdict digest status money_at_stake_cents held_by undoes"),
        **_fields(proposal.approval, "role four_eyes own"),
        "supersedes": superseded,
        "row_digest": _proposal_digest(proposal),
        "evidence": evidence,
    }


def of_release(proposal_id: str, after: str) -> dict[str, Any]:
    return {"proposal_id": proposal_id, "after": after}


def _proposal_digest(proposal: Proposal) -> str:
    """Of what is fixed with the proposal and stands in no other field of its body."""
    moments = [proposal.created_at, proposal.expires_at, proposal.due_at]
    said = [proposal.rationale, proposal.cites, proposal.alternatives, float(proposal.confidence), proposal.tier]
    limits = [vars(limit) for limit in proposal.approval.limits]
    return digest([proposal.plan, proposal.changes, proposal.approval.clauses, said, moments, *([limits] if limits else [])])


def look_digest(look: Iterable[Fact]) -> str:
    """Of the facts of one look as they are kept, in the order in which they were recorded."""
    return digest_of(
        [[one.name, one.tool, one.args, one.status, one.value, moment(one.read_at).isoformat(), one.error] for one in look]
    )


def of_decision(decision: Decision, proposal_status: str, adds: Sequence[Commitment] = ()) -> dict[str, Any]:
    """`adds` is what the plan adds to totals by it."""
    return {
        **_of_commitments(adds),
        **_fields(decision, "decision_id proposal_id kind by role reason digest"),
        "details_digest": digest(decision.details),
        "proposal_status": proposal_status,
    }


def of_effect(effect: Effect, allowed: Authorization | None = None, adds: Sequence[Commitment] = ()) -> dict[str, Any]:
    """`allowed` is what allows it, and `adds` what its plan adds to totals: given where it was intended."""
    return {
        **_of_commitments(adds),
        **({"authorized": of_authorization(allowed)} if allowed else {}),
        **_fields(effect, "key proposal_id step action tool status"),
        "args_digest": digest(effect.args),
        "receipt_digest": None if effect.receipt is None else digest(effect.receipt),
        "error_digest": None if effect.error is None else digest(effect.error),
        "expects_digest": None if effect.expects is None else digest(effect.expects),
    }


def _of_commitments(adds: Sequence[Commitment]) -> dict[str, Any]:
    return {"adds": [[one.step, one.kind, one.per, one.key, one.cents, one.at] for one in adds]} if adds else {}


def of_authorization(allowed: Authorization) -> dict[str, Any]:
    body = {"decisions": list(allowed.decisions), "at": moment(allowed.at).isoformat()}
    return {**_fields(allowed, "digest role four_eyes"), **body}


def of_incident(incident: Incident, reopens: str = "") -> dict[str, Any]:
    """`reopens` is the key of the effect that came after the end of its run, where one did."""
    return {**_fields(incident, "incident_id reason"), **({"reopens": reopens} if reopens else {})}


def of_resumption(by: str, reason: str) -> dict[str, Any]:
    return {"by": by, "reason": reason}


def of_restart(by: str, reason: str, versions: Mapping[str, str], superseded: str | None) -> dict[str, Any]:
    return {"by": by, "reason": reason, "versions": versions, "supersedes": superseded}


def of_end(verdict: str, outcome: str) -> dict[str, Any]:
    return {"verdict": verdict, "outcome": outcome}


def of_person(person: Person) -> dict[str, Any]:
    return _fields(person, "name role customer_id")
