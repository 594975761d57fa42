"""What watches the dashboard over HTTP: whether it is well, and its figures, for whom they are."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from dashboard import company as kept
from dashboard.company import Company, Tools
from dashboard.endpoints import routes
from dashboard.guard import RequestGuard, site_of
from errors import BadInput
from ledger.canonical import utc_now
from ledger.migrate import migrate
from ledger.monitoring import metrics
from ledger.postgres import PostgresLedger
from ledger.roles import without_writes
from settings import Settings
from systems.sandbox.database import create_schema
from tests.integration.live_company import built_home
from tests.ledger_examples import LATER, a_call, a_proposal, an_effect, answered, decided, staffed, started


@dataclass
class Watched:
    """What of a company the routes look at."""

    ledger: PostgresLedger
    settings: Settings
    opened: str = "ok"

    def opening(self) -> str:
        return self.opened


@pytest.fixture
def watched(ledger_url: str) -> Iterator[Watched]:
    with PostgresLedger.open(ledger_url) as ledger:
        watched: Any = Watched(ledger, Settings())
        kept.use(watched)
        yield watched
        kept.use(None)


def client(host: str = "127.0.0.1") -> TestClient:
    """A browser nobody is signed in with, behind the guard."""
    guard = Middleware(RequestGuard, site=site_of(Settings()), signed_in=lambda _: False)
    app = Starlette(routes=routes(), middleware=[guard])
    return TestClient(app, base_url="http://localhost:8501", client=(host, 50_000), follow_redirects=False)


def test_a_ledger_that_is_well_says_so_to_everybody(watched: Watched) -> None:
    answer = client("203.0.113.9").get("/health")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok", "runs": "ok", "log": "ok", "runtime": "ok"}
    assert watched.ledger.audit() == [], "what was tried is taken back"
    staffed(watched.ledger)
    started(watched.ledger)
    watched.ledger.incident("run-1", "stuck", LATER)
    assert client().get("/health").status_code == 200, "an incident is for people, and no reason to start anew"
    for path in ("/healthy", "/health/", "/metricsx", "/"):
        assert client().get(path).status_code == 303, "everything beside is behind the form"


def test_a_run_that_nobody_works_on_is_not_well_until_somebody_does(watched: Watched, ledger_url: str) -> None:
    with PostgresLedger.open(ledger_url, clock=lambda: utc_now() - timedelta(hours=1)) as earlier:
        started(earlier)
    answer = client().get("/health")
    assert (answer.status_code, answer.json()["runs"]) == (503, "left lying")
    assert answer.json()["status"] == "unwell"
    with psycopg.connect(ledger_url) as session:
        session.execute("INSERT INTO ledger.leases VALUES ('run-1', 1, 'worker', now() + interval '1 minute')")
    assert client().get("/health").status_code == 200


def test_an_audit_log_that_cannot_be_written_is_not_well(watched: Watched, ledger_url: str) -> None:
    begun = time.monotonic()
    with psycopg.connect(ledger_url) as session:
        session.execute("SELECT FROM ledger.turns WHERE turn = 0 FOR UPDATE")
        answer = client().get("/health")
        assert (answer.status_code, answer.json()["log"]) == (503, "cannot be written")
    assert time.monotonic() - begun < 10, "who watches is answered while the log is held"
    assert client().get("/health").status_code == 200


def test_a_database_that_only_reads_is_not_well(watched: Watched, ledger_url: str) -> None:
    with PostgresLedger.open(without_writes(ledger_url)) as watched.ledger:
        assert client().get("/health").json()["log"] == "cannot be written"


def test_tables_of_another_version_are_not_well(watched: Watched, ledger_url: str) -> None:
    with psycopg.connect(ledger_url, autocommit=True) as session:
        (revision,) = session.execute("SELECT version_num FROM ledger.alembic_version").fetchone() or ("",)
        session.execute("UPDATE ledger.alembic_version SET version_num = '0000'")
        try:
            assert client().get("/health").json()["migrations"] == "another version"
        finally:
            session.execute("UPDATE ledger.alembic_version SET version_num = %s", (revision,))


def test_a_database_without_a_ledger_is_not_well(watched: Watched, database_url: str) -> None:
    with PostgresLedger.open(database_url) as watched.ledger:
        assert client().get("/health").json()["migrations"] == "another version"


def test_a_database_that_is_away_is_a_503_and_tells_nothing_of_itself(watched: Watched) -> None:
    with PostgresLedger.open("postgresql://nobody:secret@127.0.0.1:1/none") as away:
        watched.ledger = away
        answer = client().get("/health")
        assert (answer.status_code, answer.json()["database"]) == (503, "away")
        assert client().get("/metrics").status_code == 503
    assert "secret" not in answer.text


def test_metrics_are_read_on_this_machine_or_with_the_token(watched: Watched) -> None:
    assert client().get("/metrics").status_code == 200
    assert client("::1").get("/metrics").status_code == 200
    for host, headers in (
        ("203.0.113.9", {}), ("testclient", {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
    ):  # fmt: skip
        assert client(host).get("/metrics", headers=headers).status_code == 401
    assert client().get("/metrics", headers={"Host": "evil.example"}).status_code == 421
    watched.settings = Settings(metrics_token=SecretStr("s3cret"))
    for said in ("", "s3cret", "Basic s3cret", "Bearer", "Bearer s3cre", "Bearer s3crét"):
        assert client().get("/metrics", headers={"Authorization": said.encode()}).status_code == 401
    assert client("203.0.113.9").get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_the_figures_are_those_of_the_ledger(watched: Watched, ledger_url: str) -> None:
    ledger = watched.ledger
    staffed(ledger)
    for run_id, created in (("run-1", LATER), ("run-2", utc_now() - timedelta(hours=2)), ("run-3", LATER)):
        started(ledger, run_id)
        other = {"created_at": created, "expires_at": created + timedelta(days=2)}
        ledger.propose(a_proposal(f"p-{run_id[-1]}", run_id=run_id, **other))
    decided(ledger)
    ledger.intend([an_effect()])
    ledger.incident("run-3", "stuck", LATER)
    with psycopg.connect(ledger_url) as session:
        session.execute(
            "INSERT INTO ledger.dead_letters (letter_id, source, body, reason, at) VALUES ('l', 's', 'b', 'r', now())"
        )
    for number in ("1", "2"):
        ledger.begin_model_call(a_call(f"c-{number}"), run_tokens=10_000, day_tokens=10_000, day_cents=0)
    ledger.end_model_call("c-1", answered())
    told = figures(metrics(ledger))
    assert told["missions_runs", "running"] == told["missions_runs", "waiting"] == told["missions_runs", "incident"] == 1
    assert told["missions_runs", "closed"] == 0
    assert (told["missions_proposals_waiting", "1 to 8 h"], told["missions_proposals_waiting", "over 24 h"]) == (1, 1)
    assert told["missions_proposals_waiting_oldest_seconds", ""] > 86_400
    assert (told["missions_decisions_total", "approve"], told["missions_decisions_total", "reject"]) == (1, 0)
    assert (told["missions_effects", "intended"], told["missions_effects", "done"]) == (1, 0)
    assert told["missions_incidents_open", ""] == told["missions_dead_letters_open", ""] == 1
    assert (told["missions_events_total", ""], told["missions_audit_rows_total", ""]) == (3, ledger.audit_head()[0])
    assert (told["missions_model_calls", "sent"], told["missions_model_calls", "answered"]) == (1, 1)
    assert (told["missions_model_tokens_total", ""], told["missions_model_cost_cents_total", ""]) == (1_000, 0.25)
    assert ("missions_jobs", "todo") not in told


def test_jobs_are_counted_where_there_are_any(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as session:
        session.execute("CREATE TYPE job_status AS ENUM ('todo', 'failed')")
        session.execute("CREATE TABLE procrastinate_jobs (status job_status)")
        session.execute("INSERT INTO procrastinate_jobs VALUES ('todo'), ('todo'), ('failed')")
    with PostgresLedger.open(database_url) as ledger:
        told = figures(metrics(ledger))
    assert (told["missions_jobs", "todo"], told["missions_jobs", "failed"]) == (2, 1)


def test_what_is_served_names_nobody(watched: Watched) -> None:
    staffed(watched.ledger)
    started(watched.ledger)
    served = client().get("/metrics").text
    assert not re.search("Rita|Fred|O-1|run-1", served)


def figures(served: bytes) -> dict[tuple[str, str], float]:
    """By name and label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(served.decode())
        for sample in family.samples
    }


def test_who_waits_for_the_runtime_is_not_told_that_all_is_well_where_it_cannot_be_opened(watched: Watched) -> None:
    watched.opened = "opening"
    assert client().get("/health").status_code == 200
    watched.opened = "cannot be opened"
    answer = client().get("/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["runtime"]) == (503, "unwell", "cannot be opened")


def test_a_dashboard_that_was_opened_without_an_index_goes_on_once_there_is_one(ledger_url: str, tmp_path: Path) -> None:
    create_schema(ledger_url)
    company = Company(Settings(home=tmp_path, DATABASE_URL=ledger_url), Tools())
    try:
        with pytest.raises(BadInput, match="missions knowledge build"):
            _ = company.runtime
        assert company.opening() == "cannot be opened"
        shutil.copytree(built_home() / "knowledge", tmp_path / "knowledge")
        until = time.monotonic() + 60
        while company.opening() != "ok" and time.monotonic() < until:
            time.sleep(0.1)
        assert company.opening() == "ok"
        assert company.runtime.context.packs
    finally:
        company.close()
