"""What the ledger keeps of the ways by which events come in: sources and their tokens, dead letters, feeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from errors import BadInput, TooMany
from ledger.canonical import moment
from ledger.records import Event
from rendering import clock

#: bytes of a dead letter that are kept: of an event, or of what a source sends with the headers that its mapping needs
MOST_BODY_BYTES = 120_000
#: characters of a feed's cursor
LONGEST_CURSOR = 500
#: the clocks of others
AHEAD = timedelta(minutes=5)
#: how far back and how often at most, whoever says so
MOST_DAYS, MOST_HOURLY = 36_500, 1_000_000


@dataclass(frozen=True, kw_only=True)
class SourceBounds:
    """What a source of events may do, however it hands them in."""

    #: the Missions that its events may start; None where it may start every one
    missions: tuple[str, ...] | None = None
    #: how many days the `as_of` of an event may lie before the moment at which it comes
    as_of_days: int = 1
    #: how much of it is kept in an hour, events and dead letters together; None without a limit
    hourly: int | None = 3_600


#: of a source whose bounds are not named, and of one that starts every Mission
NOTHING, ANY = SourceBounds(missions=()), SourceBounds()


@dataclass(frozen=True)
class EventOrigin:
    """Where an event comes from, and what whoever hands it in may do."""

    name: str
    bounds: SourceBounds
    #: when it came, where it is taken in later than that
    came_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """A system that may hand events in, with a token of which the ledger has the digest, or by its signature."""

    name: str
    added_by: str
    added_at: datetime
    bounds: SourceBounds
    #: from when its token is good for nothing; None while it is good
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """What came as an event and is none, until somebody settles it."""

    letter_id: str
    #: "POST /events by oms", "events.jsonl, line 3", "feed oms.list_events"
    source: str
    #: what came, cut and cleaned
    body: str
    reason: str
    at: datetime
    settled_at: datetime | None = None
    settled_by: str = ""
    settled_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FeedPosition:
    """How far a feed was read, and what went wrong last; no error where it went well."""

    name: str
    cursor: str
    polled_at: datetime
    error: str = ""


def check_bounds(bounds: SourceBounds, missions: Sequence[str]) -> None:
    """Raises BadInput for bounds that a source cannot have; `missions` are those that there are."""
    for mission in bounds.missions or ():
        if mission not in missions:
            raise BadInput(f"There is no Mission {mission[:60]!r}; name some of {', '.join(missions)}.")
    if not 0 <= bounds.as_of_days <= MOST_DAYS:
        raise BadInput(f"The as_of of an event may lie 0 to {MOST_DAYS:,} days back: give a number of days between them.")
    if bounds.hourly is not None and not 1 <= bounds.hourly <= MOST_HOURLY:
        raise BadInput(f"A source hands in 1 to {MOST_HOURLY:,} events an hour: give a number between them.")


def check_arrival(event: Event, origin: EventOrigin, at: datetime) -> None:
    """Whether this source may hand this event in now. Raises BadInput with the bound that it breaks."""
    bounds, came_at = origin.bounds, moment(origin.came_at or at)
    if bounds.missions is not None and event.mission not in bounds.missions:
        may = ", ".join(bounds.missions) or "none"
        raise BadInput(f"{origin.name} may not start the mission {event.mission}; it may start {may}")
    as_of = moment(event.as_of)
    days = "1 day" if bounds.as_of_days == 1 else f"{bounds.as_of_days:,} days"
    if as_of < came_at - timedelta(days=bounds.as_of_days):
        raise BadInput(
            f"as_of {clock(as_of)} lies more than {days} back, further than events may from {origin.name}; "
            "leave as_of out for now, or have its bounds widened"
        )
    if as_of > came_at + AHEAD:
        raise BadInput(f"as_of {clock(as_of)} lies ahead; leave as_of out for now, or set the clock of the source")


def too_many(origin: EventOrigin, at: datetime) -> TooMany:
    """What is said where a source has handed in all that it may in this hour."""
    rest = 3_600 - (at.minute * 60 + at.second)
    return TooMany(
        f"{origin.name} has handed in all of the {origin.bounds.hourly:,} that it may in an hour: send the rest later.", rest
    )
