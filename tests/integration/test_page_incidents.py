"""Incidents & audit as people use them, on a live company."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from errors import MissionsError, OutcomeUnknown, Refused
from evals.recorded.cases import recorded
from graphs.runtime import Runtime
from ledger.records import Event, Run
from systems.calls import Call, Receipt, Writer
from tests.integration.live_company import RECORDED, put_back
from tests.integration.open_pages import PATIENCE, Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]

#: an order whose plan has several steps
CASE = RECORDED["dev-sup-0003"]
AUDIT = {"tab": "Audit log"}
HOSTILE = "<img src=x onerror=alert(1)> **bold** [click](javascript:alert(2))"
ROLES = {
    "rita": "reviewer", "sam": "supervisor", "fay": "finance", "finn": "finance", "ana": "analyst", "olga": "auditor",
    "adam": "administrator", "pat": "customer",
}  # fmt: skip
_NUMBERS = count(1)


@pytest.fixture(autouse=True)
def people(front: Front) -> Iterator[None]:
    """Everybody has a session, and what a test leaves stuck is closed after it."""
    for name, role in ROLES.items():
        if front.ledger.person(name) is None:
            front.enrol(name, role, "C-PAT" if role == "customer" else None)
    yield
    for _, run in front.desk.incidents():
        if front.ledger.run(run.run_id).status == "incident":
            front.ledger.abandon(run.run_id, by="rita", reason="the test is over", at=datetime.now(UTC))


class Failing:
    """A writer that fails at its second write."""

    def __init__(self, writer: Writer, error: MissionsError) -> None:
        self._writer, self._error, self._left = writer, error, 1

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return self._writer.honours_keys(call)

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer."""
        self._left -= 1
        if self._left < 0:
            raise self._error
        return self._writer.write(call, key)


def event(front: Front, **changes: Any) -> Event:
    """The event of the case, as if it came for the first time."""
    case_id = f"{CASE['case_id']}/{next(_NUMBERS)}"
    return replace(recorded({**CASE, "case_id": case_id}, front.company.runtime.context.packs, case_id).event, **changes)


def stuck(front: Front, error: MissionsError) -> Run:
    """A run whose second step failed so, after its first was done."""
    front.empty()
    front.load(CASE)
    runtime = front.company.runtime
    run = runtime.drive(runtime.take_in(event(front)).run_id)
    proposal = runtime.ledger.proposal(run.run_id)
    assert proposal is not None and len(proposal.plan) == 2
    before = runtime.context.writer
    assert before is not None
    runtime.context.writer = Failing(before, error)
    try:
        for by in ("fay", "finn")[: 2 if proposal.approval.four_eyes else 1]:
            runtime.decide(run.run_id, "approve", by, "as the charges show")
        return driven(runtime, run.run_id)
    finally:
        runtime.context.writer = before


def driven(runtime: Runtime, run_id: str) -> Run:
    """The run where it stops; the dashboard, which looks for runs that nobody drives, may have been faster."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return runtime.drive(run_id)
        except Refused:
            assert time.monotonic() < until
            time.sleep(0.05)


def halted(front: Front, reason: str, **changes: Any) -> Run:
    """A run that stopped before it did anything."""
    run = front.company.runtime.take_in(event(front, **changes))
    front.ledger.incident(run.run_id, reason, datetime.now(UTC))
    return run


def press(page: AppTest, label: str, reason: str | None = None) -> AppTest:
    if reason is not None:
        next(field for field in page.text_input if field.label == "Reason").set_value(reason)
    return next(button for button in page.button if button.label == label).click().run()


def labels(page: AppTest) -> set[str]:
    return {button.label for button in page.button}


def test_nothing_is_stuck(front: Front) -> None:
    page = front.page("rita", "incidents")
    assert not page.exception
    assert "Nothing is stuck." in seen(page)


def test_an_incident_is_shown_with_its_reason_and_what_of_the_plan_was_done(front: Front) -> None:
    run = stuck(front, Refused(f"crm refuses {HOSTILE}"))
    assert run.status == "incident"
    page = front.page("rita", "incidents")
    shown = html(page)
    assert run.run_id in shown and run.event.subject in shown
    assert "&lt;img src=x onerror=alert(1)&gt; **bold**" in shown and "<img" not in shown
    assert shown.index(">done<") < shown.index(">failed<")
    assert "m-step-failed" in shown
    assert {"Retry", "Close for good"} <= labels(page)


def test_an_incident_is_retried_with_a_reason(front: Front) -> None:
    run = stuck(front, Refused("crm is closed for the night"))
    page = press(front.page("rita", "incidents"), "Retry", "crm is open again")
    assert not page.error
    assert front.settled(run.run_id).status in ("waiting", "closed")
    assert "Nothing is stuck." in seen(page.run())
    (row,) = front.desk.audit_page(run_id=run.run_id, kind="run_resumed")
    assert (row.body["by"], row.body["reason"]) == ("rita", "crm is open again")


def test_a_run_is_started_anew(front: Front) -> None:
    run = halted(front, "it was started with another pack")
    page = press(front.page("rita", "incidents"), "Restart", "the pack was changed")
    assert not page.error
    assert front.settled(run.run_id).status in ("waiting", "closed")
    (row,) = front.desk.audit_page(run_id=run.run_id, kind="run_restarted")
    assert (row.body["by"], row.body["reason"]) == ("rita", "the pack was changed")


def test_to_settle_an_incident_takes_a_reason(front: Front) -> None:
    run = halted(front, "it stopped")
    for label in ("Retry", "Restart", "Close for good"):
        page = press(front.page("rita", "incidents"), label, "  ")
        assert "requires a reason" in page.error[0].value
        assert front.ledger.run(run.run_id).status == "incident"


def test_an_incident_is_closed_for_good(front: Front) -> None:
    run = halted(front, "it stopped")
    press(front.page("sam", "incidents"), "Close for good", "done by hand")
    closed = front.ledger.run(run.run_id)
    assert (closed.status, closed.outcome) == ("closed", "abandoned")


def test_a_step_whose_outcome_is_not_known_is_settled_by_who_looked_it_up(front: Front) -> None:
    run = stuck(front, OutcomeUnknown("crm did not answer in 10 s"))
    page = front.page("rita", "incidents")
    assert "outcome not known" in html(page)
    assert "Retry" not in labels(page)
    page = press(page, "It was done: go on", "the message is in crm")
    assert not page.error
    assert front.settled(run.run_id).outcome == "executed"
    assert [effect.status for effect in front.ledger.effects(run.run_id)] == ["done", "done"]
    told = [one.text for one in front.ledger.observations(run.run_id)]
    assert any("rita looked it up: it was done, “the message is in crm”" in text for text in told)


def test_a_step_that_was_not_done_is_looked_at_anew(front: Front) -> None:
    run = stuck(front, OutcomeUnknown("crm did not answer in 10 s"))
    press(front.page("rita", "incidents"), "It was not done: read everything again", "no message in crm")
    assert front.settled(run.run_id).status in ("waiting", "closed")
    assert [effect.status for effect in front.ledger.effects(run.run_id)][:2] == ["done", "failed"]


def test_without_a_reason_nothing_is_said_about_an_unknown_step(front: Front) -> None:
    run = stuck(front, OutcomeUnknown("crm did not answer in 10 s"))
    page = press(front.page("rita", "incidents"), "It was done: go on", "")
    assert "requires a reason" in page.error[0].value
    assert [effect.status for effect in front.ledger.effects(run.run_id)] == ["done", "unknown"]


@pytest.mark.parametrize("name", ["ana", "olga"])
def test_who_only_reads_sees_incidents_and_cannot_settle_them(front: Front, name: str) -> None:
    run = halted(front, "it stopped")
    page = front.page(name, "incidents")
    assert run.run_id in html(page)
    assert not {"Retry", "Close for good"} & labels(page)


def test_who_may_settle_no_more_settles_nothing(front: Front) -> None:
    run = halted(front, "it stopped")
    front.enrol("ron", "reviewer")
    page = front.page("ron", "incidents")
    front.desk.admit("ron", "analyst", account=False)
    press(page, "Close for good", "I was allowed to")
    assert front.ledger.run(run.run_id).status == "incident"


def test_an_incident_that_somebody_else_settled_meanwhile_is_told(front: Front) -> None:
    run = halted(front, "it stopped")
    page = front.page("rita", "incidents")
    front.ledger.abandon(run.run_id, by="sam", reason="done by hand", at=datetime.now(UTC))
    page = press(page, "Retry", "it is mended")
    assert front.ledger.run(run.run_id).outcome == "abandoned"
    assert not page.exception


def test_a_run_is_found_by_its_address(front: Front) -> None:
    one, other = halted(front, "it stopped"), halted(front, "it stopped too", subject="T-OTHER")
    shown = html(front.page("rita", "incidents", run=one.run_id))
    assert one.run_id in shown and other.run_id not in shown


def test_a_run_that_nobody_works_on_is_shown_and_driven_on(front: Front) -> None:
    front.empty()
    front.load(CASE)
    run = front.company.runtime.take_in(event(front))
    with front.ledger.lease(run.run_id):  # the dashboard looks for such runs by itself, and finds this one in other hands
        assert run.run_id not in html(front.page("rita", "incidents"))
        with psycopg.connect(front.company.url, autocommit=True) as session:
            early = datetime.now(UTC) - timedelta(hours=3)
            session.execute("UPDATE ledger.runs SET started_at = %s WHERE run_id = %s", (early, run.run_id))
        assert "Resume" not in labels(front.page("ana", "incidents"))
        page = front.page("rita", "incidents")
        assert "silent for 3 h" in html(page)
    press(page, "Resume")
    assert front.settled(run.run_id).status == "waiting"
    with psycopg.connect(front.company.url) as session:  # as it was, for verification finds it
        session.execute("UPDATE ledger.runs SET started_at = %s WHERE run_id = %s", (run.started_at, run.run_id))


# The audit log


def test_the_log_is_shown_the_newest_first_in_pages(front: Front) -> None:
    seq, _ = front.ledger.audit_head()
    for number in range(60):
        front.ledger.add_person(f"extra-{number}", "analyst")
    page = front.page("olga", "incidents", **AUDIT)
    assert not page.exception
    assert "extra-59 is analyst" in html(page) and "extra-9 is analyst" not in html(page)
    page = press(page, "Older")
    assert "extra-9 is analyst" in html(page) and "extra-59 is analyst" not in html(page)
    page = press(page, "Newer")
    assert "extra-59 is analyst" in html(page)
    assert "extra-0 is analyst" in html(front.page("olga", "incidents", before=str(seq + 2), **AUDIT))


def test_the_log_is_filtered_by_kind_and_run(front: Front) -> None:
    run = halted(front, "it stopped just so")
    page = front.page("olga", "incidents", run=run.run_id[:9], **AUDIT)
    assert "it stopped just so" in html(page) and "Event taken in" in html(page)
    page.selectbox[0].set_value("incident_opened").run()
    assert "it stopped just so" in html(page) and ">Event taken in<" not in html(page)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "<img>", "0"])
def test_an_address_that_makes_no_sense_breaks_nothing(front: Front, before: str) -> None:
    assert not front.page("olga", "incidents", before=before, run=HOSTILE, **AUDIT).exception


@pytest.mark.parametrize("name", ["ana", "rita", "pat", ""])
def test_who_may_not_search_the_log_sees_nothing_of_it(front: Front, name: str) -> None:
    halted(front, "it stopped just so")
    for page in (front.page(name, "incidents", **AUDIT), front.page(name, "audit")):
        assert not page.exception
        assert "m-audit" not in html(page) and "it stopped just so" not in seen(page)
        assert not page.get("download_button")


def test_the_whole_chain_is_verified_against_an_exported_head(front: Front) -> None:
    put_back(front.company.url)
    seq, digest = front.ledger.audit_head()
    page = press(front.page("olga", "incidents", **AUDIT), f"Verify the whole chain ({seq:,} rows)")
    assert [one.value for one in (*page.error, *page.warning, *page.success)] == [f"The audit log is intact: {seq:,} rows."]
    for head, told in (
        (f'{{"seq": {seq}, "digest": "{digest}"}}', "is the exported one"),
        (f"{seq + 5} {digest}", "things found|thing found"),
        ("my head", "A head is the number of a row"),
    ):
        page = front.page("olga", "incidents", **AUDIT)
        page.text_area[0].set_value(head)
        page = press(page, f"Verify the whole chain ({seq:,} rows)")
        said = [*page.success, *page.error][0].value
        assert any(one in said for one in told.split("|"))


def test_a_row_that_was_edited_is_found(front: Front) -> None:
    front.ledger.add_person("tampered", "analyst")
    seq, _ = front.ledger.audit_head()
    with psycopg.connect(front.company.url, autocommit=True) as session:
        session.execute("SET session_replication_role = replica")  # as whoever owns the database can
        kept = session.execute("SELECT body FROM ledger.audit WHERE seq = %s", (seq,)).fetchone()
        session.execute("UPDATE ledger.audit SET body = %s WHERE seq = %s", (json.dumps({"name": "nobody"}), seq))
        try:
            page = press(front.page("olga", "incidents", **AUDIT), f"Verify the whole chain ({seq:,} rows)")
        finally:
            assert kept is not None
            session.execute("UPDATE ledger.audit SET body = %s WHERE seq = %s", (json.dumps(kept[0]), seq))
    assert "not intact" in page.error[0].value
    assert f"Audit row {seq} was edited: its digest does not cover what it says." in [one.value for one in page.text]


def test_the_log_is_downloaded_by_who_may_and_in_order(front: Front) -> None:
    from dashboard.pages.audit import _file

    seq, digest = front.ledger.audit_head()
    lines = [json.loads(line) for line in _file("olga", 1, seq).splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, seq + 1))
    assert lines[-1]["digest"] == digest
    with pytest.raises(Refused):
        _file("rita", 1, seq)
