"""Incidents in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, update

from ledger import audit_chain, authorization, invariants
from ledger.canonical import clean, moment
from ledger.records import EffectStatus, Incident, Run
from ledger.sql import chain, effects, people, proposals
from ledger.sql.locks import locked_run, set_status
from ledger.sql.rows import fields, select_record, select_runs, to_run
from ledger.tables import INCIDENTS, RUNS


def incident(tx: Connection, run_id: str, reason: str, at: datetime) -> Incident:
    return _open(tx, run_id, reason, moment(at))


def _open(tx: Connection, run_id: str, reason: str, at: datetime, reopens: str = "") -> Incident:
    """`reopens` is the key of the effect because of which a run that had ended is one."""
    invariants.check_not_closed(locked_run(tx, run_id))
    same = (INCIDENTS.c.run_id == run_id, INCIDENTS.c.reason == reason, INCIDENTS.c.closed_at.is_(None))
    known = tx.execute(select_record(INCIDENTS).where(*same)).first()
    if known:
        return Incident(**fields(known))
    made = Incident(incident_id=uuid4().hex, run_id=run_id, reason=clean(reason), at=at)
    tx.execute(insert(INCIDENTS).values(**vars(made)))
    set_status(tx, run_id, "incident")
    chain.append(tx, at, "incident_opened", run_id, audit_chain.of_incident(made, reopens))
    return made


def late(tx: Connection, key: str, receipt: Mapping[str, Any] | None, error: str, at: datetime) -> Incident | None:
    at = moment(at)
    run, effect = effects.locked(tx, key)
    news = invariants.late_news(effect, run, receipt)
    if news is None:
        return None
    if run.status == "closed":
        undone = {"status": "running", "verdict": None, "outcome": None, "ended_at": None}
        tx.execute(update(RUNS).where(RUNS.c.run_id == run.run_id).values(**undone))
    opened = _open(tx, run.run_id, news, at, key if run.status == "closed" else "")
    status: EffectStatus = "unknown" if receipt is None else "done"
    if status != effect.status:
        effects.moved(tx, effect, status, receipt, error or None, at)
    return opened


def resume(tx: Connection, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
    at = moment(at)
    run = locked_run(tx, run_id)
    person = authorization.check_settlement(run, people.find(tx, by), by, reason)
    close_all(tx, run_id, at)
    set_status(tx, run_id, "waiting" if proposals.is_pending(tx, run_id) else "running")
    chain.append(tx, at, "run_resumed", run_id, audit_chain.of_resumption(person.name, reason))
    return locked_run(tx, run_id)


def restart(tx: Connection, run_id: str, versions: Mapping[str, str], *, by: str, reason: str, at: datetime) -> Run:
    at = moment(at)
    run = locked_run(tx, run_id)
    person = authorization.check_settlement(run, people.find(tx, by), by, reason)
    invariants.check_restart(run, effects.of_run(tx, run_id))
    close_all(tx, run_id, at)
    superseded = proposals.supersede(tx, run_id)
    tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(status="running", versions=versions))
    chain.append(tx, at, "run_restarted", run_id, audit_chain.of_restart(person.name, reason, versions, superseded))
    return locked_run(tx, run_id)


def close_all(tx: Connection, run_id: str, at: datetime) -> None:
    """Close what is open of the run. Needs the lock of the run."""
    still_open = (INCIDENTS.c.run_id == run_id, INCIDENTS.c.closed_at.is_(None))
    tx.execute(update(INCIDENTS).where(*still_open).values(closed_at=at))


def listed(tx: Connection, open_only: bool = True) -> list[Incident]:
    wanted = select_record(INCIDENTS).order_by(INCIDENTS.c.at, INCIDENTS.c.number)
    if open_only:
        wanted = wanted.where(INCIDENTS.c.closed_at.is_(None))
    return [Incident(**fields(row)) for row in tx.execute(wanted)]


def with_runs(tx: Connection, open_only: bool = True) -> list[tuple[Incident, Run]]:
    """Incidents with their runs, oldest first."""
    found = listed(tx, open_only)
    wanted = select_runs().where(RUNS.c.run_id.in_({one.run_id for one in found}))
    runs = {row.run_id: to_run(row) for row in tx.execute(wanted)}
    return [(one, runs[one.run_id]) for one in found]
