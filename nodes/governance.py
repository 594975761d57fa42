"""Who must approve a plan: tiers of actions, money bands, clauses that raise the role. The numbers stand in the clauses.

Clauses that would let more run than the catalogue allows, or say nothing, do not load with a pack (`check_approval`).
What a language model decided, read or wrote never runs unseen, whatever the clauses let run without a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from knowledge_index.policies import Clause
from ledger.limits import alike
from ledger.records import APPROVER, DAY, ROLES, SOURCE, Approval, Limit
from nodes.case import Case
from nodes.clause_values import ask
from nodes.pack import UNDERSTAND, ApprovalRule, Pack
from systems.catalogue import HAND_OVER, Catalogue

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
#: of the window of a limit over runs, and of what goes out within it
MOST_DAYS, MOST_CENTS = 366, 10**12
_OF_A_LIMIT = {"per", "counts", "days", "most_cents", "role", "four_eyes"}
_A_ROLE = f"a role, one of {', '.join(ROLES[1:])}"


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
                    key = case.event.source if per == SOURCE else receivers.get(per, "")
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
    if action["name"] == HAND_OVER or ask(rules, runs_alone, action["name"], action["args"].get("template")):
        return "automate"
    return "recommend"


def runs_alone(rules: Mapping[str, Any], action: str, template: str | None) -> bool:
    """Whether a clause lets an action, or one of its templates, run without a person."""
    return action in rules["automate"] or template in rules["automate_templates"].get(action, ())


def approval(case: Case, plan: Plan, stakes: Stake, values: Values, *, seen: bool = False, own: bool = False) -> Approval:
    """The least role for a plan, whether two people must approve, and the clauses that raise it above the base.

    `plan` has the tier of every action. `seen` asks for a person whatever the clauses let run without one; `own` where
    whoever worded it may be that person.
    Raises Unknown when the facts do not decide a rule.
    """
    rule: ApprovalRule = case.pack.approval
    # what stands on how a model understood a text waits for a person too
    seen = (
        seen
        or bool(case.event.trigger.get("read_by"))
        or any(fact.tool == UNDERSTAND and isinstance(fact.value, dict) and fact.value.get("read_by") for fact in case.facts)
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
    return clause, *ask(of(clause, values), band, cents)


def band(rules: Mapping[str, Any], cents: int | None) -> tuple[str, bool]:
    """The role, and whether two must approve, that the bands of a clause ask for."""
    bands = rules["bands"]
    found = next((one for one in bands if cents is not None and cents <= one.get("up_to_cents", cents)), bands[-1])
    return found["role"], bool(found.get("four_eyes"))


def check_approval(pack: Pack, catalogue: Catalogue, clauses: Mapping[str, Clause]) -> None:
    """Raises ValueError with the first thing that is wrong with the clauses that the pack names under `approval`."""
    rule, values = pack.approval, {clause: clauses[clause].values for clause in pack.rules}
    _check_automate(rule.automate, values[rule.automate], catalogue)
    for clause in (rule.base, *(one.clause for one in rule.raises)):
        _require(_has_role(values[clause]), f"{clause} must name {_A_ROLE}")
    for clause in (rule.bands, rule.costs):
        _check_bands(clause, values[clause])
    _check_costs(rule.costs, values[rule.costs], catalogue)
    limits = [one for clause in rule.limits for one in _check_limits(clause, values[clause], catalogue)]
    money = {kind for name in pack.actions if name in catalogue for kind in catalogue[name].money}
    for kind in COUNTED.keys() - {one.get("counts", GIVEN_AWAY) for one in limits}:
        uncounted = f"no limit of {', '.join(rule.limits)} counts {kind}, but its actions do"
        _require(money.isdisjoint(COUNTED[kind]), uncounted)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _has_role(rule: Mapping[str, Any]) -> bool:
    return rule.get("role") in ROLES[1:]


def _records(values: Mapping[str, Any], name: str, otherwise: str) -> Sequence[Mapping[str, Any]]:
    found = values.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise ValueError(otherwise)
    return found


def _check_automate(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> None:
    listed, templates = values.get("automate"), values.get("automate_templates")
    if not isinstance(listed, list) or not isinstance(templates, dict):
        raise ValueError(f"{clause} must say which actions run without a person, as automate and automate_templates")
    for name in (*listed, *templates):
        if name not in catalogue:
            raise ValueError(f"{clause} lets {name!r} run without a person, which is not an action of the catalogue")
        alone = catalogue[name].automate_up_to_cents is not None
        _require(alone, f"{clause} lets {name} run without a person, which the catalogue lets no policy do")
    for name, words in templates.items():
        for word in words if isinstance(words, list) else ():
            known = word in catalogue[name].args.get("template", ())
            _require(known, f"{clause} lets {name} run with the template {word!r}, which it has not")


def _check_bands(clause: str, values: Mapping[str, Any]) -> None:
    bands = _records(values, "bands", f"{clause} must have bands of money")
    _require(all(map(_has_role, bands)), f"each band of {clause} must name {_A_ROLE}")
    limits: list[Any] = [band.get("up_to_cents") for band in bands[:-1]]
    bounded = bands[-1].get("up_to_cents") is None and all(type(one) is int for one in limits)
    _require(bounded, f"every band of {clause} but the last must say up_to_cents, and the last must not")
    asked = [(ROLES.index(band["role"]), bool(band.get("four_eyes"))) for band in bands]
    rise = all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(asked))
    rising = limits == sorted(set(limits)) and rise
    _require(rising, f"the bands of {clause} must rise, in money and in who may approve")


def _check_limits(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> Sequence[Mapping[str, Any]]:
    limits = _records(values, "limits", f"{clause} must say how much may go out, as limits")
    known, limit = {APPROVER, SOURCE, DAY}.union(*(action.to for action in catalogue.values())), f"a limit of {clause}"
    for one in limits:
        for surplus in sorted(one.keys() - _OF_A_LIMIT):
            raise ValueError(f"{limit} has {surplus!r}, which means nothing")
        _require(one.get("per") in known, f"{limit} must be per one of {', '.join(sorted(known))}")
        _require(one.get("counts", GIVEN_AWAY) in COUNTED, f"{limit} must count one of {', '.join(COUNTED)}")
        for name, most in (("days", MOST_DAYS), ("most_cents", MOST_CENTS)):
            _require(type(one.get(name)) is int and 1 <= one[name] <= most, f"{limit} must say {name}, from 1 to {most:,}")
        decides = _has_role(one) and type(one.get("four_eyes", False)) is bool
        _require(decides, f"{limit} must name who decides above it: {_A_ROLE}, and four_eyes")
    return limits


def _check_costs(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> None:
    counts, flat = values.get("counts"), values.get("flat")
    if not isinstance(counts, list) or not isinstance(flat, list):
        raise ValueError(f"{clause} must say what costs something, as counts and flat")
    for name in counts:
        free = name in catalogue and not catalogue[name].money
        _require(not free, f"{clause} counts what {name} costs, and the catalogue says that it costs nothing")
    stated = {one.get("action"): one.get("each_cents") for one in flat if isinstance(one, dict)}
    for unknown in stated.keys() - catalogue.keys():
        raise ValueError(f"{clause} says what {unknown!r} costs, which is not an action of the catalogue")
    for name, action in catalogue.items():
        cents = stated.get(name)
        if action.has_flat_cost:
            _require(type(cents) is int and cents > 0, f"{clause} must say what one {name} costs, as each_cents above 0")
        else:
            _require(cents is None, f"{clause} says what one {name} costs, which the catalogue does not count as flat")
