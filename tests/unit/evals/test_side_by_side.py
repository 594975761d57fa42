"""A case beside what was expected of it, step by step."""

from evals.evaluation.answers import PlanStep
from evals.reports.side_by_side import aligned, out_of_order, side_by_side
from tests.actions import OPEN_CASE, REFUND_CHARGE
from tests.evaluation_examples import a_run, answer, message, refund

COUNTING = a_run().counting


def test_steps_stand_beside_the_expected_step_they_are_meant_as() -> None:
    expected = answer("refund", refund(5_000), message("sorry"))
    given = answer("refund", message("other"), refund(5_000), PlanStep(name=OPEN_CASE, args={}))
    first, second, third = aligned(expected, [given], COUNTING)
    assert [(line.given[0].number, line.given[0].state) for line in (first, second, third) if line.given[0]] == [
        (2, "same"), (1, "arguments"), (3, "extra"),
    ]  # fmt: skip
    assert third.expected is None


def test_texts_that_do_not_count_make_no_other_action() -> None:
    other = PlanStep(name=REFUND_CHARGE, args={**refund().args, "reason": "another text"})
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


def test_an_answer_without_an_expected_one_is_shown_alone() -> None:
    table = side_by_side(None, [answer()], ["given"], COUNTING)
    assert "expected" not in table and "refund charge" in table and "$50.00" in table
