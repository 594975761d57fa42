"""What a run goes by, in PostgreSQL: facts, observations, drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from ledger import audit_chain, invariants
from ledger.canonical import clean, json_of, moment, storable
from ledger.records import Fact, Lease, NewObservation, Observation, RunStatus
from ledger.sql import chain
from ledger.sql.locks import FENCE, locked_run
from ledger.sql.rows import fields, run, run_on, select_record, statements
from ledger.tables import DRAFTS, FACTS, OBSERVATIONS, CleanText

#: one statement for all of a look, for all drafts, and for all that a step says
_PARTS = {name: statement.text for name, statement in statements("evidence").items()}
_IN = {name: part.format(held="") for name, part in _PARTS.items()}
_HELD = f"WITH found AS MATERIALIZED ({FENCE}), held AS (SELECT FROM found WHERE status = 'running')"
_DRAFT = select(DRAFTS.c.body).where(DRAFTS.c.draft_id == bindparam("draft"))
_LATEST = (
    select(FACTS)
    .where(FACTS.c.run_id == bindparam("run"))
    .ext(distinct_on(FACTS.c.name))
    .order_by(FACTS.c.name, FACTS.c.look.desc())
)
_LOOK = select(FACTS).where(FACTS.c.run_id == bindparam("run"), FACTS.c.look == bindparam("at"))
_LOOKS = (
    select(FACTS)
    .where(FACTS.c.run_id == any_(bindparam("runs", type_=ARRAY(CleanText))))
    .order_by(FACTS.c.run_id, FACTS.c.look, FACTS.c.position)
)


def record_facts(tx: Connection, run_id: str, facts: Sequence[Fact]) -> list[Fact]:
    kept = invariants.stored_facts(facts)
    locked_run(tx, run_id)
    write(tx, run_id, Unwritten(facts=kept), at_rest=False)
    return kept


def facts(tx: Connection, run_id: str, look: int | None = None) -> list[Fact]:
    """Of one look, or the latest of each name; in the order in which they were recorded."""
    found = tx.execute(_LATEST, {"run": run_id}) if look is None else tx.execute(_LOOK, {"run": run_id, "at": look})
    rows = sorted(found, key=lambda row: (row.look, row.position))
    return [Fact(**fields(row, "run_id", "look", "position")) for row in rows]


def looks(tx: Connection, run_ids: Sequence[str]) -> dict[str, list[list[Fact]]]:
    """By run, the facts of each of its looks, the first look first."""
    found: dict[str, list[list[Fact]]] = {run_id: [] for run_id in run_ids}
    for (run_id, _), rows in groupby(tx.execute(_LOOKS, {"runs": list(run_ids)}), key=lambda row: (row.run_id, row.look)):
        found[run_id].append([Fact(**fields(row, "run_id", "look", "position")) for row in rows])
    return found


def observe(
    tx: Connection, now: datetime, run_id: str, entries: Sequence[NewObservation], at: datetime | None = None
) -> list[Observation]:
    invariants.check_observations(entries)
    at = now if at is None else moment(at)
    status = locked_run(tx, run_id).status
    said = [Observation(seq=seq, at=at, **vars(entry)) for seq, entry in enumerate(entries, start=last(tx, run_id) + 1)]
    write(tx, run_id, Unwritten(said=said), at_rest=status in audit_chain.AT_REST)
    return said


def last(tx: Connection, run_id: str) -> int:
    """The number of the last observation; 0 before the first."""
    return tx.scalar(select(func.max(OBSERVATIONS.c.seq)).where(OBSERVATIONS.c.run_id == run_id)) or 0


def draft(tx: Connection, run_id: str, draft: Mapping[str, Any]) -> str:
    locked_run(tx, run_id)
    kept = storable(draft)
    draft_id = invariants.draft_id(run_id, kept)
    write(tx, run_id, Unwritten(drafts={draft_id: kept}), at_rest=False)
    return draft_id


def drafted(tx: Connection, draft_id: str) -> dict[str, Any]:
    kept: dict[str, Any] | None = tx.scalar(_DRAFT, {"draft": draft_id})
    return invariants.check_draft(draft_id, kept)


@dataclass
class Unwritten:
    """What a step has handed in, and not written."""

    #: of one look, as they are kept
    facts: list[Fact] = field(default_factory=list)
    #: by their ids, as plain data
    drafts: dict[str, Any] = field(default_factory=dict)
    said: list[Observation] = field(default_factory=list)

    def parts(self) -> dict[str, str]:
        """What there is of it, as JSON."""
        facts = [{**vars(one), "read_at": one.read_at.isoformat()} for one in self.facts]
        said = [
            {**vars(one), "at": one.at.isoformat(), "text": clean(one.text), "evidence": storable(one.evidence)}
            for one in self.said
        ]
        found: dict[str, Any] = {"facts": facts, "drafts": self.drafts, "said": said}
        return {name: json_of(part) for name, part in found.items() if part}

    def __bool__(self) -> bool:
        return bool(self.facts or self.drafts or self.said)


@cache
def _while_held(*parts: str) -> str:
    """Whoever executes may not write facts or drafts, and the database refuses them the statement even where there are none."""
    written = [f"wrote_{name} AS ({_PARTS[name].format(held='held CROSS JOIN')})" for name in parts]
    return f"{', '.join([_HELD, *written])} SELECT status FROM found"


def write_held(session: Any, held: Lease, unwritten: Unwritten) -> RunStatus | None:
    """Write in one statement that finds the lease held and the run going on; the status of the run, None of one that is lost.

    Nothing is written of a run that is not 'running'. `session` is one of psycopg.
    """
    parts = unwritten.parts()
    found = run_on(session, _while_held(*parts), {**vars(held), **parts}).fetchone()
    return found and found[0]


def write(tx: Connection, run_id: str, unwritten: Unwritten, *, at_rest: bool) -> None:
    """Write in a transaction that has the lease of the run. What is said `at_rest` has a row of the log."""
    for name, part in unwritten.parts().items():
        run(tx, _IN[name], {"run_id": clean(run_id), name: part})
    if unwritten.said and at_rest:
        chain.append(tx, unwritten.said[-1].at, "observed", run_id, {"upto": unwritten.said[-1].seq})


def observations(tx: Connection, run_id: str, after: int = 0) -> list[Observation]:
    mine = select_record(OBSERVATIONS).where(OBSERVATIONS.c.run_id == run_id, OBSERVATIONS.c.seq > after)
    return [Observation(**fields(row, "run_id")) for row in tx.execute(mine.order_by(OBSERVATIONS.c.seq))]
