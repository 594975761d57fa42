"""Workers that are stopped between «executing» and the send, and wake up when their run has ended."""

import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from errors import Refused
from tests.chaos import processes
from tests.chaos.points import LEAVE_GIVEN, MARKED
from tests.chaos.processes import Life
from tests.chaos.report import Report
from tests.chaos.world import PATIENCE_SECONDS, World


def workers_wake_up(report: Report, world: World, times: int) -> None:
    """Each stops before it asks for leave to send, or right after; its lease runs out, somebody closes its run, it goes on."""
    places = [place for _ in range(times) for place in (MARKED, LEAVE_GIVEN)]
    events = world.events(["dev-ord-0004", "dev-ord-0048"], len(places))
    workers = world.begin([Life(event, dies_at=(place, 1), stops=True) for event, place in zip(events, places, strict=True)])
    stopped = [worker for worker, _ in workers if _until_stopped(worker)]
    report.require(len(stopped) == len(places), f"{len(places)} workers were to be stopped, and {len(stopped)} were")
    world.taken_in |= {event.source_id for event in events}
    for event in events:
        ((run_id,),) = world.sql("SELECT run_id FROM ledger.runs WHERE source_id = %s", event.source_id)
        _close(world, run_id)
    for worker, _ in workers:
        os.kill(worker.pid or 0, signal.SIGCONT)
        worker.join()
    report.scenario("workers that wake up late", world, stopped=len(stopped))


def _until_stopped(worker: BaseProcess) -> bool:
    until = time.monotonic() + 2 * PATIENCE_SECONDS
    while time.monotonic() < until and worker.is_alive():
        if Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return True
        time.sleep(0.05)
    return False


def _close(world: World, run_id: str) -> None:
    """As somebody does who finds a run that nobody works on: as soon as what was sent for it can be done no more."""
    world.desk.ledger.incident(run_id, "nobody works on it", processes.now())
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            world.desk.ledger.abandon(run_id, by="sam", reason="done by hand", at=processes.now())
            return
        except Refused:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
