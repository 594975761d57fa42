"""Of two proposals that would change the same record the second waits until the run of the first is closed."""

from typing import Any

import pytest

from errors import Refused
from ledger.base import Ledger
from tests.ledger_examples import LATER, a_proposal, decided, staffed, started


def on(record: str) -> list[dict[str, Any]]:
    return [{"step": 1, "system": "oms", "record": record, "field": "status", "before": "new", "after": "ready"}]


@pytest.fixture
def both(ledger: Ledger) -> Ledger:
    """run-2 would change what run-1 would change too, and came later."""
    staffed(ledger)
    for number in (1, 2):
        started(ledger, f"run-{number}")
        ledger.propose(a_proposal(f"p-{number}", run_id=f"run-{number}", changes=on("O-1")))
    return ledger


def held_by(ledger: Ledger, run_id: str) -> str:
    proposal = ledger.proposal(run_id)
    assert proposal is not None
    return proposal.held_by


def test_the_second_waits_for_the_first_and_is_approved_and_edited_by_nobody(both: Ledger) -> None:
    assert (held_by(both, "run-1"), held_by(both, "run-2")) == ("", "run-1")
    assert both.run("run-2").status == "waiting"
    for kind in ("approve", "edit"):
        with pytest.raises(Refused, match="would change the same records as run run-1"):
            decided(both, kind, proposal_id="p-2")
    assert decided(both, "reject", proposal_id="p-2")[1] == "rejected"


def test_when_the_first_is_closed_the_second_looks_anew(both: Ledger) -> None:
    decided(both, "reject", proposal_id="p-1")
    assert both.run("run-2").status == "waiting"
    both.finish("run-1", "fulfil", "rejected", LATER)
    assert both.run("run-2").status == "running"
    proposal = both.proposal("run-2")
    assert proposal is not None and proposal.status == "superseded"
    assert [entry.kind for entry in both.audit("run-2")][-1] == "released"
    assert both.propose(a_proposal("p-3", run_id="run-2", revision=2, changes=on("O-1"))).held_by == ""
    assert both.verify_audit() == []


def test_a_run_that_was_given_up_holds_nobody_any_more(both: Ledger) -> None:
    both.incident("run-1", "oms is down", LATER)
    assert both.run("run-2").status == "waiting"
    both.abandon("run-1", by="Rita", reason="done by hand", at=LATER)
    assert both.run("run-2").status == "running"


def test_other_records_and_the_same_run_are_no_conflict(both: Ledger) -> None:
    started(both, "run-3")
    assert both.propose(a_proposal("p-3", run_id="run-3", changes=on("O-2"))).held_by == ""
    assert both.propose(a_proposal("p-4", run_id="run-1", revision=2, changes=on("O-1"))).held_by == ""
    assert both.propose(a_proposal("p-5", run_id="run-3", revision=2, changes=[])).held_by == ""


def test_nobody_waits_for_who_waits_for_them(both: Ledger) -> None:
    """run-2 waits for run-1; that run-1 comes to want what run-2 alone wanted does not make it wait."""
    started(both, "run-3")
    both.propose(a_proposal("p-3", run_id="run-3", changes=on("O-3")))
    decided(both, "respond", proposal_id="p-2")
    kept = both.propose(a_proposal("p-4", run_id="run-2", revision=2, changes=[*on("O-1"), *on("O-9")]))
    assert kept.held_by == "run-1"
    assert both.propose(a_proposal("p-5", run_id="run-1", revision=2, changes=on("O-9"))).held_by == ""
    assert both.propose(a_proposal("p-6", run_id="run-3", revision=2, changes=on("O-9"))).held_by in ("run-1", "run-2")


def test_a_plan_that_waits_for_nobody_waits_for_the_run_before_it_all_the_same(both: Ledger) -> None:
    started(both, "run-3")
    kept = both.propose(a_proposal("p-3", run_id="run-3", role="none", changes=on("O-1")))
    assert (kept.status, both.run("run-3").status) == ("pending", "waiting")
    assert kept.held_by in ("run-1", "run-2")


def test_a_plan_that_is_being_executed_holds_who_comes_after_it(ledger: Ledger) -> None:
    staffed(ledger)
    for number in (1, 2):
        started(ledger, f"run-{number}")
    ledger.propose(a_proposal("p-1", run_id="run-1", changes=on("O-1")))
    decided(ledger)
    assert ledger.propose(a_proposal("p-2", run_id="run-2", changes=on("O-1"))).held_by == "run-1"
