"""What is changed in the ledger behind the back of the audit log is found, and named."""

from collections.abc import Iterator

import psycopg
import pytest

from ledger.audit_export import examine
from ledger.lessons import Settlement
from ledger.policies import NewDraft
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from tests.ledger_examples import LATER, NOW, a_fact, a_proposal, an_effect, decided, staffed, started


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    """A run that was looked at twice, decided, executed, stuck and closed; one that waits; one taken in just now."""
    with PostgresLedger.open(ledger_url) as opened:
        staffed(opened)
        started(opened)
        odd = {"price": 1e22, "off": -0.0, "share": 0.1, "name": "Zoë\x00", "many": 2**70, "deep": [{"at": NOW}]}
        opened.record_facts("run-1", [a_fact(), a_fact("payment", value=odd)])
        opened.propose(a_proposal("p-0", confidence=1, changes=[{"record": "O-1", "before": 1e22, "after": -0.0}]))
        decided(opened, "respond", proposal_id="p-0", details={"remark": "look again"})
        opened.record_facts("run-1", [a_fact(value={"order_id": "O-1", "total_cents": 3})])
        opened.propose(a_proposal())
        decided(opened)
        opened.intend([an_effect(), an_effect("k-1", 1, expects=[{"collection": "oms.orders", "record": "O-1"}])])
        opened.mark_effect("k-0", "executing", at=LATER)
        opened.mark_effect("k-0", "unknown", error="no answer", at=LATER)
        opened.incident("run-1", "stuck", LATER)
        opened.mark_effect("k-0", "done", {"receipt_id": "R-1"}, at=LATER)
        opened.resume("run-1", by="Rita", reason="mended", at=LATER)
        opened.finish("run-1", "fulfil", "executed", LATER)
        for run_id, proposal_id in (("run-2", "p-2"), ("run-3", "p-3")):
            started(opened, run_id)
            opened.propose(a_proposal(proposal_id, run_id=run_id, four_eyes=True))
        decided(opened, by="Fred", proposal_id="p-2")
        opened.incident("run-3", "stuck", LATER)
        opened.abandon("run-3", by="Rita", reason="done by hand", at=LATER)
        started(opened, "run-4")
        desk = AdminService(opened)
        draft = NewDraft(
            policy_id="REF", base_version=1, base_digest="d", version=2, in_force_from=LATER.date().replace(year=2999),
            text="# Refunds", reason="more of them",
        )  # fmt: skip
        desk.withdraw_draft(desk.draft_policy(draft, "Sara").draft_id, "Sara", "not now")
        desk.draft_policy(draft, "Sara")
        lesson = opened.decisions("run-1")[0].decision_id
        opened.settle_lesson(Settlement(decision_id=lesson, status="dropped", by="Nick", at=LATER, reason="\x00known"))
        yield opened


def test_a_ledger_that_nobody_tampered_with_is_as_the_log_says(ledger: PostgresLedger) -> None:
    assert examine(ledger).problems == []
    assert examine(ledger, ledger.audit_head()).end == ledger.audit_head()


def test_rows_of_the_log_from_before_it_told_of_plan_and_evidence_still_verify(ledger: PostgresLedger, ledger_url: str) -> None:
    with psycopg.connect(ledger_url) as session:
        session.execute("SET session_replication_role = replica")
        session.execute(
            "UPDATE ledger.audit SET body = body - ARRAY["
            "'row_digest', 'evidence', 'error_digest', 'expects_digest', 'as_of', 'requested_by', 'undoes']"
        )
    assert all("digest does not cover" in problem or "does not follow" in problem for problem in examine(ledger).problems)


TAMPER = {
    "UPDATE ledger.decisions SET by = 'Mallory' WHERE proposal_id = 'p-1'": "of run run-1 is not as the audit log says (by)",
    "UPDATE ledger.decisions SET kind = 'reject' WHERE proposal_id = 'p-1'": "(kind)",
    "UPDATE ledger.decisions SET reason = 'x' WHERE proposal_id = 'p-1'": "(reason)",
    "UPDATE ledger.decisions SET at = at + interval '1 second' WHERE proposal_id = 'p-1'": "(at)",
    "UPDATE ledger.decisions SET details = '{\"without\": [\"O-2\"]}' WHERE proposal_id = 'p-1'": "(details)",
    "DELETE FROM ledger.decisions WHERE proposal_id = 'p-2'": "is in the audit log but missing from the ledger",
    "INSERT INTO ledger.decisions (decision_id, proposal_id, run_id, kind, by, role, reason, digest, at, details) "
    "SELECT 'forged', proposal_id, run_id, kind, 'Fay', role, reason, digest, at, details FROM ledger.decisions "
    "WHERE proposal_id = 'p-2'": "Decision forged of run run-2 is in the ledger but not in the audit log",
    "UPDATE ledger.effects SET status = 'failed' WHERE key = 'k-0'": "Effect k-0 of run run-1 is not as",
    "UPDATE ledger.effects SET args = '{}' WHERE key = 'k-0'": "(arguments)",
    "UPDATE ledger.effects SET receipt = NULL WHERE key = 'k-0'": "(receipt)",
    "UPDATE ledger.effects SET error = 'x' WHERE key = 'k-1'": "(error)",
    "UPDATE ledger.effects SET expects = NULL WHERE key = 'k-1'": "(expected values)",
    "DELETE FROM ledger.effects WHERE key = 'k-1'": "Effect k-1 of run run-1 is in the audit log but missing",
    "UPDATE ledger.proposals SET plan = '[]' WHERE proposal_id = 'p-1'": "(plan, changes or rationale)",
    "UPDATE ledger.proposals SET expires_at = expires_at + interval '9 days' WHERE proposal_id = 'p-2'": "(plan,",
    "UPDATE ledger.proposals SET role = 'none', four_eyes = false WHERE proposal_id = 'p-2'": "(role, four_eyes)",
    "UPDATE ledger.proposals SET status = 'approved' WHERE proposal_id = 'p-2'": "Proposal p-2 of run run-2 is not",
    "UPDATE ledger.proposals SET status = 'superseded' WHERE proposal_id = 'p-0'": "(status)",
    "UPDATE ledger.proposals SET undoes = 'p-0' WHERE proposal_id = 'p-2'": "(undoes)",
    "UPDATE ledger.facts SET value = '{}' WHERE run_id = 'run-1' AND look = 1 AND position = 0": "Proposal p-0 of run run-1",
    "DELETE FROM ledger.facts WHERE run_id = 'run-1' AND look = 2": "Proposal p-1 of run run-1 is not",
    "UPDATE ledger.runs SET verdict = 'cancel' WHERE run_id = 'run-1'": "Run run-1 is not as the audit log says (verdict)",
    "UPDATE ledger.runs SET outcome = 'rejected' WHERE run_id = 'run-3'": "(outcome)",
    "UPDATE ledger.runs SET status = 'running' WHERE run_id = 'run-2'": "Run run-2 is not as the audit log says (status)",
    "UPDATE ledger.runs SET versions = '{}' WHERE run_id = 'run-4'": "(versions)",
    "UPDATE ledger.inbox SET trigger = '{}' WHERE source_id = 'event of run-4'": "Run run-4 is not as the audit log",
    "UPDATE ledger.inbox SET requested_by = 'Mallory' WHERE source_id = 'event of run-4'": "(requested_by)",
    "UPDATE ledger.inbox SET as_of = as_of + interval '1 day' WHERE source_id = 'event of run-4'": "(as_of)",
    "DELETE FROM ledger.runs WHERE run_id = 'run-4'": "Run run-4 is in the audit log but missing from the ledger",
    "UPDATE ledger.incidents SET closed_at = NULL WHERE run_id = 'run-1'": "(closed_at)",
    "UPDATE ledger.incidents SET reason = 'x' WHERE run_id = 'run-3'": "(reason)",
    "DELETE FROM ledger.incidents WHERE run_id = 'run-3'": "Incident",
    "UPDATE ledger.people SET role = 'finance' WHERE name = 'Nick'": "The person 'nick' is not as the audit log says (role)",
    "INSERT INTO ledger.people VALUES ('mallory', 'Mallory', 'finance', NULL, 'x')": "The person 'mallory' is in the ledger but",
    "DELETE FROM ledger.people WHERE name = 'Nick'": "The person 'nick' is in the audit log but missing",
    "UPDATE ledger.lessons SET status = 'promoted'": "is not as the audit log says (status)",
    "UPDATE ledger.lessons SET dataset = 'x'": "(dataset)",
    "DELETE FROM ledger.lessons": "The settled lesson",
    "UPDATE ledger.policy_drafts SET text = 'x' WHERE status = 'draft'": "(text)",
    "UPDATE ledger.policy_drafts SET status = 'in_force', settled_by = 'Fred' WHERE status = 'draft'": "(",
}


@pytest.mark.parametrize("statement", TAMPER)
def test_a_row_that_was_changed_is_named(ledger: PostgresLedger, ledger_url: str, statement: str) -> None:
    with psycopg.connect(ledger_url) as session:
        session.execute("SET session_replication_role = replica")  # an owner of the tables can do without triggers
        session.execute(statement.encode())
    problems = examine(ledger).problems
    assert any(TAMPER[statement] in problem for problem in problems), problems
    assert all("bypassing the audit log" in problem for problem in problems)
