"""`missions outgoing`."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import Outbox
from tests.conftest import _database
from tests.integration.commands import Done, missions, refused
from tests.integration.receiving import SECRET, Receiver, receiving
from tests.integration.sessions import home_of
from tests.ledger_examples import LATER, started


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with _database(server_url) as made:
        migrate(made)
        with PostgresLedger.open(made) as ledger:
            ledger.add_person("ada", "administrator")
        yield made


@pytest.fixture(scope="module")
def hub() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_destinations_are_listed_tried_skipped_and_forgotten(url: str, hub: Receiver, tmp_path: Path) -> None:
    file, home = tmp_path / "outgoing.yaml", home_of("ada", url, tmp_path)
    file.write_text(f"dashboard: https://m.example\noutgoing:\n  hub: {{url: '{hub.url}', secret: {{env: HUB_SECRET}}}}\n")
    none = tmp_path / "none.yaml"
    none.write_text("dashboard: https://m.example\n")

    def outgoing(*words: str, secret: str = SECRET, declared: Path = file) -> Done:
        return missions("outgoing", *words, DATABASE_URL=url, MISSIONS_HOME=home, MISSIONS_OUTGOING=declared, HUB_SECRET=secret)

    assert "hub is new: it is told what happens from when a worker starts with it." in outgoing("list").stdout
    assert "holds no secret for the destination hub" in refused(outgoing("test", "hub", secret="whsec_"))
    assert outgoing("test", "hub").stdout == f"hub ({hub.url.partition('/hook')[0]}) took the event.\n"
    assert hub.taken[-1].event["type"] == "missions.test"
    hub.script.append("401")
    assert "answered 401; look at its address" in refused(outgoing("test", "hub"))
    assert "did you mean hub" in refused(outgoing("test", "hubb"))

    with PostgresLedger.open(url) as ledger:
        outbox = Outbox(ledger)
        outbox.begin("hub")
        started(ledger)
        ledger.incident("run-1", "stuck", LATER)
        assert "does not fail at any event" in refused(outgoing("skip", "hub", "--reason", "in the way"))
        lease = outbox.take("hub", 1.0)
        assert lease is not None
    with psycopg.connect(url) as owner:
        owner.execute("UPDATE ledger.outgoing SET failures = 3, failing_since = now(), retry_at = now(), error = 'answered 500'")
    listed = outgoing("list")
    assert "answered 500, 3 times since" in listed.stdout
    assert "a-key-of-the-address" not in listed.stdout and hub.url.partition("/hook")[0] in listed.stdout
    (told,) = json.loads(outgoing("list", "--json").stdout)
    assert (told["name"], told["failures"], told["declared"]) == ("hub", 3, True)
    assert outgoing("skip", "hub", "--reason", "in the way").stdout.startswith(
        f"hub is not told of row {lease.seq + 1} of the audit"
    )
    assert "is still declared in" in refused(outgoing("end", "hub", "--reason", "gone"))
    assert "missions outgoing end hub" in outgoing("list", declared=none).stdout
    assert outgoing("end", "hub", "--reason", "gone", declared=none).stdout.startswith("hub is forgotten")
    assert outgoing("list", declared=none).stdout.startswith("There are no destinations")
