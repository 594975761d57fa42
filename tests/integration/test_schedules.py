"""Schedules of packs: which there are, and what they take in."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput, TryAgain
from evals.evaluation.environment import EvalEnvironment
from graphs.ingestion import ingest
from graphs.pack_files import load_pack_file
from graphs.sources import Schedule, run_schedule, schedules
from ledger.canonical import utc_now
from nodes.pack import check_cron
from systems.calls import Call, ReadResult
from systems.recorded import RecordedSystems
from tests.engine import PACKS, Raw, laboratory
from tests.integration.arriving import Arriving, an_event, raws
from tests.unit.nodes.examples import account_review, an_account

pytest_plugins = ["tests.integration.arriving"]

EVENT = "account.daily_review"
MORNING = datetime(2026, 3, 10, 6, tzinfo=UTC)


def books(arriving: Arriving, *accounts: Raw) -> Arriving:
    """The same intake over these accounts."""
    systems = account_review(accounts=list(accounts))["systems"]
    arriving.reads(RecordedSystems(systems, laboratory().catalogue, utc_now))
    return arriving


def test_the_accounts_are_reviewed_each_morning() -> None:
    assert schedules(laboratory().packs) == [Schedule(EVENT, "0 6 * * *")]


def test_a_schedule_takes_every_subject_in_once_a_day(arriving: Arriving) -> None:
    books(arriving, an_account(), an_account(account_id="A-2"))
    first = run_schedule(arriving.intake, EVENT, MORNING)
    assert [run.event.subject for run in arriving.begun] == ["A-1", "A-2"]
    assert [run.run_id for run in arriving.begun] == [one.run_id for one in first.taken_in]
    again = run_schedule(arriving.intake, EVENT, MORNING.replace(hour=7))
    assert (again.taken_in, again.known) == ([], first.taken_in)
    tomorrow = run_schedule(arriving.intake, EVENT, MORNING.replace(day=11))
    assert len(tomorrow.taken_in) == 2 and len(arriving.begun) == 4


def test_a_subject_that_cannot_be_taken_in_is_a_dead_letter_and_stops_nobody_else(arriving: Arriving) -> None:
    books(arriving, an_account(account_id="A" * 600), an_account(account_id="A-2"))
    for _ in range(2):
        report = run_schedule(arriving.intake, EVENT, MORNING)
        assert len(report.taken_in) + len(report.known) == len(report.dead_letters) == 1
    (letter,) = arriving.inbox.open_letters()[0]
    assert (letter.source, letter.body) == (f"schedule {EVENT}", "A" * 600)


def test_what_is_no_account_stops_nobody_else_and_what_is_no_book_is_read_again_later(arriving: Arriving) -> None:
    class Odd:
        def __init__(self, value: Any) -> None:
            self.value = value

        def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
            return [ReadResult(call, "ok", self.value, utc_now()) for call in calls]

    arriving.reads(Odd([{"name": "without an id"}, "no record", {"account_id": 7}, {"account_id": "A-2"}]))
    report = run_schedule(arriving.intake, EVENT, MORNING)
    assert [run.event.subject for run in arriving.begun] == ["A-2"] and len(report.dead_letters) == 3
    arriving.reads(Odd({"account_id": "A-3"}))
    with pytest.raises(TryAgain, match="gave no list"):
        run_schedule(arriving.intake, EVENT, MORNING)


def test_a_subject_whose_source_id_was_used_for_another_event_stops_nobody_else(arriving: Arriving) -> None:
    ingest(arriving.intake, raws(an_event(f"{EVENT}/2026-03-10/A-1"), source="events.jsonl, line 1"))
    books(arriving, an_account(), an_account(account_id="A-2"))
    report = run_schedule(arriving.intake, EVENT, MORNING)
    assert [one.source_id for one in report.taken_in] == [f"{EVENT}/2026-03-10/A-2"]
    assert "with different content" in report.dead_letters[0].reason
    assert arriving.bodies() == [f"{EVENT}/2026-03-10/A-1"]


def test_a_book_that_cannot_be_read_is_tried_again_and_one_that_is_none_is_refused(arriving: Arriving) -> None:
    with pytest.raises(TryAgain, match="cannot be read"):
        run_schedule(arriving.intake, EVENT, MORNING)
    with pytest.raises(BadInput, match="is not an event with a batch"):
        run_schedule(arriving.intake, "order.payment_review", MORNING)
    assert arriving.ledger.runs() == []


@pytest.mark.parametrize("cron", ["0 6 * * *", "*/15 0-6 1,15 jan-mar mon", "30 5 L * *", "0 6 * * 1#1"])
def test_cron_with_five_fields_is_a_schedule_and_with_four_is_none(cron: str) -> None:
    check_cron(cron)
    with pytest.raises(ValueError, match="is not a schedule"):
        check_cron(cron.rpartition(" ")[0])


@pytest.mark.parametrize(
    "cron",
    [
        "x",
        " ",
        "@daily",
        "0 6 * *",
        "* * * * * *",
        "60 6 * * *",
        "0 6 * * *\n",
        "R * * * *",
        "H 6 * * *",
        "0 0 31 2 *",
        "0 6 * * é",
    ],
)
def test_anything_else_is_none(cron: str) -> None:
    with pytest.raises(ValueError, match="is not a schedule; write it as cron in UTC"):
        check_cron(cron)


def test_a_pack_whose_schedule_is_none_does_not_load(tmp_path: Path) -> None:
    lab: EvalEnvironment = laboratory()
    text = (PACKS / "account_save.yaml").read_text()
    file = tmp_path / "account_save.yaml"
    file.write_text(text.replace('schedule: "0 6 * * *"', 'schedule: "each morning"'))
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "schedule:" in line)
    with pytest.raises(BadInput, match=re.escape(f"account_save.yaml, line {line}: book.schedule: ")):
        load_pack_file(file, lab.catalogue, lab.policies)
