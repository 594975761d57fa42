"""What becomes of a step whose answer does not come, that fails, or whose record somebody changed meanwhile."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from errors import BadInput, MissionsError, OutcomeUnknown, Refused, TryAgain, TurnedAway
from ledger.canonical import utc_now
from ledger.incident_resolution import settle
from ledger.records import Effect, Run
from nodes.execute import WRITE_TRIES
from systems.calls import Call, Receipt, Writer
from tests.actions import (
    CANCEL_ORDER,
    CONFIRM_RESERVATION,
    OPEN_CASE,
    REALLOCATE_LINE,
    REAUTHORIZE,
    RELEASE_PAYMENT_HOLD,
    UPDATE_SHIPPING_ADDRESS,
    VOID_AUTHORIZATION,
)
from tests.integration.live_company import Company

pytest_plugins = ["tests.integration.live_company"]
#: update_shipping_address, reauthorize, reallocate_line, release_payment_hold, confirm_reservation, release_to_fulfilment
CASE = "dev-ord-0010"
#: cancel_order, which nothing takes back, then void_authorization
DUPLICATE = "dev-ord-0004"
BUSY = TurnedAway("wms is busy; try again.")
NO_ANSWER = OutcomeUnknown("It was sent, and no answer came.")


class Odd:
    """A writer that answers oddly to one action, and counts what reached the systems.

    Args:
        lost: how many of its sendings never reach the system.
        unanswered: how many reach it, and are not answered.
        error: what it says to every sending, in place of sending it.
        answer: what it says to those that are lost or not answered; that there was no answer unless given.
        keys: whether it says that the systems take keys.
    """

    def __init__(
        self, company: Company, name: str, *, lost: int = 0, unanswered: int = 0, keys: bool = True, **other: Any
    ) -> None:
        assert company.runtime.context.writer is not None
        self._writer: Writer = company.runtime.context.writer
        self._name, self._lost, self._unanswered, self._keys = name, lost, unanswered, keys
        self._error: MissionsError | None = other.get("error")
        self._answer: MissionsError = other.get("answer", NO_ANSWER)
        self.sent: list[str] = []
        #: in whose name
        self.approvers: set[str] = set()

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._keys and self._writer.honours_keys(call)

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        self.sent.append(call.name)
        self.approvers.add(call.approved_by)
        if call.name != self._name:
            return self._writer.write(call, key)
        if self._error is not None:
            raise self._error
        if self._lost:
            self._lost -= 1
            raise self._answer
        receipt = self._writer.write(call, key)
        if self._unanswered:
            self._unanswered -= 1
            raise self._answer
        return receipt


@pytest.fixture
def waiting(company: Company) -> Run:
    """A run that waits with its six steps."""
    return company.propose(CASE)


def approved(company: Company, run: Run, writer: Odd) -> Run:
    with company.writes_through(writer):
        return company.approve(run)


def by_action(company: Company, run: Run) -> Mapping[str, Effect]:
    return {effect.action: effect for effect in company.effects(run)}


def test_what_was_done_and_not_answered_is_found_in_the_records_and_not_sent_again(company: Company, waiting: Run) -> None:
    writer = Odd(company, REALLOCATE_LINE, unanswered=9)
    assert approved(company, waiting, writer).outcome == "executed"
    assert writer.sent.count(REALLOCATE_LINE) == 1
    assert writer.approvers == {company.ledger.history(waiting.run_id).decisions[-1].by} == {"rita"}
    assert by_action(company, waiting)[REALLOCATE_LINE].receipt == {"found": "its records are as it leaves them"}
    assert any("done, as the records show" in text for text in company.told(waiting))


def test_what_never_arrived_is_sent_again_under_its_key(company: Company, waiting: Run) -> None:
    writer = Odd(company, REALLOCATE_LINE, lost=1)
    assert approved(company, waiting, writer).outcome == "executed"
    assert writer.sent.count(REALLOCATE_LINE) == 2
    assert {effect.status for effect in company.effects(waiting)} == {"done"}
    told = company.sql("SELECT count(*) FROM sandbox.receipts WHERE tool = 'wms.reallocate_line'")
    assert told == [(1,)]


def test_what_no_record_tells_and_nobody_answers_is_an_incident(company: Company, waiting: Run) -> None:
    writer = Odd(company, REALLOCATE_LINE, lost=9)
    run = approved(company, waiting, writer)
    assert run.status == "incident" and writer.sent.count(REALLOCATE_LINE) == 2
    assert by_action(company, run)[REALLOCATE_LINE].status == "unknown"
    assert "The records do not tell whether it was done; look into wms" in company.incidents(run)[0]
    with pytest.raises(BadInput, match="Look up in wms"):
        settle(company.ledger, run.run_id, "retry", "rita", "again", utc_now())
    settle(company.ledger, run.run_id, "failed", "rita", "I looked, it is where it was", utc_now())
    assert company.runtime.drive(run.run_id).status == "waiting"  # for what is still to be done
    assert not company.proposal(run).undoes  # an authorization cannot be taken back, and nothing before it either


def test_without_keys_nothing_is_ever_sent_twice(company: Company, waiting: Run) -> None:
    writer = Odd(company, REALLOCATE_LINE, lost=9, keys=False)
    run = approved(company, waiting, writer)
    assert run.status == "incident" and writer.sent.count(REALLOCATE_LINE) == 1
    # a process that died after sending leaves "executing"; whoever goes on asks the records, not the system
    company.sql("UPDATE ledger.effects SET status = 'executing' WHERE run_id = %s AND status = 'unknown'", run.run_id)
    company.ledger.resume(run.run_id, by="rita", reason="a test", at=utc_now())
    again = Odd(company, REALLOCATE_LINE, keys=False)
    with company.writes_through(again):
        assert company.runtime.drive(run.run_id).status == "incident"
    assert again.sent == []


@pytest.mark.parametrize("keys", [True, False])
def test_a_system_that_does_it_and_says_that_it_is_busy_is_not_asked_again(company: Company, waiting: Run, keys: bool) -> None:
    writer = Odd(company, REALLOCATE_LINE, unanswered=9, keys=keys, answer=BUSY)
    assert approved(company, waiting, writer).outcome == "executed"
    assert writer.sent.count(REALLOCATE_LINE) == 1


@pytest.mark.parametrize(("keys", "times"), [(True, WRITE_TRIES), (False, 1)])
def test_a_system_that_is_busy_is_asked_again_only_under_a_key(company: Company, waiting: Run, keys: bool, times: int) -> None:
    writer = Odd(company, REALLOCATE_LINE, lost=9, keys=keys, answer=BUSY)
    run = approved(company, waiting, writer)
    assert writer.sent.count(REALLOCATE_LINE) == times
    assert by_action(company, run)[REALLOCATE_LINE].status == "failed"


def test_a_second_sending_that_is_refused_does_not_tell_that_the_first_was_not_done(company: Company, waiting: Run) -> None:
    class DoneThenAway(Odd):
        """It does a message, gives no answer, and is away afterwards; no record shows the message."""

        def write(self, call: Call, key: str) -> Receipt:
            """See Writer."""
            if call.name == self._name and call.name in self.sent:
                raise TryAgain("oms is away")
            return super().write(call, key)

    writer = DoneThenAway(company, CONFIRM_RESERVATION, lost=1)
    run = approved(company, waiting, writer)
    assert by_action(company, run)[CONFIRM_RESERVATION].status == "unknown"
    assert run.status == "incident"


@pytest.mark.parametrize("error", [Refused("a lock is on it"), TryAgain("payments is away")])
def test_after_a_step_that_failed_what_can_be_taken_back_is_proposed_the_last_first(
    company: Company, waiting: Run, error: MissionsError
) -> None:
    before = company.snapshot()
    run = approved(company, waiting, Odd(company, REAUTHORIZE, error=error))
    proposal = company.proposal(run)
    assert (run.status, proposal.verdict, proposal.undoes) == ("waiting", "escalate", f"{run.run_id}.1")
    assert [action["name"] for action in proposal.plan] == [UPDATE_SHIPPING_ADDRESS, OPEN_CASE]
    assert str(error) in proposal.rationale and "earlier steps are undone" in proposal.rationale
    assert proposal.approval.role != "none"
    run = company.approve(run)
    assert (run.verdict, run.outcome) == ("escalate", "escalated")
    after = company.snapshot()
    assert len(after.pop("deeds")) == len(before.pop("deeds")) + 1  # the case that was opened
    assert after == before
    assert company.ledger.verify_audit() == []


def test_nothing_is_taken_back_past_a_step_that_cannot_be(company: Company, waiting: Run) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    proposal = company.proposal(run)
    assert [action["name"] for action in proposal.plan] == [REALLOCATE_LINE, OPEN_CASE]
    assert "2 steps before it cannot be undone" in proposal.rationale


@pytest.mark.parametrize(
    ("decide", "ends"),
    [
        (lambda company, run: company.decide(run, "reject", "rita"), "abandoned"),
        (lambda company, run: company.approve(company.decide(run, "respond", "rita", remark="it is open again")), "executed"),
        (lambda company, run: company.approve(company.decide(run, "escalate", "rita", queue="operations")), "escalated"),
    ],
)
def test_whoever_decides_may_leave_it_as_it_is_or_go_on(
    company: Company, waiting: Run, decide: Callable[[Company, Run], Run], ends: str
) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    run = decide(company, run)
    assert (run.status, run.outcome) == ("closed", ends)
    names = [effect.action for effect in company.effects(run) if effect.status == "done"]
    assert names.count(REALLOCATE_LINE) == 1  # nothing was taken back


def test_what_takes_steps_back_can_be_edited_to_less_and_to_nothing_else(company: Company, waiting: Run) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    plan = [dict(action) for action in company.proposal(run).plan]
    moved = {**plan[0], "args": {**plan[0]["args"], "to_location": "DC-9"}}
    assert "takes back no step" in str(company.runtime.preview(run.run_id, [moved, plan[1]]).objections)
    assert "ends with handing the case over" in str(company.runtime.preview(run.run_id, plan[:1]).objections)
    nowhere = {**plan[1], "args": {**plan[1]["args"], "queue": "nowhere"}}
    assert "queue must be one of" in str(company.runtime.preview(run.run_id, [plan[0], nowhere]).objections)
    run = company.decide(run, "edit", "rita", plan=plan[1:])
    assert [action["name"] for action in company.proposal(run).plan] == [OPEN_CASE]


def test_what_the_world_does_not_allow_to_be_taken_back_any_more_is_left_and_the_rest_proposed(
    company: Company, waiting: Run
) -> None:
    class Ships(Odd):
        def write(self, call: Call, key: str) -> Receipt:
            if call.name == RELEASE_PAYMENT_HOLD:
                company.sql("UPDATE sandbox.oms_orders SET status = 'shipped'")
            return super().write(call, key)

    run = approved(company, waiting, Ships(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    proposal = company.proposal(run)
    assert [action["name"] for action in proposal.plan] == [OPEN_CASE] and proposal.undoes == f"{run.run_id}.1"
    assert "3 steps before it cannot be undone" in proposal.rationale


def test_a_run_that_is_started_anew_still_has_to_take_back_what_was_done(company: Company, waiting: Run) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    company.ledger.incident(run.run_id, "it was started with another pack", utc_now())
    company.runtime.restart(run.run_id, "rita", "with the new pack")
    run = company.runtime.drive(run.run_id)
    proposal = company.proposal(run)
    assert [action["name"] for action in proposal.plan] == [REALLOCATE_LINE, OPEN_CASE]
    assert (proposal.revision, proposal.undoes) == (3, f"{run.run_id}.1")
    assert company.approve(run).outcome == "escalated"
    assert company.ledger.verify_audit() == []


def test_a_step_that_takes_back_and_fails_is_an_incident_and_goes_on_where_it_was(company: Company, waiting: Run) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    run = approved(company, run, Odd(company, OPEN_CASE, error=Refused("no cases today")))
    assert run.status == "incident"
    settle(company.ledger, run.run_id, "retry", "rita", "cases can be opened", utc_now())
    run = company.runtime.drive(run.run_id)
    assert [action["name"] for action in company.proposal(run).plan] == [OPEN_CASE]  # the line is back where it was
    assert company.approve(run).outcome == "escalated"


def test_what_cannot_be_taken_back_after_all_is_left_and_the_case_handed_over(company: Company, waiting: Run) -> None:
    run = approved(company, waiting, Odd(company, RELEASE_PAYMENT_HOLD, error=Refused("it is locked")))
    run = approved(company, run, Odd(company, REALLOCATE_LINE, error=Refused("it has left the house")))
    proposal = company.proposal(run)
    assert [action["name"] for action in proposal.plan] == [OPEN_CASE] and proposal.undoes == f"{run.run_id}.1"
    assert company.approve(run).outcome == "escalated"
    assert company.ledger.verify_audit() == []


def test_what_somebody_changes_between_the_last_look_and_the_write_is_not_overwritten(company: Company, waiting: Run) -> None:
    line = next(one for one in company.proposal(waiting).plan if one["name"] == REALLOCATE_LINE)["args"]

    class Meddled(Odd):
        """Before its step, somebody moves the line elsewhere."""

        def write(self, call: Call, key: str) -> Receipt:
            """See Writer."""
            if call.name == self._name:
                where = "order_id = %s AND line_id = %s"
                company.sql(
                    f"UPDATE sandbox.oms_orders_lines SET location = 'ST-77' WHERE {where}", line["order_id"], line["line_id"]
                )
            return super().write(call, key)

    run = approved(company, waiting, Meddled(company, REALLOCATE_LINE))
    assert by_action(company, run)[REALLOCATE_LINE].status == "failed"
    assert "it was changed in the meantime" in str(by_action(company, run)[REALLOCATE_LINE].error)
    (order,) = [one for one in company.snapshot()["oms.orders"] if one["order_id"] == line["order_id"]]
    assert [one["location"] for one in order["lines"] if one["line_id"] == line["line_id"]] == ["ST-77"]


def test_a_plan_that_stopped_halfway_is_never_closed_without_a_person(company: Company) -> None:
    run = company.propose(DUPLICATE)
    assert [action["name"] for action in company.proposal(run).plan][:2] == [CANCEL_ORDER, VOID_AUTHORIZATION]
    run = approved(company, run, Odd(company, VOID_AUTHORIZATION, error=Refused("the tool has changed")))
    assert run.status == "incident" and by_action(company, run)[CANCEL_ORDER].status == "done"
    company.ledger.resume(run.run_id, by="rita", reason="the tool is pinned again", at=utc_now())
    run = company.runtime.drive(run.run_id)
    proposal = company.proposal(run)
    assert (run.status, proposal.verdict, proposal.approval.role) == ("waiting", "no_action", "reviewer")
    assert "Approved before, and not done: Void authorization" in proposal.rationale
    assert company.approve(run).outcome == "nothing_to_do"
