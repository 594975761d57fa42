"""People whose names cannot be told apart, changes of people that take two, limits by name and place, second factors."""

import sqlalchemy as sa
from alembic import op

from ledger.names import skeleton

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("people", sa.Column("skeleton", sa.Text(), nullable=True), schema="ledger")
    _fill_skeletons(op.get_bind())
    op.alter_column("people", "skeleton", nullable=False, schema="ledger")
    op.create_unique_constraint(op.f("uq_people_skeleton"), "people", ["skeleton"], schema="ledger")

    op.drop_column("accounts", "failures", schema="ledger")
    op.drop_column("accounts", "locked_until", schema="ledger")
    op.add_column("accounts", sa.Column("factor_secret", sa.Text(), nullable=True), schema="ledger")
    op.add_column("accounts", sa.Column("factor_step", sa.BigInteger(), nullable=True), schema="ledger")
    op.create_table(
        "attempts",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_attempts")),
        schema="ledger",
    )
    op.create_index(op.f("ix_attempts_at"), "attempts", ["at"], unique=False, schema="ledger")
    op.create_table(
        "devices",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), sa.ForeignKey("ledger.people.key", name=op.f("fk_devices_key")), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", "key", name=op.f("pk_devices")),
        schema="ledger",
    )
    op.create_table(
        "admissions",
        sa.Column("admission_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("account", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("half", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('role', 'password', 'second_factor')", name=op.f("ck_admissions_kind")),
        sa.CheckConstraint("status IN ('asked', 'confirmed', 'refused', 'lapsed')", name=op.f("ck_admissions_status")),
        sa.CheckConstraint("status <> 'confirmed' OR settled_by NOT IN (asked_by, name)", name=op.f("ck_admissions_two_people")),
        sa.CheckConstraint("asked_by <> name", name=op.f("ck_admissions_not_oneself")),
        sa.PrimaryKeyConstraint("admission_id", name=op.f("pk_admissions")),
        sa.UniqueConstraint("number", name=op.f("uq_admissions_number")),
        schema="ledger",
    )
    op.create_index(
        "uq_admissions_open", "admissions", ["kind", "name"], unique=True, schema="ledger",
        postgresql_where=sa.text("status = 'asked'"),
    )  # fmt: skip


def _fill_skeletons(connection: sa.Connection) -> None:
    """Of people who look alike already, the first by key has the skeleton to themselves."""
    taken: set[str] = set()
    for key, name in connection.execute(sa.text('SELECT key, name FROM ledger.people ORDER BY key COLLATE "C"')).all():
        look = skeleton(name)
        unique = f"{look} of {key}" if look in taken else look
        taken.add(unique)
        filled = sa.text("UPDATE ledger.people SET skeleton = :look WHERE key = :key")
        connection.execute(filled, {"look": unique, "key": key})
