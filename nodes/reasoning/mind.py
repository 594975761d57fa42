"""What both reasoners with a model have in common: their prompt, how they ask, and what is told to a model of a refused draft."""

from collections.abc import Mapping
from typing import Any

from errors import NoAnswer
from models.calls import Limits, Model, Question
from models.masking import Masks
from models.prompts import Prompt, block
from nodes.letters import args_without_words
from nodes.reasoning.asking import Asker
from nodes.reasoning.schema import Schema
from nodes.reasoning.seeing import hiding
from nodes.reasoning.sight import Sight
from nodes.state import Task

_AGAIN = "Your last answer was not one JSON object of the form asked for. Answer with that object and nothing else."
_REFUSED = "Your last answer did not pass the check. What it was and why it did not pass is in these blocks; answer anew."
_REMARK = "A person asked to look again, with this remark:"


class Mind:
    """Asks one model with one prompt."""

    def __init__(self, model: Model, prompt: Prompt, purpose: str, limits: Limits, tone: str) -> None:
        self._asker, self._prompt, self._purpose, self._tone = Asker(model, limits), prompt, purpose, tone
        #: of a draft: which model, and what it was told
        self.by: Mapping[str, str] = {"model": model.name, "prompt": prompt.label}

    def ask(self, task: Task, sight: Sight, schema: Schema) -> Mapping[str, Any]:
        """The answer, asked for a second time where the first was of no form. Raises NoAnswer."""
        assert task.ledger is not None, "a model is asked on behalf of a run"
        objections = self._objections(task, sight)
        try:
            return self._asker.ask(self._question(task, sight, schema, objections), task.ledger, task.run_id, task.look)
        except NoAnswer as failed:
            if failed.kind != "malformed":
                raise
        again = "\n\n".join([objections, _AGAIN]).strip()
        return self._asker.ask(self._question(task, sight, schema, again), task.ledger, task.run_id, task.look)

    def _question(self, task: Task, sight: Sight, schema: Schema, objections: str) -> Question:
        tone = (task.case.pack.model.tone if task.case.pack.model else "") or self._tone
        system, user = self._prompt.filled(sight=sight.text(), objections=objections, tone=tone)
        return Question(purpose=self._purpose, prompt=self._prompt.label, system=system, user=user, schema=schema)

    def _objections(self, task: Task, sight: Sight) -> str:
        masks, told = Masks(), list[str]()
        if task.refused is not None:
            why = [hiding(one, sight) for one in task.objections]
            what = {
                "verdict": task.refused["verdict"],
                "actions": [
                    hiding(f"{step['name']} {args_without_words(step, task.catalogue)}", sight) for step in task.refused["plan"]
                ],
                "reasons": [one["says"] for one in task.refused["reasons"]],
            }
            told += [_REFUSED, block("refused answer", masks.mask_all(what)), block("objections", masks.mask_all(why))]
        if task.remark:
            told += [_REMARK, block("remark", masks.mask_all(hiding(task.remark, sight)))]
        return "\n\n".join(told)
