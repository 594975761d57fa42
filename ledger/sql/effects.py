"""Effects in PostgreSQL: written down before anything is sent, and moved on afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from errors import BadInput
from ledger import audit, legality
from ledger.records import Effect, EffectStatus
from ledger.sentences import no_effect
from ledger.sql import chain, proposals
from ledger.sql.lock import locked_run
from ledger.sql.rows import fields, select_record
from ledger.tables import EFFECTS


def intend(tx: Connection, effects: Sequence[Effect]) -> None:
    # in the order of their ids, so that two callers do not wait for each other in a circle
    for run_id in sorted({effect.run_id for effect in effects}):
        locked_run(tx, run_id)
    for effect in effects:
        known = _find(tx, effect.key)
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
) -> Effect:
    named = _find(tx, key)
    if named is None:
        raise BadInput(no_effect(key))
    locked_run(tx, named.run_id)
    effect = _find(tx, key) or named
    legality.check_transition(effect, status)
    marked = replace(effect, status=status, receipt=receipt, error=error, at=at)
    tx.execute(update(EFFECTS).where(EFFECTS.c.key == key).values(status=status, receipt=receipt, error=error, at=at))
    _note(tx, marked)
    return marked


def of_run(tx: Connection, run_id: str) -> list[Effect]:
    mine = select_record(EFFECTS).where(EFFECTS.c.run_id == run_id).order_by(EFFECTS.c.number)
    return [Effect(**fields(row)) for row in tx.execute(mine)]


def _find(tx: Connection, key: str) -> Effect | None:
    row = tx.execute(select_record(EFFECTS).where(EFFECTS.c.key == key)).first()
    return Effect(**fields(row)) if row else None


def _note(tx: Connection, effect: Effect) -> None:
    chain.append(tx, effect.at, "effect_marked", effect.run_id, audit.of_effect(effect))
