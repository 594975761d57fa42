"""Effects belong to an approved plan, are written down first, and move on by legal steps only."""

from dataclasses import replace

import pytest

from errors import BadInput, Refused
from ledger.base import Ledger
from ledger.records import EffectStatus
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
    for step, action in ((1, "release_payment_hold"), (2, "confirm_reservation"), (-1, "confirm_reservation")):
        with pytest.raises(Refused, match="only what was approved is executed"):
            approved.intend([replace(an_effect(), step=step, action=action)])
    started(approved, "run-2")
    for stranger in (an_effect(proposal_id="p-9"), an_effect(run_id="run-2")):
        with pytest.raises(BadInput, match="which is none of its run"):
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
    with pytest.raises(BadInput, match="'finished' is no status of an effect"):
        approved.mark_effect("k-0", "finished", at=LATER)  # type: ignore[arg-type]
