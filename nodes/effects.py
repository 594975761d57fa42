"""One effect: sent under its key while the run is held, looked at, and recorded before and after.

What was sent and not answered is looked up, or sent again under its key where the system takes one. An answer alone is
not believed: what the step promised is read back.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from langgraph.runtime import Runtime

from errors import OutcomeUnknown, Refused, Stuck, TakenOver, TryAgain
from ledger.base import Ledger
from ledger.records import Effect, EffectStatus
from nodes.promises import PATIENCE, look
from nodes.rail import NewObservation, commit, observe
from nodes.state import MissionContext
from systems.answers import denial, says_done
from systems.calls import Call, Fence, Receipt, Writer

#: How often a write is tried whose system could not be reached at all.
WRITE_TRIES = 3


def do(effect: Effect, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Do it, or finish what was begun; False where it was surely not done.

    Raises Stuck where nobody can tell, or it was not done as promised: a person has to look it up.
    """
    if runtime.context.writer is None:
        raise Stuck(f"run {effect.run_id} may not write here; execute it where the systems are open for writing")
    if effect.status == "intended":
        runtime.context.ledger.mark_effect(effect.key, "executing", at=runtime.context.clock())
        return _send(effect, says, runtime, runtime.context.writer, first=True)
    # whoever began it did not come to its end: under a key it may be sent again, otherwise only the records can tell
    if _honours_keys(effect, runtime.context.writer):
        return _send(effect, says, runtime, runtime.context.writer, first=False)
    return _look_up(effect, says, runtime, "whoever sent it did not see its end.")


def _send(effect: Effect, says: str, runtime: Runtime[MissionContext], writer: Writer, *, first: bool) -> bool:
    """Send it. What a system says to a second sending does not tell what became of the first, unless it has done it."""
    try:
        receipt = _written(effect, runtime.context.ledger, writer)
    except TakenOver:  # nothing was sent
        raise
    except (Refused, TryAgain) as error:
        if not first:
            return _look_up(effect, says, runtime, str(error))
        refused = "refused, " if isinstance(error, Refused) else ""
        _mark(effect, "failed", f"{says}: {refused}{error}", runtime)
        return False
    except OutcomeUnknown as error:
        if first and _honours_keys(effect, writer):
            _mark(effect, "unknown", f"{says}: {error}", runtime)
            unknown = replace(effect, status="unknown")
            return _told(unknown, says, runtime) or _send(unknown, says, runtime, writer, first=False)
        return _look_up(effect, says, runtime, str(error))
    wrong = _not_as_promised(effect, receipt, runtime.context)
    if wrong:
        sentence = f"{says}: it is not as {effect.tool.split('.')[0]} promised: {wrong}."
        _mark(effect, "unknown", sentence, runtime, receipt.answer)
        raise Stuck(f"{sentence} Either the system did not do it, or somebody changed it at the same moment: look into it.")
    _done(effect, says, "done", dict(receipt.answer), runtime)
    return True


def _written(effect: Effect, ledger: Ledger, writer: Writer) -> Receipt:
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            call = Call(effect.tool, effect.args, effect.expects or (), partial(_leave, effect, ledger))
            return writer.write(call, effect.key)
        except TryAgain:
            if attempt == WRITE_TRIES:
                raise
    raise AssertionError("unreachable")


def _leave(effect: Effect, ledger: Ledger, seconds: float) -> Fence:
    leave = ledger.leave_to_send(effect.key, seconds)
    return Fence(leave.run_id, leave.token, leave.until)


def _not_as_promised(effect: Effect, receipt: Receipt, context: MissionContext) -> str:
    """What speaks against its having been done, by its answer and by the records that it names; empty where nothing does."""
    against = denial(receipt.answer)
    if not effect.expects:
        if says_done(receipt.answer):
            return ""
        return f"no record shows it, and its answer does not say that it was done ({str(dict(receipt.answer))[:200]})"
    kept = look(effect, context, PATIENCE)
    return "; ".join([*([f"it answered {against}"] if against else []), *kept.broken, *kept.unread])


def _look_up(effect: Effect, says: str, runtime: Runtime[MissionContext], why: str) -> bool:
    """Read whether it was done; where that does not tell, it is an incident."""
    _mark(effect, "unknown", f"{says}: {why}", runtime)
    if _told(effect, says, runtime):
        return True
    system = effect.tool.split(".")[0]
    raise Stuck(f"{says}: {why} The records do not tell whether it was done; look into {system} for it.")


def _told(effect: Effect, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Whether every record that the step changes is found as the step leaves it; then it is done."""
    shown = bool(effect.expects) and bool(look(effect, runtime.context))
    if shown:
        _done(effect, says, "done, as the records show", {"found": "its records are as it leaves them"}, runtime)
    return shown


def _honours_keys(effect: Effect, writer: Writer) -> bool:
    try:
        return writer.honours_keys(Call(effect.tool, effect.args))
    except (TryAgain, Refused):
        return False


def _done(effect: Effect, says: str, how: str, receipt: Mapping[str, Any], runtime: Runtime[MissionContext]) -> None:
    text = f"{effect.step + 1}. {says}: {how}"
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", text, {"key": effect.key, "receipt": dict(receipt)})])
    _keep(effect, "done", "", runtime.context, receipt)
    commit(runtime, effect.run_id)


def _mark(
    effect: Effect,
    status: EffectStatus,
    sentence: str,
    runtime: Runtime[MissionContext],
    receipt: Mapping[str, Any] | None = None,
) -> None:
    if effect.status == status:  # as it is known already
        return
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", f"{effect.step + 1}. {sentence}")])
    _keep(effect, status, sentence, runtime.context, receipt)
    commit(runtime, effect.run_id)


def _keep(
    effect: Effect, status: EffectStatus, error: str, context: MissionContext, receipt: Mapping[str, Any] | None = None
) -> None:
    """Write down what became of it. Whoever has lost the run meanwhile says so all the same: it is news."""
    at = context.clock()
    try:
        context.ledger.mark_effect(effect.key, status, receipt, error or None, at=at)
    except Refused:
        if status != "failed":  # nothing was done
            context.ledger.late(effect.key, receipt if status == "done" else None, error, at)
        raise
