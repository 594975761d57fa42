"""A system that answers late, wrongly, twice, or not at all: a layer of ASGI in front of a sandbox system.

Rules say which calls go wrong and how. They come in by POST /rules, from the harness or from a process that wants to
be killed in the middle of its own call.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

#: longer than any client of the harness waits
SLOW_SECONDS = 4.0
LONG_BYTES = 10_000_000
#: what goes wrong, before the system has seen the call or after it has done it
BEFORE = ("late before", "500 before", "429", "killed: call sent", "refused", "ok false", "nothing done")
AFTER = ("late after", "500 after", "garbage", "wrong types", "negative", "huge", "long", "empty", "cut", "twice")
AFTER_KILL = "killed: remote committed"
#: begins the keys under which a system that takes none keeps its receipts
KEYLESS = "keyless-"

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Rule:
    """Calls that go wrong: of these tools, about this, after so many that go well, so often."""

    kind: str
    #: "oms.cancel_order", "reads", "writes", or "listing"
    tools: str
    #: text that the arguments hold, such as the mark of one copied case
    about: str = ""
    skip: int = 0
    times: int = 1_000_000
    #: of the process that is killed
    pid: int = 0
    #: how many calls it took
    met: int = 0

    def takes(self, tool: str, is_read: bool, body: str) -> bool:
        """Whether this call goes wrong; counts it."""
        if self.tools not in (tool, "reads" if is_read else "writes") or self.about not in body:
            return False
        if self.skip:
            self.skip -= 1
            return False
        taken = self.met < self.times
        self.met += taken
        return taken


@dataclass
class Rules:
    """The rules in force, for all systems of a company."""

    now: list[Rule] = field(default_factory=list)

    def put(self, raw: bytes) -> bytes:
        """Replace them, or add to them: {"add": bool, "rules": [...]}; the rules before, as JSON."""
        given, before = json.loads(raw), json.dumps([asdict(rule) for rule in self.now]).encode()
        self.now = (self.now if given["add"] else []) + [Rule(**one) for one in given["rules"]]
        return before

    def of(self, tool: str, is_read: bool, body: str) -> Rule | None:
        """The first rule that takes the call."""
        return next((rule for rule in self.now if rule.takes(tool, is_read, body)), None)


def as_json(rules: Collection[Rule], add: bool) -> bytes:
    """What POST /rules takes."""
    return json.dumps({"add": add, "rules": [asdict(rule) for rule in rules]}).encode()


class Faulty:
    """A system, with faults. One that is `keyless` lists no idempotency keys and does every call anew."""

    def __init__(self, app: App, system: str, reads: Collection[str], rules: Rules, keyless: bool) -> None:
        self._app, self._system, self._reads, self._rules, self._keyless = app, system, reads, rules, keyless

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        body = await _body(receive)
        if scope["path"] == "/rules":
            return await _answer(send, 200, self._rules.put(body))
        request = json.loads(body)
        if request.get("method") == "tools/list":
            return await self._listing(scope, body, send)
        if request.get("method") != "tools/call":
            return await self._pass(scope, body, send)
        return await self._call(scope, request, send)

    async def _call(self, scope: Message, request: Message, send: Send) -> None:
        name = request["params"]["name"]
        arguments = request["params"].setdefault("arguments", {})
        is_read = name in self._reads
        rule = self._rules.of(f"{self._system}.{name}", is_read, json.dumps(arguments))
        if rule is not None and rule.kind in BEFORE:
            return await self._fail_before(rule, request, send)
        answers = [
            await self._forwarded(scope, json.dumps(self._keyed(request, is_read)).encode())
            for _ in range(2 if rule is not None and rule.kind == "twice" else 1)
        ]
        status, headers, body = answers[-1]
        if rule is None or rule.kind == "twice":
            return await _answer(send, status, body, headers)
        await self._fail_after(rule, body, headers, send)

    async def _fail_before(self, rule: Rule, request: Message, send: Send) -> None:
        if rule.kind == "killed: call sent":
            return await _kill(rule.pid)
        if rule.kind == "refused":
            said = "The system does not do this today."
            result = {"content": [{"type": "text", "text": said}], "isError": True, "resultType": "complete",
                      "structuredContent": {"error": "refused", "message": said}}  # fmt: skip
            return await _answer(send, 200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode())
        if rule.kind in ("ok false", "nothing done"):
            lie = {"ok": False} if rule.kind == "ok false" else {"ok": True, "receipt_id": "rc_none"}
            result = {"content": [], "resultType": "complete", "structuredContent": lie}
            return await _answer(send, 200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode())
        if rule.kind == "late before":
            await asyncio.sleep(SLOW_SECONDS)
        await _answer(send, 429 if rule.kind == "429" else 500, b"")

    async def _fail_after(self, rule: Rule, body: bytes, headers: list[Any], send: Send) -> None:
        if rule.kind == AFTER_KILL:
            return await _kill(rule.pid)
        if rule.kind == "cut":
            await send({"type": "http.response.start", "status": 200, "headers": _told(headers, len(body))})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionResetError("cut off on purpose")
        if rule.kind == "late after":
            await asyncio.sleep(SLOW_SECONDS)
        elif rule.kind == "500 after":
            return await _answer(send, 500, b"")
        elif rule.kind == "garbage":
            body = bytes(range(256)) * 8
        elif rule.kind == "empty":
            body = b""
        else:
            body = _twisted(rule.kind, body)
        await _answer(send, 200, body, headers)

    async def _listing(self, scope: Message, body: bytes, send: Send) -> None:
        status, headers, answer = await self._forwarded(scope, body)
        listed = json.loads(answer)
        for tool in listed.get("result", {}).get("tools", ()):
            schema = tool["inputSchema"]
            if self._keyless and schema["properties"].pop("idempotency_key", None):
                schema["required"].remove("idempotency_key")
            if any(rule.kind == "schema" and rule.tools == f"{self._system}.{tool['name']}" for rule in self._rules.now):
                schema["properties"]["also_notify"] = {"type": "string", "title": "Also Notify"}
        await _answer(send, status, json.dumps(listed).encode(), headers)

    def _keyed(self, request: Message, is_read: bool) -> Message:
        if not self._keyless or is_read:
            return request
        arguments = {**request["params"]["arguments"], "idempotency_key": f"{KEYLESS}{uuid4().hex}"}
        return {**request, "params": {**request["params"], "arguments": arguments}}

    async def _pass(self, scope: Message, body: bytes, send: Send) -> None:
        await self._app(_sized(scope, body), _once(body), send)

    async def _forwarded(self, scope: Message, body: bytes) -> tuple[int, list[Any], bytes]:
        got: list[Message] = []

        async def keep(message: Message) -> None:
            got.append(message)

        await self._app(_sized(scope, body), _once(body), keep)
        return got[0]["status"], got[0]["headers"], b"".join(one.get("body", b"") for one in got[1:])


def _twisted(kind: str, body: bytes) -> bytes:
    """The answer with other values: of other types, below zero, beyond any amount, or very long."""
    answer = json.loads(body)
    result = answer.get("result", {})
    if kind == "long":
        result["structuredContent"] = {**(result.get("structuredContent") or {}), "more": "x" * LONG_BYTES}
    else:
        result["structuredContent"] = _other(kind, result.get("structuredContent"))
    result["content"] = [{"type": "text", "text": json.dumps(result["structuredContent"])}]
    return json.dumps(answer).encode()


def _other(kind: str, value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _other(kind, inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_other(kind, inner, name) for inner in value]
    if kind == "wrong types":
        return str(value) if isinstance(value, int | float) else {"is": value} if name == "status" else value
    if isinstance(value, int) and not isinstance(value, bool):
        return -value - 1 if kind == "negative" else 10**18 + value
    return value


async def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(SLOW_SECONDS)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _once(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _sized(scope: Message, body: bytes) -> Message:
    return {**scope, "headers": _told(scope["headers"], len(body))}


def _told(headers: list[Any], length: int) -> list[Any]:
    others = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    return [*others, (b"content-length", str(length).encode())]


async def _answer(send: Send, status: int, body: bytes, headers: list[Any] | None = None) -> None:
    told = _told(headers or [(b"content-type", b"application/json")], len(body))
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
