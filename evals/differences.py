"""What a person's decision changed in a proposal, as data: steps taken out, put in, with other arguments, in another order."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ledger.records import Decision, Proposal
from nodes.edits import Step, pairs
from systems.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Changed:
    """One argument that a person set otherwise; amounts are in cents."""

    action: str
    argument: str
    before: Any
    after: Any
    #: False for a text or an address: the action is the same, worded otherwise
    counts: bool


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a decision changed. Steps are {"name", "args", "for" (the finding), "cites"}."""

    #: the proposal as a whole was not accepted: rejected, sent back or escalated
    whole: bool = False
    #: where it was escalated to, "" where that is up to the Mission; None where it was not escalated
    queue: str | None = None
    #: what the Mission was asked to look at again, "" where that was not said; None where it was not asked
    remark: str | None = None
    #: the parts of the plan that an approval left out
    without: Sequence[str] = ()
    removed: Sequence[Step] = ()
    added: Sequence[Step] = ()
    changed: Sequence[Changed] = ()
    #: the steps that stay are in another order
    reordered: bool = False
    #: the clauses, and the findings, of what was changed
    clauses: Sequence[str] = ()
    findings: Sequence[str] = ()

    @property
    def only_wording(self) -> bool:
        """Whether the same actions are done, worded otherwise."""
        counting = any(one.counts for one in self.changed)
        return not (self.whole or self.without or self.removed or self.added or self.reordered or counting)

    def plain(self) -> dict[str, Any]:
        """As plain data, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}

    def sentences(self) -> list[str]:
        """For a person to read."""
        said = ["rejected the whole"] if self.whole else []
        if self.queue is not None:
            said = [f"escalated to {self.queue}" if self.queue else "escalated"]
        if self.remark is not None:
            said = [f"asked: {self.remark}" if self.remark else "asked to look again"]
        said += [f"left out {part}" for part in self.without]
        said += [f"took out {_told(step)}" for step in self.removed if not (self.whole or self.without)]
        said += [f"put in {_told(step)}" for step in self.added]
        said += [f"{one.action}: {one.argument} {one.before!s} → {one.after!s}" for one in self.changed]
        if self.reordered:
            said.append("put the steps in another order")
        return said or ["changed nothing"]


def difference(proposal: Proposal, decision: Decision, findings: Sequence[str], catalogue: Catalogue) -> Difference:
    """What a decision changed in the proposal that it is about; `findings` are those that the proposal was made of."""
    details = decision.details
    if decision.kind == "edit":
        return _edited(proposal.plan, details.get("plan", ()), catalogue)
    if decision.kind == "approve":
        without = tuple(details.get("without", ()))
        removed = [step for step in proposal.plan if step.get("part") in without]
        return Difference(without=without, removed=_plain(removed), clauses=_clauses(removed), findings=_findings(removed))
    # who approves is no question of what is right
    clauses = [cite["clause"] for cite in proposal.cites if cite["clause"] not in proposal.approval.clauses]
    return Difference(
        whole=True,
        queue=str(details.get("queue") or "") if decision.kind == "escalate" else None,
        remark=str(details.get("remark") or "") if decision.kind == "respond" else None,
        removed=() if decision.kind == "respond" else _plain(proposal.plan),
        clauses=clauses,
        findings=list(findings),
    )


def _edited(before: Sequence[Step], after: Sequence[Step], catalogue: Catalogue) -> Difference:
    kept = pairs(before, after)
    matched = {i for i, _ in kept}, {j for _, j in kept}
    removed = [step for i, step in enumerate(before) if i not in matched[0]]
    added = [step for j, step in enumerate(after) if j not in matched[1]]
    moved = [j for _, j in kept] != sorted(j for _, j in kept)
    touched, changed = [*removed, *added], []
    for i, j in kept:
        name, was, now = before[i]["name"], before[i]["args"], after[j]["args"]
        counting = catalogue[name].counting if name in catalogue else tuple(was)
        others = [one for one in dict.fromkeys([*was, *now]) if was.get(one) != now.get(one)]
        changed += [
            Changed(action=name, argument=one, before=was.get(one), after=now.get(one), counts=one in counting) for one in others
        ]
        touched += [before[i]] if others or moved else []
    return Difference(
        removed=_plain(removed),
        added=_plain(added),
        changed=changed,
        reordered=moved,
        clauses=_clauses(touched),
        findings=_findings(touched),
    )


def _plain(steps: Sequence[Step]) -> list[Step]:
    return [{"name": one["name"], "args": dict(one["args"]), "for": one.get("for"), "cites": list(one.get("cites") or ())}
            for one in steps]  # fmt: skip


def _clauses(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(clause for step in steps for clause in step.get("cites") or ()))


def _findings(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(step["for"] for step in steps if step.get("for")))


def _told(step: Step) -> str:
    return f"{step['name']}({', '.join(str(value)[:40] for value in step['args'].values())})"
