"""execute: do what was approved, in order, each step recorded before and after.

Before the first effect the world is read again, and who must have approved is worked out from policy, plan and catalogue,
also for a plan that says it takes nobody. Where what the proposal stood on has changed and it matters, the run starts another
attempt.
A step that fails after others were done has them taken back, which is a proposal of its own; one that fails first, or
whose outcome is not known, stops the run as an incident.

close: write verdict and outcome. A run is finished when its ledger row says so.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from langgraph.runtime import Runtime

from errors import OverLimit, Stuck
from ledger.authorization import steps_left_out, unapproved
from ledger.records import Approval, Decision, Effect, NewObservation, Outcome, Proposal, Run
from nodes.authorship import authors, covers, editors_of
from nodes.drift import drift
from nodes.effects import do
from nodes.state import MissionContext, MissionState, observe
from nodes.undo import takes_back


def execute(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Execute the approved (or automatic) proposal. Raises Stuck where it cannot go on."""
    context, run_id = runtime.context, state["run_id"]
    run, proposal = context.ledger.run(run_id), context.ledger.proposal(run_id)
    if proposal is None or proposal.status not in ("approved", "automatic"):
        raise Stuck(f"run {run_id} came to its execution without an approved proposal; look at its decisions")
    begun = _begun(proposal, context)
    if any(effect.status == "failed" for effect in begun):
        return _after_failure(proposal, begun, runtime, seen_by_person=True)
    if all(effect.status == "intended" for effect in begun):  # or there is none yet
        again = _begin(run, proposal, runtime)
        if again is not None:
            return again
    if not proposal.plan:
        return {"outcome": "nothing_to_do"}
    for effect in _begun(proposal, context):
        if effect.status != "done" and not do(effect, proposal.plan[effect.step]["says"], runtime):
            return _after_failure(proposal, _begun(proposal, context), runtime, seen_by_person=False)
    return {"outcome": "escalated" if proposal.verdict == "escalate" else "executed"}


def _begin(run: Run, proposal: Proposal, runtime: Runtime[MissionContext]) -> MissionState | None:
    """Look at the world again and write down what is going to be done; where the world has changed, the way back."""
    context = runtime.context
    decisions = context.ledger.decisions(run.run_id)
    left_out = steps_left_out(proposal, decisions)
    changed = drift(context, run, proposal, left_out)
    wrong = [*changed.untrue, *_unapproved(context, run, proposal, decisions, changed.approval)]
    if wrong:
        raise Stuck(f"proposal {proposal.proposal_id} is not executed: {'; '.join(wrong)}; run `missions audit verify`")
    if changed.reasons:
        tools = dict.fromkeys(f"{one.tool} gives a different answer" for one in changed.differences)
        said = f"The world has changed: {'; '.join([*tools, *changed.reasons])}"
        observe(runtime, run.run_id, [NewObservation("execute", "check", said)])
        return {"proposal_id": None}
    now = context.clock()
    intended = [
        Effect(
            run_id=run.run_id, proposal_id=proposal.proposal_id, step=step, action=action["name"], tool=action["tool"],
            args=action["args"], key=idempotency_key(proposal.proposal_id, step, proposal.digest), status="intended",
            at=now,
            expects=[{name: value for name, value in one.items() if name != "step"}
                     for one in changed.changes if one["step"] == step + 1],
        )
        for step, action in enumerate(proposal.plan) if step not in left_out
    ]  # fmt: skip
    try:
        context.ledger.intend(intended, changed.approval)
    except OverLimit as over:  # what went out since it was approved, or proposed
        observe(runtime, run.run_id, [NewObservation("execute", "check", f"Not done: {over}")])
        return {"proposal_id": None}
    skipped = [f"{step + 1}. {proposal.plan[step]['says']}: skipped, its part was rejected" for step in sorted(left_out)]
    observe(runtime, run.run_id, [NewObservation("execute", "effect", text) for text in skipped])
    return None


def _unapproved(
    context: MissionContext, run: Run, proposal: Proposal, decisions: Sequence[Decision], needed: Approval
) -> Iterator[str]:
    """Why the decisions that there are do not allow it; nothing of a plan that takes none."""
    if proposal.status == "automatic":
        return
    # who wrote the proposal wrote its moments too
    latest = proposal.created_at + timedelta(hours=context.proposal_hours)
    asked = replace(proposal, expires_at=min(proposal.expires_at, latest))
    least = replace(proposal.approval if covers(proposal.approval, needed) else needed, own=needed.own)
    editors = editors_of(context.ledger, run.run_id, proposal.plan, proposal.revision).keys
    made = {*authors(proposal, decisions), *editors}
    wrong = unapproved(asked, run, decisions, least, context.ledger.person, made)
    if wrong:
        yield f"it says that it is approved, and {wrong}"


def _after_failure(
    proposal: Proposal, begun: Sequence[Effect], runtime: Runtime[MissionContext], *, seen_by_person: bool
) -> MissionState:
    """What was done before is taken back where it can be. Otherwise a person looks at it first, and then the Mission again."""
    failed = "; ".join(effect.error or proposal.plan[effect.step]["says"] for effect in begun if effect.status == "failed")
    undoing = not proposal.undoes and takes_back(proposal, runtime.context.ledger.effects(proposal.run_id))
    # of what takes steps back, the last one hands the case over: where that fails, nobody has it
    less = proposal.undoes and any(effect.status == "failed" and effect.step < len(proposal.plan) - 1 for effect in begun)
    if not undoing and not less and not seen_by_person:
        raise Stuck(failed)
    then = "the earlier steps will be undone" if undoing else "the data is read again"
    observe(runtime, proposal.run_id, [NewObservation("execute", "check", f"Not done: {failed.removesuffix('.')}; {then}")])
    again: MissionState = {"proposal_id": None}
    return {**again, "undoing": proposal.proposal_id} if undoing else again


def _begun(proposal: Proposal, context: MissionContext) -> list[Effect]:
    return [effect for effect in context.ledger.effects(proposal.run_id) if effect.proposal_id == proposal.proposal_id]


def idempotency_key(proposal_id: str, step: int, digest: str) -> str:
    """Of proposal, step and digest of the plan: the same step of the same approved plan has the same key, whoever tries."""
    return hashlib.sha256(f"{proposal_id}/{step}/{digest}".encode()).hexdigest()[:40]


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
