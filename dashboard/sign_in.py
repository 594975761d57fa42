"""The sign-in form: a page of our own beside Streamlit's, for it sets a cookie that no script can read.

It works without JavaScript. Errors are one sentence on the page; a body that no browser sends is a 400.
"""

import base64
import hashlib
import mimetypes
import re
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import parse_qs

import segno
from anyio import CapacityLimiter, to_thread
from markupsafe import Markup
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.branding import accent, text_on
from dashboard.company import company
from dashboard.guard import by_https, same_origin
from dashboard.visitor import COOKIE, SIGN_IN, uses_oidc
from errors import MissionsError
from ledger import credentials
from ledger.credentials import LEAST_CHARACTERS, MOST_CHARACTERS
from ledger.sql.attempts import DEVICE_DAYS, SignInOrigin
from ledger.sql.auth import SignInResult
from settings import Settings

MOST_BODY_BYTES = 10_000
#: fields of the form, and those that may be added by whatever stands between
MOST_FIELDS = 20
#: argon2 takes 64 MiB for each password that it looks at
SIDE_BY_SIDE = 2
#: who waits for that beyond this is sent away
MOST_WAITING = 20
#: the cookie of a browser in which somebody signed in before: others who try their name there or elsewhere cost it nothing
DEVICE = "missions_device"
_STATIC = Path(__file__).with_name("static")
#: an address of this site: browsers leave out tabs and line ends, and read a backslash as a slash
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,1000}")


def routes() -> list[Route]:
    """The routes of the form, and of the pages that somebody sees first."""
    return [Route(SIGN_IN, sign_in, methods=["GET", "POST"]), *(Route(f"/{page}", _to_first) for page in ("queue", "portal"))]


async def _to_first(request: Request) -> Response:
    """The first page of a person has the address "/" and no other."""
    return RedirectResponse("/" + (f"?{request.url.query}" if request.url.query else ""), 303)


async def sign_in(request: Request) -> Response:
    """The form, and what comes of it."""
    if uses_oidc(company().settings):
        return RedirectResponse("/", 303)
    try:
        return await (_submitted(request) if request.method == "POST" else _asked(request))
    except MissionsError as error:
        return _page(local(""), SignInResult(refused=str(error)), status=503)


async def _asked(request: Request) -> Response:
    back, token = local(request.query_params.get("next", "")), request.cookies.get(COOKIE)
    person = await to_thread.run_sync(company().desk.who, token) if token else None
    if person is not None:
        return RedirectResponse(back, 303)
    response = _page(back)
    if token:
        response.delete_cookie(COOKIE)
    return response


async def _submitted(request: Request) -> Response:
    if not same_origin(request):
        return _page("/", SignInResult(refused="This form was sent from another site: sign in here."), status=400)
    given = await _fields(request)
    if given is None:
        return _page("/", SignInResult(refused="What was sent is not this form: fill it in here."), status=400)
    name, password, back = given.get("name", ""), given.get("password", ""), local(given.get("next", ""))
    chosen = given.get("chosen") or None
    if chosen and chosen != given.get("again"):
        different = SignInResult(refused="The two passwords differ: type the same one twice.", choose=True)
        return _page(back, different, name, password)
    lasts = timedelta(hours=company().settings.session_hours)
    if _limiter().statistics().tasks_waiting >= MOST_WAITING:
        return _page(
            back, SignInResult(refused="Too many are signing in at this moment: try again in a few seconds."), name, status=503
        )
    opens = partial(
        company().desk.sign_in, name, password, lasts, chosen, code=given.get("code", ""),
        origin=_origin(request), second_factor=company().settings.second_factor_roles,
    )  # fmt: skip
    knock = await to_thread.run_sync(opens, limiter=_limiter())
    if not knock.token:
        # the one-time password opens nothing any more once another was chosen
        return _page(back, knock, name, (chosen or password) if knock.code else password if knock.choose else "")
    if before := request.cookies.get(COOKIE):
        await to_thread.run_sync(company().desk.sign_out, before)
    response = RedirectResponse(back, 303)
    response.set_cookie(
        COOKIE, knock.token, httponly=True, samesite="lax", secure=by_https(request), max_age=int(lasts.total_seconds())
    )
    response.set_cookie(
        DEVICE, knock.device, httponly=True, samesite="strict", secure=by_https(request), max_age=DEVICE_DAYS * 86_400,
        path=SIGN_IN,
    )  # fmt: skip
    return response


def _origin(request: Request) -> SignInOrigin:
    """From where somebody tries: their address, or that which a proxy of ours tells, and the browser where it is known."""
    return SignInOrigin(request.client.host if request.client else "nowhere", request.cookies.get(DEVICE, ""))


def local(address: str) -> str:
    """Where to go after signing in: an address of this site, and no other.

    >>> local("/run?id=r-1"), local("//elsewhere.example"), local("https://elsewhere.example")
    ('/run?id=r-1', '/', '/')
    """
    return address if _LOCAL.fullmatch(address) and not address.startswith(SIGN_IN) else "/"


async def _fields(request: Request) -> dict[str, str] | None:
    """The fields of the form; None for a body that is too large or no form."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BODY_BYTES:
                return None
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except (ValueError, ClientDisconnect):
        return None
    fields = {
        field: values for field, values in fields.items() if field in ("name", "password", "chosen", "again", "code", "next")
    }
    if not {"name", "password"} <= fields.keys():
        return None
    return {field: values[0].replace("\x00", "") for field, values in fields.items()}


def _page(back: str, knock: SignInResult | None = None, name: str = "", password: str = "", status: int = 200) -> HTMLResponse:
    chosen = company().settings
    style, told = _style(chosen.brand_color), Markup("")
    if knock is not None:
        kind = "told choose" if knock.choose else "told"
        told = Markup('<p class="{}" role="alert">{}</p>').format(kind, knock.refused)
    page = Markup((_STATIC / "sign-in.html").read_text()).format(
        brand=chosen.brand_name,
        logo=_logo(chosen),
        style=Markup(style),
        told=told,
        next=back,
        fields=_fields_of(knock, name, password),
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; form-action 'self'"
    headers = {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(str(page), status, headers)


def _fields_of(knock: SignInResult | None, name: str, password: str) -> Markup:
    if knock is not None and knock.choose:
        return _choosing(name, password)
    if knock is not None and knock.code:
        return _coding(name, password, knock.secret)
    return _asking(name)


def _coding(name: str, password: str, secret: str) -> Markup:
    """The field for a code; where an app does not have the secret yet, the secret too, for its camera and in letters."""
    shown = Markup("")
    if secret:
        address = credentials.totp_address(secret, name.strip(), company().settings.brand_name)
        picture = segno.make(address, micro=False).svg_data_uri(scale=5, border=2, light="#ffffff")
        shown = Markup(
            '<img src="{}" alt="QR code for the app" width="220"><p class="hint">Or type this into the app: {}</p>'
        ).format(picture, secret)
    return Markup(
        '<label for="name">Name</label>'
        '<input id="name" name="name" value="{name}" autocomplete="username" readonly>'
        '<input type="hidden" name="password" value="{password}">'
        "{shown}"
        '<label for="code">Code of your app</label>'
        '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="12" required autofocus>'
        "<button>Sign in</button>"
    ).format(name=name, password=password, shown=shown)


def _asking(name: str) -> Markup:
    here = Markup(" autofocus")
    return Markup(
        '<label for="name">Name</label>'
        '<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" '
        "required{first}>"
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" maxlength="{most}" '
        "required{then}>"
        "<button>Sign in</button>"
    ).format(name=name, most=MOST_CHARACTERS, first="" if name else here, then=here if name else "")


def _choosing(name: str, one_time: str) -> Markup:
    return Markup(
        '<label for="name">Name</label>'
        '<input id="name" name="name" value="{name}" autocomplete="username" readonly>'
        '<input type="hidden" name="password" value="{one_time}">'
        '<label for="chosen">Your new password</label>'
        '<input id="chosen" name="chosen" type="password" autocomplete="new-password" {lengths} required autofocus>'
        '<p class="hint">At least {least} characters; a few words do well.</p>'
        '<label for="again">The same once more</label>'
        '<input id="again" name="again" type="password" autocomplete="new-password" {lengths} required>'
        "<button>Keep it and sign in</button>"
    ).format(
        name=name,
        one_time=one_time,
        least=LEAST_CHARACTERS,
        lengths=Markup('minlength="{}" maxlength="{}"').format(LEAST_CHARACTERS, MOST_CHARACTERS),
    )


@lru_cache(maxsize=1)
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(SIDE_BY_SIDE)


@lru_cache(maxsize=1)
def _style(brand_color: str) -> str:
    color = accent(brand_color)
    return f":root {{ --brand: {color}; --on-brand: {text_on(color)}; }}\n{(_STATIC / 'sign-in.css').read_text()}"


def _logo(chosen: Settings) -> Markup:
    if chosen.brand_logo is None:
        return Markup("")
    kind = mimetypes.guess_type(chosen.brand_logo)[0] or "image/png"
    image = base64.b64encode(chosen.brand_logo.read_bytes()).decode()
    return Markup('<img src="data:{};base64,{}" alt="">').format(kind, image)
