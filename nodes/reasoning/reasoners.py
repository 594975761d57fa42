"""The reasoners with a model. The check holds each to what follows from the case; without an answer the planner's plan stands.

`llm`: the model makes the plan, over the actions of the pack. `hybrid`: the rules say which plans follow from a case, and the
model chooses among them and words it. It can change no step. What it can do is pick where a pack leaves the choice, hand the case
over to people, give reasons, and write the letters of steps that wait for a person. If none of the plans is right it may make one
itself, as `llm` does.
"""

from collections.abc import Mapping
from typing import Any

from errors import NoAnswer
from models.calls import Limits, Model
from models.prompts import Prompt
from nodes.derivation import feasible
from nodes.planner import planners_plan
from nodes.reasoning.answers import OWN_PLAN, choice_schema, plan_schema
from nodes.reasoning.drafting import chosen, planned
from nodes.reasoning.model_client import ModelClient
from nodes.reasoning.prompt_context import prompt_view, read_more
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
        self._plans = ModelClient(model, prompts["llm"], "plan", limits, tone)
        self.version = f"llm {model.name} {prompts['llm'].label}"

    def propose(self, task: Task) -> dict[str, Any]:
        """A draft; see `nodes.state.Reasoner`."""
        if task.case.pack.model is None:
            return planners_plan(task, f"{task.case.pack.mission} lets no model see its cases; the planner's plan is used")
        try:
            return self._made(task)
        except NoAnswer as failed:
            return planners_plan(task, f"{self.name} gave no answer: {failed} The planner's plan is used.")

    def _made(self, task: Task) -> dict[str, Any]:
        """The plan of the model. Raises NoAnswer."""
        view = prompt_view(task)
        return planned(self._plans.ask(task, view, plan_schema(view)), task, view, self._plans.by)


class Hybrid(Llm):
    """A model that chooses among the plans of the rules; its `prompts` are "hybrid", and "llm" for a plan of its own."""

    name = "hybrid"

    def __init__(self, model: Model, prompts: Mapping[str, Prompt], limits: Limits, tone: str) -> None:
        super().__init__(model, prompts, limits, tone)
        self._choices = ModelClient(model, prompts["hybrid"], "choice", limits, tone)
        self.version = f"hybrid {model.name} {prompts['hybrid'].label} {prompts['llm'].label}"

    def _made(self, task: Task) -> dict[str, Any]:
        """The plan that the model chose, or its own. Raises NoAnswer."""
        plans = feasible(task.case, task.catalogue)
        view = prompt_view(task, plans)
        answer = self._choices.ask(task, view, choice_schema(view))
        if answer.get("read"):
            task = read_more(task, answer["read"])
            view = prompt_view(task, plans)
            answer = self._choices.ask(task, view, choice_schema(view))
        if answer["choice"] == OWN_PLAN:
            return super()._made(task)
        return chosen(answer, task, view, plans, self._choices.by)
