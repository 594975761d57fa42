"""Who stands above the grants of this database, as an account that owns the ledger last kept it in the log.

What superusers, owners, event triggers and settings of roles do, no grant says and no guard prevents. Which there are
differs from one PostgreSQL to the next, so they are kept with `missions database roles`, and when an embedded database is
made: whatever came since is told.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select, text

from ledger.sql import chain
from ledger.tables import AUDIT

_POWERS = text("""
WITH owner AS (
    SELECT nspowner AS oid FROM pg_namespace WHERE nspname = 'ledger'
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
), above AS (
    SELECT oid, 'acts as ' || pg_get_userbyid(oid) || ', who owns the ledger or its database' AS how FROM owner
    UNION ALL SELECT oid, 'acts as ' || rolname FROM pg_roles
    WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
)
SELECT rolname || ' (superuser)' AS power FROM pg_roles WHERE rolsuper
UNION SELECT rolname || ' (' || how || ')' FROM pg_roles CROSS JOIN above
WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%' AND pg_has_role(pg_roles.oid, above.oid, 'MEMBER')
UNION SELECT 'the event trigger ' || evtname || ' (' || evtfoid::regprocedure || ')' FROM pg_event_trigger WHERE evtenabled <> 'D'
UNION SELECT 'the setting ' || setting || ' (' || coalesce(nullif(concat_ws(' in ',
    (SELECT rolname FROM pg_roles WHERE oid = setrole), (SELECT datname FROM pg_database WHERE oid = setdatabase)
), ''), 'everybody') || ')'
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE (setting ~* '^(search_path|session_preload_libraries|local_preload_libraries|row_security)='
        OR setrole IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'missions\\_%'))
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1
""")
_KIND = "powers_kept"


def keep(tx: Connection, at: datetime, again: bool) -> None:
    """Keep who stands above the grants now, where it is not what was kept last; unless `again`, only the first time."""
    now, kept = _now(tx), _kept(tx)
    if kept is None or (again and now != kept):
        chain.append(tx, at, _KIND, "", {"powers": now})


def differences(tx: Connection) -> Iterator[str]:
    """A sentence for each that came since."""
    kept = _kept(tx)
    if kept is None:
        return
    for power in _now(tx):
        if power not in kept:
            yield (
                f"{power[0].upper()}{power[1:]} stands above every grant of this database, and did not when "
                "`missions database roles` was called last: look who did it, then call it again."
            )


def _now(tx: Connection) -> list[str]:
    return list(tx.scalars(_POWERS))


def _kept(tx: Connection) -> list[str] | None:
    last = select(AUDIT.c.body).where(AUDIT.c.kind == _KIND).order_by(AUDIT.c.seq.desc()).limit(1)
    body = tx.scalar(last)
    return None if body is None else body["powers"]
