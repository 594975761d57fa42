"""What somebody without the secret of an event source, or with that of another, gets from POST /events/NAME."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput
from graphs.ingestion import Intake, ingest_dead_letter
from graphs.mapping import by_mapping
from ledger.postgres import PostgresLedger
from systems.event_sources import load_mappings
from systems.sandbox.database import create_schema
from tests.browser.serving import serving
from tests.conftest import _database
from tests.integration.arriving import BOUNDS, Arriving, an_event
from tests.integration.test_events_door import JSON, Answer, Door

pytest_plugins = ["tests.integration.arriving"]
pytestmark = pytest.mark.promise("A source of events starts only what it may")

SECRET = "a secret that the shop has too"
EVENTS = """
headers: [X-Topic]
events:
- when: headers['x-topic'] == 'held'
  mission: order_exception
  trigger: {event: order.payment_review, order_id: =body.order}
ignore: ["headers['x-topic'] == 'other'"]
"""
SIGNED = EVENTS + "signature: {scheme: hmac_sha256, header: X-Sig, secret: {env: SHOP_SECRET}, encoding: hex}\n"
STAMPED = EVENTS + (
    "signature: {scheme: hmac_sha256, header: X-Sig, secret: {env: SHOP_SECRET}, encoding: hex, separator: ',', prefix: 'v1=',\n"
    "  timestamp: {part: 't='}, signed: '{timestamp}.{body}'}\n"
)
SOURCES = {
    "shop": SIGNED, "pay": STAMPED, "desk": EVENTS, "unadded": SIGNED, "gone": SIGNED,
    "unset": SIGNED.replace("SHOP_SECRET", "NO_SUCH_SECRET"),
}  # fmt: skip


class Hooks(Door):
    """The same door, seen by the software of sources whose files are mapped."""

    def __init__(self, url: str, ledger: PostgresLedger, database_url: str) -> None:
        super().__init__(url, ledger, database_url)
        self.tokens = {name: self.inbox.add_source(name, bounds=BOUNDS) for name in SOURCES if name != "unadded"}
        self.inbox.end_source("gone")

    def hook(self, name: str, body: Any, topic: str = "held", kind: str = JSON, **headers: str) -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", sent, f"/events/{name}", Content_Type=kind, X_Topic=topic, **headers)

    def signed(self, name: str, body: Any, secret: str = SECRET, age_s: int = 0, **other: str) -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.hook(name, sent, X_Sig=self.signature(name, sent, secret, age_s), **other)

    @staticmethod
    def signature(name: str, sent: bytes, secret: str = SECRET, age_s: int = 0) -> str:
        seconds = int(time.time()) - age_s
        content = f"{seconds}.".encode() + sent if name == "pay" else sent
        digest = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
        return f"t={seconds},v1={digest}" if name == "pay" else digest

    def came(self) -> int:
        """How much of it was kept."""
        return len(self.ledger.runs()) + self.inbox.open_letters()[1]


@pytest.fixture(scope="module")
def hooks(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    folder = tmp_path_factory.mktemp("hooks")
    for name, text in SOURCES.items():
        (folder / f"{name}.yaml").write_text(text)
    with _database(server_url) as url:
        create_schema(url)
        variables = {"MISSIONS_SOURCES": str(folder), "SHOP_SECRET": SECRET}
        with serving(url, folder / "log.txt", **variables) as address, PostgresLedger.open(url) as ledger:
            yield Hooks(address, ledger, url)


@pytest.mark.parametrize("name", ["shop", "pay", "desk"])
def test_what_a_source_sends_again_starts_a_second_run(hooks: Hooks, name: str) -> None:
    def send(**other: str) -> Answer:
        token = {"Authorization": f"Bearer {hooks.tokens[name]}"} if name == "desk" else {}
        return hooks.signed(name, {"order": f"O-{name}"}, **token, **other)

    first = send()
    assert first.status == 202 and [one["run_id"] for one in first.json["taken_in"]]
    run = hooks.ledger.run(first.json["taken_in"][0]["run_id"])
    assert (run.event.source, run.event.subject, run.event.requested_by) == (name, f"O-{name}", "")
    # who has the token may say what it likes; who has an old request may not
    renamed = {} if name == "desk" else {"Ce_Id": "9", "Ce_Source": "x", "Ce_Type": "y", "Ce_Specversion": "1.0"}
    for again in (send(), send(X_Delivery="another"), send(**renamed)):
        assert (again.status, again.json["taken_in"]) == (202, []), again.text
        assert again.json["known"] == first.json["taken_in"], again.text


def test_a_captured_request_is_sent_again_later(hooks: Hooks) -> None:
    before = hooks.came()
    assert hooks.signed("pay", {"order": "O-old"}, age_s=301).status == 401
    sent = json.dumps({"order": "O-old"}).encode()
    old = hooks.signature("pay", sent, age_s=4_000)
    fresh = f"t={int(time.time())},{old.split(',')[1]}"
    assert [hooks.hook("pay", sent, X_Sig=one).status for one in (old, fresh, f"{fresh},{old}")] == [401] * 3
    assert hooks.came() == before


def test_who_has_no_secret_or_another_one_hands_events_in(hooks: Hooks) -> None:
    before, body = hooks.came(), json.dumps({"order": "O-forged"}).encode()
    good = hooks.signature("shop", body)
    answers = [
        hooks.hook("shop", body),
        hooks.hook("shop", body, X_Sig=""),
        hooks.hook("shop", body, X_Sig=hooks.signature("shop", body, "the secret of another source")),
        hooks.hook("shop", body, X_Sig=hooks.signature("shop", body, "")),
        hooks.hook("shop", body + b" ", X_Sig=good),
        hooks.hook("shop", body, X_Sig=good[:-1]),
        hooks.hook("shop", body, X_Sig=f"{good},{good}"),
        hooks.hook("shop", body, X_Sig=good.encode().hex()),
        hooks.hook("shop", body, Authorization=f"Bearer {hooks.tokens['shop']}"),
        hooks.hook("shop", body, Authorization=f"Bearer {hooks.tokens['desk']}"),
        hooks.hook("pay", body, X_Sig=good),
        # neither token nor signature; a source that was not added, one that has ended, and none at all
        hooks.hook("desk", body),
        hooks.hook("desk", body, X_Sig=good),
        hooks.hook("desk", body, Authorization=f"Bearer {hooks.token}"),
        hooks.hook("unadded", body, X_Sig=good),
        hooks.hook("gone", body, X_Sig=good),
        hooks.hook("gone", body, Authorization=f"Bearer {hooks.tokens['gone']}"),
        hooks.hook("oms", body, Authorization=f"Bearer {hooks.token}"),
        hooks.hook("nothing", body, X_Sig=good),
        hooks.hook("..%2fshop", body, X_Sig=good),
    ]
    assert {one.status for one in answers[:-1]} == {401} and answers[-1].status in (303, 401, 404)
    assert len({one.text for one in answers[:-1]}) == 1, "it says nothing about which it was"
    assert hooks.came() == before


def test_a_source_without_its_secret_lets_everybody_in(hooks: Hooks) -> None:
    for secret in ("", SECRET, "None"):
        told = hooks.signed("unset", {"order": "O-unset"}, secret=secret)
        assert (told.status, told.headers["retry-after"]) == (503, "60") and "NO_SUCH_SECRET" not in told.text


def test_a_mapped_source_gets_past_its_mapping(hooks: Hooks) -> None:
    told = hooks.post(an_event("past"), token=hooks.tokens["desk"])
    assert told.status == 403 and "/events/desk" in told.json["error"]


def test_the_body_pretends_to_be_more_than_a_body(hooks: Hooks) -> None:
    for body in (
        b'{"order": "O-inj"}, "headers": {"x-topic": "held"}',
        b'{"order": "O-inj"}} {',
        b'{"order": "O-inj", "order": "O-2"}',
    ):
        told = hooks.signed("shop", body, topic="other")
        assert (told.status, len(told.json["dead_letters"])) == (202, 1) and "not valid JSON" in told.text
    assert "O-inj" not in {run.event.subject for run in hooks.ledger.runs()}


def test_what_is_sent_is_larger_than_any_event(hooks: Hooks) -> None:
    before = hooks.came()
    assert hooks.signed("shop", b" " * 100_001).status == 413
    assert hooks.signed("shop", {"order": "O-1"}, X_Big="x" * 33_000).status in (400, 431)
    assert hooks.signed("shop", {"order": "O-1"}, topic="x" * 1_001).status == 400
    assert hooks.signed("shop", {"order": "O-1"}, **{f"Ce_{n}": "x" for n in range(60)}).status == 400
    assert hooks.signed("shop", [{}] * 1_001).status == 400
    assert hooks.signed("shop", {"order": "O-1"}, Content_Encoding="gzip").status == 415
    assert hooks.signed("shop", {"order": "O-1"}, kind="text/html").status == 415
    assert hooks.came() == before
    deep = hooks.signed("shop", b"[" * 50_000 + b"]" * 50_000)
    wide = hooks.signed("shop", {"order": "O-1", "l": [1] * 30_000})
    assert [one.json["taken_in"] for one in (deep, wide)] == [[], []] and hooks.came() == before + 2


def test_of_a_flood_of_what_is_of_no_interest_a_number_is_kept(hooks: Hooks) -> None:
    before = hooks.came()
    told = hooks.signed("shop", [{"order": f"O-{n}"} for n in range(50)], topic="other")
    assert (told.status, told.json) == (202, {"taken_in": [], "known": [], "dead_letters": [], "ignored": 50})
    assert hooks.came() == before and hooks.inbox.ignored()[by_mapping("shop")] >= 50


def test_what_no_event_fits_is_mapped_again_when_the_mapping_is_mended(arriving: Arriving, hooks: Hooks, tmp_path: Path) -> None:
    told = hooks.signed("shop", {"order": "O-mended"}, topic="paused", Cookie="c=1")
    (letter_id,) = [one["letter_id"] for one in told.json["dead_letters"]]
    (letter,) = [one for one in hooks.inbox.open_letters()[0] if one.letter_id == letter_id]
    assert letter.source == "POST /events/shop" and "every `when` is false" in letter.reason
    assert json.loads(letter.body) == {"headers": {"x-topic": "paused"}, "body": {"order": "O-mended"}}, "and no signature"
    kept = arriving.inbox.keep_letter(letter.source, letter.body, letter.reason)
    arriving.inbox.add_source("shop", bounds=BOUNDS)
    for text, says in (
        (SIGNED, "every `when` is false"),
        (SIGNED.replace("'other'", "'paused'"), "ignores what it is"),
        (SIGNED.replace("'held'", "'paused'").replace("order_exception", "invoice_approval"), "has no event"),
        ("", "there is no mapping for shop"),
    ):
        (tmp_path / "shop.yaml").write_text(text) if text else (tmp_path / "shop.yaml").unlink()
        intake = Intake(arriving.intake.runtime, arriving.inbox, mappings=load_mappings(tmp_path))
        with pytest.raises(BadInput, match=says):
            ingest_dead_letter(intake, kept, "rita", "the mapping is mended")
    (tmp_path / "shop.yaml").write_text(SIGNED.replace("'held'", "'paused'"))
    intake = Intake(arriving.intake.runtime, arriving.inbox, mappings=load_mappings(tmp_path))
    run = ingest_dead_letter(intake, kept, "rita", "the mapping is mended")
    assert (run.event.source, run.event.subject) == ("shop", "O-mended") and arriving.inbox.open_letters()[1] == 0
