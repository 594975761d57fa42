"""What only the ledger in PostgreSQL has to do: hold hostile text, be tampered with, be away."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import psycopg
import pytest

from errors import BadInput, TryAgain
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from tests.ledger_examples import LATER, NOW, a_fact, a_proposal, an_event, decided, said, staffed, started


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        yield opened


def test_nul_and_lone_surrogates_are_stored_as_a_visible_mark(ledger: PostgresLedger) -> None:
    bad = "a\x00b\ud800c"
    ledger.add_person(f"Rita{bad}", "reviewer")
    run = ledger.take_in(an_event(bad, subject=bad, trigger={bad: [bad]}), f"run{bad}", {"graph": bad})
    ledger.record_facts(f"run{bad}", [a_fact(bad, value={"note": bad}, args={bad: 1}, error=bad)])
    ledger.observe(f"run{bad}", [said(bad, note=bad)])
    ledger.propose(a_proposal(run_id=f"run{bad}", rationale=bad, changes=[{"record": bad, "before": bad}]))
    decision, _ = decided(ledger, by=f"Rita{bad}", reason=bad, details={"remark": bad})
    good = "a\ufffdb\ufffdc"
    assert (run.run_id, run.event.source_id, run.event.trigger) == (f"run{good}", good, {good: [good]})
    assert ledger.run(f"run{bad}") == ledger.run(f"run{good}")
    assert ledger.take_in(an_event(bad, subject=bad, trigger={bad: [bad]}), "other", {}).run_id == run.run_id
    assert ledger.facts(run.run_id)[0].value == {"note": good}
    first, of_decision = ledger.observations(run.run_id)
    assert (first.text, first.evidence) == (good, {"note": good})
    assert of_decision.text == f"Rita{good} (reviewer): approve, “{good}”", "written with the decision"
    stored = ledger.proposal(run.run_id)
    assert stored is not None and (stored.rationale, stored.changes) == (good, [{"record": good, "before": good}])
    assert ledger.decisions(run.run_id)[0].reason == good
    assert decision.by == f"Rita{good}"
    assert ledger.verify_audit() == []


def test_an_amount_beyond_the_column_is_bad_input_and_nothing_is_kept(ledger: PostgresLedger) -> None:
    started(ledger)
    with pytest.raises(BadInput, match=r"The ledger cannot hold a value: .*out of range"):
        ledger.propose(a_proposal(money_at_stake_cents=10**30))
    assert ledger.proposals("run-1") == []
    assert ledger.run("run-1").status == "running"


TAMPER = {
    "an edited row": "UPDATE ledger.audit SET body = jsonb_set(body, '{role}', '\"finance\"') WHERE seq = 2",
    "an edited moment": "UPDATE ledger.audit SET at = at + interval '1 microsecond' WHERE seq = 3",
    "a deleted row": "DELETE FROM ledger.audit WHERE seq = 3",
    "a deleted first row": "DELETE FROM ledger.audit WHERE seq = 1",
    "two rows that changed places": (
        "UPDATE ledger.audit SET seq = -2 WHERE seq = 2; UPDATE ledger.audit SET seq = 2 WHERE seq = 3;"
        "UPDATE ledger.audit SET seq = 3 WHERE seq = -2"
    ),
    "a cut tail": "DELETE FROM ledger.audit WHERE seq > 4",
    "an emptied log": "DELETE FROM ledger.audit",
}


@pytest.mark.parametrize("what", TAMPER)
def test_tampering_with_the_audit_table_is_found(ledger: PostgresLedger, ledger_url: str, what: str) -> None:
    staffed(ledger)
    head = ledger.audit_head()
    assert ledger.verify_audit(head) == []
    with psycopg.connect(ledger_url) as session:
        session.execute("SET session_replication_role = replica")
        session.execute(TAMPER[what].encode())
    assert ledger.verify_audit(head)
    # without an exported head only a cut tail goes unseen
    assert bool(ledger.verify_audit()) == (what not in ("a cut tail", "an emptied log"))


def test_a_log_that_grew_after_its_head_was_exported_is_intact(ledger: PostgresLedger) -> None:
    staffed(ledger)
    head = ledger.audit_head()
    started(ledger)
    assert ledger.verify_audit(head) == []


def test_writers_at_the_same_time_leave_no_gap_in_the_audit_log(ledger: PostgresLedger) -> None:
    def write(worker: int) -> None:
        for n in range(25):
            started(ledger, f"run-{worker}-{n}")

    threads = [Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in ledger.audit()] == list(range(1, 101))
    assert ledger.verify_audit() == []


def test_a_failure_in_the_middle_leaves_nothing_behind(ledger: PostgresLedger, ledger_url: str) -> None:
    """The audit row is written last: when it cannot be, the decision is not either."""
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    with psycopg.connect(ledger_url) as session:
        session.execute("ALTER TABLE ledger.audit ADD CONSTRAINT stop CHECK (kind <> 'decided')")
    try:
        with pytest.raises(Exception, match="stop"):
            decided(ledger)
        assert ledger.decisions("run-1") == []
        assert ledger.run("run-1").status == "waiting"
    finally:
        with psycopg.connect(ledger_url) as session:
            session.execute("ALTER TABLE ledger.audit DROP CONSTRAINT stop")
    assert decided(ledger)[1] == "approved"


def test_leases_do_not_take_connections_from_the_work(ledger: PostgresLedger) -> None:
    for n in range(30):
        started(ledger, f"run-{n}")
    held = [ledger.lease(f"run-{n}") for n in range(30)]
    for lease in held:
        lease.__enter__()
    assert len(ledger.runs()) == 30
    for lease in held:
        lease.__exit__(None, None, None)


def test_a_restarted_connection_is_found_again(ledger: PostgresLedger, ledger_url: str) -> None:
    started(ledger)
    with psycopg.connect(ledger_url, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert ledger.run("run-1").status == "running"


def test_a_database_that_is_away_says_so() -> None:
    with PostgresLedger.open("postgresql://nobody:secret@127.0.0.1:1/none") as ledger:
        with pytest.raises(TryAgain, match="The database of the ledger did not answer") as away:
            ledger.runs()
        with pytest.raises(TryAgain, match="The database of the ledger did not answer"), ledger.lease("run-1"):
            pass
    assert "secret" not in str(away.value)


def test_a_database_without_a_connection_or_a_disk_with_room_says_so(ledger: PostgresLedger, ledger_url: str) -> None:
    with psycopg.connect(ledger_url, autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS missions_test_crowd")
        session.execute("CREATE ROLE missions_test_crowd LOGIN CONNECTION LIMIT 0")
        try:
            with pytest.raises(TryAgain, match=r"The database to migrate has no connection left: .*; raise its max_connections"):
                migrate(ledger_url.replace("//postgres:", "//missions_test_crowd:"))
        finally:
            session.execute("DROP ROLE missions_test_crowd")
    full = "DO $$ BEGIN RAISE disk_full USING MESSAGE = 'could not extend file'; END $$"
    with (
        pytest.raises(TryAgain, match=r"The database of the ledger has no room: .*; make room on its disk"),
        ledger.transaction() as tx,
    ):
        tx.exec_driver_sql(full)
    assert ledger.runs() == []


@pytest.mark.parametrize("url", ["", "sqlite:///x.db", "mysql://u:secret@h/d", "postgresql://u:secret@h:port/d"])
def test_an_address_that_is_none_of_postgresql_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput, match="write it as postgresql://user:password@host/database") as bad:
        PostgresLedger.open(url)
    assert "secret" not in str(bad.value)


def test_the_queue_of_many_runs_is_read_with_their_decisions(ledger: PostgresLedger) -> None:
    staffed(ledger)
    for n in range(20):
        started(ledger, f"run-{n}")
        ledger.propose(a_proposal(f"p-{n}", run_id=f"run-{n}", role="finance", four_eyes=True, due_at=NOW - timedelta(n)))
    first, _ = decided(ledger, by="Fay", proposal_id="p-19", at=LATER)
    queue = ledger.queue()
    assert [run.run_id for run, _, _ in queue] == [f"run-{n}" for n in reversed(range(20))]
    assert [decisions for _, _, decisions in queue] == [(first,), *[()] * 19]
