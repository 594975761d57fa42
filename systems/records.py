"""Records of the systems by collection, and changes to a copy of them.

A path names a field: `oms.orders[order_id].lines[line_id].location`, where a name in brackets is an argument of an
action. `[+]` at the end of a path adds an element to a list.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from errors import BadInput, Refused

#: The fields that identify a record of a collection.
KEYS: Mapping[str, tuple[str, ...]] = {
    "oms.orders": ("order_id",),
    "oms.returns": ("return_id",),
    "payments.payments": ("order_id",),
    "wms.stock": ("sku", "location"),
    "wms.locations": ("location",),
    "wms.inbound": ("po_id", "sku", "location"),
    "crm.customers": ("customer_id",),
    "crm.subscriptions": ("subscription_id",),
    "crm.accounts": ("account_id",),
    "crm.cases": ("case_id",),
    "crm.usage": ("account_id",),
    "crm.opportunities": ("opportunity_id",),
    "erp.items": ("sku",),
    "erp.receivables": ("account_id",),
    "erp.invoices": ("invoice_id",),
    "erp.purchase_orders": ("po_id",),
    "erp.receipts": ("po_id", "po_line"),
    "erp.vendors": ("vendor_id",),
    "erp.budgets": ("budget_id",),
    "logistics.address_checks": ("order_id",),
    "logistics.shipments": ("order_id",),
}
#: The field that identifies an element of a list inside a record.
PART_KEYS: Mapping[str, str] = {
    "lines": "line_id",
    "authorizations": "auth_id",
    "charges": "charge_id",
    "contacts": "contact_id",
}
_PATH = re.compile(r"(\w+\.\w+)\[([\w, ]+)\](?:\.(\w+)\[(\w+|\+)\])?(?:\.(\w+))?")

Record = dict[str, Any]


@dataclass(frozen=True)
class Path:
    """A parsed path: collection, the arguments that key it, a list inside the record, the field."""

    source: str
    collection: str
    by: tuple[str, ...]
    part: str | None
    part_by: str | None
    field: str | None

    @classmethod
    def parse(cls, source: str, where: str) -> "Path":
        """Raises BadInput that names `where` a path does not parse or names an unknown collection."""
        match = _PATH.fullmatch(source)
        if match is None or match[1] not in KEYS:
            raise BadInput(
                f"{where}: «{source}» is no path such as oms.orders[order_id].status; known collections: {', '.join(KEYS)}"
            )
        return cls(source, match[1], tuple(name.strip() for name in match[2].split(",")), match[3], match[4], match[5])

    @property
    def arguments(self) -> tuple[str, ...]:
        """The argument names that the path uses."""
        return self.by if self.part_by in (None, "+") else (*self.by, str(self.part_by))


@dataclass(frozen=True)
class Change:
    """One field of one record, before and after."""

    system: str
    record: str
    field: str
    before: Any
    after: Any

    def plain(self) -> dict[str, Any]:
        """As plain data for the ledger and for screens."""
        return {"system": self.system, "record": self.record, "field": self.field, "before": self.before, "after": self.after}


class Records:
    """Records by collection and key; `set` writes to a copy of the record, never to what was given."""

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
        rows = self._by_key.get(collection, {})
        if len(key) == len(KEYS[collection]):
            return rows.get(key)
        return next((record for whole, record in rows.items() if whole[: len(key)] == key), None)

    def find_by_part(self, collection: str, part: str, part_id: Any) -> Record | None:
        """The record that has an element with this id in its list `part`, or None."""
        field = PART_KEYS[part]
        for record in self.all(collection):
            if any(element.get(field) == part_id for element in record.get(part) or ()):
                return record
        return None

    def at(self, path: Path, args: Mapping[str, Any]) -> Any:
        """The record, list element or field at a path; None where there is none."""
        holder = self._holder(path, args)
        return holder if holder is None or path.field is None else holder.get(path.field)

    def set(self, path: Path, args: Mapping[str, Any], value: Any) -> Change:
        """Set the field at a path (or add to a list). Raises Refused when there is no such record."""
        record = self._record(path, args)
        if record is None:
            raise Refused(f"there is no record {_filled(path, args)}")
        record = self._own(path.collection, record)
        name = "/".join(str(record.get(field)) for field in KEYS[path.collection])
        system = path.collection.split(".")[0]
        if path.part_by == "+":
            record[str(path.part)] = [*(record.get(str(path.part)) or []), value]
            return Change(system, name, str(path.part), None, value)
        holder = record if path.part is None else _element(record, path, args)
        if holder is None:
            raise Refused(f"there is no record {_filled(path, args)}")
        field = str(path.field)
        before, holder[field] = holder.get(field), value
        label = field if path.part is None else f"{path.part}/{args.get(str(path.part_by))}/{field}"
        return Change(system, name, label, before, value)

    def _record(self, path: Path, args: Mapping[str, Any]) -> Record | None:
        if path.part and path.by == (
            path.part_by,
        ):  # keyed by an element alone: payments.payments[auth_id].authorizations[auth_id]
            return self.find_by_part(path.collection, path.part, args.get(path.by[0]))
        return self.get(path.collection, *[args.get(name) for name in path.by])

    def _holder(self, path: Path, args: Mapping[str, Any]) -> Record | None:
        record = self._record(path, args)
        return record if record is None or path.part is None or path.part_by == "+" else _element(record, path, args)

    def _own(self, collection: str, record: Record) -> Record:
        if id(record) not in self._copied:
            record = _copy(record)
            self._copied.add(id(record))
            self._by_key[collection][tuple([record.get(field) for field in KEYS[collection]])] = record
        return record


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _element(record: Record, path: Path, args: Mapping[str, Any]) -> Record | None:
    part, wanted = str(path.part), args.get(str(path.part_by))
    field = PART_KEYS[part]
    return next((element for element in record.get(part) or () if element.get(field) == wanted), None)


def _filled(path: Path, args: Mapping[str, Any]) -> str:
    key = "/".join(str(args.get(name)) for name in path.by)
    part = f" with {path.part} {args.get(str(path.part_by))}" if path.part else ""
    return f"{key} in {path.collection}{part}"
