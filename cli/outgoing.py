"""`missions outgoing`: who is told of what happens, how far, and what to do about one that takes nothing."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from cli.screen import Json, Reason, print_json, say, table
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
    """The destinations: what each is told, how far it has been told, and what went wrong last."""
    declared = _outgoing().outgoing
    with open_ledger() as ledger:
        told = {one.name: one for one in Outbox(ledger).positions()}
    if as_json:
        print_json([asdict(one) | {"declared": one.name in declared} for one in told.values()])
        return
    rows = [_row(name, declared.get(name), told.get(name)) for name in sorted({*declared, *told})]
    if not rows:
        say("There are no destinations; docs/outgoing.md says how to declare one.")
        return
    table(("name", "host", "kinds", "missions", "told up to", "behind", "state"), rows)


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
    what = (
        ("", "", "")
        if to is None
        else (to.host, ", ".join(sorted(to.kinds)), ", ".join(sorted(to.missions or ())) or "every one")
    )
    if told is None:
        return (name, *what, "", "", "new: no worker has started with it")
    behind = f"{told.behind} rows, {_when(told.behind_since)}" if told.behind_since else "nothing"
    return (name, *what, told.seq, behind, _state(to, told))


def _state(to: Destination | None, told: OutboxPosition) -> str:
    if told.failing_since:
        return f"{told.error}, {told.failures} times since {_when(told.failing_since)}; again at {_when(told.retry_at)}"
    if to is None:
        return f"not declared any more: `missions outgoing end {told.name}`"
    return f"delivered {_when(told.delivered_at)}" if told.delivered_at else "nothing delivered yet"


def _when(at: datetime | None) -> str:
    return f"{at:%b %d %H:%M}" if at else ""
