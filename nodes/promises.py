"""What a step promised, and what the records that it names show of it afterwards."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from errors import Refused
from ledger.canonical import canonical
from ledger.records import Effect, Fact
from nodes.state import MissionContext
from systems.calls import Call
from systems.reads import READ_TOOLS
from systems.records import KEYS, PART_KEYS, Record, added, found, is_like

#: seconds between looks at what does not show it yet: a system may take a moment
PATIENCE = (0.2, 0.8)
#: what names a record: its collection, and its key as in a proposal ("O-17")
_Name = tuple[str, str]
_Change = Mapping[str, Any]


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
    promises, before = effect.expects or (), _known(context.ledger.facts(effect.run_id))
    names = [_name(change, before, effect, context) for change in promises]
    calls = {name: _read_of(name, before, promises) for name in names if name is not None}
    unknown = [
        f"{change['system']} {change['record']} is in nothing that was read"
        for change, name in zip(promises, names, strict=True)
        if name is None or calls[name] is None
    ]
    if unknown:
        return Kept(unread=unknown)
    asked = {name: call for name, call in calls.items() if call is not None}
    kept = Kept()
    for seconds in (0.0, *patience):
        time.sleep(seconds)
        kept = _compared(effect, [name for name in names if name is not None], asked, before, context)
        if kept:
            break
    return kept


def _compared(
    effect: Effect, names: Sequence[_Name], calls: Mapping[_Name, Call], before: Mapping[_Name, Record], context: MissionContext
) -> Kept:
    kept, now = Kept(), dict[_Name, Record]()
    try:
        results = context.reader.read_all(list(calls.values()))
    except Refused as refusal:
        return Kept(unread=[str(refusal)])
    for name, result in zip(calls, results, strict=True):
        if result.status == "failed":
            kept.unread.append(result.error or f"{result.call.tool} could not be read")
            continue
        told = result.value if isinstance(result.value, list) else [result.value] if result.value else []
        now[name] = next((one for one in told if _key(name[0], one) == name[1]), {})
    for name, change in zip(names, effect.expects or (), strict=True):
        if name in now:
            kept.broken.extend(_broken(name, change, before[name], now[name], effect, context))
    return kept


def _broken(name: _Name, change: _Change, before: Record, now: Record, effect: Effect, context: MissionContext) -> Iterator[str]:
    label, promised = str(change["field"]), change["after"]
    if label in PART_KEYS and isinstance(promised, Mapping):
        new = added(before, now, label)
        fitting = [one for one in new if is_like(one, label, promised)]
        if len(fitting) < 1 + _promised_before(effect, change, context):
            shown = _said(new) if new else "nothing new"
            yield f"{' '.join(name)} {label}: promised {_said(promised)} to be added, found {shown}"
        return
    value = found(now, label)
    if canonical(value) != canonical(promised):
        yield f"{' '.join(name)} {label}: promised {_said(promised)}, found {_said(value)}"


def _promised_before(effect: Effect, change: _Change, context: MissionContext) -> int:
    """How often steps of the same plan that were done added the same already."""
    plan = [one for one in context.ledger.effects(effect.run_id) if one.proposal_id == effect.proposal_id]
    done = [one for one in plan if one.step < effect.step and one.status == "done"]
    return sum(canonical(dict(change)) == canonical(dict(other)) for one in done for other in one.expects or ())


def _known(facts: Sequence[Fact]) -> dict[_Name, Record]:
    """Every record that was read, as it was then."""
    records: dict[_Name, Record] = {}
    for fact in facts:
        tool = READ_TOOLS.get(fact.tool)
        if tool is None or fact.status != "ok" or fact.value is None:
            continue
        for record in [fact.value] if tool.one else fact.value:
            records[tool.collection, _key(tool.collection, record)] = record
    return records


def _name(change: _Change, before: Mapping[_Name, Record], effect: Effect, context: MissionContext) -> _Name | None:
    """The record of a change: of the system's records with this key, the one in a collection that the action changes."""
    action = context.catalogue.get(effect.action)
    changed = [path.collection for path, _ in action.effect] if action else list(KEYS)
    same = ((collection, str(change["record"])) for collection in dict.fromkeys(changed))
    return next((name for name in same if name in before and name[0].split(".")[0] == change["system"]), None)


def _read_of(name: _Name, before: Mapping[_Name, Record], promises: Sequence[_Change]) -> Call | None:
    """The read that tells of one record: by its key where there is one, and by nothing that the step changes."""
    collection, record = name[0], before[name]
    touched = {str(change["field"]).partition("/")[0] for change in promises}
    fitting = [
        (tool_name, tool)
        for tool_name, tool in READ_TOOLS.items()
        if tool.collection == collection
        and all(record.get(by) is not None and by not in touched for by in tool.by.values())
        and (not tool.one or set(tool.by.values()) == set(KEYS[collection]))
    ]
    if not fitting:
        return None
    chosen, tool = min(fitting, key=lambda one: (not one[1].one, not one[1].by))
    return Call(chosen, {name: [record[by]] if name != by else record[by] for name, by in tool.by.items()})


def _key(collection: str, record: Mapping[str, Any]) -> str:
    return "/".join(str(record.get(part)) for part in KEYS[collection])


def _said(value: Any) -> str:
    return f"{value!r:.300}"
