"""The sandbox's own half of the reference company: tables, rules and WRITE tools of its records, as `company.yaml` declares them.

What identifies a record and how it is read stands in `systems/systems.yaml`, for the sandbox as for everybody.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, RootModel

from strict_yaml import read_yaml
from systems.config import DEFAULT, load_config

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


class PartTable(_Fields, frozen=True):
    """A list inside a record; see the head of company.yaml for the fields."""

    unique: bool = False
    #: a record may do without the list
    optional: bool = False


class RecordTable(_Fields, frozen=True):
    """The records of one kind; see the head of company.yaml for the fields."""

    written: Mapping[str, Kind] = {}
    parts: Mapping[str, PartTable] = {}


_FILE = read_yaml(Path(__file__).with_name("company.yaml"), "company")
#: "oms.orders" -> its table
RECORD_TABLES: Mapping[str, RecordTable] = {
    f"{system}.{name}": one
    for system, tables in _FILE.as_model(RootModel[dict[str, dict[str, RecordTable]]], "its head").root.items()
    for name, one in tables.items()
}
#: what identifies the records, and what is asked for them
DECLARED = load_config(DEFAULT).record_schema
