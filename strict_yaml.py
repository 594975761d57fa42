"""YAML from outside, read strictly: plain data, and the line on which each piece of it stands.

Who writes it need not know YAML well: the parser's own messages do not say that a text that begins with ! needs quotes.
"""

import re
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.composer import Composer

from errors import BadInput

Model = TypeVar("Model", bound=BaseModel)
#: pydantic's names of what is no list and should be one
_LISTS = ("list_type", "tuple_type", "frozen_set_type")
#: more names than these do not help
_MOST_NAMES = 40

#: part of what the parser says -> what to do about it; the first that fits is reported
_REMEDIES = (
    (r"'\\t' that cannot start", "indent with spaces, not with tabs"),
    (r"character '(.)' that cannot start", "a text that begins with {0} needs quotes around it"),
    (r"mapping values are not allowed",
     "a text with a colon in it needs quotes around it; else this line is indented too far, or a colon above lacks its space"),
    (r"found '(?:-|\?|<block \w+ start>)'", "indent the line like the lines beside it"),
    (r"found '(?:<scalar>|,|\}|\])'",
     "a text that begins with { or [, or with quotes that end early, needs quotes around it; every bracket needs its partner"),
    (r"constructor for the tag '(!)", "a text or condition that begins with ! needs quotes around it"),
    (r"constructor for the tag '.*:value'", "write the expression to compute after the ="),
    (r"expected alphabetic or numeric|undefined alias|an alias",
     "a text or condition that begins with !, & or * needs quotes around it"),
    (r"expected ',' or",
     "inside { } and [ ] a text with a comma, colon, question mark or bracket needs quotes, and every bracket its partner"),
    (r"unexpected end of stream|quoted scalar", "close the quote that begins in line {opened}"),
    (r"could not find expected ':'", "write `name: value`, with a space behind the colon"),
    (r"expected a comment or a line break", "a text that begins with > or | needs quotes around it"),
    (r"another document", "take out the line with ---"),
    (r"appears twice", "join the two, or remove one"),
)  # fmt: skip


class _WithoutAliases(Composer):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        parser: Any = self  # what a composer is mixed with reads the events
        if parser.check_event(yaml.AliasEvent):  # a small file could say gigabytes with them
            mark = parser.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="an alias (*name) is not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


class _QuickLoader(_WithoutAliases, yaml.CSafeLoader):
    """Reads words and signs by the library in C, in a fifth of the time; its own composer knows no bound of depth."""

    def __init__(self, text: bytes | str) -> None:
        Composer.__init__(self)
        yaml.CSafeLoader.__init__(self, text)


class _Loader(_WithoutAliases, yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:  # YAML itself lets the second of two equal keys win silently
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                problem = f"«{key.value}» appears twice in one place, first in line {lines[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            lines[str(key.value)] = _line(key)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class YamlDocument:
    """A YAML text: what it says, and where each piece of it stands."""

    file: Path
    #: what it is, in sentences: "pack"
    what: str
    data: Any
    node: yaml.Node | None

    def line(self, path: Sequence[str | int]) -> int:
        """The line, from 1, of a piece, or of the nearest piece around it; `path` is of keys and places in lists."""
        return self.walk(self.node, path)[0]

    def walk(self, node: yaml.Node | None, path: Sequence[str | int]) -> tuple[int, bool]:
        """(the line of the piece at a path from `node` on, or of the nearest around it; whether it is there)"""
        line = 1
        for step in path:
            inner = _inner(node, step)
            if inner is None:
                return line, False
            line, node = inner
        return line, True

    def as_model(
        self, model: type[Model], see: str, data: Any = None, line: Callable[[Sequence[str | int]], int] | None = None
    ) -> Model:
        """Its data as a model that forbids what it does not know; `see` names where its fields are described.

        `data` takes the place of its own where it was made of it, and `line` finds the lines of that.
        Raises BadInput with file, line and remedy.
        """
        try:
            return model.model_validate(self.data if data is None else data)
        except ValidationError as error:
            first = _first(error)
            place = f"{self.file}, line {(line or self.line)(first['loc'])}"
            sentence = _schema_sentence(model, first, self.what, see)
            raise BadInput(f"{place}: {sentence}{'' if sentence.endswith('?') else '.'}") from error


def read_yaml(file: Path, what: str) -> YamlDocument:
    """Read a file; `what` it is, as «pack», stands in sentences. Raises BadInput with file, line and remedy."""
    try:
        return parse_yaml(file.read_bytes(), file, what)
    except OSError as error:
        raise BadInput(f"{file}: the {what} cannot be read ({error.strerror}); fix it: name one that you may read") from error


def parse_yaml(text: bytes | str, file: Path, what: str, first_line: int = 1) -> YamlDocument:
    """A text that begins at a line of a file.

    Raises BadInput, with file, line and remedy, for what is no plain YAML: with tags or aliases, or a key that stands
    twice.
    """
    try:
        node = _composed("\n" * (first_line - 1) + text if isinstance(text, str) else text)
        return YamlDocument(file, what, _Loader("").construct_document(node) if node else None, node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _fault(error, file, what, first_line) from error


@lru_cache(512)  # a process reads the same packs, policies and actions again and again
def _composed(text: bytes | str) -> yaml.Node | None:
    with suppress(yaml.YAMLError):
        return yaml.compose(text, _QuickLoader)
    return yaml.compose(text, _Loader)  # says what is wrong in the words that _REMEDIES know


def _fault(error: Exception, file: Path, what: str, first_line: int) -> BadInput:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else first_line
    place = f"{file}, line {line}" if mark or first_line > 1 else str(file)
    if isinstance(error, yaml.MarkedYAMLError):
        opened = str(error.context_mark.line + 1 if error.context_mark else 1)
        matches = ((re.search(pattern, f"{error.problem} {error.context}"), remedy) for pattern, remedy in _REMEDIES)
        fitting = (remedy.replace("{opened}", opened).replace("{0}", (*one.groups(), "")[0]) for one, remedy in matches if one)
        why, remedy = error.problem, next(fitting, "look at this line and the one above it")
    elif isinstance(error, yaml.YAMLError | UnicodeDecodeError):
        why, remedy = "it is not plain text", "save it as UTF-8 text"
    else:
        why, remedy = str(error), "correct the value, or nest it less deeply"
    return BadInput(f"{place}: the {what} cannot be read ({why}); fix it: {remedy}.")


def instead(word: str, known: Collection[str]) -> str:
    """What to say after an unknown word: «did you mean x?» or what there is."""
    near = get_close_matches(word, known, n=2, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(near)}?"
    names = sorted(known)[:_MOST_NAMES]
    return f"known are {', '.join(names)}{' …' if len(known) > len(names) else ''}" if names else "there is none"


def _first(error: ValidationError) -> ErrorDetails:
    """The first mistake; if it is a missing key, one beside it that is not known is its cause: it is misspelt."""
    errors = error.errors()
    beside = (one for one in errors if one["type"] == "extra_forbidden" and one["loc"][:-1] == errors[0]["loc"][:-1])
    return next(beside, errors[0])


def _schema_sentence(model: type[BaseModel], error: ErrorDetails, what: str, see: str) -> str:
    """What is wrong with the shape of a text, and what to do: from the first error of its model."""
    place, path = ".".join(map(str, error["loc"])) or f"the {what}", error["loc"]
    name = str(path[-1]) if path else ""
    if error["type"] == "extra_forbidden":
        comma = ": a text with a comma in it needs quotes inside { }" if not re.fullmatch(r"\w+", name) else ""
        fields = _fields_at(model, path[:-1])
        return f"{place}: «{name}» is not permitted here; fix it{comma or ': ' + instead(name, fields)}"
    if error["type"] == "missing":
        return f"{place}: «{name}» is required here; fix it: add «{name}», as {see} describes"
    value = error["input"]
    if error["type"] == "string_type" and isinstance(value, bool | int | float | None):
        written = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return f"{place}: {error['msg']}, and {written} is none; fix it: put it in quotes"
    if error["type"] in ("dict_type", "model_type", *_LISTS):
        shape = "lines with - in front" if error["type"] in _LISTS else "lines of the form `name: value`"
        kinds = {list: "a list", type(None): "nothing", dict: "a mapping"}
        return f"{place}: {kinds.get(type(value), f'«{str(value)[:60]}»')} stands here; fix it: {shape} are expected, see {see}"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}; fix it"


def _fields_at(kind: Any, path: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of a model."""
    if issubclass(kind, RootModel):
        kind = kind.model_fields["root"].annotation
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            named = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = _without_none(named.get(str(step)))
        else:
            kind = _without_none((get_args(kind) or (None,))[-1])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _without_none(kind: Any) -> Any:
    return next((one for one in get_args(kind) if one is not type(None)), kind) if type(None) in get_args(kind) else kind


def _inner(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((_line(key), value) for key, value in node.value if str(key.value) == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return _line(node.value[step]), node.value[step]
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
