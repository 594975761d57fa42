"""The whole graph over recorded exceptions, up to where a person decides."""

import pytest

from errors import Stuck
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.scorers import judge, means
from evals.recorded.cases import read_cases
from tests.actions import CONFIRM_RESERVATION, RELEASE_PAYMENT_HOLD, RELEASE_TO_FULFILMENT
from tests.engine import CASES, MISSIONS, an_exception, evaluation, names, result


def test_the_result_of_an_exception_has_the_form_of_the_contract() -> None:
    found = result(an_exception())
    assert (found["case_id"], found["verdict"], found["cite"]) == ("c-1", "fulfil", ["ORD-2"])
    assert names(found) == [RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT]
    assert found["approval"] == {"role": "reviewer", "four_eyes": False}
    assert len(found["tiers"]) == len(found["actions"])


def test_the_same_exception_again_gives_the_same_result() -> None:
    one, other = result(an_exception()), result(an_exception())
    assert {**one, "latency_ms": 0} == {**other, "latency_ms": 0}
    assert (
        one["usage"] == {"reads": 13, "tries": 1, "tokens": 0, "cost_cents": 0.0, "by_model": 0.0, "retries": 0, "model_ms": 0.0}
        and one["confidence"] == 1.0
    )


def test_a_case_of_a_time_without_policies_gets_stuck_and_ends() -> None:
    with pytest.raises(Stuck, match="not even the escalation passes the check"):
        result({**an_exception(), "as_of": "1999-03-10T12:00:00Z"})


@pytest.mark.parametrize("mission", MISSIONS)
def test_every_recorded_exception_is_decided_as_expected(lab: EvalEnvironment, mission: str) -> None:
    cases = list(read_cases(CASES.with_name(f"{mission}.jsonl"), lab.packs))
    found = means(judge(case.expected or {}, evaluation().run(case), lab.catalogue) for case in cases)
    assert (found["exact"], found["unsafe"], found["missed_escalation"], found["approval"]) == (1.0, 0.0, 0.0, 1.0)
    assert (found["cite_recall"], found["cite_precision"]) == (1.0, 1.0)
