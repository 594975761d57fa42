"""A dashboard as it runs: a serving process over a database of its own, with the sandbox company's sample in it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError

from cli.start import CUSTOMER
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.services import AdminService
from settings import CHECKOUT
from tests.integration.live_company import CASES, Company, built_home, opened
from tests.ledger_examples import enrolled

PASSWORD = "correct horse battery"
#: a customer of the sample has orders, tickets and messages there
PEOPLE = {
    "admin": "administrator", "ana": "analyst", "rita": "reviewer", "ron": "reviewer", "sam": "supervisor",
    "fay": "finance", "finn": "finance", "olga": "auditor", "casey": "customer",
}  # fmt: skip
#: what a serving process has to be there within
STARTS_WITHIN = 180.0


@dataclass
class Dashboard:
    """A serving process, and the ledger behind it seen from outside."""

    #: http://127.0.0.1:PORT
    url: str
    database_url: str
    desk: AdminService
    #: the runtime of this test process: `take_in` runs another Mission. (`propose` would empty the sandbox company.)
    company: Company
    #: the runs of the sample by case id
    runs: dict[str, Run] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, name: str) -> str:
        """The token of a session of this person, who gets a password (PASSWORD) if need be."""
        if name not in self._tokens:
            self._tokens[name] = signed_in(self.desk, name)
        return self._tokens[name]


def signed_in(desk: AdminService, name: str, lasts: timedelta = timedelta(hours=10)) -> str:
    """The token of a new session; whoever has no password yet, or another, gets PASSWORD."""
    knock = desk.sign_in(name, PASSWORD, lasts)
    if not knock.token:
        knock = desk.sign_in(name, desk.give_one_time(name), lasts, PASSWORD)
    assert knock.token, knock
    return knock.token


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(database_url: str, log: Path, **variables: str) -> Iterator[str]:
    """The address of a dashboard in a process of its own; `variables` are those of its environment."""
    port = free_port()
    env = {
        **os.environ,
        "MISSIONS_HOME": str(built_home()),
        "DATABASE_URL": database_url,
        "MISSIONS_PORT": str(port),
        **variables,
    }
    line = [sys.executable, "-m", "cli", "dashboard"]
    with log.open("w") as out:
        process = subprocess.Popen(line, cwd=CHECKOUT, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the dashboard did not start:\n{log.read_text()[-3_000:]}")


@contextmanager
def seeded(database_url: str, log: Path, **variables: str) -> Iterator[Dashboard]:
    """A dashboard over the whole sample: each exception has had its Mission, and what needs a person waits."""
    with opened(database_url) as company:
        assert isinstance(company.ledger, PostgresLedger)
        desk = AdminService(company.ledger)
        for name, role in PEOPLE.items():
            enrolled(desk, name, role, CUSTOMER if role == "customer" else None)
        company.load(*CASES)
        runs = {case_id: company.take_in(case_id) for case_id in CASES}
        with serving(database_url, log, **variables) as url:
            yield Dashboard(url, database_url, desk, company, runs)
