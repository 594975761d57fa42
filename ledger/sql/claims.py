"""Claims in PostgreSQL: who has which proposal open."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, delete, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger.records import Claim
from ledger.sql.rows import fields
from ledger.tables import CLAIMS


def claim(tx: Connection, proposal_id: str, by: str, lasts: timedelta, at: datetime) -> Claim:
    """The claim that holds now: one's own, made or prolonged, or that of whoever was there before and is there still."""
    mine = insert_or(CLAIMS).values(proposal_id=proposal_id, by=by, since=at, until=at + lasts)
    fresh = mine.excluded
    since = case((and_(CLAIMS.c.by == by, CLAIMS.c.until > at), CLAIMS.c.since), else_=fresh.since)
    tx.execute(
        mine.on_conflict_do_update(
            index_elements=["proposal_id"],
            set_={"by": fresh.by, "until": fresh.until, "since": since},
            where=or_(CLAIMS.c.by == by, CLAIMS.c.until <= at),
        )
    )
    return Claim(**fields(tx.execute(select(CLAIMS).where(CLAIMS.c.proposal_id == proposal_id)).one()))


def release(tx: Connection, proposal_id: str, by: str) -> None:
    tx.execute(delete(CLAIMS).where(CLAIMS.c.proposal_id == proposal_id, CLAIMS.c.by == by))


def held(tx: Connection, proposal_ids: Collection[str], at: datetime) -> dict[str, Claim]:
    """Claims that hold now, by proposal."""
    rows = tx.execute(select(CLAIMS).where(CLAIMS.c.proposal_id.in_(proposal_ids), CLAIMS.c.until > at))
    return {row.proposal_id: Claim(**fields(row)) for row in rows}
