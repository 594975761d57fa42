"""Event sources, dead letters and feeds in PostgreSQL."""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from errors import BadInput
from ledger import arrivals, names
from ledger.arrivals import Bounds, DeadLetter, EventSource, FeedPosition, Origin
from ledger.canonical import clean
from ledger.sql import chain, people
from ledger.sql.arriving import count, require_room
from ledger.sql.rows import fields, select_record
from ledger.tables import DEAD_LETTERS, EVENT_SOURCES, FEEDS

_S, _L, _F = EVENT_SOURCES.c, DEAD_LETTERS.c, FEEDS.c
_SOURCE = select(_S.name, _S.added_by, _S.added_at, _S.ended_at, _S.missions, _S.as_of_days, _S.hourly)


def add_source(tx: Connection, name: str, by: str, bounds: Bounds, at: datetime) -> str:
    """The token of a new source, or of one that had ended. BadInput for a name that is no good or in use."""
    arrivals.check_source_name(name)
    names.check_name(name)
    for other in tx.execute(select(_S.name)).scalars():
        if other != name and names.skeleton(other) == names.skeleton(name):
            raise BadInput(f"'{name}' looks like the event source '{other}': give a name that can be told from it.")
    token = secrets.token_urlsafe(32)
    values = {"digest": _digest(token), "added_by": by, "added_at": at, "ended_at": None, **vars(bounds)}
    added = insert_or(EVENT_SOURCES).values(name=name, **values)
    again = added.on_conflict_do_update(index_elements=["name"], set_=values, where=_S.ended_at.is_not(None))
    if tx.execute(again.returning(_S.name)).first() is None:
        raise BadInput(f"There is an event source '{name}' already: end it first if its token is to be another.")
    chain.append(tx, at, "event_source_added", "", {"name": name, "by": by, **vars(bounds)})
    return token


def bound_source(tx: Connection, name: str, by: str, bounds: Bounds, at: datetime) -> None:
    """Let a source do something else from now on. BadInput where there is none, or it has ended."""
    bound = update(EVENT_SOURCES).where(_S.name == clean(name), _S.ended_at.is_(None)).values(**vars(bounds))
    if tx.execute(bound.returning(_S.name)).first() is None:
        raise BadInput(f"There is no event source '{name}' that hands events in: see `missions source list`.")
    chain.append(tx, at, "event_source_bounded", "", {"name": name, "by": by, **vars(bounds)})


def end_source(tx: Connection, name: str, by: str, at: datetime) -> None:
    """BadInput where there is none, or it has ended already."""
    ended = update(EVENT_SOURCES).where(_S.name == clean(name), _S.ended_at.is_(None)).values(ended_at=at)
    if tx.execute(ended.returning(_S.name)).first() is None:
        raise BadInput(f"There is no event source '{name}' that could end: see `missions source list`.")
    chain.append(tx, at, "event_source_ended", "", {"name": name, "by": by})


def sources(tx: Connection) -> list[EventSource]:
    """By name; those that have ended too."""
    return [_source(row) for row in tx.execute(_SOURCE.order_by(_S.name.collate("C")))]


def source_named(tx: Connection, name: str) -> EventSource | None:
    """The source of this name, one that has ended too."""
    row = tx.execute(_SOURCE.where(_S.name == clean(name))).first()
    return _source(row) if row else None


def source_of(tx: Connection, token: str) -> EventSource | None:
    """Whose token this is; None for one that is good for nothing."""
    row = tx.execute(_SOURCE.where(_S.digest == _digest(token), _S.ended_at.is_(None))).first()
    return _source(row) if row else None


def _source(row: Row[*tuple[Any, ...]]) -> EventSource:
    told = fields(row)
    missions, days, hourly = (told.pop(name) for name in ("missions", "as_of_days", "hourly"))
    bounds = Bounds(missions=None if missions is None else tuple(missions), as_of_days=days, hourly=hourly)
    return EventSource(**told, bounds=bounds)


def keep_letter(tx: Connection, source: str, body: str, reason: str, bounds: Bounds, at: datetime) -> str:
    """Keep a letter; its id. One that is open already, with this text from this source, is kept once, with the last reason.

    Raises TooMany where the source may hand in no more, or has too many open letters.
    """
    origin = Origin(source, bounds)
    body = arrivals.cut(body)
    times = 0
    while True:
        letter_id = arrivals.letter_id(source, body, times)
        values = {"letter_id": letter_id, "source": source, "body": body, "reason": reason[: arrivals.MOST_REASON], "at": at}
        kept = insert_or(DEAD_LETTERS).values(**values)
        again = kept.on_conflict_do_update(
            index_elements=["letter_id"], set_={"reason": values["reason"]}, where=_L.settled_at.is_(None)
        )
        is_new = tx.execute(again.returning(literal_column("xmax = 0"))).scalar_one_or_none()
        if is_new and bounds.hourly is not None:
            count(tx, origin, at)
            require_room(tx, origin)
        if is_new:
            told = {"letter_id": letter_id, "source": clean(source)}
            chain.append(tx, at, "dead_letter_kept", "", told)
        if is_new is not None:
            return letter_id
        times += 1


def letter(tx: Connection, letter_id: str, lock: bool = False) -> DeadLetter:
    """BadInput when there is none. With `lock` nobody else settles it until this transaction ends."""
    wanted = select_record(DEAD_LETTERS).where(_L.letter_id == clean(letter_id))
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise BadInput(f"There is no dead letter '{letter_id}': see `missions events dead`.")
    return DeadLetter(**fields(row))


def open_letters(tx: Connection, limit: int) -> tuple[list[DeadLetter], int]:
    """Those that nobody settled, the oldest first, and how many there are in all."""
    is_open = _L.settled_at.is_(None)
    rows = tx.execute(select_record(DEAD_LETTERS).where(is_open).order_by(_L.number).limit(limit))
    found = [DeadLetter(**fields(row)) for row in rows]
    return found, tx.execute(select(func.count()).select_from(DEAD_LETTERS).where(is_open)).scalar_one()


def check_settling(tx: Connection, letter_id: str, by: str, reason: str) -> DeadLetter:
    found = letter(tx, letter_id)
    arrivals.check_settling(people.find(tx, by), found, reason)
    return found


def settle(tx: Connection, letter_id: str, by: str, reason: str, run_id: str, at: datetime) -> DeadLetter:
    """Settle a letter: its event was taken in and started `run_id`, or it was dropped where that is empty."""
    found = letter(tx, letter_id, lock=True)
    person = arrivals.check_settling(people.find(tx, by), found, reason)
    reason = clean(reason).strip()
    values = {"settled_at": at, "settled_by": person.name, "settled_reason": reason}
    tx.execute(update(DEAD_LETTERS).where(_L.letter_id == found.letter_id).values(**values))
    kind = "dead_letter_taken_in" if run_id else "dead_letter_dropped"
    chain.append(tx, at, kind, run_id, arrivals.of_letter(found, person.name, reason))
    return letter(tx, found.letter_id)


def feed(tx: Connection, name: str) -> FeedPosition | None:
    row = tx.execute(select_record(FEEDS).where(_F.name == name)).first()
    return FeedPosition(**fields(row)) if row else None


def advance(tx: Connection, name: str, after: str, to: str, at: datetime) -> bool:
    """Move a cursor on, unless somebody else moved it meanwhile: whether it was moved."""
    values = {"cursor": to, "polled_at": at, "error": ""}
    moved = insert_or(FEEDS).values(name=name, **values)
    again = moved.on_conflict_do_update(index_elements=["name"], set_=values, where=_F.cursor == after)
    if tx.execute(again.returning(_F.name)).first() is None:
        return False
    if to != after:
        chain.append(tx, at, "feed_advanced", "", {"name": name, "cursor": to})
    return True


def feed_failed(tx: Connection, name: str, error: str, at: datetime) -> None:
    """Note what went wrong; the cursor stays where it is."""
    values = {"polled_at": at, "error": error[: arrivals.MOST_REASON]}
    noted = insert_or(FEEDS).values(name=name, cursor="", **values)
    tx.execute(noted.on_conflict_do_update(index_elements=["name"], set_=values))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
