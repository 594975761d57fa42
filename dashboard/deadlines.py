"""Deadlines for requests that are half sent: uvicorn waits for the rest of one for ever.

A connection that never becomes a request holds a file of this process, and a body that never ends a thread or a place
in a line.
"""

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: from the connection, or the first byte of another request, to the end of its headers
HEADERS_SECONDS = 10.0
#: from there to the end of its body, whose size others limit
BODY_SECONDS = 60.0
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PunctualProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, to whoever says in time what they want."""

    _deadline: TimerHandle | None = None
    #: between the first byte of a request and its last
    _under_way = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._within(HEADERS_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and not self._under_way:
            self._within(HEADERS_SECONDS)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._under_way = True

    def on_headers_complete(self) -> None:
        self._within(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._under_way = False
        self._within(None)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._within(None)
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self._deadline = None
        answering: Any = self.cycle
        if answering is None or not answering.response_started or answering.response_complete:
            self.transport.write(_LATE)
        self.transport.close()


def keep_deadlines() -> None:
    """Have the server of this process speak so: Streamlit starts it, and leaves the choice to uvicorn."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{PunctualProtocol.__name__}"
