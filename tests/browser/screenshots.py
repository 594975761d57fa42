"""The pictures of docs/, taken of a dashboard over the sample (`make screenshots`). Not a test.

`python -m tests.browser.screenshots FOLDER` takes every page at 1440 and 1024 pixels, light and dark, to be looked at.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Browser, sync_playwright

from dashboard.pages.portal import customer_message
from dashboard.visitor import COOKIE
from settings import CHECKOUT
from tests.browser.conftest import CHROMIUM, FLAGS, quiet
from tests.browser.serving import Dashboard, seeded
from tests.conftest import _database, _server_folder
from tests.integration.commands import missions
from tests.integration.live_company import built_home

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
        _home() as home,
        _database(embedded_url(_server_folder())) as url,
        seeded(url, Path(home) / "log.txt", MISSIONS_HOME=home) as dashboard,
        sync_playwright() as playwright,
    ):
        _lived_in(dashboard, Path(home))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for size, (width, height, scheme) in sizes.items():
            for name in PAGES:
                _picture(browser, dashboard, name, folder / f"{name}{size}.png", width, height, scheme)
        browser.close()


@contextmanager
def _home() -> Iterator[str]:
    """A folder for evaluations, with the index of the policies."""
    with tempfile.TemporaryDirectory() as home:
        for part in ("knowledge", "language"):
            (Path(home) / part).symlink_to(built_home() / part)
        yield home


def _lived_in(dashboard: Dashboard, home: Path) -> None:
    """Two evaluations, the first with another threshold; two answered messages of a customer; decisions."""
    # not in `home / "policies"`, whose files are in force beside those of the checkout
    laxer = shutil.copytree(CHECKOUT / "knowledge_index" / "policies", home / "other-policies")
    fraud = laxer / "FRD.md"
    fraud.write_text(fraud.read_text().replace("elevated: 0.40", "elevated: 0.60"))
    for policies in (laxer, CHECKOUT / "knowledge_index" / "policies"):
        cases = sorted((CHECKOUT / "evals" / "cases").glob("*_*.jsonl"))
        done = missions("eval", *cases, "--out", home / "results", MISSIONS_HOME=home, MISSIONS_POLICIES=policies)
        assert done.returncode == 0, done.stderr
    company, casey = dashboard.company, dashboard.company.ledger.person("casey")
    assert casey is not None
    for text in ("My parcel is missing, order 98950 has not turned up.", "Where can I change my password?"):
        event = customer_message(company.runtime.context.packs, casey, text, 0, uuid4().hex, datetime.now(UTC))
        run = company.runtime.drive(company.runtime.take_in(event).run_id)
        if run.status == "waiting" and not company.proposal(run).held_by:
            company.approve(run)
    for case_id, kind in (("dev-ord-0031", "approve"), ("dev-ord-0045", "reject")):
        company.decide(dashboard.runs[case_id], kind, "ron")


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
