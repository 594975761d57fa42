"""The reference company: its systems, what they hold, what their READ tools answer, and its records as they are changed.

`company.yaml` beside this file says it once, for the sandbox company, for recorded systems, and for packs. What is changed
is a copy of a record, never what was given.

A path names a field: `oms.orders[order_id].lines[line_id].location`. A word in brackets is an argument of an action, or
a field of a record that it looks at: `erp.budgets[invoice.budget_id].remaining_cents`.

    wms.inbound[po_id].eta         a key that is shorter than the collection's: every record that fits
    …lines[sku=sku].location       the element whose sku it is, where line_id is not what is known
    …lines[*].location             every element that is not cancelled
    …authorizations[+]             a new element
    …charges[charge_id]^           the record that has the element
    ….on_hand?                     changed where there is such a record, left alone where there is none
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel, field_validator

from errors import BadInput, Refused
from strict_yaml import read_yaml

Record = dict[str, Any]
Kind = Literal["text", "whole", "number", "flag", "moment", "nested"] | list[str]


class WriteNeed(BaseModel, extra="forbid", frozen=True):
    """What a field of a record must be before a write; see the head of company.yaml."""

    of: str | None = None
    has: Mapping[str, tuple[bool | int | str | None, ...]] = {}
    that: str = "true"
    otherwise: str = Field(alias="else")


class WriteTool(BaseModel, extra="forbid", frozen=True):
    """A WRITE tool that changes records of one collection; see the head of company.yaml for the fields."""

    says: str
    system: str | None = None
    args: Mapping[str, Literal["id", "words", "text", "cents", "address"]]
    computes: Mapping[str, str] = {}
    needs: tuple[WriteNeed, ...] = ()
    sets: Mapping[str, bool | str | None] = {}
    notes: str | None = None
    destructive: bool = False


class _Fields(BaseModel, extra="forbid", frozen=True):
    noun: str
    about: Mapping[str, str] = {}
    fields: Mapping[str, Kind] = {}
    marks: tuple[str, ...] = ()
    kept: Mapping[str, Literal["flag", "whole", "moment"]] = {}
    not_negative: tuple[str, ...] = ()
    checks: Mapping[str, str] = {}
    distinct: Mapping[str, tuple[str, ...]] = {}
    index: tuple[str, ...] = ()
    writes: Mapping[str, WriteTool] = {}


class RecordPart(_Fields, frozen=True):
    """A list inside a record; see the head of company.yaml for the fields."""

    key: str | None = None
    unique: bool = False


class Collection(_Fields, frozen=True):
    """The records of one kind; see the head of company.yaml for the fields."""

    key: tuple[str, ...]
    written: Mapping[str, Kind] = {}
    optional: tuple[str, ...] = ()
    parts: Mapping[str, RecordPart] = {}
    reads: Mapping[str, Mapping[str, str]] = {}

    @field_validator("reads", mode="before")
    @classmethod
    def _name_fields(cls, reads: dict[str, Any]) -> dict[str, Any]:
        return {name: dict(zip(by, by, strict=True)) if isinstance(by, list) else by for name, by in reads.items()}


@dataclass(frozen=True)
class ReadTool:
    """A READ tool: `one` record or a list of a collection; `by` maps an argument to the field it selects by.

    A list of values selects every record whose field is one of them; `lines.sku` is looked for in every element of a list.
    """

    collection: str
    one: bool
    by: Mapping[str, str]

    def selects(self, record: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
        """Whether these arguments, which are those of `by`, select a record."""
        for argument, field in self.by.items():
            wanted = args[argument]
            part, _, inner = field.partition(".")
            values = [element.get(inner) for element in record.get(part) or ()] if inner else [record.get(field)]
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


_FILE = read_yaml(Path(__file__).with_name("company.yaml"), "company")
_SYSTEMS = _FILE.as_model(RootModel[dict[str, dict[str, Collection]]], "its head").root
SYSTEMS = tuple(_SYSTEMS)
#: "oms.orders" -> what it holds
COLLECTIONS: Mapping[str, Collection] = {
    f"{system}.{name}": one for system, collections in _SYSTEMS.items() for name, one in collections.items()
}
#: "oms.get_order" -> what it answers
READ_TOOLS: Mapping[str, ReadTool] = {
    f"{name.partition('.')[0]}.{tool}": ReadTool(name, tool.startswith("get_"), by)
    for name, collection in COLLECTIONS.items()
    for tool, by in collection.reads.items()
}
#: the fields that identify a record of a collection
KEYS: Mapping[str, tuple[str, ...]] = {name: one.key for name, one in COLLECTIONS.items()}
#: the field that identifies an element of a list inside a record; of lists with one name, that of the first
PART_KEYS: Mapping[str, str] = {
    name: part.key for one in reversed(list(COLLECTIONS.values())) for name, part in one.parts.items() if part.key
}


# Records, and changes to copies of them

_WORD = r"\w+(?:\.\w+)?"
_PATH = re.compile(rf"(\w+\.\w+)\[({_WORD}(?:, *{_WORD})*)\](?:\.(\w+)\[(?:(\w+)=)?(\w+|[+*])\])?(?:\.(\w+))?([?^])?")


def completed(collection: str, record: Record) -> Record:
    """The record with null for every optional field that it leaves out."""
    missing = [field for field in COLLECTIONS[collection].optional if field not in record]
    return {**record, **dict.fromkeys(missing)} if missing else record


def key_of(collection: str, record: Record) -> tuple[Any, ...]:
    """The values of the fields that identify a record."""
    return tuple([record.get(field) for field in KEYS[collection]])


def standing(record: Record) -> Record:
    """The record without the elements of its lists that were cancelled: they are part of it no more."""
    gone = [part for part in PART_KEYS if any(one.get("cancelled") is True for one in record.get(part) or ())]
    left = {part: [one for one in record[part] if one.get("cancelled") is not True] for part in gone}
    return {**record, **left} if gone else record


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

    @classmethod
    def parse(cls, source: str, where: str) -> "RecordPath":
        """Raises BadInput that names `where` a path does not parse or names an unknown collection."""
        match = _PATH.fullmatch(source)
        if match is None or match[1] not in KEYS:
            raise BadInput(
                f"{where}: «{source}» is not a path such as oms.orders[order_id].status; known collections: {', '.join(KEYS)}"
            )
        collection, by, part, part_field, part_by, field, sign = match.groups()
        words = tuple(word.strip() for word in by.split(","))
        part_field = part_field or PART_KEYS.get(part or "", "")
        if len(words) > len(KEYS[collection]) or (part_by not in (None, "+", "*") and not part_field):
            raise BadInput(f"{where}: «{source}» finds no record; {collection} is keyed by {', '.join(KEYS[collection])}")
        return cls(source, collection, words, part, part_field, part_by, field, sign == "?", sign == "^")

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
            return [element for element in elements if not element.get("cancelled")]
        wanted = names.get(str(self.part_by))
        return [element for element in elements if element.get(self.part_field) == wanted]


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

    def __init__(self) -> None:
        self._by_key: dict[str, dict[tuple[Any, ...], Record]] = {}
        self._copied: set[int] = set()

    def add(self, collection: str, records: Iterable[Record]) -> None:
        """Add records to a collection; a later one of the same key takes the earlier one's place."""
        rows, fields = self._by_key.setdefault(collection, {}), KEYS[collection]
        for record in records:
            rows[tuple([record.get(field) for field in fields])] = record

    def copy(self) -> "Records":
        """A copy whose changes do not show here."""
        other = Records()
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
            name = "/".join([str(part) for part in key_of(path.collection, own)])
            for holder in [own] if grows or path.part is None else path.elements(own, names):
                label = field if holder is own else f"{path.part}/{holder.get(PART_KEYS[str(path.part)])}/{field}"
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
        if len(key) == len(KEYS[collection]):
            return [rows[key]] if key in rows else []
        return [record for whole, record in rows.items() if whole[: len(key)] == key]

    def _own(self, collection: str, record: Record) -> Record:
        if id(record) not in self._copied:
            record = _copy(record)
            self._copied.add(id(record))
            self._by_key[collection][key_of(collection, record)] = record
        return record


def found(record: Mapping[str, Any], label: str) -> Any:
    """The value of a field, or of a field of an element ("lines/1/location"); None where there is none."""
    part, _, rest = label.partition("/")
    if not rest:
        return record.get(part)
    element_id, _, field = rest.rpartition("/")
    key = PART_KEYS.get(part, "")
    return next((one.get(field) for one in record.get(part) or () if str(one.get(key)) == element_id), None)


def added(before: Mapping[str, Any], now: Mapping[str, Any], part: str) -> list[Record]:
    """The elements of a list in a record that it had not before."""
    key = PART_KEYS[part]
    known = {one.get(key) for one in before.get(part) or ()}
    return [one for one in now.get(part) or () if one.get(key) not in known]


def is_like(element: Mapping[str, Any], part: str, wanted: Mapping[str, Any]) -> bool:
    """Whether an element is the one that was to be added; its id is its system's choice."""
    return all(element.get(name) == value for name, value in wanted.items() if name != PART_KEYS[part] and value is not None)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
