"""Incidents in words, and the audit log in words."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from dashboard.pages.audit import KINDS, head_text, line, parse_head, result_of, row, table
from dashboard.pages.incidents import begun, cases, fate, head, quiet, rail_end, silent, step_table
from errors import BadInput
from ledger import audit_chain
from ledger.records import Approval, AuditEntry, Effect, Event, Incident, Observation, Proposal, Run
from ledger.sql import chain
from tests.actions import OPEN_CASE, REALLOCATE_LINE
from tests.unit.dashboard.card_examples import text

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)"> [click](javascript:alert(3)) **bold**'


def run(run_id: str = "r-1", subject: str = "O-4471", **changes: Any) -> Run:
    event = Event(source_id="s", name="order.stock_short", mission="order_exception", subject=subject, trigger={}, as_of=NOW)
    return replace(Run(run_id=run_id, event=event, versions={}, status="incident", started_at=NOW), **changes)


def incident(run_id: str = "r-1", reason: str = "wms is down", minutes: int = 0) -> Incident:
    return Incident(incident_id=f"i-{run_id}-{minutes}", run_id=run_id, reason=reason, at=NOW + timedelta(minutes=minutes))


def effect(step: int, status: Any, proposal_id: str = "p-2") -> Effect:
    return Effect(
        run_id="r-1", proposal_id=proposal_id, step=step, action=REALLOCATE_LINE, tool="wms.reallocate_line", args={},
        key=f"{proposal_id}-{step}", status=status, at=NOW,
    )  # fmt: skip


def proposal(proposal_id: str, *says: str) -> Proposal:
    return Proposal(
        proposal_id=proposal_id, run_id="r-1", revision=1, author="planner", verdict="fulfil",
        plan=[{"name": REALLOCATE_LINE, "says": one} for one in says], rationale="", cites=[], alternatives=[], changes=[],
        confidence=1.0, money_at_stake_cents=0, approval=Approval(role="reviewer", four_eyes=False), digest="d",
        created_at=NOW, expires_at=NOW, due_at=NOW,
    )  # fmt: skip


def said(seq: int, text: str = "read", at: datetime = NOW) -> Observation:
    return Observation(seq=seq, at=at, step="gather", kind="read", text=text)


def test_a_run_with_several_incidents_is_one_case() -> None:
    pairs = [
        (incident(), run()), (incident("r-2"), run("r-2", "T-9")), (incident(reason="late", minutes=2), run()),
        (incident(minutes=3), run()),
    ]  # fmt: skip
    found = cases(pairs)
    assert [(case.run.run_id, case.reasons, case.since) for case in found] == [
        ("r-1", ("wms is down", "late"), NOW), ("r-2", ("wms is down",), NOW),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ids"), [("", ["r-1", "r-2"]), ("o-44", ["r-1"]), ("r-2", ["r-2"]), ("4471", ["r-1"]), ("x", [])]
)
def test_cases_are_found_by_a_part_of_their_subject_or_the_start_of_their_run(text: str, ids: list[str]) -> None:
    pairs = [(incident(), run()), (incident("r-2"), run("r-2", "T-9"))]
    assert [case.run.run_id for case in cases(pairs, text)] == ids


def rows(table: Markup) -> list[str]:
    """What people read of each row, under the heads."""
    return [text(Markup(row)).removeprefix(">").split("> ", 1)[-1].strip() for row in table.split("<tr")[2:]]


def test_the_steps_are_those_of_the_plan_that_was_executed_last() -> None:
    effects = [effect(0, "failed", "p-1"), effect(0, "done"), effect(1, "unknown"), effect(2, "intended")]
    assert rows(step_table(begun(effects), [proposal("p-1", "old"), proposal("p-2", "Move", "Pay", "Release")])) == [
        "1 Move wms done Mar 14, 2026, 9:30:00 AM UTC", "2 Pay wms outcome not known Mar 14, 2026, 9:30:00 AM UTC",
        "3 Release wms not begun",
    ]  # fmt: skip
    assert begun([]) == []


def test_steps_of_a_proposal_that_is_not_there_have_the_name_of_their_action() -> None:
    assert rows(step_table([effect(4, "failed")], [])) == ["5 reallocate line wms failed Mar 14, 2026, 9:30:00 AM UTC"]


def test_a_run_is_silent_when_it_has_said_nothing_for_more_than_a_minute() -> None:
    going = run(status="running", started_at=NOW - timedelta(hours=1))
    assert silent(going, [said(1, at=NOW - timedelta(seconds=59))], NOW) is None
    assert silent(going, [said(1, at=NOW - timedelta(seconds=61))], NOW) == NOW - timedelta(seconds=61)
    assert silent(going, [], NOW) == NOW - timedelta(hours=1)


def test_hostile_text_of_an_incident_is_shown_as_text() -> None:
    stuck = cases([(incident(reason=HOSTILE), run(subject=HOSTILE))])[0]
    pieces = (
        head(stuck, NOW),
        step_table([effect(0, "failed")], [proposal("p-2", HOSTILE)]),
        rail_end([said(1, HOSTILE)]),
        quiet(stuck.run, NOW, NOW),
        fate(stuck.run, True),
    )
    shown = "".join(map(str, pieces))
    assert "<img" not in shown
    assert shown.count("&lt;img") >= 5


@pytest.mark.parametrize(
    ("changes", "driven", "says"),
    [
        ({"status": "running"}, True, "goes on"),
        ({"status": "running"}, False, "waits to be driven"),
        ({"status": "waiting"}, False, "waits for a person"),
        ({"status": "incident"}, False, "is stuck again"),
        ({"status": "closed", "outcome": "abandoned"}, False, "closed: abandoned"),
    ],
)
def test_what_became_of_a_settled_run_is_told(changes: dict[str, Any], driven: bool, says: str) -> None:
    assert f">{says}<" in str(fate(run(**changes), driven))


# The audit log

BODIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "event_taken_in": (
        {"source_id": "s", "event": "order.stock_short", "mission": "order_exception", "subject": "O-1", "digest": "d"},
        "", "order · stock short about O-1, for the Mission order exception",
    ),
    "proposed": (
        {"revision": 2, "author": "rita", "verdict": "fulfil", "status": "pending", "money_at_stake_cents": 500001,
         "role": "finance", "four_eyes": True, "supersedes": "p-1"},
        "rita", "proposal 2: fulfill, $5,000.01 at stake, waits for 2 × finance, in place of the one before",
    ),
    "decided": (
        {"kind": "approve", "by": "rita", "role": "reviewer", "reason": "fine", "proposal_status": "approved"},
        "rita", "approve, “fine”; the proposal is approved",
    ),
    "effect_marked": (
        {"key": "k", "step": 0, "action": OPEN_CASE, "tool": "crm.open_case", "status": "done"},
        "", "step 1, open case (crm): done",
    ),
    "run_closed": ({"verdict": "fulfil", "outcome": "nothing_to_do"}, "", "verdict fulfill: nothing to do"),
    "incident_opened": ({"incident_id": "i", "reason": "wms is down"}, "", "wms is down"),
    "run_resumed": ({"by": "rita", "reason": "it is back"}, "rita", "“it is back”"),
    "run_abandoned": ({"by": "sam", "reason": "done by hand"}, "sam", "“done by hand”"),
    "policies_kept": ({"book_id": "b-1", "digest": "9f2c", "by": "fay"}, "fay", "book b-1"),
    "person_added": ({"name": "pia", "role": "customer", "customer_id": "C-1"}, "", "pia is customer C-1"),
    "password_changed": ({"name": "rita"}, "rita", "rita chose another password"),
    "password_reset": ({"name": "pia", "by": "admin"}, "admin", "a one-time password for pia"),
    "signed_in": ({"name": "pia"}, "pia", "pia"),
    "signed_out": ({"name": "pia"}, "pia", "pia"),
    "sessions_ended": ({"name": "pia", "by": "admin"}, "admin", "of pia"),
    "account_locked": ({"name": "pia", "failures": 5}, "", "pia, after 5 wrong passwords in a row from one place"),
    "second_factor_added": ({"name": "pia"}, "pia", "pia added one"),
    "second_factor_removed": ({"name": "pia", "by": "admin"}, "admin", "of pia"),
    "admission_asked": ({"kind": "role", "name": "pia", "role": "finance", "by": "admin"}, "admin", "pia is to be finance"),
    "admission_confirmed": (
        {"kind": "password", "name": "pia", "role": "", "by": "olga", "asked_by": "admin"},
        "olga", "pia is to have a one-time password, asked by admin",
    ),
    "admission_refused": (
        {"kind": "second_factor", "name": "pia", "role": "", "by": "olga", "asked_by": "admin"},
        "olga", "pia is to have no second factor, asked by admin",
    ),
    "policy_drafted": (
        {"policy": "REF", "version": "4", "in_force_from": "2026-04-01", "by": "ana", "reason": "dearer"},
        "ana", "REF version 4, from Apr 1, 2026: “dearer”",
    ),
    "policy_put_in_force": (
        {"policy": "REF", "version": "4", "in_force_from": "2026-04-01", "by": "sam", "reason": "agreed"},
        "sam", "REF version 4, from Apr 1, 2026: “agreed”",
    ),
    "policy_draft_withdrawn": (
        {"policy": "REF", "version": "4", "in_force_from": "2026-04-01", "by": "ana", "reason": "no"},
        "ana", "REF version 4, from Apr 1, 2026: “no”",
    ),
    "admission_lapsed": ({"kind": "role", "name": "pia", "role": "finance", "by": "admin"}, "", "pia is to be finance"),
    "second_factor_shown": ({"name": "pia"}, "pia", "pia is to add one"),
    "dead_letter_kept": ({"letter_id": "l-1", "source": "oms"}, "", "l-1, from oms"),
    "feed_advanced": ({"name": "oms.events", "cursor": "17"}, "", "oms.events, up to 17"),
    "run_restarted": ({"by": "rita", "reason": "other rules"}, "rita", "“other rules”"),
    "released": ({"proposal_id": "p-2", "after": "r-9"}, "", "proposal p-2, after run r-9"),
    "observed": ({"upto": 17}, "", "up to observation 17"),
    "policy_draft_agreed": (
        {"policy": "REF", "version": "4", "in_force_from": "2026-04-01", "by": "fay", "reason": "yes"},
        "fay", "REF version 4, from Apr 1, 2026: “yes”",
    ),
    "dead_letter_taken_in": ({"letter_id": "l-1", "by": "rita", "reason": "mended"}, "rita", "l-1: “mended”"),
    "dead_letter_dropped": ({"letter_id": "l-1", "by": "rita", "reason": "spam"}, "rita", "l-1: “spam”"),
    "event_source_added": ({"name": "oms", "by": "admin"}, "admin", "oms"),
    "event_source_bounded": ({"name": "oms", "by": "admin"}, "admin", "oms"),
    "event_source_ended": ({"name": "oms", "by": "admin"}, "admin", "oms"),
    "powers_kept": ({"powers": ["postgres (superuser)"]}, "", "postgres (superuser)"),
    "lesson_promoted": ({"dataset": "overrides.jsonl", "by": "ana"}, "ana", "to overrides.jsonl"),
    "lesson_dropped": ({"reason": "a slip", "by": "ana"}, "ana", "“a slip”"),
}  # fmt: skip


def entry(kind: str, body: dict[str, Any], seq: int = 1) -> AuditEntry:
    return audit_chain.entry((seq - 1, audit_chain.START), NOW, kind, "r-1", body)


def test_every_kind_of_row_has_words() -> None:
    assert set(BODIES) == set(KINDS)
    written = "".join(file.read_text() for file in sorted(Path(chain.__file__).parent.glob("*.py")))
    named = set(re.findall(r"chain\.append\(\s*tx, [^\"]*?, \"([a-z_]+)\"", written))
    assert len(named) > 20 and named <= set(KINDS)


@pytest.mark.parametrize("kind", BODIES)
def test_a_row_says_what_happened_and_who_it_was(kind: str) -> None:
    body, who, what = BODIES[kind]
    shown = row(entry(kind, body))
    assert (shown.who, shown.what, shown.kind) == (who, what, KINDS[kind].label)
    assert entry(kind, body).digest.startswith(shown.digest)


def test_a_row_of_an_unknown_kind_is_shown_as_json() -> None:
    shown = row(entry("moon_phase", {"phase": "full"}))
    assert (shown.kind, shown.what) == ("moon phase", '{"phase": "full"}')


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("body", [{}, {"step": None, "reason": None, "by": None, "name": [1]}])
def test_a_row_whose_body_is_not_as_it_should_be_is_shown_all_the_same(kind: str, body: dict[str, Any]) -> None:
    assert isinstance(row(entry(kind, body)).what, str)


def test_hostile_text_of_the_log_is_shown_as_text() -> None:
    rows = [entry("decided", BODIES["decided"][0] | {"reason": HOSTILE, "by": HOSTILE}), entry(HOSTILE, {HOSTILE: HOSTILE})]
    shown = str(table([*rows, replace(rows[0], run_id=HOSTILE)]))
    assert "<img" not in shown
    assert 'href="/run?run=%3Cimg' in shown


def test_a_downloaded_line_has_everything_that_its_digest_covers() -> None:
    made = entry("decided", BODIES["decided"][0])
    read = json.loads(line(made))
    assert AuditEntry(**{**read, "at": datetime.fromisoformat(read["at"])}) == made
    assert "\n" not in line(replace(made, body={"reason": "a\nb"}))


def test_a_head_is_read_as_it_was_written_down() -> None:
    kept = (1_234, "0" * 63 + "a")
    assert parse_head(head_text(kept)) == kept
    assert parse_head(f"1234 {kept[1]}") == kept
    assert parse_head(f"{'9' * 64} 12") == (12, "9" * 64)
    assert parse_head("  ") is None


@pytest.mark.parametrize(
    "text", ["12", "a" * 64, f"1 2 {'a' * 64}", f"12 {'a' * 63}", "x" * 20_000, HOSTILE, f"12 {'a' * 64} {'b' * 64}"]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="A head is the number of a row and its digest"):
        parse_head(text)


def test_the_result_of_a_verification_is_a_sentence() -> None:
    assert result_of([], (1_234, "d"), None) == "The audit log is intact: 1,234 rows."
    assert result_of([], (1_234, "d"), (12, "e")) == "The audit log is intact: 1,234 rows, and row 12 is the exported one."
    assert result_of(["x"], (5, "d"), None) == "The audit log is not intact: 1 thing found."
