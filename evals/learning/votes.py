"""What one decision says about a threshold: the case is answered again, with the number on its other side.

A decision speaks where that would have been another answer. An approval then speaks for the side on which the case is; a
decision to do what would have been proposed on the other side speaks for that one, and so does a rejection.

Thresholds are the places where a pack compares a fact with a number of a clause: `payment.fraud.score >= FRD_2.elevated`. Only
what can be said of a case as a whole counts: not what is compared for each line of an order, nor arithmetic with a number.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.evaluation.scorers import Key, key_of
from evals.learning.judged import JudgedProposal
from evals.learning.reasons import is_of_one_policy
from evals.recorded.recording import facts_behind
from knowledge_index.policies import PolicyBook
from ledger.base import Ledger
from nodes.case import Case
from nodes.pack import GIVEN, Pack
from nodes.planner import Planner
from nodes.state import Task
from systems.catalogue import Catalogue
from systems.conditions import Expression, Unknown

#: a path or a call, the sign, CLAUSE.value; arithmetic on either side makes it another number
_COMPARED = re.compile(
    r"(?<![\w.*/+%-])(?P<fact>[A-Za-z_]\w*\([^()]*\)|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[a-z_]\w*)"
    r"\s*(?P<sign>>=|<=|>|<)\s*(?P<clause>[A-Z]+_\d+)\.(?P<value>\w+)(?!\s*[\w.*/+%-])"
)
_ARITHMETIC = re.compile(r"[*/+%-]\s*$")

Values = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ThresholdComparison:
    """A fact and the number of a clause at which cases divide."""

    mission: str
    #: what is compared, such as payment.fraud.score
    fact: str
    #: whether the number itself is on the side below
    strict: bool
    #: FRD-2
    clause: str
    #: elevated
    value: str

    def __str__(self) -> str:
        return f"{self.fact} {'>' if self.strict else '>='} {self.clause}.{self.value}"

    @property
    def key(self) -> str:
        """The clause as conditions name it: FRD_2."""
        return self.clause.replace("-", "_")

    def above(self, fact: float, number: float) -> bool:
        """On which side of a number a fact is."""
        return fact > number if self.strict else fact >= number

    def number(self, values: Values) -> float | None:
        """The number of the clause; None where it has none."""
        found = values.get(self.key, {}).get(self.value)
        return found if _is_number(found) else None

    def fact_of(self, case: Case) -> float | None:
        """The fact in a case; None where it is not known."""
        try:
            found = Expression.compile(self.fact, "evals.learning.votes").evaluate(case.scope)
        except Unknown:
            return None
        return found if _is_number(found) else None

    def flipped(self, values: Values, fact: float) -> Values:
        """The values under which the case of this fact is on the other side, and as little as can be."""
        number = self.number(values)
        assert number is not None
        step = 1 if isinstance(number, int) and isinstance(fact, int) else max(abs(fact), 1.0) * 1e-9
        above = self.above(fact, number)
        moved = fact if above == self.strict else fact + step if above else fact - step
        return {**values, self.key: {**values[self.key], self.value: moved}}


def comparisons(pack: Pack) -> list[ThresholdComparison]:
    """What a Mission compares with numbers of clauses, each once."""
    return list(dict.fromkeys(one for part in pack.and_parts for one in _of(part, pack.mission)))


def _of(pack: Pack, mission: str) -> Iterator[ThresholdComparison]:
    known = {*pack.reads, *pack.let, *(GIVEN - {"args", "queue"})}
    for source in pack.expressions:
        for match in _COMPARED.finditer(source):
            fact = match["fact"]
            if _ARITHMETIC.search(source[: match.start()]) or not Expression.compile(fact, mission).names <= known:
                continue
            clause, strict = match["clause"].replace("_", "-"), match["sign"] in (">", "<=")
            yield ThresholdComparison(mission=mission, fact=fact, strict=strict, clause=clause, value=match["value"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


Outcome = tuple[str, tuple[Key, ...]]


@dataclass(frozen=True)
class Vote:
    """What one decision says about a threshold."""

    decision_id: str
    by: str
    fact: float
    #: the side on which the person wants the case
    above: bool
    #: whether that is the other side than it was on
    against: bool


class VoteCounter:
    """Where cases are answered again, with other numbers."""

    def __init__(self, ledger: Ledger, packs: Mapping[str, Pack], policies: PolicyBook, catalogue: Catalogue) -> None:
        self._ledger, self._packs, self._policies, self._catalogue = ledger, packs, policies, catalogue
        self._comparisons: dict[int, list[ThresholdComparison]] = {}

    def votes(self, one: JudgedProposal) -> list[tuple[ThresholdComparison, Vote]] | None:
        """What one decision says; None where the proposal is not what would be proposed today."""
        event, catalogue = one.run.event, self._catalogue
        if event.mission not in self._packs:
            return None
        pack, values = self._packs[event.mission].of(event.name), self._policies.period(event.as_of).values
        facts, proposed = facts_behind(self._ledger, one.proposal), _outcome(vars(one.proposal), catalogue)

        def answer(under: Values) -> Outcome:
            case = Case(pack, event, facts, under)
            task = Task(case=case, catalogue=catalogue)
            return _outcome(Planner().propose(task), catalogue)

        read_otherwise = not {fact.read for fact in facts} <= pack.reads.keys()
        if not facts or read_otherwise or answer(values) != proposed:
            return None
        said, case = [], Case(pack, event, facts, values)
        for comparison in self._of(pack):
            # whoever rejects all because of an address says nothing about a fraud score
            if one.about and not is_of_one_policy(comparison.clause, one.about):
                continue
            number, fact = comparison.number(values), comparison.fact_of(case)
            if number is None or fact is None:
                continue
            other = answer(comparison.flipped(values, fact))
            if other != proposed and (not one.overruled or _is_that(one, other, catalogue)):
                above = comparison.above(fact, number) != one.overruled
                said.append((comparison, Vote(one.decision.decision_id, one.decision.by, fact, above, one.overruled)))
        return said

    def _of(self, pack: Pack) -> list[ThresholdComparison]:
        if id(pack) not in self._comparisons:
            self._comparisons[id(pack)] = comparisons(pack)
        return self._comparisons[id(pack)]


def _outcome(made: Mapping[str, Any], catalogue: Catalogue) -> Outcome:
    """Verdict, and the actions with the arguments that count, in any order."""
    return made["verdict"], _actions(made["plan"], catalogue)


def _actions(plan: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> tuple[Key, ...]:
    return tuple(sorted(key_of(one, catalogue) for one in plan))


def _is_that(one: JudgedProposal, other: Outcome, catalogue: Catalogue) -> bool:
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
