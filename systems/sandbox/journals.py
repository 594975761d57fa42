"""Tables of what the sandbox company did and of what was loaded into it; no fields of CONTRACT.md."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Table, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB

from systems.sandbox.tables import METADATA

#: METADATA as it is with these tables, for whoever makes or empties all of them
__all__ = ["CLAIMS", "DEEDS", "EVENTS", "FENCES", "LOADED", "METADATA", "WRITES"]

#: One row a write: the same key again gives the same answer.
WRITES = Table(
    "receipts",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("tool", Text, nullable=False),
    Column("args_digest", Text, nullable=False),
    Column("answer", JSONB),
    Column("done_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
#: The newest holder that wrote, by what it held: an older one was replaced since.
FENCES = Table("fences", METADATA, Column("scope", Text, primary_key=True), Column("token", BigInteger, nullable=False))
#: What has no record of its own in CONTRACT.md: messages sent, tasks, counts asked for, labels, credits, cases opened.
DEEDS = Table(
    "deeds",
    METADATA,
    Column("deed_id", Text, primary_key=True),
    Column("collection", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("done_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seq", BigInteger, Identity()),
)
#: Which recorded exceptions were loaded, by the digest of their systems.
LOADED = Table("loaded", METADATA, Column("case_id", Text, primary_key=True), Column("digest", Text, nullable=False))
#: What a loaded case says about an order, a customer, a SKU …: no other case may say something else about it.
CLAIMS = Table(
    "claims",
    METADATA,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    UniqueConstraint("kind", "id"),
)
#: What happened, as the feed of events tells it: the events of recorded exceptions that were loaded with it.
EVENTS = Table(
    "events",
    METADATA,
    Column("number", BigInteger, Identity(), primary_key=True),
    Column("source_id", Text, nullable=False, unique=True),
    Column("event", JSONB, nullable=False),
)
