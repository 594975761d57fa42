"""A walk through one Mission: the same run as live, on recorded systems and in memory, that shows itself."""

from dataclasses import replace
from typing import Any

import pytest

from errors import BadInput, Refused
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded_case
from evals.walk import NodeStep, Walk
from evals.walk.views import Rail
from ledger.memory import MemoryLedger
from ledger.records import Observation
from tests.actions import REFUND_CHARGE
from tests.engine import HOSTILE, evaluation

#: an elevated and explained score, a corrected address, a lapsed authorization, short stock and a duplicate, all at once
HARD = "dev-ord-0007"
TO_THE_PAUSE = ["gather", "diagnose", "ground", "assess", "propose", "check"]


@pytest.fixture
def walk(lab: EvalEnvironment) -> Walk:
    return Walk(lab, recorded_case(HARD, lab.packs))


def stepped(walk: Walk) -> list[NodeStep]:
    steps = []
    while walk.run.status == "running":
        steps.append(walk.step())
    return steps


def shown(thing: Any) -> tuple[str, str]:
    """Its text and its HTML."""
    bundle = thing._repr_mimebundle_()
    return bundle["text/plain"], bundle.get("text/html", "")


def test_a_walk_goes_node_by_node_to_where_a_person_decides(walk: Walk) -> None:
    steps = stepped(walk)
    assert [step.node for step in steps] == TO_THE_PAUSE
    assert [said.text for step in steps for said in step.said] == [said.text for said in walk.rail]
    assert walk.run.status == "waiting"
    with pytest.raises(Refused, match="waits for reviewer"):
        walk.step()


def test_a_walk_proposes_what_an_evaluation_does(lab: EvalEnvironment, walk: Walk) -> None:
    proposal = walk.drive().proposal
    assert proposal is not None
    result = evaluation().run(recorded_case(HARD, lab.packs))
    assert [(action["name"], action["args"]) for action in proposal.plan] == [
        (action["name"], action["args"]) for action in result["actions"]
    ]
    assert [cite["clause"] for cite in proposal.cites] == result["cite"]


def test_who_may_not_approve_is_refused_and_nothing_is_done(walk: Walk) -> None:
    walk.drive()
    with pytest.raises(Refused, match="requires the role reviewer, and ana is analyst"):
        walk.approve(by="ana", reason="it looks fine")
    assert walk.run.status == "waiting"
    assert walk.effects.empty


def test_after_steps_an_approved_plan_is_executed_and_the_chain_holds(walk: Walk) -> None:
    stepped(walk)
    walk.approve(by="rita", reason="the address is known")
    assert walk.proposal is not None
    assert (walk.run.status, walk.run.outcome) == ("closed", "executed")
    assert list(walk.effects["action"]) == [action["name"] for action in walk.proposal.plan]
    assert set(walk.effects["status"]) == {"done"}
    assert walk.ledger.verify_audit() == []
    assert list(walk.audit["kind"])[-1] == "run_closed"


def test_an_edited_plan_is_checked_and_takes_another_person(walk: Walk) -> None:
    first = walk.drive().proposal
    assert first is not None
    walk.edit([one for one in first.plan if one["name"] != REFUND_CHARGE], by="rita", reason="paid in the shop")
    second = walk.proposal
    assert second is not None
    assert (second.revision, second.author, len(second.plan)) == (2, "rita", len(first.plan) - 1)
    with pytest.raises(Refused, match="edited proposal"):
        walk.approve(by="rita", reason="mine")
    assert walk.approve(by="sam", reason="fine").run.outcome == "executed"


def test_a_rejected_proposal_ends_the_run_without_effects(walk: Walk) -> None:
    walk.drive().reject(by="rita", reason="the customer called")
    assert (walk.run.outcome, len(walk.effects)) == ("rejected", 0)


def test_a_remark_makes_the_mission_look_again(walk: Walk) -> None:
    walk.drive().respond("look again", by="rita")
    assert walk.proposal is not None
    assert walk.proposal.revision == 2


def test_walks_share_a_ledger_and_each_goes_on_in_its_own_world(lab: EvalEnvironment) -> None:
    ledger, case = MemoryLedger(), recorded_case(HARD, lab.packs)
    event = replace(case.event, source_id="again")
    first, second = (Walk(lab, one, ledger=ledger) for one in (case, replace(case, case_id="again", event=event)))
    first.drive()
    with pytest.raises(Refused, match=f"would change the same records as run {HARD}"):
        second.drive().approve(by="rita", reason="fine")
    first.reject(by="rita", reason="no")
    assert second.run.status == "running"  # and not gone on in the world of the first
    assert second.drive().approve(by="rita", reason="fine").run.outcome == "executed"
    assert [decision.run_id for decision in ledger.all_decisions()] == [HARD, "again"]


def test_the_graph_shows_where_the_run_stands(walk: Walk) -> None:
    assert walk.graph.text.startswith("[gather] → diagnose →")
    walk.drive()
    assert "check ✓ → [review] → decision" in walk.graph.text
    walk.approve(by="rita", reason="fine")
    assert walk.graph.text.endswith("execute ✓ → close ✓")


def test_a_proposal_shows_verdict_approval_changes_and_the_words_of_its_clauses(walk: Walk) -> None:
    for said in shown(walk.drive().proposal):
        assert "fulfill with changes" in said
        assert "reviewer must approve · $378.86 at stake" in said
        assert "oms O-99308 lines/2/location: DC-EWR → ST-SAN" in said
        assert "Another order of the same customer is a duplicate" in said
        assert "no other distribution center reliably has 1 × HP-TIDE-578" in said


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_shown_as_text(walk: Walk, text: str) -> None:
    observation = Observation(seq=1, at=walk.case.event.as_of, step="gather", kind="read", text=text)
    plain, html = shown(Rail([observation]))
    assert "<script" not in html
    assert not {"\x00", "\x1b", "\u202e"} & set(plain + html)
    assert len(html) < 4_000


def test_nothing_observed_yet_is_said(walk: Walk) -> None:
    assert shown(walk.rail)[0] == "Nothing was observed yet."


def test_a_case_that_there_is_not_is_told(lab: EvalEnvironment) -> None:
    with pytest.raises(BadInput, match="no recorded exception dev-ord-9999"):
        recorded_case("dev-ord-9999", lab.packs)
