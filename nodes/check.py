"""check: judge the draft, whoever made it, and write it into the ledger as a proposal if it passes.

The check does not trust the reasoner, nor people. Nothing that a draft says of itself is believed: money, changes, tiers and the
approval route are worked out here, for a reasoner's draft, for a person's edit, and for an approval about to be executed. Guards
hold for everybody. What a language model made must besides follow from the case, and what it decided waits for a person.

What fails goes back with the reasons: to a reasoner as often as it may be asked, then the planner's plan is tried where a
model's was, and then an escalation. A proposal says how soon somebody should decide: the more money is at stake and the higher
the tier, the sooner; never after the expiry.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from langgraph.runtime import Runtime

from errors import Refused, SendBack
from ledger.limits import raised
from ledger.records import APPROVER, NOBODY, Approval, NewObservation, Proposal, Run
from nodes.authorship import NO_EDITORS, Editors, editors_of, evidence_digest, is_planned, plan_digest, why_others
from nodes.case import Case, PlanSoFar
from nodes.derivation import Derivation, derived, feasible
from nodes.governance import Gift, approval, flat_costs, limits, of, stake, tier
from nodes.planner import Composed, plan_of_rules
from nodes.quoting import objections as objections_to_reasons
from nodes.reasoning.prompt_context import prompt_view
from nodes.state import MissionContext, MissionState, Task, brief, observe
from nodes.undo import half_done, to_take_back
from rendering import dollars
from systems.catalogue import Catalogue
from systems.conditions import Unknown

#: of what is wrong with a draft, so that the state stays small
MOST_OBJECTIONS, LONGEST_OBJECTION = 10, 240
MOST_ACTIONS = 200
#: what the tiers that packs name count for; others count for nothing
TIERS = {"vip": 1.0, "tier 1": 1.0, "gold": 0.5, "tier 2": 0.5}
#: cents that count for nothing, and for all that money can
LEAST_CENTS, MOST_CENTS = 1_000, 10_000_000
#: the share of the time until the expiry that each of the two can take away
SHARE = 0.45


@dataclass(frozen=True)
class Judgement:
    """What was worked out of a draft that passes; `objections` is empty then."""

    objections: Sequence[str]
    #: the plan with `says`, `tier` and `undo` of every action
    plan: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    #: the changes, and of a step that changes nothing what its effect says and the records say already
    promises: Sequence[Mapping[str, Any]] = ()
    money_at_stake_cents: int = 0
    approval: Approval = NOBODY
    #: why whoever worded it may not approve it, as the end of a sentence; empty where nobody worded it, or they may
    others: str = ""


def check(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Judge the draft: objections send it back, none makes it a proposal."""
    context, run_id = runtime.context, state["run_id"]
    assert state["draft"] is not None, "propose makes a draft"
    history = context.ledger.history(run_id)
    case = context.case_of(history)
    values = context.values(history.run.event)
    draft = context.ledger.drafted(state["draft"])
    back, left = to_take_back(history, draft["undoes"]), half_done(history, draft["author"])
    revision = history.proposal.revision + 1 if history.proposal else 1
    editors = editors_of(history, draft["plan"], revision, context.ledger.person)
    judgement = judge(case, draft, state["grounded"], context.catalogue, values, back, unfinished=bool(left), editors=editors)
    objections = list(judgement.objections)
    if draft.get("by") == "model":
        objections = [*_unfounded(brief(context, state, history, case), state["grounded"], draft), *objections]
    if objections:
        objections = [one[:LONGEST_OBJECTION] for one in objections[:MOST_OBJECTIONS]]
        observe(runtime, run_id, [NewObservation("check", "check", f"The plan does not pass: {'; '.join(objections)}")])
        return {"objections": objections, "tries": state["tries"] + 1}
    if left and not draft["undoes"]:
        draft = {**draft, "rationale": f"{draft['rationale']} Approved before, and not done: {'; '.join(left)}."}
    needed = judgement.approval
    if needed.role == NOBODY.role and needed.limits:  # waits for a person where a limit over runs holds no more
        over_runs = [one for one in needed.limits if one.per != APPROVER]
        judgement = replace(judgement, approval=raised(needed, context.ledger.standings(run_id, over_runs)))
    proposal = _proposal(context, history.run, draft, judgement, state["grounded"], case, revision)
    actions = "1 action" if len(proposal.plan) == 1 else f"{len(proposal.plan)} actions"
    approvers = f"{proposal.approval.role}{', two different people' if proposal.approval.four_eyes else ''}"
    route = "runs without approval" if proposal.approval.role == NOBODY.role else f"waits for {approvers}"
    text = f"The plan passes: {actions}, {dollars(proposal.money_at_stake_cents)} at stake; it {route}"
    observe(runtime, run_id, [NewObservation("check", "check", text, {"proposal": proposal.proposal_id})])
    proposal = context.ledger.propose(proposal)
    if proposal.held_by:
        waits = f"It waits until run {proposal.held_by}, which would change the same, is closed"
        observe(runtime, run_id, [NewObservation("check", "check", waits)])
    return {
        "draft": None,
        "objections": [],
        "tries": 0,  # what a person decides about this one starts again
        "decision": None,
        "proposal_id": proposal.proposal_id,
        # also where it was decided about before this node could end: the decision is taken from the ledger
        "waits": proposal.status != "automatic",
        "verdict": proposal.verdict,
    }


def _unfounded(task: Task, grounded: Mapping[str, int], draft: Mapping[str, Any]) -> list[str]:
    """What is wrong with the reasons of a model: it may rest them on, and quote, what it was shown and nothing else."""
    found = objections_to_reasons(draft, task.rail, grounded, ())
    if found:  # as where they quote something: then what was shown is gone through
        known = prompt_view(task, feasible(task.case, task.catalogue)).known
        found = objections_to_reasons(draft, task.rail, grounded, known)
    return found


def _proposal(
    context: MissionContext,
    run: Run,
    draft: Mapping[str, Any],
    judgement: Judgement,
    grounded: Mapping[str, int],
    case: Case,
    revision: int,
) -> Proposal:
    cites = dict.fromkeys([*draft["cites"], *judgement.approval.clauses])
    now = context.clock()
    expires = now + timedelta(hours=context.proposal_hours)
    policies = context.policies.period(run.event.as_of).digest
    known = case.known(case.pack.tier) if case.pack.tier else None
    tier = known if isinstance(known, str) else ""
    return Proposal(
        proposal_id=f"{run.run_id}.{revision}",
        run_id=run.run_id,
        revision=revision,
        author=draft["author"],
        verdict=draft["verdict"],
        plan=judgement.plan,
        rationale=draft["rationale"],
        cites=[{"clause": clause, "version": grounded[clause]} for clause in cites],
        alternatives=draft["alternatives"],
        changes=judgement.changes,
        confidence=draft["confidence"],
        money_at_stake_cents=judgement.money_at_stake_cents,
        approval=judgement.approval,
        digest=plan_digest(draft["verdict"], judgement.plan, evidence_digest(case.facts), policies),
        created_at=now,
        expires_at=expires,
        due_at=due_at(now, expires, judgement.money_at_stake_cents, tier),
        tier=tier,
        undoes=draft["undoes"],
    )


def due_at(created_at: datetime, expires_at: datetime, money_at_stake_cents: int, tier: str) -> datetime:
    """The moment by which to decide: the expiry, less up to 45% of the time for money and 45% for the tier.

    Money counts by its order of magnitude, from $10 to $100,000. Equal weights and equal age give equal urgency, so the
    order of two proposals does not change while they wait.
    """
    cents = min(max(money_at_stake_cents, LEAST_CENTS), MOST_CENTS)
    money = math.log(cents / LEAST_CENTS) / math.log(MOST_CENTS / LEAST_CENTS)
    left = 1.0 - SHARE * money - SHARE * TIERS.get(tier, 0.0)
    return created_at + timedelta(seconds=round((expires_at - created_at).total_seconds() * left))


def what_follows(judgement: Judgement) -> str:
    """What becomes of an edit that passes, as a sentence for whoever makes it."""
    if judgement.approval.role == "none":
        return "This is the plan of the rules again: it runs without approval."
    if judgement.approval.own:
        return "Only the tone is yours: you may approve it yourself."
    return f"Your edit needs another person's approval: {judgement.others}."


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
    if takes_back is not None:
        objections = _undoing(case, draft, takes_back, catalogue)
    elif not (objections := _shape(case, draft, catalogue)):
        if draft.get("by") == "model":
            follows = derived(case, draft, catalogue)
        objections = [
            *follows.objections,
            *(f"{clause} is cited and was not retrieved" for clause in draft["cites"] if clause not in grounded),
            *_way_out(case, draft["verdict"]),
            *_guards(case, plan, catalogue),
        ]
    if objections:
        return Judgement(objections)
    others, of_rules = ("more than its letter was edited", False) if editors.keys else ("", True)
    flat, automate = flat_costs(case.pack.approval, values), of(case.pack.approval.automate, values)
    # what the clauses let run without a person follows from the rules, word for word
    if takes_back is None and (editors.keys or all(tier(action, automate) == "automate" for action in plan)):
        own = plan_of_rules(case, catalogue)
        of_rules = is_planned(draft, own) or (draft["verdict"] == "escalate" and not editors.keys)
        others = why_others(case, draft, own, values, editors) if editors.keys else ""
    try:
        steps, promises, gifts = _rehearse(case, plan, catalogue, flat, automate, None if of_rules else own)
        stakes = stake(money for money, _ in gifts)
        seen = (unfinished and draft["verdict"] != "escalate") or follows.discretion or not of_rules
        needed = approval(case, steps, stakes, values, seen=seen, own=bool(editors.keys) and not others)
        at_stake = max(stakes.moved_cents, stakes.given_cents)
        changes = [one for one in promises if one["before"] != one["after"]]
        needed = replace(needed, limits=limits(case, gifts, values))
        return Judgement((), steps, changes, promises, at_stake, needed, others)
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
    """Only the queue is free where a case is handed over: what else is said of it comes from the pack."""
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
    """What ends a case ends it for every reasoner: the first finding that is not known, or that leaves only ends."""
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


def _guards(case: Case, plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[str]:
    """What the guards of the pack and the order of the catalogue object to: what a step takes is not there for the next."""
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
    for place, action in enumerate(plan):
        later = (other["name"] for other in plan[place + 1 :])
        after = (name for name in later if catalogue[action["name"]].comes_after(catalogue[name]))
        objections += [f"{action['name']} must come after {name}" for name in after]
    return objections


def _rehearse(
    case: Case,
    plan: Sequence[Mapping[str, Any]],
    catalogue: Catalogue,
    flat: Mapping[str, int],
    automate: Mapping[str, Any],
    own: Composed | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Gift]]:
    """Do the plan on a copy of the records: its steps, what they promise, what they give.

    Of a plan that is not `own`, that of the rules, what is not as in theirs waits for a person.

    Raises SendBack at the first step whose needs the steps before leave unmet.
    """
    world = case.records.copy()
    steps: list[dict[str, Any]] = []
    promises: list[dict[str, Any]] = []
    gifts: list[Gift] = []
    of_rules = [] if own is None else [(one["name"], one["args"]) for one in own.draft["plan"]]
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
        of_own = own is None or (action.name, args) in of_rules
        # the catalogue says up to which amount a clause may let it run without a person at all
        most = action.automate_up_to_cents
        small = most is not None and None not in cents.values() and sum(filter(None, cents.values())) <= most
        alone = tier(planned, automate) if of_own and small else "recommend"
        shown = {"says": action.sentence(args), "tier": alone, "tool": action.tool, "undo": action.undoing(seen)}
        steps.append({**planned, **shown})
        try:
            promises += [{**change.plain(), "step": step} for change in action.apply(world, seen)]
        except Refused as error:
            raise SendBack(f"step {step}, {action.name}: {error}") from error
    return steps, promises, gifts
