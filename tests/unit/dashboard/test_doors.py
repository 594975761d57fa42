"""The small decisions at the door: whom a provider vouches for, where the form leads to, what can be read on a colour."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request

from dashboard.branding import ACCENT, accents, luminance, text_on
from dashboard.guard import by_https, is_page, same_origin
from dashboard.sign_in import local
from dashboard.visitor import auth_secrets, redirect_uri, verified_name
from errors import BadInput
from settings import Settings

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
CLAIMS = {"email": "ann@company.example", "email_verified": True, "iat": NOW.timestamp() - 3_600}
PROVIDER = {
    "oidc_metadata_url": "https://id.example/.well-known/openid-configuration",
    "oidc_client_id": "missions",
    "oidc_client_secret": "secret",
    "cookie_secret": "x" * 32,
}


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/sign-in", "scheme": "http", "server": ("h", 80), "query_string": b""}
    return Request({**scope, "headers": raw})


def test_a_provider_vouches_for_a_verified_address_for_as_long_as_a_session_lasts() -> None:
    assert verified_name(CLAIMS, timedelta(hours=2), NOW) == "ann@company.example"
    assert verified_name({**CLAIMS, "email_verified": "true"}, timedelta(hours=2), NOW) == "ann@company.example"
    assert verified_name(CLAIMS, timedelta(hours=1), NOW) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False}, {"email_verified": None}, {"email_verified": "yes"}, {"iat": None}, {"iat": "soon"},
        {"email": None}, {"email": "admin"}, {"email": ["ann@company.example"]},
    ],
)  # fmt: skip
def test_a_provider_vouches_for_nobody_otherwise(changes: dict[str, Any]) -> None:
    assert verified_name({**CLAIMS, **changes}, timedelta(hours=2), NOW) == ""
    (left_out,) = changes
    rest = {name: value for name, value in CLAIMS.items() if name != left_out}
    assert verified_name(rest, timedelta(hours=2), NOW) == ""


def test_the_provider_sends_people_back_to_the_address_of_the_dashboard() -> None:
    assert redirect_uri(Settings(port=8600, **PROVIDER)) == "http://127.0.0.1:8600/oauth2callback"
    given = "https://missions.example/oauth2callback"
    assert auth_secrets(Settings(oidc_redirect_uri=given, **PROVIDER))["redirect_uri"] == given


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"oidc_client_id": ""}, "MISSIONS_OIDC_CLIENT_ID"),
        ({"oidc_client_secret": ""}, "MISSIONS_OIDC_CLIENT_SECRET"),
        ({"cookie_secret": ""}, "MISSIONS_COOKIE_SECRET"),
        ({"cookie_secret": "short"}, "MISSIONS_COOKIE_SECRET"),
        ({"address": "0.0.0.0"}, "MISSIONS_OIDC_REDIRECT_URI"),
        ({"oidc_redirect_uri": "https://missions.example/other"}, "MISSIONS_OIDC_REDIRECT_URI"),
    ],
)
def test_a_setting_of_the_provider_that_is_no_good_is_named(changes: dict[str, str], name: str) -> None:
    with pytest.raises(BadInput, match=name):
        auth_secrets(Settings(**{**PROVIDER, **changes}))


def test_secrets_are_not_printed() -> None:
    shown = repr(Settings(**PROVIDER, password="hunter2"))
    assert not [word for word in ("x" * 32, "'secret'", "hunter2") if word in shown]


@pytest.mark.parametrize("address", ["/", "/queue", "/run?run=r-1&look=2", "/knowledge?q=%2F%2Fa"])
def test_the_form_leads_back_to_a_page_of_this_site(address: str) -> None:
    assert local(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "queue", "//a.example", "/\\a.example", "\\\\a", "https://a.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x",
     "/\t/a.example", " /a", "/sign-in", "/sign-in?next=/", "/" + "x" * 2_000, "/a b"],
)  # fmt: skip
def test_the_form_leads_nowhere_else(address: str) -> None:
    assert local(address) == "/"


def test_a_form_is_taken_from_this_site_only() -> None:
    assert same_origin(request(sec_fetch_site="same-origin"))
    assert same_origin(request(host="m.example:8501", origin="https://m.example:8501"))
    for headers in (
        {}, {"host": "m.example"}, {"host": "m.example", "origin": "null"}, {"host": "m.example", "origin": "https://a.example"},
        {"sec_fetch_site": "cross-site", "host": "m.example", "origin": "https://m.example"}, {"sec_fetch_site": "same-site"},
        {"host": ""}, {"sec_fetch_site": "none"},
    ):  # fmt: skip
        assert not same_origin(request(**headers)), headers


def test_https_is_known_from_a_proxy_too() -> None:
    assert not by_https(request())
    assert by_https(request(x_forwarded_proto="https"))
    assert by_https(request(x_forwarded_proto="https, http"))
    assert not by_https(request(x_forwarded_proto="http"))


def test_pages_are_told_from_files() -> None:
    assert all(map(is_page, ("/", "/queue", "/run/", "/nothing/at/all", "/events/", "/events/shop/more", "/eventsx")))
    assert not any(map(is_page, ("/events", "/events/shop")))
    assert not any(map(is_page, ("/sign-in", "/static/js/a.js", "/favicon.png", "/_stcore/stream", "/queue/_stcore/health")))


COLOURS = [ACCENT, "#000000", "#ffffff", "#ffd400", "#8a2be2", "#777777", "#00ff00", "#000033"]


@pytest.mark.parametrize("color", COLOURS)
def test_text_on_the_colour_of_a_brand_can_be_read(color: str) -> None:
    assert contrast(color, text_on(color)) >= 4.4
    light, dark = accents(color)
    assert contrast(light, "#ffffff") >= 4.5
    assert contrast(dark, "#ffffff") >= 4.5
    assert contrast(dark, "#171715") >= 3


def test_our_own_colour_is_the_same_everywhere() -> None:
    assert accents("") == (ACCENT, ACCENT)


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
