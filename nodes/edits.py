"""What an edit makes of a plan: which step became which, and which letters name amounts that are the plan's no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.records import Decision, Proposal

Step = Mapping[str, Any]


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


def _alike(one: Step, other: Step) -> int:
    return sum(value == other["args"].get(name) for name, value in one["args"].items())
