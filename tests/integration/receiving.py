"""A destination of outgoing events on the loopback: it keeps what it takes, and answers as it is told, well or badly."""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from graphs.outgoing import Destination
from systems.credentials import SecretSource

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Received(NamedTuple):
    """One request that it took."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.body)
        return made


class Receiver:
    """What it does with the next requests stands in `script`, and with all others it answers 204.

    "lost": it breaks off before it has taken the request; "broken off": after it has; "slow": it takes the request, and
    answers a byte at a time; "endless": it answers 200, and a body without an end; a number is the status of its answer,
    which takes the request where it is 2xx; a header may stand behind it, as in "503 Retry-After: 7".
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.server = server
        self.script: deque[str] = deque()
        #: in the order in which they were taken, and how many requests came in all
        self.taken: list[Received] = []
        self.came = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook/a-key-of-the-address"

    def destination(self, folder: Path, name: str = "hub", **other: Any) -> Destination:
        """It, as a destination whose secret stands in a file of this folder."""
        file = folder / "secret"
        file.write_text(f"{SECRET}\n")
        return Destination(name=name, url=self.url, secret=SecretSource(file=file), **other)

    def ids(self) -> list[str]:
        """Of the events that it took, each once, in the order in which each came first."""
        return list(dict.fromkeys(one.event["id"] for one in self.taken))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        receiver.came += 1
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        does = receiver.script.popleft() if receiver.script else "204"
        status, _, header = does.partition(" ")
        if not does.startswith(("lost", "3", "4", "5")):
            receiver.taken.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
        with suppress(OSError):
            if does in ("lost", "broken off"):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            elif does in ("slow", "endless"):
                self._go_on(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: y" * (does == "slow") + b"\r\n" * (does == "endless"), does)
            else:
                self.send_response(int(status))
                if header:
                    self.send_header(*header.split(": ", 1))
                self.send_header("Content-Length", "0")
                self.end_headers()

    def _go_on(self, begins: bytes, does: str) -> None:
        self.close_connection = True
        self.wfile.write(begins)
        for _ in range(200):
            self.wfile.write(b"y" if does == "slow" else b"y" * 100_000)
            time.sleep(0.05)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A destination that listens until the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    receiver = Receiver(server)
    server.receiver = receiver  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
