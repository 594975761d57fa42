"""The rows of the whole ledger beside the audit chain, a batch of runs at a time: what the log says of them, and every cell.

A row of the log carries in its body, under "rows", seals: digests that `ledger.seal` made of the rows that were written
with it. What is written of a run is never changed, so every seal of it must hold for ever; of a single row the last one must.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, func, select, text

from errors import MissionsError
from ledger import audit_chain, lessons, policies
from ledger.authorization import person_key
from ledger.canonical import moment
from ledger.names import skeleton
from ledger.reconciling import RowData, Rows, compared, run_differences
from ledger.records import AuditEntry, Authorization, Commitment, Decision, Effect, Incident, Run
from ledger.sql import evidence, locks, people, proposals
from ledger.sql.attempts import DEVICE_DAYS
from ledger.sql.rows import AnyRow, fields, select_runs, statements, to_proposal, to_run
from ledger.tables import AUDIT, INBOX, METADATA, PEOPLE, RUNS, TURNS, named


def _record(kind: type[Any]) -> Callable[[AnyRow], Any]:
    return lambda row: kind(**fields(row))


#: what there is of a run besides its looks, by field of `Rows` and table: the column that orders the rows, how one is read
_OF_RUN: Mapping[str, tuple[str, Callable[[AnyRow], Any]]] = {
    "proposals": ("number", to_proposal),
    "decisions": ("number", _record(Decision)),
    "effects": ("number", _record(Effect)),
    "authorizations": ("at", _record(Authorization)),
    "commitments": ("step", _record(Commitment)),
    "incidents": ("number", _record(Incident)),
}
_SQL = statements("seals")
_ACCOUNTS = "FROM ledger.accounts LEFT JOIN ledger.people USING (key)"
#: what is sealed of a run
_SEALED_OF_RUNS = (
    "inbox", "runs", "observations", "facts", "model_calls", "drafts", "proposals", "touches", "decisions",
    "authorizations", "effects", "incidents",
)  # fmt: skip
#: single rows that are sealed, by what is digested: all that there are, as the log calls them (in a body under the key);
#: how one is named in a sentence
_SEALED: Mapping[str, tuple[str, str, str]] = {
    "people": ("name FROM ledger.people", "name", "The person '{}'"),
    "accounts": (f"coalesce(name, key) {_ACCOUNTS}", "name", "The password or second factor of '{}'"),
    "codes": (f"coalesce(name, key) {_ACCOUNTS}", "name", "The last code of the second factor of '{}'"),
    "sessions": ("digest FROM ledger.sessions", "session", "The session {}"),
    "devices": ("digest || ' ' || key FROM ledger.devices", "device", "The browser {}"),
    "admissions": ("admission_id FROM ledger.admissions", "admission_id", "What was asked for as {}"),
    "event_sources": ("name FROM ledger.event_sources", "name", "The event source {}"),
    "dead_letters": ("letter_id FROM ledger.dead_letters", "letter_id", "The dead letter {}"),
    # one that has said nothing yet has no place to read on from
    "feeds": ("name FROM ledger.feeds WHERE cursor <> ''", "name", "The feed {}"),
    "policy_drafts": ("draft_id FROM ledger.policy_drafts", "draft_id", "The policy draft {}"),
    "lessons": ("decision_id FROM ledger.lessons", "decision_id", "The settled lesson {}"),
}
#: kinds of rows that end a session, or every session of somebody
_LEAVING = ("signed_out", "sessions_ended", "password_reset", "password_changed", "second_factor_removed")
#: runs compared at a time
_BATCH = 500
#: kinds of audit rows about a lesson, and its status after each
_LESSON_KINDS = {"lesson_promoted": "promoted", "lesson_dropped": "dropped"}
#: kinds of audit rows about a draft, and its status after each
_DRAFT_KINDS = {
    "policy_drafted": "draft",
    "policy_draft_agreed": "draft",
    "policy_put_in_force": "in_force",
    "policy_draft_withdrawn": "withdrawn",
}

#: what else looks at a run: its rows, what the log says of it, and since when there is a person, by key
AlsoLooks = Callable[[Rows, Sequence[AuditEntry], Mapping[str, datetime]], Iterable[str]]


def differences(tx: Connection, also: AlsoLooks | None = None) -> Iterator[str]:
    """One sentence for each row that is not as the chain says. Wants a transaction that sees one moment."""
    added = _of_kinds(tx, ["person_added"])
    known_since = _known_since(added)
    yield from _legible("The people", _people(tx, added))
    yield from _legible("The policy drafts", _drafts(tx))
    yield from _legible("The policies in force", _books(tx))
    yield from _legible("The lessons", _lessons(tx))
    yield from _single_rows(tx)
    yield from _keys(tx)
    if sorted(tx.scalars(select(TURNS.c.turn))) != list(range(locks.TURNS_IN_ALL)):
        yield "The rows that writers wait at are not those that were made: two of them could write at once."
    yield from _lost_runs(tx)
    yield from _orphans(tx)
    last = 0
    while batch := tx.execute(select_runs(RUNS.c.number).where(RUNS.c.number > last).order_by(RUNS.c.number).limit(_BATCH)).all():
        yield from _of_runs(tx, [to_run(row) for row in batch], also, known_since)
        last = batch[-1].number


def _legible(name: str, found: Iterable[str]) -> Iterator[str]:
    """The differences, or that there are rows that cannot even be read: nobody wrote them through the ledger."""
    try:
        yield from found
    except (MissionsError, LookupError, TypeError, ValueError, AttributeError) as error:
        yield f"{name} cannot be read ({type(error).__name__}: {error}): something was changed bypassing the audit log."


def _of_runs(tx: Connection, runs: Sequence[Run], also: AlsoLooks | None, known_since: Mapping[str, datetime]) -> Iterator[str]:
    ids = [run.run_id for run in runs]
    looks, logged, broken = evidence.looks(tx, ids), _by_run(tx, "audit", "seq", ids), _broken_seals(tx, ids)
    found = {name: (read, _by_run(tx, name, order, ids)) for name, (order, read) in _OF_RUN.items()}

    def of_run(run: Run) -> Iterator[str]:
        parts = {name: [read(row) for row in rows[run.run_id]] for name, (read, rows) in found.items()}
        rows, entries = Rows(run=run, looks=looks[run.run_id], **parts), _entries(logged[run.run_id])
        yield from run_differences(rows, entries)
        if also is not None:
            yield from also(rows, entries, known_since)

    for run in runs:
        yield from list(_legible(f"Run {run.run_id}", of_run(run))) or broken[run.run_id]


def _by_run(tx: Connection, name: str, order: str, run_ids: Sequence[str]) -> dict[str, list[AnyRow]]:
    found, table = defaultdict[str, list[AnyRow]](list), named(name)
    for row in tx.execute(select(table).where(table.c.run_id.in_(run_ids)).order_by(table.c[order])):
        found[row.run_id].append(row)
    return found


def _of_kinds(tx: Connection, kinds: Iterable[str]) -> list[AuditEntry]:
    return _entries(tx.execute(select(AUDIT).where(AUDIT.c.kind.in_(list(kinds))).order_by(AUDIT.c.seq)))


def _entries(rows: Iterable[AnyRow]) -> list[AuditEntry]:
    return [AuditEntry(**fields(row)) for row in rows]


def _known_since(added: Sequence[AuditEntry]) -> dict[str, datetime]:
    """Since when there is a person, by key; a row that says no name is reported elsewhere."""
    since = dict[str, datetime]()
    for one in reversed(added):
        with suppress(MissionsError, LookupError, TypeError, AttributeError):
            since[person_key(one.body["name"])] = one.at
    return since


def _people(tx: Connection, added: Sequence[AuditEntry]) -> Iterator[str]:
    logged = {person_key(one.body["name"]): dict(one.body) for one in added}
    rows = {person_key(person.name): audit_chain.of_person(person) for person in people.listed(tx)}
    yield from compared("The person '{}'", rows, logged)


def _drafts(tx: Connection) -> Iterator[str]:
    """Drafts of policies, and what became of them."""
    logged: dict[str, RowData] = {}
    for entry in _of_kinds(tx, _DRAFT_KINDS):
        key, status = entry.body["draft_id"], _DRAFT_KINDS[entry.kind]
        agreed = logged.get(key, {}).get("agreed", [])
        if entry.kind == "policy_draft_agreed":
            logged[key] = {**logged.get(key, {}), "agreed": [*agreed, entry.body["by"]]}
            continue
        settled_at = None if status == "draft" else entry.at
        logged[key] = {**entry.body, "status": status, "settled_at": settled_at, "agreed": agreed}
    rows = {}
    for draft in policies.listed(tx, limit=None):
        last = (draft.drafted_by, draft.reason) if draft.status == "draft" else (draft.settled_by, draft.settled_reason)
        shown = {**policies.audited_draft(draft, *last), "status": draft.status, "settled_at": draft.settled_at}
        rows[draft.draft_id] = {**shown, "agreed": [one["by"] for one in draft.agreed]}
    yield from compared("The policy draft {}", rows, logged)


def _books(tx: Connection) -> Iterator[str]:
    logged = {one.body["book_id"]: {**one.body, "at": one.at} for one in _of_kinds(tx, ["policies_kept"])}
    rows = {one.book_id: {**policies.audited_policies(one), "at": one.at} for one in policies.kept(tx, None)}
    yield from compared("The book of policies {}", rows, logged)


def _lessons(tx: Connection) -> Iterator[str]:
    """What became of lessons."""
    told = _of_kinds(tx, _LESSON_KINDS)
    logged = {one.body["decision_id"]: {**one.body, "status": _LESSON_KINDS[one.kind], "at": one.at} for one in told}
    kept = proposals.settlements(tx)
    rows = {one.decision_id: {**lessons.audited(one), "status": one.status, "at": one.at} for one in kept}
    yield from compared("The settled lesson {}", rows, logged)


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


@dataclass
class _Last:
    """What the log says last of a single row."""

    seal: str
    #: from when on it may be gone; None: it stays
    until: datetime | None
    #: of a session: whose it is, and whether it was ended
    name: str
    ended: bool = False


def _broken_seals(tx: Connection, run_ids: Sequence[str]) -> dict[str, list[str]]:
    """By run, a sentence for each table of which the rows are not what was sealed."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in tx.execute(_SQL["broken"], {"ids": list(run_ids), "names": list(_SEALED_OF_RUNS)}):
        said[row.run_id].append(
            f"Run {row.run_id} is not as the audit log says ({row.name}, row {row.seq}): it was changed, bypassing the audit log."
        )
    for row in tx.execute(_SQL["added"], {"ids": list(run_ids)}):
        said[row.run_id].append(
            f"Run {row.run_id} has {row.name} that the audit log does not know of: they were added, bypassing the audit log."
        )
    return said


def _single_rows(tx: Connection) -> Iterator[str]:
    """A sentence for each single row that was added, deleted or changed."""
    known: dict[tuple[str, str], _Last] = {}
    for entry in tx.execute(_SQL["single"], {"names": list(_SEALED), "leaving": list(_LEAVING)}):
        yield from _hear(entry, known)
    now = max(filter(None, (tx.scalar(select(func.now())), tx.scalar(select(func.max(AUDIT.c.at))))))
    for table, (listed, _, name_of) in _SEALED.items():
        seen: set[str] = set()
        for whose, found in tx.execute(
            text(f"SELECT whose, ledger.seal('{table}', whose) FROM (SELECT {listed}) AS one (whose)")
        ):
            name, last = name_of.format(whose), known.get((table, whose))
            if last is None or last.ended or whose in seen:
                yield f"{name} is in the ledger but not in the audit log: it was added, bypassing the audit log."
            elif last.seal != found:
                yield f"{name} is not as the audit log says: it was changed, bypassing the audit log."
            seen.add(whose)
        for (kept_in, whose), last in known.items():
            may_be_gone = last.ended or (last.until is not None and last.until <= now)
            if kept_in == table and whose not in seen and not may_be_gone:
                yield (
                    f"{name_of.format(whose)} is in the audit log, but gone from the ledger: "
                    "it was deleted bypassing the audit log."
                )


def _hear(entry: AnyRow, known: dict[tuple[str, str], _Last]) -> Iterator[str]:
    """Take one row of the log in; a sentence where it is the first that shows a change."""
    body = entry.body
    for table, seal in body.get("rows", {}).items():
        if table not in _SEALED:
            continue
        whose = body[_SEALED[table][1]]
        before = known.get((table, whose))
        # who signs in proves a password, and changes none
        if (table, entry.kind) == ("accounts", "signed_in") and before is not None and before.seal != seal:
            name = _SEALED[table][2].format(whose)
            yield f"{name} was changed bypassing the audit log before row {entry.seq} of the audit log."
        known[table, whose] = _Last(seal, _until(table, entry), body.get("name", ""))
    if entry.kind in _LEAVING:
        for (table, whose), last in known.items():
            ends = whose == body["session"] if "session" in body else last.name == body["name"]
            last.ended |= table == "sessions" and ends


def _until(table: str, entry: AnyRow) -> datetime | None:
    """From when on a row may be gone."""
    if table == "devices" and entry.kind == "signed_in":
        return moment(entry.at + timedelta(days=DEVICE_DAYS))
    if entry.kind in ("dead_letter_taken_in", "dead_letter_dropped"):
        return moment(entry.at)
    until = entry.body.get("until")
    return None if until is None else datetime.fromisoformat(until)
