"""What stands before every request: only this site's own pages come in, in time, and who is not signed in is led to the form.

Every answer says how browsers may use it.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboard.endpoints import HEALTH, METRICS, is_for_events
from dashboard.visitor import COOKIE, SIGN_IN
from errors import BadInput, MissionsError
from settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE = ("0.0.0.0", "::")
#: a host as browsers send it: lower case, with the port unless it is that of the scheme
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
#: what a signed-out browser may ask for: the form, Streamlit's own files and health, the ways of the OIDC provider
_OPEN = (SIGN_IN, "/static/", "/component/", "/_stcore/", "/auth/", "/oauth2callback")
#: what decides by itself who may read it
_WATCHED = (HEALTH, METRICS)
#: what it may not, and what is no page either
_CLOSED = ("/media/", "/_stcore/metrics", "/_stcore/agent/", "/_stcore/upload_file")
#: scripts and styles as Streamlit needs them ('unsafe-eval': charts); nothing is loaded from or sent to elsewhere,
#: so that an image in a text from outside tells nobody that it was read
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    # not "no-referrer": forms would then be sent with the origin "null"
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NOT_OURS = "This is not the host of the dashboard: name it in MISSIONS_HOSTS, and have a proxy keep Host."


@dataclass(frozen=True)
class Site:
    """The hosts by which a browser may ask for the dashboard, as `Host` names them: `missions.example`, `127.0.0.1:8501`."""

    hosts: Collection[str]
    port: int
    #: whether every address of this machine in numbers is one, which nobody can have lead elsewhere
    everywhere: bool = False

    def answers_for(self, headers: Headers) -> bool:
        """Whether the one `Host` is ours. A name of somebody else may lead here too: then a page of theirs would seem ours."""
        named = headers.getlist("host")
        if len(named) != 1 or named[0] in self.hosts:
            return len(named) == 1
        name, _, port = named[0].rpartition(":")
        try:
            ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return self.everywhere and port == str(self.port)


def site_of(chosen: Settings) -> Site:
    """The site that is served. BadInput for a host in MISSIONS_HOSTS that no browser would send."""
    given = [host.strip() for host in chosen.hosts.split(",") if host.strip()]
    for host in given:
        if not _HOST.fullmatch(host):
            raise BadInput(f"MISSIONS_HOSTS: {host!r} is no host; write missions.example, or missions.example:8443")
    address = f"[{chosen.address}]" if ":" in chosen.address else chosen.address
    everywhere = chosen.address in _EVERYWHERE
    names = _LOOPBACK if everywhere or address in _LOOPBACK else (address,)
    hosts = {*given, urlsplit(chosen.oidc_redirect_uri).netloc.lower(), *(f"{name}:{chosen.port}" for name in names)} - {""}
    if chosen.port == 80:  # which browsers leave out
        hosts.update(names)
    return Site(hosts, chosen.port, everywhere)


def is_own_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks is of this site: scheme, host and port are those that it asks for, to the letter."""
    origins = connection.headers.getlist("origin")
    scheme = "https" if by_https(connection) else "http"
    return origins == [f"{scheme}://{connection.headers.get('host', '')}"]


def same_origin(request: Request) -> bool:
    """Whether a page of this site sent it. Browsers say so in one header or the other; who says nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host") != ""


def by_https(connection: HTTPConnection) -> bool:
    """Whether the browser asked by https, of us or of a proxy before us."""
    forwarded = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return connection.scope["scheme"] in ("https", "wss") or forwarded == "https"


class RequestGuard:
    """Middleware. Without `signed_in`, whether a token is that of a session (it is None with an OIDC provider), the pages ask
    who is there, as they do for every websocket.
    """

    def __init__(self, app: ASGIApp, site: Site, signed_in: Callable[[str], bool] | None) -> None:
        self._app, self._site, self._signed_in = app, site, signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "websocket":
            may_pass = await self._may_connect(HTTPConnection(scope))
            await (self._app if may_pass else WebSocketClose())(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = await self._stopped(Request(scope, receive))
        await (answer or self._app)(scope, receive, send_guarded)

    async def _may_connect(self, connection: HTTPConnection) -> bool:
        """Whether Streamlit sees this websocket: it would let every port of this machine in, and ask an address service
        of others which address ours is. A refusal before it is accepted is a 403."""
        if not (self._site.answers_for(connection.headers) and is_own_origin(connection)):
            return False
        try:
            return await self._has_session(connection)
        except MissionsError:
            return False

    async def _stopped(self, request: Request) -> Response | None:
        """The answer to who may not pass; None for who may."""
        if not self._site.answers_for(request.headers):
            return PlainTextResponse(_NOT_OURS, 421)
        path = request.url.path
        closed = path.startswith(_CLOSED)
        if self._signed_in is None or not (closed or is_page(path)):
            return None
        try:
            if await self._has_session(request):
                return None
        except MissionsError as error:
            return PlainTextResponse(str(error), 503, {"Retry-After": "5"})
        if closed:
            return PlainTextResponse("Sign in first.", 403)
        back = path + (f"?{request.url.query}" if request.url.query else "")
        form = SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='/')}"
        return RedirectResponse(form, 303, {"Cache-Control": "no-store"})

    async def _has_session(self, connection: HTTPConnection) -> bool:
        token = connection.cookies.get(COOKIE)
        return self._signed_in is None or (await to_thread.run_sync(self._signed_in, token) if token else False)


def is_page(path: str) -> bool:
    """Whether an address is that of a page, and not of a file, of Streamlit's own, or of a door for other programs."""
    if is_for_events(path) or path in _WATCHED or path.startswith(_OPEN):
        return False
    return "/_stcore/" not in path and "." not in path.rsplit("/", 1)[-1]
