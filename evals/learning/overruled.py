"""Which clauses and findings people overrule, by what they decided about the proposals that stood on them.

>>> report = overruled(ledger, catalogue)
>>> pandas.DataFrame(report.clauses)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evals.intervals import of_count
from evals.learning.lessons import DecisionDifference, difference, findings_behind
from evals.recorded.labels import by_a_person
from ledger.authorization import parts_left_out
from ledger.base import Ledger
from ledger.records import Decision, Proposal, Run
from systems.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class JudgedProposal:
    """A proposal of the reasoner, and what people decided about it."""

    run: Run
    proposal: Proposal
    #: the last of them
    decision: Decision
    findings: Sequence[str]
    #: what they changed; of a whole approval, nothing
    difference: DecisionDifference

    @property
    def overruled(self) -> bool:
        """Whether something else is to be done than was proposed; other words of a message are not."""
        return not self.difference.only_wording


@dataclass(frozen=True, kw_only=True)
class OverruleRate:
    """How often something was overruled where people decided about it."""

    name: str
    decided: int
    overruled: int
    #: overruled of decided, with its Wilson interval of 95%
    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Overruled:
    """Rows for tables; the most often overruled first. `low` is what the evidence shows at least."""

    judged: Sequence[JudgedProposal]
    #: proposals that people only asked to look at again: neither upheld nor overruled
    sent_back: int
    clauses: Sequence[OverruleRate]
    findings: Sequence[OverruleRate]
    verdicts: Sequence[OverruleRate]
    #: by the role of who decided
    roles: Sequence[OverruleRate]

    def plain(self) -> dict[str, Any]:
        """As plain data, without the proposals."""
        rates = {name: [asdict(one) for one in getattr(self, name)] for name in ("clauses", "findings", "verdicts", "roles")}
        return {"decided": len(self.judged), "sent_back": self.sent_back, **rates}


def judged_proposals(
    ledger: Ledger, catalogue: Catalogue, mission: str | None = None, on_progress: Callable[[], None] = lambda: None
) -> list[JudgedProposal]:
    """The proposals of the reasoner that people decided about, in the order of the last decisions.

    A proposal that a person made by an edit or an escalation is not among them, nor is one that takes back steps, nor one
    that waits for a second approval.
    """
    last: dict[str, Decision] = {}
    for decision in ledger.all_decisions(mission):
        last.pop(decision.proposal_id, None)
        last[decision.proposal_id] = decision
    found = []
    for proposal_id, decision in last.items():
        decisions = ledger.decisions(decision.run_id)
        proposal = next(one for one in ledger.proposals(decision.run_id) if one.proposal_id == proposal_id)
        if not (by_a_person(proposal, decisions) or proposal.undoes or proposal.status == "pending"):
            found.append(_judged(ledger, proposal, decision, decisions, catalogue))
        on_progress()
    return found


def overruled(judged: Sequence[JudgedProposal]) -> Overruled:
    """The report over proposals that people decided about."""
    settled = [one for one in judged if one.decision.kind != "respond"]
    return Overruled(
        judged=settled,
        sent_back=len(judged) - len(settled),
        clauses=_rates(settled, _cited, lambda one: one.difference.clauses),
        findings=_rates(settled, lambda one: one.findings, lambda one: one.difference.findings),
        verdicts=_rates(settled, lambda one: [one.proposal.verdict], lambda one: [one.proposal.verdict]),
        roles=_rates(settled, lambda one: [one.decision.role], lambda one: [one.decision.role]),
    )


def _judged(
    ledger: Ledger, proposal: Proposal, decision: Decision, decisions: Sequence[Decision], catalogue: Catalogue
) -> JudgedProposal:
    findings = findings_behind(ledger.observations(proposal.run_id), proposal.proposal_id)
    changing = decision
    if decision.kind == "approve":
        changing = replace(decision, details={**decision.details, "without": parts_left_out(proposal, decisions)})
    return JudgedProposal(
        run=ledger.run(proposal.run_id),
        proposal=proposal,
        decision=decision,
        findings=findings,
        difference=difference(proposal, changing, findings, catalogue),
    )


def _cited(one: JudgedProposal) -> list[str]:
    """The clauses that decided; not those that only say who approves."""
    return [cite["clause"] for cite in one.proposal.cites if cite["clause"] not in one.proposal.approval.clauses]


def _rates(
    judged: Iterable[JudgedProposal],
    of: Callable[[JudgedProposal], Sequence[str]],
    touched: Callable[[JudgedProposal], Sequence[str]],
) -> list[OverruleRate]:
    decided: dict[str, int] = {}
    overruled_: dict[str, int] = {}
    for one in judged:
        # what a person put in stands on something else, which the proposal did not: nobody overruled that
        names = touched(one) if one.overruled else ()
        for name in dict.fromkeys(of(one)):
            decided[name] = decided.get(name, 0) + 1
            overruled_[name] = overruled_.get(name, 0) + (name in names)
    rates = [_rate(name, overruled_[name], number) for name, number in decided.items()]
    return sorted(rates, key=lambda one: (-one.rate, -one.decided, one.name))


def _rate(name: str, hits: int, of: int) -> OverruleRate:
    low, high = of_count(hits, of)
    return OverruleRate(name=name, decided=of, overruled=hits, rate=hits / of, low=low, high=high)
