"""Opening the ledger alone, for the commands that only read it or record people."""

from collections.abc import Iterator
from contextlib import contextmanager

from graphs.ledgers import front_ledger
from graphs.settings import settings
from ledger.embedded import embedded_url
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.roles import grant_roles


@contextmanager
def open_ledger() -> Iterator[PostgresLedger]:
    """The ledger of the settings, migrated."""
    chosen = settings()
    url = chosen.database_url or embedded_url(chosen.postgres)
    if migrate(url) and not chosen.database_url:  # what is new is granted to the roles
        grant_roles(url)
    with front_ledger(url) as ledger:
        yield ledger
