"""The pictures of docs/, taken of a dashboard over the sample (`make screenshots`). Not a test.

`python -m tests.browser.screenshots FOLDER` takes every page at 1440 and 1024 pixels, light and dark, to be looked at.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from dashboard.visitor import COOKIE
from graphs.settings import CHECKOUT
from tests.browser.conftest import CHROMIUM, FLAGS, quiet
from tests.browser.serving import Dashboard, seeded
from tests.conftest import _database, _server_folder

DOCS = CHECKOUT / "docs" / "images"
#: picture -> who looks, and at what; {run} is the run of O-99308
PAGES: Mapping[str, tuple[str, str]] = {
    "sign-in": ("", "/"),
    "queue": ("rita", "/?run={run}"),
    "run": ("rita", "/run?run={run}"),
    "runs": ("sam", "/runs"),
    "knowledge": ("ana", "/knowledge?policy=FRD"),
    "evaluations": ("ana", "/evaluations"),
    "incidents": ("olga", "/incidents?tab=Audit+log"),
    "people": ("admin", "/people"),
    "portal": ("casey", "/"),
}


def take(folder: Path, sizes: Mapping[str, tuple[int, int, str]]) -> None:
    """Take every page in every size: name -> (width, height, colour scheme)."""
    from ledger.embedded import embedded_url

    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as logs,
        _database(embedded_url(_server_folder())) as url,
        seeded(url, Path(logs) / "log.txt") as dashboard,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for size, (width, height, scheme) in sizes.items():
            for name in PAGES:
                _picture(browser, dashboard, name, folder / f"{name}{size}.png", width, height, scheme)
        browser.close()


def _picture(browser: Browser, dashboard: Dashboard, name: str, file: Path, width: int, height: int, scheme: str) -> None:
    who, path = PAGES[name]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    if who:
        context.add_cookies([{"name": COOKIE, "value": dashboard.token(who), "url": dashboard.url}])
    page = context.new_page()
    page.goto(dashboard.url + path.format(run=dashboard.runs["dev-ord-0007"].run_id))
    if who:
        quiet(page)
        page.wait_for_timeout(2_500)  # charts and lists draw themselves after the script has ended
    page.screenshot(path=file)
    context.close()
    print(file)


if __name__ == "__main__":
    if sys.argv[1:]:
        every = {f"-{w}-{s}": (w, 900, s) for w in (1440, 1024) for s in ("light", "dark")}
        take(Path(sys.argv[1]), every)
    else:
        take(DOCS, {"": (1440, 900, "light")})
