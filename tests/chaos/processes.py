"""What runs in processes of its own: a worker, and one whole life of a run that may be cut short."""

import json
import logging
import os
import random
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any
from urllib.request import Request, urlopen

import graphs.runtime
import graphs.worker
from errors import Refused, TakenOver
from graphs.ingestion import Intake
from graphs.runtime import Runtime, open_runtime
from graphs.worker import MissionsWorker
from ledger.jobs import open_jobs
from ledger.postgres import PostgresLedger
from ledger.records import Decision, Event
from ledger.services import Inbox
from settings import Settings
from tests.chaos.faults import Rule, as_json
from tests.chaos.points import Fuse, Hit, Passed, install

#: names by role; two of each that four eyes may be asked of
PEOPLE = {
    "rita": "reviewer", "ron": "reviewer", "sam": "supervisor", "sue": "supervisor", "fay": "finance", "finn": "finance",
}  # fmt: skip
#: seconds between two sweeps of a worker, and for which a lease is good: less than live, so that the harness need not wait
SWEEPS, LEASE_SECONDS = 0.5, 2.0
#: runs that a worker drives side by side
HANDS = 4


@dataclass(frozen=True)
class Life:
    """One run from its event to its end, in one process."""

    event: Event
    #: where this process dies, or None
    dies_at: Hit | None = None
    #: whether it is stopped there (SIGSTOP), and not killed
    stops: bool = False
    #: faults of the company that are only about this run; those that kill are given the id of this process
    rules: tuple[Rule, ...] = ()
    #: where the company takes rules
    control: str = ""


def work(chosen: Mapping[str, Any], told: Connection, wandering: bool) -> None:
    """A worker, until it is killed; tells when it has opened everything."""
    _begin()
    graphs.worker.PASSES = SWEEPS
    if wandering:
        wander()
    with (
        open_runtime(Settings(**chosen)) as runtime,
        open_jobs(runtime.database_url) as jobs,
        PostgresLedger.open(runtime.database_url) as ledger,
    ):
        worker = MissionsWorker(Intake(runtime, Inbox(ledger), jobs.drive), (), HANDS, LEASE_SECONDS)
        told.send("ready")
        worker.run()


def live(chosen: Mapping[str, Any], life: Life, told: Connection) -> None:
    """Take the event in, drive, decide as everybody who must, drive on; tells how often each place was passed."""
    _begin()
    fuse = Fuse(life.dies_at, signal.SIGSTOP if life.stops else signal.SIGKILL)
    install(fuse)
    with open_runtime(Settings(**chosen)) as runtime:
        if life.rules:
            put_rules(life.control, [replace(rule, pid=os.getpid()) for rule in life.rules], add=True)
        run = runtime.drive(runtime.take_in(life.event).run_id)
        with suppress(TakenOver):  # of whom was stopped
            while run.status == "waiting":
                decide(runtime, run.run_id)
                run = runtime.drive(run.run_id)
        told.send(Passed(fuse.passed, fuse.before_failure))


def _begin() -> None:
    from tests.chaos import preloaded  # by the process that this one was forked from

    logging.disable(logging.CRITICAL)
    preloaded.use()


def decide(runtime: Runtime, run_id: str) -> list[Decision]:
    """Approve what waits, by everybody that it takes; what can be approved no more is looked at again."""
    proposal = runtime.ledger.proposal(run_id)
    if proposal is None:
        return []
    people = [name for name, role in PEOPLE.items() if role == proposal.approval.role]
    made: list[Decision] = []
    for by in people[: 2 if proposal.approval.four_eyes else 1]:
        try:
            made.append(runtime.decide(run_id, "approve", by, "as it stands", proposal.digest)[0])
        except Refused as refusal:
            if "expired" in str(refusal):
                made.append(runtime.decide(run_id, "respond", by, "it expired", proposal.digest, {"remark": "again"})[0])
                break
            if "approved proposal" not in str(refusal):  # by the same person, in a life that was cut short
                raise
    return made


def put_rules(control: str, rules: Sequence[Rule], *, add: bool) -> list[Mapping[str, Any]]:
    """Tell the company what goes wrong from now on; returns the rules before, with how often each was met."""
    with urlopen(Request(control, as_json(rules, add), method="POST"), timeout=20) as answer:
        before: list[Mapping[str, Any]] = json.load(answer)
        return before


def wander() -> None:
    """Make the clock of this process jump by days, back and forth, at every look."""
    chance, lock = random.Random(0), threading.Lock()

    def jumping() -> datetime:
        with lock:
            return datetime.now(UTC) + timedelta(days=chance.choice((-4, -1, 0, 0, 1, 4)))

    graphs.runtime.utc_now = jumping


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)
