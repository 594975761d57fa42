"""The scorers and an independent reading of their rules give every case the same figures, right results and wrong ones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.evaluation.scorers import judge
from nodes.governance import tier
from systems.catalogue import OWN_SYSTEM
from tests.actions import OPEN_CASE, RELEASE_PAYMENT_HOLD
from tests.engine import MISSIONS, laboratory, recorded_cases, result
from tests.oracle import scoring

RECORDED = {mission: recorded_cases(mission) for mission in MISSIONS}
AS_OF = datetime(2026, 3, 10, tzinfo=UTC)
#: what an argument may become
VALUES = st.sampled_from([None, 500, 500.0, "500", True, 1, "", "DC-2", [], {"line1": "x"}, -1, 10**12])


def figures(expected: Any, given: Any) -> dict[str, float | None]:
    """Those of `evals`; tiers as the policies give them."""
    rules = laboratory().policies.period(AS_OF).values["GOV_1"]
    tiers = [tier(action, rules) for action in given["actions"]]
    return judge(expected, {**given, "tiers": tiers}, laboratory().catalogue)


def assert_alike(expected: Any, given: Any) -> None:
    ours, theirs = figures(expected, given), scoring.score(expected, given)
    assert {name: ours[name] for name in theirs} == theirs


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Any, Any]:
    """(what is expected of a recorded exception, that with some changes as a result)."""
    expected = draw(st.sampled_from(draw(st.sampled_from(list(RECORDED.values())))))["expected"]
    others = draw(st.sampled_from(draw(st.sampled_from(list(RECORDED.values())))))["expected"]
    actions = [{"name": one["name"], "args": dict(one["args"])} for one in expected["actions"]]
    for change in draw(st.lists(st.sampled_from(["swap", "drop", "twice", "arg", "surplus", "rename"]), max_size=3)):
        if change == "surplus":
            actions += others["actions"]
        if not actions:
            continue
        place = draw(st.integers(0, len(actions) - 1))
        action = actions[place]
        if change == "swap":
            actions = draw(st.permutations(actions))
        elif change == "drop":
            del actions[place]
        elif change == "twice":
            actions.append(action)
        elif change == "arg":
            name = draw(st.sampled_from([*action["args"], "surplus"]))
            actions[place] = {**action, "args": {**action["args"], name: draw(VALUES)}}
        elif change == "rename":
            actions[place] = {**action, "name": draw(st.sampled_from([RELEASE_PAYMENT_HOLD, OPEN_CASE, "nothing_known"]))}
    cites = draw(st.permutations(expected["cite"] + draw(st.lists(st.sampled_from(others["cite"] or ["X-1"])))))
    return expected, {
        "verdict": draw(st.sampled_from([expected["verdict"], others["verdict"], "escalate"])),
        "actions": actions,
        "cite": cites[: draw(st.integers(0, len(cites)))],
        "approval": draw(st.sampled_from([expected["approval"], others["approval"]])),
    }


@pytest.mark.parametrize("mission", MISSIONS)
def test_the_results_of_all_recorded_cases_have_the_figures_of_the_rules(mission: str) -> None:
    for raw in RECORDED[mission]:
        found = result(raw)
        ours, theirs = judge(raw["expected"], found, laboratory().catalogue), scoring.score(raw["expected"], found)
        assert {name: ours[name] for name in theirs} == theirs, raw["case_id"]


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_changed_results_have_the_figures_of_the_rules(sides: tuple[Any, Any]) -> None:
    assert_alike(*sides)


def test_the_oracle_and_the_catalogue_know_the_same_actions() -> None:
    company = {name: list(action.counting) for name, action in laboratory().catalogue.items() if action.system != OWN_SYSTEM}
    assert company == scoring.COUNTING
