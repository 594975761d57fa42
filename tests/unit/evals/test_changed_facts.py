"""Recorded exceptions with another fact in them."""

import pytest

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded_case
from evals.walk.vary import vary, with_value

CASE = "dev-ord-0007"


def test_one_value_changes_and_the_exception_stays_as_it_was(lab: EvalEnvironment) -> None:
    case = recorded_case(CASE, lab.packs)
    changed = with_value(lab, case, "oms.orders", "O-99308", "lines/2/qty", 3)
    quantities = [
        next(order for order in one.systems["oms"]["orders"] if order["order_id"] == "O-99308")["lines"][1]["qty"]
        for one in (case, changed)
    ]
    assert quantities == [1, 3]
    assert changed.raw["systems"] == changed.systems != case.systems
    assert changed.expected is None


@pytest.mark.parametrize(
    ("collection", "record", "path", "told"),
    [
        ("oms.nothing", "O-99308", "status", "there is no collection oms.nothing"),
        ("oms.orders", "O-1", "status", "no record O-1"),
        ("wms.stock", "HP-TIDE-578", "reserved", "no record HP-TIDE-578"),
        ("oms.orders", "O-99308", "lines/9/qty", "has no lines/9/qty"),
        ("oms.orders", "O-99308", "status/deep", "has no status/deep"),
        ("oms.orders", "O-99308", "", "has no "),
    ],
)
def test_a_place_that_there_is_not_is_told(lab: EvalEnvironment, collection: str, record: str, path: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        with_value(lab, recorded_case(CASE, lab.packs), collection, record, path, 1)


def test_a_fact_is_varied_over_the_thresholds_of_the_policy(lab: EvalEnvironment) -> None:
    found = vary(lab, recorded_case(CASE, lab.packs), "payments.payments", "O-99308", "fraud/score", [0.39, 0.4, 0.74, 0.75])
    assert list(found["fraud/score"]) == [0.39, 0.4, 0.74, 0.75]
    assert list(found["verdict"]) == ["fulfil_with_changes"] * 3 + ["escalate"]
    assert ["FRD-2" in cites for cites in found["cites"]] == [False, True, True, False]
