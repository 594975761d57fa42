"""Who approves what a pack plans: clauses that would let more run than the catalogue allows, or say nothing, do not load."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from knowledge_index.policies import Clause
from ledger.records import APPROVER, DAY, ROLES, SOURCE
from nodes.governance import COUNTED, GIVEN_AWAY
from nodes.pack import Pack
from systems.catalogue import Catalogue

#: of a window, and of what goes out within it
MOST_DAYS, MOST_CENTS = 366, 10**12
_OF_A_LIMIT = {"per", "counts", "days", "most_cents", "role", "four_eyes"}


def mistakes(pack: Pack, catalogue: Catalogue, clauses: Mapping[str, Clause]) -> Iterator[str]:
    """What is wrong with the clauses that the pack names under `approval`, each in a sentence."""
    rule = pack.approval
    yield from _automate(rule.automate, clauses[rule.automate].values, catalogue)
    yield from _role(rule.base, clauses[rule.base].values)
    yield from _bands(rule.bands, clauses[rule.bands].values)
    yield from _bands(rule.costs, clauses[rule.costs].values)
    yield from _costs(rule.costs, clauses[rule.costs].values, catalogue)
    for clause in rule.limits:
        yield from _limits(clause, clauses[clause].values, catalogue)
    yield from _unlimited(pack, catalogue, [clauses[clause].values.get("limits") for clause in rule.limits])
    for one in rule.raises:
        yield from _role(one.clause, clauses[one.clause].values)


def _automate(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    listed, templates = values.get("automate"), values.get("automate_templates")
    if not isinstance(listed, list) or not isinstance(templates, dict):
        yield f"{clause} must say which actions run without a person, as automate and automate_templates"
        return
    for action in (*listed, *templates):
        if action not in catalogue:
            yield f"{clause} lets {action!r} run without a person, which is not an action of the catalogue"
        elif catalogue[action].automate_up_to_cents is None:
            yield f"{clause} lets {action} run without a person, which the catalogue lets no policy do"
    for action, words in templates.items():
        kinds = catalogue[action].args.get("template", ()) if action in catalogue else ()
        for word in words if isinstance(words, list) else ():
            if word not in kinds:
                yield f"{clause} lets {action} run with the template {word!r}, which it has not"


def _role(clause: str, values: Mapping[str, Any]) -> Iterator[str]:
    if values.get("role") not in ROLES[1:]:
        yield f"{clause} must name a role, one of {', '.join(ROLES[1:])}"


def _bands(clause: str, values: Mapping[str, Any]) -> Iterator[str]:
    bands = values.get("bands")
    if not isinstance(bands, list) or not bands or not all(isinstance(band, dict) for band in bands):
        yield f"{clause} must have bands of money"
        return
    if any(band.get("role") not in ROLES[1:] for band in bands):
        yield f"each band of {clause} must name a role, one of {', '.join(ROLES[1:])}"
        return
    limits = [band.get("up_to_cents") for band in bands]
    if limits[-1] is not None or any(type(one) is not int for one in limits[:-1]):
        yield f"every band of {clause} but the last must say up_to_cents, and the last must not"
        return
    asked = [(ROLES.index(band["role"]), bool(band.get("four_eyes"))) for band in bands]
    rise = all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(asked))
    if limits[:-1] != sorted(set(limits[:-1])) or not rise:
        yield f"the bands of {clause} must rise, in money and in who may approve"


def _limits(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    limits = values.get("limits")
    if not isinstance(limits, list) or not limits or not all(isinstance(one, dict) for one in limits):
        yield f"{clause} must say how much may go out, as limits"
        return
    known = {APPROVER, SOURCE, DAY}.union(*(action.to for action in catalogue.values()))
    for one in limits:
        if surplus := sorted(one.keys() - _OF_A_LIMIT):
            yield f"a limit of {clause} has {surplus[0]!r}, which means nothing"
        if one.get("per") not in known:
            yield f"a limit of {clause} must be per one of {', '.join(sorted(known))}"
        if one.get("counts", GIVEN_AWAY) not in COUNTED:
            yield f"a limit of {clause} must count one of {', '.join(COUNTED)}"
        for name, most in (("days", MOST_DAYS), ("most_cents", MOST_CENTS)):
            if type(one.get(name)) is not int or not 1 <= one[name] <= most:
                yield f"a limit of {clause} must say {name}, from 1 to {most:,}"
        if one.get("role") not in ROLES[1:] or type(one.get("four_eyes", False)) is not bool:
            yield f"a limit of {clause} must name who decides above it: a role, one of {', '.join(ROLES[1:])}, and four_eyes"


def _unlimited(pack: Pack, catalogue: Catalogue, limits: Iterable[Any]) -> Iterator[str]:
    """What the actions of the pack give away and no limit of its clauses counts."""
    counted = {
        one.get("counts", GIVEN_AWAY) for listed in limits if isinstance(listed, list) for one in listed if isinstance(one, dict)
    }
    money = {kind for name in pack.actions if name in catalogue for kind in catalogue[name].money}
    for kind in COUNTED.keys() - counted:
        if not money.isdisjoint(COUNTED[kind]):
            yield f"no limit of {', '.join(pack.approval.limits)} counts {kind}, but its actions do"


def _costs(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> Iterator[str]:
    counts, flat = values.get("counts"), values.get("flat")
    if not isinstance(counts, list) or not isinstance(flat, list):
        yield f"{clause} must say what costs something, as counts and flat"
        return
    for action in counts:
        if action in catalogue and not catalogue[action].money:
            yield f"{clause} counts what {action} costs, and the catalogue says that it costs nothing"
    stated = {one.get("action"): one.get("each_cents") for one in flat if isinstance(one, dict)}
    for name, action in catalogue.items():
        cents = stated.pop(name, None)
        if action.has_flat_cost and (type(cents) is not int or cents <= 0):
            yield f"{clause} must say what one {name} costs, as each_cents above 0"
        elif cents is not None and not action.has_flat_cost:
            yield f"{clause} says what one {name} costs, which the catalogue does not count as flat"
    for unknown in stated:
        yield f"{clause} says what {unknown!r} costs, which is not an action of the catalogue"
