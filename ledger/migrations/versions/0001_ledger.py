"""The ledger: its tables, the one function that writes its log, the seals, and what the tables refuse."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    for subject in ("tables", "seal", "log", "turns", "authority", "values"):
        # a driver takes % for the place of a value
        op.get_bind().exec_driver_sql((_SQL / f"{subject}.sql").read_text(encoding="utf-8").replace("%", "%%"))
    # triggers call theirs all the same
    op.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC")
