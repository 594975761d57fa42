"""The tables of the ledger, in the schema "ledger", as `schema.json` says that the migrations make them.

What each table and column is for stands in `migrations/sql/tables.sql`. Columns are named as the fields of
`ledger.records`. Their types hand over only what PostgreSQL can hold, and give back what was meant.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Constraint,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

from ledger.canonical import clean, moment, storable

#: written by `make schema` from a database that was just migrated; `missions audit verify` compares databases with it
SCHEMA = Path(__file__).with_name("schema.json")


class CleanText(TypeDecorator[str]):
    """Text without NUL characters and lone surrogates."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


class PlainJson(TypeDecorator[Any]):
    """JSONB of plain data; Python's None is SQL's NULL."""

    impl = JSONB(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return storable(value)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


#: by the name that PostgreSQL gives them
_TYPES: Mapping[str, Any] = {
    "text": CleanText, "timestamp with time zone": Moment, "jsonb": PlainJson, "integer": Integer, "bigint": BigInteger,
    "double precision": Float(53), "boolean": Boolean, "date": Date,
}  # fmt: skip
_COLUMN = re.compile(rf"(?P<type>{'|'.join(_TYPES)})(?P<not_null> not null)?(?P<identity>.* identity)?")
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((?P<columns>.+)\)")
_FOREIGN_KEY = re.compile(r"FOREIGN KEY \((?P<column>\w+)\) REFERENCES (?P<other>[\w.]+)\((?P<key>\w+)\)")
_UNIQUE_INDEX = re.compile(r".* ON ledger\.(?P<table>\w+) USING btree \((?P<columns>.+?)\) WHERE (?P<where>.+)")


def _made(schema: Mapping[str, str]) -> MetaData:
    """The tables with their columns, constraints and unique indexes; of the other indexes no query needs to know."""
    parts: dict[str, list[SchemaItem]] = defaultdict(list)
    for key, made in schema.items():
        match key.split():
            case "column", place if column := _COLUMN.match(made):
                table, name = place.split(".")
                filled = {"server_default": Identity(always=True)} if column["identity"] else {"autoincrement": False}
                unique = f"constraint uq_{table}_{name} of {table}" in schema or None
                parts[table].append(
                    Column(name, _TYPES[column["type"]], nullable=not column["not_null"], unique=unique, **filled)
                )
            case "constraint", name, "of", table if not made.startswith("UNIQUE"):
                parts[table].append(_constraint(name, made))
            case "unique", "index", name if index := _UNIQUE_INDEX.match(made):
                where = text(index["where"])
                parts[index["table"]].append(Index(name, *index["columns"].split(", "), unique=True, postgresql_where=where))
    metadata = MetaData(schema="ledger", naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})
    for table in sorted(parts.keys() - {"alembic_version"}):
        Table(table, metadata, *parts[table])
    return metadata


def _constraint(name: str, made: str) -> Constraint:
    if key := _PRIMARY_KEY.match(made):
        return PrimaryKeyConstraint(*key["columns"].replace('"', "").split(", "), name=name)
    if key := _FOREIGN_KEY.match(made):
        return ForeignKeyConstraint([key["column"]], [f"{key['other']}.{key['key']}"], name=name)
    return CheckConstraint(made.removeprefix("CHECK "), name=name)


METADATA = _made(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _table(name: str) -> Table:
    return METADATA.tables[f"ledger.{name}"]


INBOX = _table("inbox")
RUNS = _table("runs")
LEASES = _table("leases")
SENDS = _table("sends")
FACTS = _table("facts")
OBSERVATIONS = _table("observations")
DRAFTS = _table("drafts")
PROPOSALS = _table("proposals")
TOUCHES = _table("touches")
DECISIONS = _table("decisions")
AUTHORIZATIONS = _table("authorizations")
COMMITMENTS = _table("commitments")
EFFECTS = _table("effects")
INCIDENTS = _table("incidents")
PEOPLE = _table("people")
ADMISSIONS = _table("admissions")
ACCOUNTS = _table("accounts")
ATTEMPTS = _table("attempts")
DEVICES = _table("devices")
SESSIONS = _table("sessions")
EVENT_SOURCES = _table("event_sources")
ARRIVALS = _table("arrivals")
DEAD_LETTERS = _table("dead_letters")
FEEDS = _table("feeds")
CLAIMS = _table("claims")
POLICY_DRAFTS = _table("policy_drafts")
POLICY_BOOKS = _table("policy_books")
LESSONS = _table("lessons")
TURNS = _table("turns")
MODEL_CALLS = _table("model_calls")
AUDIT = _table("audit")
