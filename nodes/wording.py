"""The words of a plan: its letters and addresses. They stay out of the state of the graph, and so out of checkpoints.

A plan that follows from the case is known by its id, so that its words can be put back where it is checked. What a model has
written is kept with its holes, which are filled here.
"""

from collections.abc import Mapping
from typing import Any

from nodes.case import Case
from nodes.derivation import MOST_PLANS, feasible
from nodes.diagnose import find
from nodes.letters import filled
from systems.catalogue import Catalogue

#: the id of the planner's plan
PLANNERS = "plan-1"
_WORDS = ("address", "text")


def without_words(draft: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """The draft without the letters and addresses that its plan (`of`) gives back; as it is where it is none of them."""
    if "of" not in draft:
        return dict(draft)
    steps = []
    for step in draft["plan"]:
        kinds = catalogue[step["name"]].args
        steps.append({**step, "args": {name: value for name, value in step["args"].items() if kinds[name] not in _WORDS}})
    return {**draft, "plan": steps}


def with_words(draft: Mapping[str, Any], case: Case, catalogue: Catalogue) -> Mapping[str, Any]:
    """The draft as it is judged: with the words of its plan, and the letters of a model where it has written some."""
    if "of" not in draft or all(step["args"].keys() == catalogue[step["name"]].args.keys() for step in draft["plan"]):
        return draft
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
