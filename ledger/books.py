"""The policies that decide, whole and as they were put in force: what a folder holds may be edited by anybody who has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.canonical import digest

#: (name of its file, its text) of every document
Documents = Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class KeptBook:
    """All policies from a moment on, until there is a newer book."""

    book_id: str
    documents: Documents
    #: who put them in force, or "the command line" where they were found in the folder
    by: str
    at: datetime


def audited(book: KeptBook) -> dict[str, Any]:
    """What the audit log says of a book: its documents stand there as a digest."""
    documents = [list(one) for one in book.documents]
    return {"book_id": book.book_id, "digest": digest(documents), "by": book.by}
