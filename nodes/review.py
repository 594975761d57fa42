"""review: wait for a person. Nothing else happens here."""

from collections.abc import Sequence
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from ledger.base import Ledger
from ledger.limits import Standing, asked, shown
from ledger.records import Decision, Proposal
from nodes.state import MissionContext, MissionState
from nodes.wording import args_without_words
from systems.catalogue import Catalogue

ALLOWED = ["approve", "edit", "reject", "respond"]


def review(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Interrupt with a HITLRequest. What it is resumed with counts for nothing: `decision` looks into the ledger."""
    context = runtime.context
    proposal = context.ledger.proposal(state["run_id"])
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
