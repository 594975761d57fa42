"""`python -m MODULE …` as processes forked from one that has imported what they need: commands, and systems of record.

Six systems of the sandbox company start with every command and every runtime, and to import what one needs takes 0.6 s;
what a command needs, 4 s. They are the same programs over the same pipes: `forked.py` stands in the place of python,
hands its pipes over to a fork, and ends with it.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("forked.py")
#: what a system of the sandbox company imports at its start, or where it is used first
SYSTEMS = (
    "anyio._backends._asyncio", "mcp.server.mcpserver", "psycopg", "rich.logging", "systems.sandbox.toolbox",
    *(f"systems.sandbox.{name}" for name in ("programs", "serve")),
)  # fmt: skip
#: what any command imports, and what libraries import where they are used first
COMMANDS = (
    "anyio._backends._asyncio", "chromadb.api.rust", "chromadb.telemetry.product.posthog", "typer.rich_utils",
    *(f"cli.{file.stem}" for file in sorted((CHECKOUT / "cli").glob("[a-z]*.py"))),
)  # fmt: skip


@contextmanager
def forked_systems() -> Iterator[Path]:
    """A systems.yaml by which the sandbox company is forked, for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="missions-systems-") as name:
        folder = Path(name)
        text = (CHECKOUT / "systems" / "systems.yaml").read_text(encoding="utf-8")
        text = text.replace('"{python}"', f'"{{python}}", -SE, "{CLIENT}", "{folder}/socket"')
        (folder / "systems.yaml").write_text(text, encoding="utf-8")
        (folder / "pins.json").write_bytes((CHECKOUT / "systems" / "pins.json").read_bytes())
        with forks(folder / "socket", CHECKOUT, SYSTEMS):
            yield folder / "systems.yaml"


@contextmanager
def forks(address: Path, checkout: Path, imports: Sequence[str]) -> Iterator[None]:
    """At this address modules of a checkout are forked, from a process that imports `imports`, for as long as this lasts."""
    command = [sys.executable, "-P", __file__, str(address), *imports]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with subprocess.Popen(command, cwd=checkout, env=environment, stdin=subprocess.PIPE) as process:
        yield
        process.communicate()


def _serve(address: str, imports: Sequence[str]) -> None:
    """Fork for each client that connects, until stdin ends."""
    for name in imports:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(address)
        listening.listen(64)
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _live(client)
            client.close()


def _live(client: socket.socket) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asked, pipes, _, _ = socket.recv_fds(client, 65536, 3)
        for place, pipe in enumerate(pipes):
            os.dup2(pipe, place)
            os.close(pipe)
        given = json.loads(asked)
        minus_m, module, *arguments = given["arguments"]
        assert minus_m == "-m", given
        os.chdir(given["folder"])
        os.environ.clear()
        os.environ.update(given["environment"])
        client.sendall(str(os.getpid()).encode() + b"\n")
        status = _run(module, arguments)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        client.sendall(bytes([status]))
        os._exit(status)


def _run(module: str, arguments: Sequence[str]) -> int:
    """The status with which it ends."""
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
