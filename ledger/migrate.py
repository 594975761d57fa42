"""Bring the tables of a database up to date."""

from contextlib import suppress
from pathlib import Path

import psycopg

from errors import BadInput
from ledger.connections import connected, parse

_SCRIPTS = Path(__file__).parent / "migrations"
#: of a table that is to be changed: behind who waits for it, all others wait
_PATIENCE = "SET lock_timeout = '30s'"


def migrate(url: str) -> bool:
    """Upgrade the schema "ledger" to the newest revision; True when there was something to do.

    Safe to call from several processes at once. TryAgain when the database does not answer, BadInput when it was
    made by a newer version of this project or the account may not make tables.
    """
    remedy = "start it, or correct DATABASE_URL"
    try:
        with connected(url, "The database to migrate", remedy, autocommit=True) as session:
            if _current(session) == newest_revision():
                return False
            # another process may make it at this moment
            with suppress(psycopg.errors.UniqueViolation):
                session.execute("CREATE SCHEMA IF NOT EXISTS ledger")
            with session.transaction():
                alone(session)
                return _upgrade(url)
    except psycopg.errors.InsufficientPrivilege as failed:
        raise BadInput(f"The database account may not make the ledger's tables: {failed}. Give it CREATE.") from failed


def alone(session: psycopg.Connection) -> None:
    """Be the only one who makes tables or grants, until the transaction ends: to say what a schema is takes its owner,
    and one at a time."""
    session.execute("COMMENT ON SCHEMA ledger IS 'The ledger: what was decided and done, and its audit log.'")


def is_migrated(url: str) -> bool:
    """Whether the database has the ledger's tables as this version of the project knows them. Changes nothing."""
    with connected(url, autocommit=True) as session:
        return _current(session) == newest_revision()


def newest_revision() -> str:
    """Revisions are numbered files (0001_ledger.py), so that Alembic is not needed to know the last one."""
    return max(path.name for path in _SCRIPTS.glob("versions/[0-9]*.py")).split("_")[0]


def _current(session: psycopg.Connection) -> str | None:
    try:
        row = session.execute("SELECT version_num FROM ledger.alembic_version").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    return str(row[0]) if row else None


def _upgrade(url: str) -> bool:
    # here, not above: loading Alembic takes longer than a command that has nothing to migrate
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import NullPool, create_engine, text

    config = Config()
    # the parser of the configuration reads "%" in a path as a reference
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = create_engine(parse(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_PATIENCE))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as failed:
            raise BadInput(
                f"The ledger in this database was made by another version of the project: {failed}. Update the project."
            ) from failed
    return True
