"""Nobody is given a say whom no second person confirmed, and no total is made smaller, whoever writes the rows."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# where nobody could confirm, the first people of a ledger are added by one
_TAKES_TWO = """
CREATE FUNCTION ledger.takes_two() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.role = OLD.role AND NEW.key = OLD.key
        OR NEW.role NOT IN ('reviewer', 'supervisor', 'finance', 'administrator')
            AND NOT (TG_OP = 'UPDATE' AND OLD.role = 'administrator')
        OR pg_has_role(caller, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        OR NOT EXISTS (SELECT FROM ledger.people WHERE role = 'administrator')
        OR NOT EXISTS (SELECT FROM ledger.people WHERE role IN ('administrator', 'supervisor', 'finance') AND key <> NEW.key)
        -- confirmed by this very transaction, so that each is used once
        OR EXISTS (
            SELECT FROM ledger.admissions asked
            WHERE asked.kind = 'role' AND asked.status = 'confirmed' AND asked.role = NEW.role
                AND asked.name = NEW.name AND asked.xmin = pg_current_xact_id()::xid
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'that % becomes % takes a second person who confirms', NEW.name, NEW.role
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER takes_two BEFORE INSERT OR UPDATE ON ledger.people FOR EACH ROW EXECUTE FUNCTION ledger.takes_two();
REVOKE ALL ON FUNCTION ledger.takes_two() FROM PUBLIC;

CREATE FUNCTION ledger.is_asked_first() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status <> 'asked' AND (TG_OP = 'INSERT' OR OLD.status <> 'asked') THEN
        RAISE EXCEPTION 'an admission is asked for, and then settled once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER is_asked_first BEFORE INSERT OR UPDATE ON ledger.admissions
    FOR EACH ROW EXECUTE FUNCTION ledger.is_asked_first();
REVOKE ALL ON FUNCTION ledger.is_asked_first() FROM PUBLIC;
"""

# what was given counts from the moment at which it was written on, and as much as it was
_STAYS = """
CREATE FUNCTION ledger.total_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN NEW;
    END IF;
    IF NOT NEW.at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '1 minute'
        OR TG_OP = 'UPDATE' AND NEW.cents < OLD.cents
    THEN
        RAISE EXCEPTION 'what proposal % adds to a total counts from now on, and never less than before', NEW.proposal_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER total_stays BEFORE INSERT OR UPDATE ON ledger.commitments
    FOR EACH ROW EXECUTE FUNCTION ledger.total_stays();
REVOKE ALL ON FUNCTION ledger.total_stays() FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute(_TAKES_TWO)
    op.execute(_STAYS)
    op.create_check_constraint(op.f("ck_commitments_at"), "commitments", "isfinite(at)", schema="ledger")
