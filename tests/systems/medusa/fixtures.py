"""A shop with its company, what it posts and connects to, and Missions over it. A module names it in `pytest_plugins`."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

from graphs.runtime import open_database, open_runtime
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import PolicyBook
from ledger.roles import grant_roles
from settings import Settings
from tests.conftest import _database
from tests.integration.live_company import PEOPLE, Company
from tests.systems.medusa.company import Made, make_company
from tests.systems.medusa.shop import (
    ADMIN,
    CONNECTOR,
    PORT,
    Place,
    install,
    make_database,
    migrate_shop,
    running,
    why_not_installed,
)
from tests.systems.medusa.webhook import Webhook
from tests.systems.pages import Pages

#: keeps the addresses that a process connects to, and the names that it looks up
_RECORDER = """
const { appendFileSync } = require("node:fs"), net = require("node:net"), dns = require("node:dns")
const keep = (what) => appendFileSync(process.env.HOME + "/connections", JSON.stringify(what) + "\\n")
const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args
  keep(typeof options === "string" ? options : options.path ?? options.host ?? args[1] ?? null)
  return connect.apply(this, args)
}
const { lookup } = dns
dns.lookup = (name, ...rest) => { keep(name); return lookup(name, ...rest) }
"""


@pytest.fixture(scope="module")
def place(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    if reason := why_not_installed():
        pytest.skip(reason)
    install()
    return Place(tmp_path_factory.mktemp("shop"), make_database(server_url, f"test_{os.getpid()}_shop"))


@pytest.fixture(scope="module")
def made(place: Place) -> Iterator[Made]:
    recorder = place.folder / "recorder.js"
    recorder.write_text(_RECORDER)
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        stack.callback(hook.server_close)
        stack.callback(hook.shutdown)
        patch.setenv("NODE_OPTIONS", f"--require {recorder}")
        migrate_shop(place)
        shop = stack.enter_context(running(place, webhook=f"http://127.0.0.1:{hook.server_port}/events/shop"))
        yield make_company(shop, stack)


@pytest.fixture(scope="module")
def pages(made: Made, place: Place, pictures: Path | None) -> Iterator[Pages]:
    """The shop's own admin pages, as its administrator sees them."""

    def sign_in(page: Page) -> None:
        page.goto(f"{made.shop.url}/app/login")
        page.get_by_placeholder("Email").fill(ADMIN)
        page.get_by_placeholder("Password").fill(place.secret)
        page.get_by_role("button", name="Continue with Email").click()
        page.wait_for_url("**/app/orders**")

    admin = Pages(sign_in, pictures)
    yield admin
    admin.close()


@pytest.fixture(scope="module")
def missions(made: Made, place: Place, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Missions over the shop: systems, actions, packs and policies as they stand beside each other for it."""
    home = tmp_path_factory.mktemp("missions")
    shutil.copytree(CONNECTOR, home / "shop", ignore=shutil.ignore_patterns("project"))
    systems = home / "shop" / "systems.yaml"
    systems.write_text(systems.read_text().replace(f"http://127.0.0.1:{PORT}", made.shop.url))
    policies = Path(CONNECTOR / "policies")
    build(PolicyBook.load(policies), home / "knowledge", MiniLM())
    with pytest.MonkeyPatch.context() as patch, _database(server_url) as url:
        patch.setenv("SHOP_AUTHORIZATION", made.shop.authorization)
        settings = Settings(home=home, DATABASE_URL=url, systems=systems, packs=CONNECTOR / "packs", policies=policies)
        open_database(settings)
        grant_roles(url)
        with open_runtime(settings) as runtime:
            for name, role in PEOPLE.items():
                runtime.ledger.add_person(name, role)
            yield Company(runtime)
