"""Which fields of a record a condition names: of one that was read, and of the elements of a list of them."""

import re
from collections.abc import Iterator

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
#: orders.filter(o, …: what is bound for each element
_MACRO = re.compile(r"\s*\.(filter|map|all|exists|exists_one)\(\s*(\w+)\s*,")
_OF_ONE = re.compile(r"\[\d+\]")


def fields_of(source: str, name: str, *, one: bool) -> Iterator[str]:
    """The fields that `source` names of `name`: `one` record, or a list of records, also one that was filtered.

    A call of a function on it is no field, and a text in quotes names nothing.
    """
    bare = _QUOTED.sub("''", source)
    if one:
        yield from _named(bare, name)
        return
    for found in re.finditer(rf"(?<![\w.]){name}\b", bare):
        place = found.end()
        while macro := _MACRO.match(bare, place):
            end = _closed(bare, macro.end())
            body = bare[macro.end() : end]
            if not re.search(rf"\(\s*{macro[2]}\s*,", body):  # bound anew inside: it may be anything
                yield from _named(body, macro[2])
            place = end + 1 if macro[1] == "filter" else len(bare)
        if index := _OF_ONE.match(bare, place):
            yield from _named("it" + bare[index.end() :].partition(" ")[0], "it")


def is_some_of(source: str, name: str) -> bool:
    """Whether it is the list `name` itself, or what a filter leaves of it."""
    place = len(name) if re.match(rf"{name}\b", source) else -1
    while (macro := _MACRO.match(source, place) if place >= 0 else None) and macro[1] == "filter":
        place = _closed(source, macro.end()) + 1
    return place >= len(source.rstrip())


def _named(source: str, name: str) -> list[str]:
    return re.findall(rf"(?<![\w.]){name}\.([A-Za-z_]\w*)(?![\w(])", source)


def _closed(source: str, place: int) -> int:
    """Where the bracket closes that was open at a place; the end where it does not."""
    depth = 1
    for at in range(place, len(source)):
        depth += (source[at] in "([{") - (source[at] in ")]}")
        if not depth:
            return at
    return len(source)
