"""An evaluation with a model: who made the proposals and what it took stands in its results and versions."""

from dataclasses import replace
from pathlib import Path

import pytest
from langsmith.utils import get_env_var, tracing_is_enabled

from errors import NoAnswer
from evals.evaluation.environment import EvalEnvironment, Evaluation, versions_of
from evals.recorded.cases import RecordedException, recorded
from evals.walk import Walk
from models.answers import ScriptedModel
from models.calls import Limits, Question
from models.prompts import Prompt
from nodes.reasoning.answers import FirstPlan, choice
from nodes.reasoning.reasoners import Hybrid
from tests.engine import recorded_cases


def hybrid_of(lab: EvalEnvironment, model: ScriptedModel) -> EvalEnvironment:
    return replace(
        lab,
        reasoner=Hybrid(model, {name: Prompt.load(name) for name in ("hybrid", "llm")}, Limits(price_input=1_000_000), "brief"),
    )


@pytest.fixture
def case(lab: EvalEnvironment) -> RecordedException:
    return recorded(recorded_cases("order_exception")[0], lab.packs, "test")


def test_the_tokens_money_and_tries_of_a_model_are_told_with_the_result(lab: EvalEnvironment, case: RecordedException) -> None:
    model = ScriptedModel(FirstPlan())
    result = Evaluation(hybrid_of(lab, model)).run(case)
    (asked,), usage = model.asked, result["usage"]
    assert usage["tokens"] > (len(asked.system) + len(asked.user)) // 3 and usage["tries"] == 1 and usage["retries"] == 0
    assert usage["cost_cents"] == pytest.approx((len(asked.system) + len(asked.user)) // 3)
    planned = Evaluation(lab).run(case)
    assert {name: result[name] for name in ("verdict", "actions", "cite")} == {
        name: planned[name] for name in ("verdict", "actions", "cite")
    }


def test_without_an_answer_the_planner_proposes_and_the_question_counts_all_the_same(
    lab: EvalEnvironment, case: RecordedException
) -> None:
    def silent(_: Question) -> NoAnswer:
        return NoAnswer("The server is away.", "outage")

    walk = Walk(hybrid_of(lab, ScriptedModel(silent)), case).drive()
    assert walk.proposal is not None and walk.proposal.author == "planner"
    (call,) = walk.ledger.model_calls(case.case_id)
    assert (call.status, call.run_id, call.error) == ("failed", case.case_id, "The server is away.") and call.tokens > 0


def test_no_trace_of_a_case_is_sent_whatever_the_environment_says(
    lab: EvalEnvironment, case: RecordedException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    get_env_var.cache_clear()
    traced = []

    def answer(question: Question) -> dict[str, object]:
        traced.append(tracing_is_enabled())
        return choice(question.schema)

    try:
        assert tracing_is_enabled()
        Evaluation(hybrid_of(lab, ScriptedModel(answer))).run(case)
        walk = Walk(hybrid_of(lab, ScriptedModel(answer)), case)
        while walk.proposal is None:
            walk.step()
        Walk(hybrid_of(lab, ScriptedModel(answer)), case).drive()
    finally:
        monkeypatch.undo()
        get_env_var.cache_clear()
    assert traced == [False, False, False]


def test_versions_name_reasoner_model_and_prompts(lab: EvalEnvironment, tmp_path: Path) -> None:
    planned, asked = versions_of(lab, tmp_path), versions_of(hybrid_of(lab, ScriptedModel(lambda _: {})), tmp_path)
    assert planned["reasoner"] == "planner" and "model" not in planned
    labels = " ".join(Prompt.load(name).label for name in ("hybrid", "llm"))
    assert (asked["reasoner"], asked["model"]) == ("hybrid", f"hybrid scripted {labels}")
    shown = {name for name in asked if name.startswith("shown by ")}
    assert len(shown) == len(lab.packs) and not shown & planned.keys()
    assert {name for name in asked if asked[name] != planned.get(name)} - shown == {"reasoner", "model"}
