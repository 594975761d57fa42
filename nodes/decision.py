"""decision: take the person's decision from the ledger. What the graph was resumed with is not looked at."""

from langgraph.runtime import Runtime

from errors import Stuck
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState


def decision(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """The last decision about the proposal; a look again where another run had to come first.

    Raises Stuck where the ledger has none: somebody resumed the graph by hand.
    """
    context, run_id = runtime.context, state["run_id"]
    proposal = context.ledger.proposal(run_id)
    decisions = [one for one in context.ledger.decisions(run_id) if proposal and one.proposal_id == proposal.proposal_id]
    if proposal is not None and proposal.status == "superseded":
        if proposal.held_by:
            said = f"Run {proposal.held_by}, which would change the same, is closed; the world is looked at anew"
            observe(runtime, run_id, [NewObservation("decision", "decision", said)])
        return {"decision": {"id": None, "kind": "respond", "by": "", "about": proposal.proposal_id}}
    if proposal is not None and proposal.status == "automatic":  # made by whoever drove the run before, and stopped after it
        made = {"id": None, "kind": "approve", "by": "", "about": proposal.proposal_id}
        return {"decision": made, "proposal_id": proposal.proposal_id, "verdict": proposal.verdict}
    if proposal is None or proposal.status == "pending" or not decisions:
        raise Stuck(f"run {run_id} was resumed without a decision in the ledger; decide about it with `missions decide`")
    last = decisions[-1]
    told = {"id": last.decision_id, "kind": last.kind, "by": last.by, "about": proposal.proposal_id}
    taken: MissionState = {"decision": told, "verdict": proposal.verdict}
    if last.kind == "approve":
        return {**taken, "proposal_id": proposal.proposal_id}
    # whoever asks for another look does not want the steps taken back
    return {**taken, "undoing": None} if last.kind == "respond" else taken
