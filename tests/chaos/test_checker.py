"""The checker of the fault injection: it finds nothing where all is well, and every kind of wrong where there is one."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from ledger.postgres import PostgresLedger
from systems.sandbox.database import digest, reset
from tests.actions import RELEASE_PAYMENT_HOLD
from tests.chaos.checker import Acknowledged, check
from tests.chaos.faults import KEYLESS
from tests.ledger_examples import LATER, a_proposal, an_effect, decided, staffed, started

_PLAN = [{"name": RELEASE_PAYMENT_HOLD, "args": {"order_id": "O-1"}, "tool": "payments.release_hold"}]
_CALL = ("payments.release_hold", digest({"order_id": "O-1"}))
_RECEIPT = "INSERT INTO sandbox.receipts (key, tool, args_digest, answer) VALUES (%s, %s, %s, %s)"
_RUN = "UPDATE ledger.runs SET status = %s, outcome = NULL, verdict = NULL, ended_at = NULL"


@pytest.fixture
def sound(ledger_url: str) -> Iterator[str]:
    """One run that was approved, executed and closed as it must be, and the receipt of its system."""
    reset(ledger_url)
    with PostgresLedger.open(ledger_url) as ledger:
        staffed(ledger)
        started(ledger)
        ledger.propose(a_proposal(plan=_PLAN))
        decided(ledger, by="Rita")
        ledger.intend([an_effect()])
        ledger.mark_effect("k-0", "executing", at=LATER)
        ledger.mark_effect("k-0", "done", receipt={"receipt_id": "rc_1"}, at=LATER)
        ledger.finish("run-1", "fulfil", "executed", LATER)
    _do(ledger_url, _RECEIPT, "k-0", *_CALL, '{"changed": []}')
    yield ledger_url
    reset(ledger_url)


def _do(url: str, statement: str, *values: object) -> None:
    """Behind the back of everybody, the database's own guards included."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(b"SET session_replication_role = replica")
        session.execute(statement.encode(), values or None)


def test_nothing_is_found_where_all_is_as_it_must_be(sound: str) -> None:
    with PostgresLedger.open(sound) as ledger:
        known = Acknowledged({"event of run-1"}, {ledger.decisions("run-1")[0].decision_id}, [ledger.audit_head()])
    assert check(sound, known).by_figure() == {
        "lost": (),
        "duplicate effects": (),
        "unapproved effects": (),
        "double decisions": (),
        "audit problems": (),
        "invisible": (),
        "late effects": (),
        "servers stopped under users": (),
    }


@pytest.mark.parametrize(
    ("figure", "says", "wrong"),
    [
        ("lost", "nobody drives it", (_RUN, "running")),
        ("lost", "step 1 of its plan was not done", ("UPDATE ledger.effects SET status = 'failed'",)),
        ("lost", "its system knows nothing of it", ("DELETE FROM sandbox.receipts",)),
        ("duplicate effects", "approved 1 times", (_RECEIPT, KEYLESS + "2", *_CALL, "{}")),
        ("unapproved effects", "belongs to no effect", (_RECEIPT, "k-9", *_CALL, "{}")),
        ("unapproved effects", "belongs to no effect", (_RECEIPT, KEYLESS + "9", "crm.send_message", _CALL[1], "{}")),
        ("unapproved effects", "of another call", ("UPDATE sandbox.receipts SET args_digest = 'x'",)),
        ("unapproved effects", "is in no receipt", (
            "INSERT INTO sandbox.deeds (deed_id, collection, subject, body) VALUES ('d_1', 'crm.messages', 'C-1', '{}')",)),
        ("unapproved effects", "is not what step 1", ("UPDATE ledger.effects SET args = '{\"order_id\": \"O-2\"}'",)),
        ("unapproved effects", "has no authorization", ("DELETE FROM ledger.authorizations",)),
        ("unapproved effects", "for another plan", ("UPDATE ledger.authorizations SET digest = 'x'",)),
        ("unapproved effects", "that is pending", ("UPDATE ledger.proposals SET status = 'pending'",)),
        ("unapproved effects", "approved by 0 people", ("DELETE FROM ledger.decisions",)),
        ("unapproved effects", "approved by 1 people", ("UPDATE ledger.proposals SET four_eyes = true",)),
        ("unapproved effects", "it needs finance", ("UPDATE ledger.proposals SET role = 'finance'",)),
        ("unapproved effects", "needs reviewer", ("UPDATE ledger.proposals SET status = 'automatic'",)),
        ("unapproved effects", "another digest", ("UPDATE ledger.decisions SET digest = 'x'",)),
        ("unapproved effects", "had expired", ("UPDATE ledger.proposals SET expires_at = %s", LATER - timedelta(hours=2))),
        ("unapproved effects", "who asked for it", ("UPDATE ledger.inbox SET requested_by = 'RITA'",)),
        ("unapproved effects", "a part that was rejected", (
            "UPDATE ledger.proposals SET plan = jsonb_set(plan, '{0,part}', '\"O-1\"'); "
            "UPDATE ledger.decisions SET details = '{\"without\": [\"O-1\"]}'",)),
        ("double decisions", "decided 2 times", (
            "INSERT INTO ledger.decisions (decision_id, proposal_id, run_id, kind, by, role, reason, digest, at, details) "
            "SELECT 'd-2', proposal_id, run_id, 'reject', 'Rolf', role, reason, digest, at, details FROM ledger.decisions",)),
        ("double decisions", "its last decision is approve", ("UPDATE ledger.proposals SET status = 'rejected'",)),
        ("double decisions", "nobody decided so", ("DELETE FROM ledger.decisions",)),
        ("audit problems", "was edited", ("UPDATE ledger.audit SET body = '{}' WHERE seq = 2",)),
        ("audit problems", "were deleted", ("DELETE FROM ledger.audit WHERE seq = 3",)),
        ("audit problems", "× run_closed", ("DELETE FROM ledger.audit WHERE kind = 'run_closed'",)),
        ("audit problems", "does not tell what became", ("UPDATE ledger.effects SET status = 'unknown'",)),
        ("invisible", "there is nothing to decide", (_RUN, "waiting")),
        ("invisible", "nothing says why", (_RUN, "incident")),
        ("invisible", "is shown as waiting", ("UPDATE ledger.proposals SET status = 'pending'",)),
        ("invisible", "an incident of it is open", (
            "INSERT INTO ledger.incidents (incident_id, run_id, reason, at) VALUES ('i-1', 'run-1', 'x', now())",)),
        ("late effects", "ended without it", ("UPDATE ledger.effects SET status = 'unknown'",)),
        ("late effects", "after its run had ended", (
            "UPDATE ledger.audit SET seq = seq + 100 WHERE kind = 'effect_marked'",)),
        ("invisible", "in the middle of a step", ("UPDATE ledger.effects SET status = 'executing'",)),
    ],
)  # fmt: skip
def test_every_kind_of_wrong_is_counted(sound: str, figure: str, says: str, wrong: tuple[object, ...]) -> None:
    statement, *values = wrong
    _do(sound, str(statement), *values)
    found = check(sound).by_figure()[figure]
    assert any(says in sentence for sentence in found), found


def test_what_was_acknowledged_and_is_gone_is_lost(sound: str) -> None:
    found = check(sound, Acknowledged({"event of run-2"}, {"d-7"})).lost
    assert found == ("Event event of run-2 was acknowledged and is gone.", "Decision d-7 was acknowledged and is gone.")


def test_an_event_without_a_run_is_lost(sound: str) -> None:
    _do(
        sound,
        "INSERT INTO ledger.inbox (source_id, name, mission, subject, trigger, as_of, requested_by, digest, taken_in_at) "
        "SELECT 'ev-9', name, mission, subject, trigger, as_of, requested_by, digest, taken_in_at FROM ledger.inbox",
    )
    assert check(sound).lost == ("Event ev-9 was taken in and has no run.",)


def test_a_tail_that_was_cut_is_found_by_an_exported_head(sound: str) -> None:
    with PostgresLedger.open(sound) as ledger:
        head = ledger.audit_head()
    _do(sound, "DELETE FROM ledger.audit WHERE seq = %s", head[0])
    assert any("its tail was cut" in one for one in check(sound, Acknowledged(heads=[head])).audit_problems)
