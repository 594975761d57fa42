"""The one more read that a pack may allow a model: it names it, and the engine asks with the arguments of the pack."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from ledger.records import NewObservation, ObservationKind
from nodes.pack import ExtraRead
from nodes.reasoning.allowing import allowed
from nodes.state import Task
from systems.calls import Call
from systems.conditions import Unknown

#: bytes of what was read, on the rail
MOST_BYTES = 4_000


def may_read(task: Task) -> dict[str, Call]:
    """What a model may ask for: in a look once, and what the arguments are known of."""
    model = task.case.pack.model
    if model is None or task.reader is None or any("read" in one.evidence for one in task.rail):
        return {}
    calls = {name: Call(read.tool, args) for name, read in model.may_read.items() if (args := _args(task, read))}
    return {name: call for name, call in calls.items() if None not in call.args.values() and [] not in call.args.values()}


def read_more(task: Task, name: str) -> Task:
    """The task with what was read on its rail, where a reason can cite it. The findings stay as they are."""
    assert task.case.pack.model and task.reader and task.ledger, "what may be read depends on them"
    call, read = may_read(task)[name], task.case.pack.model.may_read[name]
    (result,) = task.reader.read_all([call])
    value = _fitting(allowed(result.value, read.sees))
    found = {"ok": "read", "absent": "no record", "failed": "could not be read"}[result.status]
    kind: ObservationKind = "missing" if result.status == "failed" else "read"
    evidence = {"tool": call.tool, "read": name, "value": value}
    said = NewObservation("propose", kind, f"A model asked for {name}, {call.tool}: {found}", evidence)
    return replace(task, rail=[*task.rail, *task.ledger.observe(task.run_id, [said])])


def _args(task: Task, read: ExtraRead) -> Mapping[str, Any] | None:
    try:
        return {key: task.case.value(raw) for key, raw in read.args.items()}
    except Unknown:
        return None


def _fitting(value: Any) -> Any:
    while isinstance(value, list) and len(value) > 1 and len(orjson.dumps(value)) > MOST_BYTES:
        value = value[: len(value) // 2]
    return value if len(orjson.dumps(value)) <= MOST_BYTES else None
