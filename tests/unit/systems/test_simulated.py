"""Writes that are simulated on top of reads."""

from collections.abc import Sequence
from typing import Any

import pytest

from errors import Refused
from ledger.canonical import utc_now
from systems.calls import Call, ReadResult
from systems.catalogue import load_catalogue
from systems.recorded import RecordedSystems, SimulatedSystems
from tests.engine import an_order
from tests.ledger_examples import NOW
from tests.reference import SCHEMA

CATALOGUE = load_catalogue()
ORDER = Call("oms.get_order", {"order_id": "O-1"})
CANCEL = Call("oms.cancel_order", {"order_id": "O-1", "reason": "duplicate"})


def over(real: RecordedSystems) -> SimulatedSystems:
    return SimulatedSystems(real, CATALOGUE)


def orders(*found: dict[str, Any]) -> RecordedSystems:
    systems: dict[str, Any] = {name: {} for name in ("payments", "wms", "crm", "erp", "logistics")}
    return RecordedSystems({**systems, "oms": {"orders": list(found)}}, CATALOGUE, utc_now)


def status(systems: Any) -> Any:
    return systems.read_all([ORDER])[0].value["status"]


def test_later_reads_see_what_was_simulated_and_the_systems_do_not() -> None:
    real = orders(an_order(), an_order("O-2"))
    shadow = over(real)
    before = shadow.read_all([ORDER])[0].value
    receipt = shadow.write(CANCEL, "k-1")
    assert receipt.answer["changed"]
    assert (status(shadow), status(real), before["status"]) == ("cancelled", "new", "new")
    listed = shadow.read_all([Call("oms.list_orders", {"customer_id": "C-1"})])[0].value
    assert [(one["order_id"], one["status"]) for one in listed] == [("O-1", "cancelled"), ("O-2", "new")]


def test_the_same_key_is_done_once_and_what_the_system_would_refuse_is_refused() -> None:
    shadow = over(orders(an_order()))
    status(shadow)
    first = shadow.write(CANCEL, "k-1")
    again = shadow.write(CANCEL, "k-1")
    assert again.replayed and again.answer == first.answer
    with pytest.raises(Refused):  # it is cancelled already
        shadow.write(CANCEL, "k-2")
    with pytest.raises(Refused, match="used for another call"):
        shadow.write(Call("oms.cancel_order", {"order_id": "O-2", "reason": "duplicate"}), "k-1")
    with pytest.raises(Refused, match="not an action of the catalogue"):
        shadow.write(Call("oms.drop_tables", {}), "k-3")
    with pytest.raises(Refused):  # was never read
        shadow.write(Call("oms.cancel_order", {"order_id": "O-9", "reason": "duplicate"}), "k-4")


def test_what_the_systems_have_changed_meanwhile_is_seen_under_it() -> None:
    real = orders(an_order())
    shadow = over(real)
    status(shadow)
    shadow.write(CANCEL, "k-1")
    moved = {"order_id": "O-1", "line_id": "1", "to_location": "DC-2"}
    real.write(Call("wms.reallocate_line", moved), "somebody else")
    found = shadow.read_all([ORDER])[0].value
    assert (found["status"], found["lines"][0]["location"]) == ("cancelled", "DC-2")


def test_a_system_that_does_not_answer_is_told_of_as_it_is() -> None:
    down = RecordedSystems({"oms": None}, CATALOGUE, utc_now)
    assert over(down).read_all([ORDER])[0].status == "failed"


def test_reads_are_those_of_the_systems_where_nothing_was_written() -> None:
    real = orders(an_order("O-1"), an_order("O-2"), an_order("O-3", customer_id="C-2"))
    shadow = over(real)
    calls = [Call("oms.list_orders", {"customer_id": customer}) for customer in ("C-1", "C-2", "C-3")]
    status(shadow)
    shadow.write(CANCEL, "k-1")
    mine, others, nobodys = shadow.read_all(calls)
    assert [one["status"] for one in mine.value] == ["cancelled", "new"]
    assert others.value == [SCHEMA.completed("oms.orders", an_order("O-3", customer_id="C-2"))] and nobodys.value == []


class Peculiar:
    """A Reader that lists these orders, whoever's they are."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self._found = list(found)

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        return [ReadResult(call, "ok", self._found, NOW) for call in calls]


def test_what_a_system_tells_for_reasons_of_its_own_is_told_after_a_write_too() -> None:
    """A customer under another id, and two records under one key."""
    mine, merged = an_order(), an_order("O-2", customer_id="c-1")
    first, second = an_order("O-3", channel="web"), an_order("O-3", channel="store")
    shadow = SimulatedSystems(Peculiar(merged, first, mine, second), CATALOGUE)
    listed = Call("oms.list_orders", {"customer_id": "C-1"})
    before = shadow.read_all([listed])[0].value
    shadow.write(CANCEL, "k-1")
    after = shadow.read_all([listed])[0].value
    assert [(one["order_id"], one["channel"]) for one in after] == [(one["order_id"], one["channel"]) for one in before]
    assert [one["status"] for one in after] == ["new", "new", "cancelled", "new"]
