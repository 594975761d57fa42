"""The policies in force in PostgreSQL: one row for every time that one of them changed."""

from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, insert

from ledger import books
from ledger.books import Documents, KeptBook
from ledger.sql import chain
from ledger.sql.rows import fields, select_record
from ledger.tables import POLICY_BOOKS

_NEWEST_FIRST = select_record(POLICY_BOOKS).order_by(POLICY_BOOKS.c.at.desc(), POLICY_BOOKS.c.book_id)


def keep(tx: Connection, documents: Documents, by: str, at: datetime) -> KeptBook:
    """What decides from now on."""
    pairs = [list(one) for one in documents]
    book = KeptBook(book_id=f"b-{uuid4().hex[:8]}", documents=pairs, by=by, at=at)
    tx.execute(insert(POLICY_BOOKS).values(**vars(book)))
    chain.append(tx, at, "policies_kept", "", books.audited(book))
    return book


def newest(tx: Connection) -> KeptBook | None:
    """What decides; None before the first start."""
    return next(every(tx, limit=1), None)


def every(tx: Connection, limit: int | None = None) -> Iterator[KeptBook]:
    """The newest first."""
    for row in tx.execute(_NEWEST_FIRST.limit(limit)):
        yield KeptBook(**fields(row))
