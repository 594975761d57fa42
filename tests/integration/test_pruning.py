"""Retention: what runs leave behind is deleted when they are over, and nothing of what goes on or is to be kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from langgraph.checkpoint.postgres import PostgresSaver

from graphs import checkpoints
from graphs.checkpoints import Pruned, prune
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from tests.integration.commands import missions
from tests.integration.live_company import Company

pytest_plugins = ["tests.integration.live_company"]


def _threads(company: Company) -> set[str]:
    tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    return {thread for table in tables for (thread,) in company.sql(f"SELECT thread_id FROM {table}")}


def test_what_closed_runs_leave_behind_goes_and_a_waiting_run_is_finished_afterwards(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_BATCH", 2)
    closed = [company.decide(company.propose("dev-ord-0004"), "reject", "rita") for _ in range(3)]
    waiting = company.propose("dev-ord-0007")
    fresh = company.decide(company.take_in("dev-ord-0007"), "reject", "rita")
    ids = [run.run_id for run in closed]
    company.sql("UPDATE ledger.runs SET ended_at = now() - interval '40 days' WHERE run_id = ANY(%s)", ids)
    for run_id in (*ids, waiting.run_id):
        company.sql("INSERT INTO ledger.leases VALUES (%s, 3, 'w', now()) ON CONFLICT DO NOTHING", run_id)
    company.ledger.add_person("pia", "reviewer")
    company.sql(
        "INSERT INTO ledger.sessions VALUES ('old', 'pia', now(), now() - interval '1 s'), ('new', 'pia', now(), now() + '1 h')"
    )
    for letter_id, settled in (("open", None), ("old", "40 days"), ("new", "1 day")):
        company.sql(
            "INSERT INTO ledger.dead_letters (letter_id, source, body, reason, at, settled_at) "
            "VALUES (%s, 's', 'b', 'r', now() - interval '90 days', now() - %s::interval)", letter_id, settled
        )  # fmt: skip
    before = utc_now() - timedelta(days=30)
    with PostgresLedger.open(company.url) as ledger, PostgresSaver.from_conn_string(company.url) as saver:
        done = prune(ledger, saver, before)
        assert (done.runs, done.sessions, done.dead_letters) == (3, 1, 1) and done.leases >= 3
        assert prune(ledger, saver, before) == Pruned(0, 0, 0, 0)
    assert not set(ids) & _threads(company)
    assert {waiting.run_id, fresh.run_id} <= _threads(company)
    assert company.sql("SELECT digest FROM ledger.sessions WHERE key = 'pia'") == [("new",)]
    assert company.sql("SELECT letter_id FROM ledger.dead_letters ORDER BY 1") == [("new",), ("open",)]
    assert company.told(closed[0]) and company.ledger.proposals(ids[0])
    assert company.approve(waiting).outcome == "executed"
    company.sql("DELETE FROM ledger.dead_letters WHERE source = 's'")
    company.sql("DELETE FROM ledger.sessions WHERE key = 'pia'")
    told = company.problems()
    assert len(told) == len(ids), told
    assert all("(ended_at)" in problem for problem in told), "as this test wrote it"
    ended = "SELECT at FROM ledger.audit WHERE audit.run_id = runs.run_id AND kind = 'run_closed'"
    company.sql(f"UPDATE ledger.runs SET ended_at = ({ended}) WHERE run_id = ANY(%s)", ids)


def test_two_who_prune_at_once_do_it_once(company: Company) -> None:
    runs = [company.decide(company.propose("dev-ord-0004"), "reject", "rita").run_id for _ in range(4)]

    def one(_: int) -> int:
        with PostgresLedger.open(company.url) as ledger, PostgresSaver.from_conn_string(company.url) as saver:
            return prune(ledger, saver, utc_now()).runs

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(one, range(3)))
    assert sum(done) >= len(runs)
    assert not set(runs) & _threads(company)


def test_the_command_says_what_it_deleted(company: Company, tmp_path: Path) -> None:
    run = company.decide(company.propose("dev-ord-0004"), "reject", "rita")
    done = missions("prune", DATABASE_URL=company.url)
    assert (done.returncode, done.stderr) == (0, "") and "ended more than 30 days" in done.stdout
    assert run.run_id in _threads(company)
    done = missions("prune", "--days", "0", DATABASE_URL=company.url)
    assert (done.returncode, done.stderr) == (0, "") and "audit log are complete" in done.stdout
    assert run.run_id not in _threads(company)
