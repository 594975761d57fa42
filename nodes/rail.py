"""The Explain rail: what a node observes is kept in the ledger and streamed to whoever watches."""

from collections.abc import Iterable, Sequence

from langgraph.runtime import Runtime

from ledger.records import NewObservation, Observation
from nodes.state import MissionContext

__all__ = ["NewObservation", "commit", "observe", "unfinished"]


def observe(runtime: Runtime[MissionContext], run_id: str, observations: Sequence[NewObservation]) -> None:
    """Keep observations with what else the step writes, and stream them then.

    What whoever drove the run before had said is not written again, as long as it is said again word for word: from the first
    difference on this is another look, and all of it is said.
    """
    context, entries = runtime.context, list(observations)
    if context.echo[: len(entries)] == entries:
        del context.echo[: len(entries)]
        return
    context.echo.clear()
    context.said += context.ledger.observe(run_id, entries)


def commit(runtime: Runtime[MissionContext], run_id: str) -> None:
    """Write what the step has handed in so far, and stream (stream mode `custom`) what it has observed.

    Each is {"run_id", "seq", "step", "kind", "text"}.
    """
    context = runtime.context
    context.ledger.commit()
    for one in context.said:
        runtime.stream_writer({"run_id": run_id, "seq": one.seq, "step": one.step, "kind": one.kind, "text": one.text})
    context.said.clear()


def unfinished(rail: Iterable[Observation]) -> list[NewObservation]:
    """What was said since the last proposal or decision: by whoever drives the run on it is said again."""
    since: list[NewObservation] = []
    for one in rail:
        since.append(NewObservation(one.step, one.kind, one.text, one.evidence))
        if one.step == "review" or (one.step == "check" and "proposal" in one.evidence):
            since.clear()
    return since
