"""Facts and observations in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from ledger import audit, legality
from ledger.canonical import canonical
from ledger.records import Fact, NewObservation, Observation
from ledger.sql import chain
from ledger.sql.lock import locked_run
from ledger.sql.rows import fields, select_record
from ledger.tables import FACTS, OBSERVATIONS


def record_facts(tx: Connection, run_id: str, facts: Sequence[Fact]) -> None:
    legality.check_facts(facts)
    locked_run(tx, run_id)
    last = tx.scalar(select(func.max(FACTS.c.look)).where(FACTS.c.run_id == run_id)) or 0
    rows = [{**vars(fact), "run_id": run_id, "look": last + 1, "position": n} for n, fact in enumerate(facts)]
    if rows:
        tx.execute(insert(FACTS), rows)


def facts(tx: Connection, run_id: str, look: int | None) -> list[Fact]:
    """Of one look, or the latest of each name; in the order in which they were recorded."""
    mine = select(FACTS).where(FACTS.c.run_id == run_id)
    if look is None:
        mine = mine.ext(distinct_on(FACTS.c.name)).order_by(FACTS.c.name, FACTS.c.look.desc())
    else:
        mine = mine.where(FACTS.c.look == look)
    rows = sorted(tx.execute(mine), key=lambda row: (row.look, row.position))
    return [Fact(**fields(row, "run_id", "look", "position")) for row in rows]


def looks(tx: Connection, run_ids: Sequence[str]) -> dict[str, list[list[Fact]]]:
    """By run, the facts of each of its looks, the first look first."""
    wanted = select(FACTS).where(FACTS.c.run_id.in_(run_ids)).order_by(FACTS.c.run_id, FACTS.c.look, FACTS.c.position)
    found: dict[str, list[list[Fact]]] = {run_id: [] for run_id in run_ids}
    for (run_id, _), rows in groupby(tx.execute(wanted), key=lambda row: (row.run_id, row.look)):
        found[run_id].append([Fact(**fields(row, "run_id", "look", "position")) for row in rows])
    return found


def observe(tx: Connection, run_id: str, entries: Sequence[NewObservation], at: datetime) -> list[Observation]:
    run = locked_run(tx, run_id)
    rail = _last_streak(tx, run_id)
    seq = rail[-1].seq if rail else 0
    written = []
    new = []
    for entry in entries:
        found = legality.said_before(rail, entry, _words)
        if found is None:
            seq += 1
            found = Observation(seq=seq, at=at, **vars(entry))
            rail.append(found)
            new.append({**vars(found), "run_id": run_id})
        written.append(found)
    if new:
        tx.execute(insert(OBSERVATIONS), new)
        if run.status in audit.AT_REST:
            chain.append(tx, at, "observed", run_id, {"upto": seq})
    return written


def observations(tx: Connection, run_id: str, after: int) -> list[Observation]:
    mine = select_record(OBSERVATIONS).where(OBSERVATIONS.c.run_id == run_id, OBSERVATIONS.c.seq > after)
    return [Observation(**fields(row, "run_id")) for row in tx.execute(mine.order_by(OBSERVATIONS.c.seq))]


def _last_streak(tx: Connection, run_id: str) -> list[Observation]:
    """What the step that spoke last has said since another one did, oldest first."""
    mine = OBSERVATIONS.c.run_id == run_id
    last_step = select(OBSERVATIONS.c.step).where(mine).order_by(OBSERVATIONS.c.seq.desc()).limit(1).scalar_subquery()
    before = select(func.coalesce(func.max(OBSERVATIONS.c.seq), 0)).where(mine, OBSERVATIONS.c.step != last_step)
    streak = select_record(OBSERVATIONS).where(mine, OBSERVATIONS.c.seq > before.scalar_subquery())
    return [Observation(**fields(row, "run_id")) for row in tx.execute(streak.order_by(OBSERVATIONS.c.seq))]


def _words(said: Observation | NewObservation) -> bytes:
    """In the form in which things are stored."""
    return canonical([said.kind, said.text, said.evidence])
