"""Labels: what people decided about a proposal, as the `expected` of a recorded exception."""

from collections.abc import Mapping, Sequence
from typing import Any

from errors import BadInput, SendBack
from ledger.records import ROLES, Decision, Proposal
from nodes.execute import steps_left_out
from nodes.pack import Pack
from systems.catalogue import Catalogue

_FIELDS = ("verdict", "actions", "before", "cite", "approval")


def label_of(proposal: Proposal, decisions: Sequence[Decision], catalogue: Catalogue) -> dict[str, Any] | None:
    """What is expected of a case after people decided about its latest proposal; None where nobody did, or they rejected it.

    What a person proposed in its place counts, by an edit or an escalation, unless somebody overruled that.
    """
    by_a_person = any(one.by == proposal.author and one.kind in ("edit", "escalate") for one in decisions)
    overruled = proposal.status in ("rejected", "sent_back", "escalated")
    if overruled or not (by_a_person or proposal.status == "approved"):
        return None
    left_out = steps_left_out(proposal, decisions)
    plan = [action for step, action in enumerate(proposal.plan) if step not in left_out]
    return {
        "verdict": proposal.verdict,
        "actions": [{"name": action["name"], "args": dict(action["args"])} for action in plan],
        "before": order_that_matters(plan, catalogue),
        "cite": [cite["clause"] for cite in proposal.cites],
        "approval": {"role": proposal.approval.role, "four_eyes": proposal.approval.four_eyes},
    }


def order_that_matters(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[list[int]]:
    """The pairs of places of which the catalogue says that the first comes before the second."""
    actions = [catalogue[step["name"]] for step in plan]
    places = range(len(actions))
    return [[i, j] for i in places for j in places if i != j and actions[j].comes_after(actions[i])]


def check_expected(raw: Any, pack: Pack, catalogue: Catalogue) -> dict[str, Any]:
    """What a person says is right, validated. Raises BadInput with the field that is not as it must be."""
    if not isinstance(raw, dict) or sorted(raw) != sorted(_FIELDS):
        raise BadInput(f"what is expected must be an object with {', '.join(_FIELDS)}; see evals/cases/README.md")
    verdict, actions, before, cite, approval = (raw[field] for field in _FIELDS)
    if not isinstance(verdict, str) or verdict not in pack.verdicts:
        raise BadInput(f"«verdict» must be one of {', '.join(pack.verdicts)}")
    if not isinstance(actions, list):
        raise BadInput("«actions» must be a list of objects with name and args")
    for number, action in enumerate(actions, start=1):
        _check_action(action, f"action {number}", pack, catalogue)
    places = range(len(actions))
    if not isinstance(before, list) or not all(_is_pair(pair) and pair[0] in places and pair[1] in places for pair in before):
        raise BadInput(f"«before» must be a list of pairs of places, of the {len(actions)} actions, counted from 0")
    if not isinstance(cite, list) or not all(isinstance(clause, str) for clause in cite):
        raise BadInput("«cite» must be a list of ids of clauses")
    route = approval if isinstance(approval, dict) else {}
    if sorted(route) != ["four_eyes", "role"] or route["role"] not in ROLES or not isinstance(route["four_eyes"], bool):
        raise BadInput(f"«approval» must have a role ({', '.join(ROLES)}) and four_eyes (true or false)")
    return raw


def _check_action(action: Any, where: str, pack: Pack, catalogue: Catalogue) -> None:
    if not isinstance(action, dict) or sorted(action) != ["args", "name"] or not isinstance(action["args"], dict):
        raise BadInput(f"{where}: must be an object with name and args")
    name = action["name"]
    if not isinstance(name, str) or name not in pack.actions:
        raise BadInput(f"{where}: {str(name)[:60]!r} is no action of {pack.mission}; it has {', '.join(sorted(pack.actions))}")
    try:
        catalogue[name].validate(action["args"])
    except SendBack as error:
        raise BadInput(f"{where}: {error}") from error


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(place) is int and place >= 0 for place in pair)
