"""Effects in PostgreSQL: written down before anything is sent, and moved on afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from errors import BadInput, Refused, TakenOver
from ledger import audit, leases, legality
from ledger.records import Effect, EffectStatus, Lease, Leave
from ledger.sentences import no_effect, still_sent, taken_over
from ledger.sql import chain, proposals
from ledger.sql.lock import locked_run
from ledger.sql.rows import fields, select_record, select_runs, to_run
from ledger.tables import EFFECTS, RUNS


def intend(tx: Connection, effects: Sequence[Effect]) -> None:
    # in the order of their ids, so that two callers do not wait for each other in a circle
    for run_id in sorted({effect.run_id for effect in effects}):
        locked_run(tx, run_id)
    for effect in effects:
        known = find(tx, effect.key)
        if known is not None:
            legality.check_same_effect(known, effect)
            continue
        legality.check_intent(effect, proposals.find(tx, effect.proposal_id))
        tx.execute(insert(EFFECTS).values(**vars(effect)))
        _note(tx, effect)


def mark(
    tx: Connection,
    key: str,
    status: EffectStatus,
    receipt: Mapping[str, Any] | None,
    error: str | None,
    at: datetime,
    *,
    by_holder: bool,
) -> Effect:
    named = find(tx, key)
    if named is None:
        raise BadInput(no_effect(key))
    run = locked_run(tx, named.run_id)
    effect = find(tx, key) or named
    legality.check_not_closed(run)
    legality.check_transition(effect, status)
    if (effect.status, status) == ("unknown", "failed") and leases.may_arrive(tx, run.run_id):
        raise Refused(still_sent(run.run_id))
    if by_holder and status in ("done", "failed"):
        leases.answered(tx, run.run_id)
    return moved(tx, effect, status, receipt, error, at)


def leave_to_send(tx: Connection, key: str, seconds: float, held: Lease | None) -> Leave:
    effect = find(tx, key)
    if effect is None:
        raise BadInput(no_effect(key))
    if held is None or held.run_id != effect.run_id:
        raise TakenOver(taken_over(effect.run_id))
    until = leases.leave_to_send(tx, held, seconds)
    legality.check_sendable(effect, to_run(tx.execute(select_runs().where(RUNS.c.run_id == effect.run_id)).one()))
    return Leave(effect.run_id, held.token, until)


def give_up(tx: Connection, run_id: str, error: str, at: datetime) -> None:
    """What is under way in a run that is given up is left in doubt. Needs the lock of the run."""
    for effect in of_run(tx, run_id):
        if effect.status == "executing":
            moved(tx, effect, "unknown", None, error, at)


def of_run(tx: Connection, run_id: str) -> list[Effect]:
    mine = select_record(EFFECTS).where(EFFECTS.c.run_id == run_id).order_by(EFFECTS.c.number)
    return [Effect(**fields(row)) for row in tx.execute(mine)]


def find(tx: Connection, key: str) -> Effect | None:
    row = tx.execute(select_record(EFFECTS).where(EFFECTS.c.key == key)).first()
    return Effect(**fields(row)) if row else None


def moved(
    tx: Connection, effect: Effect, status: EffectStatus, receipt: Mapping[str, Any] | None, error: str | None, at: datetime
) -> Effect:
    """The effect as it is kept afterwards. Needs the lock of its run."""
    marked = replace(effect, status=status, receipt=receipt, error=error, at=at)
    mine = update(EFFECTS).where(EFFECTS.c.key == effect.key)
    tx.execute(mine.values(status=status, receipt=receipt, error=error, at=at))
    _note(tx, marked)
    return marked


def _note(tx: Connection, effect: Effect) -> None:
    chain.append(tx, effect.at, "effect_marked", effect.run_id, audit.of_effect(effect))
