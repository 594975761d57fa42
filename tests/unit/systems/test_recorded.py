"""Recorded systems answer what was recorded and nothing else; writes change a copy of it."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from errors import BadInput, Refused
from systems.calls import Call
from systems.catalogue import load_catalogue
from systems.recorded import RecordedSystems
from tests.engine import an_exception
from tests.reference import READ_TOOLS

NOW = datetime(2026, 3, 10, tzinfo=UTC)
RELEASE = Call("payments.release_payment_hold", {"order_id": "O-1"})


def recorded_systems(systems: Any = None) -> RecordedSystems:
    return RecordedSystems(an_exception()["systems"] if systems is None else systems, load_catalogue(), lambda: NOW)


def read(systems: RecordedSystems, tool: str, **args: Any) -> Any:
    return systems.read_all([Call(tool, args)])[0]


@pytest.mark.parametrize("tool", ["oms.get_everything", "payments.refund_charge", "nowhere.get_order", "get_order", ""])
def test_a_tool_that_is_not_a_known_read_is_refused_before_anything_is_read(tool: str) -> None:
    with pytest.raises(Refused, match="not a READ tool"):
        recorded_systems().read_all([Call("oms.get_order", {"order_id": "O-1"}), Call(tool, {})])


def test_answers_come_in_the_order_of_the_calls() -> None:
    calls = [
        Call("payments.get_payment", {"order_id": "O-1"}),
        Call("oms.get_order", {"order_id": "O-9"}),
        Call("wms.list_locations", {}),
    ]
    assert [answer.status for answer in recorded_systems().read_all(calls)] == ["ok", "absent", "ok"]


def test_a_record_that_is_not_there_is_absent_and_a_list_of_none_is_empty() -> None:
    systems = recorded_systems({"oms": {}, "wms": {}})
    assert read(systems, "oms.get_order", order_id="O-1").status == "absent"
    assert read(systems, "wms.list_stock", skus=["A"]).value == []


@pytest.mark.parametrize("systems", [{"oms": None}, {}])
def test_a_system_that_is_down_or_not_recorded_cannot_be_read(systems: dict[str, Any]) -> None:
    answer = read(recorded_systems(systems), "oms.get_order", order_id="O-1")
    assert (answer.status, answer.value, answer.error) == ("failed", None, "oms could not be reached")


@pytest.mark.parametrize("args", [{}, {"order": "O-1"}, {"order_id": "O-1", "more": 1}])
def test_a_read_with_other_arguments_than_its_own_fails(args: dict[str, Any]) -> None:
    answer = read(recorded_systems(), "oms.get_order", **args)
    assert answer.status == "failed" and "takes order_id" in answer.error


def test_a_list_is_selected_by_every_value_asked_for_and_inside_parts() -> None:
    raw = an_exception()["systems"]
    raw["wms"]["stock"].append({**raw["wms"]["stock"][0], "sku": "B"})
    raw["oms"]["orders"][0]["lines"][0]["backorder_po_id"] = "PO-1"
    systems = recorded_systems(raw)
    assert [row["sku"] for row in read(systems, "wms.list_stock", skus=["B", "C"]).value] == ["B"]
    assert [row["order_id"] for row in read(systems, "oms.list_backorders", po_ids=["PO-1"]).value] == ["O-1"]
    assert read(systems, "oms.list_backorders", po_ids=["PO-2"]).value == []
    assert [row["order_id"] for row in read(systems, "oms.list_orders_by_sku", skus=["A", "B"]).value] == ["O-1"]
    assert read(systems, "oms.list_orders_by_sku", skus=["B"]).value == []


def test_all_accounts_are_told_without_an_argument() -> None:
    accounts = [{"account_id": "A-1"}, {"account_id": "A-2"}]
    assert read(recorded_systems({"crm": {"accounts": accounts}}), "crm.list_accounts").value == accounts


def test_every_read_tool_answers_something_for_empty_systems() -> None:
    systems = recorded_systems({system: {} for system in ("oms", "payments", "wms", "crm", "erp", "logistics")})
    for tool, entry in READ_TOOLS.items():
        assert read(systems, tool, **{name: [] if name.endswith("s") else "x" for name in entry.by}).status in (
            "ok",
            "absent",
        )


def test_a_write_is_simulated_on_a_copy() -> None:
    raw = an_exception()["systems"]
    before = deepcopy(raw)
    systems = recorded_systems(raw)
    receipt = systems.write(RELEASE, "key-1")
    assert receipt.replayed is False
    assert receipt.answer["changed"] == [
        {"system": "payments", "record": "O-1", "field": "on_hold", "before": True, "after": False}
    ]
    assert read(systems, "payments.get_payment", order_id="O-1").value["on_hold"] is False
    assert raw == before


def test_the_same_key_again_gives_the_first_answer_and_does_nothing() -> None:
    systems = recorded_systems()
    first, again = systems.write(RELEASE, "key-1"), systems.write(RELEASE, "key-1")
    assert (again.answer, again.replayed) == (first.answer, True)


def test_the_same_key_for_another_call_is_refused() -> None:
    systems = recorded_systems()
    systems.write(RELEASE, "key-1")
    with pytest.raises(Refused, match="used for another call"):
        systems.write(Call("payments.release_payment_hold", {"order_id": "O-2"}), "key-1")


def test_another_key_for_what_is_done_already_is_refused_by_its_need() -> None:
    systems = recorded_systems()
    systems.write(RELEASE, "key-1")
    with pytest.raises(Refused, match="not on hold"):
        systems.write(RELEASE, "key-2")


@pytest.mark.parametrize(
    "call",
    [
        Call("oms.release_payment_hold", {"order_id": "O-1"}),
        Call("payments.get_payment", {"order_id": "O-1"}),
        Call("payments.drop_table", {}),
        Call("payments.release_payment_hold", {}),
        Call("payments.release_payment_hold", {"order_id": "O-9"}),
        Call("payments.refund_charge", {"charge_id": "ch-1", "amount_cents": -5}),
    ],
)
def test_a_write_that_the_catalogue_does_not_bear_is_refused(call: Call) -> None:
    with pytest.raises(Refused):
        recorded_systems().write(call, "key-1")


@pytest.mark.parametrize(
    ("systems", "says"),
    [
        ({"sap": {}}, "systems.sap is unknown"),
        ({"oms": []}, "systems.oms must be an object"),
        ({"oms": {"orders": {}}}, "systems.oms.orders must be a list"),
        ({"oms": {"orders": ["O-1"]}}, "systems.oms.orders must be a list"),
        ({"oms": {"orders": [{"status": "new"}]}}, "a record of systems.oms.orders has no order_id"),
        ({"wms": {"stock": [{"sku": "A"}]}}, "a record of systems.wms.stock has no location"),
    ],
)
def test_malformed_systems_are_refused_with_a_sentence(systems: Any, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        recorded_systems(systems)


def test_a_collection_that_nothing_reads_means_nothing() -> None:
    assert read(recorded_systems({"wms": {"notes": "anything", "stock": []}}), "wms.list_stock", skus=["A"]).value == []
