"""What a pack may name, and what to say of a name that is not there: what was probably meant, and what there is."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from knowledge_index.policies import Clause
from nodes.functions import FUNCTION_NAMES
from nodes.pack import Pack
from systems.conditions import Expression

_CLAUSE_VALUE = re.compile(r"\b([A-Z]+_\d+)\.(\w+)")
_CLAUSE = re.compile(r"[A-Z]+_\d+")
_QUOTED = re.compile(r"'[^']*'")
#: more names than these do not help
_MOST_TOLD = 40


def instead(word: str, known: Collection[str]) -> str:
    """What to say after an unknown word: «; did you mean x?» or what there is."""
    near = get_close_matches(word, known, n=2, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(near)}?"
    told = sorted(known)[:_MOST_TOLD]
    return f"known are {', '.join(told)}{' …' if len(known) > len(told) else ''}" if told else "there is none"


def unknown_name(expression: Expression, known: Collection[str], clauses: Mapping[str, Clause]) -> str | None:
    """Why an expression names something that is not there where it stands, or None.

    Clause values are looked up as well: a misspelt one would make every case undecidable.
    """
    source = expression.source
    for name in sorted(expression.names - set(known)):
        own = {one for one in known if not _CLAUSE.fullmatch(one)}
        if _CLAUSE.fullmatch(name):
            return f"«{source}» uses the unknown name {name!r}, and no policy in force has the clause {name.replace('_', '-')}"
        return f"«{source}» uses the unknown name {name!r}; {instead(name, own)}; a clause is named as in FRD_2.elevated"
    for name in sorted(expression.functions - FUNCTION_NAMES):
        return f"«{source}» uses the unknown function {name!r}; {instead(name, FUNCTION_NAMES)}"
    for clause, value in _CLAUSE_VALUE.findall(_QUOTED.sub("''", source)):
        values = clauses[clause.replace("_", "-")].values
        if value not in values:
            return f"«{source}» uses {clause}.{value}, and {clause.replace('_', '-')} has no such value; {instead(value, values)}"
    return None


def schema_sentence(error: ErrorDetails) -> str:
    """What is wrong with the shape of a pack, and what to do: from the first error of its model."""
    place, path = ".".join(map(str, error["loc"])) or "the pack", error["loc"]
    name = str(path[-1]) if path else ""
    if error["type"] == "extra_forbidden":
        comma = ": a text with a comma in it needs quotes inside { }" if not re.fullmatch(r"\w+", name) else ""
        return f"{place}: «{name}» is not permitted here; mend it{comma or ': ' + instead(name, _fields_at(path[:-1]))}"
    if error["type"] == "missing":
        return f"{place}: «{name}» is required here; mend it: add «{name}», as docs/packs.md tells"
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float | None):
        return f"{place}: {error['msg']}, and {_yaml(error['input'])} is none; mend it: put it in quotes"
    if error["type"] in ("dict_type", "model_type", "list_type"):
        shape = "lines with - in front" if error["type"] == "list_type" else "lines of the form `name: value`"
        return f"{place}: {_of_what(error['input'])} stands here; mend it: {shape} are expected, see docs/packs.md"
    return f"{place}: {error['msg']}; mend it"


def _fields_at(path: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of a pack."""
    kind: Any = Pack
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


def _yaml(value: Any) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _of_what(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "a mapping" if isinstance(value, dict) else f"«{str(value)[:60]}»"
