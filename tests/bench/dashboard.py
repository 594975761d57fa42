"""`make bench`, its part about the dashboard: 100,000 runs of which 10,000 wait, beside the same with 100 runs.

Prints median and 95th percentile of the queue's first view and of opening a proposal: what is asked of the database with
what is made of it, and what a browser shows, where Chromium is there. `SELECT 1` says how far the database is away.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from dashboard import card
from dashboard.pages.queue import counted, listed
from dashboard.rail import rail
from errors import MissionsError
from graphs.runtime import open_database
from knowledge_index.policies import PolicyBook
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.queries import QueueFilter
from ledger.records import Person
from ledger.services import AdminService
from settings import settings
from systems.sandbox.database import create_schema
from tests.bench.filling import Size, filled

SMALL, LARGE = Size(100, 10), Size(100_000, 10_000)
PAGE = 50
TIMES = 20


@dataclass(frozen=True)
class Measured:
    """Seconds, each a list of TIMES."""

    select: Sequence[float]
    queue: Sequence[float]
    opening: Sequence[float]


def measured(url: str) -> Measured:
    """What the database and the view models take."""
    with PostgresLedger.open(url) as ledger:
        rita = ledger.add_person("rita", "reviewer")
        desk, policies = AdminService(ledger), PolicyBook.load(settings().policies)

        def select() -> None:
            with ledger.transaction() as tx:
                tx.execute(text("SELECT 1"))

        ids = iter([row.run_id for row in desk.queue(rita, QueueFilter(), 0, PAGE).rows] * TIMES)
        return Measured(
            timed(select), timed(lambda: _queue(desk, rita)), timed(lambda: _open(ledger, policies, next(ids)))
        )  # fmt: skip


def _queue(desk: AdminService, me: Person) -> None:
    page = desk.queue(me, QueueFilter(), 0, PAGE)
    listed(page.rows, me.name, utc_now())
    counted(page.by_mission), counted(page.by_verdict)


def _open(ledger: PostgresLedger, policies: PolicyBook, run_id: str) -> None:
    run, proposal = ledger.run(run_id), ledger.proposal(run_id)
    assert proposal is not None
    ledger.proposals(run_id)
    observations, facts, decisions = ledger.observations(run_id), ledger.facts(run_id), ledger.decisions(run_id)
    effects = ledger.effects(run_id)
    card.head(run, proposal, decisions, utc_now()), card.story(proposal), card.steps(proposal, effects), card.decided(decisions)
    card.why(proposal, observations, facts, policies.period(run.event.as_of).clauses)
    rail(observations, run.started_at, facts)


def timed(work: Callable[[], None]) -> list[float]:
    """Seconds of each of TIMES, after one that is not counted."""
    work()
    took = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return took


def told(name: str, took: Sequence[float], beside: Sequence[float] | None = None) -> None:
    """Print a line: median and 95th percentile, and those of the baseline."""
    baseline = f"(100 runs: {_figures(beside)})" if beside else ""
    print(f"{name:<34}{_figures(took)} {baseline}", flush=True)


def _figures(took: Sequence[float]) -> str:
    return f"{statistics.median(took) * 1000:6.0f} ms p50, {statistics.quantiles(took, n=20)[-1] * 1000:.0f} ms p95"


def main() -> None:
    """Print the figures."""
    home = open_database(settings())
    with ExitStack() as stack:
        begun = time.perf_counter()
        small, large = (stack.enter_context(filled(home, size)) for size in (SMALL, LARGE))
        print(f"{LARGE.runs:,} runs, {LARGE.waiting:,} of them waiting, made in {time.perf_counter() - begun:.0f} s")
        little, much = measured(small), measured(large)
        told("SELECT 1", much.select, little.select)
        told("the queue, asked and made", much.queue, little.queue)
        told("a proposal, asked and made", much.opening, little.opening)
        _in_a_browser(small, large)


def _in_a_browser(small: str, large: str) -> None:
    # here, for who has no browser has no use for what drives it
    from tests.bench.browsing import browsed, chromium

    if chromium() is None:
        print("what a browser shows              not measured: Chromium is not installed")
        return
    for url in (small, large):
        create_schema(url)
    with tempfile.TemporaryDirectory() as folder:
        little, much = (browsed(url, Path(folder) / "log", TIMES) for url in (small, large))
    told("the queue in a browser", much.queue, little.queue)
    told("a proposal in a browser", much.opening, little.opening)
    told("a new observation in a browser", much.observing, little.observing)


if __name__ == "__main__":
    try:
        main()
    except MissionsError as error:
        sys.exit(f"missions: {error}")
