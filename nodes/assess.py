"""assess: add predictions of risk models to the findings, where a model is configured for the mission."""

from langgraph.runtime import Runtime

from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState


def assess(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Ask each risk model of the mission for its prediction."""
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    case = context.case(run, state["look"])
    risks = {model.name: model.predict(case) for model in context.risk_models.get(run.event.mission, ())}
    told = [NewObservation("assess", "prediction", f"{name}: {value:.0%}", {"model": name}) for name, value in risks.items()]
    observe(runtime, run_id, told)
    return {"risks": risks}
