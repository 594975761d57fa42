"""Policies, drafts and what they would do, as the page shows them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dashboard import policy_drafts as drafts
from dashboard import what_if
from dashboard.pages import knowledge
from evals.evaluation.answers import PlanStep
from evals.evaluation.environment import EvalEnvironment
from evals.what_if.answer import Broken, Flip, ReplayedAnswer, WhatIf
from knowledge_index.drafting import Edit, PolicyDifference, newest, redrafted, with_draft
from knowledge_index.index import Hit
from knowledge_index.policies import REFERENCE_POLICIES, Clause, PolicyBook
from ledger.policies import CitingRun, PolicyDraft
from tests.actions import CREATE_TASK, OPEN_CASE, REFUND_CHARGE
from tests.engine import laboratory

TODAY = date(2026, 5, 1)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> **bold** [x](http://y)"


@pytest.fixture(scope="module")
def lab() -> EvalEnvironment:
    return laboratory()


@pytest.fixture(scope="module")
def book() -> PolicyBook:
    """The policies as shipped, with a version of FRD to come."""
    base = newest(PolicyBook.load(REFERENCE_POLICIES), "FRD")
    edits = {"FRD-2": Edit(values={"elevated": 0.6})}
    return with_draft(
        PolicyBook.load(REFERENCE_POLICIES), redrafted(base.text, base.file, edits, version=2, in_force_from=date(2026, 6, 1))
    )


def answer(verdict: str = "fulfil", role: str = "reviewer", stake: int = 0, **args: Any) -> ReplayedAnswer:
    actions = [PlanStep(name=REFUND_CHARGE, args=args)] if args else []
    return ReplayedAnswer(
        verdict=verdict, actions=actions, cite=(), role=role, four_eyes=role == "finance", money_at_stake_cents=stake,
        money_cents={},
    )  # fmt: skip


def flip(before: ReplayedAnswer, after: ReplayedAnswer) -> Flip:
    return Flip(
        case_id="c-1", mission="order_exception", event="order.x", subject=HOSTILE, way="other_verdict", before=before,
        after=after, because_of=["FRD-2"],
    )  # fmt: skip


def found(*flips: Flip, broken: int = 0) -> WhatIf:
    return WhatIf(
        changed=["FRD-2"], cases=520, flips=flips,
        broken=[Broken(case_id=f"b-{n}", mission="order_exception", error=HOSTILE) for n in range(broken)],
        money_before_cents={"refund": 100, "capture": 5}, money_after_cents={"refund": 50, "capture": 5},
        money_at_stake_before_cents=100_00, money_at_stake_after_cents=150_50, escalated_before=9, escalated_after=7, seconds=1.0,
    )  # fmt: skip


def a_draft(**changed: Any) -> PolicyDraft:
    values: dict[str, Any] = {
        "policy_id": "FRD", "base_version": 1, "base_digest": "x", "version": 2, "in_force_from": TODAY, "text": "t",
        "reason": HOSTILE, "draft_id": "d-1", "drafted_by": "ana", "drafted_at": NOW - timedelta(minutes=5),
    }  # fmt: skip
    return PolicyDraft(**{**values, **changed})


def test_a_version_is_in_force_superseded_or_to_come(book: PolicyBook) -> None:
    states = {p.version: knowledge.state(p, TODAY) for p in book.documents if p.id == "FRD"}
    assert states == {1: "in force", 2: "to come"}
    assert {p.version: knowledge.state(p, date(2026, 7, 1)) for p in book.documents if p.id == "FRD"}[1] == "superseded"


def test_the_list_is_filtered_by_state_and_by_what_clauses_say(book: PolicyBook) -> None:
    assert [(p.id, p.version) for p in knowledge.listed(book, TODAY, "to come", "")] == [("FRD", 2)]
    assert [(p.id, p.version) for p in knowledge.listed(book, TODAY, "all versions", "CHARGEBACK")] == [("FRD", 2), ("FRD", 1)]
    assert knowledge.listed(book, TODAY, "in force", "no such word") == []


def test_a_row_sums_the_citations_of_all_clauses_of_a_policy(book: PolicyBook) -> None:
    cited = [{"clause": "FRD-1", "proposals": 2}, {"clause": "FRD-2", "proposals": 3}, {"clause": "GOV-2", "proposals": 9}]
    rows = knowledge.policy_rows(knowledge.listed(book, TODAY, "to come", ""), TODAY, cited, {"FRD": 1})
    assert rows == [{"Policy": "FRD", "Title": "Fraud", "Version": 2, "State": "to come", "Cited": 5, "Drafts": 1}]


@pytest.mark.parametrize(
    ("path", "value", "title", "shown"),
    [
        ("moved_within_days", 180, "moved within (days)", "180"),
        ("bands.0.up_to_cents", 50_000, "bands 1: up to (cents)", "50,000 ($500.00)"),
        ("bands.2.four_eyes", True, "bands 3: four eyes", "yes"),
        ("elevated", 0.4, "elevated", "0.4"),
        ("automate", [OPEN_CASE, CREATE_TASK], "automate", "open_case, create_task"),
        ("days", 3, "days", "3"),
    ],
)
def test_a_value_is_named_with_its_unit(path: str, value: Any, title: str, shown: str) -> None:
    assert (drafts.titled(path), drafts.shown(path, value)) == (title, shown)


def test_it_is_told_which_missions_work_with_a_clause_and_how(lab: EvalEnvironment) -> None:
    (use,) = knowledge.uses(lab.packs, "FRD-2")
    assert (use.mission, use.numbers, use.approval) == ("order_exception", True, False)
    assert "fraud.unexplained" in use.cited_for
    assert {use.mission for use in knowledge.uses(lab.packs, "GOV-2") if use.approval} == set(lab.packs)
    assert knowledge.uses(lab.packs, "XYZ-1") == []
    assert "No Mission works with it" in knowledge.use_table([])


def test_the_clauses_that_show_numbers_of_another_are_named(book: PolicyBook) -> None:
    assert knowledge.shown_in(book.documents, "FRD-2") == ["FRD-1"]


def test_code_in_a_clause_is_code_and_everything_else_is_text() -> None:
    assert knowledge.clause_text("use `a<b` or <b>") == "use <code>a&lt;b</code> or &lt;b&gt;"


def test_hostile_text_is_escaped_wherever_it_stands() -> None:
    run = CitingRun(run_id='r"><b>', subject=HOSTILE, mission="m", verdict=HOSTILE, author=HOSTILE, version=1, at=NOW)
    cited = {"clause": "FRD-1", "mission": HOSTILE, "author": HOSTILE, "proposals": 1, "last": NOW}
    clause = Clause(
        id="FRD-1", policy_id="FRD", policy_title="Fraud", title=HOSTILE, version=1, text=HOSTILE, values={},
        in_force_from=TODAY, in_force_until=None, owner="Risk",
    )  # fmt: skip
    hit = Hit(clause, score=0.5)
    settled = a_draft(status="withdrawn", settled_by=HOSTILE, settled_at=NOW, settled_reason=HOSTILE)
    shown = [
        knowledge.citing_table([run]), knowledge.hit_card(hit), drafts.draft_head(settled, HOSTILE, False, NOW),
        knowledge.citation_table([cited], "FRD-1"),
        drafts.difference_table([PolicyDifference(clause="FRD-1", name="", before="", after=HOSTILE)]),
        drafts.difference_table([PolicyDifference(clause="FRD-1", name="a", before=HOSTILE, after=HOSTILE)]),
        what_if.broken(found(broken=5)), what_if.answer_card("now", answer(HOSTILE, note=HOSTILE), answer()),
    ]  # fmt: skip
    for markup in shown:
        assert "&lt;img" in markup and "<img" not in markup


def test_every_value_of_a_clause_is_a_field_of_its_kind(book: PolicyBook) -> None:
    gov = {clause.id: clause.values for clause in newest(book, "GOV").clauses}
    kinds = {field.path: field.kind for field in drafts.fields({**gov["GOV-3"], **gov["GOV-1"], "share": 0.5, "name": "x"})}
    assert kinds == {
        "bands.0.up_to_cents": "whole", "bands.0.role": "role", "bands.1.up_to_cents": "whole", "bands.1.role": "role",
        "bands.2.role": "role", "bands.2.four_eyes": "flag", "automate": "list", "automate_templates.send_message": "list",
        "share": "number", "name": "text",
    }  # fmt: skip
    assert [len(group) for group in drafts.grouped(drafts.fields(gov["GOV-3"]))] == [2, 2, 2]


def test_what_a_form_gives_back_is_the_whole_value_of_each_name_that_changed() -> None:
    values = {"a": 1, "bands": [{"up": 1, "role": "x"}, {"role": "y"}], "tags": ["p"]}
    given = {"a": 1, "bands.0.up": 5, "bands.0.role": "x", "bands.1.role": "y", "tags": ["p", "q"]}
    assert drafts.changed_values(values, given) == {"bands": [{"up": 5, "role": "x"}, {"role": "y"}], "tags": ["p", "q"]}
    assert drafts.items(" a, b ,\n c,, ") == ["a", "b", "c"]


def test_a_text_shows_what_went_and_what_came_and_not_where_lines_break() -> None:
    assert drafts.text_difference("one two\nthree", "one  two three") == "one two three"
    assert drafts.text_difference("wait a day", "wait two days") == (
        "wait <del>a</del><ins>two</ins> <del>day</del><ins>days</ins>"
    )


def test_a_stale_draft_is_called_so() -> None:
    assert "stale" in drafts.draft_head(a_draft(), "Fraud", True, NOW)
    assert "5 min ago" in drafts.draft_head(a_draft(), "Fraud", False, NOW)
    withdrawn = a_draft(status="withdrawn", settled_by="fay", settled_at=NOW, settled_reason="no")
    assert ">in force from" in drafts.draft_head(a_draft(), "Fraud", False, NOW)
    assert ">was to be in force from" in drafts.draft_head(withdrawn, "Fraud", False, NOW)
    assert drafts.draft_rows([a_draft(status="in_force")], NOW)[0]["Status"] == "put in force"


def test_the_headline_counts_flips_and_tells_the_money() -> None:
    told = what_if.headline(found(flip(answer("escalate"), answer("fulfil"))))
    assert "<b>1</b>" in told and "of 520 recorded exceptions" in told and "1 another verdict" in told
    assert "+$50.50" in told and "$100.00 → $150.50" in told
    assert [what_if.moved(cents) for cents in (5, 0, -5)] == ["+$0.05", "±$0.00", "-$0.05"]


def test_only_kinds_of_money_that_move_are_told() -> None:
    told = what_if.money_table(found())
    assert "refund" in told and "-$0.50" in told and "capture" not in told


def test_a_flip_tells_both_sides_once_where_they_agree() -> None:
    (row,) = what_if.flip_rows([flip(answer("escalate", "reviewer"), answer("fulfil", "reviewer", 12_34))])
    assert (row["Verdict"], row["Approval"], row["At stake then"]) == ("escalate → fulfill", "reviewer", 12.34)
    (row,) = what_if.flip_rows([flip(answer(role="none"), answer(role="finance"))])
    assert row["Approval"] == "nobody → 2 × finance"


def test_actions_that_the_other_side_has_not_are_marked() -> None:
    same, other = answer(amount_cents=100), answer(amount_cents=200)
    assert "k-other" in what_if.answer_card("now", same, other)
    assert "k-other" not in what_if.answer_card("now", same, same)
    assert "amount $1.00" in what_if.answer_card("now", same, same)


def test_broken_cases_are_counted_and_a_few_told_of() -> None:
    told = what_if.broken(found(broken=5))
    assert "5 recorded exceptions could not be answered" in told and told.count("<li>") == 3
    assert what_if.broken(found()) == ""
