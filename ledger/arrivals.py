"""What the ledger keeps of the ways by which events come in: sources and their tokens, dead letters, feeds."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from errors import BadInput, Refused
from ledger.canonical import clean
from ledger.drafts import check_reason
from ledger.permissions import require
from ledger.records import Person

#: bytes of a dead letter that are kept, and characters of its reason
MOST_BODY_BYTES = 100_000
MOST_REASON = 1_000
#: characters of a feed's cursor
LONGEST_CURSOR = 500
#: a source is named as the system whose events it hands in; no colon, for that ends the name in a source id
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
#: the source ids of customers' messages begin with this
_PORTAL = "portal"


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """A system that may hand events in, with a token of which the ledger has the digest."""

    name: str
    added_by: str
    added_at: datetime
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


def check_source_name(name: str) -> None:
    """Raises BadInput for a name that a source cannot have."""
    if not _SOURCE_NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!r} is no name of an event source: give one of small letters, digits, - and _, such as oms.")
    if name == _PORTAL:
        raise BadInput("The portal is where customers write in: give the event source another name.")


def check_settling(person: Person | None, letter: DeadLetter, reason: str) -> Person:
    """The person, who may settle this letter. Raises Refused for the role and a settled letter, BadInput for the reason."""
    settler = require(person, "settle_incident")
    check_reason(reason)
    if letter.settled_at is not None:
        raise Refused(f"The dead letter {letter.letter_id} was settled by {letter.settled_by} already.")
    return settler


def cut(body: str) -> str:
    """The beginning of what came, as the ledger can keep it."""
    return clean(body).encode()[:MOST_BODY_BYTES].decode(errors="ignore")


def letter_id(source: str, body: str, times: int) -> str:
    """The id of what came from a source; `times` is how often the very same was settled before."""
    told = f"{times}\n{clean(source)}\n{body}"
    return f"l-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def of_letter(letter: DeadLetter, by: str, reason: str) -> dict[str, Any]:
    """What the audit log says of a letter: the text stands there as a digest."""
    digest = hashlib.sha256(letter.body.encode()).hexdigest()
    return {"letter_id": letter.letter_id, "source": letter.source, "body_digest": digest, "by": by, "reason": reason}
