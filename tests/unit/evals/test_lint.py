"""Cases that cannot fail, cannot be met, or test less than they seem."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.lint import Fault, lint
from tests.actions import CONFIRM_RESERVATION, REJECT_INVOICE, RELEASE_PAYMENT_HOLD, RELEASE_TO_FULFILMENT
from tests.engine import an_exception, recorded_cases

EXPECTED: dict[str, Any] = {
    "verdict": "fulfil",
    "actions": [
        {"name": name, "args": {"order_id": "O-1"}} for name in (RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT)
    ],
    "before": [[0, 2]],
    "cite": ["ORD-2"],
    "approval": {"role": "reviewer", "four_eyes": False},
}
ELSEWHERE = {"name": CONFIRM_RESERVATION, "args": {"order_id": "O-404"}}


def found(lab: EvalEnvironment, folder: Path, *raws: Any) -> list[Fault]:
    file = folder / "cases.jsonl"
    file.write_text("\n".join(raw if isinstance(raw, str) else json.dumps(raw) for raw in raws))
    return list(lint([file], lab))


def a_raw(case_id: str = "c-1", **expected: Any) -> dict[str, Any]:
    return {**an_exception(), "case_id": case_id, "expected": {**EXPECTED, **expected}}


def test_a_good_case_is_not_spoken_of(lab: EvalEnvironment, tmp_path: Path) -> None:
    assert [one for one in found(lab, tmp_path, a_raw()) if one.severity != "note"] == []


def test_a_case_without_an_expectation_cannot_fail(lab: EvalEnvironment, tmp_path: Path) -> None:
    (fault,) = found(lab, tmp_path, {**an_exception(), "expected": None})
    assert fault.severity == "cannot fail"
    assert fault.sentence.startswith(f"{tmp_path}/cases.jsonl, line 1, case c-1: nothing is expected of it")


@pytest.mark.parametrize(
    ("expected", "severity", "says"),
    [
        ({"verdict": "paint_it"}, "error", "'paint_it' is not a verdict of order_exception"),
        ({"verdict": None}, "error", "expected.verdict must be text"),
        ({"actions": [{"name": "x"}], "before": []}, "error", "expected.actions must be a list of actions"),
        ({"actions": [{"name": "sing", "args": {}}], "before": []}, "error", "'sing' is not an action of the catalogue"),
        ({"actions": [{"name": CONFIRM_RESERVATION, "args": {}}], "before": []}, "error", "needs the argument 'order_id'"),
        ({"actions": [{"name": REJECT_INVOICE, "args": {"invoice_id": "I", "reason": "no_po"}}], "before": []}, "error",
         "reject_invoice is not an action of order_exception"),
        ({"actions": [ELSEWHERE], "before": []}, "warning", "order_id O-404, but no such record is recorded"),
        ({"before": [[0, 3]]}, "error", "names the pair [0, 3], and there are 3 actions"),
        ({"before": [[0, 1], [1, 0]]}, "error", "is circular"),
        ({"before": [[1, 1]]}, "error", "is circular"),
        ({"before": [[0, -1]]}, "error", "names the pair [0, -1]"),
        ({"actions": [EXPECTED["actions"][0]] * 2, "before": [[0, 1]]}, "error", "the two are the same"),
        ({"cite": ["ORD-99"]}, "error", "the clause ORD-99 is not in force at 2026"),
        ({"cite": "ORD-2"}, "error", "expected.cite must be a list"),
        ({"approval": {"role": "king", "four_eyes": False}}, "error", "'king' is not a role"),
        ({"approval": {"role": "reviewer"}}, "error", "expected.approval must have"),
    ],
)  # fmt: skip
def test_what_no_answer_can_meet_is_named(lab: EvalEnvironment, tmp_path: Path, expected: Any, severity: str, says: str) -> None:
    faults = [one for one in found(lab, tmp_path, a_raw(**expected)) if one.severity != "note"]
    assert any(one.severity == severity and says in one.says for one in faults), faults


def test_cases_that_stand_twice_are_told_by_what_is_expected_of_them(lab: EvalEnvironment, tmp_path: Path) -> None:
    faults = found(lab, tmp_path, a_raw(), a_raw("c-2"), a_raw("c-3", verdict="hold_for_customer"), a_raw())
    told = {(one.line, one.severity): one.says for one in faults if one.severity != "note"}
    assert "c-1 again under another id" in told[2, "warning"]
    assert "a different expected result" in told[3, "error"]
    assert "another case has the same id" in told[4, "error"]


def test_an_escalation_that_is_right_whatever_the_systems_say_tests_nothing_of_them(lab: EvalEnvironment, tmp_path: Path) -> None:
    escalated = next(raw for raw in recorded_cases("order_exception") if raw["expected"]["cite"] == ["GOV-7"])
    known = next(raw for raw in recorded_cases("order_exception") if raw["expected"]["verdict"] == "fulfil")
    told = {one.case_id: one.says for one in found(lab, tmp_path, escalated, known) if one.severity == "warning"}
    assert told.keys() == {escalated["case_id"]} and "when no system can be reached" in told[escalated["case_id"]]


def test_lines_that_are_no_case_are_told_and_the_rest_is_looked_at(lab: EvalEnvironment, tmp_path: Path) -> None:
    faults = found(lab, tmp_path, "{", "[]", '{"case_id": "x"}', a_raw(verdict="paint_it"))
    assert [(one.line, one.severity) for one in faults if one.severity != "note"] == [(line, "error") for line in (1, 2, 3, 4)]


def test_systems_that_no_tool_reads_are_told(lab: EvalEnvironment, tmp_path: Path) -> None:
    raw = a_raw()
    raw["systems"] = {**raw["systems"], "abacus": {}, "wms": {**(raw["systems"].get("wms") or {}), "dragons": []}}
    told = " ".join(one.says for one in found(lab, tmp_path, raw))
    assert "systems.abacus is unknown" in told
    del raw["systems"]["abacus"]
    assert "no tool reads systems.wms.dragons" in " ".join(one.says for one in found(lab, tmp_path, raw))
