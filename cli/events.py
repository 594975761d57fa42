"""`missions events` and `missions source`: events of a file, what could not be taken in, and the systems that hand events in."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from cli.screen import Json, Reason, print_json, progress, say, table
from cli.session import decider, manager, open_ledger
from errors import BadInput, TryAgain
from graphs.events import MOST_BODY_BYTES, MOST_EVENT_BYTES, texts_of
from graphs.ingestion import Intake, RawEvent, by_feed, ingest, ingest_dead_letter
from graphs.pack_files import load_packs
from graphs.runtime import Runtime, open_runtime
from graphs.sources import bounds_of
from knowledge_index.policies import PolicyBook
from ledger.inbox import SourceBounds, check_bounds
from ledger.services import Inbox
from settings import settings
from systems.catalogue import load_catalogue
from systems.config import load_config

app = typer.Typer(no_args_is_help=True)

#: letters that are listed
_AT_ONCE = 500
#: of a line that is longer than any event, after which nobody looks for its end
_MOST_PIECES = 1_000
sources = typer.Typer(no_args_is_help=True)
_MissionNames = Annotated[str, typer.Option(help="The Missions that its events may start: order_exception,support_resolution.")]
_AsOfDays = Annotated[int, typer.Option(help="How many days back the as_of of its events may be.")]
_PerHour = Annotated[int, typer.Option(help="How many events it may send per hour.")]


@app.command("take")
def take(file: Annotated[Path, typer.Argument(help="FILE.jsonl: one event per line; FILE.json: one, or a list.")]) -> None:
    """Take events in, each once; workers run their Missions. What is no event becomes a dead letter."""
    try:
        lines = file.open("rb")
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}); give a file of events, one per line") from error
    with lines, open_runtime(settings()) as runtime, open_ledger() as ledger, progress("events") as advance:
        intake = Intake(runtime, Inbox(ledger), as_of_days=settings().as_of_days)
        report = ingest(intake, _counted(_raws(lines, file, intake.of_files), advance))
    taken, known, dead = len(report.taken_in), len(report.known), len(report.dead_letters)
    say(f"{taken} accepted, {known} already known, {dead} dead letters.")
    if taken:
        say("Start `missions worker` to run their Missions.", style="dim")
    if report.stopped:
        raise TryAgain(f"the rest of {file} was not read: {report.stopped}; run the same file again")
    if dead:
        first = report.dead_letters[0]
        raise BadInput(f"{dead} of {file} could not be accepted, the first because: {first.reason}; see `missions events dead`")


@app.command("dead")
def list_dead(as_json: Json = False) -> None:
    """The dead letters: what came as an event and is none, from where, and why."""
    with open_ledger() as ledger:
        found, total = Inbox(ledger).open_letters(_AT_ONCE)
    if as_json:
        print_json([asdict(letter) for letter in found])
        return
    if not found:
        say("There are no dead letters.")
        return
    rows = [(one.letter_id, one.source, f"{one.at:%d %b %H:%M}", one.reason) for one in found]
    table(("letter", "from", "since", "why"), rows)
    if total > len(found):
        say(f"{total - len(found)} more, which are newer.")


@app.command("again")
def again(
    letter: str, reason: Annotated[str, typer.Option(help="What has changed, such as a new pack; recorded in the audit log.")]
) -> None:
    """Take a dead letter in now, as the person who is signed in."""
    with open_ledger() as ledger:
        by, inbox = decider(ledger), Inbox(ledger)
        inbox.letter_to_settle(letter, by, reason)  # before the runtime, which takes its time
        with open_runtime(settings()) as runtime:
            intake = Intake(runtime, inbox, as_of_days=settings().as_of_days, feeds=_feeds(runtime))
            run = ingest_dead_letter(intake, letter, by, reason)
    say(f"{letter} was accepted: run {run.run_id} for {run.event.subject}.")
    if run.status == "running":
        say("Start `missions worker` to run its Mission.", style="dim")


@app.command("drop")
def drop(letter: str, reason: Reason) -> None:
    """Settle a dead letter and take nothing in, as the person who is signed in."""
    with open_ledger() as ledger:
        settled = Inbox(ledger).settle_letter(letter, decider(ledger), reason)
    say(f"{settled.letter_id} is dropped.")


def _feeds(runtime: Runtime) -> dict[str, SourceBounds]:
    """What each feed may do, by the text that its dead letters name as their source."""
    chosen = settings()
    feeds = load_config(chosen.systems).feeds
    return {by_feed(feed.name): bounds_of(feed, runtime.context.packs, chosen.as_of_days) for feed in feeds}


def _raws(lines: BinaryIO, file: Path, bounds: SourceBounds) -> Iterator[RawEvent]:
    """The events of a file: a .json holds one or a list of them, another file one a line.

    No more is read of a line than an event may have; what is longer becomes a dead letter. Raises BadInput for a .json that is
    none, before anything is taken in.
    """
    if file.suffix == ".json":
        content = lines.read(MOST_BODY_BYTES + 1)
        if len(content) > MOST_BODY_BYTES:
            raise BadInput(f"{file}: longer than {MOST_BODY_BYTES:,} bytes; write one event per line, in a file named .jsonl")
        try:
            texts = texts_of(content)
        except BadInput as error:
            raise BadInput(f"{file}: {error}; fix the file") from error
        for place, text in enumerate(texts, start=1):
            yield RawEvent(text, f"{file.name}, event {place}", bounds)
        return
    number, pieces = 0, 0
    while piece := lines.readline(MOST_EVENT_BYTES + 1):
        if pieces == 0:
            number += 1
            if piece.strip():
                yield RawEvent(piece, f"{file.name}, line {number}", bounds)
        pieces = 0 if piece.endswith(b"\n") else pieces + 1
        if pieces > _MOST_PIECES:
            raise BadInput(f"{file}, line {number}: has no end; give a file of events, one per line")


def _counted(raws: Iterator[RawEvent], advance: Callable[[], None]) -> Iterator[RawEvent]:
    for raw in raws:
        yield raw
        advance()


@sources.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="The name of the system that sends its events, such as oms.")],
    missions: _MissionNames,
    as_of_days: _AsOfDays = SourceBounds.as_of_days,
    per_hour: _PerHour = 3_600,
) -> None:
    """Add an event source and print its token, once. Takes an administrator."""
    bounds = _bounds(SourceBounds(), missions, as_of_days, per_hour)
    with open_ledger() as ledger:
        token = Inbox(ledger).add_source(name, manager(ledger, what="manage_sources"), bounds)
    say(f"Token of {name}, shown now and never again:")
    say(token)
    say("It goes with each request: POST /events, Authorization: Bearer TOKEN (docs/events.md).", style="dim")


@sources.command("bounds")
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


@sources.command("list")
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


@sources.command("end")
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
    chosen = settings()
    check_bounds(bounds, list(load_packs(chosen.packs, load_catalogue(chosen.systems), PolicyBook.load(*chosen.policy_folders))))
    return bounds
