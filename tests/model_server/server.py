"""A server with OpenAI's API that does what a script says: real HTTP, no model."""

import json
import threading
from collections.abc import Callable, Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.model_server.behaviours import Asked, Behaviour, Status

WAYS = ("json_schema", "tools", "json")


class ModelServer:
    """Answers each question as `script` says; a context manager. Keeps all that it was asked, in order.

    Ways of structuring that it does not support are refused as servers do, with 400.
    """

    def __init__(self, script: Callable[[Asked], Behaviour], supports: Collection[str] = WAYS) -> None:
        self.script = script
        self.supports = supports
        self.asked: list[Asked] = []
        #: what is no question that the API takes; a test looks that there is none
        self.wrong: list[str] = []
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address, to /v1."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def behaviour(self, body: dict[str, Any], raw: bytes, headers: Mapping[str, str]) -> tuple[Asked, Behaviour]:
        """What to do with a request."""
        asked = Asked(body, raw, headers)
        self.asked.append(asked)
        wrong = _wrong(body)
        if wrong:
            self.wrong.append(wrong)
        return asked, Status(400) if wrong or asked.way not in self.supports else self.script(asked)


def _wrong(body: dict[str, Any]) -> str:
    """Why OpenAI's API would not take a request; empty where it would."""
    if [message.get("role") for message in body.get("messages", [])] != ["system", "user"]:
        return "messages are not one of the system and one of the user"
    if body.get("stream") is not True or body.get("stream_options") != {"include_usage": True}:
        return "not streamed, or without usage"
    if not body.get("model") or not body.get("max_completion_tokens"):
        return "no model, or no limit of tokens"
    if len(body.get("tools", [])) + ("response_format" in body) != 1:
        return "not structured in one way"
    for tool in body.get("tools", []):
        function = tool.get("function", {})
        chosen = {"type": "function", "function": {"name": function.get("name")}}
        if (
            tool.get("type") != "function"
            or function.get("parameters", {}).get("type") != "object"
            or body.get("tool_choice") != chosen
        ):
            return "a tool that is none, or is not asked for"
    described = body.get("response_format", {}).get("json_schema")
    if described is not None and not (
        described.get("name") and described.get("strict") and described["schema"]["type"] == "object"
    ):
        return "a schema that is none"
    return ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    model: ModelServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path != "/v1/chat/completions":
            self.send_error(404)
            return
        asked, behave = self.server.model.behaviour(json.loads(raw), raw, dict(self.headers.items()))
        self._chunked = self._ended = False
        try:
            behave(asked, self)
        except (ConnectionError, TimeoutError, _Closed):
            self.close_connection = True
        # what has not ended in good order cannot be followed by another answer
        if self._chunked and not self._ended:
            self.close_connection = True

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._chunked = headers.get("transfer-encoding") == "chunked"

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)

    def chunk(self, data: bytes) -> None:
        self._ended = not data
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def waits(self, seconds: float) -> None:
        if self.server.model.closing.wait(seconds):
            raise _Closed

    def log_message(self, *_: object) -> None:
        pass


class _Closed(Exception):
    pass
