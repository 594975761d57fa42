"""`missions source`: the systems that may hand events in, and what each of them may do."""

from typing import Annotated

import typer

from cli.opening import open_ledger
from cli.screen import say, table
from cli.user import manager
from errors import BadInput
from graphs.pack_files import load_packs
from graphs.settings import settings
from knowledge_index.policies import PolicyBook
from ledger.arrivals import Bounds, check_bounds
from ledger.desk import Desk
from ledger.inbox import Inbox
from systems.catalogue import default_catalogue

app = typer.Typer(no_args_is_help=True)

_Missions = Annotated[str, typer.Option(help="The Missions that its events may start: order_exception,support_resolution.")]
_AsOfDays = Annotated[int, typer.Option(help="How many days the as_of of its events may lie back.")]
_PerHour = Annotated[int, typer.Option(help="How many events it may hand in within an hour.")]


@app.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="As the system is called whose events it hands in, such as oms.")],
    missions: _Missions,
    as_of_days: _AsOfDays = Bounds.as_of_days,
    per_hour: _PerHour = 3_600,
) -> None:
    """Add an event source and print its token, once. Takes an administrator."""
    bounds = Bounds(missions=_named(missions), as_of_days=as_of_days, hourly=per_hour)
    check_bounds(bounds, _missions())
    with open_ledger() as ledger:
        token = Inbox(ledger).add_source(name, manager(ledger, Desk(ledger), what="manage_sources"), bounds)
    say(f"Token of {name}, shown now and never again:")
    say(token)
    say("It goes with each request: POST /events, Authorization: Bearer TOKEN (docs/events.md).", style="dim")


@app.command("bounds")
def bound_source(
    name: str, missions: _Missions | None = None, as_of_days: _AsOfDays | None = None, per_hour: _PerHour | None = None
) -> None:
    """Let an event source do something else from now on; what is not named stays. Takes an administrator."""
    with open_ledger() as ledger:
        by, inbox = manager(ledger, Desk(ledger), what="manage_sources"), Inbox(ledger)
        source = inbox.source_named(name)
        if source is None:
            raise BadInput(f"There is no event source '{name}': see `missions source list`.")
        now = source.bounds
        bounds = Bounds(
            missions=now.missions if missions is None else _named(missions),
            as_of_days=now.as_of_days if as_of_days is None else as_of_days,
            hourly=now.hourly if per_hour is None else per_hour,
        )
        check_bounds(bounds, _missions())
        inbox.bound_source(name, bounds, by)
    said = "every Mission" if bounds.missions is None else ", ".join(bounds.missions)
    back = f"{bounds.as_of_days} day{'' if bounds.as_of_days == 1 else 's'} back"
    say(f"{name}: {said}; {back}; {'any number of' if bounds.hourly is None else format(bounds.hourly, ',')} events an hour.")


@app.command("list")
def list_sources() -> None:
    """The event sources, and what each may do."""
    with open_ledger() as ledger:
        found = Inbox(ledger).sources()
    rows = [
        (
            one.name, "every one" if one.bounds.missions is None else ", ".join(one.bounds.missions), one.bounds.as_of_days,
            one.bounds.hourly, f"{one.added_at:%Y-%m-%d %H:%M}", one.added_by,
            f"{one.ended_at:%Y-%m-%d %H:%M}" if one.ended_at else "",
        )
        for one in found
    ]  # fmt: skip
    table(("name", "missions", "days back", "per hour", "added", "by", "ended"), rows)


@app.command("end")
def end_source(name: str) -> None:
    """End an event source: its token is good for nothing any more. Takes an administrator."""
    with open_ledger() as ledger:
        Inbox(ledger).end_source(name, manager(ledger, Desk(ledger), what="manage_sources"))
    say(f"{name} hands no events in any more.")


def _named(missions: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in missions.split(",") if name.strip()))


def _missions() -> list[str]:
    chosen = settings()
    return list(load_packs(chosen.packs, default_catalogue(), PolicyBook.load(chosen.policies)))
