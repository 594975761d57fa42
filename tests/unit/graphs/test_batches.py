"""A whole book of business: an event for every subject, and the runs ranked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from errors import BadInput, TryAgain
from graphs.runtime import Runtime
from graphs.sources import Ranked, batch_events, ranked
from ledger.canonical import utc_now
from ledger.memory import MemoryLedger
from nodes.planner import Planner
from nodes.state import MissionContext
from systems.recorded import RecordedSystems
from tests.engine import Raw, laboratory
from tests.unit.nodes.examples import account_review, an_account

TODAY = datetime(2026, 3, 10, 12, tzinfo=UTC)


def company(*accounts: Raw, **systems: Any) -> Runtime:
    lab = laboratory()
    recorded = RecordedSystems(account_review(accounts=list(accounts))["systems"] | systems, lab.catalogue, utc_now)
    context = MissionContext(
        ledger=MemoryLedger(), reader=recorded, writer=recorded, packs=lab.packs, catalogue=lab.catalogue, policies=lab.policies,
        knowledge=lab.knowledge, reasoner=Planner(), clock=utc_now,
    )  # fmt: skip
    saver: Any = InMemorySaver()
    return Runtime(context, saver, "", context.ledger)


def reviewed(runtime: Runtime) -> list[Ranked]:
    runs = [runtime.drive(runtime.take_in(event).run_id) for event in batch_events(runtime, "account.daily_review", TODAY)]
    return ranked(runtime, runs)


def test_every_account_gets_one_event_a_day() -> None:
    runtime = company(an_account(), an_account(account_id="A-2"))
    events = batch_events(runtime, "account.daily_review", TODAY)
    assert [event.subject for event in events] == ["A-1", "A-2"]
    again = batch_events(runtime, "account.daily_review", TODAY.replace(hour=23))
    assert [event.source_id for event in again] == [event.source_id for event in events]
    assert {event.source_id for event in batch_events(runtime, "account.daily_review", TODAY.replace(day=11))}.isdisjoint(
        event.source_id for event in events
    )


def test_the_most_revenue_at_risk_comes_first_and_what_cannot_be_told_before_all() -> None:
    runtime = company(
        an_account(account_id="A-watch", champion_left=False),
        an_account(account_id="A-small", arr_cents=3_000_000),
        an_account(account_id="A-large", arr_cents=30_000_000),
        an_account(account_id="A-fine", champion_left=False, nps=9),
        an_account(account_id="A-unknown", arr_cents=None),
    )
    found = reviewed(runtime)
    assert [one.run.event.subject for one in found] == ["A-unknown", "A-large", "A-small", "A-watch", "A-fine"]
    assert found[1].says == "Lakeside Dental Inc, $300,000.00 a year (signals: 2)"


def test_equal_ranks_are_listed_by_subject() -> None:
    runtime = company(an_account(account_id="A-2"), an_account(account_id="A-1"))
    assert [one.run.event.subject for one in reviewed(runtime)] == ["A-1", "A-2"]


def test_an_empty_book_has_no_events() -> None:
    assert batch_events(company(), "account.daily_review", TODAY) == []


@pytest.mark.parametrize("event", ["inbound.delayed", "account.weekly_review", ""])
def test_an_event_without_a_book_is_refused(event: str) -> None:
    with pytest.raises(BadInput, match=r"not an event with a batch; the ones with a batch are account\.daily_review"):
        batch_events(company(), event, TODAY)


def test_a_book_that_cannot_be_read_is_not_empty() -> None:
    with pytest.raises(TryAgain, match=r"the book of account\.daily_review cannot be read: crm could not be reached"):
        batch_events(company(crm=None), "account.daily_review", TODAY)
