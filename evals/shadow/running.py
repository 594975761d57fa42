"""One run of a shadow: the mission graph from its event to its end, on real reads, with writes that are simulated."""

import time
from collections.abc import Collection, Mapping
from itertools import count, takewhile
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langsmith import tracing_context

from errors import MissionsError
from evals.shadow.beside import Beside
from evals.shadow.keeping import ShadowRun, SimulatedStep
from evals.shadow.opening import Shadow
from graphs.mission import GRAPH_VERSION, compiled_graph
from ledger.canonical import utc_now
from ledger.evaluations import Answer, Step
from ledger.memory import MemoryLedger
from ledger.records import Effect, Proposal, Run
from nodes.listening import Listening
from nodes.planner import Planner
from nodes.state import MissionContext
from systems.catalogue import Catalogue
from systems.simulated import SimulatedSystems

#: proposals whose approval is assumed; what has not come to its end by then goes round in circles
MOST_APPROVALS = 8
_STATUS: Mapping[str, Literal["done", "failed"]] = {"done": "done", "failed": "failed"}


def shadowed(shadow: Shadow, run: Run) -> ShadowRun:
    """What the candidate would have done in place of a live run.

    Where the live run has had effects, the systems show them: then what it had read last before stands for what they said.
    Raises TryAgain where the live ledger does not answer.
    """
    begun = time.perf_counter()
    beside = Beside.of(shadow.ledger, run.run_id)
    memory, error = _drive(shadow, run, beside)
    if not beside.late:
        beside = Beside.of(shadow.ledger, run.run_id)
        if beside.late:  # meanwhile: what was read may be what the live run has written
            memory, error = _drive(shadow, run, beside)
    after, proposals = memory.run(run.run_id), memory.proposals(run.run_id)
    return ShadowRun(
        run_id=run.run_id,
        mission=run.event.mission,
        event=run.event.name,
        subject=run.event.subject,
        at=utc_now(),
        evidence="then" if beside.late else "now",
        look=beside.look,
        moved=beside.moved(memory.facts(run.run_id, 1)),
        live_versions=run.versions,
        answer=answer_of(proposals[0], shadow.catalogue) if proposals else None,
        looks=_looks(memory, run.run_id),
        proposals=len(proposals),
        outcome=after.outcome or "stuck",
        steps=[_step(effect, shadow.catalogue) for effect in memory.effects(run.run_id)],
        error=error,
        seconds=time.perf_counter() - begun,
    )


def answer_of(proposal: Proposal, catalogue: Catalogue, left_out: Collection[int] = ()) -> Answer:
    """A proposal as an answer, without the steps that were left out (from 0); of each action the arguments that count."""
    plan = [action for step, action in enumerate(proposal.plan) if step not in left_out]
    return Answer(
        verdict=proposal.verdict,
        actions=[Step(name=one["name"], args=_counting(one["name"], one["args"], catalogue), tier=one["tier"]) for one in plan],
        cite=[cite["clause"] for cite in proposal.cites],
        role=proposal.approval.role,
        four_eyes=proposal.approval.four_eyes,
        money_at_stake_cents=proposal.money_at_stake_cents,
    )


@tracing_context(enabled=False)
def _drive(shadow: Shadow, run: Run, beside: Beside) -> tuple[MemoryLedger, str]:
    """Drive it to its end, every approval assumed: its ledger, and why it got stuck, or nothing."""
    memory = MemoryLedger()
    memory.take_in(run.event, run.run_id, {"graph": GRAPH_VERSION})
    pack = shadow.candidate.packs.get(run.event.mission)
    if pack is None or run.event.name not in pack.trigger.events:
        return memory, f"no pack of the shadow has the event {run.event.name} of {run.event.mission}"
    systems = SimulatedSystems(beside.reader(shadow.reader), shadow.catalogue)
    context = MissionContext(
        ledger=memory, reader=Listening(systems, shadow.phrasebook, utc_now), writer=systems,
        packs=shadow.candidate.packs, catalogue=shadow.catalogue, policies=shadow.candidate.policies,
        knowledge=shadow.knowledge, reasoner=Planner(), clock=utc_now,
    )  # fmt: skip
    graph = compiled_graph().copy({"checkpointer": InMemorySaver()})
    config: RunnableConfig = {"configurable": {"thread_id": run.run_id}}
    given: Any = {"run_id": run.run_id}
    try:
        for _ in range(MOST_APPROVALS + 1):
            for _ in graph.stream(given, config, context=context, stream_mode=[], durability="exit"):
                pass
            paused = graph.get_state(config)
            if not paused.interrupts:
                return memory, "" if memory.run(run.run_id).status == "closed" else "the graph stopped without an end"
            _approve(memory, run.run_id)
            given = Command(resume={paused.interrupts[0].id: "assumed"})
    except MissionsError as stuck:
        return memory, str(stuck)[:500]
    except Exception as defect:  # its words may hold what was read
        return memory, f"the candidate fails with {type(defect).__name__}"
    return memory, f"it is not done after {MOST_APPROVALS} approvals"


def _approve(memory: MemoryLedger, run_id: str) -> None:
    """Assume that everybody approves who has to."""
    proposal = memory.proposal(run_id)
    assert proposal is not None, "only a proposal pauses the graph"
    for number in range(2 if proposal.approval.four_eyes else 1):
        name = f"assumed {proposal.approval.role} {number + 1}"
        memory.add_person(name, proposal.approval.role)
        memory.decide(
            proposal.proposal_id, kind="approve", by=name, reason="assumed by a shadow", digest=proposal.digest, at=utc_now()
        )


def _step(effect: Effect, catalogue: Catalogue) -> SimulatedStep:
    changed = (effect.receipt or {}).get("changed", ())
    return SimulatedStep(
        proposal=int(effect.proposal_id.rpartition(".")[2]),
        action=effect.action,
        args=_counting(effect.action, effect.args, catalogue),
        status=_STATUS.get(effect.status, "not reached"),
        error=(effect.error or "")[:500],
        changes=[f"{one['system']} {one['record']} {one['field']}" for one in changed],
    )


def _counting(name: str, args: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    action = catalogue.get(name)
    return {key: args[key] for key in action.counting if key in args} if action else {}


def _looks(memory: MemoryLedger, run_id: str) -> int:
    return sum(1 for _ in takewhile(lambda look: memory.facts(run_id, look), count(1)))
