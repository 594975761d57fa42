"""Limits over runs: what approved plans add to totals, and no effect that adds to one without that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    limits: sa.Column[object] = sa.Column("limits", JSONB(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("proposals", limits, schema="ledger")
    op.create_table(
        "commitments",
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("per", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cents > 0", name=op.f("ck_commitments_cents")),
        sa.PrimaryKeyConstraint("proposal_id", "step", "kind", "per", "key", name=op.f("pk_commitments")),
        sa.ForeignKeyConstraint(["proposal_id"], ["ledger.proposals.proposal_id"], name=op.f("fk_commitments_proposal_id")),
        sa.ForeignKeyConstraint(["run_id"], ["ledger.runs.run_id"], name=op.f("fk_commitments_run_id")),
        schema="ledger",
    )
    op.create_index(op.f("ix_commitments_run_id"), "commitments", ["run_id"], schema="ledger")
    op.create_index("ix_commitments_total", "commitments", ["kind", "per", "key", "at"], schema="ledger")
    op.execute("INSERT INTO ledger.turns SELECT generate_series(1026, 2049)")
    for statement in (_COUNT, _ADD, "REVOKE ALL ON FUNCTION ledger.count_totals(text, jsonb, integer[]) FROM PUBLIC"):
        op.execute(statement)
    op.execute("REVOKE ALL ON FUNCTION ledger.count_totals(text, jsonb, integer[]) FROM PUBLIC")
    op.execute("CREATE TRIGGER adds_to_totals BEFORE INSERT ON ledger.effects FOR EACH ROW EXECUTE FUNCTION ledger.may_add()")


# whoever waits for a turn counts what was committed meanwhile: each statement of a function sees what is there when it begins
_COUNT = """
CREATE FUNCTION ledger.count_totals(mine text, wanted jsonb, turns integer[])
RETURNS TABLE (place bigint, cents bigint, now timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(turns) > 0 THEN
        PERFORM ledger.take_turns(turns);
    END IF;
    RETURN QUERY SELECT asked.place, coalesce((
        SELECT sum(added.cents)::bigint FROM ledger.commitments added
        LEFT JOIN ledger.effects ON effects.run_id = added.run_id
            AND effects.proposal_id = added.proposal_id AND effects.step = added.step
        WHERE added.kind = asked.total ->> 0 AND added.per = asked.total ->> 1 AND added.key = asked.total ->> 2
            AND added.at > clock_timestamp() - make_interval(days => (asked.total ->> 3)::integer)
            -- in this order: most of a window was done, and nothing else needs to be looked up
            AND CASE
                WHEN effects.status IN ('executing', 'done', 'unknown') THEN true
                WHEN effects.status = 'failed' OR added.run_id = mine THEN false
                ELSE EXISTS (
                    SELECT FROM ledger.proposals JOIN ledger.runs USING (run_id)
                    WHERE proposal_id = added.proposal_id AND runs.status <> 'closed'
                        AND (effects.status = 'intended' OR proposals.status IN ('pending', 'approved', 'automatic'))
                        AND NOT EXISTS (
                            SELECT FROM ledger.proposals newer
                            WHERE newer.run_id = added.run_id AND newer.number > proposals.number
                        )
                )
            END
    ), 0), clock_timestamp()
    FROM jsonb_array_elements(wanted) WITH ORDINALITY asked (total, place);
END $$
"""
_ADD = """
CREATE FUNCTION ledger.may_add() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger.proposals asked
        CROSS JOIN jsonb_array_elements(asked.limits) limited CROSS JOIN jsonb_array_elements(limited -> 'adds') added
        WHERE asked.proposal_id = NEW.proposal_id AND (added ->> 0)::integer = NEW.step
            -- what waits for nobody has no approver
            AND NOT (limited ->> 'per' = 'approver' AND asked.status = 'automatic')
            AND NOT EXISTS (
                SELECT FROM ledger.commitments kept
                WHERE kept.proposal_id = NEW.proposal_id AND kept.step = NEW.step AND kept.kind = limited ->> 'kind'
                    AND kept.per = limited ->> 'per' AND kept.cents >= (added ->> 1)::bigint
            )
    ) THEN
        RAISE EXCEPTION 'effect % adds to a total that it was not counted in', NEW.key
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$
"""
