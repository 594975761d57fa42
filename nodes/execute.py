"""execute: do what was approved, in order, each step recorded before and after.

Before the first effect the world is read again: where what the proposal stood on has changed and it matters, the run
looks anew. A step that a system refuses, or whose outcome is not known, stops the run as an incident.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from langgraph.runtime import Runtime

from errors import OutcomeUnknown, Refused, Stuck, TryAgain
from ledger.records import Decision, Effect, EffectStatus, Proposal
from nodes.drift import drift
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext, MissionState
from systems.calls import Call

#: How often a write is tried whose system could not be reached at all.
WRITE_TRIES = 3


def execute(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Execute the approved (or automatic) proposal. Raises Stuck where it cannot go on."""
    context, run_id = runtime.context, state["run_id"]
    run, proposal = context.ledger.run(run_id), context.ledger.proposal(run_id)
    if proposal is None or proposal.status not in ("approved", "automatic"):
        raise Stuck(f"run {run_id} came to its execution without an approved proposal; look at its decisions")
    if not proposal.plan:
        return {"outcome": "nothing_to_do"}
    left_out = steps_left_out(proposal, context.ledger.decisions(run_id))
    begun = [effect for effect in context.ledger.effects(run_id) if effect.proposal_id == proposal.proposal_id]
    failed = [proposal.plan[effect.step]["says"] for effect in begun if effect.status == "failed"]
    if failed:  # an incident that was resumed: what was not done then is planned anew, on the world as it is now
        observe(
            runtime, run_id, [NewObservation("execute", "check", f"Not done before: {'; '.join(failed)}; it is looked at anew")]
        )
        return {"proposal_id": None}
    if not any(effect.status != "intended" for effect in begun):
        changed = drift(context, run, proposal, left_out)
        if changed.reasons:
            tools = dict.fromkeys(f"{one.tool} answers otherwise" for one in changed.differences)
            said = f"The world has changed: {'; '.join([*tools, *changed.reasons])}"
            observe(runtime, run_id, [NewObservation("execute", "check", said)])
            return {"proposal_id": None}
    context.ledger.intend([effect for effect in _effects(proposal, context.clock()) if effect.step not in left_out])
    told = [f"{step + 1}. {proposal.plan[step]['says']}: left out, its part was rejected" for step in sorted(left_out)]
    observe(runtime, run_id, [NewObservation("execute", "effect", text) for text in told])
    for effect in context.ledger.effects(run_id):
        if effect.proposal_id == proposal.proposal_id and effect.status != "done":
            _do(effect, proposal, runtime)
    return {"outcome": "escalated" if proposal.verdict == "escalate" else "executed"}


def idempotency_key(proposal_id: str, step: int, digest: str) -> str:
    """Of proposal, step and digest of the plan: the same step of the same approved plan has the same key, whoever tries."""
    return hashlib.sha256(f"{proposal_id}/{step}/{digest}".encode()).hexdigest()[:40]


def steps_left_out(proposal: Proposal, decisions: Iterable[Decision]) -> set[int]:
    """The steps whose part an approval left out, counted from 0; of two approvals, what either left out."""
    approvals = [one for one in decisions if one.proposal_id == proposal.proposal_id and one.kind == "approve"]
    parts = {part for one in approvals for part in one.details.get("without", ())}
    return {step for step, action in enumerate(proposal.plan) if action.get("part") in parts}


def _effects(proposal: Proposal, now: datetime) -> list[Effect]:
    return [
        Effect(
            run_id=proposal.run_id, proposal_id=proposal.proposal_id, step=step, action=action["name"],
            tool=action["tool"], args=action["args"], key=idempotency_key(proposal.proposal_id, step, proposal.digest),
            status="intended", at=now,
        )
        for step, action in enumerate(proposal.plan)
    ]  # fmt: skip


def _do(effect: Effect, proposal: Proposal, runtime: Runtime[MissionContext]) -> None:
    context = runtime.context
    if context.writer is None:
        raise Stuck(f"run {effect.run_id} may not write here; execute it where the systems are open for writing")
    says = proposal.plan[effect.step]["says"]
    if effect.status == "unknown":
        raise Stuck(f"{says}: its outcome is not known; look into {effect.tool.split('.')[0]} for it before the run goes on")
    if effect.status == "intended":
        context.ledger.mark_effect(effect.key, "executing", at=context.clock())
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            receipt = context.writer.write(Call(effect.tool, effect.args), effect.key)
            break
        except Refused as error:
            _stop(effect, "failed", f"{says}: refused, {error}", runtime)
        except TryAgain as error:
            if attempt == WRITE_TRIES:
                _stop(effect, "failed", f"{says}: {error}", runtime)
        except OutcomeUnknown as error:
            _stop(effect, "unknown", f"{says}: {error}", runtime)
    context.ledger.mark_effect(effect.key, "done", receipt=dict(receipt.answer), at=context.clock())
    told = NewObservation(
        "execute", "effect", f"{effect.step + 1}. {says}: done", {"key": effect.key, "receipt": dict(receipt.answer)}
    )
    observe(runtime, effect.run_id, [told])


def _stop(effect: Effect, status: EffectStatus, sentence: str, runtime: Runtime[MissionContext]) -> None:
    runtime.context.ledger.mark_effect(effect.key, status, error=sentence, at=runtime.context.clock())
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", f"{effect.step + 1}. {sentence}")])
    raise Stuck(sentence)
