"""The ledger as each part of the project opens it: in its role of the database, where the database has roles."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver

from graphs.settings import Settings
from ledger.address import parse, plain
from ledger.embedded import embedded_url
from ledger.postgres import PostgresLedger
from ledger.roles import as_role, has_roles, patient


@dataclass(frozen=True)
class Ledgers:
    """One ledger three times; without roles of the database, all three may write all of it."""

    #: up to the proposal
    reasoner: PostgresLedger
    #: from the decision on
    executor: PostgresLedger
    #: what people do
    front: PostgresLedger
    #: where LangGraph keeps its checkpoints
    checkpoints: str


def database_address(settings: Settings) -> str:
    """The address of the database of the settings, as every client reads it; the embedded one is started if need be."""
    return plain(parse(settings.database_url)) if settings.database_url else embedded_url(settings.postgres)


@contextmanager
def open_ledgers(url: str, lease_seconds: float) -> Iterator[Ledgers]:
    """The ledgers of a runtime."""
    with ExitStack() as stack:
        if has_roles(url):
            reasoner = stack.enter_context(PostgresLedger.open(url, lease_lasts=lease_seconds, role="missions_reasoner"))
            executor = stack.enter_context(PostgresLedger.open(url, lease_lasts=lease_seconds, role="missions_executor"))
            front = stack.enter_context(PostgresLedger.open(url, lease_lasts=lease_seconds, role="missions_dashboard"))
            yield Ledgers(reasoner, executor, front, patient(as_role(url, "missions_reasoner")))
        else:
            ledger = stack.enter_context(PostgresLedger.open(url, lease_lasts=lease_seconds))
            yield Ledgers(ledger, ledger, ledger, patient(url))


def front_ledger(url: str) -> PostgresLedger:
    """The ledger of a process in which people act."""
    return PostgresLedger.open(url, role="missions_dashboard" if has_roles(url) else None)


def set_up_checkpoints(url: str) -> None:
    """Make LangGraph's tables, unless they are there: then it takes no right to make tables."""
    with psycopg.connect(plain(parse(url))) as session:
        there = session.execute("SELECT to_regclass('checkpoint_migrations') IS NOT NULL").fetchone() == (True,)
        newest = session.execute("SELECT max(v) FROM checkpoint_migrations").fetchone() if there else None
    if newest != (len(PostgresSaver.MIGRATIONS) - 1,):
        with PostgresSaver.from_conn_string(url) as saver:
            saver.setup()
