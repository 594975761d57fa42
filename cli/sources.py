"""`missions source`: the systems that may hand events in."""

from cli.opening import open_ledger
from cli.people import manager
from cli.screen import say, table
from ledger.desk import Desk
from ledger.inbox import Inbox


def add_source(name: str) -> None:
    """Add an event source and print its token."""
    with open_ledger() as ledger:
        token = Inbox(ledger).add_source(name, manager(ledger, Desk(ledger), what="manage_sources"))
    say(f"Token of {name}, shown now and never again:")
    say(token)
    say("It goes with each request: POST /events, Authorization: Bearer TOKEN (docs/events.md).", style="dim")


def list_sources() -> None:
    """Print the event sources."""
    with open_ledger() as ledger:
        found = Inbox(ledger).sources()
    rows = [
        (one.name, f"{one.added_at:%Y-%m-%d %H:%M}", one.added_by, f"{one.ended_at:%Y-%m-%d %H:%M}" if one.ended_at else "")
        for one in found
    ]
    table(("name", "added", "by", "ended"), rows)


def end_source(name: str) -> None:
    """End an event source: its token is good for nothing any more."""
    with open_ledger() as ledger:
        Inbox(ledger).end_source(name, manager(ledger, Desk(ledger), what="manage_sources"))
    say(f"{name} hands no events in any more.")
