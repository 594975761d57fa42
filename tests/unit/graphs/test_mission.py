"""The routes of the mission graph."""

from typing import Any

import pytest

from graphs import mission
from graphs.mission import after_check, after_decision, after_execute, after_start, graph_version, mission_graph


def state(**other: Any) -> Any:
    return {"objections": [], "waits": True, "decision": None, "proposal_id": "p-1", **other}


def test_the_graph_has_the_nodes_of_the_design() -> None:
    nodes = list(mission_graph().get_graph().nodes)
    assert nodes[1:-1] == ["gather", "diagnose", "ground", "assess", "propose", "check", "review", "decision", "execute", "close"]


def test_the_version_of_the_graph_follows_from_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    assert graph_version.__wrapped__() == graph_version()  # of another compilation of the same
    other = mission_graph().builder.add_edge("gather", "ground").compile()
    monkeypatch.setattr(mission, "compiled_graph", lambda: other)
    assert graph_version.__wrapped__() != graph_version()


def test_objections_go_back_to_the_reasoner_and_a_plan_that_waits_to_review() -> None:
    assert after_check(state(objections=["no"])) == "propose"
    assert after_check(state()) == "review"
    assert after_check(state(waits=False)) == "execute"


@pytest.mark.parametrize(
    ("kind", "node"),
    [("approve", "execute"), ("edit", "propose"), ("escalate", "propose"), ("respond", "gather"), ("reject", "close")],
)
def test_a_decision_leads_where_it_must(kind: str, node: str) -> None:
    assert after_decision(state(decision={"kind": kind, "about": "p-1"}, proposal_id="p-1")) == node


@pytest.mark.parametrize(
    ("kind", "node"),
    [("approve", "execute"), ("edit", "gather"), ("escalate", "gather"), ("respond", "gather"), ("reject", "close")],
)
def test_a_decision_about_a_proposal_that_no_checkpoint_knows_looks_again_before_it_proposes(kind: str, node: str) -> None:
    assert after_decision(state(decision={"kind": kind, "about": "p-2"}, proposal_id="p-1")) == node


def test_a_run_with_a_proposal_and_no_checkpoint_goes_on_with_its_decision() -> None:
    assert after_start({"run_id": "r", "proposed": True}) == "decision"
    assert after_start({"run_id": "r", "proposed": False}) == after_start({"run_id": "r"}) == "gather"


def test_nothing_that_is_not_an_approval_is_executed() -> None:
    for decision in (None, {}, {"kind": ""}, {"kind": "APPROVE"}, {"kind": "yes"}):
        assert after_decision(state(decision=decision)) == "close"


def test_a_changed_world_is_looked_at_anew() -> None:
    assert after_execute(state(proposal_id=None)) == "gather"
    assert after_execute(state()) == "close"
