"""What an inbox client answers to a HITLRequest, as a decision for the ledger.

The form is LangChain's `HITLResponse`, with the reason that every decision needs and the digest of the proposal that was
seen: {"decisions": [{"type": "approve"}], "reason": "…", "digest": "…"}. There is one decision for the whole plan, or
one for each step; of a plan whose steps are decided differently, what is rejected is left out: that is an edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from errors import BadInput
from ledger.records import DecisionKind, Proposal

#: what an edited plan keeps of a step
_KEPT = ("name", "for", "part", "cites")
_FIELDS: Mapping[str, frozenset[str]] = {
    "approve": frozenset({"type"}),
    "reject": frozenset({"type", "message"}),
    "respond": frozenset({"type", "message"}),
    "edit": frozenset({"type", "edited_action"}),
}


@dataclass(frozen=True)
class Response:
    """A decision as a person words it, which the ledger has yet to take."""

    kind: DecisionKind
    reason: str
    digest: str
    details: Mapping[str, Any] = field(default_factory=dict)


def response_of(answer: Any, proposal: Proposal) -> Response:
    """The decision that an answer means. Raises BadInput for whatever is not wholly one."""
    if not isinstance(answer, dict) or not set(answer) <= {"decisions", "reason", "digest"}:
        raise BadInput("a decision is {decisions, reason, digest} and nothing else; see docs/studio.md")
    decisions = _decisions(answer.get("decisions"), len(proposal.plan))
    reason, digest = answer.get("reason", _message(decisions)), answer.get("digest")
    if not isinstance(reason, str) or not reason.strip():
        raise BadInput("every decision needs a reason; give «reason»")
    if not isinstance(digest, str) or not digest:
        raise BadInput("give the «digest» of the proposal that you saw, as the request names it")
    kinds = {decision["type"] for decision in decisions}
    if kinds == {"approve"}:
        return Response("approve", reason, digest)
    if kinds == {"reject"}:
        return Response("reject", reason, digest)
    if kinds == {"respond"}:
        return Response("respond", reason, digest, {"remark": reason})
    if "respond" in kinds or len(decisions) != len(proposal.plan):
        raise BadInput("to edit or skip steps, give one decision for each step, in order")
    return Response("edit", reason, digest, {"plan": _edited(proposal, decisions)})


def _decisions(given: Any, steps: int) -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list) or len(given) not in (1, steps):
        raise BadInput(f"«decisions» is a list of one decision for the plan, or of {steps}, one for each step")
    for decision in given:
        kind = decision.get("type") if isinstance(decision, dict) else None
        if not isinstance(kind, str) or kind not in _FIELDS or not set(decision) <= _FIELDS[kind]:
            raise BadInput(f"the type of a decision is {', '.join(_FIELDS)}, and it has no other fields than its type takes")
    return given


def _message(decisions: Sequence[Mapping[str, Any]]) -> Any:
    """The messages of those that reject or ask, where they all say the same."""
    messages = [decision["message"] for decision in decisions if "message" in decision]
    return messages[0] if messages and all(message == messages[0] for message in messages) else None


def _edited(proposal: Proposal, decisions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    plan = []
    for step, decision in zip(proposal.plan, decisions, strict=True):
        if decision["type"] != "reject":
            plan.append({**{key: step[key] for key in _KEPT}, "args": _args(step, decision.get("edited_action"))})
    return plan


def _args(step: Mapping[str, Any], edited: Any) -> dict[str, Any]:
    """The arguments of a step with those that were edited; letters and addresses, which a request does not show, stay."""
    if edited is None:
        return dict(step["args"])
    args = edited.get("args") if isinstance(edited, dict) else None
    if not isinstance(args, dict) or edited.get("name") != step["name"] or not set(edited) <= {"name", "args"}:
        raise BadInput(f"an edit of {step['name']} must keep its name; give {{name, args}}")
    if unknown := [name for name in args if name not in step["args"]]:
        raise BadInput(f"{step['name']} has no argument {str(unknown[0])[:60]!r}; it has {', '.join(step['args'])}")
    return {**step["args"], **args}
