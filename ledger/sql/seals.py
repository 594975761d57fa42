"""The seals in the log beside the rows that they are of: every cell, both ways.

A row of the log carries in its body, under "rows", digests that `ledger.seal` made of the rows that were written with
it. What is written of a run is never changed, so every seal of it must hold for ever; of a single row the last one must.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from ledger.canonical import moment
from ledger.sql.attempts import DEVICE_DAYS
from ledger.sql.rows import statements
from ledger.tables import AUDIT

_SQL = statements("seals")
_ACCOUNTS = "FROM ledger.accounts LEFT JOIN ledger.people USING (key)"
#: what is sealed of a run
OF_RUNS = (
    "inbox", "runs", "observations", "facts", "model_calls", "drafts", "proposals", "touches", "decisions",
    "authorizations", "effects", "incidents",
)  # fmt: skip
#: single rows that are sealed, by what is digested: all that there are, as the log calls them (in a body under the key);
#: how one is named in a sentence
_ROWS: Mapping[str, tuple[str, str, str]] = {
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


@dataclass
class _Last:
    """What the log says last of a single row."""

    seal: str
    #: from when on it may be gone; None: it stays
    until: datetime | None
    #: of a session: whose it is, and whether it was ended
    name: str
    ended: bool = False


def broken(tx: Connection, run_ids: Sequence[str]) -> dict[str, list[str]]:
    """By run, a sentence for each table of which the rows are not what was sealed."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in tx.execute(_SQL["broken"], {"ids": list(run_ids), "names": list(OF_RUNS)}):
        said[row.run_id].append(
            f"Run {row.run_id} is not as the audit log says ({row.name}, row {row.seq}): it was changed, bypassing the audit log."
        )
    for row in tx.execute(_SQL["added"], {"ids": list(run_ids)}):
        said[row.run_id].append(
            f"Run {row.run_id} has {row.name} that the audit log does not know of: they were added, bypassing the audit log."
        )
    return said


def differences(tx: Connection) -> Iterator[str]:
    """A sentence for each single row that was added, deleted or changed."""
    known: dict[tuple[str, str], _Last] = {}
    for entry in tx.execute(_SQL["single"], {"names": list(_ROWS), "leaving": list(_LEAVING)}):
        yield from _hear(entry, known)
    now = max(filter(None, (tx.scalar(select(func.now())), tx.scalar(select(func.max(AUDIT.c.at))))))
    for table, (listed, _, name_of) in _ROWS.items():
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


def _hear(entry: Row[*tuple[Any, ...]], known: dict[tuple[str, str], _Last]) -> Iterator[str]:
    """Take one row of the log in; a sentence where it is the first that shows a change."""
    body = entry.body
    for table, seal in body.get("rows", {}).items():
        if table not in _ROWS:
            continue
        whose = body[_ROWS[table][1]]
        before = known.get((table, whose))
        # who signs in proves a password, and changes none
        if (table, entry.kind) == ("accounts", "signed_in") and before is not None and before.seal != seal:
            yield f"{_ROWS[table][2].format(whose)} was changed bypassing the audit log before row {entry.seq} of the audit log."
        known[table, whose] = _Last(seal, _until(table, entry), body.get("name", ""))
    if entry.kind in _LEAVING:
        for (table, whose), last in known.items():
            ends = whose == body["session"] if "session" in body else last.name == body["name"]
            last.ended |= table == "sessions" and ends


def _until(table: str, entry: Row[*tuple[Any, ...]]) -> datetime | None:
    """From when on a row may be gone."""
    if table == "devices" and entry.kind == "signed_in":
        return moment(entry.at + timedelta(days=DEVICE_DAYS))
    if entry.kind in ("dead_letter_taken_in", "dead_letter_dropped"):
        return moment(entry.at)
    until = entry.body.get("until")
    return None if until is None else datetime.fromisoformat(until)
