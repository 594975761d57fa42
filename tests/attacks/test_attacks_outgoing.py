"""Outgoing events and whoever would have one go missing, made up, or sent where nobody configured."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.audit_export import examine
from ledger.postgres import PostgresLedger
from ledger.roles import as_role, grant_roles
from ledger.services import Outbox
from tests.integration.receiving import SECRET, Receiver, receiving
from tests.integration.test_outgoing import happens, position, sender
from tests.ledger_examples import started

TOLD = pytest.mark.promise("Whoever is to be told what happens is told all of it, and nothing else")
CONFIGURED = pytest.mark.promise("No byte leaves that nobody configured")
SECRETS = pytest.mark.promise("Secrets and personal data go nowhere")


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        yield opened


@pytest.fixture
def hub() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@TOLD
@pytest.mark.parametrize("role", ["missions_reasoner", "missions_executor", "missions_shadow"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.outgoing SET seq = 999999", "UPDATE ledger.outgoing SET until = now() + interval '1 year'",
        "UPDATE ledger.outgoing SET retry_at = now() + interval '1 year'", "DELETE FROM ledger.outgoing",
        "TRUNCATE ledger.outgoing",
        "INSERT INTO ledger.outgoing (name, seq) VALUES ('hub', 999999)", "SELECT FROM ledger.outgoing FOR UPDATE",
        "SELECT ledger.append(now(), 'outgoing_skipped', '', '{}')",
    ],
)  # fmt: skip
def test_whoever_reasons_or_executes_keeps_an_event_from_a_destination(ledger_url: str, role: str, statement: str) -> None:
    grant_roles(ledger_url)
    with psycopg.connect(as_role(ledger_url, role)) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):  # type: ignore[arg-type]
        session.execute(statement.encode())


@TOLD
def test_what_is_not_committed_is_told_or_what_was_committed_around_it_is_passed_over(
    ledger: PostgresLedger, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    outbox = Outbox(ledger)
    one = sender(outbox, hub.destination(tmp_path))
    append = "SELECT ledger.append(now(), 'incident_opened', %s, '{}')"
    for run_id in ("taken back", "open for long", "last"):
        started(ledger, run_id)
    with psycopg.connect(ledger_url) as first, psycopg.connect(ledger_url) as second:
        first.execute(append, ("taken back",))
        asyncio.run(one.deliver())
        first.rollback()
        second.execute(append, ("open for long",))
        asyncio.run(one.deliver())
        assert hub.taken == []
        second.commit()
        first.execute(append, ("last",))
        first.commit()
    asyncio.run(one.deliver())
    assert [taken.event["data"]["run"] for taken in hub.taken] == ["open for long", "last"]
    assert position(outbox).behind == 0


@TOLD
def test_a_row_of_the_log_that_is_odd_stops_a_destination_or_tells_what_it_should_not(
    ledger: PostgresLedger, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    one = sender(Outbox(ledger), hub.destination(tmp_path))
    started(ledger)
    odd = [
        ("proposed", "", "{}"), ("proposed", "run of nobody", "{}"), ("decided", "run-1", '{"kind": {"canary": 1}}'),
        ("proposed", "run-1", '{"status": ["canary"], "verdict": {"canary": null}}'),
        ("effect_marked", "run-1", '{"status": {"done": 1}}'),
        ("run_closed", "run-1", f'{{"verdict": "canary {"x" * 300}", "outcome": 1.5, "canary": 1}}'),
    ]  # fmt: skip
    with psycopg.connect(ledger_url) as owner:
        for row in odd:
            owner.execute("SELECT ledger.append(now(), %s, %s, %s)", row)
    wanted = happens(ledger)
    asyncio.run(one.deliver())
    assert hub.ids()[-1:] == wanted
    kinds = [taken.event["type"] for taken in hub.taken[:-1]]
    assert kinds == ["missions.decision.recorded", "missions.proposal.automatic", "missions.run.closed"]
    assert not any(b"canary" in taken.body for taken in hub.taken)


@CONFIGURED
def test_a_destination_sends_us_on_to_an_address_of_its_own(
    ledger: PostgresLedger, hub: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as inside:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, inside.url)
        one = sender(Outbox(ledger), hub.destination(tmp_path))
        happens(ledger)
        for status in (301, 302, 303, 307, 308):
            hub.script.append(f"{status} Location: {inside.url}")
            assert asyncio.run(one.test()) is not None
        hub.script.append(f"204 Refresh: 0; url={inside.url}")
        assert asyncio.run(one.test()) is None
        asyncio.run(one.deliver())
        assert (inside.came, hub.came) == (0, 7)


@SECRETS
def test_a_destination_has_its_cookies_back_or_the_logs_have_its_address(
    ledger: PostgresLedger, hub: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = sender(Outbox(ledger), hub.destination(tmp_path))
    hub.script.extend([f"204 Set-Cookie: seen=1; path=/{number}" for number in range(2)] + ["500"])
    happens(ledger, 3)
    asyncio.run(one.deliver())
    assert hub.came == 3 and not any("cookie" in taken.headers for taken in hub.taken)
    assert "a-key-of-the-address" not in caplog.text and SECRET not in caplog.text
    assert "a-key-of-the-address" not in position(Outbox(ledger)).error
    assert examine(ledger).problems == []
