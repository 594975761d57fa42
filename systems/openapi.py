"""An OpenAPI document (3.0 to 3.2): what it holds, and what it refers to within itself.

It comes from outside. Whatever it refers to elsewhere is never fetched, one that is too large is refused, and each of its schemas
is gone through once, however often it is referred to.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from errors import BadInput
from strict_json import require_kept, strict_json
from strict_yaml import parse_yaml

#: bytes of a document, and what it may hold
MOST_BYTES = 16_000_000
MOST_OPERATIONS = 2_000
_MOST_SCHEMAS = 5_000
#: fields of one object
_MOST_FIELDS = 1_000
#: references that lead to each other, and parts inside each other
_MOST_STEPS = 10

_METHODS = ("get", "put", "post", "delete", "patch")
_SCHEMA = re.compile(r"#/components/schemas/([^/]+)(?:/.*)?")

#: schemas of the fields of an object, and the names of those that are required
Fields = tuple[dict[str, Any], set[str]]


class NoTool(Exception):
    """An operation cannot be a tool; the text says why."""


class OpenApi:
    """A document, by what is asked of it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        # by `id`; each schema is kept with it, so that no other one ever has the same
        self._digests: dict[int, tuple[Any, str, frozenset[str]]] = {}
        self._fields: dict[int, tuple[Any, Fields | None]] = {}

    @classmethod
    def parse(cls, text: bytes, source: str) -> Self:
        """The document of a text, JSON or YAML. Raises BadInput, with the reason, where it is none."""
        if len(text) > MOST_BYTES:
            raise BadInput(f"its document is longer than {MOST_BYTES:,} bytes")
        value = strict_json(text) if text.lstrip()[:1] == b"{" else _from_yaml(text, source)
        if not (isinstance(value, dict) and str(value.get("openapi")).startswith("3.")):
            raise BadInput("its document is not one of OpenAPI 3, which begins with `openapi: 3.`; convert it")
        return cls(value)

    def operations(self) -> list[tuple[str, str, Any, Any]]:
        """(method, path, what is said of it, the parameters of its path) of each operation. Raises BadInput for too many."""
        paths = self._document.get("paths")
        listed = paths.items() if isinstance(paths, Mapping) else ()
        items = [(path, item) for path, item in listed if isinstance(item, Mapping)]
        found = [(verb, path, item[verb], item.get("parameters")) for path, item in items for verb in _METHODS if verb in item]
        if len(found) > MOST_OPERATIONS:
            most = f"more than {MOST_OPERATIONS:,}; keep those that are needed"
            raise BadInput(f"its document has {len(found):,} operations, {most}")
        return found

    def resolved(self, value: Any) -> Any:
        """What a reference leads to, or the value itself where it is none. Raises NoTool."""
        for _ in range(_MOST_STEPS):
            if not (isinstance(value, Mapping) and isinstance(ref := value.get("$ref"), str)):
                return value
            value = self._at(ref)
        raise NoTool("it refers to itself")

    def _at(self, ref: str) -> Any:
        if not ref.startswith("#/"):
            raise NoTool(f"it refers to {ref[:100]!r}, which is not in its document; put it there")
        value: Any = self._document
        try:
            for step in unquote(ref[2:]).split("/"):
                key = step.replace("~1", "/").replace("~0", "~")
                value = value[int(key)] if isinstance(value, list) else value[key]
        except (LookupError, TypeError, ValueError) as error:
            raise NoTool(f"it refers to {ref[:100]!r}, which is not there") from error
        return value

    def digests(self, schemas: Mapping[str, Any]) -> dict[str, str]:
        """The digests of schemas, and of all that they refer to, and these in turn. Raises NoTool."""
        own = {name: self._digest(schema) for name, schema in schemas.items()}
        found = {name: one for name, (one, _) in own.items()}
        left = {name for _, names in own.values() for name in names}
        while left:
            ref = f"#/components/schemas/{left.pop()}"
            try:
                schema = self._at(ref)
            except NoTool:  # real documents forget some; one that comes later changes the digest
                schema = None
            found[ref], further = self._digest(schema)
            left |= {name for name in further if f"#/components/schemas/{name}" not in found}
            if len(found) > _MOST_SCHEMAS:
                raise NoTool(f"it refers to more than {_MOST_SCHEMAS:,} schemas")
        return found

    def _digest(self, schema: Any) -> tuple[str, frozenset[str]]:
        """(the digest of a schema of the document, the names of those that it refers to itself)"""
        if id(schema) not in self._digests:
            self._digests[id(schema)] = schema, hashed(schema), frozenset(_referred(schema))
        return self._digests[id(schema)][1:]

    def with_schemas(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A schema in which references find what they lead to."""
        components = self._document.get("components")
        schemas = components.get("schemas") if isinstance(components, Mapping) else None
        return {**schema, "components": {"schemas": schemas}} if schemas else dict(schema)

    def fields(self, schema: Any, depth: int = 0) -> Fields | None:
        """The fields of an object, also of one that is made of parts; None of anything else. Raises NoTool."""
        schema = self.resolved(schema)
        if not isinstance(schema, Mapping) or depth > _MOST_STEPS:
            return None
        if id(schema) not in self._fields:
            self._fields[id(schema)] = schema, None  # an object that is a part of itself is none
            self._fields[id(schema)] = schema, self._joined(schema, depth)
        return self._fields[id(schema)][1]

    def _joined(self, schema: Mapping[str, Any], depth: int) -> Fields | None:
        own, required, parts = schema.get("properties", {}), schema.get("required", []), schema.get("allOf", [])
        if not (isinstance(own, Mapping) and isinstance(required, list) and isinstance(parts, list)):
            return None
        inner = [self.fields(part, depth + 1) for part in parts]
        if schema.keys() & {"oneOf", "anyOf", "not", "if"} or None in inner:
            return None
        objects = [one for one in [*inner, (dict(own), set(required) & own.keys())] if one]
        names = {name for fields, _ in objects for name in fields}
        if len(names) > _MOST_FIELDS:
            raise NoTool(f"it takes an object of more than {_MOST_FIELDS:,} fields")
        every = {name: field for fields, _ in objects for name, field in fields.items()}
        return (every, {name for _, needed in objects for name in needed}) if every else None


def _from_yaml(text: bytes, source: str) -> Any:
    value = parse_yaml(text, Path(source), "document").data
    try:  # YAML has numbers for keys, and moments
        plain = json.loads(json.dumps(value, default=str))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"its document is not plain data ({error})") from error
    require_kept(plain)
    return plain


def _referred(value: Any) -> Iterator[str]:
    """The names of the schemas that a schema refers to itself. Raises NoTool where it refers to anything else."""
    if isinstance(value, Mapping):
        if isinstance(ref := value.get("$ref"), str):
            if not (named := _SCHEMA.fullmatch(ref)):
                raise NoTool(f"it refers to {ref[:100]!r}, which is none of the schemas of its document; put it there")
            yield named[1]
        for key, inner in value.items():
            if key not in ("example", "examples") and not str(key).startswith("x-"):
                yield from _referred(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _referred(inner)


def hashed(value: Any) -> str:
    """A digest of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
