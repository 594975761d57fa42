"""The change feed of a system, read through MCP: what happened there since the last poll, taken in as events.

At least once and never skipping: a cursor is moved on after the events before it are in the inbox.
"""

import json
from collections.abc import Mapping
from typing import Any

from errors import MissionsError, TryAgain
from graphs.ingestion import IngestionReport, Intake, RawEvent, by_feed, ingest
from ledger.inbox import LONGEST_CURSOR, SourceBounds
from ledger.invariants import nameable
from nodes.pack import Pack
from systems.calls import Call
from systems.config import FeedConfig

#: events that a feed is asked for at once, and pages that one poll reads
AT_ONCE = 100
MOST_PAGES = 20


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
    if not isinstance(value, dict) or not isinstance(value.get("events"), list) or not isinstance(value.get("cursor"), str):
        raise TryAgain(f'{feed.name} did not answer {{"events": […], "cursor": "…"}}; see docs/events.md')
    events, after = value["events"], value["cursor"]
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
    raws = [RawEvent(json.dumps(event, ensure_ascii=False), by_feed(feed.name), bounds) for event in events]
    if ingest(intake, raws, report).stopped:
        raise TryAgain(report.stopped)
    if events and stands:
        raise TryAgain(f"{feed.name} answered with events but the same cursor, so the feed cannot advance")
