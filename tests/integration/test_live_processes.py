"""A run outlives its process: the ledger and the checkpoints are all that the next one needs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import Refused
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.records import Run
from settings import CHECKOUT
from tests.integration.commands import missions
from tests.integration.live_company import CASES, PEOPLE, Company, built_home, order_in
from tests.integration.sessions import home_of

pytest_plugins = ["tests.integration.live_company"]

CASE = "dev-ord-0031"

#: drives the run named on the command line, and dies right after the third write was done, before it is recorded
DIES = """
import os, signal, sys
from graphs.runtime import open_runtime
from settings import settings

class Dies:
    def __init__(self, writer): self.writer, self.left = writer, 3
    def honours_keys(self, call): return self.writer.honours_keys(call)
    def write(self, call, key):
        receipt = self.writer.write(call, key)
        self.left -= 1
        if not self.left: os.kill(os.getpid(), signal.SIGKILL)
        return receipt

with open_runtime(settings()) as runtime:
    runtime.context.writer = Dies(runtime.context.writer)
    runtime.drive(sys.argv[1])
"""


def environment(url: str, home: Path | None = None) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "MISSIONS_HOME": str(home or built_home())}


def driven_once_the_lease_is_free(company: Company, run: Run) -> Run:
    """The database gives the lease of the dead back as soon as it sees that their connection is gone."""
    until = time.monotonic() + 10
    while True:
        try:
            return company.runtime.drive(run.run_id)
        except Refused:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.fixture
def people(database_url: str) -> Iterator[PostgresLedger]:
    """The ledger of an empty database with its people in it."""
    migrate(database_url)
    ledger = PostgresLedger.open(database_url)
    for name, role in PEOPLE.items():
        ledger.add_person(name, role)
    yield ledger
    ledger.close()


@pytest.mark.slow
def test_what_one_process_proposed_another_one_decides_and_finishes(
    database_url: str, people: PostgresLedger, tmp_path: Path
) -> None:
    (tmp_path / "case.json").write_text(json.dumps(CASES[CASE]))
    ran = missions("run", str(tmp_path / "case.json"), DATABASE_URL=database_url)
    assert ran.returncode == 0, ran.stderr
    (run,) = people.runs()
    assert run.status == "waiting"
    rita, ron = (home_of(name, database_url, tmp_path) for name in ("rita", "ron"))
    decided = missions("decide", run.run_id, "approve", "--reason", "agreed", DATABASE_URL=database_url, MISSIONS_HOME=rita)
    assert decided.returncode == 0, decided.stderr
    run = people.run(run.run_id)
    assert (run.status, run.outcome) == ("closed", "executed")
    assert {effect.status for effect in people.effects(run.run_id)} == {"done"}
    verified = missions("audit", "verify", DATABASE_URL=database_url)
    assert (verified.returncode, "intact" in verified.stdout) == (0, True)
    again = missions("decide", run.run_id, "approve", "--reason", "me too", DATABASE_URL=database_url, MISSIONS_HOME=ron)
    assert (again.returncode, again.stdout) == (1, "")
    assert "already approved by rita" in " ".join(again.stderr.split())


def test_a_process_killed_between_a_write_and_its_record_leaves_nothing_that_happens_twice(company: Company) -> None:
    run = company.propose(CASE)
    company.runtime.decide(run.run_id, "approve", "rita", "agreed")
    died = subprocess.run(
        [sys.executable, "-c", DIES, run.run_id], cwd=CHECKOUT, env=environment(company.url), capture_output=True, timeout=120
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert [effect.status for effect in company.effects(run)][:4] == ["done", "done", "executing", "intended"]
    run = driven_once_the_lease_is_free(company, run)
    effects = company.effects(run)
    assert (run.status, run.outcome) == ("closed", "executed")
    assert [bool((effect.receipt or {})["replayed"]) for effect in effects] == [False, False, True] + [False] * (len(effects) - 3)
    assert order_in(company.snapshot(), run.event.subject)["status"] == "ready"
    assert len(company.sql("select key from sandbox.receipts")) == len(effects)
