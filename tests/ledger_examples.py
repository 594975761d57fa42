"""Records for tests of the ledger: each builder gives a valid one, and takes what a test wants different."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.base import Ledger
from ledger.connections import plain
from ledger.model_calls import ModelCall, ModelCallEnd
from ledger.postgres import PostgresLedger
from ledger.records import Approval, Decision, DecisionKind, Effect, Event, Fact, Limit, NewObservation, Person, Proposal
from ledger.records import ProposalStatus as Status
from ledger.services import AdminService
from tests.actions import CONFIRM_RESERVATION, RELEASE_PAYMENT_HOLD

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PLAN = (
    {"name": RELEASE_PAYMENT_HOLD, "tool": "payments.release_hold", "args": {"order_id": "O-1"}},
    {"name": CONFIRM_RESERVATION, "tool": "oms.confirm", "args": {"order_id": "O-1"}},
)


def an_event(source_id: str = "ev-1", **other: Any) -> Event:
    values: dict[str, Any] = {
        "name": "order.payment_review",
        "mission": "order_exception",
        "subject": "O-1",
        "trigger": {"event": "order.payment_review", "order_id": "O-1"},
        "as_of": NOW,
    }
    return Event(source_id=source_id, **(values | other))


def a_fact(name: str = "order", **other: Any) -> Fact:
    values: dict[str, Any] = {
        "tool": "oms.get_order",
        "args": {"order_id": "O-1"},
        "status": "ok",
        "value": {"order_id": "O-1", "total_cents": 12_500, "lines": [{"sku": "A", "qty": 2}]},
        "read_at": NOW,
    }
    return Fact(name=name, **(values | other))


def said(text: str, step: str = "gather", **evidence: Any) -> NewObservation:
    return NewObservation(step=step, kind="read", text=text, evidence=evidence)


def a_proposal(
    proposal_id: str = "p-1", *, run_id: str = "run-1", role: str = "reviewer", four_eyes: bool = False, **other: Any
) -> Proposal:
    values: dict[str, Any] = {
        "revision": 1,
        "author": "planner",
        "verdict": "fulfil",
        "plan": [dict(action) for action in PLAN],
        "rationale": "The score is explained by the move.",
        "cites": [{"clause": "FRD-2", "version": "3"}],
        "alternatives": [{"option": "cancel", "for": "fraud.explained", "lost_because": "it is explained"}],
        "changes": [{"system": "payments", "record": f"order of {run_id}", "field": "on_hold", "before": True, "after": False}],
        "confidence": 0.75,
        "money_at_stake_cents": 12_500,
        "digest": f"digest of {proposal_id}",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=2),
        "due_at": NOW + timedelta(days=1),
    }
    approval = Approval(role=role, four_eyes=four_eyes, clauses=("GOV-3",))
    return Proposal(proposal_id=proposal_id, run_id=run_id, approval=approval, **(values | other))


def an_effect(key: str = "k-0", step: int = 0, *, run_id: str = "run-1", **other: Any) -> Effect:
    values: dict[str, Any] = {
        "proposal_id": "p-1",
        "action": PLAN[step]["name"] if step < len(PLAN) else "nothing",
        "tool": PLAN[step]["tool"] if 0 <= step < len(PLAN) else "nothing",
        "args": {"order_id": "O-1"},
        "status": "intended",
        "at": LATER,
    }
    return Effect(key=key, step=step, run_id=run_id, **(values | other))


def a_call(call_id: str = "c-1", **other: Any) -> ModelCall:
    """A question to a model that is being asked."""
    values: dict[str, Any] = {
        "run_id": "run-1",
        "look": 1,
        "purpose": "choice",
        "model": "small",
        "prompt": "hybrid@1:3fa2b19c",
        "question": "digest of a question",
        "status": "sent",
        "at": NOW,
        "reserved_tokens": 4_000,
    }
    return ModelCall(call_id=call_id, **(values | other))


def answered(**other: Any) -> ModelCallEnd:
    """Its answer."""
    values: dict[str, Any] = {
        "status": "answered",
        "ended_at": LATER,
        "input_tokens": 900,
        "output_tokens": 100,
        "cost_cents": 0.25,
        "latency_ms": 12.5,
        "retries": 1,
        "answer": {"choice": "plan-1", "reasons": [{"says": "Because.", "observations": [3]}]},
    }
    return ModelCallEnd(**(values | other))


def started(ledger: Ledger, run_id: str = "run-1") -> None:
    """A run of this id over an event of its own."""
    ledger.take_in(an_event(f"event of {run_id}"), run_id, {"graph": "1", "policies": "7"})


def staffed(ledger: Ledger) -> None:
    """Two reviewers, a supervisor, two of finance, and an analyst, who decides about nothing."""
    for name, role in (
        ("Rita", "reviewer"),
        ("Rolf", "reviewer"),
        ("Sara", "supervisor"),
        ("Fred", "finance"),
        ("Fay", "finance"),
        ("Nick", "analyst"),
    ):
        ledger.add_person(name, role)


def decided(
    ledger: Ledger, kind: DecisionKind = "approve", by: str = "Fred", proposal_id: str = "p-1", **other: Any
) -> tuple[Decision, Status]:
    values: Mapping[str, Any] = {"reason": "It is in order.", "digest": f"digest of {proposal_id}", "at": LATER}
    return ledger.decide(proposal_id, kind=kind, by=by, **{**values, **other})


def a_limit(**other: Any) -> Limit:
    """$600 for C-1 within a week, to which the first step adds $500; above it a supervisor decides."""
    values: dict[str, Any] = {
        "clause": "GOV-9",
        "per": "customer",
        "key": "C-1",
        "kind": "given",
        "days": 7,
        "most_cents": 60_000,
        "role": "supervisor",
        "four_eyes": False,
        "adds": ((0, 50_000),),
    }
    return Limit(**(values | other))


def giving(ledger: Ledger, name: str, limits: Sequence[Limit], **other: Any) -> Proposal:
    """A run of this name, and its proposal of the same name, which adds to limits."""
    started(ledger, name)
    made = a_proposal(name, run_id=name, **other)
    parts = [{**step, "part": part} for step, part in zip(PLAN, ("first", "second"), strict=True)]
    return ledger.propose(replace(made, plan=parts, approval=replace(made.approval, limits=tuple(limits))))


def enrolled(desk: AdminService, name: str, role: str, customer_id: str | None = None) -> Person:
    """A person, made as who owns the database can: without a second one who confirms."""
    with desk.transaction() as tx:
        owners = plain(tx.engine.url.set(username="postgres"))
    with PostgresLedger.open(owners) as ledger:
        return ledger.add_person(name, role, customer_id)


def admitted(desk: AdminService, name: str, role: str, customer_id: str | None = None) -> tuple[Person, str]:
    """The same, and a one-time password for who has no account."""
    person = enrolled(desk, name, role, customer_id)
    return person, "" if desk.has_account(name) else desk.give_one_time(name)
