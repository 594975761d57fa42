"""The rows of the whole ledger beside the audit chain, a batch of runs at a time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from ledger.drafts import PolicyDraft
from ledger.reconciling import (
    DRAFT_KINDS,
    LESSON_KINDS,
    Rows,
    draft_differences,
    lesson_differences,
    people_differences,
    run_differences,
)
from ledger.records import AuditEntry, Authorization, Decision, Effect, Incident, Run
from ledger.sql import chain, evidence, lessons, people
from ledger.sql.rows import fields, select_record, select_runs, to_proposal, to_run
from ledger.tables import AUDIT, AUTHORIZATIONS, DECISIONS, EFFECTS, INCIDENTS, POLICY_DRAFTS, PROPOSALS, RUNS

#: runs compared at a time
_BATCH = 500


def differences(tx: Connection) -> Iterator[str]:
    """One sentence for each row that is not as the chain says. Wants a transaction that sees one moment."""
    yield from people_differences(people.listed(tx), _of_kinds(tx, ["person_added"]))
    kept = [PolicyDraft(**fields(row)) for row in tx.execute(select_record(POLICY_DRAFTS))]
    yield from draft_differences(kept, _of_kinds(tx, DRAFT_KINDS))
    yield from lesson_differences(lessons.settled(tx), _of_kinds(tx, LESSON_KINDS))
    yield from _lost_runs(tx)
    last, since = 0, _first_authorized(tx)
    while batch := tx.execute(select_runs(RUNS.c.number).where(RUNS.c.number > last).order_by(RUNS.c.number).limit(_BATCH)).all():
        yield from _compared(tx, [to_run(row) for row in batch], since)
        last = batch[-1].number


def _first_authorized(tx: Connection) -> int:
    """The number of the first row that tells what allows an effect; of a log without one, that after its last."""
    told = (AUDIT.c.kind == "effect_marked", text("body ? 'authorized'"))
    first: int | None = tx.scalar(select(func.min(AUDIT.c.seq)).where(*told))
    return chain.head(tx)[0] + 1 if first is None else first


def _compared(tx: Connection, runs: Sequence[Run], since: int) -> Iterator[str]:
    ids = [run.run_id for run in runs]
    looks, proposals, decisions = evidence.looks(tx, ids), _by_run(tx, PROPOSALS, ids), _by_run(tx, DECISIONS, ids)
    effects, incidents, entries = _by_run(tx, EFFECTS, ids), _by_run(tx, INCIDENTS, ids), _by_run(tx, AUDIT, ids)
    allowed = _by_run(tx, AUTHORIZATIONS, ids)
    for run in runs:
        rows = Rows(
            run=run,
            looks=looks[run.run_id],
            proposals=[to_proposal(row) for row in proposals[run.run_id]],
            decisions=[Decision(**fields(row)) for row in decisions[run.run_id]],
            effects=[Effect(**fields(row)) for row in effects[run.run_id]],
            authorizations=[Authorization(**fields(row)) for row in allowed[run.run_id]],
            incidents=[Incident(**fields(row)) for row in incidents[run.run_id]],
        )
        yield from run_differences(rows, [AuditEntry(**fields(row)) for row in entries[run.run_id]], since)


def _by_run(tx: Connection, table: Table, run_ids: Sequence[str]) -> dict[str, list[Any]]:
    order = {AUDIT: "seq", AUTHORIZATIONS: "at"}.get(table, "number")
    found: dict[str, list[Any]] = defaultdict(list)
    for row in tx.execute(select(table).where(table.c.run_id.in_(run_ids)).order_by(table.c[order])):
        found[row.run_id].append(row)
    return found


def _of_kinds(tx: Connection, kinds: Iterable[str]) -> list[AuditEntry]:
    wanted = select(AUDIT).where(AUDIT.c.kind.in_(list(kinds))).order_by(AUDIT.c.seq)
    return [AuditEntry(**fields(row)) for row in tx.execute(wanted)]


def _lost_runs(tx: Connection) -> Iterator[str]:
    known = select(RUNS.c.run_id).where(RUNS.c.run_id == AUDIT.c.run_id)
    lost = select(AUDIT.c.run_id).where(AUDIT.c.run_id != "", ~known.exists()).distinct().order_by(AUDIT.c.run_id)
    for (run_id,) in tx.execute(lost):
        yield f"Run {run_id} is told of in the audit log, and gone from the ledger: it was deleted behind its back."
