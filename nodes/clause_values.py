"""The values of clauses as the engine gives them out, with a record of what a case has read of them.

An answer follows from the case and from what it read of clauses. Where another version of the policies gives the same for all
that was read, the case is answered as before. So that most other versions do, it is kept what a value was weighed against:
a case that asked whether a score of 0.31 is at least FRD-2.elevated has read that, and not the number.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from systems.conditions import Expression

Answer = TypeVar("Answer")
_CLAUSE = re.compile(r"[A-Z]+_\d+")
#: facts that a question is kept with; where it takes more, it is kept that its values were read
_MOST_BYTES = 2_000
#: parts of what is kept of a condition: its text and the facts
_OF_CONDITION = 2


class ClauseReads:
    """What one case has read of clauses, and the facts that it held against that."""

    def __init__(self) -> None:
        #: values that were read as they are: FRD-2.elevated; a whole clause: FRD-2
        self.values: set[str] = set()
        #: JSON of [text, facts] of conditions, and of [name, clause, operands] of other questions; each once
        self._asked: dict[bytes, None] = {}
        self._conditions: set[Expression] = set()

    @property
    def asked(self) -> list[list[Any]]:
        """[condition, {path: fact, a mapping in mappings}] or [name, clause, operands], in the order in which they came up."""
        return [orjson.loads(question) for question in self._asked]

    def names(self) -> dict[str, list[str]]:
        """Value of a clause -> the facts by name that it was held against; without what these said."""
        found: dict[str, set[str]] = {value: set() for value in self.values}
        for condition in self._conditions:
            values, paths = mentioned(condition)
            for value in values:
                found.setdefault(value, set()).update(map(".".join, paths or ()))
        for _, clause, *_ in (one for one in self.asked if len(one) > _OF_CONDITION):
            found.setdefault(clause, set())
        return {value: sorted(facts) for value, facts in sorted(found.items())}

    def evaluated(self, expression: Expression, names: Mapping[str, Any], bound: Mapping[str, Any], *, pure: bool) -> None:
        """Keep that a condition is evaluated, if it names clauses; `bound` goes before `names`.

        `pure`: whether its functions stand on nothing but what they are given.
        """
        values, paths = mentioned(expression)
        if not values:
            return
        self._conditions.add(expression)
        known = pure and paths is not None and not expression.shadows(names, bound)
        if not (known and self._keep([expression.source, _facts(paths or (), names, bound)])):
            self.values.update(values)

    def _keep(self, question: list[Any]) -> bool:
        try:
            key = orjson.dumps(question)
        except TypeError:  # a number beyond 64 bits, say
            return False
        if len(key) > _MOST_BYTES:
            return False
        self._asked[key] = None
        return True

    def answer(
        self, clause: str, values: Mapping[str, Any], question: Callable[..., Answer], operands: tuple[Any, ...]
    ) -> Answer:
        """Answer a question, and keep that it was asked."""
        if not self._keep([question.__name__, clause, list(operands)]):
            self.values.add(clause)
        return question(values, *operands)


class ClauseValues(Mapping[str, Mapping[str, Any]]):
    """Clause values by id with an underscore, each reading kept; `plain` is without that, for who keeps it otherwise."""

    def __init__(self, plain: Mapping[str, Mapping[str, Any]], reads: ClauseReads) -> None:
        self.plain, self.reads = plain, reads

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        return _OneClause(name.replace("_", "-"), self.plain[name], self.reads)

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


class _OneClause(Mapping[str, Any]):
    def __init__(self, clause: str, plain: Mapping[str, Any], reads: ClauseReads) -> None:
        self._clause, self._plain, self._reads = clause, plain, reads

    def __getitem__(self, name: str) -> Any:
        self._reads.values.add(f"{self._clause}.{name}")
        return self._plain[name]

    def __iter__(self) -> Iterator[str]:
        self._reads.values.add(self._clause)
        return iter(self._plain)

    def __len__(self) -> int:
        self._reads.values.add(self._clause)
        return len(self._plain)

    def answer(self, question: Callable[..., Answer], operands: tuple[Any, ...]) -> Answer:
        return self._reads.answer(self._clause, self._plain, question, operands)


def ask(clause: Mapping[str, Any], question: Callable[..., Answer], *operands: Any) -> Answer:
    """What a question, a pure function of the values of a clause and of plain operands, comes to; kept where readings are."""
    return clause.answer(question, operands) if isinstance(clause, _OneClause) else question(clause, *operands)


@lru_cache(maxsize=10_000)
def mentioned(expression: Expression) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...] | None]:
    """The values of clauses that a condition names, and the paths of facts that it names; None where these cannot be told."""
    clauses = tuple(name.replace("_", "-") for name in sorted(expression.names) if _CLAUSE.fullmatch(name))
    if expression.paths is None:
        return clauses, None
    of_clauses = [path for path in expression.paths if _CLAUSE.fullmatch(path[0])]
    values = tuple(".".join([path[0].replace("_", "-"), *path[1:2]]) for path in of_clauses)
    return values, tuple(path for path in expression.paths if path not in of_clauses)


def _facts(paths: tuple[tuple[str, ...], ...], names: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """What the paths lead to, as far as they do, as mappings in mappings: evaluated on these, a condition comes to the same."""
    facts: dict[str, Any] = {}
    for first, *rest in paths:
        if first not in bound and first not in names:
            continue
        place, key, value = facts, first, bound[first] if first in bound else names[first]
        for part in rest:
            if not isinstance(value, Mapping):
                break
            place = place.setdefault(key, {})
            if part not in value:
                break
            key, value = part, value[part]
        else:
            place[key] = value
            continue
        if not isinstance(value, Mapping):
            place[key] = value
    return facts
