"""No proposal becomes approved without its approvals, whoever writes to the table."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE FUNCTION ledger.needs_approvals() RETURNS trigger LANGUAGE plpgsql SET search_path = ledger AS $$
        BEGIN
            IF (SELECT count(DISTINCT by) FROM decisions WHERE proposal_id = NEW.proposal_id AND kind = 'approve')
                < 1 + NEW.four_eyes::int
            THEN
                RAISE EXCEPTION 'proposal % has not the approvals that it takes', NEW.proposal_id
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER needs_approvals BEFORE UPDATE OF status, four_eyes ON ledger.proposals FOR EACH ROW
        WHEN (NEW.status = 'approved') EXECUTE FUNCTION ledger.needs_approvals()
    """)
