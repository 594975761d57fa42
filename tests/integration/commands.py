"""Commands as processes of their own, forked from one that has imported the project already: that takes seconds."""

import atexit
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from settings import CHECKOUT
from tests.integration.live_company import built_home

Done = subprocess.CompletedProcess[str]

PATIENCE_S = 120.0
#: not the one of this process, which another test may have begun with other imports
_FORKS = forkserver.ForkServer()
_FORKS.set_forkserver_preload([__name__, "tests.integration.imported"])


def missions(*words: str | Path, **variables: str | Path) -> Done:
    """Run a command; the home has a knowledge index and no database unless `variables` say otherwise."""
    line = ["missions", *map(str, words)]
    if sys.platform == "win32":
        line[:1] = [sys.executable, "-m", "cli"]
        env = _environment(variables)
        return subprocess.run(line, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = begun(line, out, err, **variables)
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(line, PATIENCE_S, out.read_bytes(), err.read_bytes())
        return Done(line, process.exitcode, out.read_text(), err.read_text())


def begun(line: Sequence[str], out: Path, err: Path, **variables: str | Path) -> BaseProcess:
    """A command that runs, and what it prints goes into two files. Not on Windows."""
    process = get_context("forkserver").Process(target=_command, args=(line, _environment(variables), out, err))
    with (
        patch.dict(sys.modules, {"__main__": ModuleType("__main__")}),  # AppTest leaves its script there, to be run again
        patch.object(forkserver, "connect_to_new_process", _FORKS.connect_to_new_process),
    ):
        process.start()
    return process


def _environment(variables: Mapping[str, str | Path]) -> dict[str, str]:
    return {**os.environ, "MISSIONS_HOME": str(built_home()), **{name: str(value) for name, value in variables.items()}}


def _command(line: Sequence[str], env: Mapping[str, str], out: Path, err: Path) -> None:
    os.chdir(CHECKOUT)
    os.environ.clear()
    os.environ.update(env)
    for number, file in ((1, out), (2, err)):  # what it would read is closed already
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.argv = list(line)
    try:
        runpy.run_module("cli", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()


def refused(done: Done, *names: str) -> str:
    """The one sentence of a command that refused; it holds all `names`."""
    told = done.stderr.splitlines()
    assert "Traceback" not in done.stderr, done.stderr[-3_000:]
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert len(told) == 1, done.stderr
    assert told[0].startswith("missions: ")
    for name in names:
        assert name in told[0]
    return told[0]
