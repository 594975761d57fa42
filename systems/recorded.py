"""Systems that are not written to: a recorded exception answers reads, or real systems do; writes are simulated.

A write changes a copy of what is at hand, by its effect in the action catalogue, and every later read sees it: so a plan goes
to its end, with its second reads, and nothing is sent. What is not recorded is refused or cannot be read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from errors import BadInput, Refused, SendBack
from systems.calls import Call, Reader, ReadResult, Receipt
from systems.catalogue import Action, Catalogue
from systems.conditions import Unknown
from systems.records import Records
from systems.schema import ANSWERS, ReadTool, Record, RecordSchema


class _SimulatedWrites(ABC):
    """A Writer that does each write once per idempotency key, by its effect in the catalogue, and sends nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue, self._schema = catalogue, catalogue.record_schema
        self._receipts: dict[str, tuple[Call, Receipt]] = {}
        #: what was done, in order, with its arguments
        self._done: list[tuple[Action, Mapping[str, Any]]] = []

    @abstractmethod
    def _world(self) -> Records:
        """The records that are changed."""

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return True

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer: Refused where the system would refuse it."""
        if key in self._receipts:
            first, receipt = self._receipts[key]
            if first != call:
                raise Refused(f"{call.tool} was given a key that was used for another call")
            return replace(receipt, replayed=True)
        action = self._catalogue.get(call.action or call.name)
        if action is None or action.tool != call.tool:
            raise Refused(f"{call.tool} is not an action of the catalogue")
        try:
            action.validate(call.args)
        except SendBack as error:
            raise Refused(str(error)) from error
        world = self._world()
        seen = action.seen(world, call.args)
        if unmet := action.unmet_need(seen):
            raise Refused(f"{call.tool}: {unmet}")
        changed = [change.plain() for change in action.apply(world, seen) if change.before != change.after]
        self._done.append((action, call.args))
        said = {"receipt_id": f"simulated-{len(self._done)}", "changed": changed}
        receipt = Receipt(call.tool, key, said, replayed=False, simulated=True)
        self._receipts[key] = (call, receipt)
        return receipt


class RecordedSystems(_SimulatedWrites):
    """A Reader and a Writer over the `systems` of one recorded exception. Raises BadInput when they are malformed."""

    def __init__(self, systems: Mapping[str, Any], catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        super().__init__(catalogue)
        self._collections = dict(_collections(systems, self._schema))
        #: (tool, what it answered), of READ tools whose answers are no records
        self._answers = [
            (f"{system}.{one['tool']}", one) for system, said in systems.items() for one in (said or {}).get(ANSWERS, ())
        ]
        self._down = {name for name in self._schema.systems if systems.get(name) is None}
        self._clock = clock
        self._changed: Records | None = None

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Answer from the record, in the order of the calls. Raises Refused for a tool that is not a known READ."""
        for call in calls:
            if call.tool not in self._schema.tools and call.tool not in self._schema.others:
                raise Refused(f"{call.tool} is not a READ tool of the recorded systems")
        return [self._read(call) for call in calls]

    def _read(self, call: Call) -> ReadResult:
        if call.system in self._down:
            return ReadResult(call, "failed", None, self._clock(), f"{call.system} could not be reached")
        tool = self._schema.tools.get(call.tool)
        if tool is None:
            return self._answered(call)
        if tool.by.keys() != call.args.keys():
            return ReadResult(call, "failed", None, self._clock(), f"{call.tool} takes {', '.join(tool.by)}")
        rows = self._changed.all(tool.collection) if self._changed else self._collections.get(tool.collection, ())
        found = [record for record in rows if tool.selects(record, call.args)]
        if not tool.one:
            return ReadResult(call, "ok", found, self._clock())
        return ReadResult(call, "ok" if found else "absent", found[-1] if found else None, self._clock())

    def _answered(self, call: Call) -> ReadResult:
        for tool, said in self._answers:
            if tool == call.tool and said["args"] == dict(call.args):
                return ReadResult(call, "absent" if said["answer"] is None else "ok", said["answer"], self._clock())
        return ReadResult(call, "failed", None, self._clock(), f"no answer of {call.tool} to these arguments was recorded")

    def _world(self) -> Records:
        if self._changed is None:
            self._changed = Records(self._schema)
            for collection, records in self._collections.items():
                self._changed.add(collection, records)
        return self._changed


def _collections(systems: Mapping[str, Any], schema: RecordSchema) -> list[tuple[str, list[Record]]]:
    if not isinstance(systems, dict):
        raise BadInput("systems must be an object of systems")
    found = []
    for system, collections in systems.items():
        if system not in schema.systems:
            raise BadInput(f"systems.{system} is unknown; known are {', '.join(schema.systems)}")
        if not isinstance(collections, dict | None):
            raise BadInput(f"systems.{system} must be an object of collections, or null for a system that is down")
        for name, records in (collections or {}).items():
            collection = f"{system}.{name}"
            if name == ANSWERS:
                _require_answers(records, system, schema)
            if collection not in schema.collections:
                continue  # no tool reads it: it means nothing
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise BadInput(f"systems.{collection} must be a list of records")
            for missing in (field for record in records for field in schema.collections[collection].key if field not in record):
                raise BadInput(f"a record of systems.{collection} has no {missing}")
            found.append((collection, records))
    return found


def _require_answers(answers: Any, system: str, schema: RecordSchema) -> None:
    for one in answers if isinstance(answers, list) else [answers]:
        if not (isinstance(one, dict) and one.keys() == {"tool", "args", "answer"} and isinstance(one["args"], dict)):
            raise BadInput(f"systems.{system}.{ANSWERS} must be a list of objects with tool, args and answer")
        if f"{system}.{one['tool']}" not in schema.others:
            raise BadInput(f"systems.{system}.{ANSWERS} names {str(one['tool'])[:60]!r}, which is no READ tool without records")


class SimulatedSystems(_SimulatedWrites):
    """A Reader over a Reader, and a Writer that simulates; for one run, on one thread."""

    def __init__(self, reads: Reader, catalogue: Catalogue) -> None:
        super().__init__(catalogue)
        self._reads = reads
        #: collection -> key -> the record as it was read last
        self._read: dict[str, dict[tuple[Any, ...], Record]] = {}

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader: what the systems say, with what was simulated on top of it."""
        results = [(result, self._tool_of(result)) for result in self._reads.read_all(calls)]
        for result, tool in results:
            if tool is not None:
                rows = self._read.setdefault(tool.collection, {})
                for key in [key for key, record in rows.items() if tool.selects(record, result.call.args)]:
                    del rows[key]
                for record in _records(result, tool):
                    rows[self._schema.key_of(tool.collection, record)] = self._schema.completed(tool.collection, record)
        world = self._world() if self._done else None
        return [result if tool is None or world is None else self._on_top(result, tool, world) for result, tool in results]

    def _world(self) -> Records:
        """What was read last, with everything that was simulated done to it once more.

        What the systems have changed meanwhile so that it cannot be done any more, as where it was done for real, stays theirs.
        """
        world = Records(self._schema)
        for collection, rows in self._read.items():
            world.add(collection, rows.values())
        for action, args in self._done:
            with suppress(Refused, Unknown):
                seen = action.seen(world, args)
                if action.unmet_need(seen) is None:
                    action.apply(world, seen)
        return world

    def _tool_of(self, result: ReadResult) -> ReadTool | None:
        """The tool whose answer this is; None where it failed, or nobody knows what it answers."""
        tool = self._schema.tools.get(result.call.tool)
        return None if tool is None or result.status == "failed" or tool.by.keys() != result.call.args.keys() else tool

    def _on_top(self, result: ReadResult, tool: ReadTool, world: Records) -> ReadResult:
        """The result with what was simulated."""
        args, now = (
            result.call.args,
            {self._schema.key_of(tool.collection, record): record for record in world.all(tool.collection)},
        )
        # of those that share a key, the last is the one that is written to
        last = {self._schema.key_of(tool.collection, record): record for record in _records(result, tool)}
        found = []
        # in the order in which the system answered; what fits by now comes after
        for record in _records(result, tool):
            key = self._schema.key_of(tool.collection, record)
            if last[key] is not record:
                found.append(record)
            elif tool.selects(now.get(key, record), args) or not tool.selects(record, args):  # returned though it never fitted
                found.append(now.get(key, record))
        found += [record for key, record in now.items() if key not in last and tool.selects(record, args)]
        if not tool.one:
            return replace(result, value=found)
        return replace(result, status="ok" if found else "absent", value=found[0] if found else None)


def _records(result: ReadResult, tool: ReadTool) -> list[Record]:
    return [] if result.status != "ok" else [result.value] if tool.one else list(result.value)
