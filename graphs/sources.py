"""Events that nobody hands in: what systems report in their feeds, and the subjects that they list, a batch of them at a time.

A change feed of a system is read through MCP: what happened there since the last poll. At least once and never skipping: a
cursor is moved on after the events before it are in the inbox. A batch (`book` of a pack) is an event for every subject that
a system lists, on request or by schedule, and its runs ranked.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from errors import BadInput, MissionsError, TryAgain
from graphs.ingestion import (
    IngestionReport,
    Intake,
    RawEvent,
    by_feed,
    by_schedule,
    ingest,
    keep_dead_letter,
    scheduled,
)  # fmt: skip
from graphs.runtime import Runtime
from ledger.inbox import LONGEST_CURSOR, SourceBounds
from ledger.invariants import nameable
from ledger.records import Event, Run
from nodes.pack import Book, Pack
from systems.calls import Call
from systems.config import FeedConfig

#: events that a feed is asked for at once, and pages that one poll reads
AT_ONCE = 100
MOST_PAGES = 20
#: of the source id of an event of a batch
MOST_CHARACTERS = 300


def poll(intake: Intake, feed: FeedConfig) -> IngestionReport:
    """Take in what a feed has since its cursor, until it has nothing more or `MOST_PAGES` were read.

    What goes wrong with the feed is noted in its row and stands in `IngestionReport.stopped`; the cursor then stays where it is.
    Raises TryAgain where the database cannot even note that.
    """
    report = IngestionReport()
    position = intake.inbox.feed(feed.name)
    cursor = position.cursor if position else ""
    for _ in range(MOST_PAGES):
        try:
            events, after = _read(intake, feed, cursor)
            _take_in(intake, feed, events, after == cursor, report)
        except MissionsError as error:
            report.stopped = str(error)
            intake.inbox.feed_failed(feed.name, report.stopped)
            return report
        if not intake.inbox.advance(feed.name, cursor, after) or not events:
            return report
        cursor = after
    return report


def bounds_of(feed: FeedConfig, packs: Mapping[str, Pack], as_of_days: int) -> SourceBounds:
    """What a feed may do; without Missions of its own it starts those that read from its system."""
    reading = (
        name for name, pack in packs.items() if any(read.tool.startswith(f"{feed.system}.") for read in pack.reads.values())
    )
    days = as_of_days if feed.as_of_days is None else feed.as_of_days
    missions = tuple(reading) if feed.missions is None else feed.missions
    return SourceBounds(missions=missions, as_of_days=days, hourly=feed.per_hour)


def _read(intake: Intake, feed: FeedConfig, cursor: str) -> tuple[list[Any], str]:
    """The next events, and the cursor after them."""
    (answer,) = intake.runtime.context.reader.read_all([Call(feed.name, {"after": cursor, "limit": AT_ONCE})])
    if answer.status != "ok":
        raise TryAgain(answer.error or f"{feed.name} answered nothing; see docs/events.md for what it must")
    value = answer.value
    if not isinstance(value, dict) or not isinstance(value.get(feed.events), list) or not isinstance(value.get("cursor"), str):
        raise TryAgain(f'{feed.name} did not answer {{"{feed.events}": […], "cursor": "…"}}; see docs/events.md')
    events, after = value[feed.events], value["cursor"]
    if len(events) > AT_ONCE:
        raise TryAgain(f"{feed.name} answered {len(events):,} events; at most {AT_ONCE} were requested")
    if len(after) > LONGEST_CURSOR or (after and not nameable(after)):
        raise TryAgain(
            f"{feed.name} answered with a cursor that cannot be stored: at most {LONGEST_CURSOR} characters, none of them NUL"
        )
    return events, after


def _take_in(intake: Intake, feed: FeedConfig, events: list[Any], stands: bool, report: IngestionReport) -> None:
    """Raise TryAgain where the cursor may not be moved on after this page."""
    bounds = bounds_of(feed, intake.runtime.context.packs, intake.as_of_days)
    texts = (json.dumps(feed.event_of(element), ensure_ascii=False) for element in events)
    raws = [RawEvent(text, by_feed(feed.name), bounds) for text in texts]
    if ingest(intake, raws, report).stopped:
        raise TryAgain(report.stopped)
    if events and stands:
        raise TryAgain(f"{feed.name} answered with events but the same cursor, so the feed cannot advance")


@dataclass(frozen=True)
class Ranked:
    """A run of a batch with its place: the higher `rank`, the sooner somebody should look."""

    run: Run
    rank: float
    says: str


def batch_events(
    runtime: Runtime, event: str, as_of: datetime, on_left_out: Callable[[str], None] = lambda _: None
) -> list[Event]:
    """An event for every subject of the batch, once a day.

    A subject whose name the ledger cannot keep is handed to `on_left_out` and stops nobody else.
    Raises BadInput where the event has no batch, TryAgain where its subjects cannot be read.
    """
    pack, book = _book(runtime, event)
    (listed,) = runtime.context.reader.read_all([Call(book.tool, {})])
    if listed.status != "ok":
        raise TryAgain(f"the book of {event} cannot be read: {listed.error or book.tool}; try again when it answers")
    if not isinstance(listed.value, list):
        raise TryAgain(f"the book of {event} cannot be read: {book.tool} gave no list; try again when it does")
    subjects = []
    for record in listed.value:
        subject = record.get(book.field) if isinstance(record, dict) else None
        if isinstance(subject, str) and nameable(subject):
            subjects.append(subject)
        else:
            on_left_out(str(subject if isinstance(record, dict) else record))
    day = f"{as_of.astimezone(UTC):%Y-%m-%d}"
    return [
        Event(
            source_id=_once_a_day(event, subject, day), name=event, mission=pack.mission, subject=subject,
            trigger={"event": event, book.field: subject}, as_of=as_of,
        )
        for subject in subjects
    ]  # fmt: skip


def _once_a_day(event: str, subject: str, day: str) -> str:
    source_id = f"{event}/{day}/{subject}"
    return source_id if len(source_id) <= MOST_CHARACTERS else f"{event}/{day}/{hashlib.sha256(subject.encode()).hexdigest()}"


def ranked(runtime: Runtime, runs: Sequence[Run]) -> list[Ranked]:
    """Runs of a batch, the highest rank first; one whose rank is unknown comes before all, for it needs a look too."""
    found = []
    for run in runs:
        _, book = _book(runtime, run.event.name)
        case = runtime.context.case(run, runtime.ledger.facts(run.run_id))
        known = case.known(book.rank)
        found.append(Ranked(run, float("inf") if known is None else float(known), case.sentence(book.says)))
    return sorted(found, key=lambda one: (-one.rank, one.run.event.subject))


def _book(runtime: Runtime, event: str) -> tuple[Pack, Book]:
    with_books = {}
    for pack in runtime.context.packs.values():
        for name in pack.trigger.events:
            book = pack.of(name).book
            if book is not None and book.event == name:
                with_books[name] = (pack.of(name), book)
    if event not in with_books:
        raise BadInput(f"{event!r} is not an event with a batch; the ones with a batch are {', '.join(with_books) or 'none'}")
    return with_books[event]


@dataclass(frozen=True)
class Schedule:
    """When the batch of an event is run: cron with five fields, in UTC."""

    event: str
    cron: str


def schedules(packs: Mapping[str, Pack]) -> list[Schedule]:
    """The schedules of all packs."""
    books = [one.book for pack in packs.values() for one in pack.and_parts if one.book is not None]
    return [Schedule(book.event, book.schedule) for book in books if book.schedule]


def run_schedule(intake: Intake, event: str, at: datetime) -> IngestionReport:
    """Ingest the events of a batch for the day of `at`; again on the same day, what is new since then.

    A subject that cannot be ingested becomes a dead letter. Raises BadInput for an event without a batch, TryAgain where
    its subjects cannot be read.
    """
    report, left_out = IngestionReport(), list[str]()
    events = batch_events(intake.runtime, event, at, left_out.append)
    for subject in left_out:
        raw = RawEvent(subject, by_schedule(event))
        keep_dead_letter(intake, raw, "a subject must be text of at most 500 characters", report)
    return ingest(intake, map(scheduled, events), report)
