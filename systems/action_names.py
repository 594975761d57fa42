"""Whether an action says of records and tools what is there: the fields that it names, and what its tool is sent.

Fields are looked up where it is known which there are (systems/record_shapes.py), arguments where the tool told a schema when it
was pinned. A catalogue that is wrong in this loads, so that a server that has changed can be reviewed and pinned; no pack does.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from errors import BadInput
from strict_yaml import instead
from systems.arguments import ADDRESS_FIELDS, Kind, choices, opened
from systems.catalogue import Action, Catalogue
from systems.conditions import Scope, Unknown, Value
from systems.record_shapes import require_fields, shape_of_collection
from systems.records import RecordPath
from systems.schema import RecordSchema
from systems.shapes import ANY, Shape, misspelt, misspelt_in
from systems.values import VALUE_FUNCTIONS

#: functions that are known to give a value of one type, with one such value: numbers are not sent as text, nor text as a number
GIVES: Mapping[str, Any] = {
    "amount": 12.5, "cents": 3, "decimal": "12.50", "int": 3, "join": "text", "money": "text", "size": 3, "string": "text",
}  # fmt: skip


def require_sound(catalogue: Catalogue) -> None:
    """Raises BadInput for the first field that records or actions name and that is not there, and for an action whose tool would
    refuse whatever is sent."""
    require_fields(catalogue.record_schema)
    for action in catalogue.values():
        for sentence in _unknown_fields(action, catalogue.record_schema):
            raise BadInput(f"{action.where}: {sentence}")
        if refused := never_taken(action, {}):
            raise BadInput(f"{action.where}: {action.tool} would always refuse it, for {refused}; correct its `args` or `send`")


# The fields that an action names


def _unknown_fields(action: Action, schema: RecordSchema) -> Iterator[str]:
    known = {name: Shape.of_kind(kind) for name, kind in action.args.items()}
    for name, path in action.binds.items():
        yield from _of_path(path, schema, known)
        holder = _holder(path, schema)
        known[name] = holder if path.field is None else holder.at(path.field)
    for condition, _ in action.needs:
        if found := misspelt(condition.source, known):
            yield _sentence(f"needs: «{condition.source}» uses", *found)
    undo = action.undo[1] if action.undo else {}
    for what, values in (("money", action.money), ("to", action.to), ("undo", undo), ("send", action.send or {})):
        yield from (one for value in values.values() for one in _of_value(what, value, known))
    for path, value in action.effect:
        yield from _of_path(path, schema, known)
        holder = shape_of_collection(schema, path.collection) if path.part_by == "+" else _holder(path, schema)
        yield from _of_value("effect", value, {**known, "it": holder})


def _of_value(what: str, value: Value, known: Mapping[str, Shape]) -> Iterator[str]:
    if found := misspelt_in(value, known):
        source, (name, there) = found
        yield _sentence(f"{what}: «{source}» uses", name, there)


def _of_path(path: RecordPath, schema: RecordSchema, known: Mapping[str, Shape]) -> Iterator[str]:
    """What a path names and is not there: of the records that its words are of, of its own, of the elements of a list in it."""
    what = f"«{path.source}» names"
    record = shape_of_collection(schema, path.collection)
    for word in path.by:
        name, _, field = word.partition(".")
        if field and known.get(name, ANY).lacks(field):
            yield _sentence(what, field, [*known[name].fields])
    if path.part and record.lacks(path.part):
        yield _sentence(what, path.part, [*record.fields])
    elements = record.at(path.part).elements if path.part else ANY
    if path.part_field and elements.lacks(path.part_field):
        yield _sentence(what, path.part_field, [*elements.fields])
    if path.field and _holder(path, schema).lacks(path.field):
        yield _sentence(what, path.field, [*_holder(path, schema).fields])


def _holder(path: RecordPath, schema: RecordSchema) -> Shape:
    """The record that a path names, or the element of a list in it."""
    record = shape_of_collection(schema, path.collection)
    return record.at(path.part).elements if path.part and not path.whole else record


def _sentence(what: str, name: str, there: Collection[str]) -> str:
    return f"{what} the unknown field {name!r}; {instead(name, there)}"


# What its tool is sent


def never_taken(action: Action, given: Mapping[str, Any]) -> str:
    """Why its tool would refuse whatever the action sends, as the end of a sentence; empty where nothing is known against it.

    `given` are arguments of which the value is known, or its type: others are tried with values of their kinds.
    """
    if action.takes is None:
        return ""
    words = [word for kind in action.args.values() for word in choices(kind) or ()]
    fixed = [*words, *given.values(), *(one.constant for one in (action.send or {}).values())]

    def refused(args: Mapping[str, Any]) -> list[str]:
        sent, unknown = _sent(action, {**args, **given})
        assert action.takes is not None
        return action.takes.sure_refusals(sent, unknown, fixed)

    first, other = ({name: _example(kind, text=text) for name, kind in action.args.items()} for text in (False, True))
    always = [one for one in refused(first) if one in refused(other)]
    of_a_word = (
        sentence
        for name, kind in action.args.items()
        for word in choices(kind) or ()
        if name not in given
        for sentence in refused({**first, name: word})
        if sentence in refused({**other, name: word})
    )
    return always[0] if always else next(of_a_word, "")


def _sent(action: Action, args: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the tool is sent, and the names of what it is sent and nobody knows before a run."""
    if action.send is None:
        return {name: value for name, value in args.items() if value is not None}, []
    scope, sent, unknown = Scope(args, VALUE_FUNCTIONS), dict[str, Any](), list[str]()
    for name, value in action.send.items():
        try:
            known = all(one.names <= args.keys() for one in value.expressions)
            sent[name] = value.evaluate(scope) if known else None
        except Unknown:
            sent[name] = None
        if sent[name] is None:
            del sent[name]
            unknown.append(name)
    return sent, unknown


def _example(kind: Kind, *, text: bool) -> Any:
    """A value of a kind: an amount as text or as a number, a number that is whole or not."""
    name, of, _ = opened(kind)
    match name:
        case "words":
            return of[0]
        case "list":
            return [_example(of, text=text)]
        case "object":
            return {field: _example(one, text=text) for field, one in of.items()}
        case "money":
            return "12.50" if text else 12.5
        case "cents" | "whole":
            return 3
        case "number":
            return 3 if text else 1.5
        case "flag":
            return True
        case "moment":
            return "2026-03-14"
        case "address":
            return dict.fromkeys(ADDRESS_FIELDS, "text")
    return "text"
