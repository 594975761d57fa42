"""One effect: sent under its key, and recorded before and after.

What was sent and not answered is looked up, or sent again under its key where the system takes one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from errors import OutcomeUnknown, Refused, Stuck, TryAgain
from ledger.records import Effect, EffectStatus, Run
from nodes.case import Case
from nodes.gather import read_facts
from nodes.rail import NewObservation, observe
from nodes.state import MissionContext
from systems.calls import Call, Receipt, Writer

#: How often a write is tried whose system could not be reached at all.
WRITE_TRIES = 3


def do(effect: Effect, run: Run, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Do it, or finish what was begun; False where it was surely not done.

    Raises Stuck where nobody can tell: a person has to look it up.
    """
    if runtime.context.writer is None:
        raise Stuck(f"run {effect.run_id} may not write here; execute it where the systems are open for writing")
    if effect.status == "intended":
        runtime.context.ledger.mark_effect(effect.key, "executing", at=runtime.context.clock())
        return _send(effect, run, says, runtime, runtime.context.writer, first=True)
    # whoever began it did not come to its end: under a key it may be sent again, otherwise only the records can tell
    if _honours_keys(effect, runtime.context.writer):
        return _send(effect, run, says, runtime, runtime.context.writer, first=False)
    return _look_up(effect, run, says, runtime, "whoever sent it did not see its end.")


def _send(effect: Effect, run: Run, says: str, runtime: Runtime[MissionContext], writer: Writer, *, first: bool) -> bool:
    """Send it. What a system says to a second sending does not tell what became of the first, unless it has done it."""
    try:
        receipt = _written(effect, writer)
    except (Refused, TryAgain) as error:
        if not first:
            return _look_up(effect, run, says, runtime, str(error))
        refused = "refused, " if isinstance(error, Refused) else ""
        _mark(effect, "failed", f"{says}: {refused}{error}", runtime)
        return False
    except OutcomeUnknown as error:
        if first and _honours_keys(effect, writer):
            _mark(effect, "unknown", f"{says}: {error}", runtime)
            unknown = replace(effect, status="unknown")
            return _told(unknown, run, says, runtime) or _send(unknown, run, says, runtime, writer, first=False)
        return _look_up(effect, run, says, runtime, str(error))
    _done(effect, says, "done", dict(receipt.answer), runtime)
    return True


def _written(effect: Effect, writer: Writer) -> Receipt:
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            return writer.write(Call(effect.tool, effect.args, effect.expects or ()), effect.key)
        except TryAgain:
            if attempt == WRITE_TRIES:
                raise
    raise AssertionError("unreachable")


def _look_up(effect: Effect, run: Run, says: str, runtime: Runtime[MissionContext], why: str) -> bool:
    """Read whether it was done; where that does not tell, it is an incident."""
    if effect.status != "unknown":
        _mark(effect, "unknown", f"{says}: {why}", runtime)
    if _told(effect, run, says, runtime):
        return True
    system = effect.tool.split(".")[0]
    raise Stuck(f"{says}: {why} The records do not tell whether it was done; look into {system} for it.")


def _told(effect: Effect, run: Run, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Whether every record that the step changes is found as the step leaves it; then it is done."""
    context = runtime.context
    if not effect.expects:
        return False
    facts = read_facts(context.pack(run.event), run.event, context.reader, context.clock)
    records = Case(context.pack(run.event), run.event, facts, context.policies.values(run.event.as_of)).records
    found = all(records.shows(change) for change in effect.expects)
    if found:
        _done(effect, says, "done, as the records show", {"found": "its records are as it leaves them"}, runtime)
    return found


def _honours_keys(effect: Effect, writer: Writer) -> bool:
    try:
        return writer.honours_keys(Call(effect.tool, effect.args))
    except (TryAgain, Refused):
        return False


def _done(effect: Effect, says: str, how: str, receipt: Mapping[str, Any], runtime: Runtime[MissionContext]) -> None:
    runtime.context.ledger.mark_effect(effect.key, "done", receipt=receipt, at=runtime.context.clock())
    text = f"{effect.step + 1}. {says}: {how}"
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", text, {"key": effect.key, "receipt": dict(receipt)})])


def _mark(effect: Effect, status: EffectStatus, sentence: str, runtime: Runtime[MissionContext]) -> None:
    runtime.context.ledger.mark_effect(effect.key, status, error=sentence, at=runtime.context.clock())
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", f"{effect.step + 1}. {sentence}")])
