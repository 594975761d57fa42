"""`missions events …`."""

from pathlib import Path
from typing import Annotated

import typer

event = typer.Typer(no_args_is_help=True, help="Events of a file, and those that could not be taken in.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@event.command("take")
def events_take(file: Annotated[Path, typer.Argument(help="FILE.jsonl: one event a line; FILE.json: one, or a list.")]) -> None:
    """Take events in, each once; workers run their Missions. What is no event becomes a dead letter."""
    from cli.events import take

    take(file)


@event.command("dead")
def events_dead(as_json: Json = False) -> None:
    """The dead letters: what came as an event and is none, from where, and why."""
    from cli.events import list_dead

    list_dead(as_json)


@event.command("again")
def events_again(
    letter: str, reason: Annotated[str, typer.Option(help="What has changed, such as a new pack; kept in the audit log.")]
) -> None:
    """Take a dead letter in now, as the person who is signed in."""
    from cli.events import again

    again(letter, reason)


@event.command("drop")
def events_drop(letter: str, reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")]) -> None:
    """Settle a dead letter and take nothing in, as the person who is signed in."""
    from cli.events import drop

    drop(letter, reason)
