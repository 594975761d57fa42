"""review: wait for a person. Nothing else happens here."""

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from ledger.records import Proposal
from nodes.state import MissionContext, MissionState

ALLOWED = ["approve", "edit", "reject", "respond"]


def review(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Interrupt with a HITLRequest. What it is resumed with counts for nothing: `decision` looks into the ledger."""
    interrupt(request(runtime.context.ledger.proposal(state["run_id"])))
    return {}


def request(proposal: Proposal | None) -> dict[str, Any]:
    """The proposal in the form of LangChain's `HITLRequest`, which inbox clients and Studio show."""
    if proposal is None:
        return {"action_requests": [], "review_configs": []}
    names = dict.fromkeys(action["name"] for action in proposal.plan)
    return {
        "action_requests": [
            {"name": action["name"], "args": dict(action["args"]), "description": action["says"]} for action in proposal.plan
        ],
        "review_configs": [{"action_name": name, "allowed_decisions": ALLOWED} for name in names],
        "proposal": {
            "id": proposal.proposal_id,
            "digest": proposal.digest,
            "verdict": proposal.verdict,
            "rationale": proposal.rationale,
            "role": proposal.approval.role,
            "four_eyes": proposal.approval.four_eyes,
            "money_at_stake_cents": proposal.money_at_stake_cents,
        },
    }
