"""From what a model answered to a draft. What follows from the rules is taken from them; the model's words are laid over it.

Nothing is believed here: whether the draft follows, what its reasons rest on and what its letters say is judged in `check`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.records import NewObservation
from models.masking import MARK
from nodes.derivation import Plan, derived
from nodes.governance import tier
from nodes.letters import filled, problems
from nodes.planner import escalation
from nodes.quoting import LONGEST, contacts, ungrounded
from nodes.reasoning.answers import HAND_OVER
from nodes.reasoning.prompt_context import PromptView
from nodes.state import Task
from systems.catalogue import ADDRESS_FIELDS, MAX_ID_LENGTH

LONGEST_SUMMARY, LONGEST_ALTERNATIVE = 600, 200
#: of all letters of a draft together, so that the state stays small; what is above it keeps the pack's words
LONGEST_LETTERS = 6_000
Answer = Mapping[str, Any]


def chosen(answer: Answer, task: Task, view: PromptView, plans: Sequence[Plan], by: Mapping[str, str]) -> dict[str, Any]:
    """The draft of a choice among plans. `by` is {"model", "prompt"}."""
    if answer["choice"] == HAND_OVER:
        return _worded(_handed_over(answer, task), answer, task, view, by)
    plan = next(plan for plan in plans if plan.id == answer["choice"])
    places = {step + 1: step for step in range(len(plan.draft["plan"]))}
    return _taken(plan, places, answer, task, view, by)


def planned(answer: Answer, task: Task, view: PromptView, by: Mapping[str, str]) -> dict[str, Any]:
    """The draft of a plan of the model's own; where it is one that follows, that one."""
    if answer["verdict"] == "escalate":
        own = _handed_over(answer, task)
        plan = derived(task.case, own, task.catalogue).plan
        return _taken(plan, {}, answer, task, view, by) if plan else _worded(own, answer, task, view, by)
    own = {"verdict": answer["verdict"], "plan": [_step(one, task) for one in answer["actions"]], "cites": _clauses(answer)}
    plan = derived(task.case, own, task.catalogue).plan
    if plan is None:
        says = task.case.sentence(task.case.pack.verdicts[own["verdict"]].says, {"queue": ""})
        return _worded({**own, "rationale": says, "alternatives": [], "said": []}, answer, task, view, by)
    return _taken(plan, _places(own["plan"], plan, task), answer, task, view, by)


def _taken(
    plan: Plan, places: Mapping[int, int], answer: Answer, task: Task, view: PromptView, by: Mapping[str, str]
) -> dict[str, Any]:
    """A plan that follows, with the model's letters. `places`: step as the model counts, from 1 -> step of the plan, from 0."""
    steps, said, room = [dict(step) for step in plan.draft["plan"]], list[NewObservation](), LONGEST_LETTERS
    automate = task.values[task.case.pack.approval.automate.replace("-", "_")]
    for written in answer["letters"]:
        place = places.get(written["step"], -1)
        letter = plan.letters.get(place)
        if letter is None or "written_by" in steps[place] or letter.text.strip() == written["text"].strip():
            continue
        if tier(steps[place], automate) == "automate":
            continue  # what nobody sees before it is sent keeps the words of the pack
        text = view.masks.restore(written["text"])
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
        args = {
            name: filled(text, letter.holes) if value == letter.filled else value for name, value in steps[place]["args"].items()
        }
        steps[place] |= {"args": args, "written_by": by["model"]}
    taken = {**plan.draft, "plan": steps, "said": [*said, *plan.draft["said"]]}
    return _worded(taken, answer, task, view, by)


def _handed_over(answer: Answer, task: Task) -> dict[str, Any]:
    queue = answer["queue"] or task.case.pack.missing.escalate
    made = escalation(task.case, queue, "", _clauses(answer), task.catalogue)
    return {**made, "cites": _clauses(answer), "said": []}


def _step(action: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """A step of the model's own. Texts and addresses come from the plan that it follows from; elsewhere they are none."""
    entry = task.catalogue[action["action"]]
    args = dict(action["args"])
    for name, kind in entry.args.items():
        if kind == "text":
            args[name] = "not written"
        elif kind == "address":
            args[name] = dict.fromkeys(ADDRESS_FIELDS, str(args[name]))
        elif kind == "id":
            args[name] = args[name][: MAX_ID_LENGTH + 1]
    return {"name": entry.name, "args": args, "for": "", "part": None, "cites": []}


def _places(own: Sequence[Mapping[str, Any]], plan: Plan, task: Task) -> dict[int, int]:
    left, places = list(range(len(plan.draft["plan"]))), dict[int, int]()
    for number, step in enumerate(own, start=1):
        counting = task.catalogue[step["name"]].counting
        for place in left:
            other = plan.draft["plan"][place]
            if other["name"] == step["name"] and all(other["args"][name] == step["args"][name] for name in counting):
                places[number] = place
                left.remove(place)
                break
    return places


def _worded(made: Mapping[str, Any], answer: Answer, task: Task, view: PromptView, by: Mapping[str, str]) -> dict[str, Any]:
    """With the reasons, alternatives and summary of the model, each marked as the model's."""
    reasons = [{**one, "says": one["says"].strip()[: LONGEST + 1]} for one in answer["reasons"]]
    cited = [f"{one['says']} [{', '.join(map(str, one['observations']))}; {', '.join(one['clauses'])}]" for one in reasons]
    grounded = (one for one in answer["alternatives"] if not _strange(f"{one['option']} {one['lost_because']}", view))
    others = [{name: str(one[name])[:LONGEST_ALTERNATIVE] for name in ("option", "for", "lost_because")} for one in grounded]
    read = sum(fact.status != "failed" for fact in task.case.facts) / max(1, len(task.case.facts))
    return {
        **made,
        **by,
        "by": "model",
        "reasons": reasons,
        "rationale": f"{made['rationale']} Written by a model ({by['model']}): {' '.join(cited)}",
        "alternatives": [*made["alternatives"], *others],
        "confidence": round(min(float(answer["confidence"]), read), 2),
        "said": [*made["said"], *cited, *_summary(answer["summary"], view)],
    }


def _summary(text: str, view: PromptView) -> list[NewObservation]:
    text, strange = " ".join(text.split())[:LONGEST_SUMMARY], _strange(text, view)
    if strange:
        says = f"The model's summary is not used: it quotes {strange[0]}, which is in none of the facts"[:LONGEST]
        return [NewObservation("propose", "missing", says)]
    return [NewObservation("propose", "plan", f"Summary, written by a model: {text}", {"summary": text})] if text else []


def _strange(text: str, view: PromptView) -> list[str]:
    """What a text quotes that nothing says; what may be quoted is gone through only where something is."""
    return [one for one in ungrounded(text, ()) if one not in view.known]


def _clauses(answer: Answer) -> list[str]:
    return list(dict.fromkeys(clause for reason in answer["reasons"] for clause in reason["clauses"]))
