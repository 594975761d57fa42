"""Whether whoever worded a plan may approve it: policy allows it, and the check found nothing new in the words."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    own: sa.Column[bool] = sa.Column("own", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    op.add_column("proposals", own, schema="ledger")
