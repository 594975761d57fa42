"""Taking back what was done before a step that failed: in reverse, as far as it can be, and then over to people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from errors import Refused, SendBack
from ledger.canonical import canonical
from ledger.records import REASONERS, Effect, Proposal, RunHistory
from nodes.case import Case
from nodes.planner import escalation
from systems.catalogue import Catalogue
from systems.conditions import Unknown


def takes_back(proposal: Proposal, effects: Sequence[Effect]) -> list[dict[str, Any]]:
    """The actions that take back what was done of a proposal, in reverse, up to the first step that cannot be taken back.

    `effects` are all of the run, in their order: what a later proposal has taken back already is left out, and what one
    tried in vain to take back cannot be.
    """
    last = max((place for place, effect in enumerate(effects) if effect.proposal_id == proposal.proposal_id), default=0)
    already = Counter(_same(effect.action, effect.args) for effect in effects[last + 1 :] if effect.status == "done")
    in_vain = {_same(effect.action, effect.args) for effect in effects[last + 1 :] if effect.status == "failed"}
    back: list[dict[str, Any]] = []
    for effect in sorted(_done(proposal, effects), key=lambda effect: -effect.step):
        undo = proposal.plan[effect.step]["undo"]
        same = _same(undo["name"], undo["args"]) if undo else None
        if same is None or same in in_vain:
            break
        if already[same]:
            already[same] -= 1
        else:
            reason = f"undo of step {effect.step + 1}"
            back.append({"name": undo["name"], "args": undo["args"], "for": reason, "part": None, "cites": []})
    return back


def to_take_back(history: RunHistory, undoes: str) -> list[dict[str, Any]] | None:
    """What a plan that takes the steps of a proposal back may do besides handing the case over; None of any other plan."""
    undone = next((one for one in history.proposals if one.proposal_id == undoes), None)
    return takes_back(undone, history.effects) if undone else None


def undoing(case: Case, proposal: Proposal, effects: Sequence[Effect], catalogue: Catalogue) -> dict[str, Any]:
    """The draft that takes back what was done of a proposal and hands the case over."""
    back = _possible(case, takes_back(proposal, effects), catalogue)
    failed = [effect for effect in effects if effect.proposal_id == proposal.proposal_id and effect.status == "failed"]
    what = "; ".join(effect.error or proposal.plan[effect.step]["says"] for effect in failed)
    kept = len(_done(proposal, effects)) - len(back)
    rest = f" {kept} step{'s' if kept > 1 else ''} before it cannot be undone or already was." if kept else ""
    says = f"A step failed: {what.rstrip('.')}. The earlier steps are undone, last one first.{rest}"
    handed = escalation(case, case.pack.missing.escalate, says, case.pack.missing.cites, catalogue)
    return {**handed, "plan": [*back, *handed["plan"]]}


def half_done(history: RunHistory, author: str) -> list[str]:
    """What was approved and is not done, of plans that stopped in their midst: the step that failed, and those after it.

    Whoever looks at it next is to know, if it is a reasoner; a person has decided with it in sight.
    """
    if author not in REASONERS:
        return []
    failed, done = ({one.proposal_id for one in history.effects if one.status == status} for status in ("failed", "done"))
    plans = {one.proposal_id: one.plan for one in history.proposals}
    left = [one for one in history.effects if one.proposal_id in failed & done and one.status != "done"]
    return [plans[one.proposal_id][one.step]["says"] for one in left]


def left_to_undo(history: RunHistory) -> str | None:
    """The proposal whose steps were to be taken back when the run was started again; None where nothing was."""
    latest = history.proposal
    named = latest.undoes or latest.proposal_id if latest else ""
    failing = next((one for one in history.proposals if one.proposal_id == named), None)
    if failing is None or not any(one.status == "failed" for one in history.effects_of(failing.proposal_id)):
        return None
    return failing.proposal_id if takes_back(failing, history.effects) else None


def _possible(case: Case, back: Sequence[dict[str, Any]], catalogue: Catalogue) -> list[dict[str, Any]]:
    """The steps up to the first one that the records as they are now do not allow."""
    world, possible = case.records.copy(), list[dict[str, Any]]()
    for planned in back:
        action = catalogue[planned["name"]]
        try:
            seen = action.seen(world, planned["args"])
            if action.unmet_need(seen):
                break
            action.apply(world, seen)
        except (SendBack, Refused, Unknown):
            break
        possible.append(planned)
    return possible


def _done(proposal: Proposal, effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if effect.proposal_id == proposal.proposal_id and effect.status == "done"]


def _same(name: str, args: Mapping[str, Any]) -> bytes:
    return canonical([name, args])
