"""Models that do well: what is proposed is what the planner proposes, and a pack shows a model enough to get there."""

from collections.abc import Callable
from typing import Any

import pytest

from models.calls import Endpoint, Limits, Model
from models.client import open_chat_model
from models.prompts import Prompt
from nodes.reasoning.reasoners import Hybrid, Llm
from tests.engine import MISSIONS, recorded_cases, result
from tests.minds import hybrid, llm, walk
from tests.model_server.behaviours import Asked, Say
from tests.model_server.competent import Knows, chooses_first
from tests.model_server.server import WAYS, ModelServer

#: of the recorded exceptions, each so-manieth; `make slow` takes all
EVERY = 12


def differences(raw: dict[str, Any], reasoner: Any) -> list[str]:
    """Where a run with a model is not as the planner's, and how often its drafts were sent back."""
    planners, run = result(raw), walk(raw, reasoner).drive()
    proposal = run.ledger.proposals(raw["case_id"])[0]
    made = {
        "verdict": proposal.verdict,
        "actions": [{"name": one["name"], "args": one["args"]} for one in proposal.plan],
        "cite": [one["clause"] for one in proposal.cites],
        "approval": {"role": proposal.approval.role, "four_eyes": proposal.approval.four_eyes},
    }
    found = [f"{raw['case_id']}: {name}" for name, value in made.items() if value != planners[name]]
    objections = [one.text for one in run.rail if one.text.startswith("The plan does not pass")]
    return [
        *found,
        *(f"{raw['case_id']}: {one}" for one in objections),
        *([] if proposal.author == reasoner.name else ["planner"]),
    ]


@pytest.mark.parametrize("mission", MISSIONS)
def test_a_model_that_takes_the_first_plan_proposes_what_the_planner_does(mission: str) -> None:
    reasoner, _ = hybrid(lambda question: chooses_first(question.system, question.user, question.schema))
    assert not [one for raw in recorded_cases(mission)[::EVERY] for one in differences(raw, reasoner)]


@pytest.mark.parametrize("mission", MISSIONS)
def test_a_model_that_knows_the_handbook_is_shown_all_that_the_right_plan_needs(mission: str) -> None:
    cases = recorded_cases(mission)
    knows = Knows(cases)
    reasoner, _ = llm(lambda question: knows(question.system, question.user, question.schema) or {})
    wrong = [one for raw in cases[1::EVERY] for one in differences(raw, reasoner)]
    assert not knows.missing and not wrong, [*knows.missing, *wrong][:10]


def answering(knows: Knows) -> Callable[[Asked], Say]:
    """What a server says with a good model behind it, whichever reasoner asks."""

    def script(asked: Asked) -> Say:
        answer = (chooses_first if "choice" in asked.schema["properties"] else knows)(asked.system, asked.user, asked.schema)
        return Say(answer or {})

    return script


def reasoners(model: Model, limits: Limits) -> list[Hybrid | Llm]:
    prompts = {name: Prompt.load(name) for name in ("hybrid", "llm")}
    return [kind(model, prompts, limits, "brief") for kind in (Hybrid, Llm)]


def test_it_is_the_same_over_http_in_each_way_of_structuring() -> None:
    raws = [recorded_cases(mission)[2] for mission in MISSIONS[:3]]
    for way in WAYS:
        with (
            ModelServer(answering(Knows(raws)), supports={way}) as server,
            open_chat_model(Endpoint(model="small", url=server.url), Limits()) as model,
        ):
            for reasoner in reasoners(model, Limits()):
                assert not [one for raw in raws for one in differences(raw, reasoner)], way
            assert not server.wrong and {asked.way for asked in server.asked[-3:]} == {way}


@pytest.mark.slow
@pytest.mark.parametrize("mission", MISSIONS)
def test_over_http_it_is_the_same_for_every_recorded_exception(mission: str) -> None:
    raws, limits = recorded_cases(mission), Limits(seconds=60, day_tokens=10**9)
    knows = Knows(raws)
    with (
        ModelServer(answering(knows)) as server,
        open_chat_model(Endpoint(model="small", url=server.url), limits) as model,
    ):
        wrong = [one for reasoner in reasoners(model, limits) for raw in raws for one in differences(raw, reasoner)]
    assert not knows.missing and not server.wrong and not wrong, [*knows.missing, *wrong][:10]
