"""Effects in PostgreSQL: written down before anything is sent, and moved on afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from errors import BadInput, Refused, TakenOver
from ledger import audit_chain, authorization, invariants, leases, limits
from ledger.canonical import moment
from ledger.invariants import NO_EFFECT, STILL_SENT, TAKEN_OVER
from ledger.records import (
    NOBODY,
    Approval,
    Authorization,
    Commitment,
    Decision,
    Effect,
    EffectStatus,
    Lease,
    Leave,
    Proposal,
    Run,
)
from ledger.sql import chain, proposals, totals
from ledger.sql.locks import locked_run
from ledger.sql.rows import fields, select_record, select_runs, to_run
from ledger.tables import AUTHORIZATIONS, EFFECTS, RUNS


def intend(tx: Connection, effects: Sequence[Effect], needed: Approval = NOBODY) -> None:
    # in the order of their ids, so that two callers do not wait for each other in a circle
    runs = {run_id: locked_run(tx, run_id) for run_id in sorted({effect.run_id for effect in effects})}
    kept = tx.execute(select_record(EFFECTS).where(EFFECTS.c.key.in_([effect.key for effect in effects])))
    known = {row.key: Effect(**fields(row)) for row in kept}
    latest = {run_id: proposals.latest(tx, run_id) for run_id in runs}
    allowed: dict[str, Authorization] = {}
    made: list[Commitment] = []
    decided: Sequence[Decision] = ()
    for effect in effects:
        if effect.key in known:
            invariants.check_same_effect(known[effect.key], effect)
            continue
        proposal = latest[effect.run_id]
        if proposal is None or proposal.proposal_id != effect.proposal_id:
            proposal = proposals.find(tx, effect.proposal_id)
        invariants.check_intent(effect, proposal, runs[effect.run_id], latest[effect.run_id])
        assert proposal is not None
        if proposal.proposal_id not in allowed:
            decided = proposals.decisions(tx, proposal.run_id) if proposal.status == "approved" else []
            made = _commit(tx, proposal, needed, decided)
            allowed[proposal.proposal_id] = _authorize(tx, proposal, needed, decided, effect.at)
        invariants.check_part(effect, proposal, decided)
        tx.execute(insert(EFFECTS).values(**vars(effect)))
        known[effect.key] = effect
        body = audit_chain.of_effect(effect, allowed[proposal.proposal_id], made)
        chain.append(tx, effect.at, "effect_marked", effect.run_id, body)
        made = []


def _commit(tx: Connection, proposal: Proposal, needed: Approval, decided: Sequence[Decision]) -> list[Commitment]:
    """What the plan adds to totals, from now on. OverLimit where whoever approved it may not decide what they come to."""
    approvals = [one for one in decided if one.proposal_id == proposal.proposal_id]
    asked = limits.asked(proposal, needed.limits, approvals)
    if not asked:
        return []
    counted = totals.count(tx, proposal.run_id, asked)
    limits.check_begin(proposal, approvals, counted.standings)
    return totals.commit(tx, proposal, counted)


def _authorize(tx: Connection, proposal: Proposal, needed: Approval, decided: Sequence[Decision], at: datetime) -> Authorization:
    """What allows the effects of a proposal, written once; the database refuses it where the decisions do not give it."""
    kept = tx.execute(select_record(AUTHORIZATIONS).where(AUTHORIZATIONS.c.proposal_id == proposal.proposal_id)).first()
    if kept:
        return Authorization(**fields(kept))
    made = authorization.authorize(proposal, needed, decided, at)
    tx.execute(insert(AUTHORIZATIONS).values(**vars(made)))
    return made


def mark(
    tx: Connection,
    held: Lease | None,
    key: str,
    status: EffectStatus,
    receipt: Mapping[str, Any] | None = None,
    error: str | None = None,
    *,
    at: datetime,
) -> Effect:
    at = moment(at)
    run, effect = locked(tx, key)
    invariants.check_not_closed(run)
    invariants.check_transition(effect, status)
    if (effect.status, status) == ("unknown", "failed") and leases.may_arrive(tx, run.run_id):
        raise Refused(STILL_SENT.format(run.run_id))
    if held is not None and status in ("done", "failed"):
        leases.answered(tx, run.run_id)
    return moved(tx, effect, status, receipt, error, at)


def leave_to_send(tx: Connection, held: Lease | None, key: str, seconds: float) -> Leave:
    effect = find(tx, key)
    if held is None or held.run_id != effect.run_id:
        raise TakenOver(TAKEN_OVER.format(effect.run_id))
    until = leases.leave_to_send(tx, held, seconds)
    invariants.check_sendable(effect, to_run(tx.execute(select_runs().where(RUNS.c.run_id == effect.run_id)).one()))
    return Leave(effect.run_id, held.token, until)


def give_up(tx: Connection, run_id: str, error: str, at: datetime) -> None:
    """What is under way in a run that is given up is left in doubt. Needs the lock of the run."""
    for effect in of_run(tx, run_id):
        if effect.status == "executing":
            moved(tx, effect, "unknown", None, error, at)


def of_run(tx: Connection, run_id: str) -> list[Effect]:
    """In the order in which they were intended."""
    mine = select_record(EFFECTS).where(EFFECTS.c.run_id == run_id).order_by(EFFECTS.c.number)
    return [Effect(**fields(row)) for row in tx.execute(mine)]


def find(tx: Connection, key: str) -> Effect:
    """BadInput where there is none."""
    row = tx.execute(select_record(EFFECTS).where(EFFECTS.c.key == key)).first()
    if row is None:
        raise BadInput(NO_EFFECT.format(key))
    return Effect(**fields(row))


def locked(tx: Connection, key: str) -> tuple[Run, Effect]:
    """The effect with its run, both unchanged by others until the transaction ends."""
    return locked_run(tx, find(tx, key).run_id), find(tx, key)


def moved(
    tx: Connection, effect: Effect, status: EffectStatus, receipt: Mapping[str, Any] | None, error: str | None, at: datetime
) -> Effect:
    """The effect as it is kept afterwards. Needs the lock of its run."""
    marked = replace(effect, status=status, receipt=receipt, error=error, at=at)
    mine = update(EFFECTS).where(EFFECTS.c.key == effect.key)
    tx.execute(mine.values(status=status, receipt=receipt, error=error, at=at))
    chain.append(tx, at, "effect_marked", effect.run_id, audit_chain.of_effect(marked))
    return marked
