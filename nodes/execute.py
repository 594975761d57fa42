"""execute: do what was approved, in order, each step recorded before and after. close: write verdict and outcome.

Before the first effect the world is read again, and who must have approved is worked out from policy, plan and catalogue,
also for a plan that says it takes nobody. Where what the proposal stood on has changed and it matters, the run starts another
attempt. A step that fails after others were done has them taken back, which is a proposal of its own; one that fails first, or
whose outcome is not known, stops the run as an incident.

An effect is sent under its key while the run is held. What was sent and not answered is looked up, or sent again under its key
where the system takes one. An answer alone is not believed: what the step promised is read back.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from langgraph.runtime import Runtime

from errors import OutcomeUnknown, OverLimit, Refused, Stuck, TakenOver, TryAgain, TurnedAway
from ledger.authorization import steps_left_out, unapproved
from ledger.base import Ledger
from ledger.canonical import canonical
from ledger.records import Approval, Effect, EffectStatus, NewObservation, Outcome, Proposal, RunHistory
from nodes.authorship import authors, covers, editors_of
from nodes.drift import drift
from nodes.state import MissionContext, MissionState, commit, observe
from nodes.undo import takes_back
from rendering import in_words, words
from systems.calls import Call, Fence, Receipt, Writer, denial
from systems.catalogue import OWN_SYSTEM
from systems.schema import Record, RecordSchema

#: How often a write is tried whose system could not be reached at all.
WRITE_TRIES = 3
#: in the place of an answer, where the records show that a step was done
_FOUND = {"found": "its records are as it leaves them"}
#: seconds between reads of what does not show it yet: a system may take a moment
PATIENCE = (0.2, 0.8)
#: what names a record: its collection, and its key as in a proposal ("O-17")
_Name = tuple[str, str]
_Change = Mapping[str, Any]


def execute(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Execute the approved (or automatic) proposal. Raises Stuck where it cannot go on."""
    context, run_id = runtime.context, state["run_id"]
    history = context.ledger.history(run_id)
    proposal = history.proposal
    if proposal is None or proposal.status not in ("approved", "automatic"):
        raise Stuck(f"run {run_id} came to its execution without an approved proposal; look at its decisions")
    begun = history.effects_of(proposal.proposal_id)
    if any(effect.status == "failed" for effect in begun):
        return _after_failure(proposal, runtime, seen_by_person=True)
    if all(effect.status == "intended" for effect in begun):  # or there is none yet
        again = _begin(history, proposal, runtime)
        if again is not None:
            return again
    if not proposal.plan:
        return {"outcome": "nothing_to_do"}
    for effect in context.ledger.history(run_id).effects_of(proposal.proposal_id):
        if effect.status != "done" and not _do(effect, proposal.plan[effect.step]["says"], runtime):
            return _after_failure(proposal, runtime, seen_by_person=False)
    return {"outcome": "escalated" if proposal.verdict == "escalate" else "executed"}


def _begin(history: RunHistory, proposal: Proposal, runtime: Runtime[MissionContext]) -> MissionState | None:
    """Look at the world again and write down what is going to be done; where the world has changed, the way back."""
    context, run = runtime.context, history.run
    left_out = steps_left_out(proposal, history.decisions)
    changed = drift(context, history, proposal, context.ledger.person, left_out)
    # where the world has changed, whoever may decide about it now is asked again
    if wrong := changed.untrue or (not changed.reasons and [*_unapproved(context, history, proposal, changed.approval)]):
        raise Stuck(f"proposal {proposal.proposal_id} is not executed: {'; '.join(wrong)}; run `missions audit verify`")
    unread = dict.fromkeys(f"{one.tool} ({one.after})" for one in changed.differences if one.unread == "now")
    if unread and proposal.status == "approved":
        raise Stuck(
            f"Nothing was done yet, and the approval stands: what it rests on cannot be read now, {'; '.join(unread)}. "
            f"Once it can, `missions incident retry {run.run_id}` goes on."
        )
    if changed.reasons:
        tools = dict.fromkeys(f"{one.tool} gives a different answer" for one in changed.differences)
        said = f"The world has changed: {'; '.join([*tools, *changed.reasons])}"
        observe(runtime, run.run_id, [NewObservation("execute", "check", said)])
        return {"proposal_id": None}
    now = context.clock()
    # the same step of the same approved plan has the same idempotency key, whoever tries
    bound = [f"{proposal.proposal_id}/{step}/{proposal.digest}" for step in range(len(proposal.plan))]
    keys = [hashlib.sha256(one.encode()).hexdigest()[:40] for one in bound]
    intended = [
        Effect(
            run_id=run.run_id, proposal_id=proposal.proposal_id, step=step, action=action["name"], tool=action["tool"],
            args=action["args"], key=keys[step], status="intended", at=now,
            expects=[{name: value for name, value in one.items() if name != "step"}
                     for one in changed.promises if one["step"] == step + 1],
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


def _unapproved(context: MissionContext, history: RunHistory, proposal: Proposal, needed: Approval) -> Iterator[str]:
    """Why the decisions that there are do not allow it; nothing of a plan that takes none."""
    if proposal.status == "automatic":
        return
    # who wrote the proposal wrote its moments too
    latest = proposal.created_at + timedelta(hours=context.proposal_hours)
    asked = replace(proposal, expires_at=min(proposal.expires_at, latest))
    least = replace(proposal.approval if covers(proposal.approval, needed) else needed, own=needed.own)
    editors = editors_of(history, proposal.plan, proposal.revision, context.ledger.person).keys
    made = {*authors(proposal, history.decisions), *editors}
    wrong = unapproved(asked, history.run, history.decisions, least, context.ledger.person, made)
    if wrong:
        yield f"it says that it is approved, and {wrong}"


def _after_failure(proposal: Proposal, runtime: Runtime[MissionContext], *, seen_by_person: bool) -> MissionState:
    """What was done before is taken back where it can be. Otherwise a person looks at it first, and then the Mission again."""
    history = runtime.context.ledger.history(proposal.run_id)
    begun = history.effects_of(proposal.proposal_id)
    failed = "; ".join(effect.error or proposal.plan[effect.step]["says"] for effect in begun if effect.status == "failed")
    undoing = not proposal.undoes and takes_back(proposal, history.effects)
    # of what takes steps back, the last one hands the case over: where that fails, nobody has it
    less = proposal.undoes and any(effect.status == "failed" and effect.step < len(proposal.plan) - 1 for effect in begun)
    if not undoing and not less and not seen_by_person:
        raise Stuck(failed)
    then = "the earlier steps will be undone" if undoing else "the data is read again"
    observe(runtime, proposal.run_id, [NewObservation("execute", "check", f"Not done: {failed.removesuffix('.')}; {then}")])
    return {"proposal_id": None, "undoing": proposal.proposal_id} if undoing else {"proposal_id": None}


def close(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Finish the run in the ledger."""
    context, run_id = runtime.context, state["run_id"]
    verdict = str(state["verdict"])
    done = any(effect.status == "done" for effect in context.ledger.history(run_id).effects)
    outcome: Outcome = state.get("outcome") or ("abandoned" if done else "rejected")
    observe(runtime, run_id, [NewObservation("close", "verdict", f"{words(verdict)}: {words(outcome)}")])
    context.ledger.finish(run_id, verdict=verdict, outcome=outcome, at=context.clock())
    context.forget(run_id)
    return {"outcome": outcome}


def _do(effect: Effect, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Do it, or finish what was begun; False where it was surely not done.

    Raises Stuck where that cannot be known, or it was not done as promised: a person has to look it up.
    """
    if runtime.context.writer is None:
        raise Stuck(f"run {effect.run_id} may not write here; execute it where the systems are open for writing")
    if effect.status == "intended":
        runtime.context.ledger.mark_effect(effect.key, "executing", at=runtime.context.clock())
        return _send(effect, says, runtime, runtime.context.writer, first=True)
    # whoever began it did not come to its end: under a key it may be sent again, otherwise only the records show it
    if _honours_keys(effect, runtime.context.writer):
        return _send(effect, says, runtime, runtime.context.writer, first=False)
    return _look_up(effect, says, runtime, "the process that sent it did not see the result.")


def _send(effect: Effect, says: str, runtime: Runtime[MissionContext], writer: Writer, *, first: bool) -> bool:
    """Send it. What a system says to a second sending does not say what became of the first, unless it has done it."""
    try:
        receipt = _written(effect, runtime.context, writer)
    except TakenOver:  # nothing was sent
        raise
    except (Refused, TryAgain) as error:
        if not first:
            return _look_up(effect, says, runtime, str(error))
        said_by_system = isinstance(error, Refused | TurnedAway)
        if said_by_system and _found_done(effect, says, runtime):  # what answers with an error may have done it
            return True
        refused = "refused, " if isinstance(error, Refused) else ""
        _record(effect, "failed", f"{says}: {refused}{error}", runtime)
        return False
    except OutcomeUnknown as error:
        if first and _honours_keys(effect, writer):
            _record(effect, "unknown", f"{says}: {error}", runtime)
            unknown = replace(effect, status="unknown")
            return _found_done(unknown, says, runtime) or _send(unknown, says, runtime, writer, first=False)
        return _look_up(effect, says, runtime, str(error))
    wrong = _not_as_promised(effect, receipt, runtime.context)
    if wrong:
        sentence = f"{says}: it is not as {effect.tool.split('.')[0]} promised: {wrong}."
        _record(effect, "unknown", sentence, runtime, receipt.answer)
        raise Stuck(f"{sentence} Either the system did not do it, or it was changed at the same moment; check the record.")
    _record(effect, "done", f"{says}: done", runtime, receipt.answer)
    return True


def _written(effect: Effect, context: MissionContext, writer: Writer) -> Receipt:
    if effect.tool.startswith(f"{OWN_SYSTEM}."):  # that it is done stands in the ledger
        return Receipt(effect.tool, effect.key, {"receipt_id": effect.key}, replayed=False)
    history = context.ledger.history(effect.run_id)
    call = Call(
        effect.tool,
        effect.args,
        effect.action,
        sends=_sends(effect, context, history),
        approved_by=_approver(effect, history),
        expects=effect.expects or (),
        leave=partial(_leave, effect, context.ledger),
    )
    turned_away: TryAgain | None = None
    for attempt in range(1, WRITE_TRIES + 1):
        try:
            return writer.write(call, effect.key)
        except TurnedAway as error:
            turned_away = error
            # it may have done it all the same, and without a key a second one would be done beside it
            if attempt == WRITE_TRIES or not _honours_keys(effect, writer):
                raise
            if _shows(effect) and look(effect, context):
                return Receipt(effect.tool, effect.key, _FOUND, replayed=False)
        except TryAgain as error:  # it was not sent
            if attempt == WRITE_TRIES:
                raise turned_away or error from error
    raise AssertionError("unreachable")


def _approver(effect: Effect, history: RunHistory) -> str:
    """Whose approval was the last that the plan took; empty for an automatic plan."""
    made = [one.by for one in history.decisions if one.proposal_id == effect.proposal_id and one.kind == "approve"]
    return made[-1] if made else ""


def _sends(effect: Effect, context: MissionContext, history: RunHistory) -> Mapping[str, Any] | None:
    """What the tool is sent, on the records as they were read and the steps before have left them."""
    world = None
    for one in history.effects_of(effect.proposal_id):
        action = context.catalogue[one.action]
        if one.step == effect.step and action.send is None:
            return None
        world = world or context.case_of(history).records.copy()
        seen = action.seen(world, one.args)
        if one.step == effect.step:
            return action.sends(seen)
        action.apply(world, seen)
    raise AssertionError("unreachable")


def _leave(effect: Effect, ledger: Ledger, seconds: float) -> Fence:
    leave = ledger.leave_to_send(effect.key, seconds)
    return Fence(leave.run_id, leave.token, leave.until)


def _not_as_promised(effect: Effect, receipt: Receipt, context: MissionContext) -> str:
    """What speaks against its having been done, by its answer and by the records that it names; empty where nothing does."""
    against, action = denial(receipt.answer), context.catalogue[effect.action]
    # records that said so before show nothing of money that was to move
    if not (_shows(effect) or (effect.expects and not action.money)) and not (
        receipt.simulated or action.says_done(receipt.answer)
    ):
        return f"no record shows it, and its answer does not say that it was done ({str(dict(receipt.answer))[:200]})"
    kept = look(effect, context, PATIENCE) if effect.expects else Kept()
    return "; ".join([*([f"it answered {against}"] if against else []), *kept.broken, *kept.unread])


def _look_up(effect: Effect, says: str, runtime: Runtime[MissionContext], why: str) -> bool:
    """Read whether it was done; where that does not show it, it is an incident."""
    _record(effect, "unknown", f"{says}: {why}", runtime)
    if _found_done(effect, says, runtime):
        return True
    system = effect.tool.split(".")[0]
    raise Stuck(f"{says}: {why} The records do not tell whether it was done; look into {system} for it.")


def _found_done(effect: Effect, says: str, runtime: Runtime[MissionContext]) -> bool:
    """Whether every record that the step changes is found as the step leaves it; then it is done."""
    if not _shows(effect) or not look(effect, runtime.context):
        return False
    _record(effect, "done", f"{says}: done, as the records show", runtime, _FOUND)
    return True


def _shows(effect: Effect) -> bool:
    """Whether the records tell that it was done: they were to say something else before."""
    return any(canonical(one["before"]) != canonical(one["after"]) for one in effect.expects or ())


def _honours_keys(effect: Effect, writer: Writer) -> bool:
    if effect.tool.startswith(f"{OWN_SYSTEM}."):
        return True
    try:
        return writer.honours_keys(Call(effect.tool, effect.args, effect.action))
    except (TryAgain, Refused):
        return False


def _record(
    effect: Effect,
    status: EffectStatus,
    sentence: str,
    runtime: Runtime[MissionContext],
    receipt: Mapping[str, Any] | None = None,
) -> None:
    """Write down what became of it. Whoever has lost the run meanwhile says so all the same: it is news."""
    if effect.status == status:  # as it is known already
        return
    context, done = runtime.context, status == "done"
    evidence = {"key": effect.key, "receipt": dict(receipt or {})} if done else {}
    observe(runtime, effect.run_id, [NewObservation("execute", "effect", f"{effect.step + 1}. {sentence}", evidence)])
    error, at = "" if done else sentence, context.clock()
    try:
        context.ledger.mark_effect(effect.key, status, None if receipt is None else dict(receipt), error or None, at=at)
    except Refused:
        if status != "failed":  # nothing was done
            context.ledger.late(effect.key, receipt if done else None, error, at)
        raise
    commit(runtime, effect.run_id)


@dataclass(frozen=True)
class Kept:
    """What the records show of the promises of a step; true where every one is seen to be kept."""

    #: sentences: "oms.orders O-17 status: promised 'cancelled', found 'ready'"
    broken: list[str] = field(default_factory=list)
    #: sentences: what could not be read, and why
    unread: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.broken and not self.unread


def look(effect: Effect, context: MissionContext, patience: Sequence[float] = ()) -> Kept:
    """Read the records that a step was to change, and no others, and compare each field with what was promised."""
    before: dict[_Name, Record] = {}
    schema = context.catalogue.record_schema
    for fact in context.ledger.history(effect.run_id).facts:
        tool = schema.tools.get(fact.tool)
        if tool is not None and fact.status == "ok" and fact.value is not None:
            records = [fact.value] if tool.one else fact.value
            before |= {(tool.collection, _key(schema, tool.collection, record)): record for record in records}
    reads = [(change, *_read_of(change, before, effect, context)) for change in effect.expects or ()]
    unknown = [f"{change['system']} {change['record']} is in nothing that was read" for change, _, call in reads if call is None]
    if unknown:
        return Kept(unread=unknown)
    kept = Kept()
    for seconds in (0.0, *patience):
        time.sleep(seconds)
        kept = _compared(effect, [(change, name, call) for change, name, call in reads if call is not None], before, context)
        if kept:
            break
    return kept


def _read_of(
    change: _Change, before: Mapping[_Name, Record], effect: Effect, context: MissionContext
) -> tuple[_Name, Call | None]:
    """The record of a change, and the read that shows it; None where nothing that was read is this record.

    Of the system's records with this key, it is the one in a collection that the action changes. It is read by its key where
    there is one, and by nothing that the step changes.
    """
    action, schema = context.catalogue.get(effect.action), context.catalogue.record_schema
    label = str(change["field"])
    changed = [path.collection for path, _ in action.effect if path.sets(label)] if action else list(schema.collections)
    same = ((collection, str(change["record"])) for collection in dict.fromkeys(changed))
    name = next((name for name in same if name in before and name[0].split(".")[0] == change["system"]), None)
    if name is None:
        return ("", ""), None
    collection, record = name[0], before[name]
    touched = {str(one["field"]).partition("/")[0] for one in effect.expects or ()}
    fitting = [
        (tool_name, tool)
        for tool_name, tool in schema.tools.items()
        if tool.collection == collection
        and all(record.get(by) is not None and by not in touched for by in tool.by.values())
        and (not tool.one or set(tool.by.values()) == set(schema.collections[collection].key))
    ]
    if not fitting:
        return name, None
    chosen, tool = min(fitting, key=lambda one: (not one[1].one, not one[1].by))
    return name, Call(chosen, {arg: [record[by]] if arg != by else record[by] for arg, by in tool.by.items()})


def _compared(
    effect: Effect, reads: Sequence[tuple[_Change, _Name, Call]], before: Mapping[_Name, Record], context: MissionContext
) -> Kept:
    kept, now, schema = Kept(), dict[_Name, Record](), context.catalogue.record_schema
    calls = {name: call for _, name, call in reads}
    try:
        results = context.reader.read_all(list(calls.values()))
    except Refused as refusal:
        return Kept(unread=[str(refusal)])
    for name, result in zip(calls, results, strict=True):
        if result.status == "failed":
            kept.unread.append(result.error or f"{result.call.tool} could not be read")
            continue
        records = result.value if isinstance(result.value, list) else [result.value] if result.value else []
        now[name] = next((one for one in records if _key(schema, name[0], one) == name[1]), {})
    for change, name, _ in reads:
        if name in now:
            kept.broken.extend(_broken(name, change, before[name], now[name], effect, context))
    return kept


def _broken(name: _Name, change: _Change, before: Record, now: Record, effect: Effect, context: MissionContext) -> Iterator[str]:
    label, promised, schema = str(change["field"]), change["after"], context.catalogue.record_schema
    if schema.part_key(name[0], label) and isinstance(promised, Mapping):
        new = schema.added(name[0], before, now, label)
        fitting = [one for one in new if schema.is_like(name[0], one, label, promised)]
        # steps of the same plan that were done may have added the same already
        plan = context.ledger.history(effect.run_id).effects_of(effect.proposal_id)
        done = [one for one in plan if one.step < effect.step and one.status == "done"]
        already = sum(canonical(dict(change)) == canonical(dict(other)) for one in done for other in one.expects or ())
        if len(fitting) < 1 + already:
            shown = _short(label, new) if new else "nothing new"
            yield f"{' '.join(name)} {label}: promised {_short(label, promised)} to be added, found {shown}"
        return
    value = schema.found(name[0], now, label)
    if canonical(value) != canonical(promised):
        yield f"{' '.join(name)} {label}: promised {_short(label, promised)}, found {_short(label, value)}"


def _key(schema: RecordSchema, collection: str, record: Mapping[str, Any]) -> str:
    return "/".join(map(str, schema.key_of(collection, record)))


def _short(label: str, value: Any) -> str:
    return f"{value!r:.300}" if isinstance(value, str) else in_words(label, value)
