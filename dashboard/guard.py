"""What stands before every request: who is not signed in is led to the form, and every answer says how browsers may use it."""

from collections.abc import Callable
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.events import EVENTS
from dashboard.health import HEALTH, METRICS
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

#: Whether a token is that of a session
SignedIn = Callable[[str], bool]


class Guard:
    """Middleware. Without `signed_in` (an OIDC provider) the pages ask who is there, as they do for every websocket."""

    def __init__(self, app: ASGIApp, signed_in: SignedIn | None) -> None:
        self._app, self._signed_in = app, signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
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

    async def _stopped(self, request: Request) -> Response | None:
        """The answer to who may not pass; None for who may."""
        path = request.url.path
        closed = path.startswith(_CLOSED)
        if self._signed_in is None or not (closed or is_page(path)):
            return None
        token = request.cookies.get(COOKIE)
        try:
            known = await to_thread.run_sync(self._signed_in, token) if token else False
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


def is_page(path: str) -> bool:
    """Whether an address is that of a page, and not of a file, of Streamlit's own, or of a door for other programs."""
    if path == EVENTS or path in _WATCHED or path.startswith(_OPEN):
        return False
    return "/_stcore/" not in path and "." not in path.rsplit("/", 1)[-1]
