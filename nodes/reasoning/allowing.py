"""What of a fact a model may see: the fields that the pack names, of each element of a list, and no more of them than fit."""

from collections.abc import Iterable, Mapping
from typing import Any

MOST_ELEMENTS = 40
MOST_CHARACTERS = 1_500

#: field -> the fields inside it; none inside: it is shown if it is no record
Fields = dict[str, "Fields"]


def allowed(value: Any, fields: Iterable[str]) -> Any:
    """A fact with nothing but these fields, dotted into records and lists: `lines.sku`. None where nothing is left.

    A list with more elements than fit ends with a text that says so.
    """
    tree: Fields = {}
    for path in fields:
        inside = tree
        for name in path.split("."):
            inside = inside.setdefault(name, {})
    return _allowed(value, tree)


def texts(value: Any) -> Iterable[str]:
    """Every text in a value, but the names of fields."""
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from texts(inner)
        case list() | tuple():
            for inner in value:
                yield from texts(inner)


def _allowed(value: Any, fields: Fields) -> Any:
    if isinstance(value, list):
        more = [f"and {len(value) - MOST_ELEMENTS} more"] if len(value) > MOST_ELEMENTS else []
        return [*(_allowed(one, fields) for one in value[:MOST_ELEMENTS]), *more]
    if isinstance(value, Mapping):
        return {name: _allowed(value[name], inner) for name, inner in fields.items() if name in value} if fields else None
    if fields:
        return None  # something else than the record that the pack speaks of
    return value[:MOST_CHARACTERS] if isinstance(value, str) else value
