"""What is known of the form of a value, and which of its fields an expression names: a misspelt one is never there.

A form comes from what `systems.yaml` computes, from the kinds of arguments, or from the schema of an answer. Where nothing is
known of a value, nothing is said of its fields.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from systems.arguments import ADDRESS_FIELDS, Kind, opened
from systems.conditions import Value
from systems.json_schema import Schema

#: what is bound for each element: orders.filter(o, …)
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[A-Za-z_]\w*|\d[\w.]*|\S")
_WORD = re.compile(r"[A-Za-z_]\w*")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
#: schemas that only refer to each other, or lists in lists
_DEEPEST = 12


@dataclass(frozen=True)
class Shape:
    """What is known of a value: fields of an object, or what the elements of a list are."""

    fields: "Mapping[str, Shape]" = field(default_factory=dict)
    #: it has these fields and no others
    closed: bool = False
    element: "Shape | None" = None
    #: its elements are what stands under the names of an object
    keyed: bool = False

    @classmethod
    def of_kind(cls, kind: Kind) -> "Shape":
        """Of an argument of an action."""
        name, of, _ = opened(kind)
        match name:
            case "list":
                return cls(element=cls.of_kind(of))
            case "object":
                return cls({field: cls.of_kind(one) for field, one in of.items()}, closed=True)
            case "address":
                return cls(dict.fromkeys(ADDRESS_FIELDS, ANY), closed=True)
        return ANY

    @classmethod
    def of_schema(cls, schema: Schema | None) -> "Shape":
        """Of a value that a kept JSON Schema describes."""
        return ANY if schema is None else _of_schema(schema, schema.get("$defs", {}), 0)

    @property
    def elements(self) -> "Shape":
        """What the elements of a list are."""
        return self.element or ANY

    def with_fields(self, more: "Mapping[str, Shape]") -> "Shape":
        """The same with further fields."""
        return replace(self, fields={**self.fields, **more}) if more else self

    def at(self, name: str) -> "Shape":
        """What a field of it is."""
        return self.fields.get(name, ANY)

    def lacks(self, name: str) -> bool:
        """Whether it is known to have no such field."""
        return self.closed and name not in self.fields


#: of which nothing is known
ANY = Shape()
Shapes = Mapping[str, Shape]
#: a field that is not there, and those that are
Misspelt = tuple[str, Collection[str]]


class _Properties(Mapping[str, Shape]):
    """The fields of an object by its schema, looked at when they are asked for: they may have it in them again."""

    def __init__(self, schemas: Mapping[str, Any], referred: Mapping[str, Any]) -> None:
        self._schemas, self._referred = schemas, referred

    def __getitem__(self, name: str) -> Shape:
        return _of_schema(self._schemas[name], self._referred, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)


def _of_schema(schema: Schema, referred: Mapping[str, Any], depth: int) -> Shape:
    ways = [*_ways(schema), *schema.get("allOf", ())]
    if depth > _DEEPEST:
        return ANY
    if "$ref" in schema:
        return _of_schema(_referred(schema, referred), referred, depth + 1)
    if len(ways) == 1 and not schema.get("properties"):
        return _of_schema(ways[0], referred, depth + 1)
    if "items" in schema:
        return Shape(element=_of_schema(schema["items"], referred, depth + 1))
    if not schema.get("properties") and isinstance(schema.get("additionalProperties"), Mapping):
        return Shape(element=_of_schema(schema["additionalProperties"], referred, depth + 1), keyed=True)
    fields = _fields(schema, referred, 0)
    return Shape(_Properties(fields, referred), closed=True) if fields else ANY


def _fields(schema: Schema, referred: Mapping[str, Any], depth: int) -> dict[str, Schema] | None:
    """The schemas of the fields of an object, also of one that is made of parts; None where it may have others."""
    if depth > _DEEPEST or schema.get("additionalProperties", False) is not False:
        return None
    if "$ref" in schema:
        return _fields(_referred(schema, referred), referred, depth + 1)
    ways = [_fields(one, referred, depth + 1) for one in _ways(schema)]
    parts = [_fields(one, referred, depth + 1) for one in schema.get("allOf", ())]
    if None in parts or not all(ways):
        return None
    every = [one for one in (*ways, *parts, schema.get("properties")) if one]
    return {name: inner for one in every for name, inner in one.items()}


def _ways(schema: Schema) -> list[Schema]:
    return [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]


def _referred(schema: Schema, referred: Mapping[str, Any]) -> Schema:
    found: Schema = referred.get(schema["$ref"].rpartition("/")[2], {})
    return found


def shape_of(source: str, known: Shapes) -> Shape:
    """What is known of the value of an expression; `known` are its names."""
    return _Reading(source).whole(known)


def misspelt(source: str, known: Shapes) -> Misspelt | None:
    """The first field that an expression names and that is known not to be there."""
    reading = _Reading(source)
    reading.whole(known)
    return next(iter(reading.found), None)


def shape_of_value(value: Value, known: Shapes) -> Shape:
    """What is known of a computed value."""
    if value.expression is not None:
        return shape_of(value.expression.source, known)
    if isinstance(value.inner, Mapping):
        return Shape({name: shape_of_value(one, known) for name, one in value.inner.items()}, closed=True)
    return ANY


def misspelt_in(value: Value, known: Shapes) -> tuple[str, Misspelt] | None:
    """The same of a computed value, with the expression that names it."""
    found = ((one.source, misspelt(one.source, known)) for one in value.expressions)
    return next(((source, wrong) for source, wrong in found if wrong), None)


@lru_cache(maxsize=4_096)
def _tokens(source: str) -> Sequence[str]:
    return _TOKEN.findall(source)


class _Reading:
    """One expression, from left to right; it was compiled, so its brackets close."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokens(source)
        self.found: list[Misspelt] = []

    def whole(self, known: Shapes) -> Shape:
        return self._part(0, len(self._tokens), known)

    def _part(self, start: int, end: int, known: Shapes) -> Shape:
        """What stands between two places; its shape where it is one name with what follows it."""
        place, shape = start, ANY
        while place < end:
            token = self._tokens[place]
            if token == ".":
                _, place = self._follow(place, end, ANY, known)
            elif _WORD.fullmatch(token) and self._token(place + 1) != "(":
                begins = place
                shape, place = self._follow(place + 1, end, known.get(token, ANY), known)
                if begins == start and place == end:
                    return shape
            else:
                place += 1
        return ANY

    def _follow(self, place: int, end: int, shape: Shape, known: Shapes) -> tuple[Shape, int]:
        """What fields, calls and places in lists behind a value make of it, and where they end."""
        while place < end:
            token, name = self._tokens[place], self._token(place + 1)
            if token == "." and self._token(place + 2) == "(":
                closes = self._closes(place + 2)
                shape, place = self._call(name, place + 3, closes, shape, known), closes + 1
            elif token == "." and _WORD.fullmatch(name):
                shape, place = self._field(name, shape), place + 2
            elif token == "[":
                closes = self._closes(place)
                if closes == place + 2 and name[:1] in "'\"":
                    shape = self._field(name[1:-1], shape)
                else:
                    self._part(place + 1, closes, known)
                    shape = shape.elements
                place = closes + 1
            else:
                return shape, place + (token == ".")
        return shape, place

    def _field(self, name: str, shape: Shape) -> Shape:
        if shape.lacks(name):
            self.found.append((name, [*shape.fields]))
        return shape.at(name)

    def _call(self, name: str, start: int, end: int, shape: Shape, known: Shapes) -> Shape:
        """Of a call on a value: a macro binds its elements, of any other nothing is known."""
        if name not in _MACROS or self._token(start + 1) != ",":
            self._part(start, end, known)
            return ANY
        bound = {**known, self._tokens[start]: shape.elements}
        commas = [place for place in self._top(start, end) if self._tokens[place] == ","]
        for begins, ends in zip(commas, [*commas[1:], end], strict=True):
            made = self._part(begins + 1, ends, bound)
        return shape if name == "filter" else Shape(element=made) if name == "map" else ANY

    def _top(self, start: int, end: int) -> Iterator[int]:
        """The places that are in no bracket that opens after `start`."""
        place = start
        while place < end:
            yield place
            place = self._closes(place) + 1 if self._tokens[place] in _CLOSES else place + 1

    def _closes(self, place: int) -> int:
        depth = 0
        for at in range(place, len(self._tokens)):
            depth += (self._tokens[at] in _CLOSES) - (self._tokens[at] in _CLOSES.values())
            if not depth:
                return at
        return len(self._tokens)

    def _token(self, place: int) -> str:
        return self._tokens[place] if place < len(self._tokens) else ""
