"""Decisions of all runs, and what became of the lessons in them, in PostgreSQL."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, insert, select

from ledger import lessons
from ledger.canonical import clean
from ledger.lessons import Settlement
from ledger.records import Decision
from ledger.sql import chain, people
from ledger.sql.lock import locked_run
from ledger.sql.rows import fields, select_record
from ledger.tables import DECISIONS, INBOX, LESSONS, RUNS


def decisions(tx: Connection, mission: str | None) -> list[Decision]:
    """Of all runs of a mission, or of all; the oldest first."""
    wanted = select_record(DECISIONS).order_by(DECISIONS.c.number)
    if mission is not None:
        joined = select(RUNS.c.run_id).join(INBOX, INBOX.c.source_id == RUNS.c.source_id).where(INBOX.c.mission == clean(mission))
        wanted = wanted.where(DECISIONS.c.run_id.in_(joined))
    return [Decision(**fields(row)) for row in tx.execute(wanted)]


def settle(tx: Connection, asked: Settlement, first: Callable[[], object]) -> Settlement:
    row = tx.execute(select_record(DECISIONS).where(DECISIONS.c.decision_id == clean(asked.decision_id))).first()
    decision = Decision(**fields(row)) if row else None
    if decision is not None:  # of two who settle its lesson one waits, and is refused
        locked_run(tx, decision.run_id)
    known = tx.execute(select_record(LESSONS).where(LESSONS.c.decision_id == clean(asked.decision_id))).first()
    person = lessons.check_settling(people.find(tx, asked.by), decision, Settlement(**fields(known)) if known else None, asked)
    assert decision is not None
    first()
    settled = replace(asked, by=person.name, reason=clean(asked.reason).strip())
    tx.execute(insert(LESSONS).values(**vars(settled)))
    chain.append(tx, settled.at, f"lesson_{settled.status}", decision.run_id, lessons.audited(settled))
    return settled


def settled(tx: Connection) -> list[Settlement]:
    """The oldest first."""
    return [Settlement(**fields(row)) for row in tx.execute(select_record(LESSONS).order_by(LESSONS.c.number))]
