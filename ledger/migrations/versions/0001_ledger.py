"""The first tables of the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        schema="ledger",
    )
    op.create_index(op.f("ix_audit_run_id"), "audit", ["run_id"], unique=False, schema="ledger")
    op.create_table(
        "inbox",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mission", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("trigger", JSONB(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("taken_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_inbox")),
        schema="ledger",
    )
    op.create_index(op.f("ix_inbox_subject"), "inbox", ["subject"], unique=False, schema="ledger")
    op.create_table(
        "people",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('none', 'reviewer', 'supervisor', 'finance')", name=op.f("ck_people_role")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_people")),
        schema="ledger",
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("versions", JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'closed') = (ended_at IS NOT NULL)", name=op.f("ck_runs_closed_has_an_end")),
        sa.CheckConstraint("outcome IN ('executed', 'nothing_to_do', 'rejected', 'escalated')", name=op.f("ck_runs_outcome")),
        sa.CheckConstraint("status IN ('running', 'waiting', 'incident', 'closed')", name=op.f("ck_runs_status")),
        sa.ForeignKeyConstraint(["source_id"], ["ledger.inbox.source_id"], name=op.f("fk_runs_source_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
        sa.UniqueConstraint("number", name=op.f("uq_runs_number")),
        sa.UniqueConstraint("source_id", name=op.f("uq_runs_source_id")),
        schema="ledger",
    )
    op.create_index("ix_runs_started_at", "runs", ["started_at", "number"], unique=False, schema="ledger")
    op.create_index("ix_runs_status", "runs", ["status", "started_at", "number"], unique=False, schema="ledger")
    op.create_table(
        "facts",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("args", JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("value", JSONB(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('ok', 'absent', 'failed')", name=op.f("ck_facts_status")),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_facts_run_id")),
        sa.PrimaryKeyConstraint("run_id", "look", "position", name=op.f("pk_facts")),
        schema="ledger",
    )
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_incidents_run_id")),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("number", name=op.f("uq_incidents_number")),
        schema="ledger",
    )
    op.create_index(
        "ix_incidents_open",
        "incidents",
        ["at"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(op.f("ix_incidents_run_id"), "incidents", ["run_id"], unique=False, schema="ledger")
    op.create_table(
        "observations",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('event', 'read', 'finding', 'policy', 'prediction', 'plan', 'check', 'decision', 'effect', "
            "'verdict', 'missing')",
            name=op.f("ck_observations_kind"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_observations_run_id")),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_observations")),
        schema="ledger",
    )
    op.create_table(
        "proposals",
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("plan", JSONB(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("cites", JSONB(), nullable=False),
        sa.Column("alternatives", JSONB(), nullable=False),
        sa.Column("changes", JSONB(), nullable=False),
        sa.Column("confidence", sa.Float(precision=53), nullable=False),
        sa.Column("money_at_stake_cents", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), nullable=False),
        sa.Column("clauses", JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('none', 'reviewer', 'supervisor', 'finance')", name=op.f("ck_proposals_role")),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected', 'sent_back', 'superseded', 'escalated', 'automatic')",
            name=op.f("ck_proposals_status"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_proposals_run_id")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("number", name=op.f("uq_proposals_number")),
        schema="ledger",
    )
    op.create_index(
        "ix_proposals_queue",
        "proposals",
        [sa.literal_column("money_at_stake_cents DESC"), "created_at", "proposal_id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(op.f("ix_proposals_run_id"), "proposals", ["run_id"], unique=False, schema="ledger")
    op.create_index(
        "uq_proposals_pending",
        "proposals",
        ["run_id"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.CheckConstraint("kind IN ('approve', 'edit', 'reject', 'respond', 'escalate')", name=op.f("ck_decisions_kind")),
        sa.ForeignKeyConstraint(["proposal_id"], ["ledger.proposals.proposal_id"], name=op.f("fk_decisions_proposal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_decisions_run_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("number", name=op.f("uq_decisions_number")),
        schema="ledger",
    )
    op.create_index(op.f("ix_decisions_proposal_id"), "decisions", ["proposal_id"], unique=False, schema="ledger")
    op.create_index(op.f("ix_decisions_run_id"), "decisions", ["run_id"], unique=False, schema="ledger")
    op.create_index(
        "uq_decisions_approval",
        "decisions",
        ["proposal_id", "by"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("kind = 'approve'"),
    )
    op.create_table(
        "effects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("args", JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('intended', 'executing', 'done', 'failed', 'unknown')", name=op.f("ck_effects_status")),
        sa.ForeignKeyConstraint(["proposal_id"], ["ledger.proposals.proposal_id"], name=op.f("fk_effects_proposal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_effects_run_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_effects")),
        sa.UniqueConstraint("number", name=op.f("uq_effects_number")),
        schema="ledger",
    )
    op.create_index(op.f("ix_effects_run_id"), "effects", ["run_id"], unique=False, schema="ledger")


def downgrade() -> None:
    for table in (
        "effects",
        "decisions",
        "proposals",
        "observations",
        "incidents",
        "facts",
        "runs",
        "people",
        "inbox",
        "audit",
    ):
        op.drop_table(table, schema="ledger")
