"""The reference company: its systems, what they hold, and what their READ tools answer.

`company.yaml` beside this file says it once, for the sandbox company, for recorded systems, and for packs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel, field_validator

from strict_yaml import read_yaml

Kind = Literal["text", "whole", "number", "flag", "moment", "nested"] | list[str]


class WriteNeed(BaseModel, extra="forbid", frozen=True):
    """What a field of a record must be before a write; see the head of company.yaml."""

    of: str | None = None
    has: Mapping[str, tuple[bool | int | str | None, ...]] = {}
    that: str = "true"
    otherwise: str = Field(alias="else")


class WriteTool(BaseModel, extra="forbid", frozen=True):
    """A WRITE tool that changes one record; see the head of company.yaml for the fields."""

    says: str
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
