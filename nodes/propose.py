"""propose: ask the reasoner for a plan; or take the plan of the person who edited it, escalate, or take steps back."""

from typing import Any

from langgraph.runtime import Runtime

from errors import Stuck
from nodes.briefing import brief
from nodes.case import Case
from nodes.planner import Planner, escalation
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState
from nodes.wording import EDIT, UNDO, edited, taking_back, without_words


def propose(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Make a draft. On a person's word, or where nothing else has passed, it is an escalation.

    Raises Stuck where not even that passed: no policy is in force at the moment of the case, say.
    """
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    case = context.case(run, state["look"])
    decision, author, undoes = state.get("decision"), context.reasoner.name, state.get("undoing") or ""
    tries, asked = state["tries"], context.reasoner.asked
    # after a model it is the planner's turn
    last = asked if author == Planner.name else asked + 1
    if tries > last:
        raise Stuck(f"not even the escalation passes the check: {'; '.join(state['objections'])}")
    if tries == last:
        says = f"No plan passed the check: {'; '.join(state['objections'])}."
        made, undoes = escalation(case, case.pack.missing.escalate, says, case.pack.missing.cites, context.catalogue), ""
    elif decision and decision["kind"] == "escalate":
        made = escalation(case, _queue(context, run_id, case), "A person escalated it.", [], context.catalogue)
        author, undoes = decision["by"], ""
    elif decision and decision["kind"] == "edit" and not state["objections"]:
        made, author = _edited(context, run_id), decision["by"]
    elif undoes:
        made = {**taking_back(undoes, case, context.catalogue, context.ledger, run_id), "of": UNDO}
    elif tries == asked:
        made = _after_a_model(context, state, case)
    else:
        made = context.reasoner.propose(brief(context, state, case))
    author = made.get("author", author)
    observe(runtime, run_id, [*_said(made), _observation(made, author)])
    kept = without_words({name: value for name, value in made.items() if name != "said"}, context.catalogue)
    return {"draft": {**kept, "author": author, "undoes": undoes}}


def _after_a_model(context: MissionContext, state: MissionState, case: Case) -> dict[str, Any]:
    """The planner's plan, where none of a model passed the check."""
    made = Planner().propose(brief(context, state, case))
    says = f"No plan of {context.reasoner.name} passed the check ({state['tries']} tried, see above); the planner's stands"
    return {**made, "author": Planner.name, "said": [NewObservation("propose", "missing", says), *made["said"]]}


def _queue(context: MissionContext, run_id: str, case: Case) -> str:
    """Where the person who escalated the case wants it to go."""
    decision = next(one for one in reversed(context.ledger.decisions(run_id)) if one.kind == "escalate")
    queue: str = decision.details.get("queue", case.pack.missing.escalate)
    return queue


def _edited(context: MissionContext, run_id: str) -> dict[str, Any]:
    """The last proposal with the person's plan in place of its own."""
    before = context.ledger.proposal(run_id)
    assert before is not None, "an edit is a decision about a proposal"
    return {
        "verdict": before.verdict,
        "plan": edited(context.ledger, run_id),
        "of": EDIT,
        "rationale": before.rationale,
        "cites": [cite["clause"] for cite in before.cites],
        "alternatives": list(before.alternatives),
        "confidence": before.confidence,
    }


def _said(made: dict[str, Any]) -> list[NewObservation]:
    """What a draft says of itself for the rail; sentences alone are about the plan."""
    return [NewObservation("propose", "plan", one) if isinstance(one, str) else one for one in made.get("said", ())]


def _observation(made: dict[str, Any], author: str) -> NewObservation:
    steps = " → ".join(action["name"] for action in made["plan"]) or "nothing to do"
    evidence: dict[str, Any] = {
        "for": {action["name"]: action.get("for") for action in made["plan"]},
        "alternatives": made["alternatives"],
        **{name: made[name] for name in ("model", "prompt", "reasons") if name in made},
    }
    return NewObservation("propose", "plan", f"{author} proposes {made['verdict']}: {steps}", evidence)
