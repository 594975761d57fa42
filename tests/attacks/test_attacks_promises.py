"""A system that says that it did what it did not do, did something else, or does not say what it did."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from ledger.records import Run
from systems.calls import Call, ReadResult, Receipt, denial, says_done
from tests.actions import OPEN_CASE, REALLOCATE_LINE, REAUTHORIZE, RELEASE_PAYMENT_HOLD, UPDATE_SHIPPING_ADDRESS
from tests.integration.live_company import Company, Silent, edited

pytestmark = pytest.mark.promise("What a system promised is looked at")
pytest_plugins = ["tests.integration.live_company"]
#: update_shipping_address, reauthorize, reallocate_line, release_payment_hold, confirm_reservation, release_to_fulfilment
CASE = "dev-ord-0010"
DONE = {"receipt_id": "rc-1"}

#: what it answers, without an error flag
LIES: dict[str, dict[str, Any]] = {
    "ok false": {"ok": False},
    "ok, and nothing done": {"ok": True},
    "a receipt, and nothing done": DONE,
    "nothing at all": {},
    "success false, with a receipt": {**DONE, "success": False},
    "an error in its answer": {**DONE, "error": "the order is locked"},
    "wrapped": {"result": {"ok": False}},
    "in words": {"ok": "no"},
    "failed": {"status": "FAILED"},
    "another's receipt": {**DONE, "replayed": True},
}


class Liar:
    """A writer that answers one action with a lie, and does in its place what is said, or nothing."""

    def __init__(self, company: Company, name: str, answer: Mapping[str, Any], does: Callable[[], object] | None = None) -> None:
        assert company.runtime.context.writer is not None
        self._writer, self._name, self._answer, self._does = company.runtime.context.writer, name, answer, does
        self.sent: list[str] = []

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._writer.honours_keys(call)

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        self.sent.append(call.name)
        if call.name != self._name:
            return self._writer.write(call, key)
        if self._does is not None:
            self._does()
        return Receipt(call.tool, key, self._answer, False)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.execute.PATIENCE", (0.01,))


def executed(company: Company, run: Run, liar: Liar) -> Run:
    with company.writes_through(liar):
        return company.approve(run)


def is_an_incident(company: Company, run: Run, liar: Liar, name: str) -> str:
    """Nothing was sent after it, its step is in doubt, and the run stopped; the reason."""
    assert run.status == "incident" and run.outcome is None
    assert liar.sent[-1] == name and liar.sent.count(name) == 1
    assert next(effect.status for effect in company.effects(run) if effect.action == name) == "unknown"
    return company.incidents(run)[-1]


@pytest.mark.parametrize("lie", LIES)
def test_a_system_that_did_nothing_and_gives_no_error_ends_as_an_incident(company: Company, lie: str) -> None:
    run = company.propose(CASE)
    liar = Liar(company, RELEASE_PAYMENT_HOLD, LIES[lie])
    run = executed(company, run, liar)
    reason = is_an_incident(company, run, liar, RELEASE_PAYMENT_HOLD)
    order = company.proposal(run).plan[0]["args"]["order_id"]
    assert f"payments.payments {order} on_hold: promised no, found yes" in reason


#: the step, and what is done in its place
OTHERWISE: dict[str, tuple[str, str, str]] = {
    "another address": (
        UPDATE_SHIPPING_ADDRESS, "UPDATE sandbox.oms_orders SET ship_to = '{\"line1\": \"1 Elsewhere\"}'", "1 Elsewhere",
    ),
    "another place": (
        REALLOCATE_LINE, "UPDATE sandbox.oms_orders_lines SET location = 'ST-77'", "ST-77",
    ),
    "another amount": (
        REAUTHORIZE,
        "INSERT INTO sandbox.payments_payments_authorizations (auth_id, order_id, position, amount_cents, status)"
        " SELECT 'au_new ' || order_id, order_id, 99, 1, 'authorized' FROM sandbox.payments_payments",
        "au_new",
    ),
    "no authorization": (REAUTHORIZE, "SELECT 1", "nothing new"),
    "nothing where a null is told": (
        RELEASE_PAYMENT_HOLD, "UPDATE sandbox.payments_payments SET on_hold = NULL", "promised no, found none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERWISE)
def test_a_system_that_did_something_else_ends_as_an_incident_with_both_values(company: Company, what: str) -> None:
    name, statement, found = OTHERWISE[what]
    run = company.propose(CASE)
    liar = Liar(company, name, DONE, lambda: company.sql(statement))
    run = executed(company, run, liar)
    reason = is_an_incident(company, run, liar, name)
    assert "promised" in reason and found in reason


def test_a_system_that_did_it_and_says_that_it_did_not_is_not_believed_either(company: Company) -> None:
    run = company.propose(CASE)
    liar = Liar(
        company,
        RELEASE_PAYMENT_HOLD,
        {"ok": False},
        lambda: company.sql("UPDATE sandbox.payments_payments SET on_hold = false"),
    )
    run = executed(company, run, liar)
    assert "it answered ok: False" in is_an_incident(company, run, liar, RELEASE_PAYMENT_HOLD)


def test_what_cannot_be_read_back_is_not_executed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run, reader = company.propose(CASE), company.runtime.context.reader
    liar = Liar(company, RELEASE_PAYMENT_HOLD, DONE)

    class GoesAway:
        """The system is away once it has answered."""

        def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
            """See Reader."""
            away = ["payments"] if RELEASE_PAYMENT_HOLD in liar.sent else []
            return Silent(reader, away).read_all(calls)

    monkeypatch.setattr(company.runtime.context, "reader", GoesAway())
    run = executed(company, run, liar)
    assert "cannot be reached" in is_an_incident(company, run, liar, RELEASE_PAYMENT_HOLD)


#: answers to what no record shows
EMPTY = [{}, {"ok": False}, {"message": "Thank you."}, {"error": "no"}, {**DONE, "status": "queued"}, {"receipt_id": ""}]


@pytest.mark.parametrize("answer", EMPTY, ids=str)
def test_of_what_no_record_shows_the_answer_must_say_that_it_was_done(company: Company, answer: dict[str, Any]) -> None:
    run = company.propose(CASE)
    plan = [
        *edited(company.proposal(run))[:1],
        {"name": OPEN_CASE, "args": {"queue": "operations", "subject_id": run.event.subject}},
    ]
    run = company.decide(run, "edit", "rita", plan=plan)
    liar = Liar(company, OPEN_CASE, answer)
    with company.writes_through(liar):
        run = company.decide(run, "approve", "ron")
    assert "does not say that it was done" in is_an_incident(company, run, liar, OPEN_CASE)


@pytest.mark.parametrize("answer", [DONE, {"ok": True}, {"done": True}, {"success": True, "message": "sent"}], ids=str)
def test_an_answer_that_says_that_it_was_done_is_taken(answer: dict[str, Any]) -> None:
    assert denial(answer) is None and says_done(answer)


def test_a_step_that_was_done_as_promised_is_read_once_and_goes_on(company: Company) -> None:
    run = company.propose(CASE)
    liar = Liar(company, "", {})
    assert executed(company, run, liar).outcome == "executed"
    assert liar.sent == [step["name"] for step in company.proposal(run).plan]
