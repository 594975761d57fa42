"""What a model or a person might propose in the other Missions and must not get through: every plan is judged on the facts."""

from collections.abc import Callable

import pytest

from tests.actions import (
    ASSIGN_OWNER,
    BACKORDER_LINE,
    CANCEL_LINE,
    CANCEL_ORDER,
    CHANGE_PICKUP_LOCATION,
    CONFIRM_RESERVATION,
    CONVERT_TO_SHIPMENT,
    CREATE_TASK,
    ESCALATE_OPPORTUNITY,
    EXPEDITE_PO,
    FLAG_CONTACT,
    HOLD_INVOICE,
    OFFER_CREDIT,
    PLACE_ORDER_HOLD,
    POST_PAYMENT,
    POST_RETURN_RECEIPT,
    QUARANTINE_STOCK,
    REALLOCATE_LINE,
    REFUND_CHARGE,
    REJECT_INVOICE,
    RESHIP_ORDER,
    SEND_MESSAGE,
    SEND_OUTREACH,
    SEND_VENDOR_MESSAGE,
    SWAP_RESERVATION,
)
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
    (
        SEND_OUTREACH,
        {**LETTER, "account_id": "A-2", "contact_id": "N-1"},
        {},
        "only a contact of this case's account is written to",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-9"},
        {},
        "the contact has a valid email address and has not opted out (ACC-8)",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(opted_out=True)])]},
        "has not opted out",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(opted_out=None)])]},
        "has not opted out",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=[a_contact(email_status="bounced")])]},
        "valid email address",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(contacts=None)]},
        "valid email address",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(do_not_contact=True)]},
        "an account on a do-not-contact list or legal hold is not written to (ACC-7)",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(legal_hold=True)]},
        "an account on a do-not-contact list or legal hold is not written to (ACC-7)",
    ),
    (
        SEND_OUTREACH,
        {**LETTER, **A1, "contact_id": "N-1"},
        {"accounts": [an_account(legal_hold=None)]},
        "on a do-not-contact list",
    ),
    (SEND_OUTREACH, {**LETTER, **A1, "contact_id": "N-1"}, {"crm": None}, "it is not known whether"),
    (SEND_OUTREACH, {**LETTER, **A1, "contact_id": "N-1", "template": "discount"}, {}, "template must be one of"),
    (ESCALATE_OPPORTUNITY, {"opportunity_id": "P-9"}, {}, "an open renewal of this account (ACC-4)"),
    (
        ESCALATE_OPPORTUNITY,
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-1", "kind": "expansion", "open": True}]},
        "an open renewal of this account",
    ),
    (
        ESCALATE_OPPORTUNITY,
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-1", "kind": "renewal", "open": False}]},
        "an open renewal of this account",
    ),
    (
        ESCALATE_OPPORTUNITY,
        {"opportunity_id": "P-1"},
        {"opportunities": [{"opportunity_id": "P-1", "account_id": "A-2", "kind": "renewal", "open": True}]},
        "an open renewal of this account",
    ),
    (ASSIGN_OWNER, {"account_id": "A-2", "owner": "csm_lead"}, {}, "an owner is assigned only to this case's account"),
    (CREATE_TASK, {"account_id": "A-2", "kind": "nurture"}, {}, "the task is for this case's account"),
    (FLAG_CONTACT, {"contact_id": "N-9", "issue": "bounced"}, {}, "the contact belongs to this account"),
    (POST_PAYMENT, PAY, {}, ""),
]


@pytest.mark.parametrize(("name", "args", "change", "says"), ACCOUNTS)
def test_an_account_plan_that_the_facts_do_not_bear_is_sent_back(name: str, args: Raw, change: Raw, says: str) -> None:
    said = objections(account_review(**change), "save_play", (name, args))
    assert says in said and said


INVOICES: list[tuple[str, Raw, Raw, str]] = [
    (POST_PAYMENT, {**I1, "amount_cents": 9_999}, {}, "only this case's invoice is paid, and in full (AP-10)"),
    (POST_PAYMENT, {**I1, "amount_cents": 10_001}, {}, "only this case's invoice is paid, and in full (AP-10)"),
    (POST_PAYMENT, {"invoice_id": "I-2", "amount_cents": 10_000}, {}, "only this case's invoice is paid, and in full"),
    (POST_PAYMENT, {**I1, "amount_cents": 10_000.0}, {}, "a whole number of cents"),
    (POST_PAYMENT, {**I1, "amount_cents": "10000"}, {}, "a whole number of cents"),
    (POST_PAYMENT, {**I1, "amount_cents": 0}, {}, "a whole number of cents"),
    (POST_PAYMENT, {**I1, "amount_cents": -10_000}, {}, "a whole number of cents"),
    (POST_PAYMENT, {**I1, "amount_cents": True}, {}, "a whole number of cents"),
    (
        POST_PAYMENT,
        PAY,
        {"invoices": [an_invoice(), an_invoice("I-0", received_at="2026-03-01T12:00:00Z", vendor_invoice_no="2026-17")]},
        "a duplicate invoice is not paid (AP-1)",
    ),
    (POST_PAYMENT, PAY, {"vendors": [a_vendor(status="blocked")]}, "only active vendors are paid (AP-2)"),
    (POST_PAYMENT, PAY, {"vendors": [a_vendor(status=None)]}, "only active vendors are paid (AP-2)"),
    (POST_PAYMENT, PAY, {"vendors": []}, "it is not known whether only active vendors are paid"),
    (
        POST_PAYMENT,
        PAY,
        {"vendors": [a_vendor(bank_changed_at="2026-02-07T12:00:00Z")]},
        "no payment goes out shortly after a change of bank details (AP-2)",
    ),
    (POST_PAYMENT, PAY, {"budgets": [{"budget_id": "B-1", "remaining_cents": 9_999}]}, "the budget covers the payment (AP-9)"),
    (POST_PAYMENT, PAY, {"budgets": []}, "it is not known whether the budget covers the payment"),
    (
        POST_PAYMENT,
        PAY,
        {"purchase_orders": [{"po_id": "PO-1", "vendor_id": "V-9", "currency": "USD", "lines": [], "budget_id": "B-1"}]},
        "the purchase order is with the vendor of the invoice",
    ),
    (POST_PAYMENT, PAY, {"erp": None}, "it is not known whether"),
    (HOLD_INVOICE, {"invoice_id": "I-2", "reason": "freight"}, {}, "only this case's invoice is held"),
    (HOLD_INVOICE, {**I1, "reason": "because"}, {}, "reason must be one of"),
    (REJECT_INVOICE, {"invoice_id": "I-2", "reason": "no_po"}, {}, "only this case's invoice is rejected"),
    (
        SEND_VENDOR_MESSAGE,
        {"vendor_id": "V-2", "template": "freight", "text": "Hello"},
        {},
        "the message goes to the vendor of the invoice",
    ),
    (SEND_VENDOR_MESSAGE, {**V1, "template": "freight"}, {}, "needs the argument 'text'"),
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
    said = objections(raw, "approve", (POST_PAYMENT, {**I1, "amount_cents": total}))
    assert f"the verdict must be {' or '.join(sorted({verdict, 'escalate'}))}" in said
    assert drafted(raw)["verdict"] == verdict


def test_an_invoice_is_not_paid_twice_in_one_plan() -> None:
    assert "step 2, post_payment" in objections(an_invoice_received(), "approve", (POST_PAYMENT, PAY), (POST_PAYMENT, PAY))


PICKUPS: list[tuple[str, Raw, Raw, str]] = [
    (CHANGE_PICKUP_LOCATION, {"order_id": "O-1", "to_location": "ST-3"}, {}, "the store is nearby and reliably has every line"),
    (CHANGE_PICKUP_LOCATION, {"order_id": "O-2", "to_location": "ST-2"}, {}, "the store is nearby and reliably has every line"),
    (CHANGE_PICKUP_LOCATION, {"order_id": "O-1", "to_location": "DC-1"}, {}, "the store is nearby and reliably has every line"),
    (CHANGE_PICKUP_LOCATION, {"order_id": "O-1", "to_location": "ST-1"}, {}, "the store is nearby and reliably has every line"),
    (
        CHANGE_PICKUP_LOCATION,
        {"order_id": "O-1", "to_location": "FL-1"},
        {"stock": [a_stock("A", "FL-1")]},
        "the store is nearby and reliably has every line",
    ),
    (
        CHANGE_PICKUP_LOCATION,
        {"order_id": "O-1", "to_location": "ST-2"},
        {"stock": [a_stock("A", "ST-2", failed_picks_14d=2)]},
        "reliably has every line in stock (BOP-1)",
    ),
    (
        CHANGE_PICKUP_LOCATION,
        {"order_id": "O-1", "to_location": "ST-2"},
        {"locations": [{"location": "ST-1", "type": "store", "km_to": {"ST-2": 25.001}}, {"location": "ST-2", "type": "store"}]},
        "the store is nearby",
    ),
    (CHANGE_PICKUP_LOCATION, {"order_id": "O-1", "to_location": "ST-2"}, {"wms": None}, "it is not known whether"),
    (CONVERT_TO_SHIPMENT, {"order_id": "O-1", "from_location": "DC-2"}, {}, "the distribution center has every line (BOP-2)"),
    (CONVERT_TO_SHIPMENT, {"order_id": "O-1", "from_location": "ST-2"}, {}, "the distribution center has every line"),
    (
        CONVERT_TO_SHIPMENT,
        {"order_id": "O-1", "from_location": "DC-1"},
        {"orders": [an_order(lines=[a_line(location="ST-1")], pickup_location="ST-1", allow_ship_home=False)]},
        "the order can be shipped home",
    ),
    (
        SEND_MESSAGE,
        {"customer_id": "C-2", "template": "pickup_moved", "text": "Hello"},
        {},
        "the message goes to the customer who placed the order",
    ),
]
SHELVES: list[tuple[str, Raw, Raw, str]] = [
    (QUARANTINE_STOCK, {"sku": "A", "location": "DC-2"}, {}, "only this case's phantom stock is quarantined (PHA-1)"),
    (QUARANTINE_STOCK, {"sku": "B", "location": "DC-1"}, {}, "only this case's phantom stock is quarantined (PHA-1)"),
    (
        QUARANTINE_STOCK,
        {"sku": "A", "location": "DC-1"},
        {"stock": [a_stock("A", "DC-1")]},
        "only this case's phantom stock is quarantined (PHA-1)",
    ),
    (REALLOCATE_LINE, {**LINE, "to_location": "DC-3"}, {}, "reliably has enough (PHA-2)"),
    (REALLOCATE_LINE, {**LINE, "to_location": "DC-1"}, {}, "reliably has enough"),
    (REALLOCATE_LINE, {"order_id": "O-9", "line_id": "1", "to_location": "DC-2"}, {}, "the order depends on this stock"),
    (REALLOCATE_LINE, {"order_id": "O-1", "line_id": "2", "to_location": "DC-2"}, {}, "the order depends on this stock"),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "DC-2"},
        {"stock": [PHANTOM, a_stock("A", "DC-2", failed_picks_14d=2)]},
        "reliably has enough",
    ),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "ST-2"},
        {"stock": [PHANTOM, a_stock("A", "ST-2")]},
        "reliably has enough",
    ),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "FL-1"},
        {"stock": [PHANTOM, a_stock("A", "FL-1")]},
        "reliably has enough",
    ),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "DC-2"},
        {"orders": [an_order("O-1", status="shipped")]},
        "the order depends on this stock",
    ),
]
DELAYS: list[tuple[str, Raw, Raw, str]] = [
    (REALLOCATE_LINE, {**LINE, "to_location": "DC-3"}, {}, "reliably has enough (INB-2)"),
    (REALLOCATE_LINE, {"order_id": "O-9", "line_id": "1", "to_location": "DC-2"}, {}, "the order is late"),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "DC-2"},
        {"orders": [reserving("O-1", 2, backorder_po_id="PO-1", promised_at=LATE), reserving("O-2", 2, backorder_po_id="PO-1")]},
        "the order is late",
    ),
    (EXPEDITE_PO, {"po_id": "PO-9"}, {}, "only this case's delivery is expedited"),
    (
        SEND_MESSAGE,
        {"customer_id": "C-9", "template": "delay_notice", "text": "Hello"},
        {},
        "the message goes to a customer whose order is late",
    ),
]
RETURNS: list[tuple[str, Raw, Raw, str]] = [
    (
        POST_RETURN_RECEIPT,
        {"return_id": "R-2", "disposition": "restock"},
        {},
        "the scanned item is the one being returned (RTN-1)",
    ),
    (
        POST_RETURN_RECEIPT,
        {**R1, "disposition": "restock"},
        {"returns": [a_return(condition="damaged")]},
        "damaged items are not restocked",
    ),
    (POST_RETURN_RECEIPT, {**R1, "disposition": "sell"}, {}, "disposition must be one of"),
    (REFUND_CHARGE, {"charge_id": "ch-1", "amount_cents": 10_001}, {}, "refunded once, from a charge on its order (RTN-2)"),
    (REFUND_CHARGE, {"charge_id": "ch-9", "amount_cents": 10_000}, {}, "refunded once, from a charge on its order"),
    (
        REFUND_CHARGE,
        {"charge_id": "ch-1", "amount_cents": 10_000},
        {"returns": [a_return(refunded_cents=1)]},
        "refunded once, from a charge on its order",
    ),
    (
        REFUND_CHARGE,
        {"charge_id": "ch-1", "amount_cents": 10_000},
        {"payments": [a_payment(charges=[a_charge(status="pending")])]},
        "refunded once, from a charge on its order",
    ),
    (
        REFUND_CHARGE,
        {"charge_id": "ch-2", "amount_cents": 10_000},
        {"payments": [a_payment(charges=[a_charge()]), a_payment("O-2", charges=[a_charge("ch-2")])]},
        "refunded once, from a charge on its order",
    ),
]
VIPS: list[tuple[str, Raw, Raw, str]] = [
    (REALLOCATE_LINE, {**LINE, "to_location": "DC-2"}, {}, "the location reliably has enough stock (STK-2)"),
    (
        REALLOCATE_LINE,
        {**LINE, "to_location": "DC-2"},
        {"stock": [a_stock("A", "DC-2", last_counted_at=None)]},
        "the location reliably has enough stock",
    ),
    (
        REALLOCATE_LINE,
        {"order_id": "O-2", "line_id": "1", "to_location": "DC-2"},
        {"stock": [a_stock("A", "DC-2")]},
        "the location reliably has enough stock",
    ),
    (
        SWAP_RESERVATION,
        {**SWAP, "from_order_id": "O-3"},
        {},
        "only a standard customer's unpicked reservation is taken (VIP-1)",
    ),
    (
        SWAP_RESERVATION,
        {**SWAP, "to_order_id": "O-2", "from_order_id": "O-1"},
        {},
        "only a standard customer's unpicked reservation",
    ),
    (SWAP_RESERVATION, {**SWAP, "sku": "B"}, {}, "only a standard customer's unpicked reservation"),
    (
        SWAP_RESERVATION,
        SWAP,
        {"orders": [reserving("O-1", 2), reserving("O-2", 2, picked=True, promised_at=LATE)]},
        "only a standard customer's unpicked reservation is taken",
    ),
    (SWAP_RESERVATION, SWAP, {"customers": customers(C1="vip", C2=None)}, "only a standard customer's unpicked reservation"),
    (
        BACKORDER_LINE,
        {"order_id": "O-2", "line_id": "1", "po_id": "PO-9"},
        {},
        "the order that gives up its reservation can wait (VIP-1)",
    ),
    (
        BACKORDER_LINE,
        {"order_id": "O-2", "line_id": "1", "po_id": "PO-1"},
        {"inbound": [an_inbound(qty=1)]},
        "the order that gives up its reservation can wait",
    ),
    (
        BACKORDER_LINE,
        {"order_id": "O-2", "line_id": "1", "po_id": "PO-1"},
        {"inbound": [an_inbound(eta="2026-03-20T12:00:01Z")]},
        "the order that gives up its reservation can wait",
    ),
    (EXPEDITE_PO, {"po_id": "PO-9"}, {}, "the delivery is for this line"),
    (
        EXPEDITE_PO,
        {"po_id": "PO-1"},
        {"inbound": [an_inbound(sku="B", expedited_eta=SOON, expedite_cost_cents=1)]},
        "the delivery is for this line",
    ),
    (
        OFFER_CREDIT,
        {"customer_id": "C-1", "amount_cents": 2_001},
        {},
        "the credit does not exceed what the clause allows (VIP-2)",
    ),
    (
        OFFER_CREDIT,
        {"customer_id": "C-1", "amount_cents": 15_001},
        {"orders": [an_order(customer_id="C-1", total_cents=10**7)]},
        "the credit does not exceed what the clause allows (VIP-2)",
    ),
    (OFFER_CREDIT, {"customer_id": "C-2", "amount_cents": 1}, {}, "the credit does not exceed what the clause allows (VIP-2)"),
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
        (account_review, OFFER_CREDIT, {"customer_id": "C-1", "amount_cents": 10**9}),
        (account_review, POST_PAYMENT, PAY),
        (an_invoice_received, REFUND_CHARGE, {"charge_id": "ch-1", "amount_cents": 1}),
        (pickup_failed, REFUND_CHARGE, {"charge_id": "ch-1", "amount_cents": 10_000}),
        (discrepancy, CANCEL_ORDER, {"order_id": "O-1", "reason": "out_of_stock"}),
        (delay, OFFER_CREDIT, {"customer_id": "C-1", "amount_cents": 10**9}),
        (return_unreconciled, RESHIP_ORDER, {"order_id": "O-1"}),
        (vip_conflict, CANCEL_LINE, {"order_id": "O-2", "line_id": "1"}),
    ],
)
def test_an_action_of_which_the_mission_knows_nothing_is_sent_back(world: World, name: str, args: Raw) -> None:
    raw = world()
    assert objections(raw, drafted(raw)["verdict"], (name, args)) == f"{name} is not an action of {raw['mission']}"


def test_an_action_that_only_another_part_of_the_pack_knows_is_sent_back() -> None:
    assert "offer_credit is not an action" in objections(
        pickup_failed(), "reroute", (OFFER_CREDIT, {"customer_id": "C-1", "amount_cents": 1})
    )


# What single steps do not show


def test_two_moves_of_one_plan_do_not_take_the_same_units() -> None:
    raw = discrepancy(stock=[PHANTOM, a_stock("A", "DC-2", 4)])
    both = [(REALLOCATE_LINE, {"order_id": order, "line_id": "1", "to_location": "DC-2"}) for order in ("O-1", "O-2")]
    assert "reliably has enough" in objections(raw, "quarantine", *both)


@pytest.mark.parametrize(
    ("world", "verdict", "name", "args"),
    [
        (an_exception, "hold_for_customer", PLACE_ORDER_HOLD, {"order_id": "O-2", "reason": "stock"}),
        (an_exception, "fulfil_with_changes", CANCEL_LINE, {"order_id": "O-2", "line_id": "1"}),
        (an_exception, "fulfil", CONFIRM_RESERVATION, {"order_id": "O-2"}),
    ],
)
def test_another_order_of_the_customer_is_left_alone(world: World, verdict: str, name: str, args: Raw) -> None:
    other = an_order("O-2", created_at="2026-01-01T12:00:00Z", lines=[a_line("1"), a_line("2", "B")])
    assert objections(world(orders=[an_order(), other]), verdict, (name, args))


@pytest.mark.parametrize(
    ("world", "verdict", "name", "args"),
    [
        (vip_conflict, "compensate", OFFER_CREDIT, [{"customer_id": "C-1", "amount_cents": 2_000}] * 2),
        (
            return_unreconciled,
            "reconcile",
            REFUND_CHARGE,
            [{"charge_id": "ch-1", "amount_cents": 10_000}, {"charge_id": "ch-2", "amount_cents": 10_000}],
        ),
    ],
)
def test_what_is_given_once_is_not_given_twice_in_one_plan(world: World, verdict: str, name: str, args: list[Raw]) -> None:
    raw = world()
    raw["systems"]["payments"]["payments"] = [a_payment(charges=[a_charge("ch-1"), a_charge("ch-2")])]
    assert objections(raw, verdict, *[(name, one) for one in args])
