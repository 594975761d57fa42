"""A run, its proposal, and what the card shows of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from ledger.records import Approval, Decision, Effect, EffectStatus, Event, NewObservation, Observation, Proposal, Run
from tests.actions import REFUND_CHARGE
from tests.unit.dashboard.hostile import Parsed

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(subject: str = "O-4471", **changes: Any) -> Run:
    event = Event(source_id="s", name="order.stock_short", mission="order_exception", subject=subject, trigger={}, as_of=NOW)
    return replace(Run(run_id="r-1", event=event, versions={}, status="waiting", started_at=NOW), **changes)


def action(says: str = "Refund $5.00", **changes: Any) -> dict[str, Any]:
    told = {"name": REFUND_CHARGE, "args": {}, "for": "charge.twice", "part": None, "cites": []}
    return {**told, "says": says, "tier": "recommend", "tool": "payments.refund_charge", "undo": None, **changes}


def change(field: str, before: Any, after: Any, step: int = 1, record: str = "O-1") -> dict[str, Any]:
    return {"step": step, "system": "payments", "record": record, "field": field, "before": before, "after": after}


def proposal(**changes: Any) -> Proposal:
    made = Proposal(
        proposal_id="r-1.1", run_id="r-1", revision=1, author="planner", verdict="fulfil_with_changes",
        plan=[action()], rationale="The order was charged twice. The second charge is refunded. Nothing else is touched.",
        cites=[], alternatives=[], changes=[], confidence=0.875, money_at_stake_cents=123_450,
        approval=Approval(role="supervisor", four_eyes=False), digest="d", created_at=NOW - 3 * HOUR,
        expires_at=NOW + 72 * HOUR, due_at=NOW + 5 * HOUR,
    )  # fmt: skip
    return replace(made, **changes)


def decision(by: str = "fay", reason: str = "It is so.", **changes: Any) -> Decision:
    made = Decision(
        decision_id="d-1", proposal_id="r-1.1", run_id="r-1", kind="approve", by=by, role="finance", reason=reason, digest="d",
        at=NOW,
    )  # fmt: skip
    return replace(made, **changes)


def effect(step: int, status: EffectStatus, error: str | None = None, proposal_id: str = "r-1.1") -> Effect:
    return Effect(
        run_id="r-1", proposal_id=proposal_id, step=step, action=REFUND_CHARGE, tool="payments.refund_charge", args={},
        key=f"k-{step}", status=status, at=NOW, error=error,
    )  # fmt: skip


def rail(*entries: NewObservation) -> list[Observation]:
    """A rail of these entries."""
    return [Observation(seq=seq, at=NOW, **vars(entry)) for seq, entry in enumerate(entries, start=1)]


def text(piece: Markup) -> str:
    """What people read of it, with single blanks."""
    return " ".join(Parsed(piece.replace(Markup("<"), Markup(" <"))).text.split())


def cells(piece: Markup) -> list[str]:
    """What people read of each step."""
    return [text(Markup(row)) for row in piece.split("<tr")[1:]]
