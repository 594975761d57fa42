"""What the systems hold, as `systems.yaml` declares it, and records as they are changed.

    records:                              # of one system
      orders:
        key: order_id                     # or [po_id, po_line]
        read: get_order                   # answers one record by its key; {get_inbound: po_id} by another field
        lists:                            # answer all records that fit
          list_orders: customer_id        # by a field of the same name; [] for a tool that answers everything
          list_orders_by_sku: {skus: lines.sku}    # argument: field. A list of values selects each of them
        at: data.order                    # where in an answer the record stands, or {tool: where}; dots lead into it
        parts:                            # lists inside a record, and the field that identifies an element
          lines: line_id                  # or {key: line_id, unless: cancelled, fields: {…}}: what is marked so is no part of it
        fields: {total_cents: "=cents(it.total)"}    # computed of the record, `it`, as it is answered
        optional: [note]                  # fields that may be left out, which means the same as null
        as: orders                        # what functions over stock and claims take it for (docs/packs.md)
        unnamed: true                     # the answer of `read` does not repeat the key; it is taken from what was asked

What is changed is a copy of a record, never what was given. A path names a field:
`oms.orders[order_id].lines[line_id].location`. A word in brackets is an argument of an action, or a field of a record that
it looks at: `erp.budgets[invoice.budget_id].remaining_cents`.

    wms.inbound[po_id].eta         a key that is shorter than the collection's: every record that fits
    …lines[sku=sku].location       the element whose sku it is, where line_id is not what is known
    …items[item_ids].status        an argument that is a list: every element of these ids
    …lines[*].location             every element that is not marked as gone
    …authorizations[+]             a new element
    …charges[charge_id]^           the record that has the element
    ….on_hand?                     changed where there is such a record, left alone where there is none
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from errors import BadInput, Refused
from systems.conditions import Scope, Unknown, Value
from systems.values import VALUE_FUNCTIONS

Record = dict[str, Any]
#: in what is computed of a record, or of an element of a list in it
_SELF = "it"


def _by_argument(asked: Any) -> Any:
    """`customer_id` and `[sku, location]` as {argument: field} of the same names."""
    names = [asked] if isinstance(asked, str) else asked
    return {name: name for name in names} if isinstance(names, list) else names


def _of_tool(read: Any) -> Any:
    return {read: None} if isinstance(read, str) else read


_ByArgument = Annotated[dict[str, str], BeforeValidator(_by_argument)]
_Words = Annotated[tuple[str, ...], BeforeValidator(lambda key: [key] if isinstance(key, str) else key)]


class RecordPart(BaseModel, extra="forbid", frozen=True):
    """A list inside a record, or an object whose names are the keys of its elements; see the head of this file."""

    key: str
    unless: str | None = None
    fields: Mapping[str, str] = {}


class Collection(BaseModel, extra="forbid", frozen=True):
    """The records of one kind; see the head of this file for the fields."""

    key: Annotated[_Words, Field(min_length=1)]
    read: Annotated[dict[str, _ByArgument | None], BeforeValidator(_of_tool)] = {}
    lists: Mapping[str, _ByArgument] = {}
    at: str | Mapping[str, str] = ""
    parts: Mapping[
        str, Annotated[RecordPart, BeforeValidator(lambda part: {"key": part} if isinstance(part, str) else part)]
    ] = {}
    fields: Mapping[str, str] = {}
    optional: tuple[str, ...] = ()
    takes_the_part_of: str | None = Field(default=None, alias="as")
    unnamed: bool = False

    @model_validator(mode="after")
    def _is_read(self) -> "Collection":
        if unread := {*([] if isinstance(self.at, str) else self.at)} - {*self.read, *self.lists}:
            raise ValueError(f"`at` names the tool {sorted(unread)[0]}, which reads none of these records")
        return self

    def tools(self, name: str) -> "Iterator[tuple[str, ReadTool]]":
        """The READ tools that answer these records; `name` is that of the collection."""
        for tools, one in ((self.read, True), (self.lists, False)):
            for tool, by in tools.items():
                at = self.at if isinstance(self.at, str) else self.at.get(tool, "")
                asked = {field: field for field in self.key} if by is None else by
                yield f"{name.partition('.')[0]}.{tool}", ReadTool(name, one, asked, at, self.unnamed)


@dataclass(frozen=True)
class ReadTool:
    """A READ tool: `one` record or a list of a collection; `by` maps an argument to the field it selects by.

    A list of values selects every record whose field is one of them; `lines.sku` is looked for in every element of a list.
    """

    collection: str
    one: bool
    by: Mapping[str, str]
    #: where in an answer the record, or the list, stands
    at: str = ""
    #: the answer does not repeat the key
    unnamed: bool = False

    def selects(self, record: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
        """Whether these arguments, which are those of `by`, select a record."""
        for argument, path in self.by.items():
            wanted = args[argument]
            part, _, inner = path.partition(".")
            values = [element.get(inner) for element in record.get(part) or ()] if inner else [record.get(path)]
            if not any(value in wanted if isinstance(wanted, list) else value == wanted for value in values):
                return False
        return True

    def refuses(self, value: Any, args: Mapping[str, Any]) -> str | None:
        """Why an answer is not one to these arguments, or None. `value` is a record, None where there is none, or a list."""
        if self.one and not isinstance(value, dict | None):
            return "its answer is not a record"
        records = [] if value is None else [value] if self.one else value
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return "its answer is not a list of records"
        try:
            fits = not self.by.keys() <= args.keys() or all(self.selects(record, args) for record in records)
        except (TypeError, AttributeError):  # a list is looked into that is none
            fits = False
        return None if fits else "its answer is about a different record than requested"


@dataclass(frozen=True)
class RecordSchema:
    """What all systems hold: "oms.orders" -> how it is read and what it is made of."""

    collections: Mapping[str, Collection] = field(default_factory=dict)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The systems that hold records."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in self.collections))

    @cached_property
    def tools(self) -> Mapping[str, ReadTool]:
        """ "oms.get_order" -> what it answers."""
        return {tool: read for name, one in self.collections.items() for tool, read in one.tools(name)}

    @cached_property
    def parts_played(self) -> Mapping[str, str]:
        """What functions take records for ("stock") -> the collection ("wms.stock")."""
        return {one.takes_the_part_of: name for name, one in self.collections.items() if one.takes_the_part_of}

    @cached_property
    def _computed(self) -> Mapping[str, Sequence[tuple[str, str, Value]]]:
        """Collection -> (list inside the record, or "", field, value) of everything that is computed of a record."""
        return {
            name: [
                *((part, key, Value.compile(raw, name)) for part, of in one.parts.items() for key, raw in of.fields.items()),
                *(("", key, Value.compile(raw, name)) for key, raw in one.fields.items()),
            ]
            for name, one in self.collections.items()
        }

    def key_of(self, collection: str, record: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the fields that identify a record."""
        return tuple([record.get(field) for field in self.collections[collection].key])

    def part_key(self, collection: str, part: str) -> str:
        """The field that identifies an element of a list inside a record; empty where there is none."""
        of = self.collections[collection].parts.get(part) if collection in self.collections else None
        return of.key if of else ""

    def completed(self, collection: str, record: Record) -> Record:
        """The record with null for optional fields that it leaves out, its parts as lists, and what is computed of it.

        What cannot be computed is null.
        """
        one = self.collections[collection]
        filled: Record = {name: None for name in one.optional if name not in record}
        for part, of in one.parts.items():
            if isinstance(keyed := record.get(part), dict):
                filled[part] = [{of.key: key, **value} for key, value in keyed.items() if isinstance(value, dict)]
        record = {**record, **filled} if filled else record
        for part, name, value in self._computed[collection]:
            if part:
                elements = (element for element in record.get(part) or () if isinstance(element, dict))
                record = {**record, part: [element | {name: _worked_out(value, element)} for element in elements]}
            else:
                record = {**record, name: _worked_out(value, record)}
        return record

    def standing(self, collection: str, record: Record) -> Record:
        """The record without the elements of its lists that are marked as gone: they are part of it no more."""
        left = {}
        for part, of in self.collections[collection].parts.items():
            if of.unless and any(one.get(of.unless) is True for one in record.get(part) or ()):
                left[part] = [one for one in record[part] if one.get(of.unless) is not True]
        return {**record, **left} if left else record

    def found(self, collection: str, record: Mapping[str, Any], label: str) -> Any:
        """The value of a field, or of a field of an element ("lines/1/location"); None where there is none."""
        part, _, rest = label.partition("/")
        if not rest:
            return record.get(part)
        element_id, _, field = rest.rpartition("/")
        key = self.part_key(collection, part)
        return next((one.get(field) for one in record.get(part) or () if str(one.get(key)) == element_id), None)

    def added(self, collection: str, before: Mapping[str, Any], now: Mapping[str, Any], part: str) -> list[Record]:
        """The elements of a list in a record that it had not before."""
        key = self.part_key(collection, part)
        known = {one.get(key) for one in before.get(part) or ()}
        return [one for one in now.get(part) or () if one.get(key) not in known]

    def is_like(self, collection: str, element: Mapping[str, Any], part: str, wanted: Mapping[str, Any]) -> bool:
        """Whether an element is the one that was to be added; its id is its system's choice."""
        key = self.part_key(collection, part)
        return all(element.get(name) == value for name, value in wanted.items() if name != key and value is not None)


def _worked_out(value: Value, it: Record) -> Any:
    try:
        return value.evaluate(Scope({_SELF: it}, VALUE_FUNCTIONS))
    except Unknown:
        return None


# Records, and changes to copies of them

_WORD = r"\w+(?:\.\w+)?"
_PATH = re.compile(rf"(\w+\.\w+)\[({_WORD}(?:, *{_WORD})*)\](?:\.(\w+)\[(?:(\w+)=)?(\w+|[+*])\])?(?:\.(\w+))?([?^])?")


@dataclass(frozen=True)
class RecordPath:
    """A parsed path: collection, the words that key it, a list inside the record, the field."""

    source: str
    collection: str
    by: tuple[str, ...]
    part: str | None
    #: the field by which an element of the list is found
    part_field: str
    #: the word that says which element; + is a new one, * is every one
    part_by: str | None
    field: str | None
    #: nothing is changed where there is no such record
    optional: bool
    #: the record is meant, and not the element that it is found by
    whole: bool
    #: the field by which elements of the list are marked as gone
    unless: str | None

    @classmethod
    def parse(cls, source: str, schema: RecordSchema, where: str) -> "RecordPath":
        """Raises BadInput that names `where` a path does not parse or names an unknown collection."""
        match = _PATH.fullmatch(source)
        if match is None or match[1] not in schema.collections:
            known = ", ".join(schema.collections)
            raise BadInput(f"{where}: «{source}» is not a path such as system.records[key].field; known collections: {known}")
        collection, by, part, part_field, part_by, field, sign = match.groups()
        words = tuple(word.strip() for word in by.split(","))
        declared = schema.collections[collection]
        of = declared.parts.get(part or "")
        part_field = part_field or (of.key if of else "")
        if len(words) > len(declared.key) or (part_by not in (None, "+", "*") and not part_field):
            raise BadInput(f"{where}: «{source}» finds no record; {collection} is keyed by {', '.join(declared.key)}")
        unless = of.unless if of else None
        return cls(source, collection, words, part, part_field, part_by, field, sign == "?", sign == "^", unless)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the path uses."""
        words = self.by if self.part_by in (None, "+", "*") else (*self.by, str(self.part_by))
        return tuple(word.split(".")[0] for word in words)

    def key(self, names: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the words that key it."""
        values = []
        for word in self.by:
            name, _, field = word.partition(".")
            value = names.get(name)
            values.append(value if not field or value is None else value.get(field))
        return tuple(values)

    def elements(self, record: Record, names: Mapping[str, Any]) -> list[Record]:
        """The elements of the list inside a record that it names."""
        elements = record.get(str(self.part)) or ()
        if self.part_by == "*":
            return [element for element in elements if not (self.unless and element.get(self.unless))]
        wanted = names.get(str(self.part_by))
        ids = wanted if isinstance(wanted, list) else [wanted]
        return [element for element in elements if element.get(self.part_field) in ids]


@dataclass(frozen=True)
class RecordChange:
    """One field of one record, before and after."""

    system: str
    record: str
    field: str
    before: Any
    after: Any

    def plain(self) -> dict[str, Any]:
        """As plain data for the ledger and for screens."""
        return dict(vars(self))


@dataclass(frozen=True)
class Spot:
    """A place that may be changed: a field of a record or of an element (`holder`), or a list that may grow."""

    holder: Record
    field: str
    system: str
    record: str
    label: str
    grows: bool = False

    def set(self, value: Any) -> RecordChange | None:
        """Set it, or add to the list; None when that changes nothing."""
        before = None if self.grows else self.holder.get(self.field)
        if before == value and not self.grows:
            return None
        self.holder[self.field] = [*(self.holder.get(self.field) or []), value] if self.grows else value
        return RecordChange(self.system, self.record, self.label, before, value)


class Records:
    """Records by collection and key; what is changed is a copy of the record, never what was given."""

    def __init__(self, schema: RecordSchema) -> None:
        self._schema = schema
        self._by_key: dict[str, dict[tuple[Any, ...], Record]] = {}
        self._copied: set[int] = set()

    def add(self, collection: str, records: Iterable[Record]) -> None:
        """Add records to a collection; a later one of the same key takes the earlier one's place."""
        rows, fields = self._by_key.setdefault(collection, {}), self._schema.collections[collection].key
        for record in records:
            rows[tuple([record.get(field) for field in fields])] = record

    def copy(self) -> "Records":
        """A copy whose changes do not show here."""
        other = Records(self._schema)
        other._by_key = {collection: dict(rows) for collection, rows in self._by_key.items()}
        return other

    def all(self, collection: str) -> Iterable[Record]:
        """The records of a collection in the order in which they were added."""
        return self._by_key.get(collection, {}).values()

    def get(self, collection: str, *key: Any) -> Record | None:
        """The record with this key, or None. A key shorter than the collection's finds the first record that fits."""
        return next(iter(self._fitting(collection, key)), None)

    def at(self, path: RecordPath, names: Mapping[str, Any]) -> Any:
        """The first record, list element or field at a path that names one; None where there is none."""
        for record in self._found(path, names)[:1]:
            holder = record if path.part is None or path.whole else next(iter(path.elements(record, names)), None)
            return holder if holder is None or path.field is None else holder.get(path.field)
        return None

    def spots(self, path: RecordPath, names: Mapping[str, Any]) -> list[Spot]:
        """The places at a path, ready to be changed. Raises Refused when there is no such record."""
        spots, system, grows = list[Spot](), path.collection.partition(".")[0], path.part_by == "+"
        field = str(path.part if grows else path.field)
        for record in self._found(path, names):
            own = self._own(path.collection, record)
            name = "/".join([str(part) for part in self._schema.key_of(path.collection, own)])
            for holder in [own] if grows or path.part is None else path.elements(own, names):
                key = self._schema.part_key(path.collection, str(path.part))
                label = field if holder is own else f"{path.part}/{holder.get(key)}/{field}"
                spots.append(Spot(holder, field, system, name, label, grows))
        if not spots and not path.optional:
            part = f" with {path.part} {names.get(str(path.part_by), path.part_by)}" if path.part else ""
            raise Refused(f"there is no record {'/'.join(map(str, path.key(names)))} in {path.collection}{part}")
        return spots

    def _found(self, path: RecordPath, names: Mapping[str, Any]) -> list[Record]:
        if not path.part or path.by != (path.part_by,):
            return self._fitting(path.collection, path.key(names))
        # keyed by an element alone: payments.payments[auth_id].authorizations[auth_id]
        having = (record for record in self.all(path.collection) if path.elements(record, names))
        return list(islice(having, 1))

    def _fitting(self, collection: str, key: tuple[Any, ...]) -> list[Record]:
        """The records whose key is this or begins with it."""
        rows = self._by_key.get(collection, {})
        if len(key) == len(self._schema.collections[collection].key):
            return [rows[key]] if key in rows else []
        return [record for whole, record in rows.items() if whole[: len(key)] == key]

    def _own(self, collection: str, record: Record) -> Record:
        if id(record) not in self._copied:
            record = _copy(record)
            self._copied.add(id(record))
            self._by_key[collection][self._schema.key_of(collection, record)] = record
        return record


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
