"""One run as a page shows it: where it is in the graph, how long each step took, its head, effects, proposals and trace."""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.card import waits_for
from dashboard.pages import run as page
from dashboard.pages.run import (
    attempts,
    effect_table,
    fact_head,
    fact_title,
    flowchart,
    head,
    incident_list,
    proposal_list,
    step_now,
    steps_passed,
    timing_table,
    timings,
    version_table,
)  # fmt: skip
from graphs.mission import Flow
from ledger.records import AuditEntry, Decision, Effect, Observation, ObservationKind, Person, Run
from tests.actions import REFUND_CHARGE, SEND_MESSAGE
from tests.ledger_examples import NOW, a_fact, a_proposal, an_event

HOSTILE = "<img src=x onerror=alert(1)> **bold** {0}"
STEPS, EDGES = Flow.of_missions().steps, Flow.of_missions().edges


def a_run(status: Any = "waiting", **other: Any) -> Run:
    return Run(run_id="r-1", event=an_event(), versions={"graph": "1"}, status=status, started_at=NOW, **other)


def seen(seq: int, step: str, kind: ObservationKind, after_s: float, **evidence: Any) -> Observation:
    return Observation(seq=seq, at=NOW + timedelta(seconds=after_s), step=step, kind=kind, text="said", evidence=evidence)


def decided(kind: Any, by: str = "rita", **details: Any) -> Decision:
    return Decision(
        decision_id="d-1", proposal_id="p-1", run_id="r-1", kind=kind, by=by, role="reviewer", reason=HOSTILE, digest="x", at=NOW,
        details=details,
    )  # fmt: skip


def an_effect(status: Any = "done", **other: Any) -> Effect:
    return Effect(
        run_id="r-1", proposal_id="p-1", step=0, action=REFUND_CHARGE, tool="payments.refund_charge",
        args={"charge_id": "ch_1", "note": HOSTILE}, key="k" * 40, status=status, at=NOW, **other,
    )  # fmt: skip


UP_TO_CHECK = [
    seen(1, "gather", "event", 0.1),
    seen(2, "diagnose", "finding", 0.2),
    seen(3, "ground", "policy", 0.3),
    seen(4, "propose", "plan", 0.5),
    seen(5, "check", "check", 0.6, proposal="p-1"),
]


def test_the_graph_is_read_off_the_compiled_one() -> None:
    assert STEPS[0] == "gather" and STEPS[-1] == "close"
    assert ("check", "propose") in EDGES and ("execute", "gather") in EDGES


@pytest.mark.parametrize(
    ("status", "observations", "decisions", "step"),
    [
        ("running", [], [], "gather"),
        ("running", UP_TO_CHECK[:1], [], "diagnose"),
        ("running", UP_TO_CHECK[:3], [], "propose"),
        ("running", UP_TO_CHECK, [], "execute"),
        ("running", [*UP_TO_CHECK[:4], seen(5, "check", "check", 0.6)], [], "propose"),
        ("waiting", UP_TO_CHECK, [], "review"),
        ("running", [*UP_TO_CHECK, seen(6, "review", "decision", 60)], [decided("approve")], "execute"),
        ("running", [*UP_TO_CHECK, seen(6, "review", "decision", 60)], [decided("respond")], "gather"),
        ("running", [*UP_TO_CHECK, seen(6, "execute", "effect", 60)], [decided("approve")], "execute"),
        ("running", [*UP_TO_CHECK, seen(6, "execute", "check", 60)], [decided("approve")], "gather"),
        ("incident", [*UP_TO_CHECK, seen(6, "execute", "effect", 60)], [decided("approve")], "execute"),
    ],
)
def test_a_run_is_at_the_step_that_speaks_next(
    status: Any, observations: list[Observation], decisions: list[Decision], step: str
) -> None:
    assert step_now(a_run(status), observations, decisions) == step


def test_a_closed_run_is_at_no_step() -> None:
    assert step_now(a_run("closed", ended_at=NOW), UP_TO_CHECK, []) == ""


def test_steps_that_had_nothing_to_say_are_passed_too() -> None:
    assert steps_passed(STEPS, UP_TO_CHECK, []) == {"gather", "diagnose", "ground", "assess", "propose", "check"}
    assert {"review", "decision"} <= steps_passed(STEPS, UP_TO_CHECK, [decided("approve")])


def test_the_current_step_is_marked_by_how_the_run_stands() -> None:
    drawn = flowchart(STEPS, EDGES, {"gather"}, "review", "waiting")
    assert 'review(["review"]):::waits' in drawn
    assert 'gather(["gather"]):::passed' in drawn and 'close(["close"]):::coming' in drawn
    assert "check -.-> propose" in drawn and "check --> review" in drawn
    assert ":::stuck" in flowchart(STEPS, EDGES, set(), "execute", "incident")
    assert ":::current" in flowchart(STEPS, EDGES, set(), "execute", "running")


def test_a_step_took_what_passed_since_the_one_before_it() -> None:
    found = timings([*UP_TO_CHECK, seen(6, "review", "decision", 600.6), seen(7, "execute", "effect", 601)], NOW)
    assert [one.step for one in found] == ["gather", "diagnose", "ground", "propose", "check", "review", "execute"]
    assert [round(one.took_s, 3) for one in found] == [0.1, 0.1, 0.1, 0.2, 0.1, 600, 0.4]
    shown = str(timing_table(found))
    assert "review, a person" in shown and "10 min" in shown
    assert "1.00 s" in shown.split("<tfoot>")[1]  # a person's time is not the Mission's


def test_moments_that_go_backwards_take_no_time() -> None:
    assert [one.took_s for one in timings([seen(1, "gather", "event", 5), seen(2, "diagnose", "finding", 3)], NOW)] == [5, 0]


def test_the_head_says_how_a_run_stands() -> None:
    waiting = head(a_run(), a_proposal(), [], NOW + timedelta(minutes=5))
    assert "waits for reviewer since 5 min" in waiting and "O-1" in waiting
    closed = head(a_run("closed", ended_at=NOW + timedelta(seconds=2), verdict="fulfil", outcome="executed"), None, [], NOW)
    assert "took 2.00 s" in closed and "executed" in closed
    asked = head(replace(a_run(), event=an_event(subject=HOSTILE, requested_by=HOSTILE)), None, [], NOW)
    assert "<img" not in asked and "asked for by" in asked


def test_four_eyes_are_told_with_who_has_approved() -> None:
    proposal = a_proposal(role="finance", four_eyes=True)
    assert waits_for(proposal, []) == "2 × finance"
    assert waits_for(proposal, [decided("approve", "fay")]) == "finance, second after fay"


def test_effects_show_key_receipt_and_error_as_text() -> None:
    done = str(effect_table([an_effect(receipt={"receipt_id": "rc_1", "note": HOSTILE})]))
    assert "rc_1" in done and "k" * 40 in done and "<img" not in done
    assert "<img" not in effect_table([an_effect("failed", error=HOSTILE)])
    assert "Nothing was executed" in effect_table([])


def test_proposals_are_shown_newest_first_with_what_was_decided_about_each() -> None:
    second = a_proposal("p-2", revision=2, author="rita", status="pending", plan=[])
    first = a_proposal("p-1", rationale=HOSTILE, plan=[_action()], status="sent_back")
    shown = str(proposal_list([first, second], [decided("respond", remark=HOSTILE)], []))
    assert shown.index("Revision 2") < shown.index("Revision 1")
    assert "Nothing would change" in shown and "sent back" in shown
    assert "rita (reviewer): respond" in shown and "<img" not in shown
    assert shown.count('<details class="r-proposal" open') == 1


def test_an_edited_revision_shows_what_was_edited_and_the_one_before_does_not() -> None:
    refund = {**_action(), "args": {"amount_cents": 7_500}}
    first = a_proposal("p-1", plan=[refund], status="sent_back")
    second = a_proposal("p-2", revision=2, author="rita", plan=[{**refund, "args": {"amount_cents": 5_000}}])
    edit = replace(decided("edit", "rita"), proposal_id="p-1")
    newest, oldest = str(proposal_list([first, second], [edit], [])).split("Revision 1")
    assert "<del>$75.00</del>" in newest and "<ins>$50.00</ins>" in newest and "$50.00" not in oldest
    assert "<del>" not in proposal_list([first, second], [replace(edit, kind="escalate")], [])


def _action() -> dict[str, Any]:
    return {
        "name": SEND_MESSAGE, "tool": "crm.send_message", "args": {"text": HOSTILE}, "says": HOSTILE, "tier": "recommend",
        "part": HOSTILE, "cites": ["FRD-2"], "for": "x", "undo": None,
    }  # fmt: skip


def test_facts_are_told_as_labels_without_markdown() -> None:
    assert fact_title(a_fact(tool="oms.get_order")) == "oms · get order · order · 1 record"
    assert fact_title(a_fact(value=[])).endswith("0 records")
    assert fact_title(a_fact(status="failed", value=None)).endswith("could not be read")
    assert "<img" not in fact_head(a_fact(status="failed", value=None, error=HOSTILE, args={"x": HOSTILE}), NOW)
    assert attempts([*UP_TO_CHECK, seen(6, "gather", "event", 9)]) == 2


def test_incidents_come_from_the_audit_log() -> None:
    def entry(seq: int, kind: str, **body: Any) -> AuditEntry:
        return AuditEntry(seq=seq, at=NOW, kind=kind, run_id="r-1", body=body, previous="", digest="")

    shown = incident_list([entry(1, "incident_opened", reason=HOSTILE), entry(2, "run_resumed", by="sam", reason="looked into")])
    assert "stopped" in shown and "resumed" in shown and "sam: looked into" in shown and "<img" not in shown
    assert "Nothing stopped this run" in incident_list([entry(3, "proposal")])


def test_the_versions_and_the_message_are_shown_as_text() -> None:
    shown = version_table(replace(a_run(), event=an_event(trigger={"text": HOSTILE})))
    assert "graph" in shown and "<img" not in shown


def test_the_trace_is_everything_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {
        "run": a_run(), "observations": UP_TO_CHECK, "facts": [a_fact()], "proposals": [a_proposal()],
        "decisions": [decided("approve")], "effects": [an_effect()],
    }  # fmt: skip
    ledger = SimpleNamespace(**{name: lambda _, value=value: value for name, value in kept.items()})
    rita = Person(name="rita", role="reviewer")
    desk = SimpleNamespace(require=lambda name, permission: rita)
    monkeypatch.setattr(page, "company", lambda: SimpleNamespace(ledger=ledger, desk=desk))
    read = json.loads(page._trace(rita, "r-1"))
    assert list(read) == ["run", "observations", "facts", "proposals", "decisions", "effects", "audit"]
    assert len(read["observations"]) == 5 and read["run"]["event"]["subject"] == "O-1"
