"""What a model or a person might propose in the other Missions and must not get through: every plan is judged on the facts."""

from collections.abc import Callable

import pytest

from tests.engine import (
    Raw,
    a_charge,
    a_customer,
    a_line,
    a_payment,
    a_stock,
    an_exception,
    an_inbound,
    an_order,
    drafted,
    judged,
    objections,
)
from tests.unit.nodes.examples import (
    LATE,
    SOON,
    a_contact,
    a_return,
    a_vendor,
    account_review,
    an_account,
    an_invoice,
    an_invoice_received,
    customers,
    delay,
    discrepancy,
    pickup_failed,
    reserving,
    return_unreconciled,
    vip_conflict,
)

World = Callable[..., Raw]
A1, I1, V1, R1 = {"account_id": "A-1"}, {"invoice_id": "I-1"}, {"vendor_id": "V-1"}, {"return_id": "R-1"}
LETTER = {"template": "executive_outreach", "text": "Hello"}
PAY = {**I1, "amount_cents": 10_000}
LINE = {"order_id": "O-1", "line_id": "1"}
SWAP = {"from_order_id": "O-2", "to_order_id": "O-1", "sku": "A"}
STORE = [a_stock("A", "ST-2"), a_stock("A", "DC-1")]
PHANTOM = a_stock("A", "DC-1", 10, failed_picks_14d=2)


@pytest.mark.parametrize(
    "world", [account_review, an_invoice_received, pickup_failed, discrepancy, delay, return_unreconciled, vip_conflict]
)
def test_the_plan_of_the_planner_passes(world: World) -> None:
    raw = world()
    draft = drafted(raw)
    assert judged(raw, draft).objections == () and draft["plan"]


ACCOUNTS: list[tuple[str, Raw, Raw, str]] = [
    ("send_outreach", {**LETTER, "account_id": "A-2", "contact_id": "N-1"}, {}, "only the account of the case is written to"),
    ("send_outreach", {**LETTER, **A1, "contact_id": "N-9"}, {}, "the contact has a working address and wants mail (ACC-8)"),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(opted_out=True)])]},
        "wants mail",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(opted_out=None)])]},
        "wants mail",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(email_status="bounced")])]},
        "working address",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=None)]},
        "working address",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(do_not_contact=True)]},
        "an account that must not be contacted is not written to (ACC-7)",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(legal_hold=True)]},
        "an account that must not be contacted is not written to (ACC-7)",
    ),
    (
        "send_outreach",
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(legal_hold=None)]},
        "must not be contacted",
    ),
    ("send_outreach", {**LETTER, **A1, "contact_id": "N-1"}, {"crm": None}, "it cannot be told whether"),
    ("send_outreach", {**LETTER, **A1, "contact_id": "N-1", "template": "discount"}, {}, "template must be one of"),
    ("escalate_opportunity", {"opportunity_id": "P-9"}, {}, "an open renewal of the account (ACC-4)"),
    (
        "escalate_opportunity",
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-1", "kind": "expansion", "open": True}]},
        "an open renewal of the account",
    ),
    (
        "escalate_opportunity",
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-1", "kind": "renewal", "open": False}]},
        "an open renewal of the account",
    ),
    (
        "escalate_opportunity",
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-2", "kind": "renewal", "open": True}]},
        "an open renewal of the account",
    ),
    ("assign_owner", {"account_id": "A-2", "owner": "csm_lead"}, {}, "only the account of the case gets an owner"),
    ("create_task", {"account_id": "A-2", "kind": "nurture"}, {}, "the task is about the account of the case"),
    ("flag_contact", {"contact_id": "N-9", "issue": "bounced"}, {}, "the contact is one of the account"),
    ("post_payment", PAY, {}, ""),
]


@pytest.mark.parametrize(("name", "args", "change", "says"), ACCOUNTS)
def test_an_account_plan_that_the_facts_do_not_bear_is_sent_back(name: str, args: Raw, change: Raw, says: str) -> None:
    said = objections(account_review(**change), "save_play", (name, args))
    assert says in said and said


INVOICES: list[tuple[str, Raw, Raw, str]] = [
    ("post_payment", {**I1, "amount_cents": 9_999}, {}, "the invoice of the case is paid with its total (AP-10)"),
    ("post_payment", {**I1, "amount_cents": 10_001}, {}, "the invoice of the case is paid with its total (AP-10)"),
    ("post_payment", {"invoice_id": "I-2", "amount_cents": 10_000}, {}, "the invoice of the case is paid with its total"),
    ("post_payment", {**I1, "amount_cents": 10_000.0}, {}, "a whole number of cents"),
    ("post_payment", {**I1, "amount_cents": "10000"}, {}, "a whole number of cents"),
    ("post_payment", {**I1, "amount_cents": 0}, {}, "a whole number of cents"),
    ("post_payment", {**I1, "amount_cents": -10_000}, {}, "a whole number of cents"),
    ("post_payment", {**I1, "amount_cents": True}, {}, "a whole number of cents"),
    (
        "post_payment",
        PAY,
        {"invoices": [an_invoice(), an_invoice("I-0", received_at="2026-03-01T12:00:00Z", vendor_invoice_no="2026-17")]},
        "an invoice that came before is not paid (AP-1)",
    ),
    ("post_payment", PAY, {"vendors": [a_vendor(status="blocked")]}, "only an active vendor is paid (AP-2)"),
    ("post_payment", PAY, {"vendors": [a_vendor(status=None)]}, "only an active vendor is paid (AP-2)"),
    ("post_payment", PAY, {"vendors": []}, "it cannot be told whether only an active vendor is paid"),
    (
        "post_payment",
        PAY,
        {"vendors": [a_vendor(bank_changed_at="2026-02-07T12:00:00Z")]},
        "no payment soon after the bank details changed (AP-2)",
    ),
    ("post_payment", PAY, {"budgets": [{"budget_id": "B-1", "remaining_cents": 9_999}]}, "the budget covers it (AP-9)"),
    ("post_payment", PAY, {"budgets": []}, "it cannot be told whether the budget covers it"),
    (
        "post_payment",
        PAY,
        {"purchase_orders": [{"po_id": "PO-1", "vendor_id": "V-9", "currency": "USD", "lines": [], "budget_id": "B-1"}]},
        "the purchase order is one with the vendor of the invoice",
    ),
    ("post_payment", PAY, {"erp": None}, "it cannot be told whether"),
    ("hold_invoice", {"invoice_id": "I-2", "reason": "freight"}, {}, "only the invoice of the case is held"),
    ("hold_invoice", {**I1, "reason": "because"}, {}, "reason must be one of"),
    ("reject_invoice", {"invoice_id": "I-2", "reason": "no_po"}, {}, "only the invoice of the case is rejected"),
    (
        "send_vendor_message",
        {"vendor_id": "V-2", "template": "freight", "text": "Hello"},
        {},
        "the message goes to the vendor of the invoice",
    ),
    ("send_vendor_message", {**V1, "template": "freight"}, {}, "needs the argument 'text'"),
]


@pytest.mark.parametrize(("name", "args", "change", "says"), INVOICES)
def test_an_invoice_plan_that_the_facts_do_not_bear_is_sent_back(name: str, args: Raw, change: Raw, says: str) -> None:
    assert says in objections(an_invoice_received(**change), "approve", (name, args))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"invoices": [an_invoice(total_cents=10_002)]}, "dispute"),
        ({"invoices": [an_invoice(po_id=None)]}, "reject"),
        ({"invoices": [an_invoice(currency="EUR")]}, "escalate"),
        ({"receipts": []}, "hold"),
        ({"invoices": [an_invoice(freight_cents=10_001)]}, "dispute"),
        ({"vendors": [a_vendor(status="blocked")]}, "escalate"),
        ({"invoices": [an_invoice(lines=[{"po_line": "10", "qty": 2, "unit_price_cents": 5_101}])]}, "dispute"),
    ],
)
def test_an_invoice_that_something_stands_against_is_not_paid_whoever_wants_it(change: Raw, verdict: str) -> None:
    raw = an_invoice_received(**change)
    total = raw["systems"]["erp"]["invoices"][0]["total_cents"]
    said = objections(raw, "approve", ("post_payment", {**I1, "amount_cents": total}))
    assert f"the verdict must be {' or '.join(sorted({verdict, 'escalate'}))}" in said
    assert drafted(raw)["verdict"] == verdict


def test_an_invoice_is_not_paid_twice_in_one_plan() -> None:
    assert "step 2, post_payment" in objections(an_invoice_received(), "approve", ("post_payment", PAY), ("post_payment", PAY))


PICKUPS: list[tuple[str, Raw, Raw, str]] = [
    ("change_pickup_location", {"order_id": "O-1", "to_location": "ST-3"}, {}, "the store is near and has all lines"),
    ("change_pickup_location", {"order_id": "O-2", "to_location": "ST-2"}, {}, "the store is near and has all lines"),
    ("change_pickup_location", {"order_id": "O-1", "to_location": "DC-1"}, {}, "the store is near and has all lines"),
    ("change_pickup_location", {"order_id": "O-1", "to_location": "ST-1"}, {}, "the store is near and has all lines"),
    (
        "change_pickup_location",
        {"order_id": "O-1", "to_location": "FL-1"},
        {"stock": [a_stock("A", "FL-1")]},
        "the store is near and has all lines",
    ),
    (
        "change_pickup_location",
        {"order_id": "O-1", "to_location": "ST-2"},
        {"stock": [a_stock("A", "ST-2", failed_picks_14d=2)]},
        "in stock that can be trusted (BOP-1)",
    ),
    (
        "change_pickup_location",
        {"order_id": "O-1", "to_location": "ST-2"},
        {"locations": [{"location": "ST-1", "type": "store", "km_to": {"ST-2": 25.001}}, {"location": "ST-2", "type": "store"}]},
        "the store is near",
    ),
    ("change_pickup_location", {"order_id": "O-1", "to_location": "ST-2"}, {"wms": None}, "it cannot be told whether"),
    ("convert_to_shipment", {"order_id": "O-1", "from_location": "DC-2"}, {}, "the distribution centre has all lines (BOP-2)"),
    ("convert_to_shipment", {"order_id": "O-1", "from_location": "ST-2"}, {}, "the distribution centre has all lines"),
    (
        "convert_to_shipment",
        {"order_id": "O-1", "from_location": "DC-1"},
        {"orders": [an_order(lines=[a_line(location="ST-1")], pickup_location="ST-1", allow_ship_home=False)]},
        "the order may be shipped home",
    ),
    (
        "send_message",
        {"customer_id": "C-2", "template": "pickup_moved", "text": "Hello"},
        {},
        "the message goes to the customer of the order",
    ),
]
SHELVES: list[tuple[str, Raw, Raw, str]] = [
    ("quarantine_stock", {"sku": "A", "location": "DC-2"}, {}, "only phantom stock of the case is quarantined (PHA-1)"),
    ("quarantine_stock", {"sku": "B", "location": "DC-1"}, {}, "only phantom stock of the case is quarantined (PHA-1)"),
    (
        "quarantine_stock",
        {"sku": "A", "location": "DC-1"},
        {"stock": [a_stock("A", "DC-1")]},
        "only phantom stock of the case is quarantined (PHA-1)",
    ),
    ("reallocate_line", {**LINE, "to_location": "DC-3"}, {}, "enough that can be trusted (PHA-2)"),
    ("reallocate_line", {**LINE, "to_location": "DC-1"}, {}, "enough that can be trusted"),
    ("reallocate_line", {"order_id": "O-9", "line_id": "1", "to_location": "DC-2"}, {}, "the order counts on the stock"),
    ("reallocate_line", {"order_id": "O-1", "line_id": "2", "to_location": "DC-2"}, {}, "the order counts on the stock"),
    (
        "reallocate_line",
        {**LINE, "to_location": "DC-2"},
        {"stock": [PHANTOM, a_stock("A", "DC-2", failed_picks_14d=2)]},
        "enough that can be trusted",
    ),
    (
        "reallocate_line",
        {**LINE, "to_location": "ST-2"},
        {"stock": [PHANTOM, a_stock("A", "ST-2")]},
        "enough that can be trusted",
    ),
    (
        "reallocate_line",
        {**LINE, "to_location": "FL-1"},
        {"stock": [PHANTOM, a_stock("A", "FL-1")]},
        "enough that can be trusted",
    ),
    (
        "reallocate_line",
        {**LINE, "to_location": "DC-2"},
        {"orders": [an_order("O-1", status="shipped")]},
        "the order counts on the stock",
    ),
]
DELAYS: list[tuple[str, Raw, Raw, str]] = [
    ("reallocate_line", {**LINE, "to_location": "DC-3"}, {}, "enough that can be trusted (INB-2)"),
    ("reallocate_line", {"order_id": "O-9", "line_id": "1", "to_location": "DC-2"}, {}, "the order is late"),
    (
        "reallocate_line",
        {**LINE, "to_location": "DC-2"},
        {"orders": [reserving("O-1", 2, backorder_po_id="PO-1", promised_at=LATE), reserving("O-2", 2, backorder_po_id="PO-1")]},
        "the order is late",
    ),
    ("expedite_po", {"po_id": "PO-9"}, {}, "only the delivery of the case is expedited"),
    (
        "send_message",
        {"customer_id": "C-9", "template": "delay_notice", "text": "Hello"},
        {},
        "the message goes to the customer of a late order",
    ),
]
RETURNS: list[tuple[str, Raw, Raw, str]] = [
    ("post_return_receipt", {"return_id": "R-2", "disposition": "restock"}, {}, "the goods are those of the return (RTN-1)"),
    (
        "post_return_receipt",
        {**R1, "disposition": "restock"},
        {"returns": [a_return(condition="damaged")]},
        "what is damaged is not restocked",
    ),
    ("post_return_receipt", {**R1, "disposition": "sell"}, {}, "disposition must be one of"),
    ("refund_charge", {"charge_id": "ch-1", "amount_cents": 10_001}, {}, "refunded once from a charge of its order (RTN-2)"),
    ("refund_charge", {"charge_id": "ch-9", "amount_cents": 10_000}, {}, "refunded once from a charge of its order"),
    (
        "refund_charge",
        {"charge_id": "ch-1", "amount_cents": 10_000},
        {"returns": [a_return(refunded_cents=1)]},
        "refunded once from a charge of its order",
    ),
    (
        "refund_charge",
        {"charge_id": "ch-1", "amount_cents": 10_000},
        {"payments": [a_payment(charges=[a_charge(status="pending")])]},
        "refunded once from a charge of its order",
    ),
    (
        "refund_charge",
        {"charge_id": "ch-2", "amount_cents": 10_000},
        {"payments": [a_payment(charges=[a_charge()]), a_payment("O-2", charges=[a_charge("ch-2")])]},
        "refunded once from a charge of its order",
    ),
]
VIPS: list[tuple[str, Raw, Raw, str]] = [
    ("reallocate_line", {**LINE, "to_location": "DC-2"}, {}, "the place has enough stock that can be trusted (STK-2)"),
    (
        "reallocate_line",
        {**LINE, "to_location": "DC-2"},
        {"stock": [a_stock("A", "DC-2", last_counted_at=None)]},
        "the place has enough stock that can be trusted",
    ),
    (
        "reallocate_line",
        {"order_id": "O-2", "line_id": "1", "to_location": "DC-2"},
        {"stock": [a_stock("A", "DC-2")]},
        "the place has enough stock",
    ),
    (
        "swap_reservation",
        {**SWAP, "from_order_id": "O-3"},
        {},
        "only a standard customer's reservation that is not picked (VIP-1)",
    ),
    ("swap_reservation", {**SWAP, "to_order_id": "O-2", "from_order_id": "O-1"}, {}, "only a standard customer's reservation"),
    ("swap_reservation", {**SWAP, "sku": "B"}, {}, "only a standard customer's reservation"),
    (
        "swap_reservation",
        SWAP,
        {"orders": [reserving("O-1", 2), reserving("O-2", 2, picked=True, promised_at=LATE)]},
        "only a standard customer's reservation that is not picked",
    ),
    ("swap_reservation", SWAP, {"customers": customers(C1="vip", C2=None)}, "only a standard customer's reservation"),
    ("backorder_line", {"order_id": "O-2", "line_id": "1", "po_id": "PO-9"}, {}, "the order that gives can wait (VIP-1)"),
    (
        "backorder_line",
        {"order_id": "O-2", "line_id": "1", "po_id": "PO-1"},
        {"inbound": [an_inbound(qty=1)]},
        "the order that gives can wait",
    ),
    (
        "backorder_line",
        {"order_id": "O-2", "line_id": "1", "po_id": "PO-1"},
        {"inbound": [an_inbound(eta="2026-03-20T12:00:01Z")]},
        "the order that gives can wait",
    ),
    ("expedite_po", {"po_id": "PO-9"}, {}, "the delivery is one of the line"),
    (
        "expedite_po",
        {"po_id": "PO-1"},
        {"inbound": [an_inbound(sku="B", expedited_eta=SOON, expedite_cost_cents=1)]},
        "the delivery is one of the line",
    ),
    ("offer_credit", {"customer_id": "C-1", "amount_cents": 2_001}, {}, "no more credit than the clause gives (VIP-2)"),
    (
        "offer_credit",
        {"customer_id": "C-1", "amount_cents": 15_001},
        {"orders": [an_order(customer_id="C-1", total_cents=10**7)]},
        "no more credit than the clause gives (VIP-2)",
    ),
    ("offer_credit", {"customer_id": "C-2", "amount_cents": 1}, {}, "no more credit than the clause gives (VIP-2)"),
]
OMNICHANNEL = [
    pytest.param(world, verdict, *row, id=f"{verdict}-{row[0]}-{number}")
    for world, verdict, rows in (
        (pickup_failed, "reroute", PICKUPS),
        (discrepancy, "quarantine", SHELVES),
        (delay, "mitigate", DELAYS),
        (return_unreconciled, "reconcile", RETURNS),
        (vip_conflict, "swap", VIPS),
    )
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize(("world", "verdict", "name", "args", "change", "says"), OMNICHANNEL)
def test_an_omnichannel_plan_that_the_facts_do_not_bear_is_sent_back(
    world: World, verdict: str, name: str, args: Raw, change: Raw, says: str
) -> None:
    said = objections(world(**change), verdict, (name, args))
    assert said
    assert all(part in said for part in says.split(" (", 1)), said


@pytest.mark.parametrize(
    ("total", "credit"), [(10_000, 2_000), (74_999, 14_999), (75_000, 15_000), (10**7, 15_000), (9, 1), (5, 1)]
)
def test_a_credit_is_a_fifth_of_the_total_up_to_the_cap(total: int, credit: int) -> None:
    orders = [an_order(customer_id="C-1", total_cents=total)]
    raw = vip_conflict(orders=orders, inbound=[], customers=[a_customer(tier="vip")])
    draft = drafted(raw)
    assert [step["args"].get("amount_cents") for step in draft["plan"]] == [credit, None]
    assert not judged(raw, draft).objections


@pytest.mark.parametrize(
    ("world", "name", "args"),
    [
        (account_review, "offer_credit", {"customer_id": "C-1", "amount_cents": 10**9}),
        (account_review, "post_payment", PAY),
        (an_invoice_received, "refund_charge", {"charge_id": "ch-1", "amount_cents": 1}),
        (pickup_failed, "refund_charge", {"charge_id": "ch-1", "amount_cents": 10_000}),
        (discrepancy, "cancel_order", {"order_id": "O-1", "reason": "out_of_stock"}),
        (delay, "offer_credit", {"customer_id": "C-1", "amount_cents": 10**9}),
        (return_unreconciled, "reship_order", {"order_id": "O-1"}),
        (vip_conflict, "cancel_line", {"order_id": "O-2", "line_id": "1"}),
    ],
)
def test_an_action_of_which_the_mission_knows_nothing_is_sent_back(world: World, name: str, args: Raw) -> None:
    raw = world()
    assert objections(raw, drafted(raw)["verdict"], (name, args)) == f"{name} is no action of {raw['mission']}"


def test_an_action_that_only_another_part_of_the_pack_knows_is_sent_back() -> None:
    assert "offer_credit is no action" in objections(
        pickup_failed(), "reroute", ("offer_credit", {"customer_id": "C-1", "amount_cents": 1})
    )


# What single steps do not show


def test_two_moves_of_one_plan_do_not_take_the_same_units() -> None:
    raw = discrepancy(stock=[PHANTOM, a_stock("A", "DC-2", 4)])
    both = [("reallocate_line", {"order_id": order, "line_id": "1", "to_location": "DC-2"}) for order in ("O-1", "O-2")]
    assert "enough that can be trusted" in objections(raw, "quarantine", *both)


@pytest.mark.parametrize(
    ("world", "verdict", "name", "args"),
    [
        (an_exception, "hold_for_customer", "place_order_hold", {"order_id": "O-2", "reason": "stock"}),
        (an_exception, "fulfil_with_changes", "cancel_line", {"order_id": "O-2", "line_id": "1"}),
        (an_exception, "fulfil", "confirm_reservation", {"order_id": "O-2"}),
    ],
)
def test_another_order_of_the_customer_is_left_alone(world: World, verdict: str, name: str, args: Raw) -> None:
    other = an_order("O-2", created_at="2026-01-01T12:00:00Z", lines=[a_line("1"), a_line("2", "B")])
    assert objections(world(orders=[an_order(), other]), verdict, (name, args))


@pytest.mark.parametrize(
    ("world", "verdict", "name", "args"),
    [
        (vip_conflict, "compensate", "offer_credit", [{"customer_id": "C-1", "amount_cents": 2_000}] * 2),
        (
            return_unreconciled,
            "reconcile",
            "refund_charge",
            [{"charge_id": "ch-1", "amount_cents": 10_000}, {"charge_id": "ch-2", "amount_cents": 10_000}],
        ),
    ],
)
def test_what_is_given_once_is_not_given_twice_in_one_plan(world: World, verdict: str, name: str, args: list[Raw]) -> None:
    raw = world()
    raw["systems"]["payments"]["payments"] = [a_payment(charges=[a_charge("ch-1"), a_charge("ch-2")])]
    assert objections(raw, verdict, *[(name, one) for one in args])
