"""What a person sees in the pages of a system, in a real Chromium that nothing but this machine is open to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, ViewportSize, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, PATIENCE_MS

_SIZE: ViewportSize = {"width": 1440, "height": 900}


class Pages:
    """A signed-in page, in a thread of its own: while Playwright runs, nothing else in its thread can run an event loop.

    Pictures go to a folder, where there is one. Skips the test where there is no Chromium.
    """

    def __init__(self, sign_in: Callable[[Page], None], pictures: Path | None) -> None:
        if CHROMIUM is None:
            pytest.skip("Chromium is not installed")
        self._pictures, self._thread = pictures, ThreadPoolExecutor(1)
        self._playwright: Playwright = self._thread.submit(lambda: sync_playwright().start()).result()
        self._browser: Browser = self._thread.submit(
            lambda: self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        ).result()
        self._page = self._thread.submit(self._signed_in, sign_in).result()

    def show(self, url: str, text: str, picture: str = "") -> str:
        """The words of a page once this text is on it. Raises playwright.sync_api.TimeoutError where it never is."""
        return self._thread.submit(self._show, url, text, picture).result()

    def close(self) -> None:
        """Close Chromium."""
        self._thread.submit(self._browser.close).result()
        self._thread.submit(self._playwright.stop).result()
        self._thread.shutdown()

    def _signed_in(self, sign_in: Callable[[Page], None]) -> Page:
        page = self._browser.new_page(viewport=_SIZE)
        page.set_default_timeout(PATIENCE_MS)
        page.route("**/*", _only_here)
        sign_in(page)
        return page

    def _show(self, url: str, text: str, picture: str) -> str:
        self._page.goto("about:blank")
        self._page.goto(url)
        self._page.get_by_text(text).first.wait_for()
        self._page.wait_for_load_state("networkidle")
        if self._pictures and picture:
            self._page.screenshot(path=self._pictures / f"{picture}.png")
        return self._page.inner_text("body")


def _only_here(route: Route) -> None:
    if route.request.url.split("/")[2].startswith("127.0.0.1:"):
        route.continue_()
    else:
        route.abort()
