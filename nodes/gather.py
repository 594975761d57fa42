"""gather: read what the pack names, side by side, through MCP.

A read whose arguments come from another read waits for it. A failed read becomes an observation and missing evidence,
never a guess.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime

from ledger.canonical import canonical, storable
from ledger.records import Event, Fact, NewObservation
from nodes.case import iso
from nodes.functions import PLAIN_FUNCTIONS
from nodes.pack import GIVEN, Pack, Read, computed
from nodes.state import MissionContext, MissionState, observe
from nodes.understanding import reading_for
from nodes.undo import left_to_undo
from rendering import in_words, words
from systems.calls import Call, Reader, ReadResult
from systems.conditions import Scope, Unknown

Clock = Callable[[], datetime]
#: characters of what a model read an event in
_LONGEST = 4_000
#: ids of a question that are named
_MOST_NAMED = 3
#: elements for which one read is made
MOST_OF_EACH = 100


def gather(state: MissionState, runtime: Runtime[MissionContext]) -> MissionState:
    """Read every fact that the pack names and keep them in the ledger."""
    context, run_id = runtime.context, state["run_id"]
    history = context.ledger.history(run_id)
    run = history.run
    pack, look = context.pack(run.event), state.get("look", 0) + 1
    with reading_for(context.ledger, run_id, look, may_ask=pack.shows_messages):
        facts = context.ledger.record_facts(run_id, read_facts(pack, run.event, context.reader, context.clock))
    said = f"{words(run.event.name)} for {', '.join(dict.fromkeys((run.event.subject, run.event.source_id)))}"
    if "read_by" in run.event.trigger:
        said += _read_by_model(run.event.trigger)
    observe(runtime, run_id, [NewObservation("gather", "event", said), *(_observation(fact) for fact in facts)])
    decided = state.get("decision")
    kept = decided if decided and decided["kind"] in ("edit", "escalate") else None  # it has yet to be proposed
    looked: MissionState = {"look": look, "tries": 0, "objections": [], "draft": None, "decision": kept, "proposal_id": None}
    # of a run that was started again
    return looked if look > 1 else {**looked, "undoing": left_to_undo(history)}


def read_facts(pack: Pack, event: Event, reader: Reader, clock: Clock) -> list[Fact]:
    """The facts of a case, in the order of the pack; reads that need nothing of one another go side by side."""
    known: dict[str, Any] = {"trigger": dict(event.trigger), "as_of": iso(event.as_of), "subject": event.subject}
    scope, evaluated = Scope(known, PLAIN_FUNCTIONS), dict[str, Any]()
    facts: dict[str, list[Fact]] = {}
    while len(facts) < len(pack.reads):  # ends: a read uses only reads that stand above it
        asked = {
            name: list(_asked(pack, name, scope, evaluated, clock))
            for name in pack.reads
            if name not in facts and pack.read_needs[name] <= facts.keys() | GIVEN
        }
        answers = iter(reader.read_all([one for every in asked.values() for one in every if isinstance(one, Call)]))
        for name, every in asked.items():
            found = [_answered(name, next(answers)) if isinstance(one, Call) else one for one in every]
            each = bool(pack.reads[name].each)
            numbered = each and not (len(found) == 1 and found[0].status == "failed" and not found[0].args)
            facts[name] = [replace(one, name=f"{name}[{place}]") for place, one in enumerate(found)] if numbered else found
            values = [_stands(one, pack.reads[name].if_absent) for one in found]
            if None not in values:
                scope.define(name, values if each else values[0])
    return [fact for name in pack.reads for fact in facts[name]]


def _stands(fact: Fact, if_absent: Any) -> Any:
    """The value that other reads, and the case, have for a fact; None where there is none."""
    return fact.value if fact.status == "ok" else if_absent if fact.status == "absent" else None


def _answered(name: str, result: ReadResult) -> Fact:
    call = result.call
    return Fact(
        name=name, tool=call.tool, args=call.args, status=result.status, value=result.value,
        read_at=result.read_at, error=result.error,
    )  # fmt: skip


def _asked(pack: Pack, name: str, scope: Scope, evaluated: dict[str, Any], clock: Clock) -> Iterator[Call | Fact]:
    """What is to be asked of a system; or the fact at once, where there is nothing to ask or it is not known what."""
    read = pack.reads[name]
    fact = Fact(name=name, tool=read.tool, args={}, status="failed", value=None, read_at=clock())
    lacking = sorted(pack.read_needs[name] - scope.names.keys())
    if lacking:
        yield replace(fact, error=f"{read.tool} was not called, because there is no {lacking[0]}")
        return
    try:
        if read.each:
            bounds = [{bound: one} for bound, source in read.each.items() for one in pack.expressions[source].evaluate(scope)]
            if len(bounds) > MOST_OF_EACH:
                yield replace(fact, error=f"{read.tool} was not called {len(bounds)} times; at most {MOST_OF_EACH} can be")
                return
            every = [_arguments(pack, read, scope, bound) for bound in bounds]
            # what several elements ask for is one record: whoever adds up the answers must not count it twice
            asked = list({canonical(args): args for args in every}.values())
        else:
            for raw in read.args.values():
                if computed(raw) and raw not in evaluated:
                    evaluated[raw] = pack.expressions[raw].evaluate(scope)
            asked = [{key: evaluated[raw] if computed(raw) else raw for key, raw in read.args.items()}]
    except (Unknown, TypeError) as error:
        what = error.expression.source if isinstance(error, Unknown) else next(iter(read.each.values()))
        yield replace(fact, error=f"{read.tool} was not asked, for «{what}» is not known")
        return
    for args in asked:
        unknown_of = next((key for key, value in args.items() if value is None), None)
        if unknown_of is not None:
            yield replace(fact, args=args, status="absent", error=f"{read.tool} was not asked, for {unknown_of} is not known")
        elif any(value == [] for value in args.values()):
            yield replace(fact, args=args, status="ok", value=[])
        else:
            yield Call(read.tool, args)


def _arguments(pack: Pack, read: Read, scope: Scope, bound: Mapping[str, Any]) -> dict[str, Any]:
    with scope.binding(bound):
        return {key: pack.expressions[raw].evaluate(scope) if computed(raw) else raw for key, raw in read.args.items()}


def _read_by_model(trigger: Mapping[str, Any]) -> str:
    """Where a model read what an event says in a text: the words that each value was read from."""
    words = trigger.get("read_from")
    told = "; ".join(f"{name} from “{quote}”" for name, quote in words.items()) if isinstance(words, dict) else ""
    return f", read by a model ({trigger['read_by']}) in a text: {told}"[:_LONGEST]


def _observation(fact: Fact) -> NewObservation:
    asked = ", ".join(f"{words(name)} {_briefly(name, value)}" for name, value in fact.args.items())
    if fact.status == "failed":
        return NewObservation("gather", "missing", fact.error or f"{fact.tool} could not be read", {"tool": fact.tool})
    if isinstance(fact.value, dict) and "read_by" in fact.value:
        by, intent, said = (fact.value[name] for name in ("read_by", "intent", "said"))
        evidence = {"tool": fact.tool, "fact": fact.name, "model": by}
        return NewObservation("gather", "read", f"A model ({by}) read the text as {intent}: “{said}”", evidence)
    number = len(fact.value) if isinstance(fact.value, list) else 1
    found = "no record" if fact.status == "absent" else f"{number} record{'s' * (number != 1)}"
    said = f"{words(fact.tool)}{f', {asked}' if asked else ''}: {found}"
    return NewObservation("gather", "read", said, {"tool": fact.tool, "fact": fact.name})


def _briefly(name: str, value: Any) -> str:
    """What was asked for, in words; of many ids how many."""
    return f"({len(value)} of them)" if isinstance(value, list) and len(value) > _MOST_NAMED else in_words(name, value)[:80]


class AsThen:
    """A Reader that answers what was read before as the systems answered then, and has `reader` read everything else.

    Without one, what was not read then has failed. Values come as the ledger keeps them, without what PostgreSQL cannot hold.
    """

    def __init__(self, facts: Iterable[Fact], reader: Reader | None = None) -> None:
        self._then = {(fact.tool, canonical(fact.args)): fact for fact in facts}
        self._reader = reader

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        known = [self._then.get((call.tool, canonical(call.args))) for call in calls]
        fresh = iter(self._read([call for call, fact in zip(calls, known, strict=True) if fact is None]))
        results = [
            ReadResult(call, fact.status, fact.value, fact.read_at, fact.error) if fact else next(fresh)
            for call, fact in zip(calls, known, strict=True)
        ]
        return [replace(one, value=storable(one.value), error=storable(one.error)) for one in results]

    def _read(self, calls: Sequence[Call]) -> Sequence[ReadResult]:
        if self._reader is not None:
            return self._reader.read_all(calls)
        never = datetime.min.replace(tzinfo=UTC)
        return [ReadResult(call, "failed", None, never, f"{call.tool} was not read then") for call in calls]
