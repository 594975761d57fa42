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
from ledger.tables import AUDIT

#: what is sealed of a run
OF_RUNS = (
    "inbox", "runs", "observations", "facts", "model_calls", "proposals", "touches", "decisions", "authorizations", "effects",
    "incidents",
)  # fmt: skip
#: single rows that are sealed: all that there are, by what the log calls them
_ROWS: Mapping[str, str] = {
    "people": "SELECT name AS whose FROM ledger.people",
    "accounts": "SELECT coalesce(name, key) AS whose FROM ledger.accounts LEFT JOIN ledger.people USING (key)",
    "codes": "SELECT coalesce(name, key) AS whose FROM ledger.accounts LEFT JOIN ledger.people USING (key)",
    "sessions": "SELECT digest AS whose FROM ledger.sessions",
    "devices": "SELECT digest || ' ' || key AS whose FROM ledger.devices",
    "admissions": "SELECT admission_id AS whose FROM ledger.admissions",
    "event_sources": "SELECT name AS whose FROM ledger.event_sources",
    "dead_letters": "SELECT letter_id AS whose FROM ledger.dead_letters",
    # one that has told nothing yet has no place to read on from
    "feeds": "SELECT name AS whose FROM ledger.feeds WHERE cursor <> ''",
    "policy_drafts": "SELECT draft_id AS whose FROM ledger.policy_drafts",
    "lessons": "SELECT decision_id AS whose FROM ledger.lessons",
}
#: as they are named in a sentence
_NAMES: Mapping[str, str] = {
    "people": "The person '{}'",
    "accounts": "The password or second factor of '{}'",
    "codes": "The last code of the second factor of '{}'",
    "sessions": "The session {}",
    "devices": "The browser {}",
    "admissions": "What was asked for as {}",
    "event_sources": "The event source {}",
    "dead_letters": "The dead letter {}",
    "feeds": "The feed {}",
    "policy_drafts": "The policy draft {}",
    "lessons": "The settled lesson {}",
}
#: in the body, what a single row is called
_KEYS: Mapping[str, str] = {
    "sessions": "session", "devices": "device", "admissions": "admission_id", "dead_letters": "letter_id",
    "policy_drafts": "draft_id", "lessons": "decision_id",
}  # fmt: skip
_BROKEN = text("""
    SELECT audit.run_id, told.name, min(audit.seq) AS seq
    FROM ledger.audit, jsonb_each_text(audit.body -> 'rows') AS told (name, seal)
    WHERE audit.run_id = ANY (:ids) AND told.name = ANY (:names)
    GROUP BY audit.run_id, told.name, told.seal
    HAVING told.seal <> ledger.seal(told.name, audit.run_id, split_part(told.seal, ' ', 1)::bigint)
    ORDER BY seq
""")
#: what stands in a run that has ended, or waits for somebody, after what its last seal covers
_ADDED = text("""
    SELECT sealed.run_id, sealed.name FROM (
        SELECT audit.run_id, told.name, max(split_part(told.seal, ' ', 1)::bigint) AS upto
        FROM ledger.audit, jsonb_each_text(audit.body -> 'rows') AS told (name, seal)
        WHERE audit.run_id = ANY (:ids) AND told.name IN ('observations', 'facts', 'model_calls')
        GROUP BY audit.run_id, told.name
    ) AS sealed JOIN ledger.runs ON runs.run_id = sealed.run_id AND (runs.status = 'closed'
        OR runs.status IN ('waiting', 'incident') AND sealed.name = 'observations'
        OR runs.status = 'waiting' AND sealed.name = 'facts')
    WHERE sealed.upto < CASE sealed.name
        WHEN 'facts' THEN (SELECT max(f.look) FROM ledger.facts f WHERE f.run_id = sealed.run_id)
        WHEN 'observations' THEN (SELECT max(o.seq) FROM ledger.observations o WHERE o.run_id = sealed.run_id)
        ELSE (SELECT max(c.number) FROM ledger.model_calls c WHERE c.run_id = sealed.run_id)
    END
""")
_SINGLE = text("""
    SELECT seq, at, kind, body FROM ledger.audit
    WHERE body -> 'rows' ?| CAST(:names AS text[]) OR kind = ANY (:leaving) ORDER BY seq
""")
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
    for row in tx.execute(_BROKEN, {"ids": list(run_ids), "names": list(OF_RUNS)}):
        said[row.run_id].append(
            f"Run {row.run_id} is not as the audit log says ({row.name}, row {row.seq}): it was changed behind its back."
        )
    for row in tx.execute(_ADDED, {"ids": list(run_ids)}):
        said[row.run_id].append(
            f"Run {row.run_id} has {row.name} that the audit log does not know of: they were added behind its back."
        )
    return said


def differences(tx: Connection) -> Iterator[str]:
    """A sentence for each single row that was added, deleted or changed."""
    told: dict[tuple[str, str], _Last] = {}
    for entry in tx.execute(_SINGLE, {"names": list(_ROWS), "leaving": list(_LEAVING)}):
        yield from _hear(entry, told)
    now = max(filter(None, (tx.scalar(select(func.now())), tx.scalar(select(func.max(AUDIT.c.at))))))
    for table, listed in _ROWS.items():
        seen: set[str] = set()
        for whose, found in tx.execute(text(f"SELECT whose, ledger.seal('{table}', whose) FROM ({listed}) AS listed")):
            name, last = _NAMES[table].format(whose), told.get((table, whose))
            if last is None or last.ended or whose in seen:
                yield f"{name} stands in the ledger, and the audit log does not know of it: it was added behind its back."
            elif last.seal != found:
                yield f"{name} is not as the audit log says: it was changed behind its back."
            seen.add(whose)
        for (kept_in, whose), last in told.items():
            may_be_gone = last.ended or (last.until is not None and last.until <= now)
            if kept_in == table and whose not in seen and not may_be_gone:
                yield (
                    f"{_NAMES[table].format(whose)} is told of in the audit log, and gone from the ledger: "
                    "it was deleted behind its back."
                )


def _hear(entry: Row[*tuple[Any, ...]], told: dict[tuple[str, str], _Last]) -> Iterator[str]:
    """Take one row of the log in; a sentence where it is the first that shows a change."""
    body = entry.body
    for table, seal in body.get("rows", {}).items():
        if table not in _ROWS:
            continue
        whose = body[_KEYS.get(table, "name")]
        before = told.get((table, whose))
        # who signs in proves a password, and changes none
        if (table, entry.kind) == ("accounts", "signed_in") and before is not None and before.seal != seal:
            yield f"{_NAMES[table].format(whose)} was changed behind the ledger's back before row {entry.seq} of the audit log."
        told[table, whose] = _Last(seal, _until(table, entry), body.get("name", ""))
    if entry.kind in _LEAVING:
        for (table, whose), last in told.items():
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
