"""Whether the database itself is as the migrations and `missions database roles` make it: what guards the rows.

`ledger/schema.json` says how the migrations make the schema "ledger"; `ledger.roles` says who may do what in it. Whoever
owns the tables could replace a function, take a trigger away or grant a role more than it needs: each such difference
is one sentence. That less is granted is none: whoever may not do something says so.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, select

from ledger.roles import EVERYBODY, FUNCTIONS, SECRET, WRITES
from ledger.sql import chain
from ledger.sql.rows import AnyRow, statements
from ledger.tables import AUDIT, SCHEMA

_SQL = statements("guards")
_BACK = "bypassing the audit log"


def catalog(tx: Connection) -> dict[str, str]:
    """What is in the schema, by name, and how it is made."""
    return {row.name: row.made for row in tx.execute(_SQL["catalog"])}


def differences(tx: Connection) -> Iterator[str]:
    """A sentence for each thing that is not as it was made."""
    expected, found = json.loads(SCHEMA.read_text(encoding="utf-8")), catalog(tx)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"The {name} of the schema ledger is gone: it was dropped {_BACK}."
        elif name not in expected:
            yield f"The {name} of the schema ledger is of no migration: it was added {_BACK}."
        elif found[name] != expected[name]:
            yield f"The {name} of the schema ledger is not as the migrations make it: it was changed {_BACK}."
    for row in tx.execute(_SQL["grants"]):
        if not row.owns and (row.on_to_others or not _may(row)):
            what = f"{row.name} ({row.part})" if row.part else row.name
            yield (
                f"{row.grantee} may {row.privilege} on the {row.kind} {what}: it was granted {_BACK}; "
                "look who did it, then call `missions database roles`."
            )
    for (said,) in tx.execute(_SQL["roles"], {"parts": list(WRITES)}):
        yield f"{said}: it was changed {_BACK}."


def _may(grant: AnyRow) -> bool:
    """Whether somebody who owns nothing needs this, or only reads what everybody in a role reads."""
    kind, grantee, privilege = str(grant.kind), str(grant.grantee), str(grant.privilege)
    if grantee == "PUBLIC":
        return kind == "trigger function"  # which nobody can call
    if kind == "schema":
        return privilege == "USAGE"
    if kind == "table" and privilege == "SELECT":
        return grant.name not in SECRET or grantee == "missions_dashboard"
    return any((grantee, grant.name, part, privilege) in _granted() for part in ("", grant.part))


@cache
def _granted() -> frozenset[tuple[str, str, str, str]]:
    """(role, table or function, column or nothing, privilege) of `ledger.roles`."""
    granted = set[tuple[str, str, str, str]]()
    for role, writes in WRITES.items():
        for function in (*EVERYBODY, *(FUNCTIONS if writes else ())):
            granted.add((role, function.replace("timestamptz", "timestamp with time zone"), "", "EXECUTE"))
        for table, privileges in writes.items():
            for privilege, columns in re.findall(r"(\w+)(?: \(([^)]*)\))?", privileges):
                granted |= {(role, table, column.strip(), privilege) for column in columns.split(",")}
    return frozenset(granted)


#: What superusers, owners, event triggers and settings of roles do, no grant says and no guard prevents. Which there are
#: differs from one PostgreSQL to the next, so they are kept in the log with `missions database roles`, and when an embedded
#: database is made: whatever came since is reported.
_POWERS_KEPT = "powers_kept"


def keep_powers(tx: Connection, at: datetime, again: bool) -> None:
    """Keep who stands above the grants now, where it is not what was kept last; unless `again`, only the first time."""
    now, kept = _powers_now(tx), _powers_kept(tx)
    if kept is None or (again and now != kept):
        chain.append(tx, at, _POWERS_KEPT, "", {"powers": now})


def new_powers(tx: Connection) -> Iterator[str]:
    """A sentence for each that came since."""
    kept = _powers_kept(tx)
    if kept is None:
        return
    for power in _powers_now(tx):
        if power not in kept:
            yield (
                f"{power[0].upper()}{power[1:]} is above every grant of this database, and was not when "
                "`missions database roles` last ran; find out who did it, then run it again."
            )


def _powers_now(tx: Connection) -> list[str]:
    return list(tx.scalars(_SQL["powers"]))


def _powers_kept(tx: Connection) -> list[str] | None:
    last = select(AUDIT.c.body).where(AUDIT.c.kind == _POWERS_KEPT).order_by(AUDIT.c.seq.desc()).limit(1)
    body = tx.scalar(last)
    return None if body is None else body["powers"]
