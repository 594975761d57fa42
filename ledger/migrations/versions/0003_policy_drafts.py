"""Drafts of policies, and the runs that cite a clause."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_drafts",
        sa.Column("draft_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("policy_id", sa.Text(), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("base_digest", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("status IN ('draft', 'in_force', 'withdrawn')", name=op.f("ck_policy_drafts_status")),
        sa.CheckConstraint("status <> 'in_force' OR settled_by <> drafted_by", name=op.f("ck_policy_drafts_four_eyes")),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_policy_drafts")),
        sa.UniqueConstraint("number", name=op.f("uq_policy_drafts_number")),
        schema="ledger",
    )
    op.create_index(
        "ix_policy_drafts_open",
        "policy_drafts",
        ["policy_id"],
        schema="ledger",
        postgresql_where=sa.text("status = 'draft'"),
    )
    op.create_index(
        "ix_proposals_cites",
        "proposals",
        ["cites"],
        schema="ledger",
        postgresql_using="gin",
        postgresql_ops={"cites": "jsonb_path_ops"},
    )
