"""`missions incident list`, `retry` and `close`."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from tests.integration.commands import Done, missions, refused
from tests.integration.live_company import PEOPLE, SAMPLE
from tests.integration.sessions import home_of


@pytest.fixture
def ledger(database_url: str) -> Iterator[PostgresLedger]:
    """A ledger with the people, and ana, who settles nothing."""
    migrate(database_url)
    opened = PostgresLedger.open(database_url)
    for name, role in {**PEOPLE, "ana": "analyst"}.items():
        opened.add_person(name, role)
    yield opened
    opened.close()


def test_what_is_stuck_is_listed_goes_on_or_is_closed_by_whoever_may(
    ledger: PostgresLedger, database_url: str, tmp_path: Path
) -> None:
    def command(*words: str, home: Path | None = None) -> Done:
        return missions(*words, DATABASE_URL=database_url, **({"MISSIONS_HOME": home} if home else {}))

    assert command("incident", "list").stdout == "Nothing is stuck.\n"
    assert command("run", f"{SAMPLE}#dev-ord-0004").returncode == 0
    (run,) = ledger.runs()
    rita, ana = (home_of(name, database_url, tmp_path) for name in ("rita", "ana"))
    ledger.incident(run.run_id, "wms was \x1b[31mdown", datetime.now(UTC))
    listed = command("incident", "list").stdout
    assert re.search(rf"{run.run_id} +{run.event.subject} ", listed) and "down" in listed and "\x1b" not in listed
    (told,) = json.loads(command("incident", "list", "--json").stdout)
    assert told["run"]["run_id"] == run.run_id

    words = ("incident", "retry", run.run_id, "--reason", "wms is back")
    refused(command(*words), "no one is signed in")
    refused(command(*words, home=ana), "requires the role")
    refused(command("incident", "close", run.run_id, "--reason", " ", home=rita), "reason")
    refused(command(*words, "--step", "perhaps", home=rita), "perhaps", "done or failed")
    refused(command(*words, "--step", "done", home=rita), "No step", "in doubt")
    assert ledger.run(run.run_id).status == "incident"

    assert command(*words, home=rita).stdout == f"{run.event.subject} waits for a decision.\n"
    assert ledger.run(run.run_id).status == "waiting"
    ledger.incident(run.run_id, "wms was down again", datetime.now(UTC))
    refused(
        command("incident", "retry", run.run_id, "--reason", "x", "--restart", "--step", "done", home=rita), "without --restart"
    )
    again = command("incident", "retry", run.run_id, "--reason", "from the beginning", "--restart", home=rita)
    assert again.stdout.endswith(f"{run.event.subject} waits for a decision.\n")
    ledger.incident(run.run_id, "wms was down for good", datetime.now(UTC))
    swept = command("sweep")
    assert (swept.returncode, swept.stdout.split()[:6]) == (0, ["running", "0", "waiting", "0", "incident", "1"])
    closed = command("incident", "close", run.run_id, "--reason", "done by hand", home=rita)
    assert closed.stdout == f"{run.event.subject} is closed: abandoned.\n"
    assert (ledger.run(run.run_id).status, ledger.run(run.run_id).outcome) == ("closed", "abandoned")
    kinds = [entry.kind for entry in ledger.audit() if entry.run_id == run.run_id]
    assert [kind for kind in kinds if kind not in ("proposed", "event_taken_in", "observed")] == [
        "incident_opened", "run_resumed", "incident_opened", "run_restarted", "incident_opened", "run_abandoned", "run_closed",
    ]  # fmt: skip


def test_cases_that_were_handed_over_to_people_are_found_at_the_command_line(database_url: str) -> None:
    assert missions("run", f"{SAMPLE}#dev-ord-0014", DATABASE_URL=database_url).returncode == 0
    listed = missions("queue", DATABASE_URL=database_url).stdout
    assert "Nothing waits for a person.\n1 case was handed over to people in the last 30 days" in listed
    (told,) = json.loads(missions("queue", "--escalated", "--json", DATABASE_URL=database_url).stdout)
    shown = missions("queue", "--escalated", DATABASE_URL=database_url).stdout
    assert re.search(rf"{told['run']['run_id']} +{told['run']['event']['subject']} +fraud ", shown), shown
    assert shown.endswith("1 case handed over to people in the last 30 days.\n")
