"""Writes that are simulated: their effect by the action catalogue, on records that are at hand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from errors import Refused, SendBack
from systems.calls import Call, Receipt
from systems.catalogue import Action, Catalogue
from systems.records import Records


class Simulation:
    """Does each write once per idempotency key, as a Writer does, and sends nothing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._receipts: dict[str, tuple[Call, Receipt]] = {}
        #: what was done, in order, with its arguments
        self.done: list[tuple[Action, Mapping[str, Any]]] = []

    def write(self, call: Call, key: str, records: Callable[[], Records]) -> Receipt:
        """Do it to the records. The same key again gives the first answer; Refused where the system would refuse it."""
        if key in self._receipts:
            first, receipt = self._receipts[key]
            if first != call:
                raise Refused(f"{call.tool} was given a key that was used for another call")
            return replace(receipt, replayed=True)
        action = self._catalogue.get(call.name)
        if action is None or action.tool != call.tool:
            raise Refused(f"{call.tool} is no action of the catalogue")
        try:
            action.validate(call.args)
        except SendBack as error:
            raise Refused(str(error)) from error
        world = records()
        seen = action.seen(world, call.args)
        if unmet := action.unmet_need(seen):
            raise Refused(f"{call.tool}: {unmet}")
        changed = [change.plain() for change in action.apply(world, seen)]
        self.done.append((action, call.args))
        receipt = Receipt(call.tool, key, {"receipt_id": f"simulated-{len(self.done)}", "changed": changed}, replayed=False)
        self._receipts[key] = (call, receipt)
        return receipt
