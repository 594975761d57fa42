"""What a person hands in on the dashboard: an invoice, or a file of events. It is all good, or nothing of it is taken in.

Whoever hands an event in has asked for it: they approve nothing that comes of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from errors import BadInput
from graphs.events import MOST_BODY_BYTES, MOST_EVENTS, event_of_text, texts_of
from graphs.invoices import invoice_event
from graphs.runtime import Runtime, new_run_id
from ledger.canonical import utc_now
from ledger.inbox import EventOrigin, SourceBounds, check_arrival
from ledger.permissions import require
from ledger.records import Event, Person, Run
from systems.invoice_xml import MAX_BYTES
from systems.pdf import BEGINS as PDF

#: what the source ids of such events begin with
NAMESPACE = "upload"
#: events that one person may hand in within an hour
MOST_AN_HOUR = 200
_WORDS = Path("the file")


@dataclass(frozen=True)
class UploadReport:
    """The runs of a file: those that began, and those that there were."""

    begun: tuple[Run, ...]
    known: tuple[Run, ...]


def hand_in(runtime: Runtime, person: Person, content: bytes, as_of_days: int, on_taken: Callable[[Run], None]) -> UploadReport:
    """Take in what a file holds: an invoice if it is XML or a PDF, else events, one or a list, or one a line.

    Raises Refused to who may not, BadInput with one sentence for a file that is not all good, TryAgain and TooMany as taking
    in does: what was taken in until then is known when the file is given again.
    """
    require(person, "hand_in")
    origin = EventOrigin(f"upload by {person.name}", SourceBounds(as_of_days=as_of_days, hourly=MOST_AN_HOUR))
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", PDF)):
        if len(content) > MAX_BYTES:
            raise BadInput(f"The file is longer than {MAX_BYTES:,} bytes, which no invoice needs.")
        events = [invoice_event(runtime, _WORDS, content)]
    else:
        events = _events(runtime, content, origin)
    begun, known = list[Run](), list[Run]()
    for event in events:
        run_id = new_run_id()
        run = runtime.take_in(replace(event, requested_by=person.name), run_id, origin)
        (begun if run.run_id == run_id else known).append(run)
        if run.run_id == run_id:
            on_taken(run)
    return UploadReport(tuple(begun), tuple(known))


def _events(runtime: Runtime, content: bytes, origin: EventOrigin) -> list[Event]:
    """The events of a file. Raises BadInput that says which of them is none."""
    if len(content) > MOST_BODY_BYTES:
        raise BadInput(f"The file is longer than {MOST_BODY_BYTES:,} bytes: hand its events in as several files.")
    lines = [line for line in content.split(b"\n") if line.strip()]
    try:
        texts = texts_of(content) if not _is_lines(lines) else list[bytes | str](lines)
    except BadInput as error:
        raise BadInput(f"The file holds no events ({error}): give an invoice as XML or PDF, or events as JSON.") from error
    if not texts or len(texts) > MOST_EVENTS:
        raise BadInput(f"The file holds {len(texts):,} events: give 1 to {MOST_EVENTS:,} of them.")
    events, now = [], utc_now()
    for place, text in enumerate(texts, start=1):
        try:
            event = event_of_text(text, runtime.context.packs, now, NAMESPACE)
            check_arrival(event, origin, now)
        except BadInput as error:
            raise BadInput(f"Event {place} of {len(texts):,}: {error}. Nothing of the file was accepted.") from error
        events.append(event)
    return events


def _is_lines(lines: list[bytes]) -> bool:
    """Whether each line is an object of its own, and there are several."""
    return len(lines) > 1 and all(line.strip()[:1] == b"{" and line.strip()[-1:] == b"}" for line in lines)
