"""Recorded systems: they answer reads from a recorded exception, and simulate writes on a copy of it.

Strict about what is not recorded: an unknown tool is refused, a system that is not recorded cannot be read.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from errors import BadInput, Refused
from systems.calls import Call, ReadResult, Receipt
from systems.catalogue import Catalogue
from systems.reads import READ_TOOLS
from systems.records import KEYS, Record, Records
from systems.simulation import Simulation

SYSTEMS = ("oms", "payments", "wms", "crm", "erp", "logistics")


class RecordedSystems:
    """A Reader and a Writer over the `systems` of one recorded exception.

    Raises BadInput when they are malformed: a collection that is no list, a record without its key.
    """

    def __init__(self, systems: Mapping[str, Any], catalogue: Catalogue, clock: Callable[[], datetime]) -> None:
        self._collections = dict(_collections(systems))
        self._down = {name for name in SYSTEMS if systems.get(name) is None}
        self._simulation, self._clock = Simulation(catalogue), clock
        self._world: Records | None = None

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """Answer from the record, in the order of the calls. Raises Refused for a tool that is not a known READ."""
        for call in calls:
            if call.tool not in READ_TOOLS:
                raise Refused(f"{call.tool} is not a READ tool of the recorded systems")
        return [self._read(call) for call in calls]

    def write(self, call: Call, key: str) -> Receipt:
        """Simulate a write: its effect by the action catalogue. The same key again gives the first answer."""
        return self._simulation.write(call, key, self._open_world)

    def honours_keys(self, call: Call) -> bool:
        """See Writer."""
        return True

    def _read(self, call: Call) -> ReadResult:
        if call.system in self._down:
            return ReadResult(call, "failed", None, self._clock(), f"{call.system} could not be reached")
        tool = READ_TOOLS[call.tool]
        missing = tool.by.keys() ^ call.args.keys()
        if missing:
            return ReadResult(call, "failed", None, self._clock(), f"{call.tool} takes {', '.join(tool.by)}")
        rows = self._world.all(tool.collection) if self._world else self._collections.get(tool.collection, ())
        found = [record for record in rows if tool.selects(record, call.args)]
        if not tool.one:
            return ReadResult(call, "ok", found, self._clock())
        return ReadResult(call, "ok" if found else "absent", found[-1] if found else None, self._clock())

    def _open_world(self) -> Records:
        if self._world is None:
            self._world = Records()
            for collection, records in self._collections.items():
                self._world.add(collection, records)
        return self._world


def _collections(systems: Mapping[str, Any]) -> list[tuple[str, list[Record]]]:
    if not isinstance(systems, dict):
        raise BadInput("systems must be an object of systems")
    found = []
    for system, collections in systems.items():
        if system not in SYSTEMS:
            raise BadInput(f"systems.{system} is unknown; known are {', '.join(SYSTEMS)}")
        if collections is None:
            continue
        if not isinstance(collections, dict):
            raise BadInput(f"systems.{system} must be an object of collections, or null for a system that is down")
        for name, records in collections.items():
            collection = f"{system}.{name}"
            if collection not in KEYS:
                continue  # no tool reads it: it means nothing
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise BadInput(f"systems.{collection} must be a list of records")
            for record in records:
                for field in KEYS[collection]:
                    if field not in record:
                        raise BadInput(f"a record of systems.{collection} has no {field}")
            found.append((collection, records))
    return found
