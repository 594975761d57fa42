"""close: write verdict and outcome. A run is finished when its ledger row says so."""

from langgraph.runtime import Runtime

from ledger.records import Outcome
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState


def close(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Finish the run in the ledger."""
    context, run_id = runtime.context, state["run_id"]
    verdict = str(state["verdict"])
    done = any(effect.status == "done" for effect in context.ledger.effects(run_id))
    outcome: Outcome = state.get("outcome") or ("abandoned" if done else "rejected")
    observe(runtime, run_id, [NewObservation("close", "verdict", f"{verdict}: {outcome.replace('_', ' ')}")])
    context.ledger.finish(run_id, verdict=verdict, outcome=outcome, at=context.clock())
    context.forget(run_id)
    return {"outcome": outcome}
