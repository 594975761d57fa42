"""What other programs ask of the dashboard: `POST /events`, `/health` and `/metrics`; no cookie is looked at, see docs/events.md.

No other site can have a browser send events, for a token or a signature says which event source it is. An error is one
sentence.
"""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard.company import Company, company
from errors import BadInput, MissionsError, Refused
from graphs.events import MOST_BODY_BYTES, MOST_EVENT_BYTES, MOST_EVENTS, texts_of
from graphs.ingestion import Intake, RawEvent, by_post, ingest
from graphs.mapping import by_mapping, payload_texts
from ledger.canonical import utc_now
from ledger.inbox import EventSource
from ledger.monitoring import CONTENT_TYPE, health, metrics
from ledger.services import Inbox
from systems.event_sources import SourceMapping
from systems.webhooks import require_signature

_log = logging.getLogger(__name__)
EVENTS, HEALTH, METRICS = "/events", "/health", "/metrics"
#: what a proxy adds: then the caller is not who it seems
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
#: requests that are taken in side by side; the others wait, and the threads of the pages are left alone
SIDE_BY_SIDE = 4
_ONE_VALUE = "application/json"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
T = TypeVar("T")
_NO_STORE = {"Cache-Control": "no-store"}
_BEARER = {"WWW-Authenticate": "Bearer"}
#: of all headers of a request of a source
MOST_HEADER_BYTES = 32_000
#: seconds between two lines of the log about requests of one source that were refused
_QUIET_SECONDS = 60.0
_logged: dict[str, float] = {}
# every method: what no route takes would be answered with a page
_METHODS = ["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes() -> list[Route]:
    """The routes of all."""
    return [
        Route(EVENTS, events, methods=_METHODS),
        Route(f"{EVENTS}/{{name}}", source_events, methods=_METHODS),
        Route(HEALTH, _health, methods=["GET"]),
        Route(METRICS, _metrics, methods=["GET"]),
    ]


def is_for_events(path: str) -> bool:
    """Whether events are handed in at an address: /events, or /events/NAME."""
    return re.fullmatch(f"{EVENTS}(/[^/]+)?", path) is not None


async def events(request: Request) -> Response:
    """Take in one event, a list of events, or lines of them."""
    return await _answered(request, _of_events)


async def source_events(request: Request) -> Response:
    """Take in what the software of a source sends, as the mapping of the source says."""
    return await _answered(request, _of_mapping)


async def _answered(request: Request, raws_of: Callable[[Request], Awaitable[list[RawEvent]]]) -> Response:
    try:
        if request.method != "POST":
            raise HTTPException(405, "Events are handed in with POST.", {"Allow": "POST"})
        return await _threaded(_taken_in, company(), await raws_of(request))
    except HTTPException as error:
        return JSONResponse({"error": error.detail}, error.status_code, {**_NO_STORE, **(error.headers or {})})
    except MissionsError as error:
        return JSONResponse({"error": str(error)}, 503, {**_NO_STORE, "Retry-After": "5"})


async def _of_events(request: Request) -> list[RawEvent]:
    source = await _source(request)
    if source.name in company().mappings:
        raise HTTPException(403, f"What {source.name} sends is mapped: send it to {EVENTS}/{source.name}.")
    split = _splitter(request)
    texts = await _threaded(split, await read_body(request, MOST_BODY_BYTES))
    if len(texts) > MOST_EVENTS:
        raise HTTPException(413, f"There are {len(texts):,} events in this request, more than {MOST_EVENTS:,}: send fewer.")
    return [RawEvent(text, by_post(source.name), source.bounds) for text in texts]


async def _of_mapping(request: Request) -> list[RawEvent]:
    name = request.path_params["name"]
    mapping = company().mappings.get(name)
    if mapping and mapping.mailbox:  # whose mails come another way
        mapping = None
    if sum(len(key) + len(value) for key, value in request.headers.raw) > MOST_HEADER_BYTES:
        raise HTTPException(431, f"The headers are longer than {MOST_HEADER_BYTES:,} bytes: send fewer.")
    if mapping is None or mapping.signature is None:
        source = await _threaded(Inbox(company().ledger).source_of, _bearer(request))
        if mapping is None or source is None or source.name != name:
            raise _unproven()
        body = await read_body(request, MOST_EVENT_BYTES)
    else:
        body = await read_body(request, MOST_EVENT_BYTES)
        source = await _signer(request, mapping, body)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != _ONE_VALUE and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(415, f"It comes as JSON: {_ONE_VALUE}, or a type that ends in +json.")
    _require_identity(request)
    try:
        texts = await _threaded(payload_texts, mapping, request.headers.items(), body)
    except BadInput as error:
        raise HTTPException(400, f"It was not accepted: {error}.") from error
    return [RawEvent(text, by_mapping(name), source.bounds) for text in texts]


async def _signer(request: Request, mapping: SourceMapping, body: bytes) -> EventSource:
    """The source that signed a body. HTTPException where none did, or the source was not added or has ended."""
    assert mapping.signature is not None
    try:
        require_signature(mapping.signature, request.headers.items(), body, utc_now())
    except MissionsError as error:
        if time.monotonic() - _logged.get(mapping.name, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            _logged[mapping.name] = time.monotonic()
            _log.warning("a request to %s/%s was refused: %s", EVENTS, mapping.name, error)
        if isinstance(error, Refused):
            raise _unproven() from error
        raise HTTPException(503, "The signature cannot be checked now: send it later.", {"Retry-After": "60"}) from error
    source = await _threaded(Inbox(company().ledger).source_named, mapping.name)
    if source is None or source.ended_at is not None:
        raise _unproven()
    return source


def _unproven() -> HTTPException:
    return HTTPException(
        401, "This takes the signature of this event source, or its token, as Authorization: Bearer TOKEN.", _BEARER
    )


def _taken_in(opened: Company, raws: list[RawEvent]) -> Response:
    intake = Intake(opened.runtime, Inbox(opened.ledger), lambda run: opened.drive(run.run_id), mappings=opened.mappings)
    report = asdict(ingest(intake, raws))
    if not any(raw.mapped_by for raw in raws):
        del report["ignored"]
    stopped, wait_s = report.pop("stopped"), report.pop("wait_s")
    if stopped:
        headers = {**_NO_STORE, "Retry-After": str(wait_s or 5)}
        return JSONResponse({"error": stopped, **report}, 429 if wait_s else 503, headers)
    return JSONResponse(report, 202, _NO_STORE)


def _bearer(request: Request) -> str:
    """The token that came with the request, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _source(request: Request) -> EventSource:
    """Whose token it is. A request without one is looked up all the same, so that it takes as long as another."""
    source = await _threaded(Inbox(company().ledger).source_of, _bearer(request))
    if source is None:
        raise HTTPException(401, "This takes the token of an event source, as Authorization: Bearer TOKEN.", _BEARER)
    return source


def _splitter(request: Request) -> Callable[[bytes], list[bytes | str]]:
    """How a body of this content type is split into the texts of events."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (_ONE_VALUE, *_LINES):
        raise HTTPException(415, f"Events come as {_ONE_VALUE} (one, or a list) or as {_LINES[0]} (one a line).")
    _require_identity(request)
    return partial(_split, kind in _LINES)


def _require_identity(request: Request) -> None:
    """Nothing is unpacked: a small body could be a large one."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Events come as they are: leave out the content encoding.")


def _split(by_line: bool, body: bytes) -> list[bytes | str]:
    if by_line:
        return [line for line in body.split(b"\n") if line.strip()]
    try:
        return texts_of(body)
    except BadInput as error:
        raise HTTPException(400, f"The body is {error}.") from error


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body, whether or not its length is announced. HTTPException as soon as it is too long, or where it ends early."""
    too_long = HTTPException(413, f"The body is longer than {most_bytes:,} bytes: send the events in several requests.")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise too_long
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise too_long
    except ClientDisconnect:
        raise HTTPException(400, "The request ended before its body did.") from None
    return bytes(body)


async def _threaded(function: Callable[..., T], *args: Any) -> T:
    return await to_thread.run_sync(function, *args, limiter=_limiter())


@lru_cache(maxsize=1)
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(SIDE_BY_SIDE)


async def _health(_: Request) -> Response:
    found = {**await to_thread.run_sync(health, company().ledger), "runtime": company().opening()}
    if found["runtime"] == "cannot be opened":
        found["status"] = "unwell"
    return JSONResponse(found, 200 if found["status"] == "ok" else 503, _NO_STORE)


async def _metrics(request: Request) -> Response:
    if not _may_read(request, company().settings.metrics_token.get_secret_value()):
        return PlainTextResponse("Send MISSIONS_METRICS_TOKEN as a bearer token.", 401, {**_BEARER, **_NO_STORE})
    try:
        figures = await to_thread.run_sync(metrics, company().ledger)
    except MissionsError as error:
        return PlainTextResponse(str(error), 503, _NO_STORE)
    return Response(figures, 200, {"Content-Type": CONTENT_TYPE, **_NO_STORE})


def _may_read(request: Request, token: str) -> bool:
    """Who has the token; without one, programs of this machine."""
    if token:
        return secrets.compare_digest(_bearer(request).encode(), token.encode())
    if any(name in request.headers for name in _FORWARDED) or request.client is None:
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
