"""The reasoners with a model. The check holds each to what follows from the case; without an answer the planner's plan stands.

`llm`: the model makes the plan, over the actions of the pack. `hybrid`: the rules say which plans follow from a case, and the
model chooses among them and words it. It can change no step. What it can do is pick where a pack leaves the choice, hand the case
over to people, give reasons, and write the letters of steps that wait for a person. If none of the plans is right it may make one
itself, as `llm` does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from errors import NoAnswer
from models.calls import Limits, Model, Question
from models.masking import Masks
from models.prompts import Prompt, block
from nodes.derivation import Plan, feasible
from nodes.planner import planners_plan
from nodes.reasoning.answers import OWN_PLAN, Schema, choice_schema, plan_schema
from nodes.reasoning.drafting import Answered
from nodes.reasoning.model_client import Asker
from nodes.reasoning.prompt_context import PromptView, prompt_view, read_more, redacted
from nodes.review import args_without_words
from nodes.state import Task

_AGAIN = "Your last answer was not one JSON object of the form asked for. Answer with that object and nothing else."
_REFUSED = "Your last answer did not pass the check. What it was and why it did not pass is in these blocks; answer again."
_REMARK = "A person asked to look again, with this remark:"


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
    #: the prompts that it asks with -> the purpose of their questions
    purposes: ClassVar[Mapping[str, str]] = {"llm": "plan"}

    def __init__(self, model: Model, prompts: Mapping[str, Prompt], limits: Limits, tone: str) -> None:
        self._asker, self._model, self._prompts, self._tone = Asker(model, limits), model.name, prompts, tone
        self.version = " ".join([self.name, model.name, *(prompts[name].label for name in self.purposes)])

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
        return self._ask("llm", task, view, plan_schema(view)).planned()

    def _ask(self, name: str, task: Task, view: PromptView, schema: Schema) -> Answered:
        """The answer by a prompt, asked for a second time where the first was of no form. Raises NoAnswer."""
        assert task.ledger is not None, "a model is asked on behalf of a run"
        prompt, objections = self._prompts[name], _objections(task, view)
        tone = (task.case.pack.model.tone if task.case.pack.model else "") or self._tone

        def question(objections: str) -> Question:
            system, user = prompt.filled(sight=view.text(), objections=objections, tone=tone)
            return Question(purpose=self.purposes[name], prompt=prompt.label, system=system, user=user, schema=schema)

        try:
            answer = self._asker.ask(question(objections), task.ledger, task.run_id, task.look)
        except NoAnswer as failed:
            if failed.kind != "malformed":
                raise
            again = "\n\n".join([objections, _AGAIN]).strip()
            answer = self._asker.ask(question(again), task.ledger, task.run_id, task.look)
        return Answered(answer=answer, task=task, view=view, by={"model": self._model, "prompt": prompt.label})


class Hybrid(Llm):
    """A model that chooses among the plans of the rules; its `prompts` are "hybrid", and "llm" for a plan of its own."""

    name = "hybrid"
    purposes: ClassVar[Mapping[str, str]] = {"hybrid": "choice", "llm": "plan"}

    def _made(self, task: Task) -> dict[str, Any]:
        """The plan that the model chose, or its own. Raises NoAnswer."""
        plans = feasible(task.case, task.catalogue)
        answered = self._choice(task, plans)
        if more := answered.answer.get("read"):
            task = read_more(task, more)
            answered = self._choice(task, plans)
        return super()._made(task) if answered.answer["choice"] == OWN_PLAN else answered.chosen(plans)

    def _choice(self, task: Task, plans: Sequence[Plan]) -> Answered:
        view = prompt_view(task, plans)
        return self._ask("hybrid", task, view, choice_schema(view))


def _objections(task: Task, view: PromptView) -> str:
    """What stood against the last answer, and what a person remarked, as blocks of the prompt."""
    masks, blocks = Masks(), list[str]()
    if task.refused is not None:
        why = [redacted(one, view) for one in task.objections]
        actions = [f"{step['name']} {args_without_words(step, task.catalogue)}" for step in task.refused["plan"]]
        what = {
            "verdict": task.refused["verdict"],
            "actions": [redacted(action, view) for action in actions],
            "reasons": [one["says"] for one in task.refused["reasons"]],
        }
        blocks += [_REFUSED, block("refused answer", masks.mask_all(what)), block("objections", masks.mask_all(why))]
    if task.remark:
        blocks += [_REMARK, block("remark", masks.mask_all(redacted(task.remark, view)))]
    return "\n\n".join(blocks)
