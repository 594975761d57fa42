"""What stands before every request: only this site's own pages come in, and who is not signed in is led to the form.

Every answer says how browsers may use it.
"""

from collections.abc import Callable
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboard.events import EVENTS
from dashboard.health import HEALTH, METRICS
from dashboard.origin import Site, is_own_origin
from dashboard.visitor import COOKIE, SIGN_IN
from errors import MissionsError

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
#: Whether a token is that of a session
SignedIn = Callable[[str], bool]


class Guard:
    """Middleware. Without `signed_in` (an OIDC provider) the pages ask who is there, as they do for every websocket."""

    def __init__(self, app: ASGIApp, site: Site, signed_in: SignedIn | None) -> None:
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
            return self._signed_in is None or await self._has_session(connection, self._signed_in)
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
            known = await self._has_session(request, self._signed_in)
        except MissionsError as error:
            return PlainTextResponse(str(error), 503, {"Retry-After": "5"})
        if known:
            return None
        if closed:
            return PlainTextResponse("Sign in first.", 403)
        back = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(
            SIGN_IN if back == "/" else f"{SIGN_IN}?next={quote(back, safe='/')}", 303, {"Cache-Control": "no-store"}
        )

    async def _has_session(self, connection: HTTPConnection, signed_in: SignedIn) -> bool:
        token = connection.cookies.get(COOKIE)
        return await to_thread.run_sync(signed_in, token) if token else False


def is_page(path: str) -> bool:
    """Whether an address is that of a page, and not of a file, of Streamlit's own, or of a door for other programs."""
    if path == EVENTS or path in _WATCHED or path.startswith(_OPEN):
        return False
    return "/_stcore/" not in path and "." not in path.rsplit("/", 1)[-1]
