"""What differs in the systems now from what a proposal stood on, field by field, and whether it matters.

The same for the reviewer who asks before deciding, and for the executor before the first effect.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, Literal

from errors import Stuck
from ledger.invariants import stored_facts
from ledger.records import APPROVER, DAY, MODELS, NOBODY, SOURCE, Approval, Fact, Proposal, RunHistory
from nodes.authorship import FindPerson, covers, editors_of, evidence_digest, handed_over_to, not_of_its_author, plan_digest, same
from nodes.check import Judgement, judge
from nodes.gather import read_facts
from nodes.pack import Pack
from nodes.state import CaseContext
from nodes.undo import half_done, to_take_back
from systems.schema import RecordSchema

#: of a fact that is another record altogether
_WHOLE = ""


@dataclass(frozen=True)
class Difference:
    """One value that is another one now. `path` is empty of a record that appeared or is gone, or could not be read."""

    tool: str
    #: what identifies the record, such as "O-17" or "HP-1, DC-2"; empty where nothing does
    record: str
    path: str
    before: Any
    after: Any
    #: when it could not be read; the value of that time is the reason why
    unread: Literal["", "then", "now"] = ""


@dataclass(frozen=True)
class Drift:
    """What differs, and why that matters; no reasons say that the proposal holds as it stands."""

    differences: tuple[Difference, ...] = ()
    #: sentences: findings that come out otherwise, what the check now objects to, another approval
    reasons: tuple[str, ...] = ()
    #: what the records say after each step, as the changes of a proposal; also where that is nothing new
    promises: tuple[Mapping[str, Any], ...] = ()
    #: what the proposal says of itself and was not so when it was made either; each is a reason too
    untrue: tuple[str, ...] = ()
    #: what the plan takes now, as policy, plan and catalogue have it
    approval: Approval = NOBODY


def drift(
    context: CaseContext, history: RunHistory, proposal: Proposal, person: FindPerson, left_out: Collection[int] = ()
) -> Drift:
    """Read everything again, judge the plan on that, and compare. `left_out` are steps of it, from 0, that will not be done.

    Raises Stuck where the pack reads other things than it did for this run.
    """
    run, before = history.run, history.facts
    now = stored_facts(read_facts(context.pack(run.event), run.event, context.reader, context.clock))
    if not _same_reads(context.pack(run.event), before, now):
        raise Stuck(f"run {run.run_id} was started with another pack than is loaded now; restart the run, or close it")
    schema = context.catalogue.record_schema
    differences = tuple(one for old, new in _pairs(before, now) for one in _differences(schema, old, new))
    values = context.values(run.event)
    case = context.case(run, now)
    then = context.case(run, before) if differences else case
    steps = [step for step in range(len(proposal.plan)) if step not in left_out]
    if proposal.plan and not steps:
        return Drift(reasons=("the approvals leave out every step",))
    draft = {"verdict": proposal.verdict, "plan": [proposal.plan[step] for step in steps], "cites": []}
    # where no plan of a model passes, the Mission hands the case over in its place; a person's part of a plan is that person's
    nobody = proposal.approval.role == NOBODY.role
    given_up = nobody and handed_over_to(proposal.verdict, proposal.plan, case) == case.pack.missing.escalate
    if proposal.author in MODELS and not (proposal.undoes or given_up or left_out):
        draft["by"] = "model"
    back, left = to_take_back(history, proposal.undoes), half_done(history, proposal.author)
    editors = editors_of(history, proposal.plan, proposal.revision, person)
    judgement = judge(case, draft, {}, context.catalogue, values, back, unfinished=bool(left), editors=editors)
    needed = judgement.approval
    untrue = list[str]()
    digest = plan_digest(
        proposal.verdict, proposal.plan, evidence_digest(before), context.policies.period(run.event.as_of).digest
    )
    if digest != proposal.digest:
        untrue.append("its digest is not that of its plan and its evidence")
    if proposal.undoes and not any(one.status == "failed" for one in history.effects_of(proposal.undoes)):
        untrue.append(f"it takes back the steps of {proposal.undoes}, of which none has failed")
    if not judgement.objections:
        untrue += _misshown(proposal, judgement, steps, whole=not differences and not left_out)
    reasons = [*(_other_findings(then.findings, case.findings) if differences else ()), *judgement.objections]
    if differences and not left_out and not judgement.objections:
        reasons += _otherwise_now(proposal, judgement)
    # what is left of a plan may take a lesser approval; what adds up over runs is counted where the effects are written
    as_approved = covers(proposal.approval, needed)
    if differences and not left:
        as_approved = replace(needed, limits=()) == replace(proposal.approval, limits=())
    if not judgement.objections and not as_approved:
        reasons.append("the plan needs another approval now")
    if proposal.status != "automatic":
        untrue += not_of_its_author(proposal, then, history.decisions, context.catalogue)
    elif not judgement.objections:  # what nobody looks at follows from the world as it is now
        reasons += not_of_its_author(proposal, case, history.decisions, context.catalogue)
    if proposal.status == "automatic" and not differences:
        untrue += reasons  # on the same evidence nothing else can have come out
    # said of the places of the steps in the whole plan
    promises = tuple({**one, "step": steps[one["step"] - 1] + 1} for one in judgement.promises)
    limits = (replace(one, adds=tuple((steps[step], cents) for step, cents in one.adds)) for one in needed.limits)
    needed = replace(needed, limits=tuple(limits))
    return Drift(differences, tuple(dict.fromkeys([*untrue, *reasons])), promises, tuple(untrue), needed)


def _misshown(proposal: Proposal, judgement: Judgement, steps: Sequence[int], *, whole: bool) -> Iterator[str]:
    """What the proposal shows of its plan and is not so. `steps` are the places of those that were judged.

    `whole` where all steps were judged on the evidence of the proposal: then its changes, its money and what would take
    its steps back are what was worked out too.
    """
    fields = ("says", "tool", "tier", "undo") if whole else ("says", "tool", "tier")
    for place, worked_out in zip(steps, judgement.plan, strict=True):
        shown = proposal.plan[place]
        wrong = [name for name in fields if not same(shown.get(name), worked_out[name])]
        if wrong:
            yield f"step {place + 1} is shown with another {' and '.join(wrong)} than it has"
    if whole and not same(proposal.changes, judgement.changes):
        yield "it shows other changes than it makes"
    if whole and proposal.money_at_stake_cents != judgement.money_at_stake_cents:
        yield "it shows another amount at stake than there is"
    if whole and proposal.approval.limits != judgement.approval.limits:
        yield "it shows other limits than those that it adds to"


def _otherwise_now(proposal: Proposal, judgement: Judgement) -> Iterator[str]:
    """What was shown of a plan and would be otherwise in the world as it is now."""
    if proposal.money_at_stake_cents != judgement.money_at_stake_cents:
        yield "another amount is at stake now"
    if _receivers(proposal.approval) != _receivers(judgement.approval):
        yield "its money would go to somebody else now"
    where = itemgetter("step", "system", "record", "field")
    if list(map(where, proposal.changes)) != list(map(where, judgement.changes)):
        yield "it would change other records now"
    if any(not same(shown.get("undo"), now["undo"]) for shown, now in zip(proposal.plan, judgement.plan, strict=True)):
        yield "what would take its steps back is another now"


def _receivers(approval: Approval) -> set[tuple[str, str]]:
    """Who receives what a plan gives, as far as it is counted: ("customer", "C-1")."""
    return {(one.per, one.key) for one in approval.limits if one.per not in (APPROVER, SOURCE, DAY)}


def _other_findings(then: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    said, says = ([one["says"] or "; ".join(one["lacking"]) for one in findings] for findings in (then, now))
    gone, new = Counter(said) - Counter(says), Counter(says) - Counter(said)
    if gone or new:
        return [*(f"no longer so: {one}" for one in gone), *(f"now: {one}" for one in new)]
    if said != says:
        return ["the findings come in another order"]
    about = [one["says"] for one, old in zip(now, then, strict=True) if one["about"] != old["about"]]
    return [f"still so, of a record that has changed: {one}" for one in dict.fromkeys(about)]


def _same_reads(pack: Pack, before: Sequence[Fact], now: Sequence[Fact]) -> bool:
    """Whether both are of the same reads; of one that is made for each element of a list there may be more, or none, now."""
    names = [[fact.read for fact in facts if not pack.reads[fact.read].each] for facts in (before, now) if _are_of(pack, facts)]
    return len(names) == 2 and names[0] == names[1]


def _are_of(pack: Pack, facts: Sequence[Fact]) -> bool:
    return all(fact.read in pack.reads for fact in facts)


def _pairs(before: Sequence[Fact], now: Sequence[Fact]) -> Iterator[tuple[Fact, Fact]]:
    """Facts of the same name; what there is on one side only beside one that is absent."""
    old, new = ({fact.name: fact for fact in facts} for facts in (before, now))
    for name in dict.fromkeys([*old, *new]):
        known = old.get(name) or new[name]
        nothing = replace(known, status="absent", value=None, error=None)
        yield old.get(name, nothing), new.get(name, nothing)


def _differences(schema: RecordSchema, old: Fact, new: Fact) -> Iterator[Difference]:
    if (old.status, old.value) == (new.status, new.value):
        return
    if old.status != new.status or type(old.value) is not type(new.value):
        unread: Literal["", "then", "now"] = "now" if new.status == "failed" else "then" if old.status == "failed" else ""
        asked = ", ".join(str(value) for value in new.args.values() if isinstance(value, str))
        before, after = (fact.error if fact.status == "failed" else fact.value for fact in (old, new))
        yield Difference(new.tool, asked, _WHOLE, before, after, unread)
    elif isinstance(new.value, list):
        yield from _between_lists(schema, new.tool, old.value, new.value)
    else:
        yield from _between(schema, new.tool, _key(schema, new.tool, new.value), "", old.value, new.value)


def _between_lists(schema: RecordSchema, tool: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    before, after = ({_key(schema, tool, one): one for one in records} for records in (old, new))
    if len(before) < len(old) or len(after) < len(new):  # records that nothing tells apart
        yield Difference(tool, "", _WHOLE, old, new)
        return
    for key in dict.fromkeys([*before, *after]):
        if key in before and key in after:
            yield from _between(schema, tool, key, "", before[key], after[key])
        else:
            yield Difference(tool, key, _WHOLE, before.get(key), after.get(key))
    yield from _order(tool, "", "order", before, after)


def _between(schema: RecordSchema, tool: str, record: str, path: str, old: Any, new: Any) -> Iterator[Difference]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for field in dict.fromkeys([*old, *new]):
            yield from _between(schema, tool, record, f"{path}/{field}" if path else field, old.get(field), new.get(field))
        return
    before, after = _parts(schema, tool, path, old), _parts(schema, tool, path, new)
    if before is None or after is None:
        yield Difference(tool, record, path, old, new)
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _between(schema, tool, record, f"{path}/{key}", before.get(key), after.get(key))
    yield from _order(tool, record, path, before, after)


def _order(tool: str, record: str, path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    if list(before) != list(after) and set(before) == set(after):
        yield Difference(tool, record, path, list(before), list(after))


def _parts(schema: RecordSchema, tool: str, path: str, value: Any) -> dict[str, Any] | None:
    """The parts of a list in a record by their key; None for what is no such list, or where two share a key."""
    by = schema.part_key(schema.tools[tool].collection, path.rsplit("/", 1)[-1]) if tool in schema.tools else ""
    if not by or not isinstance(value, list) or not all(isinstance(one, dict) and by in one for one in value):
        return None
    parts = {str(one[by]): one for one in value}
    return parts if len(parts) == len(value) else None


def _key(schema: RecordSchema, tool: str, record: Any) -> str:
    if tool not in schema.tools or not isinstance(record, Mapping):
        return ""
    return ", ".join(map(str, schema.key_of(schema.tools[tool].collection, record)))
