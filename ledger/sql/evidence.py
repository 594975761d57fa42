"""Facts and observations in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from ledger import audit, legality
from ledger.canonical import canonical, clean
from ledger.columns import CleanText
from ledger.records import Fact, Lease, NewObservation, Observation
from ledger.sql import chain
from ledger.sql.lock import locked_run
from ledger.sql.rows import fields, select_record
from ledger.tables import FACTS, OBSERVATIONS

#: one statement for all of a look, and for all that a step says
_RECORD = text("""
INSERT INTO ledger.facts (run_id, look, position, name, tool, args, status, value, read_at, error)
SELECT :run_id, (SELECT coalesce(max(look), 0) + 1 FROM ledger.facts WHERE run_id = :run_id), place - 1,
    name, tool, args, status, value, read_at, error
FROM ROWS FROM (
    jsonb_to_recordset(CAST(:rows AS jsonb))
    AS (name text, tool text, args jsonb, status text, value jsonb, read_at timestamptz, error text)
) WITH ORDINALITY AS one (name, tool, args, status, value, read_at, error, place)
""")
_SAY = text("""
INSERT INTO ledger.observations (run_id, seq, at, step, kind, text, evidence)
SELECT :run_id, one.* FROM jsonb_to_recordset(CAST(:rows AS jsonb))
    AS one (seq integer, at timestamptz, step text, kind text, text text, evidence jsonb)
""")


_SAY_ALONE = text(f"""{_SAY.text} WHERE EXISTS (
    SELECT FROM ledger.runs JOIN ledger.leases USING (run_id)
    WHERE run_id = :run_id AND token = :token AND status = 'running' FOR SHARE OF leases FOR KEY SHARE OF runs
)""")


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


def record_facts(tx: Connection, run_id: str, facts: Sequence[Fact]) -> None:
    locked_run(tx, run_id)
    add_look(tx, run_id, facts)


def add_look(tx: Connection, run_id: str, facts: Sequence[Fact]) -> None:
    """Keep what a look read. Needs the lock of the run, or its lease."""
    legality.check_facts(facts)
    if facts:
        tx.execute(_RECORD, {"run_id": clean(run_id), "rows": canonical([vars(fact) for fact in facts]).decode()})


def facts(tx: Connection, run_id: str, look: int | None) -> list[Fact]:
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


def observe(tx: Connection, run_id: str, entries: Sequence[NewObservation], at: datetime) -> list[Observation]:
    run = locked_run(tx, run_id)
    said = [Observation(seq=seq, at=at, **vars(entry)) for seq, entry in enumerate(entries, start=last(tx, run_id) + 1)]
    say(tx, run_id, said, at_rest=run.status in audit.AT_REST)
    return said


def last(tx: Connection, run_id: str) -> int:
    """The number of the last observation; 0 before the first."""
    return tx.scalar(select(func.max(OBSERVATIONS.c.seq)).where(OBSERVATIONS.c.run_id == run_id)) or 0


def say_alone(session: Connection, held: Lease, said: Sequence[Observation]) -> bool:
    """Write observations in one statement that finds the lease held and the run going on; False where it does not."""
    rows = canonical([vars(one) for one in said]).decode()
    return session.execute(_SAY_ALONE, {"run_id": held.run_id, "token": held.token, "rows": rows}).rowcount == len(said)


def say(tx: Connection, run_id: str, said: Sequence[Observation], *, at_rest: bool) -> None:
    """Write observations down as they are numbered. What is said `at_rest` has a row of the log."""
    if said:
        tx.execute(_SAY, {"run_id": clean(run_id), "rows": canonical([vars(one) for one in said]).decode()})
    if said and at_rest:
        chain.append(tx, said[-1].at, "observed", run_id, {"upto": said[-1].seq})


def observations(tx: Connection, run_id: str, after: int) -> list[Observation]:
    mine = select_record(OBSERVATIONS).where(OBSERVATIONS.c.run_id == run_id, OBSERVATIONS.c.seq > after)
    return [Observation(**fields(row, "run_id")) for row in tx.execute(mine.order_by(OBSERVATIONS.c.seq))]
