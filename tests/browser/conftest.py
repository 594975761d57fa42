"""What browser tests share: a seeded dashboard, and pages of a real Chromium that are signed in.

def test_the_queue_opens(dashboard: Dashboard, page_as: PageAs) -> None:
    page = page_as("rita")
    page.goto(f"{dashboard.url}/queue")
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dashboard.visitor import COOKIE
from tests.browser.serving import Dashboard, seeded
from tests.conftest import _database

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: no sandbox: Chromium's own needs rights that a container's root does not have; the rest keeps it off the network
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: milliseconds after which something that should be on the page is not there
PATIENCE_MS = 45_000
expect.set_options(timeout=PATIENCE_MS)

#: PageAs(name, **context): a page signed in as this person; "" for nobody. `context` as of Browser.new_context.
PageAs = Callable[..., Page]


@pytest.fixture(scope="session")
def dashboard(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard of this worker, over a database of its own."""
    need_chromium()
    with _database(server_url) as url, seeded(url, tmp_path_factory.mktemp("dashboard") / "log.txt") as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for a module: while Playwright runs, nothing else in this thread can run an event loop."""
    need_chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page_as(browser: Browser, dashboard: Dashboard) -> Iterator[PageAs]:
    """Pages in browser contexts of their own: what one person does there, another does not see."""
    contexts: list[BrowserContext] = []

    def open_page(name: str = "", **chosen: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **chosen})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if name:
            context.add_cookies([{"name": COOKIE, "value": dashboard.token(name), "url": dashboard.url}])
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def quiet(page: Page) -> None:
    """Wait until Streamlit has drawn the page: somebody is signed in, and no script runs."""
    page.wait_for_selector(".st-key-m-account", timeout=PATIENCE_MS)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE_MS)


def see(page: Page, path: Path) -> None:
    """Keep a picture of the page."""
    page.screenshot(path=path)


def need_chromium() -> None:
    """Skip the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine; install it (Debian: apt-get install chromium) to run browser tests")
