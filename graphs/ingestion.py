"""Ingestion of events, however they come: each once, and what is none is kept as a dead letter with the reason.

    POST /events ─────────┐
    POST /events/NAME ────┤   raw text  (mapping)  event                     ┌→ on_taken: the work begins
    missions events take ─┼──────────────────────→ ──→ the ledger's inbox ───┤
    the feed of a system ─┤      │           │      │                        └→ known: it came before
    a mailbox, a schedule ┘      └───────────┴──────┴→ a dead letter
                                             └→ ignored: counted, and not kept

The ledger commits each event by itself, in the order in which they came. `on_taken` is called after that, so a process
that dies in between leaves a run that is 'running' and on which nobody works.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from errors import BadInput, Refused, TooMany, TryAgain
from graphs.events import event_of_text
from graphs.invoices import invoice_event, invoice_text_event
from graphs.mapping import Ignored, ReadByModel, mapped_event
from graphs.runtime import Runtime, new_run_id
from ledger.canonical import utc_now
from ledger.inbox import ANY, NOTHING, DeadLetter, EventOrigin, SourceBounds
from ledger.records import Event, Run
from ledger.services import Inbox
from systems.event_sources import SourceMapping

#: of the texts that dead letters name as their source, those of the sources whose name their source ids begin with
_NAMED = re.compile(r"POST /events(?: by |/)(?P<posted>[\w-]+)|feed (?P<fed>[\w-]+)\.\S+|mailbox (?P<mailed>[\w-]+)")
#: and those whose texts are payloads that a mapping makes events of
_MAPPED = re.compile(r"(?:POST /events/|mailbox )(?P<name>[\w-]+)")


@dataclass(frozen=True)
class Intake:
    """What takes events in, keeps what is none, and starts the work on a run that is new."""

    runtime: Runtime
    inbox: Inbox
    on_taken: Callable[[Run], None] = lambda _: None
    #: how many days the as_of of an event of a file or a feed may lie back, where nothing else is said
    as_of_days: int = 1
    #: what each feed and mailbox may do, by what its dead letters name as their source: for those that are taken in later
    feeds: Mapping[str, SourceBounds] = field(default_factory=dict)
    #: how what a source sends becomes an event, by source
    mappings: Mapping[str, SourceMapping] = field(default_factory=dict)

    @property
    def of_files(self) -> SourceBounds:
        """What a file may do: whoever gives it has the account of the machine."""
        return SourceBounds(as_of_days=self.as_of_days, hourly=None)


@dataclass(frozen=True)
class RawEvent:
    """What came as one event, with where it came from: "POST /events by oms", "events.jsonl, line 3"."""

    text: bytes | str
    source: str
    bounds: SourceBounds = ANY
    #: when it came; now, unless it is ingested later
    came_at: datetime | None = None
    #: the event itself, of a schedule; then the text is its source id
    event: Event | None = None

    @property
    def namespace(self) -> str:
        """The event source whose name the source id of the event begins with; empty for a file.

        A system's feed and what it posts under its own name are of one namespace: an event that comes both ways is one.
        """
        named = _NAMED.fullmatch(self.source)
        return (named["posted"] or named["fed"] or named["mailed"]) if named else ""

    @property
    def mapped_by(self) -> str:
        """The source whose mapping makes an event of it; empty where it is an event as it stands."""
        named = _MAPPED.fullmatch(self.source)
        return named["name"] if named else ""

    @property
    def is_invoice(self) -> bool:
        """Whether it is an invoice that came by mail: what a mapping makes events of is JSON, and this is XML."""
        return bool(self.mapped_by) and self.text[:1] not in ("{", b"{")


@dataclass(frozen=True)
class IngestedEvent:
    """An event that the inbox holds."""

    #: as its source gave it
    source_id: str
    run_id: str


@dataclass(frozen=True)
class RejectedEvent:
    """What is no event, or another one under a source id that was used."""

    letter_id: str
    reason: str


@dataclass
class IngestionReport:
    """What became of a batch. A batch that was `stopped` can be given again as a whole."""

    taken_in: list[IngestedEvent] = field(default_factory=list)
    #: taken in before, with the same content
    known: list[IngestedEvent] = field(default_factory=list)
    dead_letters: list[RejectedEvent] = field(default_factory=list)
    #: how many the mapping of their source ignores; nothing else is kept of them
    ignored: int = 0
    #: why the rest was not read (the database did not answer, the source handed in too much); empty where all of it was
    stopped: str = ""
    #: seconds after which a source that handed in too much may go on; 0 where it did not
    wait_s: int = 0


def by_post(source: str) -> str:
    """Where an event comes from that a source handed in by HTTP."""
    return f"POST /events by {source}"


def by_feed(name: str) -> str:
    """Where an event comes from that a system's feed reported; `name` as "oms.list_events"."""
    return f"feed {name}"


def by_schedule(event: str) -> str:
    """Where the subjects of a batch come from."""
    return f"schedule {event}"


def scheduled(event: Event) -> RawEvent:
    """An event that a schedule made: of its own Mission, and no more in an hour than any source hands in."""
    bounds = SourceBounds(missions=(event.mission,))
    return RawEvent(event.source_id, by_schedule(event.name), bounds, came_at=event.as_of, event=event)


def ingest(intake: Intake, raws: Iterable[RawEvent], report: IngestionReport | None = None) -> IngestionReport:
    """Take events in, one after the other; `report` grows with each. Only errors that are defects are raised."""
    report = report or IngestionReport()
    try:
        for raw in raws:
            try:
                run, is_new = _take_in(intake, raw)
            except Ignored:
                intake.inbox.count_ignored(raw.source)
                report.ignored += 1
                continue
            except (BadInput, Refused) as error:
                keep_dead_letter(intake, raw, str(error), report)
                continue
            source_id = run.event.source_id.removeprefix(f"{raw.namespace}:") if raw.namespace else run.event.source_id
            (report.taken_in if is_new else report.known).append(IngestedEvent(source_id, run.run_id))
            if is_new:
                intake.on_taken(run)
    except TryAgain as error:
        report.stopped, report.wait_s = str(error), error.after_s if isinstance(error, TooMany) else 0
    return report


def ingest_dead_letter(intake: Intake, letter_id: str, by: str, reason: str) -> Run:
    """Take in what a dead letter holds, now that it can be, and settle the letter; the run of its event.

    Raises BadInput where it is still no event or is ignored, Refused to who may not, or where its source id is another event's.
    """
    letter = intake.inbox.letter_to_settle(letter_id, by, reason)
    run, is_new = _take_in(intake, RawEvent(letter.body, letter.source, _bounds_of(intake, letter), letter.at))
    intake.inbox.settle_letter(letter.letter_id, by, reason, run.run_id)
    if is_new:
        intake.on_taken(run)
    return run


def keep_dead_letter(intake: Intake, raw: RawEvent, reason: str, report: IngestionReport) -> None:
    """Keep a dead letter."""
    body = raw.text.decode("utf-8", "replace") if isinstance(raw.text, bytes) else raw.text
    report.dead_letters.append(RejectedEvent(intake.inbox.keep_letter(raw.source, body, reason, raw.bounds), reason))


def _bounds_of(intake: Intake, letter: DeadLetter) -> SourceBounds:
    """What the source of a letter may do today; a person who takes it in does not count as its source."""
    named = _NAMED.fullmatch(letter.source)
    if named is None:
        return intake.of_files
    if not named["posted"]:
        bounds = intake.feeds.get(letter.source, NOTHING)
    else:
        source = intake.inbox.source_named(named["posted"])
        bounds = source.bounds if source else NOTHING
    return replace(bounds, hourly=None)


def _take_in(intake: Intake, raw: RawEvent) -> tuple[Run, bool]:
    """The run of an event, and whether it is new."""
    runtime, run_id = intake.runtime, new_run_id()
    came_at = raw.came_at or utc_now()
    packs = runtime.context.packs
    if raw.event is not None:
        event = raw.event
    elif not raw.mapped_by:
        event = event_of_text(raw.text, packs, came_at, raw.namespace)
    elif raw.is_invoice:
        content = raw.text if isinstance(raw.text, bytes) else raw.text.encode()
        event = invoice_event(runtime, Path("the invoice"), content, raw.bounds.missions)
    elif mapping := intake.mappings.get(raw.mapped_by):
        try:
            event = mapped_event(raw.text, mapping, packs, came_at, raw.namespace)
        except ReadByModel as mail:
            event = invoice_text_event(runtime, mail.text, raw.bounds.missions)
    else:
        raise BadInput(f"there is no mapping for {raw.mapped_by}; add {raw.mapped_by}.yaml to the folder of MISSIONS_SOURCES")
    run = runtime.take_in(event, run_id, EventOrigin(raw.source, raw.bounds, raw.came_at))
    return run, run.run_id == run_id
