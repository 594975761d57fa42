"""`missions events` and `missions source`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.inbox import SourceBounds
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import Inbox
from settings import CHECKOUT
from tests.conftest import _database
from tests.integration.arriving import BOUNDS, an_event
from tests.integration.commands import Done, missions, refused
from tests.integration.live_company import SAMPLE
from tests.integration.sessions import home_of
from tests.integration.test_mailboxes import MAPPING
from tests.unit.systems.test_mail import a_mail


class Command:
    """Commands over a database of their own, with its ledger beside."""

    def __init__(self, url: str, ledger: PostgresLedger, folder: Path) -> None:
        self.url, self.ledger, self.folder = url, ledger, folder
        self._homes: dict[str, Path] = {}

    def __call__(self, *words: str | Path, by: str = "") -> Done:
        if by and by not in self._homes:
            self._homes[by] = home_of(by, self.url, self.folder)
        return missions(*words, DATABASE_URL=self.url, **({"MISSIONS_HOME": self._homes[by]} if by else {}))

    def file(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file


@pytest.fixture(scope="module")
def command(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with _database(server_url) as url:
        migrate(url)
        with PostgresLedger.open(url) as ledger:
            for name, role in (("rita", "reviewer"), ("ana", "analyst")):
                ledger.add_person(name, role)
            yield Command(url, ledger, tmp_path_factory.mktemp("files"))


def test_events_of_a_file_are_taken_in_once_and_what_is_none_is_settled_by_whoever_may(command: Command) -> None:
    assert command("events", "dead").stdout == "There are no dead letters.\n"
    good = [json.dumps(an_event(f"f-{number}", f"O-{number}")) for number in range(3)]
    file = command.file("events.jsonl", "\n\n".join(good) + "\r\n")
    taken = command("events", "take", file)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout.startswith("3 accepted, 0 already known, 0 dead letters.\n") and "missions worker" in taken.stdout
    assert command("events", "take", file).stdout == "0 accepted, 3 already known, 0 dead letters.\n"
    assert {(run.event.source_id, run.status) for run in command.ledger.runs()} == {(f"f-{n}", "running") for n in range(3)}

    unknown = an_event("f-9", "O-\x1b[31m9")
    bad = command("events", "take", command.file("bad.jsonl", f"{json.dumps(unknown)}\n{{\n{'x' * 250_000}\n{good[0]}"))
    refused(bad, "3 of ", "bad.jsonl", "see `missions events dead`")
    assert bad.stdout == "0 accepted, 1 already known, 3 dead letters.\n"
    letters = json.loads(command("events", "dead", "--json").stdout)
    assert [letter["source"] for letter in letters] == [f"bad.jsonl, line {line}" for line in (1, 2, 3)]
    listed = command("events", "dead").stdout
    assert all(letter["letter_id"] in listed for letter in letters) and "\x1b" not in listed

    letter = letters[1]["letter_id"]
    for act in ("again", "drop"):
        refused(command("events", act, letter, "--reason", "a test"), "no one is signed in")
    refused(command("events", "drop", letter, "--reason", "a test", by="ana"), "requires the role")
    refused(command("events", "again", letter, "--reason", "a test", by="rita"), "not valid JSON")
    assert command("events", "drop", letter, "--reason", "a test", by="rita").stdout == f"{letter} is dropped.\n"

    Inbox(command.ledger).add_source("oms", bounds=BOUNDS)
    kept = Inbox(command.ledger).keep_letter("POST /events by oms", json.dumps(an_event("f-1")), "there was no such mission")
    again = command("events", "again", kept, "--reason", "there is now", by="rita").stdout
    assert re.match(rf"{kept} was accepted: run r-\w+ for O-4471\.\n", again) and "missions worker" in again
    assert {"oms:f-1", "f-1"} < {run.event.source_id for run in command.ledger.runs()}
    Inbox(command.ledger).end_source("oms")
    assert [letter["letter_id"] for letter in json.loads(command("events", "dead", "--json").stdout)] == [
        letters[0]["letter_id"], letters[2]["letter_id"],
    ]  # fmt: skip


def test_a_json_file_holds_one_event_or_a_list(command: Command) -> None:
    one = command.file("one.json", json.dumps(an_event("j-1"), indent=2))
    two = command.file("two.json", json.dumps([an_event("j-1"), an_event("j-2")]))
    assert command("events", "take", one).stdout.startswith("1 accepted")
    assert command("events", "take", two).stdout.startswith("1 accepted, 1 already known")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("torn.json", b"{", "not valid JSON"), ("long.json", b" " * 1_000_001, ".jsonl")],
)
def test_a_json_file_that_is_none_is_refused_as_a_whole(command: Command, name: str, content: bytes, says: str) -> None:
    before = Inbox(command.ledger).open_letters()[1]
    refused(command("events", "take", command.file(name, content)), name, says)
    assert Inbox(command.ledger).open_letters()[1] == before


def test_a_file_that_is_not_there_and_one_of_recorded_exceptions_are_no_events(command: Command) -> None:
    refused(command("events", "take", command.folder / "nowhere.jsonl"), "cannot be read")
    first = command.file("recorded.jsonl", SAMPLE.read_bytes().split(b"\n")[0])
    refused(command("events", "take", first), "recorded exception and no event", "missions eval")


def test_sources_are_added_listed_and_ended(command: Command) -> None:
    before = len(command.ledger.audit())
    refused(command("source", "add", "oms", "--missions", "order_exception,everything"), "no Mission 'everything'")
    for name in ("portal", "upload"):
        refused(command("source", "add", name, "--missions", "order_exception"), "give the event source another name")
    added = command("source", "add", "oms", "--missions", "order_exception")
    assert added.returncode == 0, added.stderr
    token = added.stdout.splitlines()[1]
    source = Inbox(command.ledger).source_of(token)
    assert source is not None and source.name == "oms"
    refused(command("source", "add", "oms", "--missions", "order_exception"), "already")
    bounded = command("source", "bounds", "oms", "--missions", "support_resolution", "--as-of-days", "3", "--per-hour", "10")
    assert " ".join(bounded.stdout.split()) == "oms: support_resolution; 3 days back; 10 events an hour."
    changed = Inbox(command.ledger).source_named("oms")
    assert changed and changed.bounds == SourceBounds(missions=("support_resolution",), as_of_days=3, hourly=10)
    assert (
        command("source", "bounds", "oms", "--per-hour", "7").stdout
        == "oms: support_resolution; 3 days back; 7 events an hour.\n"
    )
    assert (
        command("source", "bounds", "oms", "--as-of-days", "1").stdout
        == "oms: support_resolution; 1 day back; 7 events an hour.\n"
    )
    refused(command("source", "bounds", "nobody", "--per-hour", "7"), "'nobody'", "missions source list")
    listed = command("source", "list").stdout
    assert re.search(r"^oms +support_resolution +1 +7 +[A-Z]", listed, re.MULTILINE) and token not in listed
    assert command("source", "end", "oms").stdout == "oms can no longer send events.\n"
    refused(command("source", "end", "oms"), "missions source list")

    command.ledger.add_person("admin", "administrator")
    refused(command("source", "add", "shop", "--missions", "order_exception"), "managed by an administrator", "missions sign-in")
    for act in ("add", "bounds"):
        refused(
            command("source", act, "oms", "--missions", "order_exception", by="rita"),
            "To manage event sources and destinations requires the role administrator",
        )
    assert command("source", "add", "shop", "--missions", "order_exception", by="admin").returncode == 0
    signing = command("source", "add", "shopify", "--missions", "order_exception", by="admin").stdout
    assert "POST /events/shopify, signed" in signing and "Token" not in signing
    told = [(one.kind, one.body["by"]) for one in command.ledger.audit()[before:] if "source" in one.kind]
    assert told == [
        *((f"event_source_{done}", "the command line") for done in ("added", "bounded", "bounded", "bounded", "ended")),
        *[("event_source_added", "admin")] * 2,
    ]


def test_recorded_exceptions_are_loaded_with_their_events_onto_the_feed(command: Command) -> None:
    file = command.file("cases.jsonl", b"\n".join(SAMPLE.read_bytes().split(b"\n")[:2]))
    assert command("sandbox", "load", file, "--feed").stdout == "The sandbox company holds 2 of these 2 recorded exceptions.\n"
    with command.ledger.transaction() as tx:
        told = tx.exec_driver_sql("SELECT event ->> 'source_id' FROM sandbox.events ORDER BY number").scalars().all()
    assert told == [json.loads(line)["case_id"] for line in file.read_text().splitlines()]


def test_a_payload_of_other_software_is_tried_without_a_database(command: Command) -> None:
    recorded = CHECKOUT / "systems" / "sources" / "recorded" / "stripe-charge-dispute-created.json"
    told = missions("source", "try", "stripe", recorded, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (told.returncode, told.stderr) == (0, "")
    assert "stripe:evt_1QxYzA2eZvKYlo2C0aBcDeFg" in told.stdout and "order.payment_review" in told.stdout
    payload = json.loads(recorded.read_text())
    body = command.file("payload.json", json.dumps(payload["body"] | {"livemode": False, "type": "charge.refunded"}))
    assert command("source", "try", "stripe", body).stdout.startswith("Ignored: stripe.yaml ignores what it is")
    refused(command("source", "try", "stripe", command.file("payload.json", "{}")), "no event", "stripe.yaml, line 13")
    refused(command("source", "try", "nobody", body), "no nobody.yaml", "shopify")
    command.file("support.yaml", MAPPING.replace("PORT", "993"))
    mail = command.file("mail.eml", a_mail("Where is it?").as_bytes())
    told = missions("source", "try", "support", mail, MISSIONS_SOURCES=command.folder)
    assert "support.message" in told.stdout and "Where is it?" in told.stdout, told.stderr
