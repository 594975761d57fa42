"""Leases with fencing, conflicts between proposals, conditional writes, and the ways by which events come in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE ledger.runs SET outcome = 'abandoned' WHERE status = 'closed' AND outcome IS NULL")
    op.create_check_constraint(
        op.f("ck_runs_closed_has_an_outcome"), "runs", "(status = 'closed') = (outcome IS NOT NULL)", schema="ledger"
    )
    op.create_table(
        "leases",
        sa.Column("run_id", sa.Text(), sa.ForeignKey("ledger.runs.run_id", name=op.f("fk_leases_run_id")), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_leases")),
        schema="ledger",
    )
    op.add_column("proposals", sa.Column("held_by", sa.Text(), server_default="", nullable=False), schema="ledger")
    op.add_column("proposals", sa.Column("undoes", sa.Text(), server_default="", nullable=False), schema="ledger")
    op.create_index("ix_proposals_held_by", "proposals", ["held_by"], schema="ledger", postgresql_where=sa.text("held_by <> ''"))
    op.create_table(
        "touches",
        sa.Column(
            "proposal_id",
            sa.Text(),
            sa.ForeignKey("ledger.proposals.proposal_id", name=op.f("fk_touches_proposal_id")),
            nullable=False,
        ),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "record", name=op.f("pk_touches")),
        schema="ledger",
    )
    op.create_index(op.f("ix_touches_record"), "touches", ["record"], schema="ledger")
    op.add_column("effects", sa.Column("expects", sa.dialects.postgresql.JSONB(), nullable=True), schema="ledger")

    op.create_table(
        "event_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_sources")),
        sa.UniqueConstraint("digest", name=op.f("uq_event_sources_digest")),
        schema="ledger",
    )
    op.create_table(
        "dead_letters",
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("settled_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("number", name=op.f("uq_dead_letters_number")),
        schema="ledger",
    )
    op.create_index(
        "ix_dead_letters_open", "dead_letters", ["number"], schema="ledger", postgresql_where=sa.text("settled_at IS NULL")
    )
    op.create_table(
        "feeds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
        schema="ledger",
    )
