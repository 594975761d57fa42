"""Evaluations to test with: small runs with any outcome."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from evals.evaluation.answers import CaseAnswer, PlanStep
from evals.evaluation.store import ALL, CaseFile, EvaluationCase, EvaluationRun
from tests.actions import REFUND_CHARGE, SEND_MESSAGE

AT = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](javascript:alert(1))"
RIGHT = {
    "verdict": 1.0, "exact": 1.0, "unsafe": 0.0, "missed_escalation": None, "needless_escalation": 0.0,
    "cite_recall": 1.0, "cite_precision": 1.0, "approval": 1.0,
}  # fmt: skip


def answer(verdict: str = "refund", *steps: PlanStep, cite: Sequence[str] = ("REF-2",), **fields: Any) -> CaseAnswer:
    """An answer with one refund unless other steps are given."""
    return CaseAnswer(
        verdict=verdict,
        actions=list(steps) or [refund()],
        cite=list(cite),
        **{"role": "finance", "four_eyes": False, "before": [], **fields},
    )


def refund(cents: int = 5_000) -> PlanStep:
    return PlanStep(name=REFUND_CHARGE, args={"charge_id": "ch-1", "amount_cents": cents, "reason": "free text"})


def message(template: str = "sorry") -> PlanStep:
    return PlanStep(name=SEND_MESSAGE, args={"customer_id": "C-1", "template": template})


def a_case(case_id: str = "c-1", *, exact: bool = True, mission: str = "support_resolution", **fields: Any) -> EvaluationCase:
    """A case that is right, or has another verdict than expected."""
    given = fields.pop("result", None) or answer("refund" if exact else "replace")
    figures = RIGHT if exact else {**RIGHT, "exact": 0.0, "verdict": 0.0}
    return EvaluationCase(
        **{"case_id": case_id, "mission": mission, "result": given, "expected": answer(), "figures": figures, **fields}
    )


def a_run(number: int = 1, exact: float = 1.0, **fields: Any) -> EvaluationRun:
    """A run; a greater number is a later one."""
    at = AT + timedelta(days=number)
    figures = {"cases": 10.0, **RIGHT, "exact": exact}
    return EvaluationRun(
        **{
            "run_id": f"{at:%Y%m%dT%H%M%S}-{number:04x}",
            "at": at,
            "by": "root",
            "files": [CaseFile(name="cases.jsonl", digest="d1")],
            "versions": {"code": "abc1234", "policies": "p1"},
            "seconds": 2.0,
            "cases": 10,
            "figures": {"support_resolution": figures, "order_exception": figures, ALL: figures},
            "counting": {REFUND_CHARGE: ["charge_id", "amount_cents"], SEND_MESSAGE: ["customer_id", "template"]},
            **fields,
        }
    )
