"""Whose turn is first, and which lines lay claim to stock or to a delivery."""

from typing import Any

import pytest

from nodes.functions.stock import MissingCollection, RecordFunctions, promised_latest_first
from systems.records import Records
from tests.engine import a_customer, a_line, an_order
from tests.reference import SCHEMA

EARLY, LATER = "2026-03-11T12:00:00Z", "2026-03-12T12:00:00Z"
TIERS = ["vip", "gold", "standard"]


def claim(order_id: str, customer_id: str = "C-1", promised_at: str = EARLY, line_id: str = "1") -> dict[str, Any]:
    return {**a_line(line_id), "order_id": order_id, "customer_id": customer_id, "promised_at": promised_at}


def claims(orders: Any = (), customers: Any = (), missing: tuple[str, ...] = ()) -> RecordFunctions:
    records = Records(SCHEMA)
    records.add("oms.orders", orders)
    records.add("crm.customers", customers)

    def needs(collection: str) -> None:
        if collection in missing:
            raise MissingCollection(f"{collection} was not read")

    return RecordFunctions(records, needs, {"OMN_1": {"tiers": TIERS}}, "", "")


PEOPLE = [a_customer(customer_id=f"C-{name}", tier=name) for name in TIERS]


@pytest.mark.parametrize(
    ("given", "in_order"),
    [
        ([claim("O-1", "C-standard"), claim("O-2", "C-gold"), claim("O-3", "C-vip")], ["O-3", "O-2", "O-1"]),
        ([claim("O-1", "C-gold", LATER), claim("O-2", "C-gold", EARLY)], ["O-2", "O-1"]),
        ([claim("O-2", "C-gold"), claim("O-1", "C-gold")], ["O-1", "O-2"]),
        ([claim("O-1", "C-standard", EARLY), claim("O-2", "C-vip", LATER)], ["O-2", "O-1"]),
        ([claim("O-10", "C-gold"), claim("O-9", "C-gold")], ["O-10", "O-9"]),
        ([claim("O-1", "C-gold", EARLY), claim("O-2", "C-gold", "2026-03-11T13:00:00+02:00")], ["O-2", "O-1"]),
    ],
    ids=["tier", "promise", "id", "tier before promise", "ids as text", "moments, not texts"],
)
def test_claims_are_served_by_tier_then_promise_then_id(given: Any, in_order: list[str]) -> None:
    served = claims(customers=PEOPLE).by_priority(given)
    assert [one["order_id"] for one in served] == in_order
    assert [one["order_id"] for one in claims(customers=PEOPLE).by_priority(given[::-1])] == in_order


def test_two_lines_of_one_order_are_served_by_line() -> None:
    given = [claim("O-1", "C-gold", line_id="2"), claim("O-1", "C-gold", line_id="1")]
    assert [one["line_id"] for one in claims(customers=PEOPLE).by_priority(given)] == ["1", "2"]


@pytest.mark.parametrize("tier", [None, "platinum", "", "standard"])
def test_a_tier_that_is_not_known_gives_no_precedence(tier: str | None) -> None:
    people = [*PEOPLE, a_customer(customer_id="C-9", tier=tier)]
    given = [claim("O-1", "C-9", EARLY), claim("O-2", "C-gold", LATER), claim("O-3", "C-standard", EARLY)]
    assert [one["order_id"] for one in claims(customers=people).by_priority(given)] == ["O-2", "O-1", "O-3"]
    assert [one["order_id"] for one in claims(customers=PEOPLE).by_priority(given)] == ["O-2", "O-1", "O-3"]


def test_a_promise_that_is_not_known_gives_no_precedence() -> None:
    given = [claim("O-1", "C-gold") | {"promised_at": None}, claim("O-2", "C-gold", LATER), claim("O-3", "C-standard")]
    assert [one["order_id"] for one in claims(customers=PEOPLE).by_priority(given)] == ["O-2", "O-1", "O-3"]


def test_customers_that_could_not_be_read_are_not_standard() -> None:
    with pytest.raises(MissingCollection):
        claims(missing=("crm.customers",)).by_priority([claim("O-1"), claim("O-2")])
    assert claims(missing=("crm.customers",)).by_priority([]) == []


@pytest.mark.parametrize(
    ("lines", "picked"),
    [
        ([a_line("1")], False),
        ([a_line("1", picked=False), a_line("2", "B", picked=False)], False),
        ([a_line("1", picked=True)], True),
        ([a_line("1", picked=False), a_line("2", "B", picked=True)], True),
        ([a_line("1", picked=None)], True),
    ],
    ids=["not told", "no line", "its line", "another line", "not known"],
)
def test_an_order_of_which_anything_is_picked_is_picked(lines: Any, picked: bool) -> None:
    (found,) = claims([an_order(lines=lines)]).reservations("A")
    assert found["picked"] is picked


def test_reservations_are_lines_of_open_orders_that_wait_for_nothing() -> None:
    orders = [an_order(f"O-{status}", status=status) for status in ("new", "payment_review", "backordered", "address_hold")]
    orders += [an_order(f"O-{status}", status=status) for status in ("ready", "shipped", "delivered", "cancelled")]
    orders.append(an_order("O-waits", lines=[a_line("1", backorder_po_id="PO-1"), a_line("2", "B"), a_line("3")]))
    found = claims(orders).reservations("A")
    assert [(one["order_id"], one["line_id"]) for one in found] == [
        ("O-new", "1"), ("O-payment_review", "1"), ("O-backordered", "1"), ("O-address_hold", "1"), ("O-waits", "3"),
    ]  # fmt: skip
    assert found[0]["customer_id"] == "C-1" and found[0]["promised_at"] == "2026-03-14T12:00:00Z"


def test_lines_that_wait_for_a_delivery_are_found_by_it() -> None:
    lines = [a_line("1", backorder_po_id="PO-1"), a_line("2", "B", backorder_po_id="PO-2"), a_line("3", backorder_po_id=None)]
    orders = [an_order("O-1", lines=lines), an_order("O-2", lines=lines, status="shipped")]
    assert [(one["order_id"], one["line_id"]) for one in claims(orders).waiting_for("PO-1")] == [("O-1", "1")]
    assert claims(orders).waiting_for("PO-9") == []


def test_orders_that_could_not_be_read_are_not_none() -> None:
    unread = claims(missing=("oms.orders",))
    with pytest.raises(MissingCollection):
        unread.reservations("A")
    with pytest.raises(MissingCollection):
        unread.waiting_for("PO-1")


def test_the_claim_promised_latest_comes_first_then_by_id() -> None:
    given = [claim("O-3", promised_at=LATER), claim("O-2", promised_at=EARLY), claim("O-1", promised_at=LATER)]
    assert [one["order_id"] for one in promised_latest_first(given)] == ["O-1", "O-3", "O-2"]
    assert promised_latest_first([]) == []
