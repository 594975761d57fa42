"""Simulated systems: real reads, and writes that only happen here.

A write changes a copy of what was read, by its effect in the action catalogue, and every later read sees it: so a plan goes
to its end, with its second looks, and nothing is sent. What is given is a Reader; there is nothing here that could write.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from errors import Refused
from systems.calls import Call, Reader, ReadResult, Receipt
from systems.catalogue import Catalogue
from systems.conditions import Unknown
from systems.reads import READ_TOOLS, ReadTool
from systems.records import KEYS, Record, Records, completed
from systems.simulation import Simulation


class SimulatedSystems:
    """A Reader over a Reader, and a Writer that simulates; for one run, on one thread."""

    def __init__(self, reads: Reader, catalogue: Catalogue) -> None:
        self._reads, self._simulation = reads, Simulation(catalogue)
        #: collection -> key -> the record as it was read last
        self._read: dict[str, dict[tuple[Any, ...], Record]] = {}

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader: what the systems say, with what was simulated on top of it."""
        results = self._reads.read_all(calls)
        for result in results:
            self._keep(result)
        if not self._simulation.done:
            return results
        world = self._world()
        return [self._on_top(result, world) for result in results]

    def write(self, call: Call, key: str) -> Receipt:
        """See Writer: nothing is sent. Refused where the system would refuse it on what was read."""
        return self._simulation.write(call, key, self._world)

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return True

    def _keep(self, result: ReadResult) -> None:
        tool = READ_TOOLS.get(result.call.tool)
        if tool is None or result.status == "failed" or tool.by.keys() != result.call.args.keys():
            return
        rows = self._read.setdefault(tool.collection, {})
        for key in [key for key, record in rows.items() if tool.selects(record, result.call.args)]:
            del rows[key]
        for record in _records(result, tool):
            rows[_key(tool.collection, record)] = completed(tool.collection, record)

    def _world(self) -> Records:
        """What was read last, with everything that was simulated done to it once more.

        What the systems have changed meanwhile so that it cannot be done any more, as where it was done for real, stays theirs.
        """
        world = Records()
        for collection, rows in self._read.items():
            world.add(collection, rows.values())
        for action, args in self._simulation.done:
            try:
                seen = action.seen(world, args)
                if action.unmet_need(seen) is None:
                    action.apply(world, seen)
            except (Refused, Unknown):
                continue
        return world

    def _on_top(self, result: ReadResult, world: Records) -> ReadResult:
        tool = READ_TOOLS.get(result.call.tool)
        if tool is None or result.status == "failed" or tool.by.keys() != result.call.args.keys():
            return result
        args, now = result.call.args, {_key(tool.collection, record): record for record in world.all(tool.collection)}
        told = {_key(tool.collection, record): place for place, record in enumerate(_records(result, tool))}
        found = []
        # in the order in which the system told them; what fits by now comes after
        for place, record in enumerate(_records(result, tool)):
            key = _key(tool.collection, record)
            if told[key] != place:  # of those that share a key, the last is the one that is written to
                found.append(record)
            elif tool.selects(now.get(key, record), args) or not tool.selects(record, args):  # told though it never fitted
                found.append(now.get(key, record))
        found += [record for key, record in now.items() if key not in told and tool.selects(record, args)]
        if not tool.one:
            return replace(result, value=found)
        return replace(result, status="ok" if found else "absent", value=found[0] if found else None)


def _records(result: ReadResult, tool: ReadTool) -> Sequence[Record]:
    if result.status != "ok":
        return ()
    return [result.value] if tool.one else list(result.value)


def _key(collection: str, record: Record) -> tuple[Any, ...]:
    return tuple([record.get(field) for field in KEYS[collection]])
