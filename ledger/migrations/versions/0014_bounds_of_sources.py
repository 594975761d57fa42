"""What a source of events may start, how far back it may look, and how much it may hand in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        # sources that were added before go on starting every Mission
        sa.Column("missions", JSONB()),
        sa.Column("as_of_days", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("hourly", sa.Integer(), nullable=False, server_default="3600"),
    ):
        op.add_column("event_sources", column, schema="ledger")
    op.create_table(
        "arrivals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_arrivals")),
        schema="ledger",
    )
    op.create_index(
        "ix_dead_letters_source",
        "dead_letters",
        ["source"],
        schema="ledger",
        postgresql_where=sa.text("settled_at IS NULL"),
    )
