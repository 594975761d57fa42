"""The Explain rail as a timeline: what is one entry, what is said of it, and that text stays text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.rail import entries, long_text, rail, rail_entries, took
from ledger.records import Fact, Observation, ObservationKind

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1)) {braces} {0}"


def seen(seq: int, step: str, kind: ObservationKind, text: str, after_s: float, **evidence: Any) -> Observation:
    return Observation(seq=seq, at=START + timedelta(seconds=after_s), step=step, kind=kind, text=text, evidence=evidence)


READS = [
    seen(1, "gather", "event", "order.payment_review for O-1, ev-1", 0.12),
    seen(2, "gather", "read", "oms.get_order(order_id O-1): read", 0.12, tool="oms.get_order", fact="order"),
    seen(3, "gather", "read", "crm.get_customer(customer_id C-1): read", 0.12, tool="crm.get_customer", fact="customer"),
]
PLAN = [
    seen(4, "propose", "plan", "The score is explained.", 0.2),
    seen(5, "propose", "plan", "Nothing stops the order.", 0.2),
    seen(
        6, "propose", "plan", "planner proposes fulfil: release_payment_hold", 0.2,
        alternatives=[{"option": "cancel", "for": "fraud.high", "lost_because": "it is explained"}],
    ),
]  # fmt: skip


def test_the_reads_of_one_look_are_one_entry_that_opens_to_each() -> None:
    shown = str(rail(READS, START))
    assert "2 reads from 2 systems, 0.12 s" in shown
    assert shown.count('<li class="m-rail-item') == 2
    assert "oms.get_order(order_id O-1): read" in shown


def test_two_looks_are_two_entries() -> None:
    again = [seen(7, "gather", "event", "again", 60), seen(8, "gather", "read", "x", 60, tool="oms.get_order", fact="order")]
    titles = [entry.seen[0].kind for entry in entries([*READS, *PLAN, *again], START)]
    assert titles == ["event", "read", "plan", "event", "read"]
    assert "1 read from 1 system, 59.80 s" in str(rail([*READS, *PLAN, *again], START))


def test_what_could_not_be_read_is_said_without_a_click() -> None:
    missing = seen(4, "gather", "missing", "wms.list_stock did not answer", 0.12, tool="wms.list_stock")
    shown = rail_entries([*READS, missing], START)[-1]
    assert "m-rail-failing" in shown
    assert "wms.list_stock did not answer" in str(shown).rsplit("</details>", 1)[1]


def test_a_read_opens_to_its_raw_record_where_the_facts_are_those_of_its_look() -> None:
    fact = Fact(
        name="order", tool="oms.get_order", args={}, status="ok", value={"note": HOSTILE}, read_at=START,
    )  # fmt: skip
    shown = str(rail(READS, START, [fact]))
    assert "&lt;img src=x" in shown and "<img" not in shown
    earlier = str(rail_entries([*READS, *PLAN, seen(7, "gather", "read", "x", 9, fact="order")], START, [fact])[1])
    assert "m-rail-raw" not in earlier


def test_a_plan_has_its_reasoning_and_what_lost_behind_a_click() -> None:
    shown = str(rail(PLAN, START))
    assert "Its reasoning, 2 sentences" in shown
    assert "1 looked at and left" in shown and "it is explained" in shown
    assert shown.count('<li class="m-rail-item') == 1


def test_reasoning_without_a_plan_is_shown_all_the_same() -> None:
    assert [len(entry.seen) for entry in entries(PLAN[:2], START)] == [1, 1]


def test_clauses_are_labels_with_their_version_in_the_order_in_which_they_were_named() -> None:
    text = "2 clauses bear on this: STK-4, FRD-2"
    shown = str(rail([seen(1, "ground", "policy", text, 0.3, clauses={"FRD-2": 3, "STK-4": 1})], START))
    assert shown.index("STK-4 v1") < shown.index("FRD-2 v3")
    assert "2 clauses bear on this<" in shown


@pytest.mark.parametrize(
    ("one", "fails"),
    [
        (seen(1, "check", "check", "The plan passes", 1, proposal="p-1"), False),
        (seen(1, "check", "check", "The plan does not pass: FRD-2 is not in force", 1), True),
        (seen(1, "execute", "check", "The world has changed", 1), True),
        (seen(1, "execute", "effect", "1. Refund: done", 1, key="k", receipt={"receipt_id": "rc"}), False),
        (seen(1, "execute", "effect", "1. Refund: skipped, its part was rejected", 1), False),
        (seen(1, "execute", "effect", "1. Refund: refused, the charge is closed", 1), True),
    ],
)
def test_what_did_not_go_looks_like_a_warning(one: Observation, fails: bool) -> None:
    assert ("m-rail-failing" in rail([one], START)) is fails


@pytest.mark.parametrize(
    "kind", ["event", "read", "finding", "policy", "prediction", "plan", "check", "decision", "effect", "verdict"]
)
def test_hostile_text_is_shown_as_text_whatever_says_it(kind: ObservationKind) -> None:
    shown = str(rail([seen(1, "gather", kind, HOSTILE, 0.1, tool=HOSTILE, finding=HOSTILE, facts=[HOSTILE])], START))
    assert "<img" not in shown
    assert "&lt;img" in shown and "{braces} {0}" in shown


def test_a_long_text_shows_its_beginning_and_opens_to_the_rest() -> None:
    shown = str(long_text("word " * 4_000))
    summary, rest = shown.split("</summary>")
    assert len(summary) < 500 and len(rest) > 19_000
    assert "<details" not in long_text("a short one")


def test_a_text_of_many_lines_is_long_too() -> None:
    summary = str(long_text("\n".join("abcdefgh"))).split("</summary>")[0]
    assert "d…" in summary and "e" not in summary.split("m-rail-text")[1].split("…")[0]


def test_control_characters_and_turned_writing_do_not_get_onto_the_page() -> None:
    assert "\u202e" not in long_text("a\u202eb\x00c")


def test_a_run_without_observations_says_so() -> None:
    assert "Nothing was observed yet" in rail([], START)


@pytest.mark.parametrize(("seconds", "told"), [(0.123, "0.12 s"), (42, "42.0 s"), (300, "5 min"), (90_000, "25 h")])
def test_lengths_of_time_are_told_in_a_unit_that_fits(seconds: float, told: str) -> None:
    assert took(timedelta(seconds=seconds)) == told
