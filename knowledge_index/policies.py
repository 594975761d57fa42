"""Enterprise Knowledge: policies in versions, and the clauses that are in force at a moment, with their numbers put in.

>>> book = PolicyBook.load(Path("knowledge_index/policies"))
>>> book.clause("FRD-2", as_of).values["elevated"]
0.4
"""

import hashlib
import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from errors import BadInput
from knowledge_index.documents import Document, RawClause, fault, parse_document, read_text
from rendering import dollars

#: Clause id to the values of that clause.
Values = Mapping[str, Mapping[str, Any]]

#: The policies of the reference company, which ship with the project.
REFERENCE_POLICIES = Path(__file__).with_name("policies")


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A numbered paragraph that can be cited."""

    id: str
    policy_id: str
    policy_title: str
    title: str
    version: int
    #: the prose with its numbers put in; paragraphs are separated by an empty line
    text: str
    #: its numbers and lists by name, units in the names; to be read only
    values: Mapping[str, Any]
    #: first and last day in force, UTC
    in_force_from: date
    in_force_until: date | None
    owner: str


@dataclass(frozen=True)
class Period:
    """A stretch of time in which no policy begins or ends. Two periods with equal digests hold equal clauses."""

    #: of ids, versions, texts and values of all clauses: 12 hexadecimal digits
    digest: str
    clauses: Mapping[str, Clause] = field(compare=False)
    #: by id with an underscore (`FRD_2`), only clauses that have values
    values: Mapping[str, Mapping[str, Any]] = field(compare=False)


class PolicyBook:
    """All policies of a folder. Immutable; every question about a moment is answered in about a microsecond."""

    def __init__(self, documents: Sequence[Document]) -> None:
        _refuse_overlaps(documents)
        self.documents = tuple(documents)
        begins = {document.in_force_from for document in documents}
        ends = {end + timedelta(days=1) for one in documents if (end := one.in_force_until) and end != date.max}
        days = sorted(begins | ends)
        #: the moments at which a policy begins or has ended
        self.starts = tuple(datetime.combine(day, time(), UTC) for day in days)
        # one more period than starts: the one before the first policy
        self.periods = (_period([]), *(_period([d for d in documents if _holds(d, day)]) for day in days))

    @classmethod
    def load(cls, folder: Path, *others: Path) -> Self:
        """The policies in the `*.md` files of the folders, README.md aside; of one name the last counts. Raises BadInput."""
        if not folder.is_dir():
            raise BadInput(f"The folder {folder} does not exist; name the folder that holds the policy documents.")
        found = {file.name: file for one in (folder, *others) for file in one.glob("*.md") if file.name.lower() != "readme.md"}
        if not found:
            raise BadInput(f"{folder} holds no policy documents (*.md); name the folder that does.")
        return cls([parse_document(read_text(file), file) for _, file in sorted(found.items())])

    def standing(self, as_of: datetime) -> Self:
        """A book of what is in force at `as_of`, as if it had always been: what that would do to a case of any day."""
        day = as_of.astimezone(UTC).date()
        held = [document for document in self.documents if _holds(document, day)]
        return type(self)([one.model_copy(update={"in_force_from": date.min, "in_force_until": None}) for one in held])

    def period(self, as_of: datetime) -> Period:
        """What is in force at `as_of`, which must have a time zone (else BadInput)."""
        try:
            return self.periods[bisect_right(self.starts, as_of)]
        except TypeError as error:
            raise BadInput(f"The moment {as_of!r} has no time zone; give one, such as 2025-06-01T12:00:00Z.") from error

    def clause(self, clause_id: str, as_of: datetime) -> Clause:
        """The clause `clause_id` as it is in force at `as_of`. Raises BadInput if there is none."""
        try:
            return self.period(as_of).clauses[clause_id]
        except KeyError as error:
            problem = f"No clause {clause_id} is in force at {as_of.isoformat()}"
            raise BadInput(f"{problem}; correct the id, or add a policy document that is in force then.") from error


def _holds(document: Document, day: date) -> bool:
    return document.in_force_from <= day <= (document.in_force_until or date.max)


def _refuse_overlaps(documents: Iterable[Document]) -> None:
    ordered = sorted(documents, key=lambda d: (d.id, d.in_force_from, d.version))
    for one, next_one in pairwise(ordered):
        if one.id != next_one.id:
            continue
        both = f"{one.file} and {next_one.file} are both"
        if one.version == next_one.version:
            raise BadInput(f"{both} version {one.version} of {one.id}; give one of them another version.")
        if _holds(one, next_one.in_force_from):
            raise BadInput(f"{both} in force on {next_one.in_force_from}; end the older one the day before.")


def _period(documents: Sequence[Document]) -> Period:
    values = {raw.id: raw.values for document in documents for raw in document.clauses}
    clauses = {raw.id: _clause(raw, document, values) for document in documents for raw in document.clauses}
    content = [[c.id, c.version, c.title, c.text, c.values] for _, c in sorted(clauses.items())]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    named = {clause_id.replace("-", "_"): own for clause_id, own in values.items() if own}
    return Period(digest, clauses, named)


def _clause(raw: RawClause, document: Document, values: Values) -> Clause:
    try:
        text = render(raw.prose, raw.id, values)
    except CannotRender as error:
        line = raw.prose_line + raw.prose.count("\n", 0, error.position)
        remedy = "name a value of this clause, or of another clause in force at the same time"
        raise fault(document.file, line, str(error), remedy) from error
    return Clause(
        id=raw.id, policy_id=document.id, policy_title=document.title, title=raw.title, version=document.version, text=text,
        values=raw.values, in_force_from=document.in_force_from, in_force_until=document.in_force_until, owner=document.owner,
    )  # fmt: skip


# The prose of a clause with its numbers put in

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_REFERENCE = re.compile(r"(?:(?P<clause>[A-Z]+-\d+)\.)?(?P<name>[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*)(?::(?P<form>[a-z]+))?")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


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
        value = part_of(value, part)
    form = reference["form"] or ("dollars" if reference["name"].endswith("_cents") else "default")
    if form not in _FORMS:
        raise ValueError(f"asks for the unknown form {form!r}")
    return _FORMS[form](value)


def part_of(value: Any, part: str) -> Any:
    """What a mapping has of this name, or a list at this place. Raises LookupError."""
    if isinstance(value, Mapping) and part in value:
        return value[part]
    if isinstance(value, list) and part.isascii() and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    raise LookupError("leads to no value")


def _default(value: Any) -> str:
    if isinstance(value, list):
        return _names("`{}`", ", ")(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("leads to a value that cannot be shown in a sentence")
    if isinstance(value, float):
        # two decimals as scores are written, unless that would hide a digit
        return f"{value:.2f}" if round(value, 2) == value else repr(value)
    return value if isinstance(value, str) else f"{value:,}"


def _names(each: str, last: str) -> Callable[[Any], str]:
    def joined(value: Any) -> str:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("leads to a value that is not a list of names")
        *head, tail = map(each.format, value) if value else [""]
        return f"{', '.join(head)}{last}{tail}" if head else tail

    return joined


def _whole(what: str, shown: Callable[[int], str], least: float = -math.inf) -> Callable[[Any], str]:
    def checked(value: Any) -> str:
        if type(value) is not int or value < least:
            raise ValueError(f"leads to a value that is not a whole number {what}")
        return shown(value)

    return checked


_in_words = _whole("from 0", lambda number: _WORDS[number] if number < len(_WORDS) else f"{number:,}", least=0)
_FORMS: Mapping[str, Callable[[Any], str]] = {
    "default": _default,
    "dollars": _whole("of cents", dollars),
    "plain": _names("{}", ", "),
    "or": _names("`{}`", " or "),
    "and": _names("`{}`", " and "),
    "words": _in_words,
    "times": lambda value: {1: "once", 2: "twice"}.get(value) or f"{_in_words(value)} times",
}
