"""Runs are taken in once, found by the start of their id, and closed once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from errors import BadInput, Refused
from ledger.base import Ledger
from tests.ledger_examples import LATER, NOW, a_proposal, an_effect, an_event, decided, staffed, started


def test_an_event_that_is_taken_in_starts_a_running_run(ledger: Ledger) -> None:
    run = ledger.take_in(an_event(), "run-1", {"graph": "1"})
    assert (run.run_id, run.status, run.event, run.versions) == ("run-1", "running", an_event(), {"graph": "1"})
    assert run.started_at.tzinfo is not None
    assert ledger.run("run-1") == run


def test_an_event_that_comes_again_gives_the_run_it_has(ledger: Ledger) -> None:
    first = ledger.take_in(an_event(), "run-1", {"graph": "1"})
    again = ledger.take_in(an_event(as_of=LATER), "run-2", {"graph": "2"})
    assert again == first
    assert ledger.runs() == [first]
    assert len(ledger.audit()) == 1


def test_another_event_under_the_same_source_id_is_refused(ledger: Ledger) -> None:
    ledger.take_in(an_event(), "run-1", {})
    with pytest.raises(Refused, match="ev-1 was already accepted with different content"):
        ledger.take_in(an_event(trigger={"order_id": "O-2"}), "run-2", {})
    assert len(ledger.runs()) == 1


def test_a_run_id_that_is_taken_is_not_given_to_another_event(ledger: Ledger) -> None:
    ledger.take_in(an_event("ev-1"), "run-1", {})
    with pytest.raises(BadInput, match="'run-1' belongs to another event"):
        ledger.take_in(an_event("ev-2"), "run-1", {})
    assert ledger.take_in(an_event("ev-2"), "run-2", {}).run_id == "run-2"


@pytest.mark.parametrize("field", ["source_id", "subject"])
def test_an_event_needs_a_source_id_and_a_subject_of_reasonable_length(ledger: Ledger, field: str) -> None:
    with pytest.raises(BadInput, match="has no"):
        ledger.take_in(an_event(**{field: "  "}), "run-1", {})
    with pytest.raises(BadInput, match="longer than 500"):
        ledger.take_in(an_event(**{field: "x" * 20_000}), "run-1", {})
    assert ledger.runs() == []


def test_a_moment_without_a_time_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="has no time zone"):
        ledger.take_in(an_event(as_of=datetime(2026, 3, 1)), "run-1", {})


def test_a_moment_of_another_time_zone_is_the_same_moment(ledger: Ledger) -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    ledger.take_in(an_event(as_of=berlin), "run-1", {})
    assert ledger.run("run-1").event.as_of == NOW
    assert ledger.run("run-1").started_at.utcoffset() == datetime.now(UTC).utcoffset()


def test_a_run_is_found_by_the_start_of_its_id_when_only_one_has_it(ledger: Ledger) -> None:
    started(ledger, "ab%12")
    started(ledger, "ab%13")
    started(ledger, "abx14")
    assert ledger.run("ab%12").run_id == "ab%12"
    assert ledger.run("abx").run_id == "abx14"
    with pytest.raises(BadInput, match=r"'ab%' names 2 runs \(ab%12, ab%13\)"):
        ledger.run("ab%")
    for unknown in ("zz", "", "ab_1"):
        with pytest.raises(BadInput, match=f"There is no run '{unknown}' in the ledger"):
            ledger.run(unknown)


def test_a_whole_id_is_found_although_another_one_starts_with_it(ledger: Ledger) -> None:
    started(ledger, "run-1")
    started(ledger, "run-10")
    assert ledger.run("run-1").run_id == "run-1"


def test_runs_are_listed_newest_first_and_by_status(ledger: Ledger) -> None:
    for n in (1, 2, 3):
        started(ledger, f"run-{n}")
    ledger.finish("run-2", "fulfil", "nothing_to_do", LATER)
    assert [run.run_id for run in ledger.runs()] == ["run-3", "run-2", "run-1"]
    assert [run.run_id for run in ledger.runs("closed")] == ["run-2"]
    assert [run.run_id for run in ledger.runs("running", limit=1)] == ["run-3"]


def test_a_run_is_closed_once_and_the_same_end_again_changes_nothing(ledger: Ledger) -> None:
    started(ledger)
    ledger.finish("run-1", "fulfil", "executed", LATER)
    closed = ledger.run("run-1")
    assert (closed.status, closed.verdict, closed.outcome, closed.ended_at) == ("closed", "fulfil", "executed", LATER)
    ledger.finish("run-1", "fulfil", "executed", LATER + timedelta(hours=1))
    assert ledger.run("run-1") == closed
    with pytest.raises(Refused, match="was closed before as 'fulfil'"):
        ledger.finish("run-1", "cancel", "executed", LATER)


def test_closing_a_run_leaves_no_proposal_waiting(ledger: Ledger) -> None:
    started(ledger)
    ledger.propose(a_proposal())
    ledger.finish("run-1", "escalate", "escalated", LATER)
    assert [proposal.status for proposal in ledger.proposals("run-1")] == ["superseded"]
    assert ledger.queue() == []


def test_whatever_is_written_needs_a_run_that_is_known(ledger: Ledger) -> None:
    for write in (
        lambda: ledger.record_facts("run-9", []),
        lambda: ledger.observe("run-9", []),
        lambda: ledger.propose(a_proposal(run_id="run-9")),
        lambda: ledger.finish("run-9", "fulfil", "executed", LATER),
        lambda: ledger.incident("run-9", "stuck", LATER),
        lambda: ledger.resume("run-9", by="Rita", reason="mended", at=LATER),
        lambda: ledger.abandon("run-9", by="Rita", reason="given up", at=LATER),
    ):
        with pytest.raises(BadInput, match="There is no run 'run-9' in the ledger"):
            write()


def test_an_incident_stops_the_run_until_somebody_resumes_it(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    made = ledger.incident("run-1", "wms does not answer", LATER)
    assert ledger.incident("run-1", "wms does not answer", LATER) == made
    assert (ledger.run("run-1").status, ledger.incidents()) == ("incident", [made])
    with pytest.raises(
        Refused, match="requires the role administrator or finance or reviewer or supervisor, and Nick is analyst"
    ):
        ledger.resume("run-1", by="Nick", reason="mended", at=LATER)
    assert ledger.resume("run-1", by="Rita", reason="wms is back", at=LATER).status == "running"
    assert ledger.incidents() == []
    assert ledger.incidents(open_only=False) == [replace(made, closed_at=LATER)]
    with pytest.raises(Refused, match="there is nothing to settle"):
        ledger.resume("run-1", by="Rita", reason="again", at=LATER)


def test_a_run_that_waited_waits_again_after_its_incident(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    ledger.incident("run-1", "the graph has changed", LATER)
    assert ledger.queue() == []
    assert ledger.resume("run-1", by="Rita", reason="put back", at=LATER).status == "waiting"
    assert len(ledger.queue()) == 1


def test_a_closed_run_cannot_become_an_incident_and_closing_closes_incidents(ledger: Ledger) -> None:
    started(ledger)
    ledger.incident("run-1", "stuck", LATER)
    ledger.finish("run-1", "escalate", "escalated", LATER)
    assert ledger.incidents() == []
    with pytest.raises(Refused, match="run-1 is closed"):
        ledger.incident("run-1", "stuck again", LATER)


def test_an_incident_that_is_abandoned_is_closed_with_its_run_for_good(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal(verdict="cancel"))
    made = ledger.incident("run-1", "wms does not answer", LATER)
    closed = ledger.abandon("run-1", by=" rita ", reason="done by hand", at=LATER)
    assert (closed.status, closed.verdict, closed.outcome, closed.ended_at) == ("closed", "cancel", "abandoned", LATER)
    assert ledger.run("run-1") == closed
    assert ledger.incidents(open_only=False) == [replace(made, closed_at=LATER)]
    assert [proposal.status for proposal in ledger.proposals("run-1")] == ["superseded"]
    told = ledger.audit("run-1")[-2:]
    assert [(entry.kind, entry.at) for entry in told] == [("run_abandoned", LATER), ("run_closed", LATER)]
    assert (told[0].body["by"], told[0].body["reason"]) == ("Rita", "done by hand")
    assert ledger.verify_audit() == []


def test_a_run_that_is_abandoned_keeps_what_was_done_and_does_nothing_more(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    decided(ledger)
    ledger.intend([an_effect("k-0"), an_effect("k-1", 1)])
    ledger.mark_effect("k-0", "executing", at=LATER)
    ledger.mark_effect("k-0", "done", receipt={"id": "r-1"}, at=LATER)
    ledger.incident("run-1", "wms does not answer", LATER)
    ledger.abandon("run-1", by="Rita", reason="the rest is not needed", at=LATER)
    assert [effect.status for effect in ledger.effects("run-1")] == ["done", "intended"]
    assert ledger.proposals("run-1")[0].status == "approved"
    for again in (
        lambda: ledger.resume("run-1", by="Rita", reason="go on", at=LATER),
        lambda: ledger.abandon("run-1", by="Rita", reason="once more", at=LATER),
        lambda: ledger.propose(a_proposal("p-2", revision=2)),
    ):
        with pytest.raises(Refused):
            again()


def test_a_run_without_a_proposal_is_abandoned_without_a_verdict(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    ledger.incident("run-1", "oms does not answer", LATER)
    assert ledger.abandon("run-1", by="Fay", reason="entered by mistake", at=LATER).verdict == "none"


@pytest.mark.parametrize(
    ("by", "reason", "sentence"),
    [
        ("Nick", "given up", "requires the role administrator or finance or reviewer or supervisor, and Nick is analyst"),
        ("Nobody", "given up", "'Nobody' is not known to the ledger"),
        ("Rita", " \n", "requires a reason"),
    ],
)
def test_nobody_abandons_a_run_who_may_not_or_without_a_reason(ledger: Ledger, by: str, reason: str, sentence: str) -> None:
    staffed(ledger)
    started(ledger)
    made = ledger.incident("run-1", "wms does not answer", LATER)
    before = ledger.audit_head()
    with pytest.raises(Refused, match=sentence):
        ledger.abandon("run-1", by=by, reason=reason, at=LATER)
    assert (ledger.run("run-1").status, ledger.incidents(), ledger.audit_head()) == ("incident", [made], before)


def test_only_an_incident_is_abandoned(ledger: Ledger) -> None:
    staffed(ledger)
    started(ledger)
    ledger.propose(a_proposal())
    with pytest.raises(Refused, match="is 'waiting' and no incident"):
        ledger.abandon("run-1", by="Rita", reason="given up", at=LATER)
    assert len(ledger.queue()) == 1


def test_a_run_is_leased_by_one_at_a_time(ledger: Ledger) -> None:
    for run_id in ("run-1", "run-2"):
        started(ledger, run_id)
    with ledger.lease("run-1"):
        with ledger.lease("run-2"):
            pass
        with pytest.raises(Refused, match="run-1 is being worked on by another process"), ledger.lease("run-1"):
            pass
    with ledger.lease("run-1"):
        pass


def test_a_lease_is_given_back_when_the_work_fails(ledger: Ledger) -> None:
    started(ledger)
    with pytest.raises(ZeroDivisionError), ledger.lease("run-1"):
        _ = 1 / 0
    with ledger.lease("run-1"):
        pass
