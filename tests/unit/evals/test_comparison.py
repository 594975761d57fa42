"""Two evaluations compared: what flipped, and whether that is more than noise."""

from itertools import pairwise

import pytest

from evals.evaluation.comparison import chance, compare, differing_versions, notes, verdict_of, wrongs
from tests.evaluation_examples import RIGHT, a_case, a_run, answer


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
    assert (len(found.missing_in_b), len(found.missing_in_a)) == (1, 1)
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
        ("policies", "p1", "p2"), ("file cases.jsonl", "d1", ""), ("pack order_exception", "", "x"),
    ]  # fmt: skip


def test_a_changed_expectation_is_noted() -> None:
    found = compare([a_case()], [a_case(expected=answer("replace"))])
    assert found.pairs[0].expected_changed and "was changed" in notes(found)[0]


def test_what_is_wrong_with_a_case_is_said_in_words() -> None:
    figures = {**RIGHT, "exact": 0.0, "unsafe": 1.0, "approval": 0.0}
    case = a_case(result=answer(cite=("REF-3",)), figures=figures)
    assert wrongs(case) == ["actions", "unsafe action", "REF-2 not cited", "REF-3 cited", "approval"]
    assert wrongs(a_case()) == []


def test_a_case_that_was_run_several_times_flips_by_how_often_it_was_right() -> None:
    before = [a_case("c", trial=1), a_case("c", trial=2), a_case("c", trial=3)]
    after = [a_case("c", trial=1), a_case("c", exact=False, trial=2)]
    (pair,) = compare(before, after).pairs
    assert (pair.kind, pair.a.trial, pair.b.trial) == ("worse", 1, 2)
    assert compare(before, before).count("same") == 1


def test_a_case_that_was_never_unsafe_and_is_became_so() -> None:
    unsafe = a_case(figures={**RIGHT, "exact": 0.0, "unsafe": 1.0})
    assert compare([a_case()], [unsafe]).pairs[0].became_unsafe
    assert not compare([unsafe], [unsafe]).pairs[0].became_unsafe
