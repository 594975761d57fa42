"""A live run with a model: its questions stand in the ledger under the lease of the run, and people decide as ever."""

import pytest

from models.answers import ScriptedModel
from models.calls import Limits
from models.prompts import Prompt
from nodes.reasoning.answers import FirstPlan
from nodes.reasoning.reasoners import Hybrid
from tests.integration.commands import missions
from tests.integration.live_company import Company

pytest_plugins = ["tests.integration.live_company"]


def test_a_plan_that_a_model_chose_is_approved_and_executed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ScriptedModel(FirstPlan())
    hybrid = Hybrid(model, {name: Prompt.load(name) for name in ("hybrid", "llm")}, Limits(), "brief")
    monkeypatch.setattr(company.runtime.context, "reasoner", hybrid)
    run = company.propose("dev-ord-0007")
    assert company.proposal(run).author == "hybrid" and run.versions["model"].startswith(f"{hybrid.version}, shown ")
    assert company.approve(run).outcome == "executed"
    (call,) = company.ledger.model_calls(run.run_id)
    assert (call.status, call.question, call.tokens > 0) == ("answered", model.asked[0].digest, True)
    shown = missions("show", run.run_id, DATABASE_URL=company.url).stdout
    assert f"1 question to scripted: {call.tokens:,} tokens" in shown and "Written by a model (scripted)" in shown
