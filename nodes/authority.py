"""Whether a proposal is what it says of itself: worked out again before it takes effect, for whatever takes no approval too.

Whoever writes proposals is not whoever executes them. Nothing that stands in the row is believed: what was shown to the
people who approved must be what is done, and a plan must be of whoever is named as its author.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from ledger.canonical import canonical
from ledger.records import MODELS, ROLES, Approval, Decision, Fact, Proposal
from nodes.case import Case
from nodes.judge import Judgement
from nodes.planner import Planner, plan_of_rules
from systems.catalogue import Catalogue

Steps = Sequence[Mapping[str, Any]]


def plan_digest(verdict: str, plan: Steps, evidence: str, policies: str) -> str:
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


def misshown(proposal: Proposal, judgement: Judgement, steps: Sequence[int], *, whole: bool) -> Iterator[str]:
    """What the proposal shows of its plan and is not so. `steps` are the places of those that were judged.

    `whole` where all steps were judged on the evidence of the proposal: then its changes, its money and what would take
    its steps back are what was worked out too.
    """
    fields = ("says", "tool", "tier", "undo") if whole else ("says", "tool", "tier")
    for place, worked_out in zip(steps, judgement.plan, strict=True):
        shown = proposal.plan[place]
        wrong = [name for name in fields if not _same(shown.get(name), worked_out[name])]
        if wrong:
            yield f"step {place + 1} is shown with another {' and '.join(wrong)} than it has"
    if whole and not _same(proposal.changes, judgement.changes):
        yield "it shows other changes than it makes"
    if whole and proposal.money_at_stake_cents != judgement.money_at_stake_cents:
        yield "it shows another amount at stake than there is"
    if whole and proposal.approval.limits != judgement.approval.limits:
        yield "it shows other limits than those that it adds to"


def otherwise_now(proposal: Proposal, judgement: Judgement) -> Iterator[str]:
    """What was shown of a plan and would be otherwise in the world as it is now."""
    if proposal.money_at_stake_cents != judgement.money_at_stake_cents:
        yield "another amount is at stake now"
    if [_where(one) for one in proposal.changes] != [_where(one) for one in judgement.changes]:
        yield "it would change other records now"
    if any(not _same(shown.get("undo"), now["undo"]) for shown, now in zip(proposal.plan, judgement.plan, strict=True)):
        yield "what would take its steps back is another now"


def not_of_its_author(proposal: Proposal, case: Case, decisions: Sequence[Decision], catalogue: Catalogue) -> str | None:
    """Why a plan is not of whoever is named as its author; None where it is. What takes steps back is judged by itself.

    A model's plan must follow from the case, which `judge` sees to.
    """
    if proposal.author in MODELS:
        return None
    if proposal.author != Planner.name:
        return None if _wrote(proposal, case, decisions) else f"no decision of {proposal.author} made this plan"
    if proposal.undoes or handed_over_to(proposal.verdict, proposal.plan, case) == case.pack.missing.escalate:
        return None
    own = plan_of_rules(case, catalogue).draft
    follows = own["verdict"] == proposal.verdict and _same(_actions(own["plan"]), _actions(proposal.plan))
    return None if follows else "it is not the plan that follows from the case"


def authors(proposal: Proposal, decisions: Sequence[Decision]) -> set[str]:
    """Who made a plan, whatever name stands under it: everybody whose edit in this run is this very plan."""
    edits = [one for one in decisions if one.kind == "edit" and one.proposal_id != proposal.proposal_id]
    return {proposal.author, *(one.by for one in edits if _same(_calls(one.details.get("plan", ())), _calls(proposal.plan)))}


def handed_over_to(verdict: str, plan: Steps, case: Case) -> str:
    """The queue of a plan that does nothing but hand the case over; empty for any other plan."""
    if verdict != "escalate" or len(plan) != 1 or plan[0]["name"] != case.pack.escalation.action:
        return ""
    named = [name for name, raw in case.pack.escalation.args.items() if raw == "=queue"]
    return str(plan[0]["args"].get(named[0], "")) if named else case.pack.missing.escalate


def _wrote(proposal: Proposal, case: Case, decisions: Sequence[Decision]) -> bool:
    """Whether a person's edit, or word to hand the case over, is this plan."""
    for one in decisions:
        if one.by != proposal.author or one.proposal_id == proposal.proposal_id:
            continue
        if one.kind == "edit" and _same(_actions(one.details.get("plan", ())), _actions(proposal.plan)):
            return True
        queue = one.details.get("queue", case.pack.missing.escalate)
        if one.kind == "escalate" and handed_over_to(proposal.verdict, proposal.plan, case) == queue:
            return True
    return False


def _calls(plan: Steps) -> list[Any]:
    return [[action["name"], action["args"]] for action in plan]


def _actions(plan: Steps) -> list[Any]:
    return [[action["name"], action["args"], action.get("part")] for action in plan]


def _where(change: Mapping[str, Any]) -> list[Any]:
    return [change[name] for name in ("step", "system", "record", "field")]


def _same(one: Any, other: Any) -> bool:
    """Equal as the ledger keeps them: what comes back from the database has lists where tuples were."""
    return one == other or canonical(one) == canonical(other)
