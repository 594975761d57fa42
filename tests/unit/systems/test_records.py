"""Changes go to copies: what was given never changes."""

from copy import deepcopy
from typing import Any

import pytest

from errors import BadInput, Refused
from systems.records import KEYS, Path, Records

ORDER = {"order_id": "O-1", "status": "new", "lines": [{"line_id": "1", "qty": 1}, {"line_id": "2", "qty": 2}]}
PAYMENT = {"order_id": "O-1", "charges": [{"charge_id": "ch-1", "refunded_cents": 0}], "authorizations": None}


def path(source: str) -> Path:
    return Path.parse(source, "here")


def filled() -> tuple[Records, list[Any]]:
    given = [deepcopy(ORDER), deepcopy(PAYMENT)]
    records = Records()
    records.add("oms.orders", given[:1])
    records.add("payments.payments", given[1:])
    return records, given


def test_a_change_never_shows_in_the_given_record() -> None:
    records, given = filled()
    records.set(path("oms.orders[order_id].status"), {"order_id": "O-1"}, "ready")
    records.set(path("oms.orders[order_id].lines[line_id].qty"), {"order_id": "O-1", "line_id": "2"}, 9)
    records.set(path("payments.payments[order_id].charges[+]"), {"order_id": "O-1"}, {"charge_id": "new"})
    assert given == [ORDER, PAYMENT]
    changed = records.get("oms.orders", "O-1")
    assert changed is not None and (changed["status"], changed["lines"][1]["qty"]) == ("ready", 9)


def test_a_change_of_a_copy_shows_in_neither_the_original_nor_another_copy() -> None:
    records, given = filled()
    one, other = records.copy(), records.copy()
    one.set(path("oms.orders[order_id].status"), {"order_id": "O-1"}, "ready")
    assert [world.at(path("oms.orders[order_id].status"), {"order_id": "O-1"}) for world in (one, other, records)] == [
        "ready",
        "new",
        "new",
    ]
    assert given[0] == ORDER


def test_a_change_says_what_was_before_and_after() -> None:
    records, _ = filled()
    change = records.set(path("oms.orders[order_id].lines[line_id].qty"), {"order_id": "O-1", "line_id": "1"}, 4)
    assert change.plain() == {"system": "oms", "record": "O-1", "field": "lines/1/qty", "before": 1, "after": 4}


def test_an_element_is_added_also_to_a_list_that_is_not_there() -> None:
    records, _ = filled()
    added = records.set(path("payments.payments[order_id].authorizations[+]"), {"order_id": "O-1"}, {"auth_id": "new"})
    assert added.after == {"auth_id": "new"}
    again = records.set(path("payments.payments[order_id].authorizations[+]"), {"order_id": "O-1"}, {"auth_id": "two"})
    assert again.before is None
    assert records.at(path("payments.payments[order_id].authorizations"), {"order_id": "O-1"}) is not None


def test_a_record_is_found_by_an_element_of_its_list() -> None:
    records, _ = filled()
    charge = path("payments.payments[charge_id].charges[charge_id]")
    assert records.at(charge, {"charge_id": "ch-1"}) == {"charge_id": "ch-1", "refunded_cents": 0}
    assert records.at(charge, {"charge_id": "ch-9"}) is None
    records.set(path("payments.payments[charge_id].charges[charge_id].refunded_cents"), {"charge_id": "ch-1"}, 5)
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
        records.set(path(source), args, 1)


def test_a_later_record_of_the_same_key_takes_the_place_of_the_earlier() -> None:
    records = Records()
    records.add("wms.stock", [{"sku": "A", "location": "DC-1", "on_hand": 1}, {"sku": "A", "location": "DC-2", "on_hand": 2}])
    records.add("wms.stock", [{"sku": "A", "location": "DC-1", "on_hand": 3}])
    assert [record["on_hand"] for record in records.all("wms.stock")] == [3, 2]


def test_the_beginning_of_a_key_finds_the_first_record_that_fits() -> None:
    records = Records()
    records.add("wms.inbound", [{"po_id": "P", "sku": "A", "qty": 1}, {"po_id": "P", "sku": "B", "qty": 2}])
    assert records.get("wms.inbound", "P") == {"po_id": "P", "sku": "A", "qty": 1}
    assert records.get("wms.inbound", "P", "B") == {"po_id": "P", "sku": "B", "qty": 2}
    assert records.get("wms.inbound", "Q") is None


@pytest.mark.parametrize(
    "source", ["", "oms", "oms.orders", "oms.orders[]", "oms.nothing[a]", "oms.orders[a].b.c.d", "oms.orders[a]; drop"]
)
def test_a_path_that_does_not_parse_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(BadInput, match="^here: "):
        path(source)


def test_every_collection_can_be_named_by_a_path() -> None:
    for collection, fields in KEYS.items():
        assert path(f"{collection}[{', '.join(fields)}].status").arguments == fields
