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

import sqlalchemy as sa
from sqlalchemy import Dialect, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

from ledger.canonical import clean, moment, storable

#: written by `make schema` from a database that was just migrated; `missions audit verify` compares databases with it
SCHEMA = Path(__file__).with_name("schema.json")


class CleanText(TypeDecorator[str]):
    """Text without NUL characters and lone surrogates."""

    impl = sa.Text
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

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


#: by the name that PostgreSQL gives them
_TYPES: Mapping[str, Any] = {
    "text": CleanText, "timestamp with time zone": Moment, "jsonb": PlainJson, "integer": sa.Integer, "bigint": sa.BigInteger,
    "double precision": sa.Float(53), "boolean": sa.Boolean, "date": sa.Date,
}  # fmt: skip
_COLUMN = re.compile(rf"(?P<type>{'|'.join(_TYPES)})(?P<not_null> not null)?(?P<identity>.* identity)?")
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((?P<columns>.+)\)")
_FOREIGN_KEY = re.compile(r"FOREIGN KEY \((?P<column>\w+)\) REFERENCES (?P<other>[\w.]+)\((?P<key>\w+)\)")
_UNIQUE_INDEX = re.compile(r".* ON ledger\.(?P<table>\w+) USING btree \((?P<columns>.+?)\) WHERE (?P<where>.+)")


def _made(schema: Mapping[str, str]) -> sa.MetaData:
    """The tables with their columns, constraints and unique indexes; of other indexes no query needs to know."""
    parts: dict[str, list[SchemaItem]] = defaultdict(list)
    for name, made in schema.items():
        match name.split():
            case "column", place if column := _COLUMN.match(made):
                table, name = place.split(".")
                filled = {"server_default": sa.Identity(always=True)} if column["identity"] else {"autoincrement": False}
                unique = f"constraint uq_{table}_{name} of {table}" in schema or None
                parts[table].append(
                    sa.Column(name, _TYPES[column["type"]], nullable=not column["not_null"], unique=unique, **filled)
                )
            case "constraint", name, "of", table if key := _PRIMARY_KEY.match(made):
                parts[table].append(sa.PrimaryKeyConstraint(*key["columns"].replace('"', "").split(", "), name=name))
            case "constraint", name, "of", table if key := _FOREIGN_KEY.match(made):
                parts[table].append(sa.ForeignKeyConstraint([key["column"]], [f"{key['other']}.{key['key']}"], name=name))
            case "constraint", name, "of", table if made.startswith("CHECK "):
                parts[table].append(sa.CheckConstraint(made.removeprefix("CHECK "), name=name))
            case "unique", "index", name if index := _UNIQUE_INDEX.match(made):
                where = sa.text(index["where"])
                parts[index["table"]].append(sa.Index(name, *index["columns"].split(", "), unique=True, postgresql_where=where))
    metadata = sa.MetaData(schema="ledger", naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})
    for table in sorted(parts.keys() - {"alembic_version"}):
        Table(table, metadata, *parts[table])
    return metadata


METADATA = _made(json.loads(SCHEMA.read_text(encoding="utf-8")))


def named(name: str) -> Table:
    """The table of this name."""
    return METADATA.tables[f"ledger.{name}"]


INBOX = named("inbox")
RUNS = named("runs")
LEASES = named("leases")
SENDS = named("sends")
FACTS = named("facts")
OBSERVATIONS = named("observations")
DRAFTS = named("drafts")
PROPOSALS = named("proposals")
TOUCHES = named("touches")
DECISIONS = named("decisions")
AUTHORIZATIONS = named("authorizations")
COMMITMENTS = named("commitments")
EFFECTS = named("effects")
INCIDENTS = named("incidents")
PEOPLE = named("people")
ADMISSIONS = named("admissions")
ACCOUNTS = named("accounts")
ATTEMPTS = named("attempts")
DEVICES = named("devices")
SESSIONS = named("sessions")
EVENT_SOURCES = named("event_sources")
ARRIVALS = named("arrivals")
DEAD_LETTERS = named("dead_letters")
FEEDS = named("feeds")
CLAIMS = named("claims")
POLICY_DRAFTS = named("policy_drafts")
POLICY_BOOKS = named("policy_books")
LESSONS = named("lessons")
TURNS = named("turns")
MODEL_CALLS = named("model_calls")
AUDIT = named("audit")
