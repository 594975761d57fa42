"""`missions outgoing`: who is told of what happens, how far, and what to do about one that takes nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from cli.screen import Json, Reason, in_column, print_json, say, table
from cli.session import manager, open_ledger
from errors import BadInput, Refused, TryAgain
from graphs.delivery import OutgoingSender
from graphs.outgoing import Destination, Outgoing, load_outgoing
from ledger.outbox import OutboxPosition
from ledger.services import Outbox
from settings import settings
from strict_yaml import instead

app = typer.Typer(no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a destination.")]


@app.command("list")
def list_destinations(as_json: Json = False) -> None:
    """The destinations: how far each has been told, and what went wrong last."""
    declared = _outgoing().outgoing
    with open_ledger() as ledger:
        told = {one.name: one for one in Outbox(ledger).positions()}
    if as_json:
        print_json([asdict(one) | {"declared": one.name in declared} for one in told.values()])
        return
    names = sorted({*declared, *told})
    rows = [_row(name, declared.get(name), told.get(name)) for name in names]
    if not rows:
        say("There are no destinations; docs/outgoing.md says how to declare one.")
        return
    table(("name", "host", "told up to row", "rows behind", "since", "last delivery"), rows)
    for name in names:
        for note in _notes(name, declared.get(name), told.get(name)):
            say(note)


@app.command("test")
def test_destination(name: _Name) -> None:
    """Send the event `missions.test` to a destination, now; its position stays where it is."""
    outgoing = _outgoing()
    to = outgoing.outgoing.get(name)
    if to is None:
        raise BadInput(f"{name[:60]!r} is no destination of MISSIONS_OUTGOING: {instead(name, outgoing.outgoing)}.")
    with open_ledger() as ledger:
        failure = asyncio.run(OutgoingSender(to, outgoing.dashboard, Outbox(ledger)).test())
    if failure is not None:
        raise TryAgain(f"{name} ({to.host}) {failure.says}; look at its address, its log and its copy of the secret")
    say(f"{name} ({to.host}) took the event.")


@app.command("skip")
def skip_event(name: _Name, reason: Reason) -> None:
    """Leave out the one event that a destination does not take, so that the next ones go out. Takes an administrator."""
    with open_ledger() as ledger:
        seq = Outbox(ledger).skip(name, manager(ledger, what="manage_sources"), reason)
    say(f"{name} is not told of row {seq} of the audit log; the next event is sent.")


@app.command("end")
def end_destination(name: _Name, reason: Reason) -> None:
    """Forget a destination that is declared no more, and what it was not told. Takes an administrator."""
    if name in _outgoing().outgoing:
        raise Refused(f"{name} is still declared in {settings().outgoing}: take it out there and restart the workers first")
    with open_ledger() as ledger:
        seq = Outbox(ledger).end(name, manager(ledger, what="manage_sources"), reason)
    say(f"{name} is forgotten; it was told up to row {seq} of the audit log.")


def _outgoing() -> Outgoing:
    return load_outgoing(settings().outgoing) or Outgoing(dashboard="http://localhost")


def _row(name: str, to: Destination | None, told: OutboxPosition | None) -> tuple[object, ...]:
    if told is None:
        return (name, to.host if to else "", "", "", "", "")
    return (name, to.host if to else "", told.seq, told.behind, _when(told.behind_since), _when(told.delivered_at))


def _notes(name: str, to: Destination | None, told: OutboxPosition | None) -> Iterator[str]:
    """Sentences about what is not as it should be."""
    if told is None:
        yield f"{name} is new: it is told what happens from when a worker starts with it."
    elif told.failing_since:
        again = f"The next try is due {_when(told.retry_at)}"
        yield f"{name} {told.error}, {told.failures} times since {_when(told.failing_since)}. {again}."
    if to is None:
        yield f"{name} is no longer declared: put it back, or `missions outgoing end {name}`."


def _when(at: datetime | None) -> str:
    return in_column(at) if at else ""
