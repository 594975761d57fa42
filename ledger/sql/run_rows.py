"""Runs in PostgreSQL: taken in, looked up, closed, and the incidents between."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, insert, update

from errors import BadInput
from ledger import audit_chain, authorization, invariants, leases
from ledger.canonical import clean, json_of, moment, storable
from ledger.inbox import EventOrigin, check_arrival
from ledger.invariants import GIVEN_UP, NO_RUN, RUN_ID_TAKEN, several_runs
from ledger.records import EffectStatus, Event, Incident, Outcome, Run, RunHistory, RunStatus
from ledger.sql import chain, effects, evidence, people, proposals
from ledger.sql.inbox import count_arrival
from ledger.sql.locks import locked_run, set_status
from ledger.sql.rows import EVENT_COLUMNS, RUN_COLUMNS, columns, fields, run, run_on, select_record, select_runs, to_run
from ledger.tables import INBOX, INCIDENTS, RUNS

#: with how far it has come
_WITH_PROGRESS = f"""
SELECT {", ".join(f"runs.{name}" for name in RUN_COLUMNS)}, {", ".join(f"inbox.{name}" for name in EVENT_COLUMNS)},
    (SELECT coalesce(max(seq), 0) FROM ledger.observations WHERE run_id = runs.run_id) AS said,
    EXISTS (SELECT FROM ledger.facts WHERE run_id = runs.run_id) AS read,
    EXISTS (SELECT FROM ledger.proposals WHERE run_id = runs.run_id) AS proposed
FROM ledger.runs JOIN ledger.inbox USING (source_id) WHERE run_id = %(run_id)s
"""
_ONE = select_runs().where(RUNS.c.run_id == bindparam("run"))
_NEW_EVENT = f"""
INSERT INTO ledger.inbox ({", ".join(EVENT_COLUMNS)}, digest, taken_in_at)
SELECT {", ".join(EVENT_COLUMNS)}, digest, taken_in_at FROM jsonb_populate_record(NULL::ledger.inbox, CAST(%(row)s AS jsonb))
ON CONFLICT (source_id) DO NOTHING RETURNING {", ".join(EVENT_COLUMNS)}
"""
_NEW_RUN = f"""
INSERT INTO ledger.runs (run_id, source_id, versions, status, started_at)
VALUES (%(run_id)s, %(source_id)s, CAST(%(versions)s AS jsonb), 'running', %(started_at)s)
ON CONFLICT (run_id) DO NOTHING RETURNING {", ".join(RUN_COLUMNS)}
"""


def take_in(
    tx: Connection, at: datetime, event: Event, run_id: str, versions: Mapping[str, str], origin: EventOrigin | None = None
) -> Run:
    invariants.check_event(event, run_id)
    digest = invariants.event_digest(event)
    row = storable({**vars(event), "digest": digest, "taken_in_at": at})
    kept = columns(run(tx, _NEW_EVENT, {"row": json_of(row)}))
    if kept is None:
        known = tx.execute(select_runs(INBOX.c.digest).where(RUNS.c.source_id == event.source_id)).one()
        invariants.check_same_event(event.source_id, known.digest, digest)
        return to_run(known)
    if origin is not None:  # what came before is known, whatever its source may do now
        check_arrival(event, origin, at)
        count_arrival(tx, origin, at)
    values = {"run_id": clean(run_id), "source_id": kept["source_id"], "versions": json_of(storable(versions)), "started_at": at}
    made = columns(run(tx, _NEW_RUN, values))
    if made is None:
        raise BadInput(RUN_ID_TAKEN.format(run_id))
    chain.append(tx, at, "event_taken_in", run_id, audit_chain.of_event(event, versions))
    return to_run({**made, **kept})


def find(tx: Connection, run_id: str) -> Run:
    """By id, or by the start of an id that only one run has. Raises BadInput where there is none, or several."""
    exact = tx.execute(_ONE, {"run": run_id}).first()
    if exact:
        return to_run(exact)
    starts = func.starts_with(RUNS.c.run_id, clean(run_id))
    found = tx.execute(select_runs().where(starts).order_by(RUNS.c.run_id.collate("C"))).all() if run_id else []
    if not found:
        raise BadInput(NO_RUN.format(run_id))
    if len(found) > 1:
        raise BadInput(several_runs(run_id, [row.run_id for row in found]))
    return to_run(found[0])


@dataclass(frozen=True)
class RunProgress:
    """A run, and how far it has come."""

    run: Run
    #: the number of its last observation, 0 before the first
    said: int
    #: whether facts were recorded, and whether something was proposed
    read: bool
    proposed: bool


def with_progress(session: Any, run_id: str) -> RunProgress:
    """`session` is one of psycopg. BadInput where there is no run of this id."""
    row = columns(run_on(session, _WITH_PROGRESS, {"run_id": clean(run_id)}))
    if row is None:
        raise BadInput(NO_RUN.format(run_id))
    return RunProgress(to_run(row), row["said"], row["read"], row["proposed"])


def history(tx: Connection, run_id: str) -> RunHistory:
    row = tx.execute(_ONE, {"run": run_id}).first()
    if row is None:
        raise BadInput(NO_RUN.format(run_id))
    return RunHistory(
        run=to_run(row),
        facts=evidence.facts(tx, run_id),
        proposals=proposals.of_run(tx, run_id),
        decisions=proposals.decisions(tx, run_id),
        effects=effects.of_run(tx, run_id),
    )


def newest(tx: Connection, status: RunStatus | None = None, limit: int = 100) -> list[Run]:
    wanted = select_runs().order_by(RUNS.c.started_at.desc(), RUNS.c.number.desc()).limit(limit)
    if status is not None:
        wanted = wanted.where(RUNS.c.status == status)
    return [to_run(row) for row in tx.execute(wanted)]


def finish(tx: Connection, run_id: str, verdict: str, outcome: Outcome, at: datetime) -> None:
    _close(tx, run_id, verdict, outcome, moment(at))


def _close(
    tx: Connection, run_id: str, verdict: str, outcome: Outcome, at: datetime, abandoned: Mapping[str, Any] | None = None
) -> None:
    """`abandoned` is what the audit log says of whoever gave it up."""
    kept = locked_run(tx, run_id)
    if invariants.already_finished(kept, verdict, outcome):
        return
    invariants.check_end(kept, outcome, effects.of_run(tx, run_id))
    proposals.supersede(tx, run_id)
    _close_incidents(tx, run_id, at)
    end = {"status": "closed", "verdict": verdict, "outcome": outcome, "ended_at": at}
    tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(**end))
    # the audit log last: whoever has it waits for nobody
    freed = proposals.release_held(tx, run_id)
    if abandoned is not None:
        chain.append(tx, at, "run_abandoned", run_id, abandoned)
    chain.append(tx, at, "run_closed", run_id, audit_chain.of_end(verdict, outcome))
    for other, proposal_id in freed:
        chain.append(tx, at, "released", other, audit_chain.of_release(proposal_id, run_id))


def abandon(tx: Connection, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
    at = moment(at)
    leases.end(tx, run_id)
    person = authorization.check_settlement(locked_run(tx, run_id), people.find(tx, by), by, reason)
    invariants.check_abandoned(run_id, effects.of_run(tx, run_id), leases.may_arrive(tx, run_id))
    effects.give_up(tx, run_id, GIVEN_UP.format(person.name), at)
    proposal = proposals.latest(tx, run_id)
    verdict = proposal.verdict if proposal else "none"
    _close(tx, run_id, verdict, "abandoned", at, audit_chain.of_resumption(person.name, reason))
    return locked_run(tx, run_id)


def incident(tx: Connection, run_id: str, reason: str, at: datetime) -> Incident:
    return _open_incident(tx, run_id, reason, moment(at))


def _open_incident(tx: Connection, run_id: str, reason: str, at: datetime, reopens: str = "") -> Incident:
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
    opened = _open_incident(tx, run.run_id, news, at, key if run.status == "closed" else "")
    status: EffectStatus = "unknown" if receipt is None else "done"
    if status != effect.status:
        effects.moved(tx, effect, status, receipt, error or None, at)
    return opened


def resume(tx: Connection, run_id: str, *, by: str, reason: str, at: datetime) -> Run:
    at = moment(at)
    run = locked_run(tx, run_id)
    person = authorization.check_settlement(run, people.find(tx, by), by, reason)
    _close_incidents(tx, run_id, at)
    set_status(tx, run_id, "waiting" if proposals.is_pending(tx, run_id) else "running")
    chain.append(tx, at, "run_resumed", run_id, audit_chain.of_resumption(person.name, reason))
    return locked_run(tx, run_id)


def restart(tx: Connection, run_id: str, versions: Mapping[str, str], *, by: str, reason: str, at: datetime) -> Run:
    at = moment(at)
    run = locked_run(tx, run_id)
    person = authorization.check_settlement(run, people.find(tx, by), by, reason)
    invariants.check_restart(run, effects.of_run(tx, run_id))
    _close_incidents(tx, run_id, at)
    superseded = proposals.supersede(tx, run_id)
    tx.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(status="running", versions=versions))
    chain.append(tx, at, "run_restarted", run_id, audit_chain.of_restart(person.name, reason, versions, superseded))
    return locked_run(tx, run_id)


def _close_incidents(tx: Connection, run_id: str, at: datetime) -> None:
    """Close what is open of the run. Needs the lock of the run."""
    still_open = (INCIDENTS.c.run_id == run_id, INCIDENTS.c.closed_at.is_(None))
    tx.execute(update(INCIDENTS).where(*still_open).values(closed_at=at))


def incidents(tx: Connection, open_only: bool = True) -> list[Incident]:
    wanted = select_record(INCIDENTS).order_by(INCIDENTS.c.at, INCIDENTS.c.number)
    if open_only:
        wanted = wanted.where(INCIDENTS.c.closed_at.is_(None))
    return [Incident(**fields(row)) for row in tx.execute(wanted)]


def incidents_with_runs(tx: Connection, open_only: bool = True) -> list[tuple[Incident, Run]]:
    """Incidents with their runs, oldest first."""
    found = incidents(tx, open_only)
    wanted = select_runs().where(RUNS.c.run_id.in_({one.run_id for one in found}))
    runs = {row.run_id: to_run(row) for row in tx.execute(wanted)}
    return [(one, runs[one.run_id]) for one in found]
