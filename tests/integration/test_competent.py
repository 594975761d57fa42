"""Models that do well: what is proposed is what the planner proposes, and a pack shows a model enough to get there."""

from typing import Any

import pytest

from models.calls import Endpoint, Limits
from models.client import open_chat_model
from models.prompts import Prompt
from nodes.reasoning.hybrid import Hybrid
from nodes.reasoning.llm import Llm
from tests.engine import MISSIONS, recorded_cases, result
from tests.minds import hybrid, llm, walk
from tests.model_server.behaviours import Asked, Say
from tests.model_server.competent import Knows, chooses_first
from tests.model_server.server import WAYS, ModelServer

#: of the recorded exceptions, each so-manieth; all of them hold
EVERY = 3


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


def test_it_is_the_same_over_http_in_each_way_of_structuring() -> None:
    raws = [recorded_cases(mission)[2] for mission in MISSIONS[:3]]
    knows = Knows(raws)

    def script(asked: Asked) -> Say:
        answer = (chooses_first if "choice" in asked.schema["properties"] else knows)(asked.system, asked.user, asked.schema)
        return Say(answer or {})

    for way in WAYS:
        with (
            ModelServer(script, supports={way}) as server,
            open_chat_model(Endpoint(model="small", url=server.url), Limits()) as model,
        ):
            prompts = {name: Prompt.load(name) for name in ("hybrid", "llm")}
            for kind in (Hybrid, Llm):
                reasoner = kind(model, prompts, Limits(), "brief")
                assert not [one for raw in raws for one in differences(raw, reasoner)], way
            assert not server.wrong and {asked.way for asked in server.asked[-3:]} == {way}
