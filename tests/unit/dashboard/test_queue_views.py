"""The rows of what waits, and what several proposals come to together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.deciding import together
from dashboard.pages.queue import counted, headline, listed, narrowed
from ledger.queries import QueueFilter, QueueRow
from ledger.records import Claim
from rendering import approver
from tests.unit.dashboard.hostile import NASTY, steering

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WAITING = QueueRow(
    proposal_id="r-1.1", run_id="r-1", subject="O-4471", mission="order_exception", name="order.payment_review",
    verdict="fulfil_with_changes", author="planner", money_at_stake_cents=123_450, tier="standard", role="reviewer",
    four_eyes=False, digest="d", created_at=NOW - 3 * HOUR, expires_at=NOW + 72 * HOUR, due_at=NOW + 5 * HOUR,
    approved_by=(), claim=None,
)  # fmt: skip


def shown(me: str = "rita", **changes: Any) -> dict[str, Any]:
    """The row of the one proposal that waits."""
    (row,) = listed([replace(WAITING, **changes)], me, NOW)
    return row


def marks(me: str = "rita", **changes: Any) -> dict[str, str]:
    """The marks of its row by kind."""
    pairs = shown(me, **changes)["marks"]
    assert len({kind for kind, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_a_row_says_what_it_is_about_what_it_costs_and_until_when() -> None:
    assert shown() == {
        "id": "r-1",
        "subject": "O-4471",
        "verdict": "fulfill with changes",
        "money": "$1,234.50",
        "due": "due in 5 h",
        "urgency": "",
        "marks": [["mission", "order exception"], ["age", "3 h old"], ["role", "reviewer"]],
    }


def test_rows_stand_in_the_order_in_which_they_came() -> None:
    rows = [replace(WAITING, run_id=run_id) for run_id in ("r-3", "r-1", "r-2")]
    assert [row["id"] for row in listed(rows, "rita", NOW)] == ["r-3", "r-1", "r-2"]
    assert listed([], "rita", NOW) == []


@pytest.mark.parametrize(
    ("due_in", "urgency", "said"),
    [
        (-HOUR, "late", "due 60 min ago"),
        (0 * HOUR, "late", "due in 0 s"),
        (MINUTE, "soon", "due in 60 s"),
        (119 * MINUTE, "soon", "due in 2 h"),
        (120 * MINUTE, "", "due in 2 h"),
    ],
)
def test_what_is_due_within_two_hours_stands_out_and_what_was_due_more(due_in: timedelta, urgency: str, said: str) -> None:
    row = shown(due_at=NOW + due_in)
    assert (row["urgency"], row["due"]) == (urgency, said)


def test_what_can_be_approved_no_more_says_since_when() -> None:
    row = shown(due_at=NOW - 5 * HOUR, expires_at=NOW - 2 * HOUR)
    assert (row["due"], row["urgency"]) == ("expired 2 h ago", "late")


def test_no_money_is_no_sum() -> None:
    assert shown(money_at_stake_cents=0)["money"] == ""


@pytest.mark.parametrize(
    ("tier", "mark"),
    [
        ("vip", ("vip", "VIP")), ("tier 1", ("vip", "tier 1")), ("gold", ("tier", "gold")), ("tier 2", ("tier", "tier 2")),
        ("standard", None), ("", None),
    ],
)  # fmt: skip
def test_a_tier_above_the_standard_is_the_first_mark(tier: str, mark: tuple[str, str] | None) -> None:
    first = tuple(shown(tier=tier)["marks"][0])
    assert first == (mark or ("mission", "order exception"))


def test_a_claim_is_told_to_everybody_but_its_owner() -> None:
    claim = Claim(proposal_id="r-1.1", by="ron", since=NOW, until=NOW + 5 * MINUTE)
    assert marks("rita", claim=claim)["claim"] == "ron has it open"
    assert "claim" not in marks("ron", claim=claim)


def test_who_edited_a_plan_is_told() -> None:
    assert marks(author="ron")["author"] == "edited by ron"
    assert marks(author="hybrid")["author"] == "with a model"
    assert "author" not in marks(author="planner")


def test_what_a_model_wrote_is_decided_about_by_itself() -> None:
    written = replace(WAITING, run_id="r-2", subject="O-2", author="hybrid", written_by_model=True)
    assert not together([WAITING, WAITING]).unlike
    assert "A model wrote a message in O-2" in together([WAITING, written]).unlike


@pytest.mark.parametrize(
    ("four_eyes", "approved_by", "said"),
    [
        (False, (), "finance"),
        (True, (), "2 × finance"),
        (True, ("fay",), "finance, second after fay"),
    ],
)
def test_whom_it_waits_for_says_who_has_approved_already(four_eyes: bool, approved_by: tuple[str, ...], said: str) -> None:
    assert approver("finance", four_eyes, approved_by) == said
    assert marks(role="finance", four_eyes=four_eyes, approved_by=approved_by)["role"] == said


@given(NASTY)
def test_a_row_is_plain_text_of_a_length_whoever_wrote_it(text: str) -> None:
    claim = Claim(proposal_id="p", by=text * 9, since=NOW, until=NOW)
    row = shown(
        subject=text * 9, verdict=text * 9, tier=text * 9, mission=text * 9, author=text * 9, claim=claim, role="finance",
        four_eyes=True, approved_by=(text * 9,),
    )  # fmt: skip
    told = [row["subject"], row["verdict"], row["money"], row["due"], *(word for _, word in row["marks"])]
    assert all(len(one) <= 60 and not steering(one) for one in told)


def test_html_in_a_subject_is_left_to_who_draws_the_row_as_text() -> None:
    """The component sets textContent; were it escaped here, people would read &lt;."""
    assert shown(subject="<b>O-1</b>")["subject"] == "<b>O-1</b>"


# Several together


def of(mission: str = "order_exception", verdict: str = "fulfil", cents: int = 100, subject: str = "O-1") -> QueueRow:
    return replace(WAITING, mission=mission, verdict=verdict, money_at_stake_cents=cents, subject=subject)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_like_proposals_come_to_their_sum(cents: list[int]) -> None:
    found = together([of(cents=one) for one in cents])
    assert (found.money_cents, found.verdict, found.unlike) == (sum(cents), "fulfil", "")
    assert len(found.rows) == len(cents)


@pytest.mark.parametrize("other", [{"mission": "account_save"}, {"verdict": "cancel"}])
def test_proposals_of_another_mission_or_verdict_are_unlike(other: dict[str, str]) -> None:
    found = together([of(), of(subject="O-2"), of(subject="X-3", cents=7, **other)])
    assert found.verdict == ""
    assert found.unlike.startswith("Only like proposals are decided together")
    assert "fulfill (O-2)" in found.unlike and "(X-3)" in found.unlike
    assert (len(found.rows), found.money_cents) == (3, 207)


def test_at_most_three_kinds_are_named_and_their_subjects_are_harmless() -> None:
    rows = [of(verdict=f"verdict_{n}", subject=f"\u202e{'x' * 100}\n{n}") for n in range(5)]
    unlike = together(rows).unlike
    assert "verdict 2" in unlike and "verdict 3" not in unlike
    assert not steering(unlike) and len(unlike) < 300


def test_nothing_together_is_nothing() -> None:
    assert (together([]).money_cents, together([]).verdict, together([]).unlike) == (0, "", "")


def test_counts_are_told_in_words_most_first() -> None:
    assert counted({"cancel": 2, "fulfil_with_changes": 12}) == [
        ("fulfil_with_changes", "fulfill with changes (12)"),
        ("cancel", "cancel (2)"),
    ]  # fmt: skip


@given(st.dictionaries(st.text(max_size=9), st.integers(1, 10**6), max_size=9))
def test_every_count_is_there_and_none_stands_before_a_greater_one(counts: dict[str, int]) -> None:
    names = [name for name, _ in counted(counts)]
    assert sorted(names) == sorted(counts)
    assert [counts[name] for name in names] == sorted(counts.values(), reverse=True)
    assert all(said.endswith(f" ({counts[name]})") for name, said in counted(counts))


# What stands above the list


@pytest.mark.parametrize(
    ("wanted", "number", "said"),
    [
        (QueueFilter(), 17, "17 wait for you"),
        (QueueFilter(), 1, "1 waits for you"),
        (QueueFilter(scope="all"), 1_234, "1,234 wait"),
        (QueueFilter(scope="claimed"), 1, "1 is open on someone's screen"),
        (QueueFilter(scope="expired"), 0, "0 can be approved no more"),
        (QueueFilter(verdict="cancel"), 1, "1 of 2,000 matches the filter"),
        (QueueFilter(tier="vip", text="O-"), 0, "0 of 2,000 match the filter"),
    ],
)
def test_above_the_list_stands_how_many_wait_or_match_the_filter(wanted: QueueFilter, number: int, said: str) -> None:
    assert headline(wanted, number, 2_000) == said


def test_an_order_and_blanks_are_no_filter() -> None:
    assert narrowed(QueueFilter(scope="all", order="money", text="  ")) == 0
    assert narrowed(QueueFilter(mission="m", verdict="v", tier="t", text="x")) == 4
