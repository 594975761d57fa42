"""`missions events`: events of a file, and what could not be taken in."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli.screen import Json, Reason, in_column, print_json, progress, say, table
from cli.session import decider, open_ledger
from errors import BadInput, TryAgain
from graphs.events import MOST_BODY_BYTES, MOST_EVENT_BYTES, texts_of
from graphs.ingestion import Intake, RawEvent, by_feed, ingest, ingest_dead_letter
from graphs.mailboxes import mailbox_bounds
from graphs.mapping import by_mailbox
from graphs.runtime import Runtime, open_runtime
from graphs.sources import bounds_of
from ledger.inbox import SourceBounds
from ledger.services import Inbox
from settings import settings
from systems.config import load_config
from systems.event_sources import load_mappings

app = typer.Typer(no_args_is_help=True)

#: letters that are listed
_AT_ONCE = 500
#: of a line that is longer than any event, after which nobody looks for its end
_MOST_PIECES = 1_000


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
    rows = [(one.letter_id, one.source, in_column(one.at), one.reason) for one in found]
    table(("letter", "from", "since", "why"), rows)
    if total > len(found):
        say(f"{total - len(found)} more, which are newer.")


@app.command("again")
def again(
    letter: str,
    reason: Annotated[str, typer.Option(help="What has changed, such as a pack or a mapping; recorded in the audit log.")],
) -> None:
    """Take a dead letter in now, by the mapping of its source as it is now; as the person who is signed in."""
    with open_ledger() as ledger:
        by, inbox = decider(ledger), Inbox(ledger)
        inbox.letter_to_settle(letter, by, reason)  # before the runtime, which takes its time
        with open_runtime(settings()) as runtime:
            mappings = load_mappings(settings().sources)
            feeds = _feeds(runtime) | {
                by_mailbox(one.name): mailbox_bounds(one.mailbox) for one in mappings.values() if one.mailbox
            }
            intake = Intake(runtime, inbox, as_of_days=settings().as_of_days, feeds=feeds, mappings=mappings)
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
