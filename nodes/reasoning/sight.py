"""What a model may see of a case, and how it stands in the prompt: labelled blocks of data, never instructions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from models.masking import Masks
from models.prompts import block
from nodes.quoting import quotable


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a model may see of a case. Everything is plain data, filtered by the pack and masked."""

    #: {"mission", "event", "as_of", "subject": where it is made of what may be seen}
    case: Mapping[str, Any]
    #: read -> the fields of it that the pack lets a model see
    facts: Mapping[str, Any]
    #: [{"id", "says", "options": [{"option", "if_it_does_not_work"}]}]
    findings: Sequence[Mapping[str, Any]]
    #: [{"seq", "kind", "says"}]: what a reason may cite
    evidence: Sequence[Mapping[str, Any]]
    #: [{"id", "version", "text", "values": its numbers, units in their names}]: what a reason may cite
    clauses: Sequence[Mapping[str, Any]]
    #: where a case may be handed over to
    queues: Sequence[str]
    #: to choose from, the planner's first: [{"id", "says", "verdict", "steps", "cites", "options_that_lost"}], of a step
    #: {"step": from 1, "action", "args", "for", "letter": where it sends one}
    plans: Sequence[Mapping[str, Any]] = ()
    #: to make a plan of: verdict -> what it means
    verdicts: Mapping[str, str] = field(default_factory=dict)
    #: [{"name", "says", "args": {name: kind}}]; the kinds are those of the catalogue
    actions: Sequence[Mapping[str, Any]] = ()
    #: what the pack says may be done about what was found, in its own words
    rules: Mapping[str, Any] = field(default_factory=dict)
    #: facts that are addresses, by reference: "order.ship_to"; what stands in them is not shown
    addresses: Sequence[str] = ()
    #: name -> the letter of the pack, with its holes
    letters: Mapping[str, str] = field(default_factory=dict)
    risks: Mapping[str, float] = field(default_factory=dict)
    #: name -> what may be read once more: {"tool", "fields"}
    reads: Mapping[str, Any] = field(default_factory=dict)
    #: words of the pack, which a sentence may have in it as they are
    names: frozenset[str] = frozenset()
    #: texts that were read and are not to be seen
    hidden: Sequence[str] = ()
    #: sentence of a finding -> what a model is told instead
    told: Mapping[str, str] = field(default_factory=dict)
    #: which mark stands for what
    masks: Masks = field(default_factory=Masks)

    @cached_property
    def known(self) -> frozenset[str]:
        """What a sentence of the model may quote; see `nodes.quoting`."""
        values = [clause["values"] for clause in self.clauses]
        quoted = quotable(self.case, self.facts, self.findings, self.evidence, self.plans, self.risks, values)
        said = [*(clause["text"] for clause in self.clauses), *self.letters.values()]
        words = [*self.names, *(one["id"] for one in (*self.findings, *self.clauses, *self.plans))]
        return quoted.union(*map(_quotable, said)) | {word.lower() for word in words}

    def text(self) -> str:
        """The blocks of the prompt, in the order of the fields; what there is nothing of is left out."""
        shown = {
            "case": self.case,
            "facts": self.facts,
            "findings": self.findings,
            "evidence": self.evidence,
            "clauses": self.clauses,
            "verdicts": self.verdicts,
            "actions": self.actions,
            "rules": self.rules,
            "queues": self.queues,
            "plans": self.plans,
            "addresses": self.addresses,
            "letters": self.letters,
            "risks": self.risks,
            "reads": self.reads,
        }
        return "\n\n".join(block(name, value) for name, value in shown.items() if value)


@lru_cache(maxsize=1_000)
def _quotable(text: str) -> frozenset[str]:
    """Of texts that are the same in case after case."""
    return quotable(text)
