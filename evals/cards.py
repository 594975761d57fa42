"""Records of the ledger that show themselves in a notebook. They stay what they are: a card of a proposal is a proposal.

>>> Rail(ledger.observations(run_id))
>>> ProposalCard.of(ledger.proposal(run_id), policies.in_force(as_of))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from graphs.shown import Part, Shown, Table, Title, told
from graphs.text import approver, dollars
from knowledge_index.policies import Clause
from ledger.records import Observation, Proposal


class Rail(Shown, tuple[Observation, ...]):
    """The Explain rail: observations in their order."""

    def parts(self) -> Iterator[Part]:
        """One table; step and kind are named where they begin."""
        if not self:
            yield "Nothing was observed yet."
            return
        rows, before = [], ("", "")
        for one in self:
            here = (one.step, one.kind)
            rows.append(("" if one.step == before[0] else one.step, "" if here == before else one.kind, one.text))
            before = here
        yield Table(("step", "what", "observation"), rows)


@dataclass(frozen=True, kw_only=True)
class ProposalCard(Shown, Proposal):
    """A proposal with the text of the clauses that it cites."""

    clauses: Mapping[str, Clause] = field(repr=False)

    @classmethod
    def of(cls, proposal: Proposal, clauses: Mapping[str, Clause]) -> Self:
        """The card of a proposal; `clauses` are those in force at the moment of its case, by id."""
        return cls(**vars(proposal), clauses=clauses)

    def parts(self) -> Iterator[Part]:
        """Verdict and approval, why, the plan with what it changes, the clauses, and what else was looked at."""
        yield Title(f"{self.verdict.replace('_', ' ')} — proposal {self.revision}, by {self.author}, {self.standing}")
        undoable = sum(action.get("undo") is not None for action in self.plan)
        route = (
            f"{approver(self.approval.role, self.approval.four_eyes)} must approve"
            if self.approval.role != "none"
            else "runs by itself"
        )
        raised = f" (raised by {', '.join(self.approval.clauses)})" if self.approval.clauses else ""
        yield (
            f"{route}{raised} · {dollars(self.money_at_stake_cents)} at stake · confidence {self.confidence:.2f} · "
            f"{undoable} of {len(self.plan)} steps can be undone"
        )
        yield self.rationale
        if self.plan:
            yield Table(("#", "step", "what it changes", "clauses", "tier"), [self._step(n) for n in range(len(self.plan))])
        for action in self.plan:
            if isinstance(action["args"].get("text"), str):
                by = f", written by a model ({action['written_by']})" if action.get("written_by") else ""
                yield f"{action['says']}, word for word{by}:\n{action['args']['text']}"
        if self.cites:
            yield Table(("clause", "title", "what it says"), [self._cite(cite) for cite in self.cites])
        if self.alternatives:
            rows = [(one["for"], one["option"], one["lost_because"]) for one in self.alternatives]
            yield Table(("looked at for", "and left", "because"), rows)

    @property
    def standing(self) -> str:
        """The status in words."""
        return self.status.replace("_", " ")

    def _step(self, step: int) -> tuple[Any, ...]:
        action = self.plan[step]
        changes = [change for change in self.changes if change["step"] == step + 1]
        changed = [
            f"{one['system']} {one['record']} {before_and_after(one['field'], one['before'], one['after'])}" for one in changes
        ]
        return step + 1, action["says"], "\n".join(changed), ", ".join(action.get("cites") or ()), action["tier"]

    def _cite(self, cite: Mapping[str, Any]) -> tuple[str, str, str]:
        clause = self.clauses.get(cite["clause"])
        named = f"{cite['clause']} v{cite['version']}"
        return (named, clause.title, clause.text) if clause else (named, "", "not in force")


def before_and_after(field: str, before: Any, after: Any) -> str:
    """A change in words: of a record with the same fields only those that differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return ", ".join(before_and_after(name, before[name], after[name]) for name in before if before[name] != after[name])
    if before is None:
        return f"{field}: {_amount(field, after)}"
    return f"{field}: {_amount(field, before)} → {_amount(field, after)}"


def _amount(field: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_amount(name, one)}" for name, one in sorted(value.items()))
    return dollars(value) if field.endswith("_cents") and isinstance(value, int) else told(value) or "nothing"
