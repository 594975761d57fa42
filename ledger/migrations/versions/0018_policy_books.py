"""The policies that decide are kept: a file that somebody edits is not in force by that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_books",
        sa.Column("book_id", sa.Text(), nullable=False),
        sa.Column("documents", JSONB(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("book_id", name=op.f("pk_policy_books")),
        schema="ledger",
    )
    op.create_index(op.f("ix_policy_books_at"), "policy_books", ["at"], schema="ledger")


def downgrade() -> None:
    op.drop_table("policy_books", schema="ledger")
