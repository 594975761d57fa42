"""JSON Schemas in which servers say what their tools take and answer: what is kept of one, and what it has against a value.

They come from outside, and real ones are careless. What is kept says no more than that a value is of the wrong form: types,
fields, words, lengths and bounds. Patterns, which can be made to run for hours, and what refers elsewhere are left out.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote

from errors import BadInput
from strict_json import require_kept
from strict_yaml import instead

Schema = dict[str, Any]
#: parts of a schema inside each other, schemas that it refers to, and characters of what is kept
_DEEPEST, _MOST_REFERRED, _MOST_CHARACTERS = 16, 400, 400_000
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_TYPES = {
    "array": "a list", "boolean": "true or false", "integer": "a whole number", "null": "null", "number": "a number",
    "object": "an object", "string": "text",
}  # fmt: skip


def kept(schema: Any) -> Schema | None:
    """What is kept of a schema, with all that it refers to; None of what is none, or too large."""
    if not isinstance(schema, Mapping) or not schema:
        return None
    keeping = _Keeping(schema)
    found = keeping.part(schema, 0)
    referred = keeping.referred()
    whole = {**found, "$defs": referred} if referred else found
    try:
        require_kept(whole)
        return whole if len(json.dumps(whole)) <= _MOST_CHARACTERS else None
    except (BadInput, ValueError, TypeError):
        return None


class _Keeping:
    """What is kept of one schema; what it refers to is numbered."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        #: reference -> its number
        self._numbers: dict[str, str] = {}

    def referred(self) -> dict[str, Any]:
        """All that was referred to, and what that refers to in turn."""
        found: dict[str, Any] = {}
        while left := [reference for reference, number in self._numbers.items() if number not in found]:
            if len(self._numbers) > _MOST_REFERRED:
                return {number: {} for number in self._numbers.values()}
            found |= {self._numbers[reference]: self.part(self._at(reference), 0) for reference in left}
        return found

    def part(self, schema: Any, depth: int) -> Schema:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return {}
        found = dict(self._words(schema, depth))
        # as documents of OpenAPI 3.0 say it
        return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") is True else found

    def _words(self, schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
        def inside(value: Any) -> Schema:
            return self.part(value, depth + 1)

        if isinstance(reference := schema.get("$ref"), str) and reference.startswith("#"):
            yield "$ref", f"#/$defs/{self._numbers.setdefault(reference, str(len(self._numbers) + 1))}"
        kind = schema.get("type")
        kinds = [kind] if isinstance(kind, str) else kind
        if isinstance(kinds, list) and kinds and all(isinstance(one, str) and one in _TYPES for one in kinds):
            yield "type", kind
        words = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(words, list) and words:
            yield "enum", [*words, None] if schema.get("nullable") is True else words
        properties = schema.get("properties")
        named = properties if isinstance(properties, Mapping) else {}
        if isinstance(properties, Mapping):
            yield "properties", {str(name): inside(one) for name, one in named.items()}
        required = schema.get("required")
        # what is read-only is of answers alone, whether required or not
        listed = required if isinstance(required, list) else ()
        needed = [one for one in listed if isinstance(one, str) and not _reads_only(named.get(one))]
        if needed:
            yield "required", needed
        others = schema.get("additionalProperties")
        if isinstance(others, bool | Mapping) and not schema.get("patternProperties"):
            yield "additionalProperties", others if isinstance(others, bool) else inside(others)
        elif schema.get("patternProperties"):
            yield "additionalProperties", True
        if isinstance(schema.get("items"), Mapping):
            yield "items", inside(schema["items"])
        # one of several is any of them: real ones overlap
        several = next((schema[word] for word in ("anyOf", "oneOf") if _is_list(schema.get(word))), None)
        if several:
            yield "anyOf", [inside(one) for one in several]
        if _is_list(schema.get("allOf")):
            yield "allOf", [inside(one) for one in schema["allOf"]]
        yield from ((word, schema[word]) for word in _COUNTS if type(schema.get(word)) is int and 0 <= schema[word] < 2**63)
        yield from (
            (word, schema[word]) for word in _BOUNDS if type(schema.get(word)) in (int, float) and abs(schema[word]) < 2**63
        )

    def _at(self, reference: str) -> Any:
        value: Any = self._root
        for step in unquote(reference).split("/")[1:]:
            value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, Mapping) else None
        return value


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _reads_only(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("readOnly") is True


@dataclass(frozen=True)
class Takes:
    """What a tool takes, as its server said when it was pinned. `given` are the arguments that no action sends by itself."""

    schema: Schema
    given: frozenset[str] = frozenset()

    @cached_property
    def _closed(self) -> Schema:
        """Its schema where what it does not name is not taken, unless it says otherwise, and what is given is not asked for."""
        needed = [name for name in self.schema.get("required", ()) if name not in self.given]
        closed = {"additionalProperties": False} if "properties" in self.schema else {}
        names: Schema = {**{name: {} for name in self.given}, **self.schema.get("properties", {})}
        open_ = self.schema.keys() & {"anyOf", "allOf", "$ref"}
        return {**({} if open_ else closed), **self.schema, "properties": names, "required": needed}

    def refusal(self, sent: Mapping[str, Any]) -> str:
        """Why its server would refuse what is sent, as the end of a sentence; empty where its schema speaks against nothing."""
        return next((_sentence(error) for error in _errors(self._closed, sent)), "")

    def sure_refusals(self, sent: Mapping[str, Any], unknown: Collection[str], fixed: Sequence[Any]) -> list[str]:
        """Why its server would refuse whatever has the form of what is sent. `unknown` is sent besides; `fixed` are values that
        are no examples."""
        needed, names = [name for name in self._closed["required"] if name not in unknown], self._closed["properties"]
        strange = [name for name in unknown if name not in names and self._closed.get("additionalProperties") is False]
        if strange:
            return [f"it takes no {strange[0]}; {instead(strange[0], names)}"]
        errors = _errors({**self._closed, "required": needed}, sent)
        return [_sentence(error) for error in errors if _is_sure(error, fixed)]


def _errors(schema: Schema, value: Any) -> list[Any]:
    try:
        return list(_validator(json.dumps(schema)).iter_errors(value))
    except RecursionError:  # a schema that refers to itself says nothing
        return []


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    # it takes a second to load, and most commands look at no schema
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(json.loads(schema), registry=Registry())  # it fetches nothing


def _is_sure(error: Any, fixed: Sequence[Any]) -> bool:
    """Whether no other value of the same form would do."""
    if error.validator == "anyOf":
        ways = {one.relative_schema_path[0] for one in error.context}
        return all(any(_is_sure(one, fixed) for one in error.context if one.relative_schema_path[0] == way) for way in ways)
    return error.validator in ("type", "required", "additionalProperties") or (
        error.validator == "enum" and any(error.instance == one for one in fixed)
    )


def _sentence(error: Any) -> str:
    """What is wrong with a value, and where in it: "lines 2 qty must be a whole number, and is text"."""
    where = " ".join(str(one + 1) if isinstance(one, int) else one for one in error.absolute_path)
    inside, value, rule = f"{where} " if where else "", error.validator_value, error.validator
    match rule:
        case "type" | "anyOf" if kinds := _kinds(error):
            return f"{inside}must be {' or '.join(_TYPES[one] for one in kinds)}, and is {_kind_of(error.instance)}"
        case "required":
            return f"{inside}lacks {next(name for name in value if name not in error.instance)}"
        case "additionalProperties":
            strange = next(name for name in error.instance if name not in error.schema.get("properties", {}))
            return f"{where or 'it'} takes no {strange}; {instead(strange, error.schema.get('properties', {}))}"
        case "enum":
            return f"{inside}cannot be {str(error.instance)[:60]!r}; {instead(str(error.instance), [*map(str, value)])}"
        case "anyOf":
            return _sentence(next((one for one in error.context if one.validator != "type"), error.context[0]))
    words = {"minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {} elements"}
    words |= {"maxItems": "at most {} elements", "minimum": "at least {}", "maximum": "at most {}"}
    words |= {"exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}"}
    return f"{inside}must {'have' if rule in _COUNTS else 'be'} {words.get(rule, '{}').format(value)}"


def _kinds(error: Any) -> list[str]:
    """The types that a value may have, where it has none of them; nothing where that is not what is wrong."""
    several = error.context if error.validator == "anyOf" else [error]
    if any(one.validator != "type" or one.absolute_path != error.absolute_path for one in several):
        return []
    every = [one.validator_value if isinstance(one.validator_value, list) else [one.validator_value] for one in several]
    return list(dict.fromkeys(kind for kinds in every for kind in kinds))


def _kind_of(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return _TYPES[names.get(type(value), "number")]
