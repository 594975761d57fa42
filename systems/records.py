"""Records as they are changed: what is changed is a copy of a record, never what was given.

A path names a field: `oms.orders[order_id].lines[line_id].location`. A word in brackets is an argument of an action, or a
field of a record that it looks at: `erp.budgets[invoice.budget_id].remaining_cents`.

    wms.inbound[po_id].eta         a key that is shorter than the collection's: every record that fits
    …lines[sku=sku].location       the element whose sku it is, where line_id is not what is known
    …items[item_ids].status        an argument that is a list: the element of each of these ids, as orders[order_ids].status
                                   the record of each; one that is not there is refused
    …lines[*].location             every element that is not marked as gone
    …authorizations[+]             a new element
    …charges[charge_id]^           the record that has the element
    ….on_hand?                     changed where there is such a record, left alone where there is none
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from errors import BadInput, Refused
from systems.schema import Record, RecordSchema

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

    def sets(self, label: str) -> bool:
        """Whether a field of this label ("status", "lines/1/status") may be one that the path names."""
        part, _, rest = label.partition("/")
        own = self.part if self.part_by == "+" else self.field
        return (part, rest.rpartition("/")[2]) == (self.part, own) if rest else part == own

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the path uses."""
        words = self.by if self.part_by in (None, "+", "*") else (*self.by, str(self.part_by))
        return tuple(word.split(".")[0] for word in words)

    def keys(self, names: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The values of the words that key it, one key for each value of a word that is a list."""
        values = []
        for word in self.by:
            name, _, field = word.partition(".")
            value = names.get(name)
            value = value if not field or value is None else value.get(field)
            values.append(value if isinstance(value, list) else [value])
        return list(product(*values))

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

    def set(self, value: Any) -> RecordChange:
        """Set it, or add to the list."""
        before = None if self.grows else self.holder.get(self.field)
        self.holder[self.field] = [*(self.holder.get(self.field) or []), value] if self.grows else value
        return RecordChange(self.system, self.record, self.label, before, value)


class Records:
    """Records by collection and key; what is changed is a copy of the record, never what was given."""

    def __init__(self, schema: RecordSchema) -> None:
        self.schema = schema
        self._by_key: dict[str, dict[tuple[Any, ...], Record]] = {}
        self._copied: set[int] = set()

    def add(self, collection: str, records: Iterable[Record]) -> None:
        """Add records to a collection; a later one of the same key takes the earlier one's place."""
        rows, fields = self._by_key.setdefault(collection, {}), self.schema.collections[collection].key
        for record in records:
            rows[tuple([record.get(field) for field in fields])] = record

    def copy(self) -> "Records":
        """A copy whose changes do not show here."""
        other = Records(self.schema)
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
        for record in [record for key in path.keys(names) for record in self._found(path, names, key)][:1]:
            holder = record if path.part is None or path.whole else next(iter(path.elements(record, names)), None)
            return holder if holder is None or path.field is None else holder.get(path.field)
        return None

    def spots(self, path: RecordPath, names: Mapping[str, Any]) -> list[Spot]:
        """The places at a path, ready to be changed. Raises Refused when there is no such record, or not each that is meant."""
        wanted = names.get(str(path.part_by))
        spots = list[Spot]()
        for element in wanted if path.part and isinstance(wanted, list) else [wanted]:
            one = {**names, str(path.part_by): element} if path.part else names
            for key in path.keys(one):
                found = self._spots_of(path, one, key)
                if not found and not path.optional:
                    part = f" with {path.part} {element or path.part_by}" if path.part else ""
                    raise Refused(f"there is no record {'/'.join(map(str, key))} in {path.collection}{part}")
                spots += found
        return spots

    def _spots_of(self, path: RecordPath, names: Mapping[str, Any], key: tuple[Any, ...]) -> list[Spot]:
        spots, system, grows = list[Spot](), path.collection.partition(".")[0], path.part_by == "+"
        field = str(path.part if grows else path.field)
        for record in self._found(path, names, key):
            own = self._own(path.collection, record)
            name = "/".join([str(part) for part in self.schema.key_of(path.collection, own)])
            for holder in [own] if grows or path.part is None else path.elements(own, names):
                key_field = self.schema.part_key(path.collection, str(path.part))
                label = field if holder is own else f"{path.part}/{holder.get(key_field)}/{field}"
                spots.append(Spot(holder, field, system, name, label, grows))
        return spots

    def _found(self, path: RecordPath, names: Mapping[str, Any], key: tuple[Any, ...]) -> list[Record]:
        if not path.part or path.by != (path.part_by,):
            return self._fitting(path.collection, key)
        # keyed by an element alone: payments.payments[auth_id].authorizations[auth_id]
        having = (record for record in self.all(path.collection) if path.elements(record, names))
        return list(islice(having, 1))

    def _fitting(self, collection: str, key: tuple[Any, ...]) -> list[Record]:
        """The records whose key is this or begins with it."""
        rows = self._by_key.get(collection, {})
        if len(key) == len(self.schema.collections[collection].key):
            return [rows[key]] if key in rows else []
        return [record for whole, record in rows.items() if whole[: len(key)] == key]

    def _own(self, collection: str, record: Record) -> Record:
        if id(record) not in self._copied:
            record = _copy(record)
            self._copied.add(id(record))
            self._by_key[collection][self.schema.key_of(collection, record)] = record
        return record


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
