"""A proposal that people decided about, and what they changed in it."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ledger.base import Ledger
from ledger.records import Decision, Observation, Proposal, Run
from nodes.authorship import Step, pairs
from systems.catalogue import Catalogue

#: an id, a number or a word
_SHORT = re.compile(r"[\w./:-]{1,40}")


@dataclass(frozen=True, kw_only=True)
class ChangedArgument:
    """One argument that a person set otherwise; amounts are in cents."""

    action: str
    argument: str
    before: Any
    after: Any
    #: False for a text or an address: the action is the same, worded otherwise
    counts: bool

    def sentence(self) -> str:
        """For a person to read; of a text or an address only that it is another, for it holds what is a customer's."""
        if not self.counts:
            return f"{self.action}: another {self.argument}"
        return f"{self.action}: {self.argument} {self.before!s} → {self.after!s}"


@dataclass(frozen=True, kw_only=True)
class DecisionDifference:
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
    changed: Sequence[ChangedArgument] = ()
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
        said += [f"took out {_worded(step)}" for step in self.removed if not (self.whole or self.without)]
        said += [f"put in {_worded(step)}" for step in self.added]
        said += [one.sentence() for one in self.changed]
        if self.reordered:
            said.append("put the steps in another order")
        return said or ["changed nothing"]


def difference(
    proposal: Proposal, decision: Decision, findings: Sequence[str], catalogue: Catalogue, without: Sequence[str] | None = None
) -> DecisionDifference:
    """What a decision changed in the proposal that it is about; `findings` are those that the proposal was made of."""
    details = decision.details
    if decision.kind == "edit":
        return _edited(proposal.plan, details.get("plan", ()), catalogue)
    if decision.kind == "approve":
        without = tuple(details.get("without", ()) if without is None else without)
        removed = [step for step in proposal.plan if step.get("part") in without]
        return _of_steps(removed, without=without, removed=_plain(removed))
    return DecisionDifference(
        whole=True,
        queue=str(details.get("queue") or "") if decision.kind == "escalate" else None,
        remark=str(details.get("remark") or "") if decision.kind == "respond" else None,
        removed=() if decision.kind == "respond" else _plain(proposal.plan),
        clauses=deciding_clauses(proposal),
        findings=list(findings),
    )


def deciding_clauses(proposal: Proposal) -> list[str]:
    """The clauses that a proposal cites, without those that only say who approves."""
    return [cite["clause"] for cite in proposal.cites if cite["clause"] not in proposal.approval.clauses]


def _edited(before: Sequence[Step], after: Sequence[Step], catalogue: Catalogue) -> DecisionDifference:
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
            ChangedArgument(action=name, argument=one, before=was.get(one), after=now.get(one), counts=one in counting)
            for one in others
        ]
        touched += [before[i]] if others or moved else []
    return _of_steps(touched, removed=_plain(removed), added=_plain(added), changed=changed, reordered=moved)


def _of_steps(touched: Sequence[Step], **changes: Any) -> DecisionDifference:
    """What was changed, with the clauses and the findings of the steps that it touched."""
    clauses = dict.fromkeys(clause for step in touched for clause in step.get("cites") or ())
    findings = dict.fromkeys(step["for"] for step in touched if step.get("for"))
    return DecisionDifference(**changes, clauses=list(clauses), findings=list(findings))


def _plain(steps: Sequence[Step]) -> list[Step]:
    return [{"name": one["name"], "args": dict(one["args"]), "for": one.get("for"), "cites": list(one.get("cites") or ())}
            for one in steps]  # fmt: skip


def _worded(step: Step) -> str:
    """The action with its ids and numbers; its texts and addresses hold what is a customer's."""
    return f"{step['name']}({', '.join(str(one) for one in step['args'].values() if _SHORT.fullmatch(str(one)))})"


@dataclass(frozen=True, kw_only=True)
class JudgedProposal:
    """A proposal, and what people decided about it."""

    run: Run
    proposal: Proposal
    #: of several the last one
    decision: Decision
    #: what the facts were found to mean when it was proposed
    findings: Sequence[str]
    #: what they changed; of a whole approval, nothing
    difference: DecisionDifference
    #: the clauses that the reason is about, where that was asked and is clear (evals/learning/reasons.py)
    about: Sequence[str] = ()

    @property
    def overruled(self) -> bool:
        """Whether something else is to be done than was proposed; other words of a message are not."""
        return not self.difference.only_wording


def judged_by(
    ledger: Ledger, decision: Decision, proposal: Proposal, catalogue: Catalogue, without: Sequence[str] | None = None
) -> JudgedProposal:
    """What a decision changed in the proposal that it is about.

    `without` are the parts that its approval left out, where others that approved left out some too.
    """
    findings = findings_behind(ledger.observations(proposal.run_id), proposal.proposal_id)
    return JudgedProposal(
        run=ledger.run(proposal.run_id),
        proposal=proposal,
        decision=decision,
        findings=findings,
        difference=difference(proposal, decision, findings, catalogue, without),
    )


def findings_behind(observations: Sequence[Observation], proposal_id: str) -> list[str]:
    """What had been found when a proposal passed the check, by the Explain rail."""
    found: dict[str, None] = {}
    for said in observations:
        if said.kind == "event":
            found = {}
        elif said.kind == "finding":
            found[str(said.evidence.get("finding"))] = None
        elif said.evidence.get("proposal") == proposal_id:
            return list(found)
    return []
