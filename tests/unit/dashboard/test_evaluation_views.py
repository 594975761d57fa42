"""What the page says of evaluations: figures, cases side by side, two runs compared."""

import csv
import io
from itertools import pairwise

import pytest

from dashboard.views import evaluation_case, evaluation_comparison, evaluations
from dashboard.views.evaluation_case import aligned, out_of_order, side_by_side
from dashboard.views.evaluation_comparison import chance, compare, differing_versions, notes, verdict_of
from dashboard.views.evaluation_export import as_csv
from ledger.evaluations import ALL, Step
from tests.evaluation_examples import HOSTILE, RIGHT, a_case, a_run, answer, message, refund

COUNTING = a_run().counting


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100%"), (0.0, "0%"), (0.9999, "> 99.9%"), (0.0001, "< 0.1%"), (0.975, "97.5%"), (None, "–")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float | None, text: str) -> None:
    assert evaluations.share(value) == text


def test_figures_over_time_go_from_the_oldest_to_the_newest() -> None:
    rows = evaluations.over_time([a_run(2, 0.9), a_run(1, 0.8)], "exact")
    assert [(row["run"], row["value"]) for row in rows if row["mission"] == "all missions"] == [(1, 80.0), (2, 90.0)]


def test_what_is_not_perfect_stands_out_and_all_missions_come_last() -> None:
    table = str(evaluations.figure_table(a_run(exact=0.5)))
    assert table.count("m-off") == 3
    assert table.index("order exception") < table.index("support resolution") < table.index("all missions")


def test_a_confusion_counts_each_verdict_that_was_given_for_another() -> None:
    cases = [a_case("a"), a_case("b", exact=False), a_case("c", exact=False)]
    assert "replace" in evaluations.confusion(cases, ALL)
    matrix = str(evaluations.confusion(cases, "support_resolution"))
    assert 'm-miss">2<' in matrix and 'm-hit">1<' in matrix
    assert "All 1 verdicts" in evaluations.confusion(cases[:1], ALL)
    assert "Nothing was expected" in evaluations.confusion([a_case(expected=None, figures={})], ALL)


def test_what_is_wrong_with_a_case_is_said_in_words() -> None:
    figures = {**RIGHT, "exact": 0.0, "unsafe": 1.0, "approval": 0.0}
    case = a_case(result=answer(cite=("REF-3",)), figures=figures)
    assert evaluations.wrongs(case) == ["actions", "unsafe action", "REF-2 not cited", "REF-3 cited", "approval"]
    assert evaluations.wrongs(a_case()) == []


def test_steps_stand_beside_the_expected_step_they_are_meant_as() -> None:
    expected = answer("refund", refund(5_000), message("sorry"))
    given = answer("refund", message("other"), refund(5_000), Step(name="open_case", args={}))
    first, second, third = aligned(expected, [given], COUNTING)
    assert [(line.given[0].number, line.given[0].state) for line in (first, second, third) if line.given[0]] == [
        (2, "same"), (1, "arguments"), (3, "extra"),
    ]  # fmt: skip
    assert third.expected is None


def test_texts_that_do_not_count_make_no_other_action() -> None:
    other = Step(name="refund_charge", args={**refund().args, "reason": "another text"})
    (line,) = aligned(answer(), [answer("refund", other)], COUNTING)
    assert line.given[0] is not None and line.given[0].state == "same"


def test_equal_steps_are_each_used_once() -> None:
    lines = aligned(answer("refund", refund(), refund()), [answer("refund", refund())], COUNTING)
    assert [line.given[0] is None for line in lines] == [False, True]


def test_the_same_surplus_step_of_two_answers_stands_in_one_line() -> None:
    one, other = answer("refund", refund(), message()), answer("refund", message(), refund())
    lines = aligned(answer(), [one, other], COUNTING)
    assert len(lines) == 2 and all(lines[1].given)


def test_steps_in_the_wrong_order_are_named() -> None:
    expected = answer("refund", refund(), message(), before=((0, 1), (5, 9)))
    turned = answer("refund", message(), refund())
    lines = aligned(expected, [turned], COUNTING)
    assert out_of_order(expected, lines, 0) == ["refund charge must come before send message"]


def test_text_from_outside_is_shown_as_text() -> None:
    hostile = answer(HOSTILE, Step(name=HOSTILE, args={HOSTILE: HOSTILE}), cite=(HOSTILE,), role=HOSTILE)
    case = a_case(HOSTILE, mission=HOSTILE, result=hostile, figures={**RIGHT, "exact": 0.0, "verdict": 0.0})
    run = a_run(by=HOSTILE, versions={HOSTILE: HOSTILE}, figures={HOSTILE: RIGHT})
    comparison = compare([a_case(HOSTILE)], [case])
    for piece in (
        side_by_side(case.expected, [hostile], ["given"], {}),
        evaluations.confusion([case], ALL),
        evaluations.confusion([case], HOSTILE),
        evaluations.figure_table(run),
        evaluation_comparison.mission_table(comparison),
        evaluation_comparison.version_table(a_run(), run),
    ):
        assert "<img" not in piece and "&lt;img" in piece


def test_an_answer_without_an_expected_one_is_shown_alone() -> None:
    table = side_by_side(None, [answer()], ["given"], COUNTING)
    assert "expected" not in table and "refund charge" in table and "$50.00" in table


def test_every_case_of_both_is_of_one_kind() -> None:
    a = [
        a_case("worse"),
        a_case("better", exact=False),
        a_case("same"),
        a_case("wrong", exact=False),
        a_case("right"),
        a_case("gone"),
    ]
    b = [
        a_case("worse", exact=False), a_case("better"), a_case("same"), a_case("right", result=answer(cite=("REF-3",))),
        a_case("wrong", exact=False, result=answer("cancel")), a_case("new"), a_case("unknown", expected=None, figures={}),
    ]  # fmt: skip
    found = compare([*a, a_case("unknown", expected=None, figures={}, result=answer("other"))], b)
    assert {pair.b.case_id: pair.kind for pair in found.pairs} == {
        name: name for name in ("worse", "better", "same", "right", "wrong", "unknown")
    }
    assert next(pair.differs_in for pair in found.pairs if pair.kind == "right") == ("citations",)
    assert (found.only_a, found.only_b) == (1, 1)
    assert "1 cases are in A only and 1 in B only" in notes(found)[0]


@pytest.mark.parametrize(
    ("worse", "better", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (5, 5, 1.0), (3, 9, 0.1459960938)]
)
def test_the_exact_test_on_discordant_pairs(worse: int, better: int, p: float) -> None:
    assert chance(worse, better) == chance(better, worse) == pytest.approx(p)


def test_the_chance_of_many_flips_is_finite_and_falls_with_their_imbalance() -> None:
    values = [chance(2_000 + more, 2_000 - more) for more in range(0, 2_000, 100)]
    assert all(0.0 <= other <= one <= 1.0 for one, other in pairwise(values))


def test_a_sentence_says_whether_it_is_more_than_noise() -> None:
    right, wrong = [a_case(str(n)) for n in range(20)], [a_case(str(n), exact=n >= 8) for n in range(20)]
    assert verdict_of(compare(wrong, right)).startswith("B is better: 8 became right and 0 wrong of the 20")
    assert verdict_of(compare(right, wrong)).startswith("B is worse")
    assert verdict_of(compare(right[:6], [a_case("0", exact=False), *right[1:6]])).startswith(
        "No difference that is more than noise"
    )
    assert "there is no difference" in verdict_of(compare(right, right))
    assert "no case in common" in verdict_of(compare(right, [a_case("other")]))


def test_versions_and_files_that_differ_are_named() -> None:
    other = a_run(2, versions={"code": "abc1234", "policies": "p2", "pack order_exception": "x"}, files=[])
    assert differing_versions(a_run(), other) == [
        ("policies", "p1", "p2"), ("file cases.jsonl", "d1", "–"), ("pack order exception", "–", "x"),
    ]  # fmt: skip


def test_a_changed_expectation_is_noted() -> None:
    found = compare([a_case()], [a_case(expected=answer("replace"))])
    assert found.pairs[0].expected_changed and "was changed" in notes(found)[0]


def test_a_spreadsheet_gets_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([a_case("=1+1", exact=False)]).decode())))
    assert (rows[0]["case"], rows[0]["given"], rows[0]["exact"]) == ("'=1+1", "replace", "0")


@pytest.mark.parametrize(
    ("name", "value", "text"), [("amount_cents", 5_000, "$50.00"), ("lines", [1, 2], "[1, 2]"), ("text", "a\nb", "a b")]
)
def test_an_argument_is_one_line(name: str, value: object, text: str) -> None:
    assert evaluation_case.argument_text(name, value) == text
