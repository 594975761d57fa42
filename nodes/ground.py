"""ground: retrieve the clauses that bear on the findings, at the version in force at `as_of`.

Two ways, side by side: the clauses that the pack cites for what was found, by id; and what the index finds for the
findings by meaning. Only a retrieved clause can be cited.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from langgraph.runtime import Runtime

from knowledge_index.index import Hit, KnowledgeIndex
from nodes.pack import Pack
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState

NEIGHBOURS = 3


def ground(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Retrieve clauses for the findings; a cited clause that is not in force is left out, so that `check` objects."""
    context, run_id = runtime.context, state["run_id"]
    run = context.ledger.run(run_id)
    pack, in_force = context.pack(run.event), context.policies.in_force(run.event.as_of)
    found = dict.fromkeys(finding["id"] for finding in state["findings"] if not finding["lacking"])
    near = by_meaning(pack, found, context.knowledge, run.event.as_of)
    retrieved = [*by_id(pack, found), *(hit.clause_id for hits in near.values() for hit in hits)]
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
