"""What a draft must satisfy, whoever made it: the reasoner, a person who edited it, or an approval about to be executed.

Nothing that a draft says of itself is trusted: money, changes, tiers and the approval route are worked out here. Guards hold
for everybody. What a language model made must besides follow from the case, and what it decided waits for a person.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from errors import Refused, SendBack
from ledger.records import NOBODY, Approval
from nodes.authorship import NOBODY as NO_EDITORS
from nodes.authorship import Editors, is_planned, why_others
from nodes.case import Case, PlanSoFar
from nodes.derivation import Derivation, derived
from nodes.governance import (
    Gift,
    Values,
    approval,
    automatic,
    flat_costs,
    limits,
    may_automate,
    of,
    read_by_a_model,
    stake,
    tier,
)
from nodes.planner import Composed, plan_of_rules
from systems.catalogue import Catalogue
from systems.conditions import Unknown

MOST_ACTIONS = 200


@dataclass(frozen=True)
class Judgement:
    """What was worked out of a draft that passes; `objections` is empty then."""

    objections: Sequence[str]
    #: the plan with `says`, `tier` and `undo` of every action
    plan: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    money_at_stake_cents: int = 0
    approval: Approval = NOBODY
    #: why whoever worded it may not approve it, as the end of a sentence; empty where nobody worded it, or they may
    others: str = ""


def what_follows(judgement: Judgement) -> str:
    """What becomes of an edit that passes, as a sentence for whoever makes it."""
    if judgement.approval.role == "none":
        return "This is the plan of the rules again: it runs without approval."
    if judgement.approval.own:
        return "Only the tone is yours: you may approve it yourself."
    return f"Your wording needs another person's approval: {judgement.others}."


def judge(
    case: Case,
    draft: Mapping[str, Any],
    grounded: Mapping[str, int],
    catalogue: Catalogue,
    values: Mapping[str, Any],
    takes_back: Sequence[Mapping[str, Any]] | None = None,
    *,
    unfinished: bool = False,
    editors: Editors = NO_EDITORS,
) -> Judgement:
    """Judge a draft on the facts of the case; `by` is "model" in one that a language model made.

    `takes_back` of a draft that undoes steps: the only ones it may have, in order. `unfinished` where a plan before it stopped
    in its midst: then a person sees whatever does not hand the case over. `editors` are the people who edited it.
    """
    plan, follows, own = draft["plan"], Derivation(), None
    others, of_rules = ("more than its letter was edited", False) if editors.keys else ("", True)
    if takes_back is not None:
        objections = _undoing(case, draft, takes_back, catalogue)
    elif not (objections := _shape(case, draft, catalogue)):
        if draft.get("by") == "model":
            follows = derived(case, draft, catalogue)
        if editors.keys or automatic(case, plan, values):
            own = plan_of_rules(case, catalogue)
            of_rules = is_planned(draft, own) or (draft["verdict"] == "escalate" and not editors.keys)
            others = why_others(case, draft, own, values, editors) if editors.keys else ""
        objections = [
            *follows.objections,
            *(f"{clause} is cited and was not retrieved" for clause in draft["cites"] if clause not in grounded),
            *_way_out(case, draft["verdict"]),
            *_guards(case, plan),
            *_order(plan, catalogue),
        ]
    if objections:
        return Judgement(objections)
    try:
        alone = _by_rule(plan, None if of_rules else own, of(case.pack.approval.automate, values))
        told, changes, gifts = _rehearse(case, plan, catalogue, values, alone)
        stakes = stake(money for money, _ in gifts)
        seen = (unfinished and draft["verdict"] != "escalate") or follows.discretion or read_by_a_model(case) or not of_rules
        own_words = bool(editors.keys) and not others
        asked = approval(case, told, stakes, values, seen=seen, own=own_words)
        asked = replace(asked, limits=limits(case, gifts, values))
        return Judgement((), told, changes, stakes.at_stake_cents, asked, others)
    except (SendBack, Unknown) as error:
        return Judgement([str(error)])


def _shape(case: Case, draft: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    verdict, plan = draft["verdict"], draft["plan"]
    if verdict not in case.pack.verdicts:
        return [f"{verdict!r} is not a verdict of {case.pack.mission}"]
    if len(plan) > MOST_ACTIONS:
        return [f"the plan has {len(plan)} actions; at most {MOST_ACTIONS} can be decided at once"]
    objections = []
    for action in plan:
        if action["name"] not in catalogue:
            objections.append(f"{action['name']!r} is not an action of the catalogue")
            continue
        if action["name"] not in case.pack.actions:  # what no policy of the mission speaks of, no guard of it would hold up
            objections.append(f"{action['name']} is not an action of {case.pack.mission}")
            continue
        try:
            catalogue[action["name"]].validate(action["args"])
        except SendBack as error:
            objections.append(str(error))
    escalating = [action for action in plan if action["name"] == case.pack.escalation.action]
    if not objections and verdict == "escalate" and (len(plan) != 1 or len(escalating) != 1):
        objections.append("an escalation opens one case and does nothing else")
    return objections or [one for action in escalating for one in _handed_over(case, action)]


def _handed_over(case: Case, action: Mapping[str, Any]) -> list[str]:
    """Only the queue is free where a case is handed over: what else is told of it is told by the pack."""
    raw = case.pack.escalation.args
    try:
        own = {name: case.value(value, {"queue": ""}) for name, value in raw.items() if value != "=queue"}
    except Unknown:
        return [f"{action['name']}: the case cannot be determined"]
    return [f"{action['name']}: {name} must be {value!r}" for name, value in own.items() if action["args"].get(name) != value]


def _undoing(case: Case, draft: Mapping[str, Any], takes_back: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[str]:
    """Neither the guards nor the order of the pack hold for steps that are taken back: what they restore was there before."""
    *back, last = draft["plan"] or [None]
    if draft["verdict"] != "escalate" or last is None or last["name"] != case.pack.escalation.action:
        return ["what takes steps back ends with handing the case over"]
    try:
        catalogue[last["name"]].validate(last["args"])
    except SendBack as error:
        return [str(error)]
    if wrong := _handed_over(case, last):
        return wrong
    rest = iter(takes_back)
    for action in back:
        if not any((one["name"], one["args"]) == (action["name"], action["args"]) for one in rest):
            return [f"{action['name']} takes back no step that was done, or not in its turn"]
    return []


def _way_out(case: Case, verdict: str) -> list[str]:
    """What ends a case ends it for every reasoner: the first finding that cannot be told, or that leaves only ends."""
    for finding in case.findings:
        options = case.pack.options.get(finding["id"], ())
        ends = {option.end or ("escalate" if option.escalate else None) for option in options}
        if finding["lacking"]:
            ends = {"escalate"}
        if ends and None not in ends:
            allowed = sorted({*(end for end in ends if end), "escalate"})
            because = finding["says"] or "; ".join(finding["lacking"])
            return [] if verdict in allowed else [f"the verdict must be {' or '.join(allowed)}: {because}"]
    return []


def _guards(case: Case, plan: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the guards of the pack object to, step by step: stock that a step takes is not there for the next."""
    so_far = PlanSoFar(planned=Counter(action["name"] for action in plan))
    objections = []
    for action in plan:
        bound = {"args": action["args"]}
        for guard in (guard for guard in case.pack.guards if guard.for_ == action["name"]):
            by = f" ({guard.cites})" if guard.cites else ""
            try:
                if not case.after(so_far).holds(guard.that, bound):
                    objections.append(f"{action['name']}: this must hold: {guard.says}{by}")
                elif guard.consumes:
                    so_far = so_far.taking(**{name: case.value(raw, bound) for name, raw in guard.consumes.items()})
            except Unknown:
                objections.append(f"{action['name']}: it is not known whether {guard.says}{by}")
    return objections


def _order(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[str]:
    return [
        f"{plan[i]['name']} must come after {plan[j]['name']}"
        for i in range(len(plan))
        for j in range(i + 1, len(plan))
        if catalogue[plan[i]["name"]].comes_after(catalogue[plan[j]["name"]])
    ]


def _by_rule(plan: Sequence[Mapping[str, Any]], own: Composed | None, automate: Mapping[str, Any]) -> list[str]:
    """The tier of every step. Of a plan that is not that of the rules, `own`, what is not as in theirs waits for a person."""
    of_rules = [] if own is None else [(step["name"], step["args"]) for step in own.draft["plan"]]
    return [tier(step, automate) if own is None or (step["name"], step["args"]) in of_rules else "recommend" for step in plan]


def _rehearse(
    case: Case, plan: Sequence[Mapping[str, Any]], catalogue: Catalogue, values: Values, tiers: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Gift]]:
    """Do the plan on a copy of the records. Raises SendBack at the first step whose needs the steps before leave unmet."""
    world = case.records.copy()
    told: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    gifts: list[Gift] = []
    flat = flat_costs(case.pack.approval, values)
    for step, planned in enumerate(plan, start=1):
        action, args = catalogue[planned["name"]], planned["args"]
        seen = action.seen(world, args)
        unmet = action.unmet_need(seen)
        if unmet:
            raise SendBack(f"step {step}, {action.name}: {unmet}")
        cents = action.cents(seen, flat)
        if unknown := [kind for kind, worth in cents.items() if worth is None and kind != "cost"]:
            raise SendBack(f"step {step}, {action.name}: the amount of its {unknown[0]} is not known")
        gifts.append((cents, action.receivers(seen)))
        told.append(
            {
                **planned,
                "says": action.sentence(args),
                "tier": tiers[step - 1] if may_automate(action, cents) else "recommend",
                "tool": action.tool,
                "undo": action.undoing(seen),
            }
        )
        try:
            changes += [{**change.plain(), "step": step} for change in action.apply(world, seen)]
        except Refused as error:
            raise SendBack(f"step {step}, {action.name}: {error}") from error
    return told, changes, gifts
