"""Connections of our own making to a dashboard that serves: what a browser would not send."""

import socket
import time
import urllib.request
from urllib.parse import urlsplit

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from dashboard.visitor import COOKIE


def half_sent(url: str, text: bytes, source: str = "127.0.0.1") -> socket.socket:
    """A connection over which this was sent, and nothing more is."""
    where = urlsplit(url)
    opened = socket.create_connection((where.hostname, where.port), timeout=30, source_address=(source, 0))
    opened.sendall(text)
    return opened


def handshake(url: str, origin: str | None, token: str = "", **headers: str) -> int:
    """The status with which a websocket of Streamlit's is answered: 101 where it is let in."""
    extra = {**headers, **({"Cookie": f"{COOKIE}={token}"} if token else {})}
    try:
        with connect(
            f"{url.replace('http', 'ws', 1)}/_stcore/stream",
            origin=None if origin is None else Origin(origin),
            additional_headers=extra,
            subprotocols=[Subprotocol("streamlit")],
            open_timeout=30,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def health_seconds(url: str) -> float:
    """How long `/health` takes to say that all is well."""
    begun = time.monotonic()
    with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:
        assert answer.status == 200
    return time.monotonic() - begun
