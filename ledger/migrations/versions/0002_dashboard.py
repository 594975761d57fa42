"""What the dashboard needs: accounts and sessions, claims, deadlines, who asked for a run, abandoned runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROLES = "'customer', 'analyst', 'reviewer', 'supervisor', 'finance', 'administrator', 'auditor'"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("requested_by", sa.Text(), server_default="", nullable=False), schema="ledger")
    # the messages of one customer
    op.execute("CREATE INDEX ix_inbox_customer ON ledger.inbox ((trigger ->> 'customer_id')) WHERE name = 'support.message'")

    op.add_column("proposals", sa.Column("tier", sa.Text(), server_default="", nullable=False), schema="ledger")
    op.add_column("proposals", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True), schema="ledger")
    op.execute("UPDATE ledger.proposals SET due_at = expires_at")
    op.alter_column("proposals", "due_at", nullable=False, schema="ledger")
    op.drop_index("ix_proposals_queue", table_name="proposals", schema="ledger")
    op.create_index(
        "ix_proposals_queue",
        "proposals",
        ["due_at", "proposal_id"],
        schema="ledger",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_audit_kind", "audit", ["kind", "seq"], schema="ledger")
    op.create_index("ix_decisions_at", "decisions", ["at"], schema="ledger")

    op.drop_constraint("ck_runs_outcome", "runs", schema="ledger")
    outcomes = "outcome IN ('executed', 'nothing_to_do', 'rejected', 'escalated', 'abandoned')"
    op.create_check_constraint(op.f("ck_runs_outcome"), "runs", outcomes, schema="ledger")

    op.add_column("people", sa.Column("customer_id", sa.Text(), nullable=True), schema="ledger")
    op.drop_constraint("ck_people_role", "people", schema="ledger")
    op.execute("UPDATE ledger.people SET role = 'analyst' WHERE role = 'none'")
    op.create_check_constraint(op.f("ck_people_role"), "people", f"role IN ({_ROLES})", schema="ledger")

    op.create_table(
        "accounts",
        sa.Column("key", sa.Text(), sa.ForeignKey("ledger.people.key", name=op.f("fk_accounts_key")), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("one_time_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_accounts")),
        schema="ledger",
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), sa.ForeignKey("ledger.people.key", name=op.f("fk_sessions_key")), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        schema="ledger",
    )
    op.create_index(op.f("ix_sessions_key"), "sessions", ["key"], unique=False, schema="ledger")
    op.create_table(
        "claims",
        sa.Column(
            "proposal_id",
            sa.Text(),
            sa.ForeignKey("ledger.proposals.proposal_id", name=op.f("fk_claims_proposal_id")),
            nullable=False,
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_claims")),
        schema="ledger",
    )
