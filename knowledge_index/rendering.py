"""The prose of a clause with its numbers put in."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REFERENCE = re.compile(r"(?:(?P<clause>[A-Z]+-\d+)\.)?(?P<name>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*)(?::(?P<form>[a-z]+))?")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

#: Clause id to the values of that clause.
Values = Mapping[str, Mapping[str, Any]]


class CannotRender(ValueError):
    """A placeholder, at index `position` of the prose, that leads to nothing, or to something that cannot be shown so."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.position = position


def render(prose: str, clause_id: str, values: Values) -> str:
    """`prose` of `clause_id` with every `{name}`, `{CLAUSE.name}`, `{name.0.part}`, `{name:form}` replaced.

    Each paragraph becomes one line. Raises CannotRender.
    """

    def replaced(match: re.Match[str]) -> str:
        try:
            return _shown(match[1], clause_id, values)
        except (LookupError, ValueError) as error:
            raise CannotRender(f"the placeholder {match[0]} {error.args[0]}", match.start()) from error

    stray = re.search(r"[{}]", _PLACEHOLDER.sub(lambda match: " " * len(match[0]), prose))
    if stray:
        raise CannotRender("a brace is unmatched", stray.start())
    return paragraphs(_PLACEHOLDER.sub(replaced, prose))


def paragraphs(prose: str) -> str:
    """Prose with each paragraph on one line, and an empty line between two."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", prose.strip()))


def _shown(placeholder: str, clause_id: str, values: Values) -> str:
    reference = _REFERENCE.fullmatch(placeholder)
    if reference is None:
        raise ValueError("is not of the form {name}, {CLAUSE.name} or {name:form}")
    value: Any = values.get(reference["clause"] or clause_id, {})
    for part in reference["name"].split("."):
        value = _part(value, part)
    form = reference["form"] or ("dollars" if reference["name"].endswith("_cents") else "default")
    if form not in _FORMS:
        raise ValueError(f"asks for the unknown form {form!r}")
    return _FORMS[form](value)


def _part(value: Any, part: str) -> Any:
    if isinstance(value, Mapping) and part in value:
        return value[part]
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    raise LookupError("leads to no value")


def _default(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_code_spans(value))
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("leads to a value that cannot be shown in a sentence")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        # two decimals as scores are written, unless that would hide a digit
        return f"{value:.2f}" if round(value, 2) == value else repr(value)
    return value


def _dollars(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("leads to a value that is not a whole number of cents")
    return f"${value / 100:,.2f}"


def _code_spans(value: Any) -> list[str]:
    return [f"`{item}`" for item in _strings(value)]


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("leads to a value that is not a list of names")
    return value


def _joined(last: str) -> Callable[[Any], str]:
    def joined(value: Any) -> str:
        *head, tail = _code_spans(value)
        return f"{', '.join(head)} {last} {tail}" if head else tail

    return joined


def _in_words(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("leads to a value that is not a whole number from 0")
    return _WORDS[value] if value < len(_WORDS) else f"{value:,}"


_FORMS: Mapping[str, Callable[[Any], str]] = {
    "default": _default,
    "dollars": _dollars,
    "plain": lambda value: ", ".join(_strings(value)),
    "or": _joined("or"),
    "and": _joined("and"),
    "words": _in_words,
    "times": lambda value: {1: "once", 2: "twice"}.get(value) or f"{_in_words(value)} times",
}
