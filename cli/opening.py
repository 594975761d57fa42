"""Opening the ledger alone, for the commands that only read it or record people."""

from collections.abc import Iterator
from contextlib import contextmanager

from graphs.ledgers import database_address, database_logins, front_ledger
from graphs.settings import settings
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import grant_roles


@contextmanager
def open_ledger() -> Iterator[PostgresLedger]:
    """The ledger of the settings, migrated."""
    chosen = settings()
    url = database_address(chosen)
    if migrate(url) and not chosen.database_url:  # what is new is granted to the roles
        grant_roles(url)
    with front_ledger(url, database_logins(chosen)) as ledger:
        yield ledger
