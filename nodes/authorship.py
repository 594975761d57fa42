"""Whose words a plan has, and whether they may approve them.

What follows from the case nobody has worded. Whatever else a person has put into a plan waits for somebody who did not; where a
clause leaves the tone of a letter to the owner of the account, the owner may approve it, as long as it says nothing new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.authorization import edited_by, person_key
from ledger.base import History
from ledger.records import Proposal
from nodes.case import Case
from nodes.planner import Composed
from nodes.tone import new_words
from systems.conditions import Unknown

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Editors:
    """The people who edited a plan, or what it was edited from."""

    #: as `ledger.authorization.person_key` has them
    keys: frozenset[str] = frozenset()
    #: whether there is a person of this name
    is_person: Callable[[str], bool] = lambda name: False


NOBODY = Editors()


def editors_of(ledger: History, run_id: str, plan: Sequence[Step], revision: int) -> Editors:
    """Those of a plan that is, or is going to be, the proposal of this revision."""
    if revision == 1:
        return NOBODY
    keys = edited_by(plan, revision, ledger.proposals(run_id), ledger.decisions(run_id))
    return Editors(keys, lambda name: ledger.person(name) is not None)


def editors_with(ledger: History, edited: Proposal, by: str) -> Editors:
    """Those of what somebody makes of a proposal."""
    before = editors_of(ledger, edited.run_id, edited.plan, edited.revision)
    return Editors(before.keys | {person_key(by)}, lambda name: ledger.person(name) is not None)


def is_planned(draft: Mapping[str, Any], own: Composed) -> bool:
    """Whether a draft is the plan of the rules, word for word."""
    return draft["verdict"] == own.draft["verdict"] and sorted(map(_said, draft["plan"])) == sorted(map(_said, own.draft["plan"]))


def why_others(
    case: Case, draft: Mapping[str, Any], own: Composed, values: Mapping[str, Mapping[str, Any]], editors: Editors
) -> str:
    """Why whoever worded a draft may not approve it, as the end of a sentence; empty where they may."""
    rule, steps = case.pack.approval.own, list(draft["plan"])
    if rule is None:
        return "no policy lets people edit the wording of this Mission without approval"
    wordable = values.get(rule.clause.replace("-", "_"), {}).get("own_wording", ())
    new: list[str] = []
    for place, planned in enumerate(own.draft["plan"]):
        step = steps[place] if place < len(steps) else {}
        letter = own.letters.get(place) if planned["name"] in wordable else None
        drafted = {name for name, value in planned["args"].items() if letter is not None and value == letter.filled}
        if _without(step, drafted) != _without(planned, drafted):
            return "more than its letter was edited"
        new += [one for name in drafted for one in new_words(str(step["args"][name]), planned["args"][name])]
    if len(steps) != len(own.draft["plan"]) or draft["verdict"] != own.draft["verdict"]:
        return "more than its letter was edited"
    if new:
        return f"the draft does not say {'; '.join(new)}"
    return "" if _owns(case, rule.owner, editors) else f"{rule.clause} leaves the words to the owner of the account"


def _owns(case: Case, owner: str, editors: Editors) -> bool:
    """Whether nobody but the owner edited it. An owner who is no person of the ledger is stood in for by whoever may approve."""
    try:
        name = case.value(owner)
    except Unknown:
        return False
    if not isinstance(name, str) or not name.strip():
        return False
    return editors.keys == {person_key(name)} if editors.is_person(name) else bool(editors.keys)


def _said(step: Step) -> str:
    return repr((step["name"], sorted(step["args"].items())))


def _without(step: Step, names: set[str]) -> tuple[Any, dict[str, Any], Any]:
    args = {name: value for name, value in step.get("args", {}).items() if name not in names}
    return step.get("name"), args, step.get("part")
