"""What follows from a case: the plans that the pack allows, and whether a draft is one of them.

Guards say what a step must not do. They do not say that a step is called for, that what is called for is there, or that the
verdict follows; the planner has no need of that, for it goes by the pack. A language model is held to it here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.case import Case
from nodes.letters import Letter, unlike
from nodes.planner import Composed, Point, compose, plan_of_rules
from systems.catalogue import Catalogue

#: so many plans are looked at for a draft; a pack that leaves more open is not gone through to its end
MOST_PLANS = 64


@dataclass(frozen=True)
class Plan:
    """A plan that follows from the case."""

    #: "plan-1" is the planner's
    id: str
    draft: Mapping[str, Any]
    #: step of the plan, from 0 -> the letter that is its text
    letters: Mapping[int, Letter]
    #: which options were picked, in words; empty where the pack leaves no choice
    says: str


@dataclass(frozen=True)
class Derivation:
    """Whether a draft follows."""

    #: why it does not; none if it does
    objections: Sequence[str] = ()
    #: the plan that it is; None of a draft that hands the case over, or does not follow
    plan: Plan | None = None
    #: step of the draft -> the step of the plan that it is, both from 0
    places: Mapping[int, int] = field(default_factory=dict)
    #: True of what the rules alone would not have come to: another option, or a hand-over that nothing calls for
    discretion: bool = False


def queues(case: Case) -> frozenset[str]:
    """The queues that a case of this pack can be handed over to."""
    return frozenset({case.pack.missing.escalate, *(way.escalate for way in case.pack.ways if way.escalate)})


def feasible(case: Case, catalogue: Catalogue, most: int = 6) -> list[Plan]:
    """The plans that the pack allows, the planner's first; at most so many, of each (verdict, actions) one."""
    plans: dict[str, Plan] = {}
    for composed in _every(case, catalogue, 4 * most):
        key = repr((composed.draft["verdict"], sorted(map(repr, _counted(composed.draft["plan"], catalogue)))))
        if key not in plans:
            says = "; ".join(f"{finding}: {options[0]}" for (finding, _), options in composed.choices.items() if len(options) > 1)
            plans[key] = Plan(f"plan-{len(plans) + 1}", composed.draft, composed.letters, says)
        if len(plans) == most:
            break
    return list(plans.values())


def derived(case: Case, draft: Mapping[str, Any], catalogue: Catalogue) -> Derivation:
    """Whether a draft follows from the case. Its verdict and actions must be known to the pack."""
    plans = feasible(case, catalogue, MOST_PLANS)
    if draft["verdict"] == "escalate":
        return _handed_over(case, draft, plans[0])
    wanted = Counter(_counted(draft["plan"], catalogue))

    def apart(plan: Plan) -> int:
        follows = Counter(_counted(plan.draft["plan"], catalogue))
        return ((wanted - follows) + (follows - wanted)).total() + int(plan.draft["verdict"] != draft["verdict"])

    nearest = min(plans, key=apart)
    if not apart(nearest):
        return _the_same(draft, nearest, catalogue, discretion=nearest is not plans[0])
    follows, verdict = Counter(_counted(nearest.draft["plan"], catalogue)), nearest.draft["verdict"]
    return Derivation(
        [
            *([f"the verdict that follows is {verdict}"] if verdict != draft["verdict"] else []),
            *(f"{name} ({args}): nothing that was found calls for it" for name, args in (wanted - follows).elements()),
            *(f"{name} ({args}) is required but missing" for name, args in (follows - wanted).elements()),
        ]
    )


def _every(case: Case, catalogue: Catalogue, most: int) -> Iterator[Composed]:
    """Every plan that other picks give, those with the fewest first; at most so many."""
    waiting: list[dict[Point, str]] = [{}]
    for picks in waiting:
        composed = compose(case, catalogue, picks) if picks else plan_of_rules(case, catalogue)
        yield composed
        before: dict[Point, str] = {}
        for point, (taken, *others) in composed.choices.items():
            if point not in picks and len(waiting) < most:
                waiting += [{**before, point: other} for other in others][: most - len(waiting)]
            before[point] = taken


def _counted(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[tuple[str, str]]:
    """What makes each action of a plan this one and not another: its name and its arguments, but texts and addresses."""
    return [(one["name"], ", ".join(f"{name} {one['args'][name]!r}" for name in catalogue[one["name"]].counting)) for one in plan]


def _handed_over(case: Case, draft: Mapping[str, Any], plan: Plan) -> Derivation:
    queue = case.pack.queue_of(draft["plan"][0])
    if plan.draft["verdict"] == "escalate":
        own = case.pack.queue_of(plan.draft["plan"][0])
        return Derivation((), plan) if queue == own else Derivation([f"the case goes to {own}, not to {queue}"])
    if queue not in queues(case):
        return Derivation([f"no case of {case.pack.mission} goes to {queue}"])
    return Derivation(discretion=True)


def _the_same(draft: Mapping[str, Any], plan: Plan, catalogue: Catalogue, *, discretion: bool) -> Derivation:
    """The plan is the draft's; whether its texts, addresses and parts are."""
    left = list(enumerate(_counted(plan.draft["plan"], catalogue)))
    objections: list[str] = []
    places: dict[int, int] = {}
    for step, (action, key) in enumerate(zip(draft["plan"], _counted(draft["plan"], catalogue), strict=True)):
        alike = [place for place, other in left if other == key]
        place = next((one for one in alike if plan.draft["plan"][one]["args"] == action["args"]), alike[0])
        left.remove((place, key))
        places[step] = place
        objections += _free(step, action, plan.draft["plan"][place], plan.letters.get(place))
    return Derivation(objections, plan, places, discretion)


def _free(step: int, action: Mapping[str, Any], own: Mapping[str, Any], letter: Letter | None) -> Iterator[str]:
    """What stands otherwise in a step than in the plan's, besides a letter that a model has written as it may."""
    where = f"step {step + 1}, {action['name']}"
    if action.get("part") != own["part"]:
        yield f"{where}: it is another part of the plan"
    for name, value in action["args"].items():
        if value == own["args"][name]:
            continue
        if letter is not None and own["args"][name] == letter.filled and action.get("written_by"):
            yield from (f"{where}: {problem}" for problem in unlike(letter, value))
        else:
            yield f"{where}: {name} is another one than follows"
