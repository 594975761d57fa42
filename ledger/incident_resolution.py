"""Ways out of an incident, for whoever has looked: go on, say whether the step in doubt was done, or close for good."""

from datetime import datetime
from typing import Literal

from errors import BadInput
from ledger.authorization import check_settlement
from ledger.base import Ledger
from ledger.records import Effect, NewObservation, Run

#: "done" and "failed" say what became of a step whose outcome is not known; all but "close" let the run go on
Resolution = Literal["retry", "done", "failed", "close"]


def in_doubt(ledger: Ledger, run_id: str) -> Effect | None:
    """The step of the plan executed last of which nobody knows whether it was done."""
    effects = ledger.effects(run_id)
    return next((one for one in effects if one.status == "unknown" and one.proposal_id == effects[-1].proposal_id), None)


def settle(ledger: Ledger, run_id: str, way: Resolution, by: str, reason: str, at: datetime) -> Run:
    """Settle the incident of a run, which is 'running' or 'waiting' afterwards, or closed for good.

    Raises Refused to who may not, without a reason, and where nothing is to be settled; BadInput where "done" or "failed"
    is said of a run no step of which is in doubt, or a step is in doubt and it is not said.
    """
    run = ledger.run(run_id)
    if way == "close":
        return ledger.abandon(run.run_id, by=by, reason=reason, at=at)
    person = check_settlement(run, ledger.person(by), by, reason)
    effect = in_doubt(ledger, run.run_id)
    if effect is None:
        if way in ("done", "failed"):
            raise BadInput(f"No step of run {run.run_id} is in doubt: retry it, or close it.")
        return ledger.resume(run.run_id, by=by, reason=reason, at=at)
    step, system = f"step {effect.step + 1} of run {run.run_id} ({effect.action})", effect.tool.split(".")[0]
    if way == "retry":
        raise BadInput(f"Look up in {system} whether {step} was done, and say so.")
    found = f"{person.name} looked it up: it was {'' if way == 'done' else 'not '}done, “{reason.strip()}”"
    if way == "done":
        ledger.mark_effect(effect.key, "done", {"found": found}, at=at)
    else:
        ledger.mark_effect(effect.key, "failed", error=found, at=at)
    text = f"{effect.step + 1}. {effect.action.replace('_', ' ')}: {found}"
    ledger.observe(run.run_id, [NewObservation("execute", "effect", text, {"key": effect.key})])
    return ledger.resume(run.run_id, by=by, reason=reason, at=at)
