"""Who approves what a pack plans: clauses that would let more run than the catalogue allows, or say nothing, do not load."""

from collections.abc import Mapping, Sequence
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
_A_ROLE = f"a role, one of {', '.join(ROLES[1:])}"


def check_approval(pack: Pack, catalogue: Catalogue, clauses: Mapping[str, Clause]) -> None:
    """Raises ValueError with the first thing that is wrong with the clauses that the pack names under `approval`."""
    rule, values = pack.approval, {clause: clauses[clause].values for clause in pack.rules}
    _automate(rule.automate, values[rule.automate], catalogue)
    for clause in (rule.base, *(one.clause for one in rule.raises)):
        _require(_has_role(values[clause]), f"{clause} must name {_A_ROLE}")
    for clause in (rule.bands, rule.costs):
        _bands(clause, values[clause])
    _costs(rule.costs, values[rule.costs], catalogue)
    limits = [one for clause in rule.limits for one in _limits(clause, values[clause], catalogue)]
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


def _automate(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> None:
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


def _bands(clause: str, values: Mapping[str, Any]) -> None:
    bands = _records(values, "bands", f"{clause} must have bands of money")
    _require(all(map(_has_role, bands)), f"each band of {clause} must name {_A_ROLE}")
    limits: list[Any] = [band.get("up_to_cents") for band in bands[:-1]]
    bounded = bands[-1].get("up_to_cents") is None and all(type(one) is int for one in limits)
    _require(bounded, f"every band of {clause} but the last must say up_to_cents, and the last must not")
    asked = [(ROLES.index(band["role"]), bool(band.get("four_eyes"))) for band in bands]
    rise = all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(asked))
    rising = limits == sorted(set(limits)) and rise
    _require(rising, f"the bands of {clause} must rise, in money and in who may approve")


def _limits(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> Sequence[Mapping[str, Any]]:
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


def _costs(clause: str, values: Mapping[str, Any], catalogue: Catalogue) -> None:
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
