"""What an edit makes of a plan: which step became which, and which letters name amounts that are the plan's no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.records import Decision, Proposal
from nodes.quoting import quotable
from systems.catalogue import Catalogue

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


def outdated_letters(before: Sequence[Step], after: Sequence[Step], catalogue: Catalogue) -> list[str]:
    """A sentence for each letter that an edit left as it was and that names an amount which it took away; steps as before it.

    The actions of the plan after it must be known to the catalogue, and their arguments valid.
    """
    found = []
    for i, j in pairs(before, after):
        letters = [name for name, kind in catalogue[before[i]["name"]].args.items() if kind == "text"]
        kept = [before[i]["args"][name] for name in letters if before[i]["args"][name] == after[j]["args"][name]]
        part = before[i].get("part")
        gone = _amounts(before, part, catalogue) - _amounts(after, part, catalogue)
        for amount in (f"${cents / 100:,.2f}" for cents in sorted(gone)):
            if any(quotable(amount) <= quotable(text) for text in kept):
                says = f"the letter of step {i + 1} still says {amount}"
                found.append(f"{says}, which is not an amount of the edited plan; change the letter too")
    return found


def _amounts(plan: Sequence[Step], part: str | None, catalogue: Catalogue) -> set[int]:
    """The amounts in cents of a part of a plan, or of all where that is None, and of the actions of each name their sum."""
    amounts: dict[tuple[str, str], list[int]] = {}
    for step in plan:
        if part not in (None, step.get("part")) or step["name"] not in catalogue:
            continue
        for name, kind in catalogue[step["name"]].args.items():
            if kind == "cents":
                amounts.setdefault((step["name"], name), []).append(step["args"][name])
    return {one for group in amounts.values() for one in (*group, sum(group))}


def _alike(one: Step, other: Step) -> int:
    return sum(value == other["args"].get(name) for name, value in one["args"].items())
