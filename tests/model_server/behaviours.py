"""What a model's server may do with a question, well or badly."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Wire(Protocol):
    """The connection that a question came by."""

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers."""
        ...

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        ...

    def chunk(self, data: bytes) -> None:
        """A piece of a chunked body; an empty one ends it."""
        ...

    def waits(self, seconds: float) -> None:
        """Nothing for a while, at most until the server is closed."""
        ...


@dataclass(frozen=True)
class Asked:
    """A question as it came, checked to be one that OpenAI's API takes."""

    body: Mapping[str, Any]
    #: the body as it was on the wire
    raw: bytes
    headers: Mapping[str, str]

    @property
    def way(self) -> str:
        """In which of the three ways the answer is to be structured."""
        if "tools" in self.body:
            return "tools"
        kind = self.body.get("response_format", {}).get("type")
        return {"json_schema": "json_schema", "json_object": "json"}.get(kind, "")

    @property
    def system(self) -> str:
        """The instructions."""
        return str(self.body["messages"][0]["content"])

    @property
    def user(self) -> str:
        """The question itself."""
        return str(self.body["messages"][1]["content"])

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON schema of the answer, wherever it stands in this way."""
        match self.way:
            case "tools":
                schema = self.body["tools"][0]["function"]["parameters"]
            case "json_schema":
                schema = self.body["response_format"]["json_schema"]["schema"]
            case _:
                schema = json.loads(self.system.splitlines()[-1])
        assert isinstance(schema, dict)
        return schema

    @property
    def purpose(self) -> str:
        """What the question is for, as its schema is named; empty where nothing names it."""
        if self.way == "tools":
            return str(self.body["tools"][0]["function"]["name"])
        return str(self.body["response_format"].get("json_schema", {}).get("name", ""))


class Behaviour(Protocol):
    """What a server does with one question."""

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """Do it."""
        ...


@dataclass(frozen=True)
class Say:
    """The right way to answer, with any value; `usage` False keeps the tokens back."""

    value: Any
    usage: bool = True

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        Raw(json.dumps(self.value), usage=self.usage)(asked, wire)


@dataclass(frozen=True)
class Raw:
    """An answer of any text, in pieces."""

    text: str
    usage: bool = True
    finish: str = "stop"

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.head(200, EVENTS)
        for event in events(asked, self.text, self.finish):
            wire.chunk(event)
        if self.usage:
            tokens = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
            wire.chunk(_event({"choices": [], "usage": tokens}))
        wire.chunk(b"data: [DONE]\n\n")
        wire.chunk(b"")


@dataclass(frozen=True)
class Status:
    """An error, which says things that nobody else should repeat."""

    code: int
    retry_after: str = ""
    param: str = ""

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        body = json.dumps({"error": {"message": f"WORDS OF THE SERVER {asked.user}", "param": self.param or None}}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        wire.head(self.code, headers | ({"retry-after": self.retry_after} if self.retry_after else {}))
        wire.raw(body)


@dataclass(frozen=True)
class Whole:
    """A body at once, of any type."""

    body: bytes
    headers: Mapping[str, str]

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.head(200, {"content-length": str(len(self.body)), **self.headers})
        wire.raw(self.body)


@dataclass(frozen=True)
class Flood:
    """So many tokens, and no end of the answer in them."""

    tokens: int = 100_000

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.head(200, EVENTS)
        token = _event(_delta(asked, "x ", None))
        for _ in range(self.tokens // 100):
            wire.chunk(token * 100)


@dataclass(frozen=True)
class Drip:
    """A right answer, so slowly that it never ends."""

    value: Any

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.head(200, EVENTS)
        for byte in b"".join(events(asked, json.dumps(self.value), "stop")):
            wire.chunk(bytes([byte]))
            wire.waits(0.05)


@dataclass(frozen=True)
class DripHeaders:
    """Headers that never end."""

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.raw(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while True:
            wire.raw(b"x")
            wire.waits(0.05)


@dataclass(frozen=True)
class LongHeaders:
    """Headers of many bytes."""

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.raw(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            wire.raw(b"x-%d: %s\r\n" % (number, b"x" * 100))


@dataclass(frozen=True)
class Cut:
    """The connection is cut in the midst of the answer."""

    value: Any

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.head(200, EVENTS)
        wire.chunk(events(asked, json.dumps(self.value), "stop")[0])


@dataclass(frozen=True)
class Hang:
    """Nothing, for as long as somebody listens."""

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        wire.waits(60)


@dataclass(frozen=True)
class Then:
    """One behaviour a question, the last for all that come after."""

    behaviours: Sequence[Behaviour]
    _count: list[int]

    def __call__(self, asked: Asked, wire: Wire) -> None:
        """See Behaviour."""
        turn = min(self._count[0], len(self.behaviours) - 1)
        self._count[0] += 1
        self.behaviours[turn](asked, wire)


def then(*behaviours: Behaviour) -> Then:
    """See Then."""
    return Then(behaviours, [0])


def answers(model: Callable[[str, str, Mapping[str, Any]], Any]) -> Callable[[Asked], Behaviour]:
    """A script for a server: a model's answer to (system, user, schema); what it has none for fails."""

    def script(asked: Asked) -> Behaviour:
        answer = model(asked.system, asked.user, asked.schema)
        return Status(500) if answer is None else Say(answer)

    return script


EVENTS = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
HTML = Whole(b"<html><body>Please sign in</body></html>", {"content-type": "text/html"})


def zipped(value: Any) -> Whole:
    """A right answer, compressed though nobody asked for that."""
    body = gzip.compress(json.dumps({"choices": [{"message": {"role": "assistant", "content": json.dumps(value)}}]}).encode())
    return Whole(body, {"content-type": "application/json", "content-encoding": "gzip"})


def redirect(asked: Asked, wire: Wire) -> None:
    """Off to somebody else, with the key and the case."""
    wire.head(307, {"location": "http://127.0.0.1:9/v1/chat/completions", "content-length": "0"})


def broken_events(asked: Asked, wire: Wire) -> None:
    """Events that are not JSON."""
    Whole(b'data: {"choices": [WORDS OF THE SERVER\n\ndata: [DONE]\n\n', {"content-type": "text/event-stream"})(asked, wire)


def error_event(asked: Asked, wire: Wire) -> None:
    """An error in the midst of the answer."""
    body = b'data: {"error": {"message": "WORDS OF THE SERVER", "type": "server_error"}}\n\n'
    Whole(body, {"content-type": "text/event-stream"})(asked, wire)


def events(asked: Asked, text: str, finish: str) -> list[bytes]:
    """An answer as events, a few characters in each."""
    pieces = [text[at : at + 40] for at in range(0, len(text), 40)]
    told = [_event(_delta(asked, piece, None, first=n == 0)) for n, piece in enumerate(pieces)]
    return [*told, _event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})]


def _delta(asked: Asked, piece: str, finish: str | None, first: bool = False) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": "assistant"} if first else {}
    if asked.way == "tools":
        call: dict[str, Any] = {"index": 0, "function": {"arguments": piece}}
        if first:
            call |= {"id": "call_1", "type": "function"}
            call["function"]["name"] = asked.body["tools"][0]["function"]["name"]
        delta["tool_calls"] = [call]
    else:
        delta["content"] = piece
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _event(inner: Mapping[str, Any]) -> bytes:
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", **inner}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"
