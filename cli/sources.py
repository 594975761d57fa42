"""`missions source`: the systems that hand events in, and how what they send becomes events."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.screen import in_column, say, table
from cli.session import manager, open_ledger
from errors import BadInput
from graphs.events import MOST_EVENT_BYTES
from graphs.mapping import Ignored, by_mapping, check_mapping, mail_text, mapped_event
from graphs.pack_files import load_packs
from knowledge_index.policies import PolicyBook
from ledger.canonical import moment, utc_now
from ledger.inbox import SourceBounds, check_bounds
from ledger.services import Inbox
from nodes.pack import Pack
from rendering import clock, plain, rendered
from settings import settings
from strict_json import strict_json
from systems.catalogue import load_catalogue
from systems.event_sources import SourceMapping, load_mapping, load_mappings
from systems.mail import MOST_MAIL_BYTES, read_mail

app = typer.Typer(no_args_is_help=True)
_MissionNames = Annotated[str, typer.Option(help="The Missions that its events may start: order_exception,support_resolution.")]
_AsOfDays = Annotated[int, typer.Option(help="How many days back the as_of of its events may be.")]
_PerHour = Annotated[int, typer.Option(help="How many events it may send per hour.")]


@app.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="The name of the system that sends its events, such as oms.")],
    missions: _MissionNames,
    as_of_days: _AsOfDays = SourceBounds.as_of_days,
    per_hour: _PerHour = 3_600,
) -> None:
    """Add an event source and print its token, once; none, where its mapping checks a signature. Takes an administrator."""
    bounds = _bounds(SourceBounds(), missions, as_of_days, per_hour)
    mapping = load_mappings(settings().sources).get(name)
    with open_ledger() as ledger:
        token = Inbox(ledger).add_source(name, manager(ledger, what="manage_sources"), bounds)
    if mapping and mapping.signature:
        say(f"{name} may send to POST /events/{name}, signed as {mapping.file} says.")
        return
    say(f"Token of {name}, shown now and never again:")
    say(token)
    where = f"/events/{name}" if mapping else "/events"
    say(f"It goes with each request: POST {where}, Authorization: Bearer TOKEN (docs/events.md).", style="dim")


@app.command("try")
def try_payload(
    name: Annotated[str, typer.Argument(help="The source, as its file NAME.yaml in the folder of MISSIONS_SOURCES is called.")],
    file: Annotated[
        Path, typer.Argument(help='What it sent: {"headers": {…}, "body": {…}} as JSON, or the body alone; a mail as it came.')
    ],
) -> None:
    """Show which event a payload would be, or why it is none. Takes nothing in, and needs no database."""
    folder, packs = settings().sources, _packs()
    if not (folder / f"{name}.yaml").is_file():
        raise BadInput(f"{folder}: has no {name}.yaml; name one of {', '.join(load_mappings(folder)) or 'your sources there'}")
    mapping = load_mapping(folder / f"{name}.yaml")
    check_mapping(mapping, packs)
    try:
        event = mapped_event(_payload(file, mapping), mapping, packs, utc_now(), name)
    except Ignored as ignored:
        say(f"Ignored: {ignored}.")
        return
    except BadInput as error:
        raise BadInput(f"{file}: no event: {error}") from error
    told = {"source id": event.source_id, "mission": event.mission, "event": event.name, "subject": event.subject}
    told["as of"] = clock(moment(event.as_of))
    for field, value in {**told, **event.trigger}.items():
        say(f"{field:12} {plain(rendered(value))}")


def _payload(file: Path, mapping: SourceMapping) -> str:
    """The payload of a file, with the headers that it names. Raises BadInput for what cannot be read or is too long."""
    most = MOST_MAIL_BYTES if mapping.mailbox else 2 * MOST_EVENT_BYTES
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give what it sent") from error
    if len(content) > most:
        raise BadInput(f"{file}: is longer than anything that a source may send; give one payload")
    try:
        if mapping.mailbox and content.lstrip()[:1] != b"{":
            return mail_text(mapping, read_mail(content))
        value = strict_json(content)
    except BadInput as error:
        raise BadInput(f"{file}: {error}; give a payload as JSON{', or a mail' if mapping.mailbox else ''}") from error
    recorded = isinstance(value, dict) and set(value) == {"headers", "body"} and isinstance(value["headers"], dict)
    text = content.decode("utf-8")
    return text if recorded else f'{{"headers": {{}}, "body": {text}}}'


@app.command("bounds")
def bound_source(
    name: str, missions: _MissionNames | None = None, as_of_days: _AsOfDays | None = None, per_hour: _PerHour | None = None
) -> None:
    """Let an event source do something else from now on; what is not named stays. Takes an administrator."""
    with open_ledger() as ledger:
        by, inbox = manager(ledger, what="manage_sources"), Inbox(ledger)
        source = inbox.source_named(name)
        if source is None:
            raise BadInput(f"There is no event source '{name}'; see `missions source list`.")
        bounds = _bounds(source.bounds, missions, as_of_days, per_hour)
        inbox.bound_source(name, bounds, by)
    names = "every Mission" if bounds.missions is None else ", ".join(bounds.missions)
    back = f"{bounds.as_of_days} day{'' if bounds.as_of_days == 1 else 's'} back"
    say(f"{name}: {names}; {back}; {'any number of' if bounds.hourly is None else format(bounds.hourly, ',')} events an hour.")


@app.command("list")
def list_sources() -> None:
    """The event sources, what each may do, and how much of this hour their mappings ignored."""
    with open_ledger() as ledger:
        inbox = Inbox(ledger)
        found, ignored = inbox.sources(), inbox.ignored()
    rows = [
        (
            one.name, "every one" if one.bounds.missions is None else ", ".join(one.bounds.missions), one.bounds.as_of_days,
            one.bounds.hourly, in_column(one.added_at), one.added_by,
            in_column(one.ended_at) if one.ended_at else "", ignored.get(by_mapping(one.name), ""),
        )
        for one in found
    ]  # fmt: skip
    table(("name", "missions", "days back", "per hour", "added", "by", "ended", "ignored"), rows)


@app.command("end")
def end_source(name: str) -> None:
    """End an event source: its token is good for nothing any more. Takes an administrator."""
    with open_ledger() as ledger:
        Inbox(ledger).end_source(name, manager(ledger, what="manage_sources"))
    say(f"{name} can no longer send events.")


def _bounds(now: SourceBounds, missions: str | None, as_of_days: int | None, per_hour: int | None) -> SourceBounds:
    """Bounds with what is named. Raises BadInput for a Mission that there is not."""
    given: dict[str, Any] = {"as_of_days": as_of_days, "hourly": per_hour}
    if missions is not None:
        given["missions"] = tuple(dict.fromkeys(name.strip() for name in missions.split(",") if name.strip()))
    bounds = replace(now, **{name: value for name, value in given.items() if value is not None})
    check_bounds(bounds, list(_packs()))
    return bounds


def _packs() -> dict[str, Pack]:
    chosen = settings()
    return load_packs(chosen.packs, load_catalogue(chosen.systems), PolicyBook.load(*chosen.policy_folders))
