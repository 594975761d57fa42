"""What is there again after everything was killed, and how much work is done in a second."""

import time

from tests.chaos.report import Report, seconds
from tests.chaos.world import PATIENCE_SECONDS, World

_CASE = "dev-ord-0004"


def after_everything_was_killed(report: Report, world: World, paused: int, running: int) -> None:
    """Workers, systems and database die with runs paused and in the middle of their effects; then all are started again."""
    world.take_in(world.events([_CASE], paused + running))
    world.start_workers(2)
    world.settle(decide=False)
    world.kill_workers()
    world.approve_waiting(running)
    world.start_workers(2)
    until = time.monotonic() + PATIENCE_SECONDS
    while not world.sql("SELECT key FROM ledger.effects WHERE status = 'done' LIMIT 1") and time.monotonic() < until:
        time.sleep(0.02)
    world.export_head()
    world.kill_workers()
    in_flight, closed = world.statuses().get("running", 0), world.statuses().get("closed", 0)
    world.server.kill()
    with seconds() as to_first:
        world.server.start()
        world.restart_company()
        world.start_workers(2)
        while world.statuses().get("closed", 0) == closed and to_first[0] < 60:
            time.sleep(0.02)
    with seconds() as to_all:
        world.settle(decide=False)
    world.kill_workers()
    there = world.statuses()
    resumable = world.sql(
        "SELECT count(*) FROM ledger.runs JOIN ledger.proposals USING (run_id) "
        "WHERE runs.status = 'waiting' AND proposals.status = 'pending'"
    )[0][0]
    report.require(resumable == paused, f"{paused} paused runs were to be resumable, and {resumable} are")
    report.require(there.get("closed", 0) >= running, f"{running} runs were to be finished, and {there.get('closed', 0)} are")
    report.scenario("everything was killed", world, paused=paused, resumable=resumable, in_the_middle=in_flight)
    report.note(
        "  recovery", f"first run finished after {to_first[0]:.1f} s, all {in_flight} after {to_first[0] + to_all[0]:.1f} s"
    )


def throughput(report: Report, world: World, workers: int, runs: int) -> None:
    """Runs a second from event to pause, between the first proposal and the last."""
    (before, _) = world.desk.ledger.audit_head()
    world.take_in(world.events([_CASE], runs))
    world.start_workers(workers)
    world.settle(decide=False)
    world.kill_workers()
    times = "SELECT EXTRACT(epoch FROM max(at) - min(at)) FROM ledger.audit WHERE kind = 'proposed' AND seq > %s"
    took = float(world.sql(times, before)[0][0])
    report.note(f"  throughput, {workers} workers", f"{(runs - 1) / took:.1f} runs a second to their pause ({runs} runs)")
    report.check(world)
