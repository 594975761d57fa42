"""Event sources and how much each handed in, dead letters and feeds, in PostgreSQL."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from errors import BadInput, Refused, TooMany
from ledger import inbox, names
from ledger.canonical import clean, moment
from ledger.decision_requests import check_reason
from ledger.inbox import ANY, MOST_BODY_BYTES, NOTHING, DeadLetter, EventOrigin, EventSource, FeedPosition, SourceBounds
from ledger.permissions import COMMAND_LINE
from ledger.records import SOURCE_NAME
from ledger.sql import chain, people
from ledger.sql.attempts import digest
from ledger.sql.rows import AnyRow, fields, select_record
from ledger.tables import ARRIVALS, DEAD_LETTERS, EVENT_SOURCES, FEEDS

#: characters of the reason of a dead letter, and of what went wrong with a feed
_MOST_REASON = 1_000
#: dead letters of one source that nobody has settled, and bytes of them together
MOST_OPEN, MOST_OPEN_BYTES = 1_000, 10_000_000
#: of what is counted of a source and not kept
_IGNORED = "ignored: "
#: what the source ids of what people write and hand in begin with
_OF_PEOPLE = {"portal": "is where customers write in", "upload": "is where people hand files in"}
_S, _L, _F = EVENT_SOURCES.c, DEAD_LETTERS.c, FEEDS.c
_SOURCE = select(_S.name, _S.added_by, _S.added_at, _S.ended_at, _S.missions, _S.as_of_days, _S.hourly)


def add_source(tx: Connection, at: datetime, name: str, by: str = COMMAND_LINE, bounds: SourceBounds = NOTHING) -> str:
    """The token of a new source, shown now and never again; `by` is an administrator, or the command line.

    Of one that had ended, too. BadInput for a name that is no good or in use.
    """
    people.require_manager(tx, by, "manage_sources")
    if not SOURCE_NAME.fullmatch(name):
        raise BadInput(
            f"{name[:60]!r} is not a valid name of an event source; use lowercase letters, digits, - and _, such as oms."
        )
    if name in _OF_PEOPLE:
        raise BadInput(f"The {name} {_OF_PEOPLE[name]}: give the event source another name.")
    for other in tx.execute(select(_S.name)).scalars():
        if other != name and names.skeleton(other) == names.skeleton(name):
            raise BadInput(f"'{name}' looks like the event source '{other}'; choose a name that cannot be confused with it.")
    token = secrets.token_urlsafe(32)
    values = {"digest": digest(token), "added_by": by, "added_at": at, "ended_at": None, **vars(bounds)}
    added = insert_or(EVENT_SOURCES).values(name=name, **values)
    again = added.on_conflict_do_update(index_elements=["name"], set_=values, where=_S.ended_at.is_not(None))
    if tx.execute(again.returning(_S.name)).first() is None:
        raise BadInput(f"The event source '{name}' already exists; end it first if it needs a new token.")
    chain.append(tx, at, "event_source_added", "", {"name": name, "by": by, **vars(bounds)})
    return token


def bound_source(tx: Connection, at: datetime, name: str, bounds: SourceBounds, by: str = COMMAND_LINE) -> None:
    """Let a source do something else from now on. BadInput where there is none, or it has ended."""
    _change_source(tx, name, by, vars(bounds), "that hands events in")
    chain.append(tx, at, "event_source_bounded", "", {"name": name, "by": by, **vars(bounds)})


def end_source(tx: Connection, at: datetime, name: str, by: str = COMMAND_LINE) -> None:
    """Its token is good for nothing any more. BadInput where there is none, or it has ended already."""
    _change_source(tx, name, by, {"ended_at": at}, "that could end")
    chain.append(tx, at, "event_source_ended", "", {"name": name, "by": by})


def _change_source(tx: Connection, name: str, by: str, values: Mapping[str, Any], which: str) -> None:
    people.require_manager(tx, by, "manage_sources")
    changed = update(EVENT_SOURCES).where(_S.name == clean(name), _S.ended_at.is_(None)).values(**values)
    if tx.execute(changed.returning(_S.name)).first() is None:
        raise BadInput(f"There is no event source '{name}' {which}; see `missions source list`.")


def sources(tx: Connection) -> list[EventSource]:
    """All sources by name, those that have ended too."""
    return [_source(row) for row in tx.execute(_SOURCE.order_by(_S.name.collate("C")))]


def source_named(tx: Connection, name: str) -> EventSource | None:
    """The source of this name, one that has ended too; None where there is none."""
    row = tx.execute(_SOURCE.where(_S.name == clean(name))).first()
    return _source(row) if row else None


def source_of(tx: Connection, token: str) -> EventSource | None:
    """Whose token this is; None for one that is good for nothing."""
    row = tx.execute(_SOURCE.where(_S.digest == digest(token), _S.ended_at.is_(None))).first()
    return _source(row) if row else None


def _source(row: AnyRow) -> EventSource:
    values = fields(row)
    missions, days, hourly = (values.pop(name) for name in ("missions", "as_of_days", "hourly"))
    bounds = SourceBounds(missions=None if missions is None else tuple(missions), as_of_days=days, hourly=hourly)
    return EventSource(**values, bounds=bounds)


def keep_letter(tx: Connection, at: datetime, source: str, body: str, reason: str, bounds: SourceBounds = ANY) -> str:
    """Keep what is no event, and why; its id. While it is open, the same from the same source is kept once.

    With the last reason. Raises TooMany where the source may hand in no more, or has too many open letters.
    """
    origin = EventOrigin(source, bounds)
    body = clean(body).encode()[:MOST_BODY_BYTES].decode(errors="ignore")
    times = 0  # how often the very same was settled before
    while True:
        content = f"{times}\n{clean(source)}\n{body}"
        letter_id = f"l-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        values = {"letter_id": letter_id, "source": source, "body": body, "reason": reason[:_MOST_REASON], "at": at}
        kept = insert_or(DEAD_LETTERS).values(**values)
        again = kept.on_conflict_do_update(
            index_elements=["letter_id"], set_={"reason": values["reason"]}, where=_L.settled_at.is_(None)
        )
        is_new = tx.execute(again.returning(literal_column("xmax = 0"))).scalar_one_or_none()
        if is_new and bounds.hourly is not None:
            count_arrival(tx, origin, at)
            _require_room(tx, origin)
        if is_new:
            chain.append(tx, at, "dead_letter_kept", "", {"letter_id": letter_id, "source": clean(source)})
        if is_new is not None:
            return letter_id
        times += 1


def open_letters(tx: Connection, limit: int = 500) -> tuple[list[DeadLetter], int]:
    """Those that nobody settled, the oldest first, and how many there are in all."""
    is_open = _L.settled_at.is_(None)
    rows = tx.execute(select_record(DEAD_LETTERS).where(is_open).order_by(_L.number).limit(limit))
    found = [DeadLetter(**fields(row)) for row in rows]
    return found, tx.execute(select(func.count()).select_from(DEAD_LETTERS).where(is_open)).scalar_one()


def letter_to_settle(tx: Connection, letter_id: str, by: str, reason: str, lock: bool = False) -> DeadLetter:
    """The letter, if this person may settle it now with this reason. Refused or BadInput otherwise.

    With `lock` nobody else settles it until this transaction ends.
    """
    wanted = select_record(DEAD_LETTERS).where(_L.letter_id == clean(letter_id))
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise BadInput(f"There is no dead letter '{letter_id}'; see `missions events dead`.")
    people.require(tx, by, "settle_incident")
    check_reason(reason)
    letter = DeadLetter(**fields(row))
    if letter.settled_at is not None:
        raise Refused(f"The dead letter {letter.letter_id} was settled by {letter.settled_by} already.")
    return letter


def settle_letter(tx: Connection, at: datetime, letter_id: str, by: str, reason: str, run_id: str = "") -> DeadLetter:
    """Settle a letter: its event was taken in and started `run_id`, or it is dropped where that is empty."""
    letter = letter_to_settle(tx, letter_id, by, reason, lock=True)
    by, reason = people.require(tx, by, "settle_incident").name, clean(reason).strip()
    settled: dict[str, Any] = {"settled_at": at, "settled_by": by, "settled_reason": reason}
    tx.execute(update(DEAD_LETTERS).where(_L.letter_id == letter.letter_id).values(**settled))
    # the text stands in the log as a digest
    body = {
        "letter_id": letter.letter_id,
        "source": letter.source,
        "body_digest": digest(letter.body),
        "by": by,
        "reason": reason,
    }
    chain.append(tx, at, "dead_letter_taken_in" if run_id else "dead_letter_dropped", run_id, body)
    return replace(letter, **settled)


def feed(tx: Connection, name: str) -> FeedPosition | None:
    """How far a feed was read; None where it never was."""
    row = tx.execute(select_record(FEEDS).where(_F.name == name)).first()
    return FeedPosition(**fields(row)) if row else None


def advance(tx: Connection, at: datetime, name: str, after: str, to: str) -> bool:
    """Move the cursor of a feed from `after` on; False where another reader has moved it meanwhile."""
    values = {"cursor": to, "polled_at": at, "error": ""}
    moved = insert_or(FEEDS).values(name=name, **values)
    again = moved.on_conflict_do_update(index_elements=["name"], set_=values, where=_F.cursor == after)
    if tx.execute(again.returning(_F.name)).first() is None:
        return False
    if to != after:
        chain.append(tx, at, "feed_advanced", "", {"name": name, "cursor": to})
    return True


def feed_failed(tx: Connection, at: datetime, name: str, error: str) -> None:
    """Note what went wrong with a feed, whose cursor stays."""
    values = {"polled_at": at, "error": error[:_MOST_REASON]}
    noted = insert_or(FEEDS).values(name=name, cursor="", **values)
    tx.execute(noted.on_conflict_do_update(index_elements=["name"], set_=values))


_A = ARRIVALS.c


def count_arrival(tx: Connection, origin: EventOrigin, at: datetime) -> None:
    """Count one more of this hour. Raises TooMany where that is more than the source may hand in.

    Whoever counts holds the row until the end of the transaction, so what comes side by side is counted one by one.
    """
    if origin.bounds.hourly is None:
        return
    hour = moment(at).replace(minute=0, second=0, microsecond=0)
    first = insert_or(ARRIVALS).values(name=origin.name, hour=hour, kept=1)
    come = first.excluded
    # the clocks of machines differ: an hour that has begun does not end because somebody is late
    more = {"hour": func.greatest(_A.hour, come.hour), "kept": case((come.hour > _A.hour, 1), else_=_A.kept + 1)}
    counted = first.on_conflict_do_update(index_elements=["name"], set_=more).returning(_A.kept)
    if tx.execute(counted).scalar_one() > origin.bounds.hourly:
        raise inbox.too_many(origin, moment(at))


def count_ignored(tx: Connection, at: datetime, source: str) -> None:
    """Count one more that came from a source in this hour and is of no interest."""
    count_arrival(tx, EventOrigin(f"{_IGNORED}{source}", SourceBounds(hourly=inbox.MOST_HOURLY)), at)


def ignored(tx: Connection, at: datetime) -> dict[str, int]:
    """How many of what came in this hour are of no interest, by source."""
    hour = moment(at).replace(minute=0, second=0, microsecond=0)
    rows = tx.execute(select(_A.name, _A.kept).where(_A.hour == hour, _A.name.startswith(_IGNORED, autoescape=True)))
    return {str(name).removeprefix(_IGNORED): kept for name, kept in rows}


def _require_room(tx: Connection, origin: EventOrigin) -> None:
    """Raise TooMany where a source has, with its newest, more open dead letters than are kept."""
    is_open = (_L.source == origin.name) & _L.settled_at.is_(None)
    size = func.coalesce(func.sum(func.octet_length(_L.body)), 0)
    letters, size_bytes = tx.execute(select(func.count(), size).where(is_open)).one()
    if letters > MOST_OPEN or size_bytes > MOST_OPEN_BYTES:
        raise TooMany(
            f"{origin.name} has too many dead letters to store more; settle them (`missions events dead`), then send the rest.",
            3_600,
        )
