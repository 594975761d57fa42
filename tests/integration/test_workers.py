"""Workers: jobs are driven, in order of their subject; what a worker leaves behind, the others find."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import psycopg

from dashboard.company import Company as Dashboard
from dashboard.company import Tools
from graphs.delivery import OutgoingSender, open_senders
from graphs.ingestion import Intake
from graphs.outgoing import Outgoing
from graphs.worker import MissionsWorker
from ledger.audit_heads import Heads
from ledger.canonical import utc_now
from ledger.jobs import forgotten, look, open_jobs, sweep
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.services import Inbox, Outbox
from tests.integration.live_company import Company, settings_for
from tests.integration.receiving import receiving

pytest_plugins = ["tests.integration.live_company"]
PATIENCE = 60


@contextmanager
def working(
    company: Company,
    lease_seconds: float = 30.0,
    keep_head: Callable[[], None] | None = None,
    senders: Sequence[OutgoingSender] = (),
    intake: Intake | None = None,
) -> Iterator[MissionsWorker]:
    """A worker in a thread; it has stopped gracefully afterwards."""
    assert isinstance(company.ledger, PostgresLedger)
    intake = intake or Intake(company.runtime, Inbox(company.ledger))
    worker = MissionsWorker(intake, (), 2, lease_seconds, keep_head, senders=senders)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.05)


def jobs(company: Company, status: str = "%") -> int:
    return int(company.sql("SELECT count(*) FROM procrastinate_jobs WHERE status::text LIKE %s", status)[0][0])


def taken(company: Company, case: str = "dev-ord-0004") -> Run:
    company.load(case)
    return company.runtime.take_in(company.event(case))


def test_a_worker_drives_what_there_are_jobs_for_and_what_was_forgotten(company: Company) -> None:
    company.sql("DELETE FROM procrastinate_jobs")
    handed, left = taken(company), company.runtime.take_in(company.event("dev-ord-0004"))
    with open_jobs(company.url) as queue:
        queue.drive(handed)
    assert (left.run_id, left.event.subject) in forgotten(company.url)
    assert handed.run_id not in dict(forgotten(company.url))
    with working(company):
        eventually(lambda: {company.ledger.run(run.run_id).status for run in (handed, left)} == {"waiting"})
    assert jobs(company) == 0


def test_whoever_drives_runs_keeps_heads_of_the_log_outside(company: Company, tmp_path: Path) -> None:
    by_worker, by_dashboard = tmp_path / "worker", tmp_path / "dashboard"
    assert isinstance(company.ledger, PostgresLedger)
    run = taken(company)
    for folder in (by_worker, by_dashboard):
        folder.mkdir()
    with working(company, keep_head=partial(Heads(by_worker, "", tmp_path / "audit.pem").look, company.ledger)):
        eventually(lambda: len(list(by_worker.iterdir())) == 1 and company.ledger.run(run.run_id).status == "waiting")
    front = Dashboard(settings_for(company.url, audit_heads=by_dashboard, audit_key=tmp_path / "audit.pem"), Tools())
    try:
        eventually(lambda: len(list(by_dashboard.iterdir())) == 1)
        assert front.heads.compare(front.ledger) == ([], f"Heads in {by_dashboard}: the log was compared with 1.")
    finally:
        front.close()


def test_a_worker_tells_destinations_what_happens_and_one_that_is_slow_holds_up_nobody_else(
    company: Company, tmp_path: Path
) -> None:
    assert isinstance(company.ledger, PostgresLedger)
    with receiving() as hub, receiving() as slow:
        (tmp_path / "slow").mkdir()
        to = {"hub": hub.destination(tmp_path), "slow": slow.destination(tmp_path / "slow", "slow", timeout_seconds=10.0)}
        slow.script.extend(["slow"] * 10)
        senders = open_senders(
            Outgoing(dashboard="https://missions.example", outgoing=to), Outbox(company.ledger), ["order_exception"]
        )
        with working(company, senders=senders):
            run = taken(company)
            with open_jobs(company.url) as queue:
                queue.drive(run)
            eventually(lambda: company.ledger.run(run.run_id).status == "waiting")
            eventually(lambda: any(one.event["data"]["run"] == run.run_id for one in hub.taken))
            eventually(lambda: slow.came > 0)
            other = taken(company)
            eventually(lambda: any(one.event["data"]["run"] == other.run_id for one in hub.taken))
            assert (slow.came, {one.event["type"] for one in hub.taken}) == (1, {"missions.proposal.waiting"})


def test_two_jobs_of_one_subject_are_never_driven_side_by_side(company: Company) -> None:
    runs = [taken(company), *(company.runtime.take_in(company.event("dev-ord-0004")) for _ in range(3))]
    assert len({run.event.subject for run in runs}) == 1
    with open_jobs(company.url) as queue:
        for run in runs:
            queue.drive(run)
    with working(company):
        eventually(lambda: all(company.ledger.run(run.run_id).status == "waiting" for run in runs))
    spans = [(rail[0].at, rail[-1].at) for rail in map(company.observations, runs)]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_the_job_of_a_worker_that_died_is_taken_over(company: Company) -> None:
    run = taken(company)
    with open_jobs(company.url) as queue:
        queue.drive(run)
    # as a worker leaves it that was killed: the job is being done, and nobody does it
    company.sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    company.sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers)")
    with working(company, lease_seconds=5.0):
        eventually(lambda: company.ledger.run(run.run_id).status == "waiting")
    assert jobs(company) == 0


def test_a_job_that_was_taken_or_done_as_the_database_was_lost_keeps_nobody_waiting(company: Company) -> None:
    run = taken(company)
    ((other,),) = company.sql("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    with open_jobs(company.url) as queue:
        queue.drive(run)
    company.sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", other)
    with working(company), open_jobs(company.url) as queue:
        alive = "(SELECT max(id) FROM procrastinate_workers)"
        eventually(lambda: company.sql(f"SELECT {alive}") > [(other,)])
        # as it is left: a worker lives to whom the job is given, and does not do it
        company.sql(f"UPDATE procrastinate_jobs SET worker_id = {alive}")
        assert run.run_id not in dict(forgotten(company.url))
        second = company.runtime.take_in(company.event("dev-ord-0004"))
        queue.drive(second)
        eventually(lambda: {company.ledger.run(one.run_id).status for one in (run, second)} == {"waiting"})
    assert jobs(company) == 0


def test_a_job_waits_for_whoever_else_holds_its_run(company: Company) -> None:
    run = taken(company)
    with company.ledger.lease(run.run_id), open_jobs(company.url) as queue, working(company):
        queue.drive(run)
        eventually(lambda: bool(company.sql("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND attempts > 0")))
        assert company.ledger.run(run.run_id).status == "running"
    with working(company):
        eventually(lambda: company.ledger.run(run.run_id).status == "waiting")


def test_a_worker_that_loses_the_database_works_on_when_it_is_back(company: Company) -> None:
    with working(company), open_jobs(company.url) as queue:
        first = taken(company)
        queue.drive(first)
        eventually(lambda: company.ledger.run(first.run_id).status == "waiting")
        with psycopg.connect(company.url, autocommit=True) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        second = company.runtime.take_in(company.event("dev-ord-0004"))
        eventually(lambda: company.ledger.run(second.run_id).status == "waiting")


def test_the_sweep_counts_every_run_and_makes_what_is_in_no_state_an_incident(company: Company) -> None:
    run = company.propose("dev-ord-0004")
    clean = look(company.url)
    assert clean.lost == 0 and clean.broken == () and sum(clean.runs.values()) == len(company.ledger.runs(limit=100_000))
    company.sql("UPDATE ledger.proposals SET status = 'superseded' WHERE run_id = %s", run.run_id)
    assert [one for one, _ in sweep(company.ledger, company.url).broken] == [run.run_id]
    assert "there is no proposal to decide" in company.incidents(run)[0]
    assert look(company.url).broken == ()
    company.sql("UPDATE ledger.incidents SET closed_at = now() WHERE run_id = %s", run.run_id)
    assert "nothing says why" in sweep(company.ledger, company.url).broken[0][1]
    assert company.incidents(run) == ["The sweep found that it is an incident, and nothing says why."]
    company.sql("UPDATE ledger.incidents SET closed_at = NULL WHERE run_id = %s", run.run_id)  # as the audit log says
    company.ledger.abandon(run.run_id, by="rita", reason="a test", at=utc_now())


def test_what_ends_one_worker_after_the_other_becomes_an_incident(company: Company) -> None:
    run = taken(company)
    with company.ledger.lease(run.run_id):
        pass
    # as four processes leave it that were killed, and a fifth
    company.sql("UPDATE ledger.leases SET holder = 'dead', lost = 4 WHERE run_id = %s", run.run_id)
    assert company.runtime.drive(run.run_id).status == "incident"
    assert "5 processes in a row ended" in company.incidents(run)[0]
