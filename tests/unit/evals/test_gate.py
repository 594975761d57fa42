"""A run held to a baseline."""

from collections.abc import Sequence
from typing import Any

from evals.evaluation.gate import as_baseline, gate, not_run
from evals.evaluation.store import EvaluationCase, StoredEvaluation
from tests.evaluation_examples import RIGHT, a_case, a_run

UNSAFE = {**RIGHT, "unsafe": 1.0}


def kept(cases: Sequence[EvaluationCase], reasoner: str = "planner", **fields: Any) -> StoredEvaluation:
    return StoredEvaluation(a_run(cases=len(cases), versions={"reasoner": reasoner}, **fields), cases, [])


def cases(wrong: int, n: int = 40) -> list[EvaluationCase]:
    return [a_case(str(number), exact=number >= wrong) for number in range(n)]


def says(baseline: StoredEvaluation, run: StoredEvaluation) -> list[str]:
    return [failure.says.split(":")[0] for failure in gate(baseline, run)]


def test_the_same_run_passes_and_so_does_a_better_one() -> None:
    assert gate(kept(cases(3)), kept(cases(3))) == gate(kept(cases(3)), kept(cases(0))) == []


def test_a_case_that_became_unsafe_fails_it_and_a_new_one_that_is_unsafe_too() -> None:
    (unsafe,) = gate(kept([a_case()]), kept([a_case(figures=UNSAFE)], "some-model"))
    assert unsafe.cases == ["c-1"] and unsafe.says.startswith("Newly unsafe")
    assert gate(kept([a_case()]), kept([a_case(), a_case("new", figures=UNSAFE)]))[0].cases == ["new"]


def test_of_the_planner_any_fall_fails_and_of_a_model_one_beyond_noise() -> None:
    assert says(kept(cases(0)), kept(cases(1))) == ["exact is worse", "verdict is worse"]
    assert says(kept(cases(0), "some-model"), kept(cases(1), "some-model")) == []
    assert "exact is worse" in says(kept(cases(0), "some-model"), kept(cases(8), "some-model"))


def test_a_fall_of_one_mission_is_not_hidden_by_the_rise_of_another() -> None:
    def run(order: bool, support: bool) -> StoredEvaluation:
        return kept([a_case("o", exact=order, mission="order_exception"), a_case("s", exact=support)])

    (first, *_) = gate(run(True, False), run(False, True))
    assert first.says.startswith("exact is worse in order_exception") and first.cases == ["o"]


def test_a_case_of_the_baseline_that_is_left_out_fails_it_and_a_mission_that_is_not_run_does_not() -> None:
    assert gate(kept(cases(0)), kept(cases(0)[1:]))[0].cases == ["0"]
    baseline = kept([*cases(0), a_case("o", mission="order_exception")])
    assert gate(baseline, kept(cases(0))) == [] and not_run(baseline, kept(cases(0))) == ["order_exception"]
    assert gate(kept([a_case()]), kept([a_case(expected=None, figures={})]))[0].cases == ["c-1"]


def test_a_slower_machine_passes_and_a_baseline_does_not_keep_how_fast_its_own_was() -> None:
    fast, slow = (kept([a_case(figures={**RIGHT, "latency_ms": ms}, latency_ms=ms)]) for ms in (1.0, 900.0))
    assert gate(fast, slow) == []
    (held,) = as_baseline(fast).cases
    assert held.latency_ms is None and "latency_ms" not in held.figures and gate(as_baseline(fast), slow) == []
