"""The rows of the whole ledger beside the audit chain, a batch of runs at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, exists, select

from errors import MissionsError
from ledger import policies
from ledger.authorization import person_key
from ledger.names import skeleton
from ledger.policies import PolicyDraft
from ledger.reconciling import (
    DRAFT_KINDS,
    LESSON_KINDS,
    Rows,
    book_differences,
    draft_differences,
    lesson_differences,
    people_differences,
    run_differences,
)
from ledger.records import AuditEntry, Authorization, Commitment, Decision, Effect, Incident, Run
from ledger.sql import evidence, locks, people, proposals, seals
from ledger.sql.rows import fields, select_record, select_runs, to_proposal, to_run
from ledger.tables import (
    AUDIT,
    AUTHORIZATIONS,
    COMMITMENTS,
    DECISIONS,
    EFFECTS,
    INBOX,
    INCIDENTS,
    METADATA,
    PEOPLE,
    POLICY_DRAFTS,
    PROPOSALS,
    RUNS,
    TURNS,
)

#: what there is of a run besides its looks and proposals, by the fields of `Rows`
_OF_RUN: Mapping[str, tuple[type[Any], Table]] = {
    "decisions": (Decision, DECISIONS),
    "effects": (Effect, EFFECTS),
    "authorizations": (Authorization, AUTHORIZATIONS),
    "commitments": (Commitment, COMMITMENTS),
    "incidents": (Incident, INCIDENTS),
}
#: runs compared at a time
_BATCH = 500

#: what else looks at a run: its rows, what the log says of it, and since when there is a person, by key
AlsoLooks = Callable[[Rows, Sequence[AuditEntry], Mapping[str, datetime]], Iterable[str]]


def nobody_else(rows: Rows, entries: Sequence[AuditEntry], known_since: Mapping[str, datetime]) -> Iterable[str]:
    """Where the rows are compared with the log, and nothing is worked out."""
    return ()


def differences(tx: Connection, also: AlsoLooks = nobody_else) -> Iterator[str]:
    """One sentence for each row that is not as the chain says. Wants a transaction that sees one moment."""
    added = _of_kinds(tx, ["person_added"])
    known_since = _known_since(added)
    yield from _read("The people", lambda: people_differences(people.listed(tx), added))
    yield from _read("The policy drafts", lambda: draft_differences(_drafts(tx), _of_kinds(tx, DRAFT_KINDS)))
    yield from _read("The policies in force", lambda: book_differences(policies.kept(tx, None), _of_kinds(tx, ["policies_kept"])))
    yield from _read("The lessons", lambda: lesson_differences(proposals.settlements(tx), _of_kinds(tx, LESSON_KINDS)))
    yield from seals.differences(tx)
    yield from _keys(tx)
    yield from _turns(tx)
    yield from _lost_runs(tx)
    yield from _orphans(tx)
    last = 0
    while batch := tx.execute(select_runs(RUNS.c.number).where(RUNS.c.number > last).order_by(RUNS.c.number).limit(_BATCH)).all():
        yield from _compared(tx, [to_run(row) for row in batch], also, known_since)
        last = batch[-1].number


def _known_since(added: Sequence[AuditEntry]) -> dict[str, datetime]:
    """Since when there is a person, by key; a row that says no name is reported elsewhere."""
    since = dict[str, datetime]()
    for one in reversed(added):
        with suppress(MissionsError, LookupError, TypeError, AttributeError):
            since[person_key(one.body["name"])] = one.at
    return since


def _compared(tx: Connection, runs: Sequence[Run], also: AlsoLooks, known_since: Mapping[str, datetime]) -> Iterator[str]:
    ids = [run.run_id for run in runs]
    looks, proposals, entries = evidence.looks(tx, ids), _by_run(tx, PROPOSALS, ids), _by_run(tx, AUDIT, ids)
    found = {name: _by_run(tx, table, ids) for name, (_, table) in _OF_RUN.items()}
    broken = seals.broken(tx, ids)

    def rows_of(run: Run) -> Rows:
        return Rows(
            run=run,
            looks=looks[run.run_id],
            proposals=[to_proposal(row) for row in proposals[run.run_id]],
            **{name: [kind(**fields(row)) for row in found[name][run.run_id]] for name, (kind, _) in _OF_RUN.items()},
        )

    for run in runs:
        logged = [AuditEntry(**fields(row)) for row in entries[run.run_id]]
        look = partial(_run_differences, partial(rows_of, run), logged, also, known_since)
        said = list(_read(f"Run {run.run_id}", look))
        yield from said or broken[run.run_id]


def _run_differences(
    rows_of: Callable[[], Rows],
    logged: Sequence[AuditEntry],
    also: AlsoLooks,
    known_since: Mapping[str, datetime],
) -> Iterator[str]:
    rows = rows_of()
    yield from run_differences(rows, logged)
    yield from also(rows, logged, known_since)


def _read(name: str, differences: Callable[[], Iterable[str]]) -> Iterator[str]:
    """The differences, or that there are rows that cannot even be read: nobody wrote them through the ledger."""
    try:
        yield from differences()
    except (MissionsError, LookupError, TypeError, ValueError, AttributeError) as error:
        yield f"{name} cannot be read ({type(error).__name__}: {error}): something was changed bypassing the audit log."


def _drafts(tx: Connection) -> list[PolicyDraft]:
    return [PolicyDraft(**fields(row)) for row in tx.execute(select_record(POLICY_DRAFTS))]


def _by_run(tx: Connection, table: Table, run_ids: Sequence[str]) -> dict[str, list[Any]]:
    order = {AUDIT: "seq", AUTHORIZATIONS: "at", COMMITMENTS: "step"}.get(table, "number")
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
        yield f"Run {run_id} is in the audit log but missing from the ledger: it was deleted, bypassing the audit log."


def _orphans(tx: Connection) -> Iterator[str]:
    """Rows of something that is not there, as no foreign key allows it, and events whose run is not there."""
    lost_events = select(INBOX.c.source_id).where(~exists().where(RUNS.c.source_id == INBOX.c.source_id))
    for (source_id,) in tx.execute(lost_events):
        yield f"The event {source_id} has no run: it was added, or its run was deleted, bypassing the audit log."
    for table in METADATA.sorted_tables:
        for key in table.foreign_keys:
            mine, owner = key.parent, key.column
            for (lost,) in tx.execute(select(mine).distinct().where(mine.is_not(None), ~exists().where(owner == mine))):
                yield (
                    f"Rows of {table.name} are of {lost}, which is not in {owner.table.name}: changed, bypassing the audit log."
                )


def _keys(tx: Connection) -> Iterator[str]:
    """What follows from a name: by what a person is found, and what the name looks like."""
    for key, name, look in tx.execute(select(PEOPLE.c.key, PEOPLE.c.name, PEOPLE.c.skeleton)):
        if key != person_key(name):
            yield f"The person '{name}' has the key '{key}', which is another's: it was changed, bypassing the audit log."
        # of two who looked alike before that was refused, one has a name of its own
        if look not in (skeleton(name), f"{skeleton(name)} of {key}"):
            yield f"The name of the person '{name}' does not look like '{look}': it was changed, bypassing the audit log."


def _turns(tx: Connection) -> Iterator[str]:
    if sorted(tx.scalars(select(TURNS.c.turn))) != list(range(locks.TURNS_IN_ALL)):
        yield "The rows that writers wait at are not those that were made: two of them could write at once."
