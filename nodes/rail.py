"""The Explain rail: what a node observes is kept in the ledger and streamed to whoever watches."""

from collections.abc import Sequence

from langgraph.runtime import Runtime

from ledger.records import NewObservation
from nodes.state import MissionContext

__all__ = ["NewObservation", "observe"]


def observe(runtime: Runtime[MissionContext], run_id: str, observations: Sequence[NewObservation]) -> None:
    """Keep observations and stream them (stream mode `custom`) as {"run_id", "seq", "step", "kind", "text"}."""
    for kept in runtime.context.ledger.observe(run_id, observations):
        runtime.stream_writer({"run_id": run_id, "seq": kept.seq, "step": kept.step, "kind": kept.kind, "text": kept.text})
