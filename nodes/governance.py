"""Who must approve a plan: tiers of actions, money bands, clauses that raise the role. The numbers stand in the clauses.

What a language model decided, read or wrote never runs unseen, whatever the clauses let run without a person.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.records import ROLES, Approval
from nodes.case import Case
from nodes.listening import UNDERSTAND
from nodes.pack import ApprovalRule

Plan = Sequence[Mapping[str, Any]]


def tier(action: Mapping[str, Any], rules: Mapping[str, Any]) -> str:
    """`automate` if the clause lets such an action run without a person (values automate, automate_templates), else `recommend`.

    That goes for the action as the pack plans it, with the words of the pack: `nodes.judge` holds every other to a person.
    """
    if action.get("written_by"):
        return "recommend"
    if action["name"] in rules["automate"]:
        return "automate"
    templates = rules["automate_templates"].get(action["name"], ())
    return "automate" if action["args"].get("template") in templates else "recommend"


def automatic(case: Case, plan: Plan, values: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the clauses let every action of a plan run without a person, if nobody has worded it otherwise."""
    automate = values.get(case.pack.approval.automate.replace("-", "_"))
    return automate is not None and all(tier(action, automate) == "automate" for action in plan)


def read_by_a_model(case: Case) -> bool:
    """Whether the case stands on how a model understood a text."""
    return any(fact.tool == UNDERSTAND and isinstance(fact.value, dict) and fact.value.get("read_by") for fact in case.facts)


def approval(
    case: Case,
    plan: Plan,
    money_at_stake_cents: int,
    values: Mapping[str, Mapping[str, Any]],
    *,
    seen: bool = False,
    own: bool = False,
) -> Approval:
    """The least role for a plan, whether two people must approve, and the clauses that raise it above the base.

    `seen` asks for a person whatever the clauses let run without one; `own` where whoever worded it may be that person.
    Raises Unknown when a rule cannot be told from the facts.
    """
    rule: ApprovalRule = case.pack.approval
    if not seen and automatic(case, plan, values):
        return Approval(role="none", four_eyes=False)
    base = values[rule.base.replace("-", "_")]["role"]
    band = _band(money_at_stake_cents, values[rule.bands.replace("-", "_")]["bands"])
    asked = [(rule.bands, band["role"], bool(band.get("four_eyes")))]
    for one in rule.raises:
        hit = any(action["name"] == one.for_ and case.holds(one.that, {"args": action["args"]}) for action in plan)
        if hit:
            asked.append((one.clause, values[one.clause.replace("-", "_")]["role"], False))
    role = max([base, *(role for _, role, _ in asked)], key=ROLES.index)
    return Approval(
        role=role,
        four_eyes=any(four_eyes for _, _, four_eyes in asked),
        clauses=tuple(clause for clause, least, _ in asked if least == role != base),
        own=own,
    )


def _band(cents: int, bands: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(band for band in bands if cents <= band.get("up_to_cents", cents))
