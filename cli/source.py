"""`missions source`: the systems that may hand events in."""

from typing import Annotated

import typer

from cli.opening import open_ledger
from cli.screen import say, table
from cli.user import manager
from ledger.desk import Desk
from ledger.inbox import Inbox

app = typer.Typer(no_args_is_help=True)


@app.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="As the system is called whose events it hands in, such as oms.")],
) -> None:
    """Add an event source and print its token, once. Takes an administrator."""
    with open_ledger() as ledger:
        token = Inbox(ledger).add_source(name, manager(ledger, Desk(ledger), what="manage_sources"))
    say(f"Token of {name}, shown now and never again:")
    say(token)
    say("It goes with each request: POST /events, Authorization: Bearer TOKEN (docs/events.md).", style="dim")


@app.command("list")
def list_sources() -> None:
    """The event sources."""
    with open_ledger() as ledger:
        found = Inbox(ledger).sources()
    rows = [
        (one.name, f"{one.added_at:%Y-%m-%d %H:%M}", one.added_by, f"{one.ended_at:%Y-%m-%d %H:%M}" if one.ended_at else "")
        for one in found
    ]
    table(("name", "added", "by", "ended"), rows)


@app.command("end")
def end_source(name: str) -> None:
    """End an event source: its token is good for nothing any more. Takes an administrator."""
    with open_ledger() as ledger:
        Inbox(ledger).end_source(name, manager(ledger, Desk(ledger), what="manage_sources"))
    say(f"{name} hands no events in any more.")
