"""llm: a model makes the plan, over the actions of the pack; the check holds it to what follows from the case."""

from collections.abc import Mapping
from typing import Any

from errors import NoAnswer
from models.calls import Limits, Model
from models.prompts import Prompt
from nodes.reasoning.drafting import planned, planners_plan, without_an_answer
from nodes.reasoning.mind import Mind
from nodes.reasoning.schema import plan_schema
from nodes.reasoning.seeing import see
from nodes.state import Task


class Llm:
    """A model that plans by itself; without an answer of it the planner's plan stands.

    Args:
        model: the model.
        prompts: by name; "llm" is used.
        limits: what questions may take.
        tone: of letters, where the pack says nothing of it.
    """

    name = "llm"
    asked = 3

    def __init__(self, model: Model, prompts: Mapping[str, Prompt], limits: Limits, tone: str) -> None:
        self._plans = Mind(model, prompts["llm"], "plan", limits, tone)
        self.version = f"llm {model.name} {prompts['llm'].label}"

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft; see `nodes.state.Reasoner`."""
        if task.case.pack.model is None:
            return planners_plan(task, f"{task.case.pack.mission} lets no model see its cases; the planner's plan is used")
        try:
            return self._made(task)
        except NoAnswer as failed:
            return without_an_answer(task, self.name, failed)

    def _made(self, task: Task) -> dict[str, Any]:
        """The plan of the model. Raises NoAnswer."""
        sight = see(task)
        return planned(self._plans.ask(task, sight, plan_schema(sight)), task, sight, self._plans.by)
