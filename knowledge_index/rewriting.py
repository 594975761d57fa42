"""Writing a part of a policy document anew: a field of its front matter, the text of a clause, one of its values.

Every byte that does not change stays. Texts have line ends as \\n.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from errors import BadInput
from knowledge_index.documents import RawClause, parse_document

#: what may not stand in a text: control characters but tab and line end, halves of characters, what turns the writing around
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_MUST_BE: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text of one line"}


def clause_of(text: str, file: Path, clause_id: str) -> RawClause:
    """A clause of a document that has it."""
    return next(clause for clause in parse_document(text, file).clauses if clause.id == clause_id)


def written(prose: str, clause_id: str) -> str:
    """A text as it will stand in the document. Raises BadInput for an empty one, or one with invisible characters."""
    prose = prose.replace("\r\n", "\n").strip("\n").rstrip()
    if not prose.strip():
        raise BadInput(f"{clause_id} would say nothing; write its text.")
    if found := _CONTROL.search(prose):
        raise BadInput(f"The text of {clause_id} holds the invisible character U+{ord(found[0]):04X}; take it out.")
    return prose


def with_prose(text: str, clause: RawClause, prose: str) -> str:
    """The document's text with another text of a clause of it."""
    lines = text.split("\n")
    start = clause.prose_line - 1
    return "\n".join([*lines[:start], *prose.split("\n"), *lines[start + clause.prose.count("\n") + 1 :]])


def with_value(text: str, clause: RawClause, name: str, value: Any) -> str:
    """The document's text with another value of a clause; only scalars that change are written, and lists whose items do.

    Raises BadInput for a name that the clause has not, or a value of another kind.
    """
    if name not in clause.values:
        raise BadInput(f"{clause.id} has no value {name}; it has {', '.join(clause.values) or 'none'}.")
    value = fitting(clause.values[name], value, f"{clause.id}: {name}")
    lines = text.split("\n")
    start = next(number for number in range(clause.line, len(lines)) if lines[number].startswith("```")) + 1
    stop = next(number for number in range(start, len(lines)) if lines[number].rstrip() == "```")
    block = "\n".join(lines[start:stop])
    root = yaml.compose(block, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "a block of values is a mapping: it was read before"
    node = next(item for key, item in root.value if key.value == name)
    spans = sorted(_spans(node, clause.values[name], value), reverse=True)
    for begin, end, new in spans:
        kept = len(block[begin:end].rstrip())  # the mark after a list in lines stands at the next key
        block = block[:begin] + new + block[begin + kept :]
    return "\n".join([*lines[:start], *block.split("\n"), *lines[stop:]])


def fitting(before: Any, after: Any, where: str) -> Any:
    """The new value as the kind of the old one. Raises BadInput where it is of another kind or shape."""
    if isinstance(before, Mapping):
        if not isinstance(after, Mapping) or after.keys() != before.keys():
            raise BadInput(f"{where} must keep its names {', '.join(before)}; change their values only.")
        return {name: fitting(before[name], after[name], f"{where}.{name}") for name in before}
    if isinstance(before, list):
        return _fitting_list(before, after, where)
    if isinstance(before, float) and isinstance(after, int) and not isinstance(after, bool):
        return float(after)
    if isinstance(before, int) and isinstance(after, float) and after.is_integer():
        after = int(after)
    kind = type(before)
    if type(after) is not kind or (kind is str and (not after.strip() or "\n" in after or _CONTROL.search(after))):
        raise BadInput(f"{where} is {after!r}; make it {_MUST_BE[kind]}.")
    return after


def with_field(text: str, name: str, value: str, file: Path) -> str:
    """The document's text with another value of a field of its front matter. Raises BadInput where it has no such line."""
    head, mark, rest = text.partition("\n---")
    changed, count = re.subn(rf"(?m)^({name}[ \t]*:[ \t]*)[^#\n]*?([ \t]*(?:#.*)?)$", rf"\g<1>{value}\g<2>", head, count=1)
    if count != 1 or not mark:
        raise BadInput(f"{file} has no line `{name}: …` in its front matter; write one, each field in a line of its own.")
    return changed + mark + rest


def _spans(node: yaml.Node, before: Any, after: Any) -> Iterator[tuple[int, int, str]]:
    """(from, to, text) of what must be written anew within a value of equal shape."""
    if before == after and type(before) is type(after):
        return
    if isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            yield from _spans(item, before[key.value], after[key.value])
    elif isinstance(node, yaml.SequenceNode) and len(before) == len(after):
        for item, was, now in zip(node.value, before, after, strict=True):
            yield from _spans(item, was, now)
    else:
        yield node.start_mark.index, node.end_mark.index, _yaml(after)


def _yaml(value: Any) -> str:
    # in a list, so that a text with a comma or a colon is quoted
    dumped = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True)
    return dumped.strip()[1:-1]


def _fitting_list(before: Sequence[Any], after: Any, where: str) -> list[Any]:
    if not isinstance(after, Sequence) or isinstance(after, str) or not after:
        raise BadInput(f"{where} is {after!r}; make it a list of at least one item.")
    if any(isinstance(item, Mapping | list) for item in before):
        if len(after) != len(before):
            raise BadInput(f"{where} must keep its {len(before)} items; change their values only.")
        return [fitting(was, now, f"{where}.{number}") for number, (was, now) in enumerate(zip(before, after, strict=True))]
    fitted = [fitting(before[0], item, f"{where}.{number}") for number, item in enumerate(after)] if before else list(after)
    if len(set(fitted)) != len(fitted):
        raise BadInput(f"{where} has an item twice; take one of the two out.")
    return fitted
