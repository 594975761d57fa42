"""Events from outside: raw text to an Event, or one sentence that says why it is none.

The one way for all by which events come in (docs/events.md); recorded exceptions use `event_of_trigger` alone, for they
may be of any moment and have any names.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from errors import BadInput
from ledger.canonical import storable
from ledger.invariants import LONGEST_NAME, nameable
from ledger.records import Event
from nodes.pack import Pack
from rendering import kind_of
from strict_json import strict_json

#: bytes of one event, and of many together in one JSON text; events in it
MOST_EVENT_BYTES = 100_000
MOST_BODY_BYTES = 1_000_000
MOST_EVENTS = 1_000
#: characters of a source id as its source gives it: the name of the source comes before it
LONGEST_SOURCE_ID = 300
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_FIELDS = ("source_id", "mission", "as_of", "trigger")


def texts_of(body: bytes) -> list[bytes | str]:
    """The texts of the events in a JSON text: one, or a list. Raises BadInput for what is neither."""
    value = strict_json(body)
    if isinstance(value, dict):
        return [body]
    if not isinstance(value, list):
        raise BadInput("neither an event nor a list of events")
    return [json.dumps(one, ensure_ascii=False) for one in value]


def event_of_text(text: bytes | str, packs: Mapping[str, Pack], at: datetime, source: str = "") -> Event:
    """The event in a JSON text; see `event_of`. Raises BadInput for what is longer than an event, or no JSON."""
    if size(text) > MOST_EVENT_BYTES:
        raise BadInput(f"longer than {MOST_EVENT_BYTES:,} bytes; an event names its subject, and the systems tell the rest")
    return event_of(strict_json(text), packs, at, source)


def event_of(raw: Any, packs: Mapping[str, Pack], at: datetime, source: str = "") -> Event:
    """The event in a JSON value.

    Args:
        packs: by mission.
        at: now; the event's `as_of` where it gives none.
        source: the event source by which it came, whose name its source id then begins with; none for files.

    Raises BadInput with one sentence that does not say where it stood.
    """
    if not isinstance(raw, dict):
        raise BadInput("an event must be a JSON object; see README, “An event”")
    if "systems" in raw:
        raise BadInput("this is a recorded exception and no event; run it by `missions eval FILE --out RESULTS`")
    for field in raw:
        if field not in _FIELDS:
            raise BadInput(f"an event has no field {field[:60]!r}; it has {', '.join(_FIELDS)}")
    for field, kind in (("source_id", str), ("mission", str), ("trigger", dict)):
        if not isinstance(raw.get(field), kind):
            raise BadInput(f"an event needs «{field}», {'text' if kind is str else 'an object'}; see README, “An event”")
    source_id: str = raw["source_id"]
    if not nameable(source_id) or not source_id.isprintable() or len(source_id) > LONGEST_SOURCE_ID:
        raise BadInput(f"«source_id» must be text of at most {LONGEST_SOURCE_ID} characters without control characters")
    as_of = raw.get("as_of", at.isoformat())
    if not isinstance(as_of, str):
        raise BadInput("as_of must be a moment such as 2026-03-14T09:30:00Z")
    named = f"{source}:{source_id}" if source else source_id
    event = event_of_trigger(raw["mission"], storable(raw["trigger"]), as_of, named, packs)
    if not event.subject.isprintable():
        raise BadInput("what names the subject must have no control characters")
    if event.as_of < EARLIEST:
        raise BadInput(f"as_of {as_of!r} is before {EARLIEST.year}; give the moment of the event")
    return event


def event_of_trigger(mission: str, trigger: Mapping[str, Any], as_of: str, source_id: str, packs: Mapping[str, Pack]) -> Event:
    """The event of a trigger. Raises BadInput for an unknown mission or event, or a trigger without its subject."""
    pack = packs.get(mission)
    if pack is None:
        raise BadInput(f"there is no Mission {mission[:60]!r}; the Missions are {', '.join(packs)}")
    if not nameable(source_id):
        raise BadInput(
            f"«case_id or source_id» must be text of at most {LONGEST_NAME} characters without NUL or half characters; fix it"
        )
    name = trigger.get("event")
    if not isinstance(name, str) or name not in pack.trigger.events:
        given = name[:60] if isinstance(name, str) else name if name is None else kind_of(name)
        raise BadInput(f"{mission} has no event {given!r}; it has {', '.join(pack.trigger.events)}")
    fields = pack.trigger.fields(name)
    for field in fields:
        value = trigger.get(field)
        if not isinstance(value, str) or not value.strip():
            raise BadInput(f"the trigger does not name its subject; give it «{field}»")
    subject = pack.trigger.events[name].format_map({field: trigger[field] for field in fields})
    if not nameable(subject):
        raise BadInput(f"«{fields[0]}» must be text of at most {LONGEST_NAME} characters without NUL or half characters; fix it")
    return Event(source_id=source_id, name=name, mission=mission, subject=subject, trigger=trigger, as_of=_moment(as_of))


def size(text: bytes | str) -> int:
    """The bytes of a text in UTF-8."""
    return len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))


def _moment(as_of: str) -> datetime:
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"as_of {as_of[:60]!r} is not a valid time; write it as 2026-03-14T09:30:00Z")
    return moment
