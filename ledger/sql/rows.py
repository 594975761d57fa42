"""Rows of the tables to records of the ledger, and back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Select, Table, select

from ledger.records import Approval, Event, Limit, Proposal, Run
from ledger.tables import INBOX, RUNS

EVENT_COLUMNS = ("source_id", "name", "mission", "subject", "trigger", "as_of", "requested_by")
RUN_COLUMNS = ("run_id", "versions", "status", "started_at", "verdict", "outcome", "ended_at")


def fields(row: Row[*tuple[Any, ...]], *without: str) -> dict[str, Any]:
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
    values = row._mapping if isinstance(row, Row) else row
    event = Event(**{name: values[name] for name in EVENT_COLUMNS})
    return Run(event=event, **{name: values[name] for name in RUN_COLUMNS})


def from_proposal(proposal: Proposal) -> dict[str, Any]:
    """The approval's fields lie flat beside the others."""
    approval = {**vars(proposal.approval), "limits": [vars(limit) for limit in proposal.approval.limits]}
    return {**_without(vars(proposal), "approval"), **approval}


def to_proposal(row: Row[Any]) -> Proposal:
    values = fields(row)
    asked = {name: values.pop(name) for name in ("role", "four_eyes", "own")}
    limits = tuple(_limit(raw) for raw in values.pop("limits"))
    approval = Approval(**asked, clauses=tuple(values.pop("clauses")), limits=limits)
    return Proposal(approval=approval, **values)


def _limit(raw: Mapping[str, Any]) -> Limit:
    return Limit(**{**raw, "adds": tuple((step, cents) for step, cents in raw["adds"])})


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
