"""Schedules: the books of packs that are opened by themselves, "each morning" say (`book: schedule` of a pack)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from graphs.books import book_events
from graphs.taking_in import Intake, Raw, Report, bury, by_schedule, take_in_made
from nodes.pack import Pack


@dataclass(frozen=True)
class Schedule:
    """When the book of an event is opened: cron with five fields, in UTC."""

    event: str
    cron: str


def schedules(packs: Mapping[str, Pack]) -> list[Schedule]:
    """The schedules of all packs."""
    books = [one.book for pack in packs.values() for one in pack.and_parts if one.book is not None]
    return [Schedule(book.event, book.schedule) for book in books if book.schedule]


def run_schedule(intake: Intake, event: str, at: datetime) -> Report:
    """Take in the events of a book for the day of `at`; again on the same day, what is new since then.

    A subject that cannot be taken in becomes a dead letter. Raises BadInput for an event without a book, TryAgain where
    the book cannot be read.
    """
    report, left_out = Report(), list[str]()
    events = book_events(intake.runtime, event, at, left_out.append)
    for subject in left_out:
        bury(intake, Raw(subject, by_schedule(event)), "a subject must be text of at most 500 characters", report)
    return take_in_made(intake, events, report)
