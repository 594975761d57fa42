"""One write of the sandbox company: one transaction, done once per idempotency key, with what it changed.

Idempotency keys are those of the IETF draft draft-ietf-httpapi-idempotency-key-header; fencing tokens those of M. Kleppmann,
"How to do distributed locking" (2016): a holder that was replaced is refused, however late its write comes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, IntegrityError

from errors import Refused, TryAgain
from systems.sandbox import database as db
from systems.sandbox.database import Row, clean, digest, json_value

Id = Annotated[str, Field(min_length=1, max_length=500)]
#: what a write tool does: `act(work, …)`
Act = Callable[..., None]
#: a word or two of a fixed vocabulary of the caller's: a reason, a template, a queue
Words = Annotated[str, Field(min_length=1, max_length=500)]
#: text for a person
Prose = Annotated[str, Field(max_length=20_000)]
#: an amount of money in integer US cents
Cents = Annotated[int, Field(gt=0, le=10**12)]


@dataclass
class Work:
    """What a write tool works with: locked rows, and changes that its answer reports."""

    connection: Connection
    key: str
    changed: list[dict[str, Any]] = field(default_factory=list)

    def row(self, table: Table, **by: Any) -> Row:
        """The one row with these values, locked until the write is done. Raises Refused when there is none."""
        for row in self.rows(table, **by):
            return row
        raise Refused(f"There is no {table.info['noun']} {'/'.join(map(str, by.values()))}.")

    def rows(self, table: Table, **by: Any) -> list[Row]:
        """The rows with these values, locked in the order of their keys until the write is done."""
        query = select(table).where(*[table.c[name] == value for name, value in by.items()])
        found = self.connection.execute(query.order_by(*table.primary_key).with_for_update())
        return [dict(row) for row in found.mappings()]

    def change(self, table: Table, row: Mapping[str, Any], **values: Any) -> None:
        """Set fields of a row; those that really change are reported."""
        fresh = {name: value for name, value in values.items() if row[name] != value}
        if fresh:
            keys = [column == row[column.name] for column in table.primary_key]
            self.connection.execute(update(table).where(*keys).values(fresh))
        for name, value in fresh.items():
            kind = table.c[name].info.get("kind")
            if kind != "inner":
                self._report(table, row, name, None if kind == "mark" and not row[name] else row[name], value)

    def add(self, table: Table, **values: Any) -> None:
        """Add an element at the end of a list of a record."""
        place = len(self.rows(table, **{name: values[name] for name in table.info["parent_key"]}))
        self.connection.execute(insert(table).values(**values, position=place))
        shown = {column.name: json_value(values.get(column.name)) for column in table.columns if "kind" not in column.info}
        self._report(table, values, None, None, shown)

    def do(self, collection: str, subject: str, **body: Any) -> None:
        """Note a deed that no record shows: a message sent, a task, a label."""
        deed_id = self.new_id("d")
        self.connection.execute(insert(db.DEEDS).values(deed_id=deed_id, collection=collection, subject=subject, body=body))
        self.changed.append({"collection": collection, "record": deed_id, "field": subject, "before": None, "after": body})

    def new_id(self, prefix: str) -> str:
        """An id that the same key always gives: the first of this write, the second of this write, …"""
        return f"{prefix}_{hashlib.sha256(f'{self.key} {len(self.changed)}'.encode()).hexdigest()[:12]}"

    def _report(self, table: Table, row: Mapping[str, Any], name: str | None, before: Any, after: Any) -> None:
        part, parent = table.info["part"], table.info.get("parent_key", ())
        own = [str(row[column.name]) for column in table.primary_key if column.name not in parent]
        record = "/".join([str(row[column]) for column in parent] or own)
        field = "/".join([*([part, *own] if part else []), *([name] if name else [])])
        change = {"collection": table.info["collection"], "record": record, "field": field}
        self.changed.append({**change, "before": json_value(before), "after": json_value(after)})


def run_once(
    engine: Engine, tool: str, args: Mapping[str, Any], key: str, act: Act,
    expects: Sequence[Mapping[str, Any]] = (), fence: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Do `act(work, **args)` in one transaction, or give the first answer again if `key` was used before.

    `expects` is [{"system", "record", "field", "before"}]: where a field that is changed was something else before,
    nothing is done. Raises Refused (that, an invariant, a fencing token older than one seen before, or the key was used
    with other arguments) and TryAgain (the database, or it came too late); then nothing has changed.
    """
    args = clean(dict(args))
    try:
        with engine.begin() as connection:
            if fence is not None:
                _require_newest(connection, tool, fence)
            # A concurrent call with the same key waits here until the first one is committed or rolled back.
            row = {"key": key, "tool": tool, "args_digest": digest(args)}
            mine = connection.execute(upsert(db.WRITES).values(row).on_conflict_do_nothing().returning(db.WRITES.c.key)).scalar()
            if mine is None:
                first = connection.execute(select(db.WRITES).where(db.WRITES.c.key == key)).mappings().one()
                if (first["tool"], first["args_digest"]) != (tool, digest(args)):
                    used = f"was already used for another call ({first['tool']})"
                    raise Refused(f"The idempotency key {key} {used}; give {tool} a new key.")
                return {**first["answer"], "replayed": True}
            work = Work(connection, key)
            act(work, **args)
            _require_expected(work, expects)
            answer = {"receipt_id": work.new_id("rc"), "changed": work.changed, "replayed": False}
            connection.execute(update(db.WRITES).where(db.WRITES.c.key == key).values(answer=answer))
            if fence is not None:  # last: it may have waited for others until now
                until = datetime.fromisoformat(fence["valid_until"])
                if connection.execute(select(func.clock_timestamp())).scalar_one() > until:  # by the company's clock
                    raise TryAgain(f"{tool} was good until {json_value(until)} and came too late; nothing was changed.")
            return answer
    except IntegrityError as error:
        rule = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise Refused(f"The records do not allow {tool}: it would break the rule {rule}; nothing was changed.") from error
    except DBAPIError as error:
        raise not_done(tool, error) from error


def not_done(tool: str, error: DBAPIError) -> TryAgain:
    """The database did not do what a tool asked of it."""
    problem = str(error.orig).strip().partition("\n")[0]
    return TryAgain(f"The sandbox company's database did not do {tool} ({problem}); try again.")


def _require_expected(work: Work, expects: Sequence[Mapping[str, Any]]) -> None:
    """Raises Refused, which takes everything back, where a record was not as whoever writes believed."""
    wanted = {(one["system"], one["record"], one["field"]): one["before"] for one in expects}
    for change in work.changed:
        spot = (change["collection"].partition(".")[0], change["record"], change["field"])
        if spot in wanted and wanted[spot] != change["before"]:
            raise Refused(f"{' '.join(spot)} was {change['before']!r} and not {wanted[spot]!r}; it was changed in the meantime.")


def _require_newest(connection: Connection, tool: str, fence: Mapping[str, Any]) -> None:
    """Raises Refused where a call of the same scope with a newer token has been here."""
    fences, token = db.FENCES, fence["token"]
    mine = upsert(fences).values(scope=fence["scope"], token=token)
    newest = {"token": func.greatest(fences.c.token, mine.excluded.token)}
    kept = mine.on_conflict_do_update(index_elements=["scope"], set_=newest).returning(fences.c.token)
    seen = connection.execute(kept).scalar_one()
    if seen > token:
        raise Refused(f"{tool} came from holder {token} of {fence['scope']}, and holder {seen} has been here since.")
