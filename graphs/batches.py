"""Batches (`book` of a pack): an event for every subject that a system lists, on request or by schedule, and the runs ranked."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from errors import BadInput, TryAgain
from graphs.ingestion import IngestionReport, Intake, RawEvent, by_schedule, ingest, keep_dead_letter, scheduled
from graphs.runtime import Runtime
from ledger.invariants import nameable
from ledger.records import Event, Run
from nodes.pack import Book, Pack
from systems.calls import Call

#: of a source id
MOST_CHARACTERS = 300


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
        case = runtime.context.case_on(run, runtime.ledger.facts(run.run_id))
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
