"""The database is restarted in the middle, and the disk below it is full."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from errors import TryAgain
from tests.chaos.report import Report
from tests.chaos.world import Server, World, opened_world

_CASES = ("dev-ord-0004", "dev-ord-0048", "dev-ord-0014")
#: enough for an empty database, its log and some hundred runs
_DISK = "400m"
#: for which the disk is full
_FULL_SECONDS = 4.0


def database_restarts(report: Report, world: World, runs: int, restarts: int, chance: random.Random) -> None:
    """Everybody is cut off, nothing is written, and it recovers from its log, while runs are driven and decided."""
    events = world.events(_CASES, runs)
    world.start_workers(2)
    for number in range(restarts):
        world.take_in(events[number * runs // restarts : (number + 1) * runs // restarts])
        world.export_head()
        time.sleep(chance.uniform(0.1, 1.5))
        world.approve_waiting()
        time.sleep(chance.uniform(0.0, 0.3))
        world.server.kill()
        world.server.start()
    world.settle()
    world.kill_workers()
    report.scenario("the database is restarted", world, restarts=restarts, runs=runs)


def disk_is_full(report: Report, folder: Path, runs: int) -> None:
    """A small disk for the database alone is filled to the last byte while runs are driven, and then has room again."""
    with _small_disk(folder) as why_not:
        if why_not:
            report.note("the disk is full", f"SKIPPED: {why_not}")
            return
        server = Server(folder / "postgres")
        with opened_world(folder.parent / "on-small-disk", server) as world:
            events = world.events(_CASES, runs)
            world.start_workers(2)
            world.take_in(events[: runs // 2])
            _fill(folder / "ballast")
            until = time.monotonic() + _FULL_SECONDS
            for event in events[runs // 2 :]:
                with suppress(TryAgain, psycopg.Error):
                    world.take_in([event])
            while time.monotonic() < until:
                with suppress(TryAgain, psycopg.Error):
                    world.approve_waiting()
                time.sleep(0.2)
            (folder / "ballast").unlink()
            server.start()  # a database that cannot write its log stops
            said = (folder / "postgres" / "data" / "log").read_text(errors="replace").count("No space left on device")
            report.require(said > 0, "a full disk that the database noticed")
            world.take_in(events[runs // 2 :])
            world.settle()
            world.kill_workers()
            report.scenario("the disk is full", world, runs=runs, writes_that_failed=said)
        server.stop()


@contextmanager
def _small_disk(folder: Path) -> Iterator[str]:
    """A disk of its own at this folder; or why that cannot be had here."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        yield f"this account may not mount a small disk ({mounted.stderr.strip()})"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(file: Path) -> None:
    """Write until there is no room for another byte."""
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while ballast.write(bytes(size)) == size:
                    pass
