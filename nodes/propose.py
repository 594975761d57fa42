"""propose: ask the reasoner for a plan; or take the plan of the person who edited it, escalate, or take steps back."""

from typing import Any

from langgraph.runtime import Runtime

from errors import Stuck
from nodes.diagnose import find
from nodes.planner import escalation
from nodes.rail import NewObservation, observe
from nodes.state import MOST_TRIES, MissionContext, MissionState
from nodes.undo import undoing


def propose(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Make a draft. After too many objections, or on a person's word, the draft is an escalation.

    Raises Stuck where not even that passed: no policy is in force at the moment of the case, say.
    """
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    case = context.case(run, state["look"])
    decision, author, undoes = state.get("decision"), context.reasoner.name, state.get("undoing") or ""
    if state["tries"] > MOST_TRIES:
        raise Stuck(f"not even the escalation passes the check: {'; '.join(state['objections'])}")
    if state["tries"] == MOST_TRIES:
        says = f"No plan passed the check: {'; '.join(state['objections'])}."
        made, undoes = escalation(case, case.pack.missing.escalate, says, case.pack.missing.cites, context.catalogue), ""
    elif decision and decision["kind"] == "escalate":
        made = escalation(
            case, decision["details"].get("queue", case.pack.missing.escalate), "A person escalated it.", [], context.catalogue
        )
        author, undoes = decision["by"], ""
    elif decision and decision["kind"] == "edit" and not state["objections"]:
        made, author = _edited(context, run_id, decision["details"]["plan"]), decision["by"]
    elif undoes:
        undone = next(one for one in context.ledger.proposals(run_id) if one.proposal_id == undoes)
        made = undoing(case, undone, context.ledger.effects(run_id), context.catalogue)
    else:
        made = context.reasoner.propose(case, find(case), context.catalogue)
    said = [NewObservation("propose", "plan", sentence) for sentence in made.get("said", ())]
    observe(runtime, run_id, [*said, _observation(made, author)])
    return {"draft": {**{name: value for name, value in made.items() if name != "said"}, "author": author, "undoes": undoes}}


def _edited(context: MissionContext, run_id: str, plan: list[dict[str, Any]]) -> dict[str, Any]:
    """The last proposal with the person's plan in place of its own."""
    before = context.ledger.proposal(run_id)
    assert before is not None, "an edit is a decision about a proposal"
    return {
        "verdict": before.verdict,
        "plan": plan,
        "rationale": before.rationale,
        "cites": [cite["clause"] for cite in before.cites],
        "alternatives": list(before.alternatives),
        "confidence": before.confidence,
    }


def _observation(made: dict[str, Any], author: str) -> NewObservation:
    steps = " → ".join(action["name"] for action in made["plan"]) or "nothing to do"
    evidence = {"for": {action["name"]: action.get("for") for action in made["plan"]}, "alternatives": made["alternatives"]}
    return NewObservation("propose", "plan", f"{author} proposes {made['verdict']}: {steps}", evidence)
