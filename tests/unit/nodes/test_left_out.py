"""Steps of parts that an approval left out."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.authorization import steps_left_out
from ledger.records import Decision
from tests.engine import LiveRun
from tests.unit.nodes.examples import discrepancy

AT = datetime(2026, 3, 10, tzinfo=UTC)


def decision(proposal_id: str, kind: Any, **details: Any) -> Decision:
    return Decision(
        decision_id="d-1", proposal_id=proposal_id, run_id="r-1", kind=kind, by="vera", role="reviewer", reason="a test",
        digest="", at=AT, details=details,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ([], set()),
        ([("approve", {})], set()),
        ([("approve", {"without": []})], set()),
        ([("approve", {"without": ["O-2"]})], {2}),
        ([("approve", {"without": ["O-1", "O-2"]})], {2, 3}),
        ([("approve", {"without": ["O-1"]}), ("approve", {"without": ["O-2"]})], {2, 3}),
        ([("approve", {"without": ["O-1"]}), ("approve", {})], {3}),
        ([("reject", {"without": ["O-1"]})], set()),
        ([("edit", {"without": ["O-1"], "plan": []})], set()),
    ],
)
def test_what_any_approval_left_out_is_left_out(given: Any, left_out: set[int]) -> None:
    proposal = LiveRun.of(discrepancy()).proposal
    decisions = [decision(proposal.proposal_id, kind, **details) for kind, details in given]
    assert steps_left_out(proposal, decisions) == left_out
    others = [replace(one, proposal_id="r-1.9") for one in decisions]
    assert steps_left_out(proposal, others) == set()


def test_a_step_of_no_part_cannot_be_left_out() -> None:
    proposal = LiveRun.of(discrepancy()).proposal
    assert steps_left_out(proposal, [decision(proposal.proposal_id, "approve", without=["", "None", "O-9"])]) == set()
