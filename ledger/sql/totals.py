"""Totals in PostgreSQL: what went out within a window, and what a plan adds to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, text
from sqlalchemy.dialects.postgresql import insert

from ledger import limits
from ledger.canonical import canonical
from ledger.limits import Standing
from ledger.records import Commitment, Limit, Proposal
from ledger.sql import locks
from ledger.sql.rows import fields, select_record
from ledger.tables import COMMITMENTS

#: takes the turns first, so that what others committed while it waited is counted
_COUNT = text("SELECT cents, now FROM ledger.count_totals(:run_id, CAST(:wanted AS jsonb), :turns) ORDER BY place")


@dataclass(frozen=True)
class Counted:
    """Limits as they stand with a plan, at a moment of the database's clock."""

    standings: list[Standing]
    at: datetime


def count(tx: Connection, run_id: str, asked: Sequence[Limit], *, alone: bool = True) -> Counted:
    """What each limit comes to with what a plan of the run adds; at least one is asked.

    `alone` until the transaction ends: of two that add to one total, the later one counts what the earlier one added.
    """
    windows = [(*limits.total(limit), limit.days) for limit in asked]
    wanted = list(dict.fromkeys(windows))
    mine = {locks.turn_of_total(*total) for *total, _ in wanted} if alone else ()
    rows = tx.execute(_COUNT, {"run_id": run_id, "wanted": canonical(wanted).decode(), "turns": sorted(mine)}).all()
    before = dict(zip(wanted, (row.cents for row in rows), strict=True))
    return Counted(limits.standings(asked, [before[window] for window in windows]), rows[0].now)


def standings(tx: Connection, run_id: str, asked: Sequence[Limit]) -> list[Standing]:
    return count(tx, run_id, asked, alone=False).standings if asked else []


def commit(tx: Connection, proposal: Proposal, counted: Counted) -> list[Commitment]:
    """Keep what a plan adds, from now on; never less than was kept of it before."""
    made = limits.commitments(proposal, [one.limit for one in counted.standings], counted.at)
    rows = insert(COMMITMENTS).values([vars(one) for one in made])
    key = [column.name for column in COMMITMENTS.primary_key]
    kept = {"cents": func.greatest(COMMITMENTS.c.cents, rows.excluded.cents), "at": rows.excluded.at}
    written = tx.execute(rows.on_conflict_do_update(index_elements=key, set_=kept).returning(*COMMITMENTS.c))
    return [Commitment(**fields(row)) for row in written]


def of_run(tx: Connection, run_id: str) -> list[Commitment]:
    wanted = select_record(COMMITMENTS).where(COMMITMENTS.c.run_id == run_id).order_by(*COMMITMENTS.primary_key)
    return [Commitment(**fields(row)) for row in tx.execute(wanted)]
