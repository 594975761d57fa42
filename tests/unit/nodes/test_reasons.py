"""Every reason of a model rests on evidence of this look and on a retrieved clause, and quotes nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.records import Observation, ObservationKind
from nodes.quoting import objections, quotable
from tests.actions import REFUND_CHARGE

KINDS: tuple[ObservationKind, ...] = ("event", "read", "finding", "policy", "plan", "missing")
RAIL = [
    Observation(seq=14 + i, at=datetime(2026, 3, 10, tzinfo=UTC), step="s", kind=kind, text="t") for i, kind in enumerate(KINDS)
]
KNOWN = quotable({"payment": {"fraud": {"score": 0.85}}})
GOOD = {
    "says": "The fraud score 0.85 is high (FRD-3, 16), so ch_1 gets 500 back.",
    "observations": [15, 16],
    "clauses": ["FRD-3"],
}


def told(*reasons: dict[str, Any]) -> list[str]:
    draft = {"plan": [{"name": REFUND_CHARGE, "args": {"charge_id": "ch_1", "amount_cents": 500}}], "reasons": list(reasons)}
    return objections(draft, RAIL, {"FRD-3": 1}, KNOWN)


def test_a_reason_with_evidence_and_a_clause_stands() -> None:
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        ({"observations": []}, "reason 1 rests on no observations"),
        ({"clauses": []}, "reason 1 rests on no clauses"),
        ({"observations": [99]}, "reason 1 cites 99, which is not evidence"),
        ({"observations": [14]}, "reason 1 cites 14, which is not evidence"),
        ({"observations": [18]}, "reason 1 cites 18, which is not evidence"),
        ({"clauses": ["FRD-9"]}, "reason 1 cites FRD-9, which was not retrieved"),
        ({"says": "The score is 0.95."}, "reason 1 quotes 0.95, which nothing says"),
        ({"says": "Look at evil.example."}, "reason 1 quotes evil.example, which nothing says"),
        ({"says": " "}, "reason 1 is not a sentence of at most 300 characters"),
        ({"says": "a" * 301}, "reason 1 is not a sentence of at most 300 characters"),
        ({"says": "Two\nlines"}, "reason 1 is not a sentence of at most 300 characters"),
    ],
)
def test_what_a_reason_may_not_do_is_told(change: dict[str, Any], objection: str) -> None:
    assert told({**GOOD, **change}) == [objection]


def test_a_draft_of_a_model_has_a_reason() -> None:
    assert told() == ["no reason is given"]
