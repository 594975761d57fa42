"""No proposal becomes executable by being written so: neither as approved, nor as one that takes no approval."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the tables are named in full: a table that somebody makes for his session alone stands before all others
    op.execute("""
        CREATE OR REPLACE FUNCTION ledger.needs_approvals() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF NEW.status = 'automatic' AND (NEW.role <> 'none' OR TG_OP = 'UPDATE') THEN
                RAISE EXCEPTION 'proposal % is not one that takes no approval', NEW.proposal_id
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            IF NEW.status = 'approved' AND 1 + NEW.four_eyes::int > (
                SELECT count(DISTINCT by) FROM ledger.decisions WHERE proposal_id = NEW.proposal_id AND kind = 'approve'
            ) THEN
                RAISE EXCEPTION 'proposal % has not the approvals that it takes', NEW.proposal_id
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("DROP TRIGGER needs_approvals ON ledger.proposals")
    op.execute("""
        CREATE TRIGGER needs_approvals BEFORE INSERT OR UPDATE OF status, role, four_eyes ON ledger.proposals FOR EACH ROW
        WHEN (NEW.status IN ('approved', 'automatic')) EXECUTE FUNCTION ledger.needs_approvals()
    """)
