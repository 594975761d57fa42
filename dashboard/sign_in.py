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

import jinja2
import segno
from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.branding import accent, text_on
from dashboard.company import company
from dashboard.endpoints import read_body
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
        return _page(
            back, SignInResult(refused="The two passwords differ: type the same one twice.", choose=True), name, password
        )
    lasts = timedelta(hours=company().settings.session_hours)
    if _limiter().statistics().tasks_waiting >= MOST_WAITING:
        busy = SignInResult(refused="Too many are signing in at this moment: try again in a few seconds.")
        return _page(back, busy, name, status=503)
    # the address of the browser, or that which a proxy of ours names, and the browser where it is known
    origin = SignInOrigin(request.client.host if request.client else "nowhere", request.cookies.get(DEVICE, ""))
    opens = partial(
        company().desk.sign_in, name, password, lasts, chosen, code=given.get("code", ""),
        origin=origin, second_factor=company().settings.second_factor_roles,
    )  # fmt: skip
    result = await to_thread.run_sync(opens, limiter=_limiter())
    if not result.token:
        # the one-time password opens nothing any more once another was chosen
        return _page(back, result, name, (chosen or password) if result.code else password if result.choose else "")
    if before := request.cookies.get(COOKIE):
        await to_thread.run_sync(company().desk.sign_out, before)
    response = RedirectResponse(back, 303)
    keep = partial(response.set_cookie, httponly=True, secure=by_https(request))
    keep(COOKIE, result.token, samesite="lax", max_age=int(lasts.total_seconds()))
    keep(DEVICE, result.device, samesite="strict", max_age=DEVICE_DAYS * 86_400, path=SIGN_IN)
    return response


def local(address: str) -> str:
    """Where to go after signing in: an address of this site, and no other.

    >>> local("/run?id=r-1"), local("//elsewhere.example"), local("https://elsewhere.example")
    ('/run?id=r-1', '/', '/')
    """
    return address if _LOCAL.fullmatch(address) and not address.startswith(SIGN_IN) else "/"


async def _fields(request: Request) -> dict[str, str] | None:
    """The fields of the form; None for a body that is too large or no form."""
    try:
        body = (await read_body(request, MOST_BODY_BYTES)).decode()
        fields = parse_qs(body, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except (ValueError, HTTPException):
        return None
    if not {"name", "password"} <= fields.keys():
        return None
    known = ("name", "password", "chosen", "again", "code", "next")
    return {field: fields[field][0].replace("\x00", "") for field in known if field in fields}


def _page(back: str, result: SignInResult | None = None, name: str = "", password: str = "", status: int = 200) -> HTMLResponse:
    chosen, result = company().settings, result or SignInResult()
    color = accent(chosen.brand_color)
    style = f":root {{ --brand: {color}; --on-brand: {text_on(color)}; }}\n{(_STATIC / 'sign-in.css').read_text()}"
    qr_code = ""
    if result.secret:  # for the camera of an app that does not have it yet
        address = credentials.totp_address(result.secret, name.strip(), chosen.brand_name)
        qr_code = segno.make(address, micro=False).svg_data_uri(scale=5, border=2, light="#ffffff")
    page = _template().render(
        brand=chosen.brand_name, logo=_logo(chosen), style=style, result=result, next=back, name=name, password=password,
        qr_code=qr_code, least=LEAST_CHARACTERS, most=MOST_CHARACTERS,
    )  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; form-action 'self'"
    headers = {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(page, status, headers)


@lru_cache(maxsize=1)
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(SIDE_BY_SIDE)


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    strict = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return strict.from_string((_STATIC / "sign-in.html").read_text())


def _logo(chosen: Settings) -> str:
    if chosen.brand_logo is None:
        return ""
    kind = mimetypes.guess_type(chosen.brand_logo)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(chosen.brand_logo.read_bytes()).decode()}"
