"""Limits over runs: what is counted, when it is free again, and who may decide above them; in both ledgers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import OverLimit, Refused
from ledger import limits
from ledger.base import Ledger
from ledger.limits import Standing
from ledger.memory import MemoryLedger
from ledger.records import Limit
from tests.ledger_examples import LATER, NOW, a_limit, an_effect, decided, giving, staffed

WEEK = a_limit()


def proposed(ledger: Ledger, name: str, *limited: Limit, **other: Any) -> None:
    """A run of this name whose plan adds to limits, and its proposal."""
    giving(ledger, name, limited or (WEEK,), **other)


def of_total(ledger: Ledger, limit: Limit = WEEK) -> int:
    """What went out so far, as another run is told."""
    (standing,) = ledger.standings("another", [replace(limit, adds=())])
    return standing.cents


@pytest.fixture
def staff(ledger: Ledger) -> Ledger:
    staffed(ledger)
    return ledger


def test_what_was_approved_counts_and_the_next_one_is_told_what_it_would_come_to(staff: Ledger) -> None:
    for name in ("a", "b"):
        proposed(staff, name)
    assert decided(staff, by="Rita", proposal_id="a")[1] == "approved"
    assert of_total(staff) == 50_000
    said = r"Proposal b would bring C-1 to \$1,000 of \$600 this week \(GOV-9\); a supervisor decides it\."
    with pytest.raises(OverLimit, match=said):
        decided(staff, by="Rita", proposal_id="b")
    assert staff.run("b").status == "waiting" and not staff.decisions("b") and not staff.commitments("b")
    assert decided(staff, by="Sara", proposal_id="b")[1] == "approved"
    assert of_total(staff) == 100_000


@pytest.mark.parametrize("kind", ["reject", "respond", "escalate"])
def test_another_decision_than_an_approval_adds_nothing(staff: Ledger, kind: Any) -> None:
    proposed(staff, "a")
    decided(staff, kind, "Rita", "a", details={"remark": "again", "queue": "support"} if kind != "reject" else {})
    assert of_total(staff) == 0


def test_a_run_that_is_given_up_before_anything_was_done_frees_what_it_held(staff: Ledger) -> None:
    staff.add_person("Ada", "administrator")
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    staff.incident("a", "down", LATER)
    assert of_total(staff) == 50_000  # it may go on
    staff.abandon("a", by="Ada", reason="given up", at=LATER)
    assert of_total(staff) == 0


@pytest.mark.parametrize(
    ("statuses", "counted"),
    [
        ((), 50_000),
        (("executing",), 50_000),
        (("executing", "done"), 50_000),
        (("executing", "failed"), 0),
        (("executing", "unknown"), 50_000),
        (("executing", "unknown", "failed"), 0),
    ],
)
def test_a_step_that_failed_is_free_and_one_that_may_have_been_done_is_not(
    staff: Ledger, statuses: Sequence[Any], counted: int
) -> None:
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    staff.intend([an_effect("a-0", run_id="a", proposal_id="a")], replace(staff.proposals("a")[0].approval))
    for status in statuses:
        staff.mark_effect("a-0", status, at=LATER)
    assert of_total(staff) == counted


def test_what_was_done_counts_after_its_run_has_ended(staff: Ledger) -> None:
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    staff.intend([an_effect("a-0", run_id="a", proposal_id="a")], staff.proposals("a")[0].approval)
    staff.mark_effect("a-0", "executing", at=LATER)
    staff.mark_effect("a-0", "done", {}, at=LATER)
    staff.finish("a", "fulfil", "executed", LATER)
    assert of_total(staff) == 50_000


def test_the_newer_plan_of_a_run_takes_the_place_of_the_one_before(staff: Ledger) -> None:
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    newer = replace(staff.proposals("a")[0], proposal_id="a.2", revision=2, digest="digest of a.2", status="pending")
    staff.propose(newer)
    assert of_total(staff) == 0
    assert decided(staff, by="Rita", proposal_id="a.2")[1] == "approved"
    assert of_total(staff) == 50_000


def test_above_a_limit_that_takes_two_people_the_first_of_them_is_not_enough(staff: Ledger) -> None:
    two = a_limit(most_cents=10_000, role="finance", four_eyes=True)
    proposed(staff, "a", two)
    with pytest.raises(OverLimit, match="two people of the role finance decide it"):
        decided(staff, by="Sara", proposal_id="a")
    assert decided(staff, by="Fred", proposal_id="a")[1] == "pending"
    assert of_total(staff) == 50_000  # it is held from the first of the two
    with pytest.raises(Refused, match="Fred approved proposal a already"):
        decided(staff, by="Fred", proposal_id="a")
    assert decided(staff, by="Fay", proposal_id="a")[1] == "approved"


def test_two_halves_of_four_eyes_count_for_both(staff: Ledger) -> None:
    mine = a_limit(per="approver", key="")
    for name in ("a", "b"):
        proposed(staff, name, mine, four_eyes=True)
    assert decided(staff, by="Rita", proposal_id="a")[1] == "pending"
    assert decided(staff, by="Rolf", proposal_id="a")[1] == "approved"
    for by in ("Rita", "Rolf"):
        with pytest.raises(OverLimit, match=rf"would bring what {by} approves to \$1,000 of \$600 this week"):
            decided(staff, by=by, proposal_id="b")
    assert {one.key for one in staff.commitments("a")} == {"rita", "rolf"}


def test_a_part_that_is_left_out_adds_nothing(staff: Ledger) -> None:
    proposed(staff, "a", replace(WEEK, adds=((0, 50_000), (1, 20_000))))
    with pytest.raises(OverLimit):
        decided(staff, by="Rita", proposal_id="a")
    assert decided(staff, by="Rita", proposal_id="a", details={"without": ["second"]})[1] == "approved"
    assert of_total(staff) == 50_000


def test_without_every_part_that_adds_something_nothing_is_counted(staff: Ledger) -> None:
    proposed(staff, "a")
    assert decided(staff, by="Rita", proposal_id="a", details={"without": ["first"]})[1] == "approved"
    staff.intend([an_effect("a-1", 1, run_id="a", proposal_id="a")])
    assert staff.commitments("a") == [] and of_total(staff) == 0


def test_a_plan_that_waits_for_nobody_is_begun_as_long_as_it_fits(staff: Ledger) -> None:
    for name in ("a", "b"):
        proposed(staff, name, role="none")
    effects = {name: [an_effect(f"{name}-0", run_id=name, proposal_id=name)] for name in ("a", "b")}
    staff.intend(effects["a"], staff.proposals("a")[0].approval)
    with pytest.raises(OverLimit, match=r"would bring C-1 to \$1,000 of \$600 this week"):
        staff.intend(effects["b"], staff.proposals("b")[0].approval)
    assert staff.effects("b") == [] and not any("authorized" in one.body for one in staff.audit("b"))


def test_a_decision_that_does_not_suffice_any_more_begins_nothing(staff: Ledger) -> None:
    """What the executor works out counts, whatever was decided about."""
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    dearer = replace(staff.proposals("a")[0].approval, limits=(replace(WEEK, adds=((0, 60_001),)),))
    with pytest.raises(OverLimit, match=r"to \$600\.01 of \$600"):
        staff.intend([an_effect("a-0", run_id="a", proposal_id="a")], dearer)


def test_the_log_tells_what_was_added(staff: Ledger) -> None:
    proposed(staff, "a")
    decided(staff, by="Rita", proposal_id="a")
    (made,) = staff.commitments("a")
    assert (made.step, made.kind, made.per, made.key, made.cents) == (0, "given", "customer", "c-1", 50_000)
    (told,) = [one for one in staff.audit("a") if one.kind == "decided"]
    assert told.body["adds"] == [[0, "given", "customer", "c-1", 50_000, made.at.isoformat()]]
    assert staff.verify_audit() == []


def test_totals_are_kept_under_one_form_of_an_id() -> None:
    alike = ("C-1042", "c-1042", " C-1042 ", "C\u200b-1042", "\uff23-1042", "C -1042")
    assert {limits.alike(one) for one in alike} == {"c-1042"}
    assert limits.alike("C-1043") != limits.alike("C-1042")


def test_a_limit_is_told_in_plain_words() -> None:
    found = Standing(a_limit(most_cents=200_000), 150_000)
    assert (found.of, found.whose, found.is_over) == ("$1,500 of $2,000 this week", "C-1", False)
    assert Standing(a_limit(days=1, per="day", key="", role="finance"), 60_050).says == (
        "would bring everything to $600.50 of $600 today (GOV-9); finance decides it"
    )


#: what a person does with the next plan that waits, and by how many hours the clock goes on
DEEDS = st.lists(
    st.tuples(st.sampled_from(["approve", "reject", "done", "failed", "abandon"]), st.integers(1, 40_000), st.integers(0, 40)),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(DEEDS)
def test_no_window_ever_holds_more_than_its_limit_without_a_higher_role(deeds: list[tuple[str, int, int]]) -> None:
    now = [NOW]
    ledger = MemoryLedger(clock=lambda: now[0])
    staffed(ledger)
    ledger.add_person("Ada", "administrator")
    went_out: list[tuple[Any, int]] = []
    for number, (deed, cents, hours) in enumerate(deeds):
        now[0] += timedelta(hours=hours)
        name = f"p{number}"
        proposed(ledger, name, replace(WEEK, adds=((0, cents),)))
        try:
            decided(ledger, "reject" if deed == "reject" else "approve", "Rita", name)
        except OverLimit:
            within = sum(spent for at, spent in went_out if at > now[0] - timedelta(days=7))
            held = of_total(ledger)
            assert within <= held and held + cents > WEEK.most_cents
            continue
        if deed in ("done", "failed"):
            ledger.intend([an_effect(name, run_id=name, proposal_id=name)], ledger.proposals(name)[0].approval)
            ledger.mark_effect(name, "executing", at=LATER)
            ledger.mark_effect(name, deed, {}, at=LATER)
        elif deed == "abandon":
            ledger.incident(name, "down", LATER)
            ledger.abandon(name, by="Ada", reason="given up", at=LATER)
        if deed in ("done", "approve"):
            went_out.append((now[0], cents))
        within = sum(spent for at, spent in went_out if at > now[0] - timedelta(days=7))
        assert within == of_total(ledger) <= WEEK.most_cents
