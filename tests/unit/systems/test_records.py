"""Changes go to copies: what was given never changes."""

from copy import deepcopy
from typing import Any

import pytest

from errors import BadInput, Refused
from systems.records import RecordPath, Records
from tests.reference import KEYS, SCHEMA

ORDER = {"order_id": "O-1", "status": "new", "lines": [{"line_id": "1", "qty": 1}, {"line_id": "2", "qty": 2}]}
PAYMENT = {"order_id": "O-1", "charges": [{"charge_id": "ch-1", "refunded_cents": 0}], "authorizations": None}


def path(source: str) -> RecordPath:
    return RecordPath.parse(source, SCHEMA, "here")


def change(records: Records, source: str, args: dict[str, Any], value: Any) -> list[Any]:
    """Set every place of a path; the changes as plain data."""
    changes = [spot.set(value) for spot in records.spots(path(source), args)]
    return [change.plain() for change in changes if change]


def filled() -> tuple[Records, list[Any]]:
    given = [deepcopy(ORDER), deepcopy(PAYMENT)]
    records = Records(SCHEMA)
    records.add("oms.orders", given[:1])
    records.add("payments.payments", given[1:])
    return records, given


def test_a_change_never_shows_in_the_given_record() -> None:
    records, given = filled()
    change(records, "oms.orders[order_id].status", {"order_id": "O-1"}, "ready")
    change(records, "oms.orders[order_id].lines[line_id].qty", {"order_id": "O-1", "line_id": "2"}, 9)
    change(records, "payments.payments[order_id].charges[+]", {"order_id": "O-1"}, {"charge_id": "new"})
    assert given == [ORDER, PAYMENT]
    changed = records.get("oms.orders", "O-1")
    assert changed is not None and (changed["status"], changed["lines"][1]["qty"]) == ("ready", 9)


def test_a_change_of_a_copy_shows_in_neither_the_original_nor_another_copy() -> None:
    records, given = filled()
    one, other = records.copy(), records.copy()
    change(one, "oms.orders[order_id].status", {"order_id": "O-1"}, "ready")
    assert [world.at(path("oms.orders[order_id].status"), {"order_id": "O-1"}) for world in (one, other, records)] == [
        "ready",
        "new",
        "new",
    ]
    assert given[0] == ORDER


def test_a_change_says_what_was_before_and_after() -> None:
    records, _ = filled()
    args = {"order_id": "O-1", "line_id": "1"}
    assert change(records, "oms.orders[order_id].lines[line_id].qty", args, 4) == [
        {"system": "oms", "record": "O-1", "field": "lines/1/qty", "before": 1, "after": 4}
    ]


def test_what_changes_nothing_is_a_change_to_the_same() -> None:
    records, _ = filled()
    for field, value in (("status", "new"), ("hold_reason", None)):
        (same,) = change(records, f"oms.orders[order_id].{field}", {"order_id": "O-1"}, value)
        assert (same["field"], same["before"], same["after"]) == (field, value, value)
    assert records.get("oms.orders", "O-1") == {**ORDER, "hold_reason": None}


def test_a_path_may_name_every_element_that_is_not_cancelled() -> None:
    records = Records(SCHEMA)
    lines = [{"line_id": "1"}, {"line_id": "2", "cancelled": True}, {"line_id": "3"}]
    records.add("oms.orders", [{"order_id": "O-1", "lines": lines}])
    changes = change(records, "oms.orders[order_id].lines[*].location", {"order_id": "O-1"}, "DC-2")
    assert [change["field"] for change in changes] == ["lines/1/location", "lines/3/location"]


def test_a_path_may_find_an_element_by_another_field_and_a_record_by_a_field_of_another() -> None:
    records, names = Records(SCHEMA), {"order_id": "O-1", "sku": "B"}
    records.add("oms.orders", [{"order_id": "O-1", "lines": [{"line_id": "1", "sku": "A"}, {"line_id": "2", "sku": "B"}]}])
    records.add("wms.stock", [{"sku": "B", "location": "DC-1", "on_hand": 4}])
    line = records.at(path("oms.orders[order_id].lines[sku=sku]"), names)
    assert line == {"line_id": "2", "sku": "B"}
    found = {"line": {**line, "location": "DC-1"}}
    assert records.at(path("wms.stock[line.sku, line.location].on_hand"), found) == 4
    assert records.at(path("wms.stock[line.sku, line.location].on_hand"), {"line": None}) is None
    (told,) = change(records, "oms.orders[order_id].lines[sku=sku].qty", names, 5)
    assert told["field"] == "lines/2/qty"


def test_the_beginning_of_a_key_changes_every_record_that_fits() -> None:
    records = Records(SCHEMA)
    records.add("wms.inbound", [{"po_id": po_id, "sku": sku, "location": "DC-1"} for po_id, sku in ("PA", "PB", "QA")])
    assert [told["record"] for told in change(records, "wms.inbound[po_id].eta", {"po_id": "P"}, "x")] == ["P/A/DC-1", "P/B/DC-1"]


def test_where_there_is_no_record_an_optional_change_is_none() -> None:
    records, _ = filled()
    assert change(records, "erp.budgets[invoice.budget_id].remaining_cents?", {"invoice": {"budget_id": None}}, 1) == []
    assert change(records, "oms.orders[order_id].lines[line_id].qty?", {"order_id": "O-1", "line_id": "9"}, 1) == []


def test_an_element_is_added_also_to_a_list_that_is_not_there() -> None:
    records, _ = filled()
    source = "payments.payments[order_id].authorizations[+]"
    (added,) = change(records, source, {"order_id": "O-1"}, {"auth_id": "new"})
    (again,) = change(records, source, {"order_id": "O-1"}, {"auth_id": "two"})
    assert (added["after"], again["before"]) == ({"auth_id": "new"}, None)
    found = records.at(path("payments.payments[order_id].authorizations"), {"order_id": "O-1"})
    assert found == [{"auth_id": "new"}, {"auth_id": "two"}]


def test_a_record_is_found_by_an_element_of_its_list() -> None:
    records, _ = filled()
    charge = path("payments.payments[charge_id].charges[charge_id]")
    assert records.at(charge, {"charge_id": "ch-1"}) == {"charge_id": "ch-1", "refunded_cents": 0}
    assert records.at(charge, {"charge_id": "ch-9"}) is None
    change(records, "payments.payments[charge_id].charges[charge_id].refunded_cents", {"charge_id": "ch-1"}, 5)
    assert records.at(charge, {"charge_id": "ch-1"})["refunded_cents"] == 5


@pytest.mark.parametrize(
    ("source", "args"),
    [
        ("oms.orders[order_id].status", {"order_id": "O-9"}),
        ("oms.orders[order_id].status", {"order_id": None}),
        ("oms.orders[order_id].lines[line_id].qty", {"order_id": "O-1", "line_id": "9"}),
        ("payments.payments[charge_id].charges[charge_id].refunded_cents", {"charge_id": "ch-9"}),
        ("wms.stock[sku, location].on_hand", {"sku": "A", "location": "DC-1"}),
    ],
)
def test_a_change_of_what_is_not_there_is_refused_and_reads_as_nothing(source: str, args: dict[str, Any]) -> None:
    records, _ = filled()
    assert records.at(path(source), args) is None
    with pytest.raises(Refused, match="there is no record"):
        records.spots(path(source), args)


def test_a_later_record_of_the_same_key_takes_the_place_of_the_earlier() -> None:
    records = Records(SCHEMA)
    records.add("wms.stock", [{"sku": "A", "location": "DC-1", "on_hand": 1}, {"sku": "A", "location": "DC-2", "on_hand": 2}])
    records.add("wms.stock", [{"sku": "A", "location": "DC-1", "on_hand": 3}])
    assert [record["on_hand"] for record in records.all("wms.stock")] == [3, 2]


def test_the_beginning_of_a_key_finds_the_first_record_that_fits() -> None:
    records = Records(SCHEMA)
    records.add("wms.inbound", [{"po_id": "P", "sku": "A", "qty": 1}, {"po_id": "P", "sku": "B", "qty": 2}])
    assert records.get("wms.inbound", "P") == {"po_id": "P", "sku": "A", "qty": 1}
    assert records.get("wms.inbound", "P", "B") == {"po_id": "P", "sku": "B", "qty": 2}
    assert records.get("wms.inbound", "Q") is None


@pytest.mark.parametrize(
    "source",
    [
        *("", "oms", "oms.orders", "oms.orders[]", "oms.nothing[a]", "oms.orders[a].b.c.d", "oms.orders[a]; drop"),
        *("oms.orders[a, b].status", "oms.orders[a.b.c].status", "oms.orders[a.].status", "oms.orders[*].status"),
        *("oms.orders[a].ship_to[b].city", "oms.orders[a].lines[sku=].qty", "oms.orders[a].lines[=b].qty"),
    ],
)
def test_a_path_that_does_not_parse_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(BadInput, match="^here: "):
        path(source)


def test_every_collection_can_be_named_by_a_path() -> None:
    for collection, fields in KEYS.items():
        assert path(f"{collection}[{', '.join(fields)}].status").names == fields
