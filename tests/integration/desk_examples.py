"""A desk with a clock that is moved by hand, and what waits at it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from ledger.postgres import PostgresLedger
from ledger.records import Person, Proposal
from ledger.services import AdminService
from ledger.tables import DECISIONS
from tests.ledger_examples import NOW, a_proposal, an_event, staffed


class Clock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **units: float) -> None:
        self.now += timedelta(**units)


class Office:
    """Ledger and desk on one database and one clock; the people are those of `ledger_examples.staffed`."""

    def __init__(self, ledger: PostgresLedger, clock: Clock) -> None:
        self.ledger, self.clock, self.desk = ledger, clock, AdminService(ledger, clock)
        staffed(ledger)

    def person(self, name: str) -> Person:
        found = self.ledger.person(name)
        assert found is not None
        return found

    @property
    def people(self) -> list[Person]:
        """Everybody."""
        return self.ledger.people()

    def run(self, run_id: str, **event: Any) -> None:
        """A run that was taken in now."""
        self.ledger.take_in(an_event(f"event of {run_id}", **event), run_id, {"graph": "1"})

    def waits(self, run_id: str, event: dict[str, Any] | None = None, **proposal: Any) -> Proposal:
        """A run whose proposal waits."""
        self.run(run_id, **(event or {}))
        made = a_proposal(f"p of {run_id}", run_id=run_id, **proposal)
        self.ledger.propose(made)
        return made

    def decide(self, run_id: str, by: str, kind: Any = "approve", at: datetime | None = None) -> None:
        """Decide as the rules allow."""
        about = f"p of {run_id}"
        self.ledger.decide(
            about, kind=kind, by=by, reason="It is so.", digest=f"digest of {about}", at=at or self.clock.now,
        )  # fmt: skip

    def approved_by(self, run_id: str, by: str) -> None:
        """An approval that is just there, whoever gave it."""
        row = {
            "decision_id": f"d of {run_id} by {by}", "proposal_id": f"p of {run_id}", "run_id": run_id, "kind": "approve",
            "by": by, "role": "finance", "reason": "It is so.", "digest": "d", "at": self.clock.now, "details": {},
        }  # fmt: skip
        with self.ledger.transaction() as tx:
            tx.execute(insert(DECISIONS).values(**row))


@pytest.fixture
def office(ledger_url: str) -> Iterator[Office]:
    """An office in which nothing waits yet."""
    clock = Clock()
    with PostgresLedger.open(ledger_url, clock) as ledger:
        yield Office(ledger, clock)
