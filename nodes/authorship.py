"""Whose plan a proposal is, whether they may approve it, what an edit made of it, and what an approval binds.

Whoever writes proposals is not whoever executes them, so nothing that stands in the row is believed: a plan must be of whoever is
named as its author. What follows from the case nobody has worded. Whatever else a person has put into a plan waits for somebody
who did not; where a clause leaves the tone of a letter to the owner of the account, the owner may approve it, as long as it says
nothing new.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.authorization import edited_by, person_key
from ledger.canonical import canonical
from ledger.records import MODELS, ROLES, Approval, Decision, Fact, Person, Proposal, RunHistory
from nodes.case import Case
from nodes.planner import Composed, Planner, plan_of_rules
from nodes.quoting import quotable
from nodes.tone import new_words
from rendering import money
from systems.arguments import amounts, opened
from systems.catalogue import Catalogue
from systems.conditions import Unknown

Step = Mapping[str, Any]
#: the person of a name, as the ledger has it
FindPerson = Callable[[str], Person | None]


def plan_digest(verdict: str, plan: Sequence[Step], evidence: str, policies: str) -> str:
    """What an approval binds: verdict, actions with their arguments, evidence and policy version."""
    bound = [verdict, [[action["name"], action["args"]] for action in plan], evidence, policies]
    return hashlib.sha256(orjson.dumps(bound, option=orjson.OPT_SORT_KEYS)).hexdigest()


def evidence_digest(facts: Sequence[Fact]) -> str:
    """Of what was read: names, arguments, outcome and values; not when."""
    read = [[fact.name, fact.args, fact.status, fact.value] for fact in facts]
    return hashlib.sha256(orjson.dumps(read, option=orjson.OPT_SORT_KEYS)).hexdigest()


def covers(given: Approval, needed: Approval) -> bool:
    """Whether who approves under `given` may approve what takes `needed`."""
    return ROLES.index(needed.role) <= ROLES.index(given.role) and needed.four_eyes <= given.four_eyes


def not_of_its_author(proposal: Proposal, case: Case, decisions: Sequence[Decision], catalogue: Catalogue) -> list[str]:
    """Why a plan is not of whoever is named as its author; empty where it is. What takes steps back is judged by itself.

    A model's plan must follow from the case, which `judge` sees to.
    """
    if proposal.author in MODELS:
        return []
    if proposal.author != Planner.name:
        return [] if _wrote(proposal, case, decisions) else [f"no decision of {proposal.author} made this plan"]
    if proposal.undoes or handed_over_to(proposal.verdict, proposal.plan, case) == case.pack.missing.escalate:
        return []
    own = plan_of_rules(case, catalogue).draft
    follows = own["verdict"] == proposal.verdict and same(_actions(own["plan"]), _actions(proposal.plan))
    return [] if follows else ["it is not the plan that follows from the case"]


def authors(proposal: Proposal, decisions: Sequence[Decision]) -> set[str]:
    """Who made a plan, whatever name stands under it: everybody whose edit in this run is this very plan."""
    edits = [one for one in decisions if one.kind == "edit" and one.proposal_id != proposal.proposal_id]
    plans = [(one.by, [[step["name"], step["args"]] for step in one.details.get("plan", ())]) for one in edits]
    own = [[step["name"], step["args"]] for step in proposal.plan]
    return {proposal.author, *(by for by, plan in plans if same(plan, own))}


def handed_over_to(verdict: str, plan: Sequence[Step], case: Case) -> str:
    """The queue of a plan that does nothing but hand the case over; empty for any other plan."""
    if verdict != "escalate" or len(plan) != 1 or plan[0]["name"] != case.pack.escalation.action:
        return ""
    return case.pack.queue_of(plan[0])


def _wrote(proposal: Proposal, case: Case, decisions: Sequence[Decision]) -> bool:
    """Whether a person's edit, or word to hand the case over, is this plan."""
    for one in decisions:
        if one.by != proposal.author or one.proposal_id == proposal.proposal_id:
            continue
        if one.kind == "edit" and same(_actions(one.details.get("plan", ())), _actions(proposal.plan)):
            return True
        queue = one.details.get("queue", case.pack.missing.escalate)
        if one.kind == "escalate" and handed_over_to(proposal.verdict, proposal.plan, case) == queue:
            return True
    return False


def _actions(plan: Sequence[Step]) -> list[Any]:
    return [[action["name"], action["args"], action.get("part")] for action in plan]


def same(one: Any, other: Any) -> bool:
    """Equal as the ledger keeps them: what comes back from the database has lists where tuples were."""
    return one == other or canonical(one) == canonical(other)


@dataclass(frozen=True)
class Editors:
    """The people who edited a plan, or what it was edited from."""

    #: as `ledger.authorization.person_key` has them
    keys: frozenset[str] = frozenset()
    #: whether there is a person of this name
    is_person: Callable[[str], bool] = lambda name: False


NO_EDITORS = Editors()


def editors_of(history: RunHistory, plan: Sequence[Step], revision: int, person: FindPerson, by: str = "") -> Editors:
    """Those of a plan that is, or is going to be, the proposal of this revision; with `by`, who is editing it now."""
    keys = edited_by(plan, revision, history.proposals, history.decisions) if revision > 1 else frozenset[str]()
    return Editors(keys | {person_key(by)} if by else keys, lambda name: person(name) is not None)


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


def before_edit(proposal: Proposal, proposals: Sequence[Proposal], decisions: Sequence[Decision]) -> Proposal | None:
    """The proposal that its author edited into this one; None where it is no edit."""
    edited = {one.proposal_id for one in decisions if one.kind == "edit" and one.by == proposal.author}
    before = (one for one in proposals if one.revision == proposal.revision - 1 and one.proposal_id in edited)
    return next(before, None)


def pairs(before: Sequence[Step], after: Sequence[Step]) -> list[tuple[int, int]]:
    """Which step became which, by their places: first those that are the same, then of each name those that are most alike."""
    free, found = list(range(len(after))), {}
    for least in ("same", "alike"):
        for i, step in enumerate(before):
            named = [j for j in free if after[j]["name"] == step["name"]] if i not in found else []
            best = max(named, key=lambda j: (_alike(step, after[j]), -abs(i - j)), default=None)
            if best is not None and (least == "alike" or dict(step["args"]) == dict(after[best]["args"])):
                found[i] = best
                free.remove(best)
    return sorted(found.items())


def outdated_letters(before: Sequence[Step], after: Sequence[Step], catalogue: Catalogue) -> list[str]:
    """A sentence for each letter that an edit left as it was and that names an amount which it took away; steps as before it.

    The actions of the plan after it must be known to the catalogue, and their arguments valid.
    """
    found = []
    for i, j in pairs(before, after):
        letters = [name for name, kind in catalogue[before[i]["name"]].args.items() if opened(kind)[0] == "text"]
        kept = [before[i]["args"][name] for name in letters if before[i]["args"][name] == after[j]["args"][name]]
        part = before[i].get("part")
        gone = _amounts(before, part, catalogue) - _amounts(after, part, catalogue)
        for amount in (money(minor, currency) for currency, minor in sorted(gone)):
            if any(quotable(amount) <= quotable(text) for text in kept):
                says = f"the letter of step {i + 1} still says {amount}"
                found.append(f"{says}, which is not an amount of the edited plan; change the letter too")
    return found


def _amounts(plan: Sequence[Step], part: str | None, catalogue: Catalogue) -> set[tuple[str, int]]:
    """The amounts of a part of a plan, or of all where that is None, and of the actions of each name their sum: (currency,
    minor units), as `amounts` has them."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for step in plan:
        if part not in (None, step.get("part")) or step["name"] not in catalogue:
            continue
        for name, kind in catalogue[step["name"]].args.items():
            for currency, minor in amounts(kind, step["args"][name]):
                found.setdefault((step["name"], name, currency), []).append(minor)
    return {(currency, one) for (_, _, currency), group in found.items() for one in (*group, sum(group))}


def _alike(one: Step, other: Step) -> int:
    return sum(value == other["args"].get(name) for name, value in one["args"].items())
