"""A worker that is stopped, loses its run, and wakes up: whatever it was about to do, it does not do any more."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from errors import MissionsError, Refused, TakenOver, TryAgain
from ledger.canonical import utc_now
from ledger.incident_resolution import settle
from ledger.records import Run
from systems.calls import Call, Fence, Receipt
from tests.actions import UPDATE_SHIPPING_ADDRESS
from tests.integration.live_company import Company
from tests.integration.sandbox_world import Company as Sandbox
from tests.integration.sandbox_world import shared_company, world

pytestmark = pytest.mark.promise("Nothing happens late")
pytest_plugins = ["tests.integration.live_company"]
#: its first step is update_shipping_address
CASE = "dev-ord-0010"
PATIENCE = 60
Place = Literal["before it asks for leave", "with leave, before it sends", "with the receipt, before it keeps it"]


class Stopped:
    """A writer that stops at its first write, as under SIGSTOP, until it is let go."""

    def __init__(self, company: Company, place: Place, good_for: float = 0.3) -> None:
        writer = company.runtime.context.writer
        assert writer is not None
        self._writer, self._place, self._good_for = writer, place, good_for
        self.reached, self.go = threading.Event(), threading.Event()
        self.sent: list[str] = []

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._writer.honours_keys(call)

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        assert call.leave is not None
        first, leave = not self.reached.is_set(), call.leave

        def leaving(seconds: float) -> Fence:
            fence = leave(self._good_for if first else seconds)
            if first and self._place == "with leave, before it sends":
                self._stop()
            return fence

        if first and self._place == "before it asks for leave":
            self._stop()
        receipt = self._writer.write(replace(call, leave=leaving), key)
        self.sent.append(call.name)
        if first and self._place == "with the receipt, before it keeps it":
            self._stop()
        return receipt

    def _stop(self) -> None:
        self.reached.set()
        assert self.go.wait(PATIENCE)


@contextmanager
def stopped(company: Company, run: Run, writer: Stopped) -> Iterator[list[str]]:
    """While this lasts a worker stands still in the middle of the run, its lease run out; then it goes on to its end."""
    ends: list[str] = []

    def work() -> None:
        try:
            ends.append(company.runtime.drive(run.run_id).status)
        except MissionsError as error:
            ends.append(type(error).__name__)

    with company.writes_through(writer):
        worker = threading.Thread(target=work)
        worker.start()
        assert writer.reached.wait(PATIENCE)
    lapse(company, run)
    yield ends
    writer.go.set()
    worker.join(PATIENCE)
    assert not worker.is_alive()


def lapse(company: Company, run: Run) -> None:
    """The lease of the run has run out."""
    company.sql("UPDATE ledger.leases SET until = clock_timestamp() - interval '1 s' WHERE run_id = %s", run.run_id)


def approved(company: Company) -> Run:
    """A run that is approved, and that nobody drives yet."""
    run = company.propose(CASE)
    assert company.proposal(run).plan[0]["name"] == UPDATE_SHIPPING_ADDRESS
    company.runtime.decide(run.run_id, "approve", "rita", "as the test asks")
    return company.ledger.run(run.run_id)


def closed_by_a_person(company: Company, run: Run) -> None:
    """As somebody does who finds a run that nobody works on."""
    company.ledger.incident(run.run_id, "nobody works on it", utc_now())
    until = time.monotonic() + PATIENCE
    while True:
        lapse(company, run)  # a worker that stands still prolongs nothing; the other threads of this process do
        try:
            settle(company.ledger, run.run_id, "close", "rita", "done by hand", utc_now())
            return
        except Refused as early:
            assert "its system may still do it" in str(early) or "being worked on" in str(early)
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.mark.parametrize("place", ["before it asks for leave", "with leave, before it sends"])
def test_a_worker_that_wakes_up_after_its_run_was_closed_changes_nothing(company: Company, place: Place) -> None:
    run = approved(company)
    before, writer = company.snapshot(), Stopped(company, place)
    with stopped(company, run, writer) as ends:
        closed_by_a_person(company, run)
    assert company.snapshot() == before and writer.sent == []
    assert company.sql("SELECT count(*) FROM sandbox.receipts") == [(0,)]
    assert ends == [TakenOver.__name__]
    after = company.ledger.run(run.run_id)
    assert (after.status, after.outcome) == ("closed", "abandoned")
    assert "executing" not in [effect.status for effect in company.effects(run)]
    assert company.problems() == []


@pytest.mark.parametrize("place", ["before it asks for leave", "with leave, before it sends"])
def test_a_worker_that_wakes_up_in_a_run_that_is_an_incident_changes_nothing(company: Company, place: Place) -> None:
    run = approved(company)
    before, writer = company.snapshot(), Stopped(company, place)
    with stopped(company, run, writer) as ends:
        company.ledger.incident(run.run_id, "nobody works on it", utc_now())
        time.sleep(0.4)
    assert company.snapshot() == before and writer.sent == [] and ends == [TakenOver.__name__]
    assert company.ledger.run(run.run_id).status == "incident"


@pytest.mark.parametrize(
    "place", ["before it asks for leave", "with leave, before it sends", "with the receipt, before it keeps it"]
)
def test_a_worker_that_wakes_up_after_another_has_done_it_does_nothing_twice(company: Company, place: Place) -> None:
    run = approved(company)
    with stopped(company, run, Stopped(company, place, good_for=30)) as ends:
        assert company.runtime.drive(run.run_id).outcome == "executed"
        done = company.snapshot()
    assert ends == [TakenOver.__name__] and company.snapshot() == done
    assert company.sql("SELECT count(*) FROM sandbox.receipts") == [(len(company.proposal(run).plan),)]
    assert company.ledger.run(run.run_id).outcome == "executed"
    assert company.problems() == []


def test_a_run_is_not_closed_while_what_was_sent_for_it_may_still_be_done(company: Company) -> None:
    run = approved(company)
    with stopped(company, run, Stopped(company, "with leave, before it sends", good_for=20)):
        company.ledger.incident(run.run_id, "nobody works on it", utc_now())
        with pytest.raises(Refused, match="its system may still do it"):
            settle(company.ledger, run.run_id, "close", "rita", "done by hand", utc_now())
        assert company.ledger.run(run.run_id).status == "incident"


def test_a_receipt_that_comes_after_the_end_reopens_the_run_and_is_found(company: Company) -> None:
    run = approved(company)
    with stopped(company, run, Stopped(company, "with the receipt, before it keeps it", good_for=3.0)) as ends:
        closed_by_a_person(company, run)
        assert company.problems() == []
    assert ends == [TakenOver.__name__]
    after = company.ledger.run(run.run_id)
    assert (after.status, after.outcome, after.ended_at) == ("incident", None, None)
    (reason,) = company.incidents(run)
    assert "Step 1 (update_shipping_address) was done after the run was closed as abandoned" in reason
    effect = company.effects(run)[0]
    assert effect.status == "done" and effect.receipt is not None and effect.receipt["receipt_id"]
    assert any("was sent after the run had ended" in one for one in company.problems())
    settle(company.ledger, run.run_id, "close", "rita", "the address is right", utc_now())
    assert company.ledger.run(run.run_id).outcome == "abandoned"
    assert company.problems() == [] and company.ledger.verify_audit() == []


def test_an_effect_behind_the_ledgers_back_after_the_end_is_found(company: Company) -> None:
    run = approved(company)
    with stopped(company, run, Stopped(company, "before it asks for leave")):
        closed_by_a_person(company, run)
        key = company.effects(run)[0].key
        with pytest.raises(Refused, match="is closed"):
            company.ledger.mark_effect(key, "done", {"receipt_id": "r"}, at=utc_now())
    company.sql("UPDATE ledger.effects SET status = 'executing' WHERE key = %s", key)
    assert any(key in one and "the run has ended" in one for one in company.problems())
    company.sql("UPDATE ledger.effects SET status = 'unknown' WHERE key = %s", key)
    assert company.problems() == []


@pytest.fixture(scope="module")
def sandbox(server_url: str) -> Iterator[Sandbox]:
    with shared_company(server_url) as made:
        yield made


def fence(token: int, *, scope: str = "r-1", seconds: float = 60.0) -> dict[str, Any]:
    return {"scope": scope, "token": token, "valid_until": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


def moved(sandbox: Sandbox, token: dict[str, Any] | None, key: str, owner: str) -> Any:
    return sandbox.write("crm.assign_owner", key=key, account_id="A-1", owner=owner, fencing_token=token)


def test_a_system_that_takes_fencing_tokens_refuses_whoever_was_replaced(sandbox: Sandbox) -> None:
    sandbox.reset_to(world())
    moved(sandbox, fence(3), "k-1", "U-3")
    moved(sandbox, fence(3), "k-2", "U-4")
    with pytest.raises(Refused, match="holder 3 has been here since"):
        moved(sandbox, fence(2), "k-3", "U-5")
    with pytest.raises(Refused, match="holder 3 has been here since"):
        moved(sandbox, fence(2), "k-1", "U-3")
    moved(sandbox, fence(1, scope="r-2"), "k-4", "U-6")
    assert sandbox.call("crm.get_account", account_id="A-1")["record"]["owner_id"] == "U-6"


@pytest.mark.parametrize("seconds", [-0.01, -3600.0])
def test_a_system_that_takes_fencing_tokens_does_nothing_after_their_moment(sandbox: Sandbox, seconds: float) -> None:
    sandbox.reset_to(world())
    before = sandbox.snapshot()
    with pytest.raises(TryAgain, match="came too late; nothing was changed"):
        moved(sandbox, fence(1, seconds=seconds), "k-1", "U-3")
    assert sandbox.snapshot() == before


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda token: {**token, "valid_until": "2099-01-01T00:00:00"},
    lambda token: {**token, "valid_until": "never"},
    lambda token: {**token, "token": True},
    lambda token: {**token, "token": -1},
    lambda token: {**token, "scope": ""},
    lambda token: {"scope": token["scope"], "token": token["token"]},
]


@pytest.mark.parametrize("broken", range(len(BROKEN)))
def test_a_token_that_is_none_is_refused(sandbox: Sandbox, broken: int) -> None:
    sandbox.reset_to(world())
    with pytest.raises(Refused, match="does not take this fencing_token"):
        moved(sandbox, BROKEN[broken](fence(1)), "k-1", "U-3")
