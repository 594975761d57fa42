"""review: wait for a person, and nothing else. decision: take what the person decided from the ledger.

What the graph is resumed with is not looked at."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from errors import Stuck
from ledger.base import Ledger
from ledger.limits import Standing, asked, shown
from ledger.records import Decision, NewObservation, Proposal
from nodes.state import MissionContext, MissionState, observe
from systems.arguments import is_free, without_words
from systems.catalogue import Catalogue

ALLOWED = ["approve", "edit", "reject", "respond"]


def review(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Interrupt with a HITLRequest. What it is resumed with counts for nothing: `decision` looks into the ledger."""
    context = runtime.context
    proposal = context.ledger.history(state["run_id"]).proposal
    interrupt(request(proposal, context.catalogue, standings(context.ledger, proposal)))
    return {}


def standings(ledger: Ledger, proposal: Proposal | None, approvals: Sequence[Decision] = (), by: str = "") -> list[Standing]:
    """The limits over runs that say something of a proposal, as they stand now; with those of `by`, who is about to decide."""
    if proposal is None or not proposal.approval.limits:
        return []
    return shown(ledger.standings(proposal.run_id, asked(proposal, proposal.approval.limits, approvals, by)))


def request(proposal: Proposal | None, catalogue: Catalogue, limits: Sequence[Standing] = ()) -> dict[str, Any]:
    """The proposal in the form of LangChain's `HITLRequest`, which inbox clients and Studio show, without its words.

    It is kept with the checkpoint; letters, addresses and the rationale stand in the ledger alone, where a person reads them.
    """
    if proposal is None:
        return {"action_requests": [], "review_configs": []}
    names = dict.fromkeys(action["name"] for action in proposal.plan)
    return {
        "action_requests": [
            {"name": step["name"], "args": args_without_words(step, catalogue), "description": step["says"]}
            for step in proposal.plan
        ],
        "review_configs": [{"action_name": name, "allowed_decisions": ALLOWED} for name in names],
        "proposal": {
            "id": proposal.proposal_id,
            "digest": proposal.digest,
            "verdict": proposal.verdict,
            "role": proposal.approval.role,
            "four_eyes": proposal.approval.four_eyes,
            "money_at_stake_cents": proposal.money_at_stake_cents,
            "limits": [f"{one.whose}: {one.of}" for one in limits],
        },
    }


def args_without_words(step: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """The arguments of a step but letters and addresses: what of it may stand in a checkpoint, or in what a model is asked."""
    if step["name"] not in catalogue:
        return dict(step["args"])
    kinds = catalogue[step["name"]].args
    args = step["args"].items()
    return {name: without_words(kinds[name], value) for name, value in args if name in kinds and not is_free(kinds[name])}


def decision(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """The last decision about the proposal; a look again where another run had to come first.

    Raises Stuck where the ledger has none: somebody resumed the graph by hand.
    """
    context, run_id = runtime.context, state["run_id"]
    history = context.ledger.history(run_id)
    proposal = history.proposal
    decisions = [one for one in history.decisions if proposal and one.proposal_id == proposal.proposal_id]
    if proposal is not None and proposal.status == "superseded":
        if proposal.held_by:
            said = f"Run {proposal.held_by}, which would change the same records, is closed; the data is read again"
            observe(runtime, run_id, [NewObservation("decision", "decision", said)])
        return {"decision": {"id": None, "kind": "respond", "by": "", "about": proposal.proposal_id}}
    if proposal is not None and proposal.status == "automatic":  # made by whoever drove the run before, and stopped after it
        made = {"id": None, "kind": "approve", "by": "", "about": proposal.proposal_id}
        return {"decision": made, "proposal_id": proposal.proposal_id, "verdict": proposal.verdict}
    if proposal is None or proposal.status == "pending" or not decisions:
        raise Stuck(f"run {run_id} was resumed without a decision in the ledger; decide about it with `missions decide`")
    last = decisions[-1]
    decided = {"id": last.decision_id, "kind": last.kind, "by": last.by, "about": proposal.proposal_id}
    taken: MissionState = {"decision": decided, "verdict": proposal.verdict}
    if last.kind == "approve":
        return {**taken, "proposal_id": proposal.proposal_id}
    # whoever asks for another look does not want the steps taken back
    return {**taken, "undoing": None} if last.kind == "respond" else taken
