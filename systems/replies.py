"""What an answer of a system means: where in it the record stands, and whether it says that there is none, or that it failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from errors import BadInput
from strict_json import strict_json
from systems.conditions import Expression, Scope, Unknown, Value
from systems.values import VALUE_FUNCTIONS

#: where an answer that is no object stands, as MCP servers wrap it; and what is unwrapped without a word
RESULT = "result"
_WRAPS = ({"record"}, {"records"}, {RESULT})
#: what says in every system that there is no such record
ABSENT = {"record": None}
#: where answers say what went wrong
_SAYING = ("message", "detail", "error", "errors", RESULT)


class AnswerConfig(BaseModel, extra="forbid", frozen=True):
    """How answers are read; None where what is around says it. See the heads of systems/config.py and systems/schema.py."""

    at: str | None = None
    absent_when: str | None = None
    fails_when: str | None = None


@dataclass(frozen=True)
class Answers:
    """The same, compiled."""

    #: dotted, or computed of `answer`
    at: str | Value = ""
    absent_when: Expression | None = None
    fails_when: Expression | None = None

    @classmethod
    def of(cls, configs: Sequence[AnswerConfig], where: str) -> "Answers":
        """Of the innermost config that says something. Raises BadInput for what does not compile."""

        def first(name: str) -> str:
            return next((value for one in configs if (value := getattr(one, name)) is not None), "")

        def condition(name: str) -> Expression | None:
            if not (source := first(name)):
                return None
            compiled = Expression.compile(source, f"{where}, {name}")
            compiled.require({"answer"}, VALUE_FUNCTIONS, f"{where}, {name}")
            return compiled

        at = first("at")
        computed = Value.compile(at, f"{where}, at") if at.startswith("=") else at
        return cls(computed, condition("absent_when"), condition("fails_when"))

    def absent(self, answer: Mapping[str, Any]) -> bool:
        """Whether it says that there is no such record."""
        if answer == ABSENT or self.absent_when is None:
            return answer == ABSENT
        try:
            return self.absent_when.evaluate(_scope(answer)) is True
        except Unknown:
            return False

    def failure(self, answer: Mapping[str, Any]) -> str | None:
        """What it says went wrong; None where nothing did. Raises Unknown where that does not follow from it."""
        if self.fails_when is None or self.fails_when.evaluate(_scope(answer)) is False:
            return None
        return said(answer)

    def value(self, answer: Mapping[str, Any]) -> Any:
        """What stands in it where the record, or the list, is to be; None where there is nothing."""
        if isinstance(self.at, Value):
            try:
                return self.at.evaluate(_scope(answer))
            except Unknown:
                return None
        value: Any = answer
        for word in self.at.split(".") if self.at else ():
            if isinstance(value, list) and word.isdecimal():
                value = value[int(word)] if int(word) < len(value) else None
            else:
                value = value.get(word) if isinstance(value, dict) else None
        if not self.at and answer.keys() in _WRAPS:
            (value,) = answer.values()
        return unpacked(value) if self.at and isinstance(value, str) else value


def said(answer: Mapping[str, Any]) -> str:
    """What an answer says went wrong, in at most 500 characters."""
    found = next((answer[name] for name in _SAYING if answer.get(name)), dict(answer))
    if isinstance(found, Mapping):
        found = next((found[name] for name in _SAYING if found.get(name)), found)
    return " ".join(str(found).split())[:500]


def _scope(answer: Mapping[str, Any]) -> Scope:
    return Scope({"answer": answer}, VALUE_FUNCTIONS)


def unpacked(text: str) -> Any:
    """JSON that was answered as text, as what it says; other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return strict_json(text)
    except BadInput:
        return text
