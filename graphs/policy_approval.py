"""What it takes to put a policy in force that lets plans run with less approval than now: the approval that it takes away.

Both books are compared where they differ: each action that runs without a person, each band at its limits, each clause
that raises a role or bounds what adds up, on every day on which either changes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from knowledge_index.policies import PolicyBook
from ledger.records import ROLES, Approval
from nodes.governance import GIVEN_AWAY, Values, of
from nodes.pack import Pack

#: where a clause is gone that says who approves, nothing would be left to hold its place; also of what does not fit at all
HIGHEST = Approval(role=ROLES[-1], four_eyes=True)
#: cents above every band
_MOST = 10**15


def taken_away(packs: Iterable[Pack], before: PolicyBook, after: PolicyBook, since: date) -> Approval:
    """The approval that some plan takes under `before` and not under `after`, from the day `since` on; the most of all."""
    parts = [part for pack in packs for part in pack.parts.values() or (pack,)]
    moments = _moments(before, after, since)
    found = [one for moment in moments for part in parts for one in _lost(part, before.values(moment), after.values(moment))]
    return Approval(
        role=max((one.role for one in found), key=ROLES.index, default="none"), four_eyes=any(one.four_eyes for one in found)
    )


def _moments(before: PolicyBook, after: PolicyBook, since: date) -> list[datetime]:
    first = datetime.combine(since, time(), UTC)
    return sorted({first, *(moment for book in (before, after) for moment in book.starts if moment > first)})


def _lost(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    rule = part.approval
    known = [clause for clause in part.rules if clause.replace("-", "_") in old]
    if any(clause.replace("-", "_") not in new for clause in known):
        yield HIGHEST
        return
    if len(known) < len(part.rules) or all(of(clause, old) == of(clause, new) for clause in _ruling(part, known)):
        return
    yield from _automated(part, old, new)
    yield from _lower_bands(part, old, new)
    yield from _cheaper(of(rule.costs, old), of(rule.costs, new))
    for clause in rule.limits:
        yield from _looser(of(clause, old)["limits"], of(clause, new)["limits"])
    for one in rule.raises:
        named = {one.clause, *_clauses(part.expressions[one.that].names)}
        if any(_otherwise(clause, old, new) for clause in named):
            yield Approval(role=of(one.clause, old)["role"], four_eyes=False)
    compared = {rule.automate, rule.base, rule.bands, rule.costs, *rule.limits, *(one.clause for one in rule.raises)}
    if any(of(clause, old) != of(clause, new) for clause in part.rules - compared):
        yield HIGHEST


def _ruling(part: Pack, known: Collection[str]) -> list[str]:
    named = {clause for one in part.approval.raises for clause in _clauses(part.expressions[one.that].names)}
    return sorted({*known, *named})


def _clauses(names: Iterable[str]) -> set[str]:
    return {name.replace("_", "-") for name in names if name.partition("_")[2].isdecimal() and name.isupper()}


def _otherwise(clause: str, old: Values, new: Values) -> bool:
    """Whether a clause says anything else than a higher role."""
    name = clause.replace("-", "_")
    was, now = dict(old.get(name, {})), dict(new.get(name, {}))
    risen = "role" in was and "role" in now and ROLES.index(now["role"]) >= ROLES.index(was["role"])
    if risen:
        del was["role"], now["role"]
    return was != now


def _automated(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    """What every action took that runs without a person from then on."""
    rule = part.approval
    then, now = _alone(of(rule.automate, old)), _alone(of(rule.automate, new))
    for action in sorted({action for action, _ in now - then}):
        if (action, "") in then or action not in part.actions:
            continue
        raised = [of(one.clause, old)["role"] for one in rule.raises if one.for_ == action]
        role = max([of(rule.base, old)["role"], *raised], key=ROLES.index)
        least = _route(part, old, 0)
        yield Approval(role=max(role, least.role, key=ROLES.index), four_eyes=least.four_eyes)


def _alone(values: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(action, template) of all that runs without a person; any template where it is empty."""
    templates = {(action, template) for action, those in values["automate_templates"].items() for template in those}
    return templates | {(action, "") for action in values["automate"]}


def _lower_bands(part: Pack, old: Values, new: Values) -> Iterator[Approval]:
    rule = part.approval
    bands = [band for values in (old, new) for clause in (rule.bands, rule.costs) for band in of(clause, values)["bands"]]
    limits = {band["up_to_cents"] for band in bands if "up_to_cents" in band}
    for cents in sorted({0, _MOST, *limits, *(limit + 1 for limit in limits)}):
        for clause in (rule.bands, rule.costs):
            then, now = _route(part, old, cents, clause), _route(part, new, cents, clause)
            if ROLES.index(now.role) < ROLES.index(then.role) or now.four_eyes < then.four_eyes:
                yield then


def _route(part: Pack, values: Values, cents: int, clause: str = "") -> Approval:
    """What a plan of so many cents takes by the bands of a clause, or by those of both."""
    rule = part.approval
    base, role, four_eyes = of(rule.base, values)["role"], "none", False
    for one in [clause] if clause else [rule.bands, rule.costs]:
        bands = of(one, values)["bands"]
        band = next((band for band in bands if cents <= band.get("up_to_cents", cents)), bands[-1])
        role, four_eyes = max(role, band["role"], key=ROLES.index), four_eyes or bool(band.get("four_eyes"))
    return Approval(role=max(base, role, key=ROLES.index), four_eyes=four_eyes)


def _cheaper(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Approval]:
    """What counts less than before can be in a lower band: so it takes what the highest takes."""
    costs = {one["action"]: one["each_cents"] for one in new["flat"]}
    less = any(costs.get(one["action"], 0) < one["each_cents"] for one in old["flat"])
    if less or set(old["counts"]) - set(new["counts"]):
        highest = old["bands"][-1]
        yield Approval(role=highest["role"], four_eyes=bool(highest.get("four_eyes")))


def _looser(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Approval]:
    """What a limit over runs asked for above it, where none is left that holds as much."""
    for one in old:
        if not any(_holds(other, one) for other in new):
            yield Approval(role=one["role"], four_eyes=bool(one.get("four_eyes")))


def _holds(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a limit lets nothing pass that the other one would not."""
    about = [(limit["per"], limit.get("counts", GIVEN_AWAY)) for limit in (one, other)]
    as_much = one["days"] >= other["days"] and one["most_cents"] <= other["most_cents"]
    roles = ROLES.index(one["role"]) >= ROLES.index(other["role"])
    return about[0] == about[1] and as_much and roles and one.get("four_eyes", False) >= other.get("four_eyes", False)
