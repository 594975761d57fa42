"""Rows of the tables to records of the ledger, and back; statements that stand in files of SQL, or are run often."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Row, Select, Table, TextClause, select, text
from sqlalchemy.exc import DBAPIError

from ledger.records import Approval, Event, Limit, Proposal, Run
from ledger.tables import INBOX, RUNS

#: a row of whatever was asked
AnyRow = Row[*tuple[Any, ...]]
EVENT_COLUMNS = ("source_id", "name", "mission", "subject", "trigger", "as_of", "requested_by")
RUN_COLUMNS = ("run_id", "versions", "status", "started_at", "verdict", "outcome", "ended_at")


def statements(subject: str) -> Mapping[str, TextClause]:
    """Those of a file beside this one, by the names that stand above them ("-- name: …"); other comments are left out."""
    _, *named = Path(__file__).with_name(f"{subject}.sql").read_text(encoding="utf-8").split("-- name: ")
    return {name: text(re.sub("^--.*\n", "", sql, flags=re.M)) for name, _, sql in (one.partition("\n") for one in named)}


def run(tx: Connection, statement: str, values: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    """What each step of a run asks, with `%(name)s` for values: SQLAlchemy would take as long for it as the database does.

    Raises what SQLAlchemy would raise.
    """
    return run_on(tx.connection.driver_connection, statement, values)


def run_on(session: Any, statement: str, values: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    """The same, in a session of psycopg."""
    try:
        done: psycopg.Cursor[Any] = session.execute(statement, values)
    except psycopg.Error as failed:
        raise DBAPIError.instance(None, None, failed, psycopg.Error, hide_parameters=True) from failed
    return done


def columns(cursor: psycopg.Cursor[Any]) -> dict[str, Any] | None:
    """The next row of what `run` gives, by the names of its columns, with moments in UTC; None after the last."""
    row = cursor.fetchone()
    if row is None:
        return None
    named = zip((column.name for column in cursor.description or ()), row, strict=True)
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in named}


def fields(row: AnyRow, *without: str) -> dict[str, Any]:
    """The columns of a row by name, for a record that has the same fields."""
    return {name: value for name, value in row._mapping.items() if name not in (*without, "number")}


def select_record(table: Table) -> Select[Any]:
    """Every column of a table whose columns are the fields of its record."""
    return select(*(column for column in table.columns if column.name != "number"))


def select_runs(*further: Any) -> Select[Any]:
    """Runs with their events, and whatever else is wanted of a joined table."""
    columns = [RUNS.c[name] for name in RUN_COLUMNS] + [INBOX.c[name] for name in EVENT_COLUMNS]
    return select(*columns, *further).join_from(RUNS, INBOX, RUNS.c.source_id == INBOX.c.source_id)


def to_run(row: Row[Any] | Mapping[str, Any]) -> Run:
    """A run of what `select_runs` gives."""
    values = row._mapping if isinstance(row, Row) else row
    event = Event(**{name: values[name] for name in EVENT_COLUMNS})
    return Run(event=event, **{name: values[name] for name in RUN_COLUMNS})


def from_proposal(proposal: Proposal) -> dict[str, Any]:
    """The approval's fields lie flat beside the others."""
    values = {**vars(proposal), **vars(proposal.approval), "limits": [vars(limit) for limit in proposal.approval.limits]}
    del values["approval"]
    return values


def to_proposal(row: Row[Any]) -> Proposal:
    """A proposal of a row of its table."""
    return proposal_of(fields(row))


def proposal_of(values: dict[str, Any]) -> Proposal:
    """Of the values of its columns, which are taken out of `values`."""
    asked = {name: values.pop(name) for name in ("role", "four_eyes", "own")}
    limits = tuple(Limit(**{**raw, "adds": tuple(map(tuple, raw["adds"]))}) for raw in values.pop("limits"))
    approval = Approval(**asked, clauses=tuple(values.pop("clauses")), limits=limits)
    return Proposal(approval=approval, **values)
