"""The words of a plan: its letters and addresses. They stay out of the state of the graph, and so out of checkpoints.

Where a plan is from, it is known by: it follows from the case, a person has written it, or it takes steps back. Its words are
put back from there where it is checked. What a model has written is kept with its holes, which are filled here.
"""

from collections.abc import Mapping
from typing import Any

from ledger.base import Ledger
from nodes.case import Case
from nodes.derivation import MOST_PLANS, feasible
from nodes.diagnose import find
from nodes.letters import filled
from nodes.planner import PLANNERS
from nodes.undo import undoing
from systems.catalogue import Catalogue

#: where a plan is from, besides the ids of those that follow from a case: a decision, and what was done before
EDIT, UNDO = "edit", "undo"
_WORDS = ("address", "text")


def args_without_words(step: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """The arguments of a step but letters and addresses."""
    kinds = catalogue[step["name"]].args if step["name"] in catalogue else {}
    return {name: value for name, value in step["args"].items() if kinds.get(name) not in _WORDS}


def without_words(draft: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """The draft without the letters and addresses that are known from elsewhere (`of`); as it is where they are not."""
    if "of" not in draft:
        return dict(draft)
    return {**draft, "plan": [{**step, "args": args_without_words(step, catalogue)} for step in draft["plan"]]}


def with_words(draft: Mapping[str, Any], case: Case, catalogue: Catalogue, ledger: Ledger, run_id: str) -> Mapping[str, Any]:
    """The draft as it is judged: with the words of its plan, and the letters of a model where it has written some."""
    if "of" not in draft:
        return draft
    if draft["of"] == EDIT:
        return {**draft, "plan": edited(ledger, run_id)}
    if draft["of"] == UNDO:
        return {**draft, "plan": taking_back(draft["undoes"], case, catalogue, ledger, run_id)["plan"]}
    plans = feasible(case, find(case), catalogue, 1 if draft["of"] == PLANNERS else MOST_PLANS)
    plan = next(plan for plan in plans if plan.id == draft["of"])
    steps = []
    for place, (step, own) in enumerate(zip(draft["plan"], plan.draft["plan"], strict=True)):
        args, written = dict(own["args"]), step.get("letter")
        if written:
            letter = plan.letters[place]
            args = {name: filled(written, letter.holes) if value == letter.filled else value for name, value in args.items()}
        steps.append({**{name: value for name, value in step.items() if name != "letter"}, "args": args})
    return {**draft, "plan": steps}


def edited(ledger: Ledger, run_id: str) -> list[dict[str, Any]]:
    """The plan that a person put in the place of the last proposal's."""
    plan: list[dict[str, Any]] = next(one for one in reversed(ledger.decisions(run_id)) if one.kind == "edit").details["plan"]
    return plan


def taking_back(undoes: str, case: Case, catalogue: Catalogue, ledger: Ledger, run_id: str) -> dict[str, Any]:
    """The draft that takes the steps of a proposal back."""
    undone = next(one for one in ledger.proposals(run_id) if one.proposal_id == undoes)
    return undoing(case, undone, ledger.effects(run_id), catalogue)
