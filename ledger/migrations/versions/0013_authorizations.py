"""No effect without what it needs: an authorization of the executor, over decisions that are there, for that very step."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "authorizations",
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), nullable=False),
        sa.Column("decisions", JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('none', 'reviewer', 'supervisor', 'finance')", name=op.f("ck_authorizations_role")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_authorizations")),
        sa.ForeignKeyConstraint(["proposal_id"], ["ledger.proposals.proposal_id"], name=op.f("fk_authorizations_proposal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_authorizations_run_id")),
        schema="ledger",
    )
    op.create_index(op.f("ix_authorizations_run_id"), "authorizations", ["run_id"], schema="ledger")
    for statement in (_AUTHORIZE, _INTEND, _MOVE, _REOPEN):
        op.execute(statement)
    for name, when, function in _TRIGGERS:
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} FOR EACH ROW EXECUTE FUNCTION ledger.{function}()")


_TRIGGERS = (
    ("needs_decisions", "INSERT ON ledger.authorizations", "may_authorize"),
    ("needs_authorization", "INSERT ON ledger.effects", "may_intend"),
    ("moves_on", "UPDATE ON ledger.effects", "may_move"),
    ("stays_ended", "UPDATE OF status ON ledger.runs", "may_reopen"),
)
# the tables are named in full: a table that somebody makes for his session alone stands before all others
_HEAD = "RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$"
_AUTHORIZE = f"""
CREATE FUNCTION ledger.may_authorize() {_HEAD}
DECLARE
    asked ledger.proposals;
    event ledger.inbox;
    ranks text[] := ARRAY['none', 'reviewer', 'supervisor', 'finance'];
    wrong text;
BEGIN
    SELECT * INTO asked FROM ledger.proposals WHERE proposal_id = NEW.proposal_id;
    SELECT inbox.* INTO event FROM ledger.inbox JOIN ledger.runs USING (source_id) WHERE run_id = asked.run_id;
    IF NEW.run_id <> asked.run_id OR NEW.digest <> asked.digest THEN
        wrong := 'is another one';
    ELSIF NOT EXISTS (SELECT FROM ledger.runs WHERE run_id = asked.run_id AND status = 'running') THEN
        wrong := 'is of a run that does not go on';
    ELSIF EXISTS (SELECT FROM ledger.proposals WHERE run_id = asked.run_id AND number > asked.number) THEN
        wrong := 'was replaced by a newer one';
    ELSIF array_position(ranks, NEW.role) < array_position(ranks, asked.role) OR NEW.four_eyes < asked.four_eyes THEN
        wrong := 'takes more than that';
    ELSIF asked.status = 'automatic' THEN
        wrong := CASE WHEN NEW.role <> 'none' OR NEW.four_eyes THEN 'says that it takes no approval, and takes one' END;
    ELSIF asked.status <> 'approved' THEN
        wrong := 'is ' || asked.status;
    ELSIF EXISTS (SELECT FROM ledger.decisions WHERE proposal_id = asked.proposal_id AND kind <> 'approve') THEN
        wrong := 'was decided otherwise';
    ELSIF 1 + NEW.four_eyes::int > (
        SELECT count(DISTINCT people.key) FROM ledger.decisions JOIN ledger.people ON people.name = decisions.by
        WHERE decisions.proposal_id = asked.proposal_id AND decisions.digest = asked.digest
            AND decisions.at <= asked.expires_at
            AND array_position(ranks, people.role) >= greatest(array_position(ranks, NEW.role), 2)
            AND array_position(ranks, decisions.role) >= greatest(array_position(ranks, NEW.role), 2)
            AND (asked.own OR people.key <> lower(btrim(normalize(asked.author, NFKC))))
            AND people.key <> lower(btrim(normalize(event.requested_by, NFKC)))
    ) THEN
        wrong := 'has not the approvals that it takes';
    END IF;
    IF wrong IS NOT NULL OR asked.proposal_id IS NULL THEN
        RAISE EXCEPTION 'proposal % %', NEW.proposal_id, coalesce(wrong, 'is not there')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
_INTEND = f"""
CREATE FUNCTION ledger.may_intend() {_HEAD}
BEGIN
    IF NEW.status <> 'intended' OR NOT EXISTS (
        SELECT FROM ledger.authorizations allowed
        JOIN ledger.proposals asked USING (proposal_id, run_id, digest) JOIN ledger.runs USING (run_id)
        WHERE allowed.proposal_id = NEW.proposal_id AND run_id = NEW.run_id AND runs.status = 'running'
            AND asked.plan -> NEW.step ->> 'name' = NEW.action AND asked.plan -> NEW.step ->> 'tool' = NEW.tool
            AND asked.plan -> NEW.step -> 'args' = NEW.args AND NEW.step >= 0
    ) OR EXISTS (SELECT FROM ledger.effects WHERE proposal_id = NEW.proposal_id AND step = NEW.step AND key <> NEW.key) THEN
        RAISE EXCEPTION 'effect % is no step of a plan that is authorized', NEW.key
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
# the dashboard's leaves a step in doubt, where its run is given up, and settles one that was looked up; an owner is not held
_MOVE = f"""
CREATE FUNCTION ledger.may_move() {_HEAD}
BEGIN
    IF has_table_privilege(current_user, 'ledger.effects', 'DELETE') THEN
        RETURN NEW;
    END IF;
    IF NOT (
        OLD.status = 'unknown' AND NEW.status IN ('done', 'failed')
        OR OLD.status = 'executing' AND NEW.status = 'unknown'
        OR has_table_privilege(current_user, 'ledger.effects', 'INSERT') AND (
            OLD.status = 'intended' AND NEW.status = 'executing'
            OR OLD.status = 'executing' AND NEW.status IN ('done', 'failed')
        )
    ) THEN
        RAISE EXCEPTION 'effect % is %, and cannot become % here', OLD.key, OLD.status, NEW.status
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
# what has ended, or waits for somebody to settle it, is not opened by whoever neither decides nor executes
_REOPEN = f"""
CREATE FUNCTION ledger.may_reopen() {_HEAD}
BEGIN
    IF OLD.status IN ('closed', 'incident') AND NEW.status <> OLD.status
        AND NOT has_table_privilege(current_user, 'ledger.decisions', 'INSERT')
        AND NOT has_table_privilege(current_user, 'ledger.effects', 'INSERT')
    THEN
        RAISE EXCEPTION 'run % is %, and a person settles that', OLD.run_id, OLD.status
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
