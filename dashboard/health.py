"""`/health` and `/metrics`, for who watches the dashboard: neither takes somebody who is signed in."""

import secrets
from ipaddress import ip_address

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard.company import company
from errors import MissionsError
from ledger.health import health
from ledger.metrics import CONTENT_TYPE, metrics

HEALTH, METRICS = "/health", "/metrics"
#: what a proxy adds: then the caller is not who it seems
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_FRESH = {"Cache-Control": "no-store"}


def watch_routes() -> list[Route]:
    """The two routes."""
    return [Route(HEALTH, _health, methods=["GET"]), Route(METRICS, _metrics, methods=["GET"])]


async def _health(_: Request) -> Response:
    found = {**await to_thread.run_sync(health, company().ledger), "runtime": company().opening()}
    if found["runtime"] == "cannot be opened":
        found["status"] = "unwell"
    return JSONResponse(found, 200 if found["status"] == "ok" else 503, _FRESH)


async def _metrics(request: Request) -> Response:
    if not _may_read(request, company().settings.metrics_token.get_secret_value()):
        return PlainTextResponse("Send MISSIONS_METRICS_TOKEN as a bearer token.", 401, {"WWW-Authenticate": "Bearer", **_FRESH})
    try:
        figures = await to_thread.run_sync(metrics, company().ledger)
    except MissionsError as error:
        return PlainTextResponse(str(error), 503, _FRESH)
    return Response(figures, 200, {"Content-Type": CONTENT_TYPE, **_FRESH})


def _may_read(request: Request, token: str) -> bool:
    """Who has the token; without one, programs of this machine."""
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())
    if any(name in request.headers for name in _FORWARDED) or request.client is None:
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
