"""What the tests of events that come in share: an intake over a ledger in PostgreSQL, with the packs as shipped.

A module names it in `pytest_plugins`.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphs.ingestion import Intake, RawEvent
from graphs.runtime import Runtime
from ledger.canonical import utc_now
from ledger.inbox import SourceBounds
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.services import Inbox
from nodes.planner import Planner
from nodes.state import MissionContext
from systems.calls import Reader
from systems.recorded import RecordedSystems
from tests.engine import laboratory

#: what a source of the tests may do
BOUNDS = SourceBounds(missions=("order_exception", "support_resolution", "account_save"))


def an_event(source_id: str, order_id: str = "O-4471", **other: Any) -> dict[str, Any]:
    """An event as a system hands it in."""
    trigger = {"event": "order.payment_review", "order_id": order_id, **other}
    return {"source_id": source_id, "mission": "order_exception", "as_of": utc_now().isoformat(), "trigger": trigger}


def raws(*values: Any, source: str = "POST /events by oms") -> list[RawEvent]:
    """What came: values as JSON, texts as they are."""
    return [RawEvent(one if isinstance(one, bytes | str) else json.dumps(one), source) for one in values]


class Arriving:
    """An intake, its ledger, and the runs whose work was begun."""

    def __init__(self, ledger: PostgresLedger, reader: Reader) -> None:
        lab = laboratory()
        context = MissionContext(
            ledger=ledger, reader=reader, writer=None, packs=lab.packs, catalogue=lab.catalogue, policies=lab.policies,
            knowledge=lab.knowledge, reasoner=Planner(), clock=utc_now,
        )  # fmt: skip
        saver: Any = InMemorySaver()
        self.ledger, self.inbox, self.begun = ledger, Inbox(ledger), list[Run]()
        self.intake = Intake(Runtime(context, saver, "", context.ledger), self.inbox, self.begun.append)

    def reads(self, reader: Reader) -> None:
        """Everything is read through another reader from now on."""
        self.intake.runtime.context.reader = reader

    def bodies(self) -> list[str]:
        """The texts of the open dead letters."""
        return [letter.body for letter in self.inbox.open_letters()[0]]


@pytest.fixture
def arriving(ledger_url: str) -> Iterator[Arriving]:
    """An intake over an empty ledger with rita, a reviewer, ana, an analyst, and admin."""
    with PostgresLedger.open(ledger_url) as ledger:
        for name, role in (("rita", "reviewer"), ("ana", "analyst"), ("admin", "administrator")):
            ledger.add_person(name, role)
        yield Arriving(ledger, RecordedSystems({}, laboratory().catalogue, utc_now))
