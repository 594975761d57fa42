"""Where a pack compares a fact with a number of a clause: `payment.fraud.score >= FRD_2.elevated`.

Only what can be told of a case as a whole counts: not what is compared for each line of an order, nor arithmetic with a number.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nodes.case import Case
from nodes.pack import GIVEN, Pack
from systems.conditions import Expression, Unknown

#: a path or a call, the sign, CLAUSE.value; arithmetic on either side makes it another number
_COMPARED = re.compile(
    r"(?<![\w.*/+%-])(?P<fact>[A-Za-z_]\w*\([^()]*\)|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[a-z_]\w*)"
    r"\s*(?P<sign>>=|<=|>|<)\s*(?P<clause>[A-Z]+_\d+)\.(?P<value>\w+)(?!\s*[\w.*/+%-])"
)
_ARITHMETIC = re.compile(r"[*/+%-]\s*$")

Values = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """A fact and the number of a clause at which cases divide."""

    mission: str
    fact: str
    #: FRD-2
    clause: str
    #: elevated
    value: str
    #: whether the number itself is on the side below
    strict: bool

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
        """The fact in a case; None where it cannot be told."""
        try:
            found = Expression.compile(self.fact, "evals.comparisons").evaluate(case.scope)
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


def comparisons(pack: Pack) -> list[Comparison]:
    """What a Mission compares with numbers of clauses, each once."""
    return list(dict.fromkeys(one for part in pack.and_parts for one in _of(part, pack.mission)))


def _of(pack: Pack, mission: str) -> Iterator[Comparison]:
    known = {*pack.reads, *pack.let, *(GIVEN - {"args", "queue"})}
    for source in pack.expressions:
        for match in _COMPARED.finditer(source):
            fact = match["fact"]
            if _ARITHMETIC.search(source[: match.start()]) or not Expression.compile(fact, mission).names <= known:
                continue
            yield Comparison(mission, fact, match["clause"].replace("_", "-"), match["value"], match["sign"] in (">", "<="))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
