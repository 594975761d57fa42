"""Questions to language models in PostgreSQL."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, select, update

from errors import BadInput
from ledger import model_calls
from ledger.canonical import clean, moment
from ledger.invariants import MODEL_CALL_TAKEN
from ledger.model_calls import ModelCall, ModelCallEnd, Spent
from ledger.sql import locks
from ledger.sql.rows import AnyRow, fields, select_record
from ledger.tables import MODEL_CALLS

_ROW = MODEL_CALLS.c
#: as `ModelCall.tokens`
_TOKENS = case((_ROW.status == "sent", _ROW.reserved_tokens), else_=_ROW.input_tokens + _ROW.output_tokens)


def begin(tx: Connection, call: ModelCall, *, run_tokens: int, day_tokens: int, day_cents: float) -> ModelCall:
    call = replace(call, at=moment(call.at), status="sent")
    locks.take_turns(tx, [locks.TURN_OF_BUDGETS])
    if tx.execute(select(_ROW.call_id).where(_ROW.call_id == call.call_id)).first():
        raise BadInput(MODEL_CALL_TAKEN.format(call.call_id))
    day = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
    of_run = _spent(tx, _ROW.run_id == call.run_id)
    of_day = _spent(tx, and_(_ROW.at >= day, _ROW.at < day + timedelta(days=1)))
    model_calls.check_budgets(call, of_run, of_day, run_tokens=run_tokens, day_tokens=day_tokens, day_cents=day_cents)
    return _record(tx.execute(insert(MODEL_CALLS).values(**vars(call)).returning(MODEL_CALLS)).one())


def end(tx: Connection, call_id: str, end: ModelCallEnd) -> ModelCall:
    end = replace(end, ended_at=moment(end.ended_at))
    row = tx.execute(select(MODEL_CALLS).where(_ROW.call_id == call_id).with_for_update()).first()
    model_calls.ended(_record(row) if row else None, call_id, end)
    return _record(
        tx.execute(update(MODEL_CALLS).where(_ROW.call_id == call_id).values(**vars(end)).returning(MODEL_CALLS)).one()
    )


def of_run(tx: Connection, run_id: str) -> list[ModelCall]:
    """The oldest first."""
    mine = select_record(MODEL_CALLS).where(_ROW.run_id == run_id).order_by(_ROW.number)
    return [_record(row) for row in tx.execute(mine)]


def answer(tx: Connection, question: str, run_id: str = "", look: int = 0) -> Mapping[str, Any] | None:
    """The latest, of a run and of its look, unless those are "" and 0."""
    wanted = [_ROW.question == question, _ROW.status == "answered"]
    wanted += [_ROW.run_id == clean(run_id)] if run_id else []
    wanted += [_ROW.look == look] if look else []
    found: Mapping[str, Any] | None = tx.scalar(select(_ROW.answer).where(*wanted).order_by(_ROW.number.desc()).limit(1))
    return found


def _spent(tx: Connection, of: ColumnElement[bool]) -> Spent:
    tokens, cents = tx.execute(
        select(func.coalesce(func.sum(_TOKENS), 0), func.coalesce(func.sum(_ROW.cost_cents), 0.0)).where(of)
    ).one()
    return Spent(int(tokens), float(cents))


def _record(row: AnyRow) -> ModelCall:
    return ModelCall(**fields(row))
