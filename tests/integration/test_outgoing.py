"""Outgoing events, from the ledger to a destination that answers, fails, delays and lies."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import BadInput, Refused
from graphs.delivery import OutgoingSender, open_senders
from graphs.outgoing import Destination, Outgoing
from ledger.audit_export import examine
from ledger.canonical import utc_now
from ledger.monitoring import metrics
from ledger.outbox import OutboxPosition
from ledger.postgres import PostgresLedger
from ledger.services import Outbox
from settings import CHECKOUT
from tests.integration.receiving import SECRET, Receiver, receiving
from tests.ledger_examples import LATER, PLAN, a_fact, a_proposal, an_effect, an_event, decided, said, staffed

DASHBOARD = "https://missions.example"
_RUNS = count(1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger.open(ledger_url) as opened:
        yield opened


@pytest.fixture
def hub() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def outbox(ledger: PostgresLedger) -> Outbox:
    return Outbox(ledger)


def sender(outbox: Outbox, to: Destination) -> OutgoingSender:
    (one,) = open_senders(Outgoing(dashboard=DASHBOARD, outgoing={to.name: to}), outbox, ["order_exception"])
    return one


def deliver(one: OutgoingSender) -> None:
    asyncio.run(one.deliver())


def position(outbox: Outbox) -> OutboxPosition:
    (one,) = outbox.positions()
    return one


def try_again_now(url: str) -> None:
    with psycopg.connect(url) as owner:
        owner.execute("UPDATE ledger.outgoing SET retry_at = NULL")


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.02)


def happens(ledger: PostgresLedger, times: int = 1) -> list[str]:
    """So many incidents, each of a run of its own: the ids of their events."""
    before, _ = ledger.audit_head()
    for _ in range(times):
        run_id = f"run-of-{next(_RUNS)}"
        ledger.take_in(an_event(f"event of {run_id}"), run_id, {})
        ledger.incident(run_id, "stuck", LATER)
    return [row.digest for row in ledger.audit() if row.seq > before and row.kind == "incident_opened"]


def test_a_destination_is_told_what_becomes_of_a_run_in_order_signed_and_without_what_anybody_wrote(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, tmp_path: Path
) -> None:
    one = sender(outbox, hub.destination(tmp_path))
    staffed(ledger)
    written = ["canary-subject@example.com", "canary-reason", "canary-fact", "canary-error", "canary-letter", "canary-said"]
    subject, reason, fact, error, letter, words = written
    ledger.take_in(an_event("event of run-1", subject=subject, trigger={"order_id": subject}), "run-1", {})
    ledger.record_facts("run-1", [a_fact(value={"customer": fact})])
    ledger.observe("run-1", [said(words)])
    ledger.propose(a_proposal(plan=[{**PLAN[0], "args": {"body": letter}}], rationale=letter))
    decided(ledger, by="Rita", reason=reason)
    ledger.intend([an_effect(args={"body": letter})])
    ledger.mark_effect("k-0", "executing", at=LATER)
    ledger.mark_effect("k-0", "unknown", error=error, at=LATER)
    ledger.incident("run-1", error, LATER)
    ledger.mark_effect("k-0", "done", {"receipt": fact}, at=LATER)
    ledger.resume("run-1", by="Rita", reason=reason, at=LATER)
    ledger.finish("run-1", "fulfil", "executed", LATER)
    deliver(one)

    told = [received.event for received in hub.taken]
    about = {"run": "run-1", "mission": "order_exception", "link": f"{DASHBOARD}/run?run=run-1"}
    step = {"proposal_id": "p-1", "step": 0, "action": an_effect().action, "tool": an_effect().tool}
    waits = {"proposal_id": "p-1", "revision": 1, "verdict": "fulfil", "money_at_stake_cents": 12_500}
    (decision,), (incident,) = ledger.decisions("run-1"), ledger.incidents(open_only=False)
    made = {"decision_id": decision.decision_id, "proposal_id": "p-1", "kind": "approve"}
    assert [(event["type"], event["data"]) for event in told] == [
        ("missions.proposal.waiting", about | waits | {"role": "reviewer", "four_eyes": False}),
        ("missions.decision.recorded", about | made | {"role": "reviewer", "proposal_status": "approved"}),
        ("missions.effect.unknown", about | step),
        ("missions.incident.opened", about | {"incident_id": incident.incident_id}),
        ("missions.effect.done", about | step),
        ("missions.incident.resumed", about),
        ("missions.run.closed", about | {"verdict": "fulfil", "outcome": "executed"}),
    ]
    assert {(event["specversion"], event["source"], event["subject"]) for event in told} == {("1.0", DASHBOARD, "[address 1]")}
    rows = {row.digest: row for row in ledger.audit("run-1")}
    assert [(event["id"], event["sequence"], event["time"]) for event in told] == [
        (row.digest, f"{row.seq:018}", row.at.isoformat()) for row in (rows[event["id"]] for event in told)
    ]
    assert [event["sequence"] for event in told] == sorted(event["sequence"] for event in told)
    for received in hub.taken:
        headers = received.headers
        assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        signed = f"{received.event['id']}.{headers['webhook-timestamp']}.".encode() + received.body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        assert (headers["webhook-id"], headers["webhook-signature"]) == (received.event["id"], f"v1,{expected}")
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        assert not [word for word in written if word.encode() in received.body]
    assert position(outbox).behind == 0 and examine(ledger).problems == []


def test_a_destination_is_told_only_what_it_is_for_and_nothing_from_before_it_was_there(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, tmp_path: Path
) -> None:
    happens(ledger)
    one = sender(outbox, hub.destination(tmp_path, kinds=["incident"], missions=["order_exception"]))
    wanted = happens(ledger, 2)
    ledger.finish(ledger.incidents()[-1].run_id, "fulfil", "executed", LATER)
    ledger.take_in(an_event("of another Mission", mission="account_save"), "run-other", {})
    ledger.incident("run-other", "stuck", LATER)
    deliver(one)
    assert hub.ids() == wanted and position(outbox).behind == 0
    with pytest.raises(BadInput, match="The destination hub names the Mission 'order_exceptions': did you mean order_exception"):
        sender(outbox, hub.destination(tmp_path, missions=["order_exceptions"]))


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("500", "answered 500"), ("404", "answered 404"), ("302 Location: /elsewhere", "answered 302"),
        ("lost", r"could not be reached \(\w+\)"), ("broken off", r"could not be reached \(\w+\)"),
        ("slow", "did not answer within 0.5 seconds"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_taken_holds_up_the_others_and_is_sent_again_later(
    does: str, says: str, ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    one = sender(outbox, hub.destination(tmp_path, timeout_seconds=0.5))
    wanted = happens(ledger, 3)
    hub.script.extend(["204", does])
    started = time.monotonic()
    deliver(one)
    assert time.monotonic() - started < 5 and hub.came == 2
    failing = position(outbox)
    assert (failing.failures, failing.behind > 0, failing.failing_since is not None) == (1, True, True)
    assert re.fullmatch(says, failing.error)
    deliver(one)
    assert hub.came == 2, "it is left alone for a moment"
    try_again_now(ledger_url)
    deliver(one)
    assert hub.ids() == wanted and hub.came == 4
    well = position(outbox)
    assert (well.failures, well.failing_since, well.error, well.behind) == (0, None, "", 0)


def test_a_destination_that_asks_for_time_gets_it_and_no_more_than_an_hour(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    one = sender(outbox, hub.destination(tmp_path))
    happens(ledger)
    for header, least, most in (
        ("503 Retry-After: 700", 690, 701), ("429 Retry-After: 999999999999999", 3_590, 3_601),
        ("503 Retry-After: Wed, 01 Jan 2200 00:00:00 GMT", 3_590, 3_601), ("503 Retry-After: soon", 1, 9),
        ("503 Retry-After: Sat, 01 Jan 2000 00:00:00 GMT", 3, 17),
    ):  # fmt: skip
        hub.script.append(header)
        try_again_now(ledger_url)
        deliver(one)
        at = position(outbox).retry_at
        assert at is not None and least < (at - utc_now()).total_seconds() < most, header


def test_the_pause_between_tries_doubles_until_it_is_a_quarter_of_an_hour_at_most(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    one = sender(outbox, hub.destination(tmp_path))
    happens(ledger)
    pauses = []
    for _ in range(14):
        hub.script.append("500")
        try_again_now(ledger_url)
        deliver(one)
        at = position(outbox).retry_at
        assert at is not None
        pauses.append((at - utc_now()).total_seconds())
    for place, pause in enumerate(pauses):
        whole = min(2**place, 900)
        assert whole / 2 - 1 < pause <= whole, place
    assert len({round(pause / min(2**place, 900), 2) for place, pause in enumerate(pauses) if place > 5}) > 3, (
        "all come back at once"
    )


def test_what_a_destination_answers_is_not_read_beyond_its_status(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, tmp_path: Path
) -> None:
    one = sender(outbox, hub.destination(tmp_path, timeout_seconds=5.0))
    wanted = happens(ledger, 2)
    hub.script.append("endless")
    started = time.monotonic()
    deliver(one)
    assert (hub.ids(), hub.came) == (wanted, 2) and time.monotonic() - started < 4


def test_of_several_senders_one_sends_and_whoever_lost_the_right_goes_no_further(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    to = hub.destination(tmp_path, timeout_seconds=1.0)
    slow, other = sender(outbox, to), sender(outbox, to)
    wanted = happens(ledger, 3)
    hub.script.append("slow")

    async def both() -> None:
        first = asyncio.create_task(slow.deliver())
        while hub.came == 0:
            await asyncio.sleep(0.01)
        await other.deliver()
        assert hub.came == 1, "the other one waits"
        with psycopg.connect(ledger_url) as owner:  # as if the first had given no sign of life for long
            owner.execute("UPDATE ledger.outgoing SET until = NULL")
        await other.deliver()
        assert hub.ids() == wanted and position(outbox).behind == 0
        await first

    asyncio.run(both())
    assert position(outbox).failures == 0, "what became of the first one's try is no news any more"
    assert hub.came == 4


def test_what_fails_for_more_than_a_day_is_an_error_in_the_log_and_a_figure_and_nothing_is_dropped(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = sender(outbox, hub.destination(tmp_path))
    wanted = happens(ledger)
    hub.script.extend(["500", "500"])
    deliver(one)
    assert [(row.levelname, row.getMessage()) for row in caplog.records if row.name == "graphs.delivery"] == [
        ("WARNING", "the destination hub answered 500; the event is sent again")
    ]
    with psycopg.connect(ledger_url) as owner:
        owner.execute("UPDATE ledger.outgoing SET failing_since = failing_since - interval '25 hours', retry_at = NULL")
    deliver(one)
    last = caplog.records[-1]
    assert (last.levelname, last.getMessage()) == ("ERROR", "the destination hub has failed for more than a day: it answered 500")
    figures = dict(line.rsplit(" ", 1) for line in metrics(ledger).decode().splitlines() if line.startswith("missions_outgoing"))
    assert float(figures['missions_outgoing_failing_seconds{destination="hub"}']) > 24 * 3_600
    assert float(figures['missions_outgoing_behind_rows{destination="hub"}']) >= 1
    assert float(figures['missions_outgoing_behind_seconds{destination="hub"}']) >= 0
    assert "a-key-of-the-address" not in caplog.text and SECRET not in caplog.text
    try_again_now(ledger_url)
    deliver(one)
    assert hub.ids() == wanted


def test_a_person_skips_the_one_event_that_is_not_taken_and_the_log_says_who_and_why(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, tmp_path: Path
) -> None:
    staffed(ledger)
    ledger.add_person("Ada", "administrator")
    one = sender(outbox, hub.destination(tmp_path))
    refused, *others = happens(ledger, 3)
    with pytest.raises(Refused, match="does not fail at any event"):
        outbox.skip("hub", "Ada", "in the way")
    hub.script.append("400")
    deliver(one)
    with pytest.raises(Refused, match="requires the role administrator, and Rita is reviewer"):
        outbox.skip("hub", "Rita", "in the way")
    with pytest.raises(BadInput, match="A reason is missing"):
        outbox.skip("hub", "Ada", " ")
    seq = outbox.skip("hub", "Ada", "The hub does not know incidents.")
    deliver(one)
    assert hub.ids() == others
    row = ledger.audit()[-1]
    assert (row.kind, row.body) == (
        "outgoing_skipped", {"name": "hub", "seq": seq, "by": "Ada", "reason": "The hub does not know incidents."}
    )  # fmt: skip
    assert [one.digest for one in ledger.audit() if one.seq == seq] == [refused]
    outbox.end("hub", "Ada", "It is gone.")
    with pytest.raises(BadInput, match="No destination 'hub' was ever told anything"):
        outbox.end("hub", "Ada", "It is gone.")
    assert outbox.positions() == [] and examine(ledger).problems == []


FAULTS = ["500", "429 Retry-After: 0", "302 Location: /", "lost", "broken off", "204"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(st.integers(0, 4), st.lists(st.sampled_from(FAULTS), max_size=6)), min_size=1, max_size=5))
def test_whatever_fails_in_whatever_order_the_events_that_arrive_are_those_that_happened(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path,
    batches: list[tuple[int, list[str]]],
) -> None:  # fmt: skip
    with psycopg.connect(ledger_url) as owner:
        owner.execute("DELETE FROM ledger.outgoing")
    hub.taken.clear()
    hub.script.clear()
    one = sender(outbox, hub.destination(tmp_path))
    happened = []
    for times, faults in batches:
        happened += happens(ledger, times)
        hub.script.extend(faults)
        deliver(one)
        try_again_now(ledger_url)
    while position(outbox).behind:
        try_again_now(ledger_url)
        deliver(one)
    assert hub.ids() == happened
    bodies: dict[str, set[bytes]] = {}
    for received in hub.taken:
        bodies.setdefault(received.headers["webhook-id"], set()).add(received.body)
    assert all(len(same) == 1 for same in bodies.values()), "what comes twice is the same"


SENDING = """
import asyncio, sys
import graphs.delivery
from pathlib import Path
from graphs.outgoing import Outgoing
from ledger.postgres import PostgresLedger
from ledger.services import Outbox
graphs.delivery._GRACE_S = graphs.delivery._LONGEST_PAUSE_S = 0.1
async def work(senders):
    while True:
        await asyncio.gather(*(one.deliver() for one in senders))
        await asyncio.sleep(0.02)
with PostgresLedger.open(sys.argv[1]) as ledger:
    outgoing = Outgoing.model_validate_json(sys.argv[2])
    asyncio.run(work(graphs.delivery.open_senders(outgoing, Outbox(ledger), ["order_exception"])))
"""


def test_senders_that_are_killed_lose_nothing_and_make_nothing_up(
    ledger: PostgresLedger, outbox: Outbox, hub: Receiver, ledger_url: str, tmp_path: Path
) -> None:
    to = hub.destination(tmp_path, timeout_seconds=0.5)
    outbox.begin(to.name)
    declared = Outgoing(dashboard=DASHBOARD, outgoing={to.name: to}).model_dump(mode="json")
    declared["outgoing"][to.name] |= {"secret": {"file": str(tmp_path / "secret")}}
    words = [sys.executable, "-c", SENDING, ledger_url, json.dumps(declared)]
    lives = [subprocess.Popen(words, cwd=CHECKOUT) for _ in range(3)]
    happened: list[str] = []
    hub.script.extend(["204", "broken off", "500", "lost"] * 3)
    try:
        for killed in lives[:2]:
            came = hub.came
            happened += happens(ledger, 15)
            eventually(lambda came=came: hub.came > came + 3)
            killed.kill()
            killed.wait()
        eventually(lambda: position(outbox).behind == 0)
    finally:
        for one in lives:
            one.kill()
            one.wait()
    assert hub.ids() == happened
