"""Signing in and out in a real browser, and what a stranger gets by address."""

import http.client
import re
from datetime import timedelta
from urllib.parse import quote, urlencode, urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from dashboard.visitor import COOKIE
from tests.browser.conftest import PATIENCE_MS, PageAs, quiet
from tests.browser.serving import PASSWORD, Dashboard, signed_in
from tests.ledger_examples import admitted, enrolled

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
ADDRESSES = ("/", "/queue", "/runs", "/run?run=r-1", "/knowledge", "/evaluations", "/incidents", "/people", "/portal", "/nothing")


@pytest.fixture
def newcomer(dashboard: Dashboard) -> tuple[str, str]:
    """(name, one-time password) of an analyst who was never here."""
    _, one_time = dashboard.desk.admit("nell", "analyst")
    return "nell", one_time or dashboard.desk.give_one_time("nell")


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def menu(page: Page, name: str) -> None:
    """Open the account menu."""
    page.locator(".st-key-m-account").get_by_role("button", name=name).click()


def answer(dashboard: Dashboard, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], str]:
    """What the server says to a client of its own making: status, headers by lower-case name, body."""
    connection = http.client.HTTPConnection(urlsplit(dashboard.url).netloc, timeout=20)
    try:
        connection.request(
            method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items() if value}
        )
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
    finally:
        connection.close()


def test_a_one_time_password_leads_to_an_own_one_and_to_the_page_that_was_asked_for(
    dashboard: Dashboard, page_as: PageAs, newcomer: tuple[str, str]
) -> None:
    name, one_time = newcomer
    page = page_as(java_script_enabled=False)
    page.goto(f"{dashboard.url}/runs?mission=order_exception")
    sign_in(page, name, one_time)
    expect(page.get_by_role("alert")).to_have_text("This was a one-time password: choose one of your own.")
    page.get_by_label("Your new password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(f"{PASSWORD}!")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ: type the same one twice.")
    page.get_by_label("Your new password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.get_by_role("button", name="Keep it").click()
    page.wait_for_url(f"{dashboard.url}/runs?mission=order_exception")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", False)


def test_who_is_signed_in_stays_so_over_a_reload_and_is_out_after_signing_out(dashboard: Dashboard, page_as: PageAs) -> None:
    signed_in(dashboard.desk, "olga")  # gives her PASSWORD
    page = page_as()
    page.goto(dashboard.url)
    sign_in(page, "olga", PASSWORD)
    quiet(page)
    page.reload()
    quiet(page)
    (cookie,) = [one["value"] for one in page.context.cookies() if one["name"] == COOKIE]
    menu(page, "olga")
    page.get_by_text("olga auditor").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{dashboard.url}/sign-in")
    assert dashboard.desk.who(cookie) is None
    page.goto(f"{dashboard.url}/queue")
    assert page.url == f"{dashboard.url}/sign-in?next=/queue"


def test_a_wrong_password_is_one_sentence_and_the_name_stays(dashboard: Dashboard, page_as: PageAs) -> None:
    page = page_as()
    page.goto(f"{dashboard.url}/sign-in")
    hostile = '"><img src=x onerror=alert(1)>'
    for name in ("ron", hostile):
        sign_in(page, name, "not the password")
        expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
        expect(page.get_by_label("Name")).to_have_value(name)
    assert page.locator("img").count() == 0


def test_after_five_wrong_passwords_the_right_one_waits_there_and_is_told_nothing(dashboard: Dashboard, page_as: PageAs) -> None:
    dashboard.desk.admit("locke", "analyst")
    signed_in(dashboard.desk, "locke")
    page = page_as()
    page.goto(f"{dashboard.url}/sign-in")
    for _ in range(5):
        sign_in(page, "locke", "not the password")
    sign_in(page, "locke", PASSWORD)
    expect(page.get_by_role("alert")).to_have_text("The name or the password is not right.")
    assert dashboard.desk.sign_in("locke", PASSWORD, timedelta(hours=1)).token, "from elsewhere it opens"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_signed_out_visitor_gets_the_form_and_nothing_else_by_address(dashboard: Dashboard, address: str) -> None:
    for cookie in ("", f"{COOKIE}=made-up", f"{COOKIE}={'x' * 3_000}"):
        status, headers, body = answer(dashboard, "GET", address, Cookie=cookie)
        assert (status, body) == (303, "")
        assert headers["location"] == ("/sign-in" if address == "/" else f"/sign-in?next={quote(address, safe='/')}")


def test_a_signed_out_visitor_gets_no_files_of_a_page(dashboard: Dashboard) -> None:
    for path in ("/media/x.csv", "/_stcore/metrics", "/_stcore/agent/openapi.json", "/_stcore/upload_file/a/b"):
        assert answer(dashboard, "GET", path)[0] == 403


def test_a_websocket_draws_a_page_for_who_is_signed_in_and_none_is_had_otherwise(dashboard: Dashboard) -> None:
    kinds, told = drawn(dashboard, dashboard.token("admin"), "people")
    assert ("navigation" in kinds, b"Sign out" in told) == (True, True)
    for token in ("", "made-up"):
        with pytest.raises(InvalidStatus):
            drawn(dashboard, token, "people")


def drawn(dashboard: Dashboard, token: str, page: str) -> tuple[set[str], bytes]:
    """What the script sends to a websocket of our own making when it draws a page: kinds of messages, and all of them."""
    url = f"{dashboard.url.replace('http', 'ws')}/_stcore/stream"
    cookie = {"Cookie": f"{COOKIE}={token}"} if token else {}
    here, protocol = Origin(dashboard.url), Subprotocol("streamlit")
    with connect(url, origin=here, additional_headers=cookie, subprotocols=[protocol]) as socket:
        asked = BackMsg()
        asked.rerun_script.page_name = page
        socket.send(asked.SerializeToString())
        kinds, told = set(), b""
        while True:
            frame = socket.recv(timeout=PATIENCE_MS / 1_000)
            assert isinstance(frame, bytes)
            told += frame
            message = ForwardMsg()
            message.ParseFromString(frame)
            kinds.add(message.WhichOneof("type"))
            if "script_finished" in kinds:
                return kinds, told


def test_a_wrong_role_sees_nothing_by_address(dashboard: Dashboard, page_as: PageAs) -> None:
    page = page_as("rita")
    page.goto(f"{dashboard.url}/people")
    quiet(page)
    assert "olga" not in page.inner_text("body")
    page = page_as("casey")
    for address in ADDRESSES:
        page.goto(f"{dashboard.url}{address}")
        quiet(page)
        text = page.inner_text("body")
        assert not [word for word in ("Decision Queue", "Incidents", "People", "Explain rail") if word in text], address


def test_a_session_that_expires_leads_to_the_form_at_the_next_click_and_back(dashboard: Dashboard, page_as: PageAs) -> None:
    token = signed_in(dashboard.desk, "ana")
    page = page_as()
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": dashboard.url}])
    page.goto(f"{dashboard.url}/knowledge")
    quiet(page)
    with psycopg.connect(dashboard.database_url) as session:
        session.execute("UPDATE ledger.sessions SET expires_at = now() - interval '1 second' WHERE key = 'ana'")
    page.get_by_role("link", name="Runs").click()
    page.wait_for_url(re.compile("/sign-in"))
    sign_in(page, "ana", PASSWORD)
    quiet(page)
    assert urlsplit(page.url).path == "/knowledge"


def test_a_role_that_is_taken_away_holds_at_the_next_click(dashboard: Dashboard, page_as: PageAs) -> None:
    admitted(dashboard.desk, "adele", "administrator")
    page = page_as("adele")
    page.goto(f"{dashboard.url}/people")
    quiet(page)
    page.get_by_label("Name").fill("mallory")
    enrolled(dashboard.desk, "adele", "analyst")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="People", exact=True).wait_for(state="detached")
    assert dashboard.company.ledger.person("mallory") is None


def test_an_administrator_asks_for_a_person_and_is_shown_half_of_a_password_once(dashboard: Dashboard, page_as: PageAs) -> None:
    page = page_as("admin")
    page.goto(f"{dashboard.url}/people")
    quiet(page)
    page.get_by_label("Name").fill("**vic** <i>tor</i>")
    page.get_by_role("button", name="Add", exact=True).click()
    one_time = page.locator(".m-secret").inner_text()
    admitted(dashboard.desk, "second", "administrator")
    (asked,) = (one for one in dashboard.desk.admissions() if one.name == "**vic** <i>tor</i>")
    other = dashboard.desk.confirm(asked.admission_id, "second").one_time
    assert dashboard.desk.sign_in("**vic** <i>tor</i>", f"{one_time}-{other}", timedelta(hours=1)).choose
    page.reload()
    quiet(page)
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_visible()
    assert one_time not in page.content()


@pytest.mark.parametrize(
    "nowhere", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/\t/elsewhere.example"]
)
def test_signing_in_leads_to_no_other_site(dashboard: Dashboard, nowhere: str) -> None:
    signed_in(dashboard.desk, "sam")
    body = urlencode({"name": "sam", "password": PASSWORD, "next": nowhere}).encode()
    status, headers, _ = answer(dashboard, "POST", "/sign-in", body, **FORM)
    assert (status, headers["location"]) == (303, "/")
    assert "secure" not in headers["set-cookie"].lower()
    status, headers, _ = answer(dashboard, "POST", "/sign-in", body, **FORM, X_Forwarded_Proto="https")
    assert (status, "secure" in headers["set-cookie"].lower()) == (303, True)


HOSTILE = {
    "another site": (b"name=a&password=b", {**FORM, "Sec-Fetch-Site": "cross-site"}),
    "another origin": (b"name=a&password=b", {"Content-Type": FORM["Content-Type"], "Origin": "https://elsewhere.example"}),
    "no origin": (b"name=a&password=b", {"Content-Type": FORM["Content-Type"]}),
    "20 kB": (b"name=a&password=" + b"x" * 20_000, FORM),
    "no UTF-8": (b"\xff\xfe\x00", FORM),
    "escaped bytes that are no UTF-8": (b"name=%ff&password=%fe", FORM),
    "many fields": (b"&".join(b"a%d=1" % number for number in range(500)), FORM),
    "no fields": (b"", FORM),
    "JSON": (b'{"name": "a", "password": {"$ne": 1}}', {**FORM, "Content-Type": "application/json"}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_body_is_told_in_a_sentence(dashboard: Dashboard, kind: str) -> None:
    body, headers = HOSTILE[kind]
    status, _, page = answer(dashboard, "POST", "/sign-in", body, **headers)
    assert (status, len(re.findall('role="alert"', page))) == (400, 1)


def test_browsers_are_told_how_they_may_use_a_page(dashboard: Dashboard) -> None:
    for path, cookie in (("/sign-in", ""), ("/queue", f"{COOKIE}={dashboard.token('rita')}"), ("/queue", "")):
        headers = answer(dashboard, "GET", path, Cookie=cookie)[1]
        assert "frame-ancestors" in headers["content-security-policy"]
        assert headers["x-frame-options"] in ("DENY", "SAMEORIGIN")
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert answer(dashboard, "GET", "/sign-in")[1]["cache-control"] == "no-store"


def test_no_page_breaks_its_own_rules_or_asks_another_site(dashboard: Dashboard, page_as: PageAs) -> None:
    page, told, asked = page_as("admin"), [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/queue", "/runs", "/knowledge", "/evaluations", "/incidents", "/people"):
        page.goto(f"{dashboard.url}{address}")
        quiet(page)
    assert [text for text in told if "Content Security Policy" in text] == []
    own = urlsplit(dashboard.url).netloc
    assert [url for url in asked if urlsplit(url).netloc not in (own, "")] == []


def test_the_form_follows_light_and_dark(dashboard: Dashboard, page_as: PageAs) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page = page_as(color_scheme=scheme)
        page.goto(f"{dashboard.url}/sign-in")
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
