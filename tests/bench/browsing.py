"""The queue in Chromium: from the address to the first row, and from a click to the card of another proposal."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from dashboard.visitor import COOKIE
from ledger.canonical import utc_now
from ledger.postgres import PostgresLedger
from ledger.records import Event, NewObservation
from ledger.services import AdminService
from settings import settings
from tests.browser.serving import serving, signed_in
from tests.ledger_examples import enrolled

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_FIRST_MS = 90_000
_ROWS = 8


@dataclass(frozen=True)
class Browsed:
    """Seconds of each time."""

    queue: list[float]
    opening: list[float]
    observing: list[float]


def chromium() -> str | None:
    """Where Chromium is, if it is there."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browsed(database_url: str, log: Path, times: int) -> Browsed:
    """Serve a dashboard over this database, and look at its queue as rita."""
    with PostgresLedger.open(database_url) as ledger:
        desk = AdminService(ledger)
        enrolled(desk, "rita", "reviewer")
        token = signed_in(desk, "rita")
    with serving(database_url, log, MISSIONS_HOME=str(settings().home)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_ARGS)
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
        page = context.new_page()
        page.goto(url)
        # the first proposal waits until the runtime is open, which is not what is measured
        page.locator(".c-why").first.wait_for(timeout=_FIRST_MS)
        queue, opening = [_queue(page, url) for _ in range(times)], _opened(page, times)
        with PostgresLedger.open(database_url) as ledger:
            observing = _observed(page, url, ledger, times)
        browser.close()
        return Browsed(queue, opening, observing)


def _queue(page: Page, url: str) -> float:
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator("li.row").first.wait_for()
    return time.perf_counter() - begun


def _opened(page: Page, times: int) -> list[float]:
    """Rows one after the other, but the first, which is open already."""
    page.locator(".c-why").first.wait_for()
    rows = min(page.locator("li.row").count(), _ROWS) - 1
    return [_open(page, 1 + number % rows) for number in range(times)]


def _observed(page: Page, url: str, ledger: PostgresLedger, times: int) -> list[float]:
    """From an observation in the ledger to the Explain rail of a page that nobody touches."""
    seen = Event(
        source_id="bench/rail",
        name="order.payment_review",
        mission="order_exception",
        subject="O-BENCH",
        trigger={},
        as_of=utc_now(),
    )
    run_id = ledger.take_in(seen, "r-bench-rail", {}).run_id
    page.goto(f"{url}/run?run={run_id}")
    page.locator(".r-head h1", has_text=seen.subject).wait_for()
    took = []
    for number in range(times):
        ledger.observe(run_id, [NewObservation("gather", "finding", f"number {number}.")])
        begun = time.perf_counter()
        page.locator(".m-rail-item", has_text=f"number {number}.").wait_for()
        took.append(time.perf_counter() - begun)
    return took


def _open(page: Page, number: int) -> float:
    row = page.locator("li.row").nth(number)
    subject = row.locator(".subject").inner_text()
    begun = time.perf_counter()
    row.click()
    page.locator(".st-key-card .c-head h2", has_text=subject).wait_for()
    return time.perf_counter() - begun
