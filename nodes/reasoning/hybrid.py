"""hybrid: the rules say which plans follow from a case, and a model chooses among them and words it.

It can change no step. What it can do is pick where a pack leaves the choice, hand the case over to people, give reasons, and
write the letters of steps that wait for a person. If none of the plans is right it may make one itself, as `llm` does; the check
holds that one to the rules like any other.
"""

from collections.abc import Mapping
from typing import Any

from models.calls import Limits, Model
from models.prompts import Prompt
from nodes.derivation import feasible
from nodes.reasoning.drafting import chosen
from nodes.reasoning.llm import Llm
from nodes.reasoning.mind import Mind
from nodes.reasoning.reading_more import read_more
from nodes.reasoning.schema import OWN_PLAN, choice_schema
from nodes.reasoning.seeing import see
from nodes.state import Task


class Hybrid(Llm):
    """A model that chooses among the plans of the rules; its `prompts` are "hybrid", and "llm" for a plan of its own."""

    name = "hybrid"

    def __init__(self, model: Model, prompts: Mapping[str, Prompt], limits: Limits, tone: str) -> None:
        super().__init__(model, prompts, limits, tone)
        self._choices = Mind(model, prompts["hybrid"], "choice", limits, tone)
        self.version = f"hybrid {model.name} {prompts['hybrid'].label} {prompts['llm'].label}"

    def _made(self, task: Task) -> dict[str, Any]:
        """The plan that the model chose, or its own. Raises NoAnswer."""
        plans = feasible(task.case, task.catalogue)
        sight = see(task, plans)
        answer = self._choices.ask(task, sight, choice_schema(sight))
        if answer.get("read"):
            task = read_more(task, answer["read"])
            sight = see(task, plans)
            answer = self._choices.ask(task, sight, choice_schema(sight))
        if answer["choice"] == OWN_PLAN:
            return super()._made(task)
        return chosen(answer, task, sight, plans, self._choices.by)
