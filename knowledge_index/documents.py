"""Reading one policy document: front matter, what holds for all clauses, clauses with their values.

Only the shape is judged here; placeholders are resolved in `policies`, where all documents are known.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from errors import BadInput
from strict_yaml import parse_yaml

MAX_BYTES = 1_000_000

_HEADING = re.compile(r"## (?P<id>(?P<policy>[A-Z]{2,8})-[1-9][0-9]{0,3}) (?P<title>\S.*)")
_VALUE_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: how the names of values end that are amounts, times, counts and shares
_NEVER_BELOW_0 = ("_cents", "_percent", "_minutes", "_hours", "_days", "_months", "_units")
#: what steers a screen or turns writing around: a clause would not say what people see
UNRULY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: numbers are kept in 64 bits, versions in 32
_MOST, _MOST_VERSION = 2**63, 2**31


def _visible(text: str) -> str:
    if not text or UNRULY.search(text):
        raise ValueError("Input should be a text without control characters")
    return text


Text = Annotated[str, AfterValidator(_visible)]


class Header(BaseModel, extra="forbid", frozen=True, strict=True):
    """The front matter of a policy document."""

    id: Annotated[str, Field(pattern="^[A-Z]{2,8}$")]
    title: Text
    version: Annotated[int, Field(ge=1, lt=_MOST_VERSION)]
    #: the first day, UTC
    in_force_from: date
    #: the last day, UTC; None: until further notice
    in_force_until: date | None
    owner: Text

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.in_force_until is not None and self.in_force_until < self.in_force_from:
            raise ValueError("in_force_until lies before in_force_from; correct one of the two")
        return self


@dataclass(frozen=True, kw_only=True)
class RawClause:
    """A clause as it is written: its prose still has placeholders."""

    id: str
    title: str
    values: Mapping[str, Any]
    prose: str
    #: line of the heading, and of the first line of the prose
    line: int
    prose_line: int


class Document(Header, frozen=True):
    """One version of one policy document."""

    file: Path
    #: what holds for all its clauses
    intro: str
    clauses: tuple[RawClause, ...]
    #: the whole of it, as it was read
    text: str


def fault(file: Path, line: int, what: str, remedy: str) -> BadInput:
    """The error for `line` (from 1) of `file`; `what` is a clause without a full stop, `remedy` an imperative."""
    return BadInput(f"{file}, line {line}: {what}; {remedy}.")


def parse_document(text: str, file: Path) -> Document:
    """The policy document `text`, which stands in `file` or will. Raises BadInput with file and line for a fault."""
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if unruly := UNRULY.search(line):
            raise fault(file, number, f"a control character (U+{ord(unruly[0]):04X}) is not allowed", "take it out")
    if lines[0].rstrip() != "---":
        raise fault(file, 1, "the front matter is missing", "begin the file with a line `---`")
    end = _find(lines, "---", 1, len(lines))
    if end is None:
        raise fault(file, 1, "the front matter does not end", "close it with a line `---`")
    header = parse_yaml("\n".join(lines[1:end]), file, "policy", 2).as_model(Header, "knowledge_index/policies/README.md")
    headings = [number for number in range(end + 1, len(lines)) if lines[number].startswith("## ")]
    if not headings:
        raise fault(file, end + 1, "no clause follows", f"add headings such as `## {header.id}-1 Title`")
    stops = [*headings[1:], len(lines)]
    clauses = tuple(_clause(lines, start, stop, header, file) for start, stop in zip(headings, stops, strict=True))
    used: dict[str, int] = {}
    for clause in clauses:
        if clause.id in used:
            raise fault(file, clause.line, f"{clause.id} is already used in line {used[clause.id]}", "give it a unique id")
        used[clause.id] = clause.line
    intro = "\n".join(lines[end + 1 : headings[0]]).strip()
    return Document(**vars(header), file=file, intro=intro, clauses=clauses, text=text)


def read_text(file: Path) -> str:
    """The text of a policy document. Raises BadInput for what cannot be read, is too long, or is not UTF-8."""
    try:
        if not file.is_file():
            raise BadInput(f"{file} is not a file; put a policy document there, or remove it.")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{file} has {size:,} bytes, more than {MAX_BYTES:,}; split the policy into several files.")
        raw = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); give read permission for it.") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise fault(file, line, "the text is not UTF-8", "save the file as UTF-8") from error


def _clause(lines: list[str], start: int, stop: int, header: Header, file: Path) -> RawClause:
    heading = _HEADING.fullmatch(lines[start].rstrip())
    if heading is None or heading["policy"] != header.id:
        raise fault(file, start + 1, "the heading is not that of a clause", f"write it as `## {header.id}-1 Title`")
    body = _skip_blank(lines, start + 1, stop)
    values: Mapping[str, Any] = {}
    if body < stop and lines[body].startswith("```"):
        if lines[body].split() != ["```yaml", "values"]:
            raise fault(file, body + 1, "the block is not labeled as values", "open it with ```yaml values")
        end = _find(lines, "```", body + 1, stop)
        if end is None:
            raise fault(file, body + 1, "the block of values does not end", "close it with ```")
        values = _values(lines[body + 1 : end], file, body + 2)
        body = _skip_blank(lines, end + 1, stop)
    prose = "\n".join(lines[body:stop]).rstrip()
    if not prose:
        raise fault(file, start + 1, f"{heading['id']} says nothing", "write its text under the heading")
    for number, line in enumerate(prose.split("\n"), start=body + 1):
        if line.startswith("```"):
            raise fault(file, number, "a block appears inside the prose", "put the values right under the heading")
    return RawClause(id=heading["id"], title=heading["title"], values=values, prose=prose, line=start + 1, prose_line=body + 1)


def _skip_blank(lines: list[str], start: int, stop: int) -> int:
    return next((number for number in range(start, stop) if lines[number].strip()), stop)


def _find(lines: list[str], mark: str, start: int, stop: int) -> int | None:
    """The first line that is this mark."""
    return next((number for number in range(start, stop) if lines[number].rstrip() == mark), None)


def _values(lines: list[str], file: Path, first_line: int) -> Mapping[str, Any]:
    values = parse_yaml("\n".join(lines), file, "policy", first_line).data
    if not isinstance(values, dict):
        raise fault(file, first_line, "the YAML below is not a mapping", "write lines of the form `name: value`")
    for problem in _problems(values):
        remedy = "use names_like_this and numbers, texts, lists; money, times, counts and shares are 0 or more"
        raise fault(file, first_line, f"the values below have {problem}", remedy)
    return values


def _problems(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str) or not _VALUE_NAME.fullmatch(name):
                yield f"the name {name!r}"
            elif name.endswith(_NEVER_BELOW_0) and isinstance(item, int | float) and item < 0:
                yield f"the value {item!r} of {name}, which cannot be below 0"
            yield from _problems(item)
    elif isinstance(value, list):
        for item in value:
            yield from _problems(item)
    elif isinstance(value, str):
        if UNRULY.search(value):
            yield f"the value {repr(value)[:80]}"
    elif not isinstance(value, int | float) or not math.isfinite(value) or not -_MOST <= value < _MOST:
        yield f"the value {repr(value)[:80]}"
