"""`make chaos` and `make chaos-short`: break everything that breaks, then count what must be 0."""

import argparse
import os
import random
import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path


def main() -> int:
    """Run every scenario; 1 where a figure is not 0."""
    # here and not above: processes are forked from one that imports what it needs, and import this file too
    from settings import CHECKOUT
    from tests.chaos import faulty, kills, late, people, policies, recovery, storage, users
    from tests.chaos.report import Report
    from tests.chaos.world import Server, World, opened_world, prepare

    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    asked.add_argument("--short", action="store_true", help="fewer of everything: under 3 minutes on two cores")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", default="", help="names of scenarios, with commas between them")
    given = asked.parse_args()
    short, chance = given.short, random.Random(given.seed)
    folder = Path(tempfile.mkdtemp(prefix="missions-chaos-", dir="/var/lib" if os.geteuid() == 0 else None))
    (folder / "no-certificates").mkdir()
    # nothing here speaks TLS, and every client would read all certificates of the machine: a third of a start
    os.environ["SSL_CERT_DIR"] = str(folder / "no-certificates")
    report, stack = Report(), ExitStack()
    print(f"chaos{'-short' if short else ''}, seed {given.seed}", flush=True)
    prepare(folder)
    server = Server(folder / "postgres")
    try:

        @cache
        def shared() -> World:
            return stack.enter_context(opened_world(folder / "shared", server))

        def every_place() -> None:
            for case_id in ["dev-ord-0004"] if short else ["dev-ord-0004", "dev-ord-0048", "dev-ord-0135", "dev-ord-0014"]:
                kills.at_every_place(report, shared(), case_id, short=short)
            for case_id in ["dev-ord-0044"] if short else ["dev-ord-0044", "dev-omn-0002"]:
                kills.at_every_place(report, shared(), case_id, short=short, compensated=True)

        def at_random() -> None:
            with opened_world(folder / "random", server) as world:
                kills.at_random(report, world, 30 if short else 1000, chance, workers=3 if short else 4)

        def no_keys() -> None:
            # a message that was sent twice, or a case opened twice, is refused by no system
            for case_id in ["dev-ord-0014"] if short else ["dev-ord-0014", "dev-ord-0048", "dev-ord-0004"]:
                with opened_world(folder / f"keyless-{case_id}", server, keyless=True, timeout_seconds=1.0) as world:
                    kills.without_keys(report, world, case_id)

        def wrong_systems() -> None:
            with opened_world(folder / "faulty", server, timeout_seconds=1.5) as world:
                faulty.answers(report, world, short=short)
                faulty.schema_changes(report, world)

        def wake_up() -> None:
            with opened_world(folder / "late", server) as world:
                late.workers_wake_up(report, world, times=1 if short else 10)

        def loosened() -> None:
            own = folder / "policies"
            shutil.copytree(CHECKOUT / "knowledge_index" / "policies", own)
            with opened_world(folder / "loosened", server, policies=own) as world:
                policies.loosened_on_disk(report, world, own, runs=4 if short else 40, restarts=2 if short else 10)

        def clock() -> None:
            people.clock_moves(report, shared(), runs=8 if short else 60)

        def restart() -> None:
            with opened_world(folder / "restart", server) as world:
                storage.database_restarts(report, world, runs=12 if short else 100, restarts=2 if short else 10, chance=chance)

        def disk() -> None:
            storage.disk_is_full(report, folder / "full", runs=8 if short else 40)

        def recovers() -> None:
            with opened_world(folder / "recovery", server) as world:
                paused, running = (100, 10) if short else (1000, 100)
                recovery.after_everything_was_killed(report, world, paused=paused, running=running)
                people.two_at_once(report, world, times=100)

        def server_users() -> None:
            users.come_and_go(report, folder / "users", times=30 if short else 300, chance=chance)

        def throughput() -> None:
            for workers in (1, 2, 4):
                recovery.throughput(report, shared(), workers, runs=12 if short else 200)

        scenarios = {
            "places": every_place, "clock": clock, "throughput": throughput, "random": at_random, "keyless": no_keys,
            "systems": wrong_systems, "late": wake_up, "policies": loosened, "restart": restart, "disk": disk,
            "recovery": recovers, "users": server_users,
        }  # fmt: skip
        for name, scenario in scenarios.items():
            if not given.only or name in given.only.split(","):
                scenario()
        return report.finish()
    finally:
        stack.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
