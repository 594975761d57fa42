"""What a source of events may not do, whoever has taken it over."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput, Refused, TooMany
from graphs import ingestion
from graphs.ingestion import RawEvent, by_feed, by_post, ingest, ingest_dead_letter
from graphs.sources import bounds_of, run_schedule
from ledger.canonical import utc_now
from ledger.inbox import EventOrigin, SourceBounds
from ledger.memory import MemoryLedger
from ledger.records import Event
from ledger.sql import inbox
from systems.config import FeedConfig
from systems.recorded import RecordedSystems
from tests.engine import laboratory
from tests.integration.arriving import Arriving, an_event, raws
from tests.integration.commands import missions
from tests.integration.test_commands_refuse import refused
from tests.unit.nodes.examples import account_review, an_account

pytest_plugins = ["tests.integration.arriving"]
pytestmark = pytest.mark.promise("A source of events starts only what it may")

DAY, OMS = timedelta(days=1), SourceBounds(missions=("order_exception",))
#: how far from now -> whether a source with one day may say so
MOMENTS = {
    timedelta(0): True, -timedelta(hours=23): True, timedelta(minutes=4): True, -DAY - timedelta(minutes=1): False,
    -30 * DAY: False, -335 * DAY: False, -9_000 * DAY: False, timedelta(minutes=6): False, timedelta(hours=23): False,
    3_000 * DAY: False,
}  # fmt: skip


def handed_in(*values: Any, bounds: SourceBounds = OMS, source: str = by_post("oms")) -> list[RawEvent]:
    return [replace(raw, bounds=bounds) for raw in raws(*values, source=source)]


@pytest.mark.parametrize("source", [by_post("oms"), by_feed("oms.list_events"), "events.jsonl, line 1"])
@pytest.mark.parametrize(("off", "may"), MOMENTS.items())
def test_an_event_chooses_the_moment_at_which_its_case_is_looked_at(
    arriving: Arriving, off: timedelta, may: bool, source: str
) -> None:
    event = an_event("1") | {"as_of": (utc_now() + off).isoformat()}
    report = ingest(arriving.intake, handed_in(event, source=source))
    assert (len(report.taken_in), len(report.dead_letters)) == ((1, 0) if may else (0, 1))
    assert may or "as_of" in report.dead_letters[0].reason


@pytest.mark.parametrize("zone", ["+14:00", "-14:00", "+23:59", "-23:59"])
def test_a_zone_moves_an_event_out_of_its_day(arriving: Arriving, zone: str) -> None:
    local = (utc_now() - DAY + timedelta(minutes=1)).replace(tzinfo=None)
    report = ingest(arriving.intake, handed_in(an_event("1") | {"as_of": f"{local.isoformat()}{zone}"}))
    run = arriving.ledger.runs()[:1]
    assert report.dead_letters or abs(run[0].event.as_of - utc_now()) <= DAY


def test_without_a_moment_an_event_is_looked_at_now(arriving: Arriving) -> None:
    event = an_event("1")
    del event["as_of"]
    ingest(arriving.intake, handed_in(event))
    assert abs(arriving.ledger.runs()[0].event.as_of - utc_now()) < timedelta(minutes=1)


@pytest.mark.parametrize("mission", ["support_resolution", "account_save", "invoice_approval", "omnichannel_exception"])
def test_a_source_starts_a_mission_that_is_none_of_its(arriving: Arriving, mission: str) -> None:
    pack = arriving.intake.runtime.context.packs[mission]
    name = next(iter(pack.trigger.events))
    trigger = {"event": name, **dict.fromkeys(pack.trigger.fields(name), "X-1")}
    event = {"source_id": "1", "mission": mission, "trigger": trigger}
    report = ingest(arriving.intake, handed_in(event))
    assert arriving.ledger.runs() == [] and f"may not start the mission {mission}" in report.dead_letters[0].reason
    may = ingest(arriving.intake, handed_in(event, bounds=SourceBounds(missions=(mission,))))
    assert len(may.taken_in) == 1


def test_a_new_source_of_which_nothing_was_said_starts_a_mission(arriving: Arriving) -> None:
    source = arriving.inbox.source_of(arriving.inbox.add_source("oms"))
    assert source is not None
    report = ingest(arriving.intake, handed_in(an_event("1"), bounds=source.bounds))
    assert report.taken_in == [] and "it may start none" in report.dead_letters[0].reason


def test_a_feed_of_which_nothing_is_said_starts_missions_that_do_not_read_its_system(arriving: Arriving) -> None:
    packs = arriving.intake.runtime.context.packs
    for system in ("erp", "crm", "wms", "shop"):
        missions_of = bounds_of(FeedConfig(system=system, tool="list_events"), packs, 1).missions or ()
        assert all(any(read.tool.startswith(f"{system}.") for read in packs[one].reads.values()) for one in missions_of)
    assert bounds_of(FeedConfig(system="shop", tool="list_events"), packs, 1).missions == ()


def test_more_events_than_an_hour_has_room_for_come_one_after_another(arriving: Arriving) -> None:
    few = replace(OMS, hourly=3)
    report = ingest(arriving.intake, handed_in(*(an_event(str(number)) for number in range(5)), bounds=few))
    assert (len(report.taken_in), len(report.dead_letters)) == (3, 0)
    assert "3 that it may in an hour" in report.stopped and 0 < report.wait_s <= 3_600
    again = ingest(arriving.intake, handed_in(an_event("0"), an_event("9"), bounds=few))
    assert (len(again.known), again.taken_in) == (1, []), "what came before is known, and nothing else is kept"
    other = ingest(arriving.intake, handed_in(an_event("0"), bounds=few, source=by_post("shop")))
    assert len(other.taken_in) == 1, "a source uses up its own hour and nobody else's"


def test_more_events_than_an_hour_has_room_for_come_side_by_side(arriving: Arriving) -> None:
    few = replace(OMS, hourly=7)
    batches = [handed_in(*(an_event(f"{place}-{number}") for number in range(4)), bounds=few) for place in range(6)]
    with ThreadPoolExecutor(6) as hands:
        list(hands.map(lambda batch: ingest(arriving.intake, batch), batches))
    assert len(arriving.ledger.runs()) == 7


def test_a_flood_of_what_is_no_event_fills_the_dead_letters(arriving: Arriving) -> None:
    few = replace(OMS, hourly=5)
    report = ingest(arriving.intake, handed_in(*(f"{{{number}" for number in range(50)), bounds=few))
    assert (len(report.dead_letters), arriving.inbox.open_letters()[1]) == (5, 5) and report.wait_s
    assert ingest(arriving.intake, handed_in(an_event("1"), bounds=few)).taken_in == []


@pytest.mark.parametrize(("bound", "most"), [("MOST_OPEN", 4), ("MOST_OPEN_BYTES", 400)])
def test_dead_letters_of_many_hours_fill_the_disk(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(inbox, bound, most)
    report = ingest(arriving.intake, handed_in(*(f"{number} {'x' * 96}" for number in range(10, 30))))
    assert (len(report.dead_letters), arriving.inbox.open_letters()[1]) == (4, 4)
    assert "has too many dead letters" in report.stopped


def test_a_dead_letter_that_is_taken_in_later_gets_past_the_bounds_of_its_source(arriving: Arriving) -> None:
    arriving.inbox.add_source("oms", bounds=OMS)
    old = an_event("1") | {"as_of": (utc_now() - 335 * DAY).isoformat()}
    other = an_event("2") | {"mission": "account_save", "trigger": {"event": "account.daily_review", "account_id": "A-1"}}
    dead = ingest(arriving.intake, handed_in(old, other)).dead_letters
    for letter, says in zip(dead, ("as_of", "may not start"), strict=True):
        with pytest.raises(BadInput, match=says):
            ingest_dead_letter(arriving.intake, letter.letter_id, "rita", "it looks fine")
    assert arriving.ledger.runs() == []


def test_the_bounds_of_a_source_are_changed_by_who_may_not_and_without_a_trace(arriving: Arriving) -> None:
    arriving.inbox.add_source("oms", bounds=OMS)
    with pytest.raises(Refused, match="requires the role administrator"):
        arriving.inbox.bound_source("oms", SourceBounds(), "rita")
    arriving.inbox.bound_source("oms", SourceBounds(missions=("account_save",), as_of_days=9, hourly=2), "admin")
    told = [(entry.kind, entry.body) for entry in arriving.ledger.audit() if "source" in entry.kind]
    seals = [set(body.pop("rows")) for _, body in told]
    assert seals == [{"event_sources"}] * len(told)
    assert told == [
        ("event_source_added",
         {"name": "oms", "by": "the command line", "missions": ["order_exception"], "as_of_days": 1, "hourly": 3_600}),
        ("event_source_bounded", {"name": "oms", "by": "admin", "missions": ["account_save"], "as_of_days": 9, "hourly": 2}),
    ]  # fmt: skip


def test_a_ledger_in_memory_lets_a_source_past_its_bounds() -> None:
    now = utc_now()
    ledger = MemoryLedger(lambda: now)
    event = Event(source_id="1", name="e", mission="order_exception", subject="O-1", trigger={}, as_of=now)
    origin = EventOrigin("oms", replace(OMS, hourly=1))
    for wrong in (replace(event, as_of=now - 2 * DAY), replace(event, as_of=now + DAY), replace(event, mission="account_save")):
        with pytest.raises(BadInput):
            ledger.take_in(wrong, "r-1", {}, origin)
    ledger.take_in(event, "r-1", {}, origin)
    ledger.take_in(event, "r-2", {}, origin)
    with pytest.raises(TooMany):
        ledger.take_in(replace(event, source_id="2"), "r-2", {}, origin)


def test_a_file_of_events_asks_for_the_policies_of_another_year(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(str(an_event("1") | {"as_of": (utc_now() - 335 * DAY).isoformat()}).replace("'", '"'))
    for command in (("run",), ("events", "take")):
        refused(missions(*command, file, DATABASE_URL=database_url), "as_of")


def test_a_book_has_more_subjects_than_a_schedule_may_take_in_within_an_hour(
    arriving: Arriving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "SourceBounds", partial(SourceBounds, hourly=3))
    accounts = [an_account(account_id=f"A-{number}") for number in range(5)]
    systems = account_review(accounts=accounts)["systems"]
    arriving.reads(RecordedSystems(systems, laboratory().catalogue, utc_now))
    report = run_schedule(arriving.intake, "account.daily_review", utc_now())
    assert (len(report.taken_in), len(arriving.ledger.runs())) == (3, 3)
    assert "3 that it may in an hour" in report.stopped and 0 < report.wait_s <= 3_600
    again = run_schedule(arriving.intake, "account.daily_review", utc_now())
    assert (len(again.known), again.taken_in) == (3, [])


@pytest.mark.parametrize("other", ["order_exception", "support_resolution"])
def test_a_schedule_starts_a_mission_that_is_not_its_packs(arriving: Arriving, other: str) -> None:
    now = utc_now()
    origin = EventOrigin("schedule account.daily_review", SourceBounds(missions=("account_save",)), came_at=now)
    event = Event(source_id="1", name="e", mission=other, subject="O-1", trigger={}, as_of=now)
    with pytest.raises(BadInput, match="may not start the mission"):
        arriving.ledger.take_in(event, "r-1", {}, origin)
