"""Signing in at an OpenID Connect provider, in a real browser."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.visitor import COOKIE
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from tests.browser.conftest import PATIENCE_MS, need_chromium, quiet
from tests.browser.serving import serving, signed_in
from tests.conftest import _database

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the library that it uses
    from oidc_provider_mock import User, run_server_in_thread

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the provider
SECRET = "a secret of at least 32 characters, for tests"


@dataclass
class Site:
    url: str
    desk: AdminService


@pytest.fixture(scope="module")
def site(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard whose people sign in at a provider: Ann is a reviewer, Rob's address is not verified, Sue is unknown."""
    need_chromium()
    users = [
        User(sub=name, claims={"email": f"{name}@company.example", "email_verified": verified})
        for name, verified in (("ann", True), ("rob", False), ("sue", True))
    ]
    with _database(server_url) as database, run_server_in_thread(user_claims=users) as provider:
        migrate(database)
        ledger = PostgresLedger.open(database)
        desk = AdminService(ledger)
        for name in ("Ann", "rob"):
            desk.admit(f"{name}@company.example", "reviewer", account=False)
        variables = {
            "MISSIONS_OIDC_METADATA_URL": f"http://localhost:{provider.server_port}/.well-known/openid-configuration",
            "MISSIONS_OIDC_CLIENT_ID": "missions",
            "MISSIONS_OIDC_CLIENT_SECRET": "secret",
            "MISSIONS_COOKIE_SECRET": SECRET,
        }
        with serving(database, tmp_path_factory.mktemp("oidc") / "log.txt", **variables) as url:
            yield Site(url, desk)
        ledger.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.route("**/*jsdelivr*/**", lambda route: route.abort())  # a style sheet of the provider
    yield context.new_page()
    context.close()


def sign_in(site: Site, page: Page, name: str) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=name).click()


def test_a_person_of_the_ledger_comes_in_stays_over_a_reload_and_goes_out(site: Site, page: Page) -> None:
    sign_in(site, page, "ann")
    quiet(page)
    page.reload()
    quiet(page)
    page.locator(".st-key-m-account").get_by_role("button").click()
    page.get_by_text("Ann@company.example reviewer").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.url.startswith(site.url)


def test_who_is_not_in_the_ledger_is_told_whom_to_ask(site: Site, page: Page) -> None:
    sign_in(site, page, "sue")
    expect(page.get_by_text("sue@company.example is not known here: ask an administrator")).to_be_visible()
    assert "Decision Queue" not in page.inner_text("body")


def test_an_address_that_is_not_verified_is_nobodys(site: Site, page: Page) -> None:
    sign_in(site, page, "rob")
    page.wait_for_url(f"{site.url}/")
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.locator(".st-key-m-account").count() == 0


def test_a_local_account_does_not_sign_in_beside_a_provider(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/sign-in")
    page.wait_for_url(f"{site.url}/")
    site.desk.admit("local", "administrator")
    page.context.add_cookies([{"name": COOKIE, "value": signed_in(site.desk, "local"), "url": site.url}])
    page.goto(f"{site.url}/people")
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.locator(".st-key-m-account").count() == 0
