"""What one decision says about a threshold: the case is answered again, with the number on its other side.

A decision speaks where that would have been another answer. An approval then speaks for the side on which the case is; a
decision to do what would have been proposed on the other side speaks for that one, and so does a rejection.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.comparisons import Comparison, Values, comparisons
from evals.overruled import Judged
from evals.recording import facts_behind
from evals.scorers.sides import Key, key_of
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from nodes.case import Case
from nodes.diagnose import find
from nodes.pack import Pack
from nodes.planner import Planner
from nodes.reasoning.task import Task
from systems.catalogue import Catalogue

Outcome = tuple[str, tuple[Key, ...]]


@dataclass(frozen=True)
class Voice:
    """What one decision says about a threshold."""

    decision_id: str
    by: str
    fact: float
    #: the side on which the person wants the case
    above: bool
    #: whether that is the other side than it was on
    against: bool


class Bench:
    """Where cases are answered again, with other numbers."""

    def __init__(self, ledger: Ledger, packs: Mapping[str, Pack], policies: PolicyBook, catalogue: Catalogue) -> None:
        self._ledger, self._packs, self._policies, self._catalogue = ledger, packs, policies, catalogue
        self._comparisons: dict[int, list[Comparison]] = {}

    def voices(self, one: Judged) -> list[tuple[Comparison, Voice]] | None:
        """What one decision says; None where the proposal is not what would be proposed today."""
        event, catalogue = one.run.event, self._catalogue
        if event.mission not in self._packs:
            return None
        pack, values = self._packs[event.mission].of(event.name), self._policies.values(event.as_of)
        facts, proposed = facts_behind(self._ledger, one.proposal), _outcome(vars(one.proposal), catalogue)

        def answer(under: Values) -> Outcome:
            case = Case(pack, event, facts, under)
            task = Task(case=case, findings=find(case), catalogue=catalogue)
            return _outcome(Planner().propose(task), catalogue)

        read_otherwise = not {fact.name for fact in facts} <= pack.reads.keys()
        if not facts or read_otherwise or answer(values) != proposed:
            return None
        said, case = [], Case(pack, event, facts, values)
        for comparison in self._of(pack):
            number, fact = comparison.number(values), comparison.fact_of(case)
            if number is None or fact is None:
                continue
            other = answer(comparison.flipped(values, fact))
            if other != proposed and (not one.overruled or _is_that(one, other, catalogue)):
                above = comparison.above(fact, number) != one.overruled
                said.append((comparison, Voice(one.decision.decision_id, one.decision.by, fact, above, one.overruled)))
        return said

    def _of(self, pack: Pack) -> list[Comparison]:
        if id(pack) not in self._comparisons:
            self._comparisons[id(pack)] = comparisons(pack)
        return self._comparisons[id(pack)]


def _outcome(made: Mapping[str, Any], catalogue: Catalogue) -> Outcome:
    """Verdict, and the actions with the arguments that count, in any order."""
    return made["verdict"], _actions(made["plan"], catalogue)


def _actions(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> tuple[Key, ...]:
    return tuple(sorted(key_of(one, catalogue) for one in plan))


def _is_that(one: Judged, other: Outcome, catalogue: Catalogue) -> bool:
    """Whether what the person decided is this outcome; of a rejection it can be."""
    decision = one.decision
    if decision.kind == "reject":
        return True
    if decision.kind == "escalate":
        return other[0] == "escalate" and any(json.dumps(decision.details.get("queue")) in action for action in other[1])
    plan = decision.details.get("plan")
    if plan is None:  # approved without some parts
        plan = [step for step in one.proposal.plan if step.get("part") not in one.difference.without]
    return _actions(plan, catalogue) == other[1]
