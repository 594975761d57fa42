"""Figures of cases: trials, slices, calibration, changes from one run to another."""

from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput
from evals.evaluation.measured import calibration, changes, dimensions, measure, pass_hat, slices, unsteady, way
from evals.evaluation.scorers import BY_NAME, SCORERS
from evals.evaluation.store import EvaluationCase
from tests.evaluation_examples import RIGHT, a_case, answer


def trials(case_id: str, *exact: bool) -> list[EvaluationCase]:
    return [a_case(case_id, exact=one, trial=number) for number, one in enumerate(exact, start=1)]


def test_every_scorer_has_a_name_of_its_own_and_says_what_it_means() -> None:
    assert len(BY_NAME) == len(SCORERS)
    assert all(scorer.means.strip() for scorer in SCORERS)


def test_pass_k_is_the_chance_that_all_of_k_trials_are_exact() -> None:
    cases = [*trials("always", True, True, True), *trials("mostly", True, True, False)]
    assert pass_hat(cases) == pytest.approx([(1 + 2 / 3) / 2, (1 + 1 / 3) / 2, 0.5])
    assert pass_hat([a_case(expected=None, figures={})]) == []
    assert unsteady(cases) == {"mostly": (2, 3)}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_pass_k_falls_with_k(right: list[int]) -> None:
    cases = [one for number, c in enumerate(right) for one in trials(str(number), *[True] * c, *[False] * (5 - c))]
    found = pass_hat(cases)
    assert all(one >= other for one, other in pairwise(found)) and len(found) == 5
    assert found[4] == pytest.approx(sum(comb(c, 5) for c in right) / len(right))


def test_a_figure_is_over_the_cases_that_it_applies_to() -> None:
    found = measure(BY_NAME["missed_escalation"], [a_case("a"), a_case("b", figures={**RIGHT, "missed_escalation": 1.0})])
    assert found.cases == 1 and found.interval is not None and found.interval.mean == 1.0
    assert measure(BY_NAME["latency_ms"], [a_case()]).interval is None


def test_a_case_stands_in_the_slices_that_it_belongs_to() -> None:
    joined = answer(cite=("FRD-2", "STK-4", "STK-3", "GOV-4"), money_at_stake_cents=5_000)
    cases = [a_case("one", result=joined, expected=joined), a_case("other", event="support.message")]
    assert [dimensions(case) for case in cases] == [2, 1]
    assert set(slices(cases, "clause")) == {"FRD-2", "STK-3", "STK-4", "GOV-4", "REF-2"}
    assert set(slices(cases, "money")) == {"up to $100", "not kept"}
    assert set(slices(cases, "event")) == {"not kept", "support.message"}
    with pytest.raises(BadInput, match="choose one of clause, dimensions"):
        way("colour")


def test_a_fall_beyond_noise_is_told_from_one_that_may_be_chance() -> None:
    before = [a_case(str(number)) for number in range(40)]
    for wrong, beyond in ((4, False), (8, True)):
        after = [a_case(str(number), exact=number >= wrong) for number in range(40)]
        exact = next(change for change in changes(before, after) if change.scorer.name == "exact")
        assert (exact.worse, exact.beyond_noise, len(exact.worse_cases)) == (True, beyond, wrong)
    assert not any(change.worse for change in changes(before, before))


def test_a_confidence_is_held_against_what_it_was_worth() -> None:
    sure = [a_case(str(number), exact=number < 8, result=answer(confidence=0.95)) for number in range(10)]
    found = calibration([*sure, a_case("unknown", expected=None, figures={})])
    assert found.answers == 10 and found.bins[9].exact is not None and found.bins[9].exact.mean == 0.8
    assert found.error == pytest.approx(0.15)
    assert calibration([a_case(result=answer(confidence=1.0))]).bins[9].answers == 1
