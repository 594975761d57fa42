"""What a reasoner is asked, from the state of a run and what the ledger has of it."""

from collections.abc import Sequence
from dataclasses import replace

from ledger.records import Observation
from nodes.case import Case
from nodes.diagnose import find
from nodes.reasoning.task import Task
from nodes.state import MissionContext, MissionState


def brief(context: MissionContext, state: MissionState, case: Case) -> Task:
    """The case as the reasoner is asked about it; the planner needs no more than its findings, so nothing more is looked up."""
    task = Task(case=case, findings=find(case), catalogue=context.catalogue, run_id=state["run_id"], look=state["look"])
    if context.reasoner.name == "planner":
        return task
    in_force, draft = context.policies.in_force(case.event.as_of), state.get("draft")
    asked = [one for one in context.ledger.decisions(task.run_id) if one.kind == "respond"]
    return replace(
        task,
        clauses={clause: in_force[clause] for clause in state["grounded"] if clause in in_force},
        values=context.policies.values(case.event.as_of),
        rail=_of_this_look(context.ledger.observations(task.run_id)),
        risks=state.get("risks", {}),
        objections=state["objections"],
        refused=draft if draft and state["objections"] and draft.get("by") == "model" else None,
        remark=asked[-1].details.get("remark", "") if asked else "",
        ledger=context.ledger,
        reader=context.reader,
    )


def _of_this_look(rail: Sequence[Observation]) -> Sequence[Observation]:
    begun = max((place for place, one in enumerate(rail) if one.kind == "event"), default=0)
    return rail[begun:]
