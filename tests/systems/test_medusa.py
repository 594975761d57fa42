"""The shop as it is made: its company, its signed events, and that nothing of it leaves this machine."""

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.systems.medusa.company import Made, get, make_company, post
from tests.systems.medusa.shop import Place, install, make_database, migrate_shop, running, why_not_installed

pytestmark = pytest.mark.skipif(why_not_installed() is not None, reason=why_not_installed() or "")

#: keeps the addresses that a process connects to, and the names that it looks up
RECORDER = """
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


class _Webhook(BaseHTTPRequestHandler):
    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        """Keep what is posted."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append((self.headers["x-shop-signature"], body))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def place(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    install()
    return Place(tmp_path_factory.mktemp("shop"), make_database(server_url, f"test_{os.getpid()}_shop"))


@pytest.fixture(scope="module")
def made(place: Place) -> Iterator[Made]:
    recorder = place.folder / "recorder.js"
    recorder.write_text(RECORDER)
    hook = ThreadingHTTPServer(("127.0.0.1", 0), _Webhook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        stack.callback(hook.server_close)
        stack.callback(hook.shutdown)
        patch.setenv("NODE_OPTIONS", f"--require {recorder}")
        migrate_shop(place)
        shop = stack.enter_context(running(place, webhook=f"http://127.0.0.1:{hook.server_port}/events/shop"))
        yield make_company(shop, stack)


def _state(made: Made, name: str) -> tuple[str, str, str]:
    order = get(made.admin, f"/orders/{made.orders[name]}")["order"]
    return order["status"], order["payment_status"], order["fulfillment_status"]


def test_the_company_is_in_the_shop_as_its_file_says(made: Made) -> None:
    assert _state(made, "short") == ("pending", "authorized", "not_fulfilled")
    assert _state(made, "unpaid") == ("pending", "authorized", "shipped")
    assert _state(made, "returned") == ("pending", "captured", "delivered")
    assert _state(made, "part_back") == ("pending", "partially_refunded", "delivered")
    assert _state(made, "pickup") == ("pending", "captured", "not_fulfilled")
    levels = get(made.admin, f"/inventory-items/{made.inventory['TENT-2P']}/location-levels")["inventory_levels"]
    free = {one["location_id"]: one["available_quantity"] for one in levels}
    named = {name: free[made.locations[name]] for name in ("DC-EAST", "DC-WEST", "ST-AUSTIN", "ST-DOMAIN")}
    assert named == {"DC-EAST": -1, "DC-WEST": 7, "ST-AUSTIN": -1, "ST-DOMAIN": 4}


def test_what_happens_to_an_order_is_posted_with_a_signature_and_the_order(made: Made, place: Place) -> None:
    order_id = made.orders["pickup"]
    post(made.admin, f"/orders/{order_id}", metadata={"pick_failed_at": "2026-11-25T09:30:00Z"})
    signature, body = _posted("order.updated", order_id)
    seconds, digest = (part.partition("=")[2] for part in signature.split(","))
    expected = hmac.new(place.webhook_secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, expected)
    assert abs(time.time() - int(seconds)) < 60
    assert json.loads(body)["order"]["metadata"]["pick_failed_at"] == "2026-11-25T09:30:00Z"


def _posted(name: str, order_id: str) -> tuple[str, bytes]:
    """The signature and body of an event, once it is posted."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for signature, body in list(_Webhook.taken):
            event = json.loads(body)
            if (event["name"], event["order"]["id"]) == (name, order_id):
                return signature, body
        time.sleep(0.1)
    raise AssertionError(f"{name} of {order_id} was not posted")


def test_nothing_of_the_shop_leaves_this_machine(made: Made, place: Place) -> None:
    kept = (place.folder / "connections").read_text().splitlines()
    assert kept and {one for one in map(json.loads, kept) if not one.startswith("/")} <= {"127.0.0.1", "localhost"}


def test_the_key_of_the_shop_is_readable_by_its_owner_alone(made: Made, place: Place) -> None:
    secret: list[Path] = [place.key_file, place.folder / "secret", place.folder / "webhook-secret"]
    assert [oct(file.stat().st_mode & 0o777) for file in secret] == ["0o600"] * 3
