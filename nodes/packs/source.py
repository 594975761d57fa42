"""The YAML of a pack: plain data, the line on which each piece stands, and what to mend where it cannot be read.

Who writes packs need not know YAML well: its own messages do not say that a condition that begins with ! needs quotes.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from errors import BadInput

#: part of what the parser says -> what to do about it; the first that fits is told
_REMEDIES = (
    (r"'\\t' that cannot start", "indent with spaces, not with tabs"),
    (r"character '(.)' that cannot start", "a text that begins with {0} needs quotes around it"),
    (
        r"mapping values are not allowed",
        "a text with a colon in it needs quotes around it; else this line is indented too far, or a colon above lacks its space",
    ),
    (r"found '(?:-|\?|<block \w+ start>)'", "indent the line like the lines beside it"),
    (
        r"found '(?:<scalar>|,|\}|\])'",
        "a text that begins with { or [, or with quotes that end early, needs quotes around it; every bracket needs its partner",
    ),
    (r"constructor for the tag '(!)", "a text or condition that begins with ! needs quotes around it"),
    (r"constructor for the tag '.*:value'", "write what is to be computed behind the ="),
    (r"expected alphabetic or numeric|undefined alias", "a text or condition that begins with !, & or * needs quotes around it"),
    (
        r"expected ',' or",
        "inside { } and [ ] a text with a comma, colon, question mark or bracket needs quotes, and every bracket its partner",
    ),
    (r"unexpected end of stream|quoted scalar", "close the quote that begins in line {opened}"),
    (r"could not find expected ':'", "write `name: value`, with a space behind the colon"),
    (r"expected a comment or a line break", "a text that begins with > or | needs quotes around it"),
    (r"another document", "take out the line with ---"),
)


class _Twice(yaml.MarkedYAMLError):
    """A key stands twice: YAML lets the second win silently."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in lines:
                    problem = f"«{key.value}» stands twice in one place, first in line {lines[key.value]}"
                    raise _Twice(problem=problem, problem_mark=key.start_mark)
                lines[key.value] = _line(key)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Written:
    """A pack as it is written: its data, and where each piece of it stands."""

    raw: Any
    node: yaml.Node | None

    def line(self, path: Sequence[str | int]) -> int:
        """The line, from 1, of a piece, or of the nearest piece around it; `path` is of keys and places in lists.

        What a part of a pack has from the pack itself stands there.
        """
        if len(path) > 2 and path[0] == "parts":
            own, found = self._walk(self.node, path)
            if found:
                return own
            return self._walk(self.node, [*path[2:3], *self._behind_own(path)])[0]
        return self._walk(self.node, path)[0]

    def _behind_own(self, path: Sequence[str | int]) -> list[str | int]:
        """The rest of a path into a list that begins with what the part itself has."""
        rest = list(path[3:])
        if rest and isinstance(rest[0], int):
            own = self.raw["parts"][path[1]].get(path[2]) if isinstance(self.raw["parts"][path[1]], dict) else None
            rest[0] -= len(own) if isinstance(own, list) else 0
        return rest

    def _walk(self, node: yaml.Node | None, path: Sequence[str | int]) -> tuple[int, bool]:
        line = 1
        for step in path:
            inner = _inner(node, step)
            if inner is None:
                return line, False
            line, node = inner
        return line, True


def read_written(file: Path) -> Written:
    """Read a file. Raises BadInput with file, line and remedy for what is no plain YAML."""
    try:
        loader = _Loader(file.read_bytes())
        try:
            node = loader.get_single_node()
            return Written(loader.construct_document(node) if node else None, node)
        finally:
            loader.dispose()
    except OSError as error:
        raise BadInput(f"{file}: the pack cannot be read ({error.strerror}); mend it: name one that you may read") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _fault(file, error) from error


def _fault(file: Path, error: Exception) -> BadInput:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f"{file}, line {mark.line + 1}" if mark else str(file)
    problem = getattr(error, "problem", None)
    if problem is None:
        return BadInput(f"{place}: the pack cannot be read, for it is no plain text; mend it: save it as UTF-8 text")
    if isinstance(error, _Twice):
        return BadInput(f"{place}: the pack cannot be read: {problem}; mend it: join the two, or take one out")
    return BadInput(f"{place}: the pack cannot be read ({problem}); mend it: {_remedy(error)}")


def _remedy(error: Exception) -> str:
    said = f"{getattr(error, 'problem', '')} {getattr(error, 'context', '')}"
    opened = getattr(error, "context_mark", None)
    for pattern, remedy in _REMEDIES:
        if match := re.search(pattern, said):
            told = remedy.replace("{opened}", str(opened.line + 1 if opened else 1))
            return told.replace("{0}", match[1]) if match.groups() else told
    return "look at this line and the one above it"


def _inner(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((_line(key), value) for key, value in node.value if str(key.value) == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return _line(node.value[step]), node.value[step]
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
