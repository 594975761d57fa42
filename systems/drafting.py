"""Drafts of what a catalogue and `systems.yaml` say of a tool, from its schemas or from an answer; a person completes them.

A drafted action does not load before somebody has written what it changes, what it costs and what takes it back: no schema
says that. Everything that a server says of itself is data: it stands in a draft quoted, or in a comment of one line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from rendering import plain, words
from systems.arguments import DEEPEST_KIND, MAX_FIELDS, Kind
from systems.config import GIVEN
from systems.operations import IF_MATCH, Operation
from systems.pins import ListedTool

_DEEPEST_SCHEMA, _MOST_ALIKE = 6, 50
_ID = re.compile(r"(?i).*(?:id|ids|key|number|code|sku)")
#: ids that are of an answer, and not of what it is about
_OF_ANSWER = re.compile(r"(?i)(?:request|trace|correlation|session)_?id")
_VERB = re.compile(r"(?:get|find|read|fetch|list|search|look_?up|show|retrieve)_?(?:v\d+_)?(?=\w)")
_TYPES: Mapping[str, str] = {"integer": "whole", "number": "number", "boolean": "flag"}
_TO_FILL_IN = """\
  # TODO effect: {"SYSTEM.RECORDS[ARGUMENT].FIELD": value}   # what it changes in a record; null where it changes none
  # TODO money: none            # or {refund: =cents(AMOUNT)}, with `to`; what it moves or costs
  # TODO undo: null             # or the action that takes it back, with its arguments
"""


def drafted_action(tool: ListedTool, always: Mapping[str, Any]) -> str:
    """An entry of an action catalogue for a WRITE, in YAML; `always` are the arguments that its system always gets."""
    schema = tool.definition.get("inputSchema") or {}
    required = _listed(schema, "required")
    given = {*GIVEN, *always, *([IF_MATCH] if isinstance(tool, Operation) and tool.if_match else [])}
    asked = {name: one for name, one in _properties(schema).items() if name not in given}
    names = {name: re.sub(r"\W", "_", name, flags=re.ASCII) for name in asked}
    args = {names[name]: _kind(one, schema, name, optional=name not in required) for name, one in asked.items()}
    entry: dict[str, Any] = {"system": tool.system, "says": _sentence(tool.name, args), "args": args}
    if any(name != names[name] for name in names):
        entry["send"] = {name: f"={names[name]}" for name in names}
    name = _snake(tool.name)
    if name != tool.name:
        entry["tool"] = tool.name
    return f"{_told(tool)}{_yaml({name: entry})}{_TO_FILL_IN}"


def drafted_records(tool: ListedTool, answer: Any, given: Mapping[str, Any]) -> str:
    """An entry of a system's `records` for a READ, in YAML, from an answer to the arguments that were `given`.

    Without an answer (None) it is drafted from the output schema of the tool, and where there is none what is to be told by a
    trial is left open.
    """
    schema = tool.definition.get("outputSchema")
    said = _example(schema, schema, 0) if answer is None and isinstance(schema, Mapping) else answer
    values = {*map(str, given.values())}
    candidates = list(_records(said, values))
    # what it was asked for is that which says so
    found = next((one for one in candidates if values & {*map(str, one[1].values())}), next(iter(candidates), None))
    name = _VERB.sub("", _snake(tool.name), count=1)
    collection = name if name.endswith("s") else f"{name[:-1]}ies" if re.search(r"[^aeiou]y$", name) else f"{name}s"
    if found is None:
        why = "# TODO nothing here tells what it answers: repeat this with --try ARGUMENT=VALUE\n"
        return f"{_told(tool)}{why}{_yaml({collection: {'key': 'TODO', 'read': tool.name}})}"
    path, record, is_list = found
    asked = _listed(tool.definition.get("inputSchema") or {}, "required") or list(given)
    by = {name: _field(record, name) for name in asked if name not in GIVEN}
    if not by:  # nothing that it needs: what it takes of the fields of a record, or all
        takes = sorted(tool.takes - {*GIVEN})
        by = {name: _field(record, name) for name in takes if _field(record, name)} or dict.fromkeys(takes, "")
    key = _key(record, name, by, given, is_list=is_list)
    if not is_list and len(by) == 1:
        by = dict.fromkeys(by, key)
    entry: dict[str, Any] = {"key": key}
    same = all(field in ("", argument) for argument, field in by.items())
    asks: Any = dict(by) if not same else next(iter(by)) if len(by) == 1 else list(by)
    if is_list:
        entry["lists"] = {tool.name: asks}
    else:
        entry["read"] = tool.name if asks == key else {tool.name: asks}
    if path:
        entry["at"] = ".".join(path)
    parts = {part: _key(one[0], part, {}, {}, is_list=True) for part, one in record.items() if _is_list_of_records(one)}
    if parts:
        entry["parts"] = parts
    fields = ", ".join(plain(field, 40) for field in list(record)[:_MOST_ALIKE])
    return f"{_told(tool)}{_yaml({collection: entry})}  # what it has: {fields}\n"


def _told(tool: ListedTool) -> str:
    says = plain(tool.definition.get("description") or tool.definition.get("title") or "nothing", 200)
    return f"# {plain(tool.system, 60)}.{plain(tool.name, 100)} says of itself: {says}\n"


def _sentence(tool: str, args: Mapping[str, Kind]) -> str:
    about = ", ".join(f"{words(name.removesuffix('_cents'))} {{{name}}}" for name in args)
    title = words(_snake(tool))
    return f"{title[:1].upper()}{title[1:]}{': ' if about else ''}{about}"


def _snake(name: str) -> str:
    """The name of a tool as one of ours: getOrder is get_order."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"\W", "_", name, flags=re.ASCII)).lower()


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=120)


# Kinds of arguments, by JSON Schema


def _kind(schema: Any, root: Any, name: str, *, optional: bool = False, depth: int = 1) -> Kind:
    schema, nullable = _resolved(schema, root)
    kind, sign = schema.get("type"), "?" if optional or nullable else ""
    choices = _listed(schema, "enum") or ([schema["const"]] if "const" in schema else [])
    if choices and all(isinstance(one, str) and one for one in choices):
        return {f"words{sign}": list(choices)} if sign else list(choices)
    properties = _properties(schema)
    if kind == "array" and depth < DEEPEST_KIND:
        return {f"list{sign}": _kind(schema.get("items") or {}, root, name, depth=depth + 1)}
    if kind == "object" and 0 < len(properties) <= MAX_FIELDS and depth < DEEPEST_KIND:
        needed = _listed(schema, "required")
        fields = {
            str(key): _kind(one, root, str(key), optional=key not in needed, depth=depth + 1) for key, one in properties.items()
        }
        return {f"object{sign}": fields}
    if kind == "integer" and name.endswith("_cents"):
        return f"cents{sign}"
    if kind == "string" and schema.get("format") in ("date", "date-time"):
        return f"moment{sign}"
    return f"{_TYPES.get(str(kind)) or ('id' if _ID.fullmatch(name) else 'text')}{sign}"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The properties of a schema that a server wrote as it liked."""
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _listed(schema: Mapping[str, Any], name: str) -> list[Any]:
    found = schema.get(name)
    return found if isinstance(found, list) else []


def _resolved(schema: Any, root: Any, steps: int = _DEEPEST_SCHEMA) -> tuple[Mapping[str, Any], bool]:
    """A schema without references to its own document, its parts in one, and of several the first that is not null; whether
    null is one."""
    nullable = schema.get("nullable") is True if isinstance(schema, Mapping) else False
    for _ in range(steps):
        if not isinstance(schema, Mapping):
            return {}, nullable
        several = next((schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list)), None)
        if several is not None:
            others = [one for one in several if not (isinstance(one, Mapping) and one.get("type") == "null")]
            nullable, schema = nullable or len(others) < len(several), others[0] if others else {}
        elif isinstance(schema.get("$ref"), str):
            schema = _at(root, schema["$ref"])
        elif isinstance(parts := schema.get("allOf"), list):
            schema, of_part = _joined(schema, parts[:_MOST_ALIKE], root, steps)
            nullable = nullable or of_part
        elif isinstance(schema.get("type"), list):
            left = [one for one in schema["type"] if one != "null"]
            nullable, schema = nullable or len(left) < len(schema["type"]), {**schema, "type": left[0] if left else "string"}
        else:
            return schema, nullable
    return {}, nullable


def _joined(schema: Mapping[str, Any], parts: Sequence[Any], root: Any, steps: int) -> tuple[dict[str, Any], bool]:
    """A schema that is made of parts as one of its own; whether a part may be null."""
    own = {name: value for name, value in schema.items() if name != "allOf"}
    found = [(own, False), *(_resolved(part, root, steps - 1) for part in parts)]
    joined = {name: value for part, _ in found for name, value in part.items()}
    properties = {name: value for part, _ in found for name, value in _properties(part).items()}
    required = [name for part, _ in found for name in _listed(part, "required")]
    return {**joined, **({"properties": properties, "required": required} if properties else {})}, any(of for _, of in found)


def _at(root: Any, reference: str) -> Any:
    if not reference.startswith("#/"):
        return {}
    for word in reference[2:].split("/"):
        root = root.get(word) if isinstance(root, Mapping) else None
    return root


# Records, by an answer


def _example(schema: Any, root: Any, depth: int) -> Any:
    """A made-up answer of a schema, for the sake of its fields."""
    schema, _ = _resolved(schema, root)
    if depth > _DEEPEST_SCHEMA:
        return None
    if schema.get("type") == "array":
        return [_example(schema.get("items"), root, depth + 1)]
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        return {str(name): _example(one, root, depth + 1) for name, one in list(properties.items())[:_MOST_ALIKE]}
    return ""


def _records(said: Any, values: set[str]) -> Iterator[tuple[Sequence[str], Mapping[str, Any], bool]]:
    """(path, record, whether it is one of a list), from the outside in: what has a value that was asked with, or an id."""
    level: list[tuple[tuple[str, ...], Any]] = [((), said)]
    for _ in range(_DEEPEST_SCHEMA):
        for path, one in level:
            record = one[0] if _is_list_of_records(one) else one
            if isinstance(record, Mapping) and any(_identifies(name, value, values) for name, value in record.items()):
                yield path, record, record is not one
        inside = [(path, one) for path, one in level if isinstance(one, Mapping)]
        level = [((*path, str(name)), inner) for path, one in inside for name, inner in list(one.items())[:_MOST_ALIKE]]


def _identifies(name: str, value: Any, values: set[str]) -> bool:
    return not isinstance(value, Mapping | list) and (str(value) in values or _is_id(str(name)))


def _is_id(name: str) -> bool:
    return _ID.fullmatch(name) is not None and not _OF_ANSWER.fullmatch(name)


def _key(record: Mapping[str, Any], name: str, by: Mapping[str, str], given: Mapping[str, Any], *, is_list: bool) -> str:
    """The field that identifies a record of this name. One is asked for by it, and a list by something else."""
    plain_fields = [field for field, value in record.items() if not isinstance(value, Mapping | list)]
    every = [field for field in plain_fields if _is_id(str(field))]
    ids = [field for field in every if not (is_list and field in by.values())] or every
    values = {*map(str, given.values())}
    own = [field for field in ids if _bare(field) in ("id", f"{_bare(name)}id", f"{_bare(name).removesuffix('s')}id")]
    asked = [] if is_list else [field for field in by.values() if field]
    hit = [] if is_list else [field for field in (*own, *ids, *plain_fields) if str(record[field]) in values]
    return str(next(iter([*asked, *hit, *own, *ids]), "TODO"))


def _field(record: Mapping[str, Any], argument: str) -> str:
    """The field of a record that is called as an argument is; empty where none is."""
    return next((str(field) for field in record if _bare(field) == _bare(argument)), "")


def _bare(name: Any) -> str:
    return str(name).replace("_", "").replace("-", "").casefold()


def _is_list_of_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
