"""Which answers another version of the policies can reach, by what the cases read of clauses (`nodes.clause_values`).

A case that read no value that differs, and asked nothing that comes out otherwise, takes the same way to the same answer.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from knowledge_index.policies import PolicyBook
from nodes.clause_values import ClauseReads, mentioned
from nodes.functions import PLAIN_FUNCTIONS
from nodes.functions.stock import counted_lately
from nodes.governance import band, runs_alone
from systems.conditions import Expression, Scope, Unknown

Values = Mapping[str, Mapping[str, Any]]
_QUESTIONS = {question.__name__: question for question in (band, counted_lately, runs_alone)}
_condition = lru_cache(maxsize=5_000)(lambda source: Expression.compile(source, "a replay"))


class Reach:
    """What differs between the clause values of two books of which all is in force."""

    def __init__(self, before: PolicyBook, after: PolicyBook) -> None:
        self._before, self._after = (book.periods[-1].values for book in (before, after))
        #: a clause is only in one of them: everything may come out otherwise
        self._all = self._before.keys() != self._after.keys() or len(before.periods) != len(after.periods)
        clauses = self._before.keys() & self._after.keys()
        self._differing = {name: _differing(self._before[name], self._after[name]) for name in clauses}

    def reaches(self, reads: ClauseReads) -> bool:
        """Whether a case that read this may be answered otherwise."""
        return self._all or any(map(self._differs, reads.values)) or any(map(self._comes_out_otherwise, reads.asked))

    def _differs(self, value: str) -> bool:
        clause, _, name = value.partition(".")
        found = self._differing.get(clause.replace("-", "_"), frozenset())
        return name in found if name else bool(found)

    def _comes_out_otherwise(self, question: list[Any]) -> bool:
        text, about, *operands = question
        if operands:
            before, after = (values.get(about.replace("-", "_"), {}) for values in (self._before, self._after))
            return self._differs(about) and _outcome(text, before, operands[0]) != _outcome(text, after, operands[0])
        condition = _condition(text)
        if not any(map(self._differs, mentioned(condition)[0])):
            return False
        return _value(condition, about, self._before) != _value(condition, about, self._after)


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name in {*before, *after} if orjson.dumps(before.get(name)) != orjson.dumps(after.get(name)))


def _outcome(name: str, values: Mapping[str, Any], operands: list[Any]) -> object:
    return _QUESTIONS[name](values, *operands)


def _value(condition: Expression, facts: Mapping[str, Any], values: Values) -> str:
    named = {name: values[name] for name in condition.names if name in values}
    functions = {name: PLAIN_FUNCTIONS[name] for name in condition.functions}
    try:
        return repr(condition.evaluate(Scope({**facts, **named}, functions)))
    except Unknown:
        return "unknown"
