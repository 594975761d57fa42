"""The systems of the sandbox company as processes forked from one that has imported what they need.

Six of them start with every command and every runtime, and to import what one needs takes 0.6 s. They are the same
servers over the same pipes: `forked.py` stands in the place of python in a systems.yaml, hands its pipes over to a
fork, and ends with it.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("forked.py")


@contextmanager
def forked_systems() -> Iterator[Path]:
    """A systems.yaml by which the sandbox company is forked, for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="missions-systems-") as name:
        folder = Path(name)
        text = (CHECKOUT / "systems" / "systems.yaml").read_text(encoding="utf-8")
        text = text.replace('"{python}"', f'"{{python}}", -SE, "{CLIENT}", "{folder}/socket"')
        (folder / "systems.yaml").write_text(text, encoding="utf-8")
        (folder / "pins.json").write_bytes((CHECKOUT / "systems" / "pins.json").read_bytes())
        command = [sys.executable, "-m", "tests.integration.forking", str(folder / "socket")]
        with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE) as process:
            yield folder / "systems.yaml"
            process.communicate()


def _serve(address: str) -> None:
    """Fork for each client that connects, until stdin ends."""
    from systems.sandbox import crm, erp, logistics, oms, payments, wms
    from systems.sandbox.serve import build

    assert crm and erp and logistics and oms and payments and wms and build("oms", "postgresql:///none")
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
    from systems.sandbox.__main__ import main

    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asked, pipes, _, _ = socket.recv_fds(client, 65536, 3)
        for place, pipe in enumerate(pipes):
            os.dup2(pipe, place)
            os.close(pipe)
        given = json.loads(asked)
        assert given["arguments"][:2] == ["-m", "systems.sandbox"], given
        os.environ.clear()
        os.environ.update(given["environment"])
        client.sendall(str(os.getpid()).encode() + b"\n")
        status = main(given["arguments"][2:])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        client.sendall(bytes([status]))
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
