"""What the records of each READ are made of, and whether all that `systems.yaml` says of them is there in what its server tells.

Of a tool whose server tells no schema of its answer nothing is known but what `fields` and `adds` compute: a trial run tells.
"""

from collections.abc import Collection as Names
from collections.abc import Mapping
from typing import Any

from errors import BadInput
from strict_yaml import instead
from systems.conditions import Value
from systems.schema import Collection, ReadTool, RecordPart, RecordSchema
from systems.shapes import ANY, Shape, Shapes, misspelt_in, shape_of_value


def shape_of_read(schema: RecordSchema, name: str) -> Shape:
    """What is known of one record that a READ answers, by the name that packs know it by; of an answer that is none, of it."""
    return _Look(schema, name).record


def shape_of_collection(schema: RecordSchema, collection: str) -> Shape:
    """What is known of the records of a kind, by the first READ of which the most is known."""
    found = [shape_of_read(schema, name) for name, tool in schema.tools.items() if tool.collection == collection]
    return next((one for one in found if one.closed), next(iter(found), ANY))


def require_fields(schema: RecordSchema) -> None:
    """Raises BadInput for the first thing that `systems.yaml` says of records and that is not so by what servers tell."""
    for name in schema.tools:
        for wrong in _Look(schema, name).wrong:
            raise BadInput(wrong)


class _Look:
    """One READ: the shape of its records, and what is wrong with what is said of them."""

    def __init__(self, schema: RecordSchema, name: str) -> None:
        self.wrong: list[str] = []
        tool = schema.tools.get(name)
        if tool is None:
            self.record = _wrapped(schema.told.get(name, ANY))
            return
        of = schema.collections[tool.collection]
        self._tool, self._where = tool, f"systems.yaml: records of {tool.collection}"
        takes = schema.takes.get(tool.tool)
        asked = tool.by if tool.send is None else tool.send
        if refused := takes.sure_refusals({}, [*asked], ()) if takes else []:
            self.wrong.append(f"{self._where}, {name.partition('.')[2]}: {tool.tool} cannot be asked so: {refused[0]}")
        whole = self._standing(tool, _wrapped(schema.told.get(tool.tool, ANY)))
        whole = whole if tool.one else whole.elements
        it = whole if tool.each is None else self._computed("each", tool.each, {"it": whole, "record": whole}).elements
        self.record = self._record(of, tool, it, whole)
        for key in of.key:
            self._require(self.record, key, "key")
        for path in () if tool.unnamed else tool.by.values():
            part, _, inner = path.partition(".")
            self._require(self.record, part, "what it is asked by")
            if inner:
                self._require(self.record.at(part).elements, inner, "what it is asked by")

    def _standing(self, tool: ReadTool, answer: Shape) -> Shape:
        """What stands where `at` says."""
        at = tool.answers.at
        if isinstance(at, Value):
            return self._computed("at", at, {"answer": answer})
        shape = answer
        for word in at.split(".") if at else ():
            self._require(shape, word, "at")
            shape = shape.elements if word.isdecimal() and not shape.fields else shape.at(word)
        if not at and answer.closed and [*answer.fields] in (["record"], ["records"], ["result"]):
            (shape,) = answer.fields.values()
        return shape

    def _record(self, of: Collection, tool: ReadTool, it: Shape, around: Shape) -> Shape:
        known = {"it": it, "record": around}
        record = Shape(self._made(of.fields, "fields", known), closed=True) if of.fields else it
        record = record.with_fields(self._made(of.adds, "adds", known))
        parts = {name: self._part(name, part, it, known) for name, part in of.parts.items()}
        besides = [*of.optional, *(tool.by.values() if tool.unnamed else ())]
        return record.with_fields({**{name: ANY for name in besides if name not in record.fields}, **parts})

    def _part(self, name: str, part: RecordPart, it: Shape, known: Shapes) -> Shape:
        if part.of:
            elements = self._computed(f"parts.{name}", Value.compile(part.of, self._where), known)
        else:
            self._require(it, name, "parts")
            elements = it.at(name)
        one = elements.elements.with_fields({part.key: ANY}) if elements.keyed else elements.elements
        inner = {"it": one, "record": it}
        made = Shape(self._made(part.fields, f"parts.{name}", inner), closed=True) if part.fields else one
        made = made.with_fields(self._made(part.adds, f"parts.{name}", inner))
        for field in filter(None, (part.key, part.unless)):
            self._require(made, field, f"parts.{name}")
        return Shape(element=made)

    def _made(self, values: Mapping[str, Any], place: str, known: Shapes) -> Shapes:
        compiled = {name: Value.compile(raw, self._where) for name, raw in values.items()}
        return {name: self._computed(f"{place}.{name}", value, known) for name, value in compiled.items()}

    def _computed(self, place: str, value: Value, known: Shapes) -> Shape:
        if found := misspelt_in(value, known):
            source, (name, there) = found
            self._say(f"{place}: «{source}» uses", name, there)
        return shape_of_value(value, known)

    def _require(self, shape: Shape, name: str, place: str) -> None:
        if shape.lacks(name):
            self._say(f"{place} names", name, [*shape.fields])

    def _say(self, what: str, name: str, there: Names[str]) -> None:
        told = f"{self._tool.tool} does not answer by the schema that it is pinned with; {instead(name, there)}"
        remedy = "correct it, or, where the tool has changed, review it and run `missions systems pin`"
        self.wrong.append(f"{self._where}, {what} the field {name!r}, which {told}; {remedy}")


def _wrapped(answer: Shape) -> Shape:
    """An answer as it is taken: a list under a name, and of text, which may be JSON, whatever it says."""
    if [*answer.fields] == ["result"] and answer.at("result") == ANY:
        return ANY
    return Shape({"result": answer}, closed=True) if answer.element is not None and not answer.keyed else answer
