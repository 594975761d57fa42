"""Whether the ledger is well: its database answers, its tables are the newest, its log can be
written, and no run is left lying.

For the dashboard and for workers alike. The answer says nothing about anybody: it may be read by who is not signed in.
"""

import logging
from collections.abc import Mapping

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from errors import MissionsError
from ledger.migrate import newest_revision
from ledger.postgres import PostgresLedger

_log = logging.getLogger(__name__)
#: seconds for which a run may be running without anybody who works on it
LONGEST_UNATTENDED_S = 15 * 60
#: of the database's patience with one question
_PATIENCE = text("SET LOCAL statement_timeout = '5s'")
#: a row that any role may write, and that is taken back; whoever holds the log is waited for so long
_TRIAL = text("SELECT ledger.append(clock_timestamp(), 'incident_opened', '', '{}')")
_TRIAL_PATIENCE = text("SET LOCAL lock_timeout = '1500ms'")
_REVISION = text("SELECT version_num FROM ledger.alembic_version")
_UNATTENDED = text("""
    SELECT extract(epoch FROM now() - min((SELECT max(at) FROM ledger.audit WHERE audit.run_id = runs.run_id)))
    FROM ledger.runs WHERE status = 'running'
    AND NOT EXISTS (SELECT FROM ledger.leases WHERE leases.run_id = runs.run_id AND until > now())
""")


def health(ledger: PostgresLedger) -> Mapping[str, str]:
    """{"status": "ok" or "unwell", and of "database", "migrations", "runs" and "log" "ok", or in a word what is wrong}."""
    found = {"database": "away", "migrations": "unknown", "runs": "unknown", "log": "unknown"}
    try:
        with ledger.transaction() as tx:
            tx.execute(_PATIENCE)
            revision = tx.execute(_REVISION).scalar()
            found |= {"database": "ok", "migrations": "ok" if revision == newest_revision() else "another version"}
            found["runs"] = "ok" if unattended_s(tx) <= LONGEST_UNATTENDED_S else "left lying"
            found["log"] = "ok" if _is_writable(tx) else "cannot be written"
    except ProgrammingError:
        found |= {"database": "ok", "migrations": "another version", "runs": "unknown"}
    except MissionsError as error:
        _log.warning("the ledger is not well: %s", error)
    return {"status": "ok" if set(found.values()) == {"ok"} else "unwell", **found}


def unattended_s(tx: Connection) -> float:
    """Seconds since anything happened to the run that was left lying longest; 0 when there is none."""
    return max(float(tx.execute(_UNATTENDED).scalar() or 0), 0.0)


def _is_writable(tx: Connection) -> bool:
    """Whether a row of the audit log could be written now: it is, and taken back at once."""
    trial = tx.begin_nested()
    try:
        tx.execute(_TRIAL_PATIENCE)
        tx.execute(_TRIAL)
    except DBAPIError as failed:
        _log.warning("the audit log cannot be written: %s", type(failed.orig).__name__)
        return False
    finally:
        trial.rollback()
    return True
