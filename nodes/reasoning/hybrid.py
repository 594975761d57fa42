"""hybrid: the rules say which plans follow from a case, and a model chooses among them and words it.

It can change no step. What it can do is pick where a pack leaves the choice, hand the case over to people, give reasons, and
write the letters of steps that wait for a person. If none of the plans is right it may make one itself, as `llm` does; the check
holds that one to the rules like any other.
"""

from collections.abc import Mapping
from typing import Any

from errors import NoAnswer
from models.calls import Limits, Model
from models.prompts import Prompt
from nodes.derivation import feasible
from nodes.reasoning.drafting import chosen, planned, planners_plan, without_an_answer
from nodes.reasoning.mind import Mind
from nodes.reasoning.reading_more import read_more
from nodes.reasoning.schema import OWN_PLAN, choice_schema, plan_schema
from nodes.reasoning.seeing import see
from nodes.reasoning.task import Task


class Hybrid:
    """A model that chooses among the plans of the rules; without an answer of it the planner's plan stands.

    Args:
        model: the model.
        prompts: by name; "hybrid" is used, and "llm" for a plan of its own.
        limits: what questions may take.
        tone: of letters, where the pack says nothing of it.
    """

    name = "hybrid"
    asked = 3

    def __init__(self, model: Model, prompts: Mapping[str, Prompt], limits: Limits, tone: str) -> None:
        self._mind = Mind(model, prompts["hybrid"], "choice", limits, tone)
        self._plans = Mind(model, prompts["llm"], "plan", limits, tone)
        self.version = f"hybrid {model.name} {prompts['hybrid'].label} {prompts['llm'].label}"

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft; see `nodes.state.Reasoner`."""
        if task.case.pack.model is None:
            return planners_plan(task, f"{task.case.pack.mission} lets no model see its cases; the planner's plan stands")
        try:
            return self._chosen(task)
        except NoAnswer as failed:
            return without_an_answer(task, self.name, failed)

    def _chosen(self, task: Task) -> dict[str, Any]:
        plans = feasible(task.case, task.findings, task.catalogue)
        sight = see(task, plans)
        answer = self._mind.ask(task, sight, choice_schema(sight))
        if answer.get("read"):
            task = read_more(task, answer["read"])
            sight = see(task, plans)
            answer = self._mind.ask(task, sight, choice_schema(sight))
        if answer["choice"] == OWN_PLAN:
            sight = see(task)
            return planned(self._plans.ask(task, sight, plan_schema(sight)), task, sight, self._plans.by)
        return chosen(answer, task, sight, plans, self._mind.by)
