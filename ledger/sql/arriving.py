"""How much each source of events has handed in, counted in the transaction that keeps it."""

from datetime import datetime

from sqlalchemy import Connection, case, func, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from ledger import arrivals
from ledger.arrivals import Origin
from ledger.canonical import moment
from ledger.tables import ARRIVALS, DEAD_LETTERS

_A, _L = ARRIVALS.c, DEAD_LETTERS.c


def count(tx: Connection, origin: Origin, at: datetime) -> None:
    """Count one more of this hour. Raises TooMany where that is more than the source may hand in.

    Whoever counts holds the row until the end of the transaction, so what comes side by side is counted one by one.
    """
    if origin.bounds.hourly is None:
        return
    hour = moment(at).replace(minute=0, second=0, microsecond=0)
    first = insert_or(ARRIVALS).values(name=origin.name, hour=hour, kept=1)
    come = first.excluded
    # the clocks of machines differ: an hour that has begun does not end because somebody is late
    more = {"hour": func.greatest(_A.hour, come.hour), "kept": case((come.hour > _A.hour, 1), else_=_A.kept + 1)}
    counted = first.on_conflict_do_update(index_elements=["name"], set_=more).returning(_A.kept)
    if tx.execute(counted).scalar_one() > origin.bounds.hourly:
        raise arrivals.too_many(origin, moment(at))


def require_room(tx: Connection, origin: Origin) -> None:
    """Raise TooMany where a source has, with its newest, more open dead letters than are kept."""
    is_open = (_L.source == origin.name) & _L.settled_at.is_(None)
    size = func.coalesce(func.sum(func.octet_length(_L.body)), 0)
    letters, size_bytes = tx.execute(select(func.count(), size).where(is_open)).one()
    if letters > arrivals.MOST_OPEN or size_bytes > arrivals.MOST_OPEN_BYTES:
        raise arrivals.too_many_open(origin)
