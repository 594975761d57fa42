"""propose: ask the reasoner for a plan; or take the plan of the person who edited it, escalate, or take steps back."""

from typing import Any

from langgraph.runtime import Runtime

from errors import Stuck
from ledger.records import NewObservation, RunHistory
from nodes.planner import Planner, escalation, planners_plan
from nodes.state import MissionContext, MissionState, brief, observe
from nodes.undo import undoing
from rendering import words


def propose(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Make a draft. On a person's word, or where nothing else has passed, it is an escalation.

    Raises Stuck where not even that passed: no policy is in force at the moment of the case, say.
    """
    context, run_id = runtime.context, state["run_id"]
    history = context.ledger.history(run_id)
    made = {"author": context.reasoner.name, "undoes": "", **_made(context, state, history)}
    # what a draft says of itself; sentences alone are about the plan
    said = [NewObservation("propose", "plan", one) if isinstance(one, str) else one for one in made.get("said", ())]
    steps = " → ".join(words(action["name"]) for action in made["plan"]) or "nothing to do"
    evidence: dict[str, Any] = {
        "for": {action["name"]: action.get("for") for action in made["plan"]},
        "alternatives": made["alternatives"],
        **{name: made[name] for name in ("model", "prompt", "reasons") if name in made},
    }
    proposes = f"{made['author']} proposes “{words(made['verdict'])}”: {steps}"
    observe(runtime, run_id, [*said, NewObservation("propose", "plan", proposes, evidence)])
    return {"draft": context.ledger.draft(run_id, {name: value for name, value in made.items() if name != "said"})}


def _made(context: MissionContext, state: MissionState, history: RunHistory) -> dict[str, Any]:
    """The draft whose turn it is: a person's, steps taken back, the reasoner's, the planner's; last an escalation."""
    case = context.case_of(history)
    decision, kind = state.get("decision"), (state.get("decision") or {}).get("kind")
    tries, undoes, asked = state["tries"], state.get("undoing") or "", context.reasoner.asked
    last = asked if context.reasoner.name == Planner.name else asked + 1
    if tries > last:
        raise Stuck(f"not even the escalation passes the check: {'; '.join(state['objections'])}")
    if tries == last:
        says = f"No plan passed the check: {'; '.join(state['objections'])}."
        return escalation(case, case.pack.missing.escalate, says, case.pack.missing.cites, context.catalogue)
    if decision and kind == "escalate":
        word = next(one for one in reversed(history.decisions) if one.kind == "escalate")
        queue = word.details.get("queue", case.pack.missing.escalate)
        return {**escalation(case, queue, "A person escalated it.", [], context.catalogue), "author": decision["by"]}
    if decision and kind == "edit" and not state["objections"]:
        return {**_edited(history), "author": decision["by"], "undoes": undoes}
    if undoes:
        undone = next(one for one in history.proposals if one.proposal_id == undoes)
        back = undoing(case, undone, history.effects, context.catalogue)
        return {**back, "undoes": undoes}
    if tries == asked:
        tried = f"({tries} tried, see above)"
        says = f"No plan of {context.reasoner.name} passed the check {tried}; the planner's plan is used"
        return planners_plan(brief(context, state, history, case), says)
    return context.reasoner.propose(brief(context, state, history, case))


def _edited(history: RunHistory) -> dict[str, Any]:
    """The last proposal with the person's plan in place of its own."""
    before = history.proposal
    assert before is not None, "an edit is a decision about a proposal"
    edit = next(one for one in reversed(history.decisions) if one.kind == "edit")
    return {
        "verdict": before.verdict,
        "plan": edit.details["plan"],
        "rationale": before.rationale,
        "cites": [cite["clause"] for cite in before.cites],
        "alternatives": list(before.alternatives),
        "confidence": before.confidence,
    }
