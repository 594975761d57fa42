"""Until when what was sent for a run may be done."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sends",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_sends_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_sends")),
        schema="ledger",
    )
