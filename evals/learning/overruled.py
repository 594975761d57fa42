"""Which clauses and findings people overrule, by what they decided about the proposals that stood on them.

>>> report = overruled(ledger, catalogue)
>>> pandas.DataFrame(report.clauses)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.intervals import of_count
from evals.learning.judged import JudgedProposal, deciding_clauses, judged_by
from evals.recorded.labels import by_a_person
from ledger.authorization import parts_left_out
from ledger.base import Ledger
from ledger.records import Decision
from systems.catalogue import Catalogue

#: decisions about something before it is said to be overruled as a rule
LEAST_DECIDED = 5


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

    @property
    def as_a_rule(self) -> bool:
        """Whether it was overruled more often than not, as far as that can be said of so few."""
        return self.decided >= LEAST_DECIDED and self.low > 0.5

    def sentence(self) -> str:
        """For a person to read, of what is overruled as a rule."""
        every = "every one" if self.overruled == self.decided else f"{self.overruled}"
        return f"{self.name} was overruled in {every} of {self.decided} proposals that stood on it: people do not decide by it."


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

    @property
    def as_a_rule(self) -> list[OverruleRate]:
        """The clauses that people overrule as a rule."""
        return [one for one in self.clauses if one.as_a_rule]

    def plain(self) -> dict[str, Any]:
        """As plain data, without the proposals."""
        rates = {name: [asdict(one) for one in getattr(self, name)] for name in ("clauses", "findings", "verdicts", "roles")}
        return {"decided": len(self.judged), "sent_back": self.sent_back, **rates}


def judged_proposals(
    ledger: Ledger,
    catalogue: Catalogue,
    mission: str | None = None,
    on_progress: Callable[[], None] = lambda: None,
    *,
    latest: int = 0,
) -> list[JudgedProposal]:
    """The proposals of the reasoner that people decided about, in the order of the last decisions.

    A proposal that a person made by an edit or an escalation is not among them, nor is one that takes back steps, nor one
    that waits for a second approval. Of very many, only the `latest` so many are looked at.
    """
    last: dict[str, Decision] = {}
    for decision in ledger.all_decisions(mission):
        last.pop(decision.proposal_id, None)
        last[decision.proposal_id] = decision
    found = []
    for proposal_id, decision in list(last.items())[-latest:]:
        decisions = ledger.decisions(decision.run_id)
        proposal = next(one for one in ledger.proposals(decision.run_id) if one.proposal_id == proposal_id)
        if not (by_a_person(proposal, decisions) or proposal.undoes or proposal.status == "pending"):
            without = parts_left_out(proposal, decisions) if decision.kind == "approve" else None
            found.append(judged_by(ledger, decision, proposal, catalogue, without))
        on_progress()
    return found


def overruled(judged: Sequence[JudgedProposal]) -> Overruled:
    """The report over proposals that people decided about."""
    settled = [one for one in judged if one.decision.kind != "respond"]
    return Overruled(
        judged=settled,
        sent_back=len(judged) - len(settled),
        clauses=_rates(settled, lambda one: deciding_clauses(one.proposal), lambda one: one.difference.clauses),
        findings=_rates(settled, lambda one: one.findings, lambda one: one.difference.findings),
        verdicts=_rates(settled, lambda one: [one.proposal.verdict], lambda one: [one.proposal.verdict]),
        roles=_rates(settled, lambda one: [one.decision.role], lambda one: [one.decision.role]),
    )


def _rates(
    judged: Iterable[JudgedProposal],
    of: Callable[[JudgedProposal], Sequence[str]],
    touched: Callable[[JudgedProposal], Sequence[str]],
) -> list[OverruleRate]:
    decided, overruled_ = Counter[str](), Counter[str]()
    for one in judged:
        names = set(of(one))
        decided.update(names)
        # what a person put in stands on something else, which the proposal did not: nobody overruled that
        overruled_.update(names.intersection(touched(one)) if one.overruled else ())
    rates = []
    for name, number in decided.items():
        hits, (low, high) = overruled_[name], of_count(overruled_[name], number)
        rates.append(OverruleRate(name=name, decided=number, overruled=hits, rate=hits / number, low=low, high=high))
    return sorted(rates, key=lambda one: (-one.rate, -one.decided, one.name))
