"""What the facts mean: `diagnose` finds what is so, `ground` the clauses that bear on it, `assess` what risk models predict."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from langgraph.runtime import Runtime

from knowledge_index.index import Hit, KnowledgeIndex
from ledger.records import NewObservation
from nodes.pack import Pack
from nodes.state import MissionContext, MissionState, observe

#: clauses that are retrieved for a finding by its meaning
NEIGHBOURS = 3


def diagnose(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Evaluate every finding of the pack on the facts, all dimensions at once; the value lies in how they combine."""
    context, run_id = runtime.context, state["run_id"]
    findings = context.case_of(context.ledger.history(run_id)).findings
    messages = [
        NewObservation("diagnose", "finding", finding["says"], {"finding": finding["id"], "facts": finding["facts"]})
        for finding in findings
        if not finding["lacking"]
    ]
    observe(runtime, run_id, messages)
    # what a finding is about stays with the case: an order may hold text of any length
    return {"findings": [{"id": finding["id"], "lacking": finding["lacking"]} for finding in findings]}


def ground(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Retrieve the clauses that bear on the findings, at the version in force at `as_of`. Only these can be cited.

    Two ways, side by side: the clauses that the pack cites for what was found, by id; and what the index finds for the
    findings by meaning. A cited clause that is not in force is left out, so that `check` objects.
    """
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.history(run_id).run
    pack, in_force = context.pack(run.event), context.policies.period(run.event.as_of).clauses
    found = dict.fromkeys(finding["id"] for finding in state["findings"] if not finding["lacking"])
    near = by_meaning(pack, found, context.knowledge, run.event.as_of)
    retrieved = [*by_id(pack, found), *(hit.clause.id for hits in near.values() for hit in hits)]
    grounded = {clause: in_force[clause].version for clause in dict.fromkeys(retrieved) if clause in in_force}
    text = f"{len(grounded)} clauses bear on this: {', '.join(grounded)}"
    observe(runtime, run_id, [NewObservation("ground", "policy", text, {"clauses": dict(grounded)})])
    return {"grounded": grounded}


def by_id(pack: Pack, found: Iterable[str]) -> list[str]:
    """The clauses that the pack cites for these findings, and those that any case may cite."""
    return [*(clause for finding in found for clause in pack.cited.get(finding, ())), *pack.cited_anyway]


def by_meaning(pack: Pack, found: Iterable[str], knowledge: KnowledgeIndex, as_of: datetime) -> Mapping[str, list[Hit]]:
    """Finding -> the clauses in force at `as_of` that are nearest to what it is about."""
    return {finding: knowledge.search(pack.topics[finding], k=NEIGHBOURS, as_of=as_of) for finding in found}


def assess(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Add the predictions of risk models, where some are configured for the mission."""
    context, run_id = runtime.context, state["run_id"]
    history = context.ledger.history(run_id)
    models = context.risk_models.get(history.run.event.mission, ())
    risks = {model.name: model.predict(context.case_of(history)) for model in models}
    messages = [NewObservation("assess", "prediction", f"{name}: {value:.0%}", {"model": name}) for name, value in risks.items()]
    observe(runtime, run_id, messages)
    return {"risks": risks}
