"""Who must approve a plan: tiers of actions, money bands, clauses that raise the role. The numbers stand in the clauses.

What a language model decided, read or wrote never runs unseen, whatever the clauses let run without a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.inbox import source_of
from ledger.limits import alike
from ledger.records import APPROVER, DAY, ROLES, SOURCE, Approval, Limit
from nodes.case import Case
from nodes.pack import ApprovalRule
from nodes.understanding import UNDERSTAND

Plan = Sequence[Mapping[str, Any]]
#: clause id with an underscore -> its values
Values = Mapping[str, Mapping[str, Any]]
#: what a step moves or costs, by kind, None where it is not known; and who receives it, by what they are
Gift = tuple[Mapping[str, int | None], Mapping[str, str]]

#: kinds of money of which the largest sum is what a plan's bands are about, and those that are given away
_MOVED = ("refund", "capture", "release", "payment")
_GIVEN = ("refund", "credit", "cost")
#: what limits over runs count
COUNTED: Mapping[str, Sequence[str]] = {"given": _GIVEN, "paid": ("payment",)}
GIVEN_AWAY = "given"


@dataclass(frozen=True)
class Stake:
    """What a plan moves and gives away, in cents; the larger of the two is at stake."""

    #: the largest of its refunds, its captures, what it releases, what it pays
    moved_cents: int
    #: its refunds, credits and costs together, as far as they are known
    given_cents: int
    #: whether all that it gives away is known
    known: bool


def stake(money: Iterable[Mapping[str, int | None]]) -> Stake:
    """What steps move and give away; `money` of each, by kind, None where it is not known."""
    moved, given, known = dict.fromkeys(_MOVED, 0), 0, True
    for step in money:
        for kind, cents in step.items():
            known = known and cents is not None
            if kind in moved:
                moved[kind] += cents or 0
            if kind in _GIVEN:
                given += cents or 0
    return Stake(max(moved.values()), given, known)


def limits(case: Case, steps: Sequence[Gift], values: Values) -> tuple[Limit, ...]:
    """The limits over runs that the steps of a plan add to, and how much."""
    found = []
    for clause in case.pack.approval.limits:
        for one in of(clause, values)["limits"]:
            kind, per = one.get("counts", GIVEN_AWAY), one["per"]
            adds: dict[str, list[tuple[int, int]]] = {}
            keys: dict[str, str] = {}
            for step, (money, receivers) in enumerate(steps):
                cents = sum(money.get(counted) or 0 for counted in COUNTED[kind])
                if cents and (per in (APPROVER, SOURCE, DAY) or per in receivers):
                    key = source_of(case.event.source_id) if per == SOURCE else receivers.get(per, "")
                    adds.setdefault(alike(key), []).append((step, cents))
                    keys.setdefault(alike(key), key)
            found += [
                Limit(
                    clause=clause, per=per, key=keys[key], kind=kind, days=one["days"], most_cents=one["most_cents"],
                    role=one["role"], four_eyes=bool(one.get("four_eyes")), adds=tuple(added),
                )
                for key, added in adds.items()
            ]  # fmt: skip
    return tuple(found)


def flat_costs(rule: ApprovalRule, values: Values) -> dict[str, int]:
    """Action -> what one costs where no record says so."""
    return {one["action"]: one["each_cents"] for one in of(rule.costs, values)["flat"]}


def of(clause: str, values: Values) -> Mapping[str, Any]:
    """The values of a clause."""
    return values[clause.replace("-", "_")]


def tier(action: Mapping[str, Any], rules: Mapping[str, Any]) -> str:
    """`automate` if the clause lets such an action run without a person (values automate, automate_templates), else `recommend`.

    That goes for the action as the pack plans it, with the words of the pack: `nodes.check` holds every other to a person.
    """
    if action.get("written_by"):
        return "recommend"
    if action["name"] in rules["automate"]:
        return "automate"
    templates = rules["automate_templates"].get(action["name"], ())
    return "automate" if action["args"].get("template") in templates else "recommend"


def approval(case: Case, plan: Plan, stakes: Stake, values: Values, *, seen: bool = False, own: bool = False) -> Approval:
    """The least role for a plan, whether two people must approve, and the clauses that raise it above the base.

    `plan` has the tier of every action. `seen` asks for a person whatever the clauses let run without one; `own` where
    whoever worded it may be that person.
    Raises Unknown when the facts do not decide a rule.
    """
    rule: ApprovalRule = case.pack.approval
    # what stands on how a model understood a text waits for a person too
    seen = seen or any(
        fact.tool == UNDERSTAND and isinstance(fact.value, dict) and fact.value.get("read_by") for fact in case.facts
    )
    if not seen and all(action["tier"] == "automate" for action in plan):
        return Approval(role="none", four_eyes=False)
    base = of(rule.base, values)["role"]
    asked = [_band(rule.bands, stakes.moved_cents, values)]
    for one in rule.raises:
        hit = any(action["name"] == one.for_ and case.holds(one.that, {"args": action["args"]}) for action in plan)
        if hit:
            asked.append((one.clause, of(one.clause, values)["role"], False))
    costs = _band(rule.costs, stakes.given_cents if stakes.known else None, values)
    if all(ROLES.index(costs[1]) > ROLES.index(role) for _, role, _ in asked) or costs[2]:
        asked.append(costs)  # cited where it raises what the others ask for
    role = max([base, *(role for _, role, _ in asked)], key=ROLES.index)
    return Approval(
        role=role,
        four_eyes=any(four_eyes for _, _, four_eyes in asked),
        clauses=tuple(clause for clause, least, _ in asked if least == role != base),
        own=own,
    )


def _band(clause: str, cents: int | None, values: Values) -> tuple[str, str, bool]:
    """What the bands of a clause ask for: the clause, the role, whether two must approve. What is not known is in the last."""
    bands = of(clause, values)["bands"]
    band = next((one for one in bands if cents is not None and cents <= one.get("up_to_cents", cents)), bands[-1])
    return clause, band["role"], bool(band.get("four_eyes"))
