"""Effects belong to an approved plan, are written down first, and move on by legal steps only."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from errors import BadInput, Refused, TakenOver
from ledger.base import Ledger
from ledger.records import EffectStatus
from tests.actions import CONFIRM_RESERVATION, RELEASE_PAYMENT_HOLD
from tests.ledger_examples import LATER, a_proposal, an_effect, decided, staffed, started


@pytest.fixture
def approved(ledger: Ledger) -> Ledger:
    """A run whose proposal p-1 was approved."""
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    decided(ledger)
    return ledger


def test_effects_are_kept_in_the_order_of_the_plan(approved: Ledger) -> None:
    effects = [an_effect("z", 0), an_effect("a", 1)]
    approved.intend(effects)
    assert approved.effects("run-1") == effects
    assert approved.effects("run-2") == []


def test_the_same_effect_again_changes_nothing_even_when_it_is_done(approved: Ledger) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    approved.intend([an_effect(), an_effect("k-1", 1)])
    assert [(effect.key, effect.status) for effect in approved.effects("run-1")] == [
        ("k-0", "executing"),
        ("k-1", "intended"),
    ]


def test_a_key_belongs_to_one_effect(approved: Ledger) -> None:
    approved.intend([an_effect()])
    with pytest.raises(Refused, match="The key k-0 belongs to another effect"):
        approved.intend([an_effect("k-1", 1), an_effect(args={"order_id": "O-2"})])
    assert len(approved.effects("run-1")) == 1


def test_nothing_is_intended_before_the_approval(ledger: Ledger) -> None:
    started(ledger)
    ledger.propose(a_proposal())
    with pytest.raises(Refused, match="belongs to proposal p-1, which is 'pending'"):
        ledger.intend([an_effect()])
    assert ledger.effects("run-1") == []


def test_an_automatic_plan_needs_no_approval(ledger: Ledger) -> None:
    started(ledger)
    ledger.propose(a_proposal(role="none"))
    ledger.intend([an_effect()])
    assert len(ledger.effects("run-1")) == 1


def test_only_what_stands_in_the_plan_is_intended(approved: Ledger) -> None:
    for step, action in ((1, RELEASE_PAYMENT_HOLD), (2, CONFIRM_RESERVATION), (-1, CONFIRM_RESERVATION)):
        with pytest.raises(Refused, match="only what was approved is executed"):
            approved.intend([replace(an_effect(), step=step, action=action)])
    started(approved, "run-2")
    for stranger in (an_effect(proposal_id="p-9"), an_effect(run_id="run-2")):
        with pytest.raises(BadInput, match="which does not belong to its run"):
            approved.intend([stranger])
    with pytest.raises(BadInput, match="handed in as 'done'"):
        approved.intend([an_effect(status="done")])


def test_an_effect_moves_on_with_its_receipt(approved: Ledger) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    done = approved.mark_effect("k-0", "done", {"receipt_id": "R-1"}, at=LATER)
    assert (done.status, done.receipt, done.error) == ("done", {"receipt_id": "R-1"}, None)
    assert approved.effects("run-1") == [done]


STEPS: list[tuple[list[EffectStatus], EffectStatus]] = [
    ([], "done"),
    ([], "failed"),
    ([], "unknown"),
    ([], "intended"),
    (["executing"], "executing"),
    (["executing", "done"], "executing"),
    (["executing", "done"], "failed"),
    (["executing", "failed"], "executing"),
    (["executing", "failed"], "done"),
    (["executing", "unknown"], "executing"),
    (["executing", "unknown", "done"], "failed"),
]


@pytest.mark.parametrize(("way", "illegal"), STEPS)
def test_an_illegal_step_is_refused(approved: Ledger, way: list[EffectStatus], illegal: EffectStatus) -> None:
    approved.intend([an_effect()])
    for status in way:
        approved.mark_effect("k-0", status, at=LATER)
    with pytest.raises(Refused, match=f"and cannot become '{illegal}'"):
        approved.mark_effect("k-0", illegal, at=LATER)


@pytest.mark.parametrize("settled", ["done", "failed"])
def test_what_is_unknown_can_be_settled(approved: Ledger, settled: EffectStatus) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    approved.mark_effect("k-0", "unknown", error="no answer in 5 s", at=LATER)
    assert approved.mark_effect("k-0", settled, at=LATER).status == settled


def test_an_unknown_key_or_status_is_bad_input(approved: Ledger) -> None:
    with pytest.raises(BadInput, match="There is no effect with the key 'k-9'"):
        approved.mark_effect("k-9", "executing", at=LATER)
    approved.intend([an_effect()])
    with pytest.raises(BadInput, match="'finished' is not a status of an effect"):
        approved.mark_effect("k-0", "finished", at=LATER)  # type: ignore[arg-type]


@pytest.fixture
def under_way(approved: Ledger) -> Iterator[Ledger]:
    """Its first step is under way, and whoever does it holds the run."""
    approved.intend([an_effect()])
    with approved.lease("run-1") as held:
        mine = approved.under(held)
        mine.mark_effect("k-0", "executing", at=LATER)
        yield mine


def test_leave_to_send_is_given_for_a_step_that_is_under_way(under_way: Ledger) -> None:
    leave = under_way.leave_to_send("k-0", 5)
    assert (leave.run_id, leave.token) == ("run-1", 1) and leave.until.tzinfo is not None
    under_way.mark_effect("k-0", "done", {"receipt_id": "r"}, at=LATER)
    with pytest.raises(TakenOver, match="nothing more is sent"):
        under_way.leave_to_send("k-0", 5)


def test_in_a_run_that_stopped_nothing_is_sent(under_way: Ledger) -> None:
    under_way.incident("run-1", "nobody works on it", LATER)
    with pytest.raises(TakenOver, match="nothing more is sent"):
        under_way.leave_to_send("k-0", 5)


def given_up(ledger: Ledger) -> None:
    """The run of an effect is closed by a person."""
    ledger.incident("run-1", "nobody works on it", LATER)
    ledger.abandon("run-1", by="Rita", reason="done by hand", at=LATER)


def test_a_step_under_way_in_a_run_that_is_given_up_is_in_doubt_and_is_marked_no_more(approved: Ledger) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    given_up(approved)
    (effect,) = approved.effects("run-1")
    assert (effect.status, effect.error) == ("unknown", "Rita closed the run while it was under way.")
    with pytest.raises(Refused, match="is closed"):
        approved.mark_effect("k-0", "done", {"receipt_id": "r"}, at=LATER)


@pytest.mark.parametrize(("receipt", "status"), [({"receipt_id": "r"}, "done"), (None, "unknown")])
def test_what_comes_after_the_end_reopens_the_run_as_an_incident(
    approved: Ledger, receipt: dict[str, str] | None, status: EffectStatus
) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    given_up(approved)
    incident = approved.late("k-0", receipt, "", LATER)
    assert incident is not None and "after the run was closed as abandoned" in incident.reason
    run, (effect,) = approved.run("run-1"), approved.effects("run-1")
    assert (run.status, run.verdict, run.outcome, run.ended_at, effect.status) == ("incident", None, None, None, status)
    assert approved.incidents() == [incident]
    assert approved.abandon("run-1", by="Rita", reason="I looked", at=LATER).outcome == "abandoned"
    assert approved.verify_audit() == []


def test_what_comes_late_in_a_run_that_goes_on_or_of_a_step_that_was_done_is_no_news(approved: Ledger) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    assert approved.late("k-0", {"receipt_id": "r"}, "", LATER) is None
    approved.mark_effect("k-0", "done", {"receipt_id": "r"}, at=LATER)
    approved.finish("run-1", "fulfil", "executed", LATER)
    assert approved.late("k-0", {"receipt_id": "r"}, "", LATER) is None
    assert approved.run("run-1").status == "closed"


def test_a_receipt_of_a_step_that_somebody_says_was_not_done_is_an_incident(approved: Ledger) -> None:
    approved.intend([an_effect()])
    approved.mark_effect("k-0", "executing", at=LATER)
    approved.mark_effect("k-0", "failed", error="I looked, it was not done", at=LATER)
    incident = approved.late("k-0", {"receipt_id": "r"}, "", LATER)
    assert incident is not None and "by a process that had lost the run" in incident.reason
    assert approved.run("run-1").status == "incident"
