"""The reasoners with a model. The check holds each to what follows from the case; without an answer the planner's plan stands.

`llm`: the model makes the plan, over the actions of the pack. `hybrid`: the rules say which plans follow from a case, and the
model chooses among them and words it. It can change no step. What it can do is pick where a pack leaves the choice, hand the case
over to people, give reasons, and write the letters of steps that wait for a person. If none of the plans is right it may make one
itself, as `llm` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from errors import NoAnswer
from ledger.records import NewObservation
from models.calls import Limits, Model, Question
from models.masking import MARK, Masks
from models.prompts import Prompt, block
from nodes.derivation import Plan, derived, feasible
from nodes.governance import of, tier
from nodes.letters import filled, problems
from nodes.planner import escalation, planners_plan
from nodes.quoting import LONGEST, contacts, ungrounded
from nodes.reasoning.answers import HAND_OVER, OWN_PLAN, Schema, choice_schema, plan_schema
from nodes.reasoning.model_client import Asker
from nodes.reasoning.prompt_context import PromptView, prompt_view, read_more, redacted
from nodes.review import args_without_words
from nodes.state import Task
from systems.arguments import ADDRESS_FIELDS, MAX_ID_LENGTH, opened
from systems.catalogue import Catalogue

LONGEST_SUMMARY, LONGEST_ALTERNATIVE = 600, 200
#: of all letters of a draft together, so that the state stays small; what is above it keeps the pack's words
LONGEST_LETTERS = 6_000
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

    def _ask(self, name: str, task: Task, view: PromptView, schema: Schema) -> "Answered":
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

    def _choice(self, task: Task, plans: Sequence[Plan]) -> "Answered":
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


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a model answered about a case. What follows from the rules is taken from them; its words are laid over that.

    Nothing is believed here: whether the draft follows, what its reasons rest on and what its letters say is judged in `check`.
    """

    answer: Mapping[str, Any]
    task: Task
    view: PromptView
    #: {"model", "prompt"}
    by: Mapping[str, str]

    def chosen(self, plans: Sequence[Plan]) -> dict[str, Any]:
        """The draft of a choice among plans."""
        if self.answer["choice"] == HAND_OVER:
            return self._worded(self._handed_over())
        plan = next(plan for plan in plans if plan.id == self.answer["choice"])
        return self._taken(plan, {step + 1: step for step in range(len(plan.draft["plan"]))})

    def planned(self) -> dict[str, Any]:
        """The draft of a plan of the model's own; where it is one that follows, that one."""
        task, verdict = self.task, self.answer["verdict"]
        if verdict == "escalate":
            own = self._handed_over()
        else:
            says = task.case.sentence(task.case.pack.verdicts[verdict].says, {"queue": ""})
            plan = [_step(one, task.catalogue) for one in self.answer["actions"]]
            own = {"verdict": verdict, "plan": plan, "cites": self._clauses, "rationale": says, "alternatives": [], "said": []}
        follows = derived(task.case, own, task.catalogue)
        if follows.plan is None:
            return self._worded(own)
        return self._taken(follows.plan, {step + 1: place for step, place in follows.places.items()})

    def _taken(self, plan: Plan, places: Mapping[int, int]) -> dict[str, Any]:
        """A plan that follows, with the model's letters; `places`: step as the model counts, from 1 -> step of the plan."""
        steps, said, room = [dict(step) for step in plan.draft["plan"]], list[NewObservation](), LONGEST_LETTERS
        automate = of(self.task.case.pack.approval.automate, self.task.values)
        for written in self.answer["letters"]:
            place = places.get(written["step"], -1)
            letter = plan.letters.get(place)
            if letter is None or "written_by" in steps[place] or letter.text.strip() == written["text"].strip():
                continue
            if tier(steps[place], automate) == "automate":
                continue  # what nobody sees before it is sent keeps the words of the pack
            text = self.view.masks.restore(written["text"])
            wrong = problems(letter, text)
            # a mark comes back where the pack's own words have what it stands for; what a record says comes by holes alone
            if MARK.search(text) or (text != written["text"] and not contacts(text) <= contacts(letter.text)):
                wrong = ["it mentions something that is not shown"]
            elif len(text) > room:
                wrong = ["the letters are too long together"]
            if wrong:
                says = f"The model's letter for step {place + 1} is not used; the pack's letter is: {wrong[0]}"[:LONGEST]
                said.append(NewObservation("propose", "missing", says))
                continue
            room -= len(text)
            args, sent = steps[place]["args"], filled(text, letter.holes)
            args = {name: sent if value == letter.filled else value for name, value in args.items()}
            steps[place] |= {"args": args, "written_by": self.by["model"]}
        return self._worded({**plan.draft, "plan": steps, "said": [*said, *plan.draft["said"]]})

    def _handed_over(self) -> dict[str, Any]:
        case = self.task.case
        made = escalation(case, self.answer["queue"] or case.pack.missing.escalate, "", self._clauses, self.task.catalogue)
        return {**made, "cites": self._clauses, "said": []}

    def _worded(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """With the reasons, alternatives and summary of the model, each marked as the model's."""
        answer, facts = self.answer, self.task.case.facts
        reasons = [{**one, "says": one["says"].strip()[: LONGEST + 1]} for one in answer["reasons"]]
        cited = [f"{one['says']} [{', '.join(map(str, one['observations']))}; {', '.join(one['clauses'])}]" for one in reasons]
        others = [
            {name: str(one[name])[:LONGEST_ALTERNATIVE] for name in ("option", "for", "lost_because")}
            for one in answer["alternatives"]
            if not self._strange(f"{one['option']} {one['lost_because']}")
        ]
        read = sum(fact.status != "failed" for fact in facts) / max(1, len(facts))
        return {
            **made,
            **self.by,
            "by": "model",
            "reasons": reasons,
            "rationale": f"{made['rationale']} Written by a model ({self.by['model']}): {' '.join(cited)}",
            "alternatives": [*made["alternatives"], *others],
            "confidence": round(min(float(answer["confidence"]), read), 2),
            "said": [*made["said"], *cited, *self._summary()],
        }

    def _summary(self) -> list[NewObservation]:
        text = " ".join(self.answer["summary"].split())[:LONGEST_SUMMARY]
        if strange := self._strange(text):
            says = f"The model's summary is not used: it quotes {strange[0]}, which is in none of the facts"[:LONGEST]
            return [NewObservation("propose", "missing", says)]
        return [NewObservation("propose", "plan", f"Summary, written by a model: {text}", {"summary": text})] if text else []

    def _strange(self, text: str) -> list[str]:
        """What a text quotes that nothing says; what may be quoted is gone through only where something is."""
        return [one for one in ungrounded(text, ()) if one not in self.view.known]

    @property
    def _clauses(self) -> list[str]:
        return list(dict.fromkeys(clause for reason in self.answer["reasons"] for clause in reason["clauses"]))


def _step(action: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A step of the model's own. Texts and addresses come from the plan that it follows from; elsewhere they are none."""
    entry = catalogue[action["action"]]
    args = dict(action["args"])
    for name, kind in entry.args.items():
        base, value = opened(kind)[0], args.get(name)
        if base == "text":
            args[name] = "not written"
        elif base == "address" and value is not None:
            args[name] = dict.fromkeys(ADDRESS_FIELDS, str(value))
        elif base == "id" and value is not None:
            args[name] = args[name][: MAX_ID_LENGTH + 1]
    return {"name": entry.name, "args": args, "for": "", "part": None, "cites": []}
