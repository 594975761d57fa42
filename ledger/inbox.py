"""The ledger as those see it who hand events in, and those who look after what could not be taken in.

On PostgreSQL only. Every method is one transaction and raises as `ledger.base` says. Events themselves are taken in
through `ledger.base.Ledger`.
"""

from sqlalchemy import Connection

from ledger import permissions
from ledger.admissions import COMMAND_LINE
from ledger.arrivals import ANY, NOTHING, Bounds, DeadLetter, EventSource, FeedPosition
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.sql import inbox, people


class Inbox:
    """Event sources, dead letters and feeds, on the database of a ledger."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._transaction = ledger.transaction

    # Event sources

    def add_source(self, name: str, by: str = COMMAND_LINE, bounds: Bounds = NOTHING) -> str:
        """The token of a new source, told now and never again; `by` is an administrator, or the command line."""
        with self._transaction() as tx:
            _may_manage(tx, by)
            return inbox.add_source(tx, name, by, bounds, utc_now())

    def bound_source(self, name: str, bounds: Bounds, by: str = COMMAND_LINE) -> None:
        """Let a source do something else from now on; `by` is an administrator, or the command line."""
        with self._transaction() as tx:
            _may_manage(tx, by)
            inbox.bound_source(tx, name, by, bounds, utc_now())

    def end_source(self, name: str, by: str = COMMAND_LINE) -> None:
        """Its token is good for nothing any more."""
        with self._transaction() as tx:
            _may_manage(tx, by)
            inbox.end_source(tx, name, by, utc_now())

    def sources(self) -> list[EventSource]:
        """All sources by name, those that have ended too."""
        with self._transaction() as tx:
            return inbox.sources(tx)

    def source_named(self, name: str) -> EventSource | None:
        """The source of this name, one that has ended too; None where there is none."""
        with self._transaction() as tx:
            return inbox.source_named(tx, name)

    def source_of(self, token: str) -> EventSource | None:
        """Whose token this is; None for one that is good for nothing."""
        with self._transaction() as tx:
            return inbox.source_of(tx, token)

    # Dead letters

    def keep_letter(self, source: str, body: str, reason: str, bounds: Bounds = ANY) -> str:
        """Keep what is no event, and why; its id. While it is open, the same from the same source is kept once.

        Raises TooMany where its source may hand in no more.
        """
        with self._transaction() as tx:
            return inbox.keep_letter(tx, source, body, reason, bounds, utc_now())

    def open_letters(self, limit: int = 500) -> tuple[list[DeadLetter], int]:
        """The letters that nobody settled, the oldest first, and how many there are in all."""
        with self._transaction() as tx:
            return inbox.open_letters(tx, limit)

    def letter_to_settle(self, letter_id: str, by: str, reason: str) -> DeadLetter:
        """The letter, if this person may settle it now with this reason. Refused or BadInput otherwise."""
        with self._transaction() as tx:
            return inbox.check_settling(tx, letter_id, by, reason)

    def settle_letter(self, letter_id: str, by: str, reason: str, run_id: str = "") -> DeadLetter:
        """Settle a letter: its event was taken in and started `run_id`, or it is dropped."""
        with self._transaction() as tx:
            return inbox.settle(tx, letter_id, by, reason, run_id, utc_now())

    # Feeds

    def feed(self, name: str) -> FeedPosition | None:
        """How far a feed was read; None where it never was."""
        with self._transaction() as tx:
            return inbox.feed(tx, name)

    def advance(self, name: str, after: str, to: str) -> bool:
        """Move the cursor of a feed from `after` on; False where another reader has moved it meanwhile."""
        with self._transaction() as tx:
            return inbox.advance(tx, name, after, to, utc_now())

    def feed_failed(self, name: str, error: str) -> None:
        """Note what went wrong with a feed, whose cursor stays."""
        with self._transaction() as tx:
            inbox.feed_failed(tx, name, error, utc_now())


def _may_manage(tx: Connection, by: str) -> None:
    if by != COMMAND_LINE:
        permissions.require(people.find(tx, by), "manage_sources")
