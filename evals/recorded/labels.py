"""What is expected of a recorded exception: its form, and what people decided about a proposal as such a label."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from errors import BadInput, SendBack
from ledger.authorization import steps_left_out
from ledger.records import ROLES, Decision, Proposal
from nodes.pack import Pack
from systems.catalogue import Catalogue


def faults_of_form(expected: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each part of `expected` that is not as evals/cases/README.md has it; without any it can be compared."""
    if not isinstance(expected.get("verdict"), str):
        yield "expected.verdict must be text"
    actions = expected.get("actions")
    if not isinstance(actions, list) or not all(map(_is_action, actions)):
        yield "expected.actions must be a list of actions with name (text) and args (an object)"
        actions = []
    cite = expected.get("cite")
    if not isinstance(cite, list) or not all(isinstance(clause, str) for clause in cite):
        yield "expected.cite must be a list of clauses"
    approval = expected.get("approval")
    if (
        not isinstance(approval, dict)
        or not isinstance(approval.get("role"), str)
        or not isinstance(approval.get("four_eyes"), bool)
    ):
        yield "expected.approval must have role (text) and four_eyes (true or false)"
    before = expected.get("before")
    if not isinstance(before, list) or not all(map(_is_pair, before)):
        yield "expected.before must be a list of pairs of whole numbers"
        return
    for pair in before:
        if not all(0 <= place < len(actions) for place in pair):
            yield f"expected.before names the pair {pair}, and there are {len(actions)} actions, counted from 0"


def _is_action(action: Any) -> bool:
    return isinstance(action, dict) and isinstance(action.get("name"), str) and isinstance(action.get("args"), dict)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(place) is int for place in pair)


_FIELDS = ("verdict", "actions", "before", "cite", "approval")


def label_of(proposal: Proposal, decisions: Sequence[Decision], catalogue: Catalogue) -> dict[str, Any] | None:
    """What is expected of a case after people decided about its latest proposal; None where nobody did, or they rejected it.

    What a person proposed in its place counts, by an edit or an escalation, unless somebody overruled that.
    """
    overruled = proposal.status in ("rejected", "sent_back", "escalated")
    if overruled or not (by_a_person(proposal, decisions) or proposal.status == "approved"):
        return None
    left_out = steps_left_out(proposal, decisions)
    plan = [action for step, action in enumerate(proposal.plan) if step not in left_out]
    return {**plain_answer(proposal, plan), "before": order_that_matters(plan, catalogue)}


def plain_answer(proposal: Proposal, plan: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A proposal with these of its steps as {"verdict", "actions", "cite", "approval"} of evals/cases/README.md."""
    return {
        "verdict": proposal.verdict,
        "actions": [{"name": action["name"], "args": dict(action["args"])} for action in plan],
        "cite": [cite["clause"] for cite in proposal.cites],
        "approval": {"role": proposal.approval.role, "four_eyes": proposal.approval.four_eyes},
    }


def by_a_person(proposal: Proposal, decisions: Sequence[Decision]) -> bool:
    """Whether a person made it, by an edit or an escalation, and not the reasoner."""
    return any(one.by == proposal.author and one.kind in ("edit", "escalate") for one in decisions)


def order_that_matters(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> list[list[int]]:
    """The pairs of places of which the catalogue says that the first comes before the second; of an action that has left
    it, it says nothing."""
    actions = {place: action for place, step in enumerate(plan) if (action := catalogue.get(step["name"]))}
    return [[i, j] for i in actions for j in actions if i != j and actions[j].comes_after(actions[i])]


def check_expected(raw: Any, pack: Pack, catalogue: Catalogue) -> dict[str, Any]:
    """What a person says is right, validated. Raises BadInput with the field that is not as it must be."""
    if not isinstance(raw, dict) or sorted(raw) != sorted(_FIELDS):
        raise BadInput(f"what is expected must be an object with {', '.join(_FIELDS)}; see evals/cases/README.md")
    if fault := next(faults_of_form(raw), None):
        raise BadInput(f"{fault}; see evals/cases/README.md")
    if raw["verdict"] not in pack.verdicts:
        raise BadInput(f"expected.verdict must be one of {', '.join(pack.verdicts)}")
    for number, action in enumerate(raw["actions"], start=1):
        _check_action(action, f"action {number}", pack, catalogue)
    if sorted(raw["approval"]) != ["four_eyes", "role"] or raw["approval"]["role"] not in ROLES:
        raise BadInput(f"expected.approval must have a role ({', '.join(ROLES)}) and four_eyes only")
    return raw


def _check_action(action: Mapping[str, Any], where: str, pack: Pack, catalogue: Catalogue) -> None:
    name = action["name"]
    if sorted(action) != ["args", "name"]:
        raise BadInput(f"{where}: must have name and args only")
    if name not in pack.actions:
        raise BadInput(f"{where}: {name[:60]!r} is not an action of {pack.mission}; it has {', '.join(sorted(pack.actions))}")
    try:
        catalogue[name].validate(action["args"])
    except SendBack as error:
        raise BadInput(f"{where}: {error}") from error
