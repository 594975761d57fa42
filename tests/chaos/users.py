"""Processes that use one embedded PostgreSQL come, end and are killed: it is stopped under nobody."""

import random
import subprocess
import sys
from pathlib import Path

from ledger.embedded import stop_embedded
from tests.chaos.checker import Found
from tests.chaos.report import Report

#: asks the server without a pause until its input ends; what it prints at the end is what it was refused
_USER = """
import sys, threading
from pathlib import Path
import psycopg
from ledger.embedded import embedded_url
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with psycopg.connect(embedded_url(Path(sys.argv[1])), autocommit=True) as session:
    print("there", flush=True)
    while not ended.wait(0.005):
        session.execute("SELECT 1")
"""
_MOST = 4


def come_and_go(report: Report, folder: Path, times: int, chance: random.Random) -> None:
    """`times` users begin; each of them ends or is killed, at any moment, also while it begins."""
    wrong: list[str] = []
    there: list[subprocess.Popen[str]] = []
    killed = 0
    keeper = _begin(folder)
    postmaster = _postmaster(folder, keeper)
    for _ in range(times):
        there.append(_begin(folder))
        if chance.random() < 0.7 and there[-1].stdout:  # the others are met while they begin
            there[-1].stdout.readline()
        while len(there) >= _MOST or (there and chance.random() < 0.3):
            leaving = there.pop(chance.randrange(len(there)))
            if chance.random() < 0.5:
                leaving.kill()
                leaving.communicate()
                killed += 1
            else:
                wrong += _end(leaving)
    for leaving in [*there, keeper]:
        wrong += _end(leaving)
    if (folder / "data" / "postmaster.pid").exists():
        wrong.append("the server went on after its last user had ended")
        stop_embedded(folder)
    report.require(killed > 0, "a user of the server that was killed")
    report.found |= Found(servers_stopped_under_users=tuple(wrong))
    said = f"users {times}, killed {killed}, server {postmaster}: {len(wrong)} were cut off"
    report.note("users of one server come and go", said)


def _begin(folder: Path) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", _USER, str(folder)]
    return subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


def _postmaster(folder: Path, keeper: "subprocess.Popen[str]") -> int:
    assert keeper.stdout is not None
    if not keeper.stdout.readline():
        raise RuntimeError(f"the first user did not begin: {_end(keeper)}")
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _end(user: "subprocess.Popen[str]") -> list[str]:
    """End a user in peace; what it says of how it went, if not well."""
    _, errors = user.communicate(timeout=120)
    return [errors.strip().splitlines()[-1]] if user.returncode else []
