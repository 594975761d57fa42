"""Recording: what a live run read becomes a recorded exception, on which the run can be done again.

>>> raw = record(ledger, "r-3f2a", catalogue)
>>> raw["systems"]["oms"]["orders"]

It takes exactly what was read: recorded systems answer every read of the run with the value that the run had. What a text
was understood to ask is worked out again from the trigger.
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from errors import BadInput
from evals.recorded.labels import label_of
from ledger.base import Ledger
from ledger.canonical import canonical, utc_now
from ledger.records import Fact, Proposal, Run
from nodes.case import iso
from nodes.pack import UNDERSTAND
from systems.calls import Call
from systems.catalogue import Catalogue
from systems.recorded import RecordedSystems
from systems.schema import ANSWERS, RecordSchema

#: a record and how many equal ones stand before it in the same answer
Place = tuple[bytes, int]


def record(ledger: Ledger, run_id: str, catalogue: Catalogue) -> dict[str, Any]:
    """The run as a recorded exception: what its last proposal stood on, and what people decided, where they did.

    A proposal that takes back steps is about another world than the exception was, and is passed over. Raises BadInput
    for a run without a proposal, and for one whose reads no recorded systems can answer.
    """
    run = ledger.run(run_id)
    made = [one for one in ledger.proposals(run.run_id) if not one.undoes]
    if not made:
        raise BadInput(f"run {run.run_id} has no proposal yet; record it when it waits, or is closed")
    expected = label_of(made[-1], ledger.decisions(run.run_id), catalogue)
    return {**recorded_run(ledger, run, made[-1], catalogue), **({"expected": expected} if expected else {})}


def recorded_run(ledger: Ledger, run: Run, proposal: Proposal, catalogue: Catalogue) -> dict[str, Any]:
    """The run as a recorded exception without `expected`, with the facts that one of its proposals stood on."""
    event = run.event
    return {
        "case_id": run.run_id,
        "mission": event.mission,
        "as_of": iso(event.as_of),
        "trigger": dict(event.trigger),
        "systems": recorded_systems(facts_behind(ledger, proposal), catalogue),
    }


def facts_behind(ledger: Ledger, proposal: Proposal) -> list[Fact]:
    """The latest fact of each name when the proposal was made."""
    looks = looks_behind(ledger, proposal.run_id).get(proposal.proposal_id)
    if looks is None:
        return ledger.facts(proposal.run_id)
    latest: dict[str, list[Fact]] = {}
    for look in range(1, looks + 1):
        now: dict[str, list[Fact]] = {}
        for fact in ledger.facts(proposal.run_id, look):
            now.setdefault(fact.name.partition("[")[0], []).append(fact)  # one for each element is one read
        for name, facts in now.items():
            latest.pop(name, None)
            latest[name] = facts
    return [fact for facts in latest.values() for fact in facts]


def looks_behind(ledger: Ledger, run_id: str) -> dict[str, int]:
    """How often the run had looked when it made each proposal, by its id; not of those of which the audit log has less."""
    bodies = (one.body for one in ledger.audit(run_id) if one.kind == "proposed")
    return {body["proposal_id"]: len(body["evidence"]) for body in bodies if "evidence" in body}


def recorded_systems(facts: Sequence[Fact], catalogue: Catalogue) -> dict[str, Any]:
    """Systems that answer every read of these facts with exactly the value that the fact has.

    A system that could not be read is null, and so is one of which nothing was asked: what it would have said is not known.
    Raises BadInput where that cannot be: two reads contradict each other, or a system answered some and failed at others.
    """
    schema = catalogue.record_schema
    asked = [fact for fact in facts if fact.tool != UNDERSTAND and _was_asked(schema, fact)]
    systems: dict[str, Any] = dict.fromkeys(schema.systems)
    for system in dict.fromkeys(fact.tool.split(".")[0] for fact in asked):
        mine = [fact for fact in asked if fact.tool.startswith(f"{system}.")]
        answered = any(fact.status != "failed" for fact in mine)
        # an answer that is no record, and did not come, is simply not recorded
        failed = [fact.tool for fact in mine if fact.status == "failed" and fact.tool in schema.tools]
        if failed and answered:
            raise BadInput(
                f"{system} answered some reads and not {', '.join(dict.fromkeys(failed))}: a recorded system answers all "
                "or none; record a run that read it whole"
            )
        if answered:
            systems[system] = _collections(schema, mine)
    _require_same(asked, systems, catalogue)
    return systems


def _was_asked(schema: RecordSchema, fact: Fact) -> bool:
    """Whether a system was called: not where an argument was not known, or there was nothing to ask for."""
    tool = schema.tools.get(fact.tool)
    if tool is None and fact.tool not in schema.others:
        raise BadInput(f"{fact.tool} is not a READ tool of the recorded systems, so its answer cannot be recorded")
    if any(value is None or value == [] for value in fact.args.values()):
        return False
    return tool.by.keys() == fact.args.keys() if tool else bool(fact.args) or fact.status != "failed"


def _collections(schema: RecordSchema, facts: Sequence[Fact]) -> dict[str, list[Any]]:
    asked: dict[str, list[Fact]] = {}
    answers: list[dict[str, Any]] = []
    for fact in facts:
        if fact.tool in schema.tools:
            asked.setdefault(schema.tools[fact.tool].collection, []).append(fact)
        elif fact.status != "failed":
            said = {"tool": fact.tool.partition(".")[2], "args": dict(fact.args), "answer": fact.value}
            answers += [said] if said not in answers else []
    records = {collection.split(".")[1]: _merged(schema, mine) for collection, mine in asked.items()}
    return {**records, ANSWERS: answers} if answers else records


def _merged(schema: RecordSchema, facts: Sequence[Fact]) -> list[Any]:
    """Every record of a collection once, in an order that is that of each answer.

    A read of one record gives the last that fits: others that it would have given too come before.
    """
    records: dict[Place, Any] = {}
    before: dict[Place, set[Place]] = {}
    for fact in facts:
        one = schema.tools[fact.tool].one
        answer = ([] if fact.value is None else [fact.value]) if one else fact.value
        if not isinstance(answer, list):
            raise BadInput(f"{fact.tool} did not answer with a list, as every recorded system does: this cannot be recorded")
        places = list(_places(answer))
        records.update(zip(places, answer, strict=True))
        for number, place in enumerate(places):
            before.setdefault(place, set()).update(places[number - 1 : number] if number else ())
    for fact in facts:
        tool = schema.tools[fact.tool]
        if tool.one and fact.value is not None:
            content = canonical(fact.value)
            last = max(place for place in records if place[0] == content)
            before[last].update(place for place in records if place != last and tool.selects(records[place], fact.args))
    try:
        return [records[place] for place in TopologicalSorter(before).static_order()]
    except CycleError:  # no order is that of each: asked again, they will not answer the same
        return list(records.values())


def _places(answer: Sequence[Any]) -> Iterator[Place]:
    seen: dict[bytes, int] = {}
    for record in answer:
        content = canonical(record)
        yield content, seen.get(content, 0)
        seen[content] = seen.get(content, 0) + 1


def _require_same(facts: Sequence[Fact], systems: Mapping[str, Any], catalogue: Catalogue) -> None:
    """Ask the recorded systems what the run asked."""
    reader = RecordedSystems(systems, catalogue, utc_now)
    answers = reader.read_all([Call(fact.tool, fact.args) for fact in facts])
    for fact, answer in zip(facts, answers, strict=True):
        if (answer.status, answer.value) != (fact.status, fact.value):
            asked = ", ".join(str(value)[:60] for value in fact.args.values())
            raise BadInput(
                f"{fact.tool}({asked}) and another read of the run contradict each other because the data changed between them; "
                "record a run that read it again"
            )
