"""A system that is reached by REST: its OpenAPI document lists its tools, and a call of one is one HTTP request.

Answers are put in the form of MCP, so that whatever reads, writes and guards knows no difference. What a status means:

    2xx                    the answer, a JSON object or list; an empty one says that it was done, or (202) that it is pending
    404, 410 of a READ     there is no such record, where the path names one and it is the API that says so
    429, and 503 of a READ try again
    401, 403, 407          refused: the credentials do not do
    other 4xx              refused, in the words of the server
    whatever else          a READ failed; what became of a WRITE is not known
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import Any, TextIO

import httpx2
from mcp_types import CallToolResult

from errors import BadInput, Refused, TryAgain
from strict_json import strict_json
from systems.connection import LIMIT_BYTES, LISTED_FOR, Connection, ErrorKind, Session, Unusable, why
from systems.http import http_client
from systems.openapi import MOST_BYTES
from systems.operations import Operation, read_operations
from systems.pins import ListedTool
from systems.replies import ABSENT, RESULT
from systems.rest_request import RestRequest, rest_request

#: nothing was sent
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol)
#: where the sentence of an error stands, the first that there is; of a list or an object, what is inside
_SENTENCES = ("message", "detail", "error_description", "error", "errors", "title")
#: characters; the status stands behind it
_LONGEST_SENTENCE = 450
#: status, headers and body
Answered = tuple[int, httpx2.Headers, bytes]
#: what an answer says of the version of its record, in `meta` of what is made of it
ETAG = "etag"
_TAG = re.compile(r"<[^>]*>?")


class RestConnection(Connection):
    """Nothing stays open: it lasts until it is closed, and its tools are those of the document as it was read last."""

    _operations: list[ListedTool]
    _digest = ""
    #: by the clock of `time.monotonic`
    _read_at = 0.0

    def drop(self, broken: Session) -> None:
        """A request that failed says nothing about the next one."""

    async def refresh_tools(self, session: Session, *, always: bool = True) -> Mapping[str, ListedTool]:
        """See Connection. No document tells whether the system is well, so it is not read again for every write."""
        try:
            return await super().refresh_tools(session, always=not session.tools)
        except Exception:  # the document is not what it was: nothing is called by the old one
            super().drop(session)
            raise

    @asynccontextmanager
    async def _open(self, stderr: TextIO, changed: asyncio.Event) -> AsyncIterator[Any]:
        async with http_client(self._config, self._credentials) as client:
            await self._read_document(client)
            yield client

    async def _list(self, session: Session) -> list[ListedTool]:
        before = self._digest
        if time.monotonic() - self._read_at > LISTED_FOR:
            await self._read_document(session.client)
        if self._digest != before:
            session.changed.set()  # whoever is about to call looks at the tools again
        return self._operations

    async def _read_document(self, client: httpx2.AsyncClient) -> None:
        source = self._config.openapi or ""
        if "://" in source:
            status, _, text = await self._answered(client, RestRequest("GET", source, {}, None), MOST_BYTES)
            if status != HTTPStatus.OK:
                raise BadInput(f"its document is not at {source}: {_status(status)}")
        else:
            text = await asyncio.to_thread(_of_file, Path(self._source).parent / source)
        self._require_no_secret(text.decode("utf-8", "replace"))
        digest = sha256(text).hexdigest()
        if digest != self._digest:
            self._operations = [*await asyncio.to_thread(read_operations, text, self._config)]
        self._digest, self._read_at = digest, time.monotonic()

    async def _send(self, session: Session, name: str, args: Mapping[str, Any]) -> CallToolResult:
        operation = session.tools.get(name)
        if not isinstance(operation, Operation):
            raise Refused(f"{self._config.name} has no operation {name}; look at its document.")
        request, begun = rest_request(operation, self._config.url or "", args), time.monotonic()
        try:
            status, headers, body = await self._answer(session.client, request, again=operation.reads)
        except _NOT_SENT as error:
            self.pace.failed(begun)
            reason = why(error, "it does not answer", "it does not answer")
            raise TryAgain(f"{self._config.name} cannot be reached ({reason}); start it, or try again.") from error
        except httpx2.TimeoutException as error:
            raise TimeoutError from error
        if 200 <= status < 300:
            value = _value(status, headers, body, operation)
            return CallToolResult(content=[], structured_content=value, _meta={ETAG: headers.get(ETAG, "")})
        names_one = any(one.place == "path" for one in operation.arguments.values())
        if status in (404, 410) and operation.reads and names_one and _is_json(headers):
            return CallToolResult(content=[], structured_content=ABSENT)
        sentence = _sentence(headers, body)
        said = f"{sentence} ({_status(status)})" if sentence else f"{self._config.name} answered {_status(status)}"
        failed = {"error": _kind(status, operation), "message": said, "status": status}
        return CallToolResult(content=[], structured_content=failed, is_error=True)

    async def _answer(self, client: httpx2.AsyncClient, request: RestRequest, *, again: bool) -> Answered:
        """A READ whose connection ended meanwhile is sent again once."""
        try:
            return await self._answered(client, request, LIMIT_BYTES)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            if not again:
                raise
            return await self._answered(client, request, LIMIT_BYTES)

    async def _answered(self, client: httpx2.AsyncClient, request: RestRequest, most_bytes: int) -> Answered:
        """What comes back; no redirect is followed. Raises Unusable for a compressed body, or one that is too long."""
        sent = client.stream(
            request.method,
            request.url,
            headers={**request.headers, "accept-encoding": "identity"},
            content=request.content,
            timeout=self._config.timeout_seconds,
            follow_redirects=False,
        )
        async with sent as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unusable("its answer is compressed, which it was asked not to do")
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > most_bytes:
                    raise Unusable(f"its answer is longer than {most_bytes:,} bytes")
            return response.status_code, response.headers, bytes(body)


def _of_file(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"its document {file} cannot be read: {error.strerror}") from error


def _value(status: int, headers: httpx2.Headers, body: bytes, operation: Operation) -> dict[str, Any]:
    if not body and not operation.reads:
        return {"status": "pending"} if status == HTTPStatus.ACCEPTED else {"ok": True}
    if not _is_json(headers):
        raise Unusable(f"its answer is {headers.get('content-type', 'nothing')[:60]!r} and not JSON")
    try:
        value = strict_json(body)
    except BadInput as error:
        raise Unusable(f"its answer is {error}") from error
    if not isinstance(value, dict | list):
        raise Unusable("its answer is neither a JSON object nor a list")
    return {RESULT: value} if isinstance(value, list) else value


def _is_json(headers: httpx2.Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    return kind == "application/json" or kind.endswith("+json")


def _kind(status: int, operation: Operation) -> ErrorKind:
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and operation.reads):
        return "try_again"
    return "refused" if 400 <= status < 500 and status != HTTPStatus.REQUEST_TIMEOUT else "unknown"


def _status(status: int) -> str:
    return f"{status} {responses.get(status, '')}".strip()


def _sentence(headers: httpx2.Headers, body: bytes) -> str:
    """What a server says of an error, as one plain line; empty where it says nothing, or a page for a browser."""
    try:
        found = strict_json(body) if _is_json(headers) else None
    except BadInput:
        return ""
    while isinstance(found, dict | list):
        inner = found[:1] if isinstance(found, list) else [found[key] for key in _SENTENCES if found.get(key)]
        found = inner[0] if inner else None
    if not isinstance(found, str):
        plain = headers.get("content-type", "").startswith("text/plain")
        found = body[: 4 * _LONGEST_SENTENCE].decode("utf-8", "replace") if plain else ""
    return " ".join(_TAG.sub(" ", found[: 4 * _LONGEST_SENTENCE]).split())[:_LONGEST_SENTENCE]
