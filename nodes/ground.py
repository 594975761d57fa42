"""ground: retrieve the clauses that bear on the findings, at the version in force at `as_of`.

Two ways, side by side: the clauses that the pack cites for what was found, by id; and what the index finds for the
findings by meaning. Only a retrieved clause can be cited.
"""

from langgraph.runtime import Runtime

from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState

NEIGHBOURS = 3


def ground(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Retrieve clauses for the findings; a cited clause that is not in force is left out, so that `check` objects."""
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    pack, in_force = context.pack(run.event), context.policies.in_force(run.event.as_of)
    found = dict.fromkeys(finding["id"] for finding in state["findings"] if not finding["lacking"])
    by_id = [*(clause for finding in found for clause in pack.cited.get(finding, ())), *pack.cited_anyway]
    by_meaning = [
        hit.clause_id
        for finding in found
        for hit in context.knowledge.search(pack.topics[finding], k=NEIGHBOURS, as_of=run.event.as_of)
    ]
    grounded = {clause: in_force[clause].version for clause in dict.fromkeys([*by_id, *by_meaning]) if clause in in_force}
    text = f"{len(grounded)} clauses bear on this: {', '.join(grounded)}"
    observe(runtime, run_id, [NewObservation("ground", "policy", text, {"clauses": dict(grounded)})])
    return {"grounded": grounded}
