"""A policy that takes approvals away is put in force by two people where those plans take two: the first one agrees."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("policy_drafts", sa.Column("agreed", JSONB(), nullable=False, server_default="[]"), schema="ledger")


def downgrade() -> None:
    op.drop_column("policy_drafts", "agreed", schema="ledger")
