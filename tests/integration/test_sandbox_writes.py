"""The sandbox company does what it is told, once, and keeps its invariants."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from errors import Refused
from systems.sandbox.loader import load_cases
from systems.sandbox.toolbox import writes_of
from tests.actions import UPDATE_SHIPPING_ADDRESS
from tests.integration.sandbox_world import (
    MISSIONS,
    SHIP_TO,
    Company,
    inbound,
    line,
    order,
    payment,
    recorded,
    shared_company,
    world,
)
from tests.reference import SYSTEMS


@pytest.fixture(scope="module")
def _shared(server_url: str) -> Iterator[Company]:
    with shared_company(server_url) as company:
        yield company


@pytest.fixture
def company(_shared: Company) -> Company:
    return _shared.reset_to(world())


def changed(answer: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """ "collection record field" -> (before, after)."""
    return {f"{one['collection']} {one['record']} {one['field']}": (one["before"], one["after"]) for one in answer["changed"]}


@pytest.mark.parametrize("mission", MISSIONS)
@pytest.mark.slow
def test_what_the_recorded_cases_expect_can_be_done(company: Company, mission: str) -> None:
    """An invariant that refuses what the handbook asks for would be a wrong invariant."""
    systems = {write.name: system for system in SYSTEMS for write in writes_of(system)}
    cases = recorded(mission)
    loaded = load_cases(company.empty().url, cases).loaded
    for case in [case for case in cases if case["case_id"] in loaded]:
        for action in case["expected"]["actions"]:
            args = dict(action["args"])
            if action["name"] == UPDATE_SHIPPING_ADDRESS:
                checks = case["systems"]["logistics"]["address_checks"]
                args["ship_to"] = next(one["suggested"] for one in checks if one["order_id"] == args["order_id"])
            assert company.write(f"{systems[action['name']]}.{action['name']}", **args)["changed"], case["case_id"]


def test_an_order_is_fulfilled_step_by_step(company: Company) -> None:
    company.reset_to({**world(), "payments": {"payments": [payment(on_hold=True)]}})
    company.write("payments.release_payment_hold", order_id="O-1")
    answer = company.write("wms.confirm_reservation", order_id="O-1")
    assert changed(answer) == {
        "wms.stock LAMP/DC-1 reserved": (0, 2),
        "wms.stock RUG/DC-1 reserved": (0, 2),
        "oms.orders O-1 reservation": (None, "confirmed"),
    }
    answer = company.write("oms.release_to_fulfilment", order_id="O-1")
    assert changed(answer) == {"oms.orders O-1 status": ("new", "ready")}
    assert (company.order()["status"], company.stock("LAMP")["reserved"]) == ("ready", 2)


def test_a_reservation_leaves_out_cancelled_and_backordered_lines(company: Company) -> None:
    company.write("wms.backorder_line", order_id="O-1", line_id="1", po_id="PO-1")
    company.write("wms.confirm_reservation", order_id="O-1")
    assert (company.stock("LAMP")["reserved"], company.stock("RUG")["reserved"]) == (0, 2)


def test_cancelling_an_order_sets_its_reserved_units_free(company: Company) -> None:
    company.write("wms.confirm_reservation", order_id="O-1")
    company.write("oms.cancel_order", order_id="O-1", reason="duplicate")
    assert (company.order()["status"], company.stock("LAMP")["reserved"]) == ("cancelled", 0)


def test_a_cancelled_line_is_told_as_such(company: Company) -> None:
    answer = company.write("oms.cancel_line", order_id="O-1", line_id="2")
    assert changed(answer) == {"oms.orders O-1 lines/2/cancelled": (None, True)}
    assert [(one["line_id"], one.get("cancelled")) for one in company.order()["lines"]] == [("1", None), ("2", True)]
    assert company.order()["total_cents"] == 9000


def test_reserved_units_follow_a_line_to_another_location(company: Company) -> None:
    company.write("wms.confirm_reservation", order_id="O-1")
    company.write("wms.reallocate_line", order_id="O-1", line_id="1", to_location="DC-2")
    assert (company.stock("LAMP")["reserved"], company.stock("LAMP", "DC-2")["reserved"]) == (0, 2)
    assert company.order()["lines"][0]["location"] == "DC-2"


def test_a_line_is_substituted_and_the_total_stays(company: Company) -> None:
    company.write("oms.substitute_line", order_id="O-1", line_id="1", sku="SHADE")
    assert (company.order()["lines"][0]["sku"], company.order()["total_cents"]) == ("SHADE", 9000)


def test_an_order_whose_every_line_waits_is_backordered(company: Company) -> None:
    company.write("wms.backorder_line", order_id="O-2", line_id="1", po_id="PO-1")
    assert company.order("O-2")["status"] == "backordered"
    assert company.order("O-2")["lines"][0]["backorder_po_id"] == "PO-1"
    assert [one["order_id"] for one in company.call("oms.list_backorders", po_ids=["PO-1"])["records"]] == ["O-2"]


def test_a_delivery_may_bring_several_skus_and_is_expedited_with_all(company: Company) -> None:
    systems = world()
    systems["wms"]["inbound"] = [inbound("PO-1"), inbound("PO-1", "RUG"), inbound("PO-1", "RUG", "DC-2")]
    company.reset_to(systems)
    company.write("wms.backorder_line", order_id="O-1", line_id="2", po_id="PO-1")
    company.write("erp.expedite_po", po_id="PO-1")
    found = company.call("wms.list_inbound", skus=["LAMP", "RUG"])["records"]
    assert [(one["sku"], one["eta"], one["expedited"]) for one in found] == [
        (sku, "2026-03-10T00:00:00Z", True) for sku in ("LAMP", "RUG", "RUG")
    ]


def test_orders_are_found_by_the_skus_of_their_lines(company: Company) -> None:
    company.write("oms.cancel_line", order_id="O-1", line_id="2")
    found = company.call("oms.list_orders_by_sku", skus=["RUG", "SHADE"])["records"]
    assert [one["order_id"] for one in found] == ["O-3"]


def test_all_accounts_are_told(company: Company) -> None:
    assert [one["account_id"] for one in company.call("crm.list_accounts")["records"]] == ["A-1", "A-2"]


def test_what_waited_for_a_delivery_is_picked_from_the_new_store(company: Company) -> None:
    systems = world()
    systems["wms"]["inbound"] = [inbound("PO-1", location="ST-1")]
    company.reset_to(systems)
    company.write("wms.backorder_line", order_id="O-4", line_id="1", po_id="PO-1")
    company.write("oms.change_pickup_location", order_id="O-4", to_location="ST-2")
    (line_,) = company.order("O-4")["lines"]
    assert (line_["location"], line_.get("backorder_po_id")) == ("ST-2", None)


def test_money_is_authorized_captured_and_refunded(company: Company) -> None:
    company.write("payments.reauthorize", order_id="O-1", amount_cents=9500)
    company.write("payments.capture_payment", order_id="O-1", amount_cents=9500)
    (charge,) = company.payment()["charges"]
    assert (charge["amount_cents"], charge["status"], charge["refunded_cents"]) == (9500, "captured", 0)
    company.write("payments.refund_charge", charge_id=charge["charge_id"], amount_cents=9000)
    company.write("payments.refund_charge", charge_id=charge["charge_id"], amount_cents=500)
    (charge,) = company.payment()["charges"]
    assert (charge["status"], charge["refunded_cents"]) == ("refunded", 9500)


def test_a_hold_is_shown_and_lifted_by_the_release(company: Company) -> None:
    company.write("oms.place_order_hold", order_id="O-1", reason="address")
    assert (company.order()["status"], company.order()["hold_reason"]) == ("address_hold", "address")
    company.write("oms.update_shipping_address", order_id="O-1", ship_to={**SHIP_TO, "line1": "1 Elm\0"})
    company.write("wms.confirm_reservation", order_id="O-1")
    company.write("oms.release_to_fulfilment", order_id="O-1")
    assert "hold_reason" not in company.order()
    assert company.order()["ship_to"]["line1"] == "1 Elm\ufffd"


def test_a_pickup_moves_to_another_store_or_becomes_a_shipment(company: Company) -> None:
    company.write("oms.change_pickup_location", order_id="O-4", to_location="ST-2")
    moved = company.order("O-4")
    assert (moved["pickup_location"], moved["lines"][0]["location"]) == ("ST-2", "ST-2")
    company.write("oms.convert_to_shipment", order_id="O-4", from_location="DC-1")
    shipped = company.order("O-4")
    assert (shipped["pickup_location"], shipped["lines"][0]["location"]) == (None, "DC-1")


def test_a_released_pickup_order_can_still_move_but_not_lose_a_line(company: Company) -> None:
    company.write("wms.confirm_reservation", order_id="O-4")
    company.write("oms.release_to_fulfilment", order_id="O-4")
    company.write("oms.change_pickup_location", order_id="O-4", to_location="ST-2")
    assert (company.stock("LAMP", "ST-1")["reserved"], company.stock("LAMP", "ST-2")["reserved"]) == (0, 2)
    with pytest.raises(Refused, match="is ready"):
        company.write("oms.cancel_line", order_id="O-4", line_id="1")


def test_a_line_of_a_released_order_can_still_be_filled_from_elsewhere(company: Company) -> None:
    company.write("wms.confirm_reservation", order_id="O-4")
    company.write("oms.release_to_fulfilment", order_id="O-4")
    company.write("wms.reallocate_line", order_id="O-4", line_id="1", to_location="DC-1")
    assert (company.stock("LAMP", "ST-1")["reserved"], company.stock("LAMP", "DC-1")["reserved"]) == (0, 2)


def test_a_swap_gives_the_units_of_one_order_to_another(company: Company) -> None:
    company.write("wms.confirm_reservation", order_id="O-2")
    company.write("wms.swap_reservation", from_order_id="O-2", to_order_id="O-1", sku="LAMP")
    assert company.stock("LAMP")["reserved"] == 2
    assert "reservation" not in company.order("O-2")
    company.write("wms.confirm_reservation", order_id="O-1")
    assert company.stock("LAMP")["reserved"] == 2  # they are not reserved twice


def test_a_return_goes_back_on_the_shelf(company: Company) -> None:
    company.write("erp.post_return_receipt", return_id="R-1", disposition="restock")
    assert company.stock("LAMP")["on_hand"] == 12
    assert company.call("oms.get_return", return_id="R-1")["record"]["receipt_posted"] is True


def test_a_payment_is_posted_from_the_budget(company: Company) -> None:
    company.write("erp.post_payment", invoice_id="I-1", amount_cents=4000)
    assert company.call("erp.get_budget", budget_id="B-1")["record"]["remaining_cents"] == 1000
    assert company.call("erp.get_invoice", invoice_id="I-1")["record"]["state"] == "posted"


def test_every_receivable_of_an_account_is_told(company: Company) -> None:
    found = company.call("erp.list_receivables", account_id="A-1")["records"]
    assert [one["overdue_days"] for one in found] == [8, 105]


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("oms.reship_order", {"order_id": "O-3"}),
    ("wms.quarantine_stock", {"sku": "LAMP", "location": "DC-1"}),
    ("wms.request_cycle_count", {"sku": "UNSEEN", "location": "DC-1"}),
    ("crm.send_message", {"customer_id": "C-1", "template": "delay_notice"}),
    ("crm.send_message", {"customer_id": "C-1", "template": "delay_notice", "text": "null"}),
    ("crm.send_message", {"customer_id": "C-1", "template": "delay_notice", "text": "[1]"}),
    ("crm.send_outreach", {"account_id": "A-1", "contact_id": "N-1", "template": "csm_outreach"}),
    ("crm.send_outreach", {"account_id": "A-1", "contact_id": "N-1", "template": "csm_outreach", "text": "Dear Ann"}),
    ("crm.offer_credit", {"customer_id": "C-1", "amount_cents": 1800}),
    ("crm.create_task", {"account_id": "A-1", "kind": "nurture"}),
    ("crm.flag_contact", {"contact_id": "N-1b", "issue": "bounced"}),
    ("crm.escalate_opportunity", {"opportunity_id": "P-1"}),
    ("crm.assign_owner", {"account_id": "A-1", "owner": "csm_lead"}),
    ("crm.change_subscription", {"subscription_id": "SB-1", "plan": "cancelled"}),
    ("crm.send_password_reset", {"customer_id": "C-1"}),
    ("crm.open_case", {"queue": "fraud", "subject_id": "anything"}),
    ("erp.hold_invoice", {"invoice_id": "I-1", "reason": "freight"}),
    ("erp.reject_invoice", {"invoice_id": "I-1", "reason": "duplicate"}),
    ("erp.send_vendor_message", {"vendor_id": "V-1", "template": "freight"}),
    ("erp.send_vendor_message", {"vendor_id": "V-1", "template": "freight", "text": "Your freight is too high."}),
    ("erp.expedite_po", {"po_id": "PO-1"}),
    ("logistics.create_return_label", {"order_id": "O-3"}),
    ("payments.void_authorization", {"auth_id": "au_O-1"}),
]


@pytest.mark.parametrize(("tool", "args"), ACCEPTED)
def test_every_other_write_changes_something_and_says_what(company: Company, tool: str, args: dict[str, Any]) -> None:
    before = company.snapshot()
    answer = company.write(tool, **args)
    assert answer["changed"] and answer["receipt_id"] and answer["replayed"] is False
    assert company.snapshot() != before


#: (tool, arguments, what the sentence says); tried on `world()` one after the other
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("oms.release_to_fulfilment", {"order_id": "O-9"}, "There is no order O-9"),
    ("oms.release_to_fulfilment", {"order_id": "O-1"}, "not confirmed"),
    ("oms.release_to_fulfilment", {"order_id": "O-3"}, "is shipped"),
    ("oms.cancel_order", {"order_id": "O-3", "reason": "duplicate"}, "is shipped"),
    ("oms.cancel_line", {"order_id": "O-1", "line_id": "7"}, "has no line 7"),
    ("oms.cancel_line", {"order_id": "O-2", "line_id": "1"}, "cancel the order instead"),
    ("oms.cancel_line", {"order_id": "O-3", "line_id": "1"}, "is shipped"),
    ("oms.substitute_line", {"order_id": "O-1", "line_id": "2", "sku": "SHADE"}, "not a substitute for RUG"),
    ("oms.substitute_line", {"order_id": "O-2", "line_id": "1", "sku": "SHADE"}, "2 unreserved units"),
    ("oms.update_shipping_address", {"order_id": "O-3", "ship_to": SHIP_TO}, "is shipped"),
    ("oms.update_shipping_address", {"order_id": "O-1", "ship_to": {"line1": " "}}, "has no line1"),
    ("oms.update_shipping_address", {"order_id": "O-1", "ship_to": {**SHIP_TO, "line1": False}}, "has no line1"),
    ("oms.update_shipping_address", {"order_id": "O-1", "ship_to": {**SHIP_TO, "line1": {}}}, "cannot tell from these"),
    ("oms.place_order_hold", {"order_id": "O-3", "reason": "stock"}, "is shipped"),
    ("oms.reship_order", {"order_id": "O-1"}, "only what was shipped"),
    ("oms.change_pickup_location", {"order_id": "O-1", "to_location": "ST-2"}, "not to be picked up"),
    ("oms.change_pickup_location", {"order_id": "O-4", "to_location": "ST-1"}, "already"),
    ("oms.change_pickup_location", {"order_id": "O-4", "to_location": "DC-1"}, "not a store"),
    ("oms.convert_to_shipment", {"order_id": "O-1", "from_location": "DC-2"}, "not a pickup order"),
    ("payments.release_payment_hold", {"order_id": "O-1"}, "not on hold"),
    ("payments.release_payment_hold", {"order_id": "O-3"}, "is shipped"),
    ("payments.void_authorization", {"auth_id": "au_none"}, "There is no authorization"),
    ("payments.capture_payment", {"order_id": "O-1", "amount_cents": 9001}, "the best covers 9000"),
    ("payments.refund_charge", {"charge_id": "ch_O-2", "amount_cents": 9001}, "9000 cents are left"),
    ("payments.refund_charge", {"charge_id": "ch_none", "amount_cents": 1}, "There is no charge"),
    ("wms.confirm_reservation", {"order_id": "O-3"}, "is shipped"),
    ("wms.reallocate_line", {"order_id": "O-1", "line_id": "1", "to_location": "DC-1"}, "already"),
    ("wms.reallocate_line", {"order_id": "O-1", "line_id": "1", "to_location": "DC-9"}, "There is no location"),
    (
        "wms.reallocate_line",
        {"order_id": "O-1", "line_id": "2", "to_location": "DC-2"},
        "There is no stock of RUG/DC-2",
    ),
    ("wms.backorder_line", {"order_id": "O-1", "line_id": "1", "po_id": "PO-9"}, "There is no inbound delivery"),
    ("wms.backorder_line", {"order_id": "O-1", "line_id": "2", "po_id": "PO-1"}, "brings no RUG to DC-1"),
    ("wms.quarantine_stock", {"sku": "LAMP", "location": "DC-9"}, "There is no stock"),
    ("wms.request_cycle_count", {"sku": "LAMP", "location": "DC-9"}, "There is no location"),
    ("wms.swap_reservation", {"from_order_id": "O-1", "to_order_id": "O-1", "sku": "LAMP"}, "its own"),
    ("wms.swap_reservation", {"from_order_id": "O-1", "to_order_id": "O-2", "sku": "LAMP"}, "3 are wanted"),
    ("wms.swap_reservation", {"from_order_id": "O-2", "to_order_id": "O-1", "sku": "RUG"}, "no line of RUG"),
    ("crm.send_message", {"customer_id": "C-9", "template": "delay_notice"}, "There is no customer"),
    ("crm.send_outreach", {"account_id": "A-2", "contact_id": "N-3", "template": "x"}, "must not be contacted"),
    ("crm.send_outreach", {"account_id": "A-1", "contact_id": "N-1b", "template": "x"}, "no working address"),
    ("crm.send_outreach", {"account_id": "A-1", "contact_id": "N-3", "template": "x"}, "has no contact"),
    ("crm.flag_contact", {"contact_id": "N-9", "issue": "bounced"}, "no contact N-9"),
    ("crm.escalate_opportunity", {"opportunity_id": "P-9"}, "There is no opportunity"),
    ("erp.post_payment", {"invoice_id": "I-1", "amount_cents": 4001}, "too much"),
    ("erp.post_payment", {"invoice_id": "I-2", "amount_cents": 9_000_000}, "5000 cents left"),
    ("erp.expedite_po", {"po_id": "PO-2"}, "cannot be expedited"),
    ("logistics.create_return_label", {"order_id": "O-1"}, "only a shipped order"),
]


@pytest.mark.parametrize(("tool", "args", "sentence"), REFUSED)
def test_what_breaks_an_invariant_is_refused_in_a_sentence_and_changes_nothing(
    company: Company, tool: str, args: dict[str, Any], sentence: str
) -> None:
    before = company.snapshot()
    with pytest.raises(Refused, match=sentence):
        company.write(tool, **args)
    assert company.snapshot() == before


Write = tuple[str, dict[str, Any]]


def _write(tool: str, **args: Any) -> Write:
    return tool, args


CANCEL = _write("oms.cancel_order", order_id="O-1", reason="duplicate")
CONFIRM = _write("wms.confirm_reservation", order_id="O-1")
CAPTURE_ONE = _write("payments.capture_payment", order_id="O-1", amount_cents=1)
CAPTURE_ALL = _write("payments.capture_payment", order_id="O-1", amount_cents=9000)
VOID = _write("payments.void_authorization", auth_id="au_O-1")
BACKORDER = _write("wms.backorder_line", order_id="O-1", line_id="1", po_id="PO-1")
BACKORDER_OTHER = _write("wms.backorder_line", order_id="O-2", line_id="1", po_id="PO-1")
POST = _write("erp.post_payment", invoice_id="I-1", amount_cents=1)
SCRAP = _write("erp.post_return_receipt", return_id="R-1", disposition="scrap")
REFUND_ALL = _write("payments.refund_charge", charge_id="ch_O-2", amount_cents=9000)
UNSUBSCRIBE = _write("crm.change_subscription", subscription_id="SB-1", plan="cancelled")

#: (first write, second write, what the refusal of the second says)
REFUSED_AFTER: list[tuple[Write, Write, str]] = [
    (CANCEL, CANCEL, "is cancelled"),
    (CANCEL, CONFIRM, "is cancelled"),
    (CANCEL, CAPTURE_ONE, "is cancelled"),
    (CONFIRM, CONFIRM, "confirmed already"),
    (BACKORDER, BACKORDER_OTHER, "1 units that are not promised"),
    (BACKORDER_OTHER, _write("wms.confirm_reservation", order_id="O-2"), "nothing to reserve"),
    (_write("wms.quarantine_stock", sku="LAMP", location="DC-1"), CONFIRM, "in quarantine"),
    (VOID, CAPTURE_ONE, "no live authorization"),
    (VOID, VOID, "is voided"),
    (CAPTURE_ALL, CAPTURE_ONE, "the best covers 0"),
    (CAPTURE_ALL, VOID, "captured already"),
    (REFUND_ALL, _write("payments.refund_charge", charge_id="ch_O-2", amount_cents=1), "is refunded"),
    (POST, POST, "is posted already"),
    (POST, _write("erp.reject_invoice", invoice_id="I-1", reason="duplicate"), "is posted already"),
    (_write("erp.reject_invoice", invoice_id="I-1", reason="duplicate"), POST, "is rejected already"),
    (_write("erp.expedite_po", po_id="PO-1"), _write("erp.expedite_po", po_id="PO-1"), "expedited already"),
    (SCRAP, SCRAP, "posted already"),
    (_write("oms.reship_order", order_id="O-3"), _write("oms.reship_order", order_id="O-3"), "again already"),
    (UNSUBSCRIBE, UNSUBSCRIBE, "is cancelled"),
    (
        _write("crm.escalate_opportunity", opportunity_id="P-1"),
        _write("crm.escalate_opportunity", opportunity_id="P-1"),
        "escalated already",
    ),
]


@pytest.mark.parametrize(("first", "second", "sentence"), REFUSED_AFTER)
def test_a_second_write_that_the_first_rules_out_is_refused(company: Company, first: Write, second: Write, sentence: str) -> None:
    company.write(first[0], **first[1])
    before = company.snapshot()
    with pytest.raises(Refused, match=sentence):
        company.write(second[0], **second[1])
    assert company.snapshot() == before


def test_an_order_is_not_released_while_its_payment_is_on_hold(company: Company) -> None:
    company.reset_to({**world(), "payments": {"payments": [payment(on_hold=True)]}})
    company.write("wms.confirm_reservation", order_id="O-1")
    with pytest.raises(Refused, match="on hold"):
        company.write("oms.release_to_fulfilment", order_id="O-1")


def test_no_more_is_reserved_than_lies_there_and_no_line_is_left_half_reserved(company: Company) -> None:
    greedy = order("O-1", lines=[line("1", "LAMP", qty=1), line("2", "SHADE", qty=3)])
    systems = world()
    systems["oms"]["orders"][0] = greedy
    company.reset_to(systems)
    with pytest.raises(Refused, match="SHADE"):
        company.write("wms.confirm_reservation", order_id="O-1")
    assert company.stock("LAMP")["reserved"] == 0


def test_a_picked_line_is_not_swapped_away(company: Company) -> None:
    systems = world()
    systems["oms"]["orders"][1]["lines"][0]["picked"] = True
    company.reset_to(systems)
    with pytest.raises(Refused, match="picked already"):
        company.write("wms.swap_reservation", from_order_id="O-2", to_order_id="O-1", sku="LAMP")


def test_a_damaged_return_is_not_restocked(company: Company) -> None:
    systems = world()
    systems["oms"]["returns"][0]["condition"] = "damaged"
    company.reset_to(systems)
    with pytest.raises(Refused, match="cannot be restocked"):
        company.write("erp.post_return_receipt", return_id="R-1", disposition="restock")


def test_an_authorization_that_expired_when_the_case_was_recorded_is_not_captured(company: Company) -> None:
    systems = world()
    systems["payments"]["payments"][0]["authorizations"][0]["expires_at"] = "2026-03-06T23:59:59Z"
    company.reset_to(systems)
    with pytest.raises(Refused, match="no live authorization"):
        company.write("payments.capture_payment", order_id="O-1", amount_cents=9000)


@pytest.mark.parametrize("amount", [0, -5, 500.0, "500", True, None, 10**15])
def test_an_amount_that_is_no_positive_integer_is_refused_by_name(company: Company, amount: Any) -> None:
    with pytest.raises(Refused, match="refund_charge does not take this amount_cents"):
        company.write("payments.refund_charge", charge_id="ch_O-2", amount_cents=amount)
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 0


def test_an_argument_too_many_or_too_few_is_refused_by_name(company: Company) -> None:
    with pytest.raises(Refused, match="does not take this colour"):
        company.write("payments.release_payment_hold", order_id="O-1", colour="red")
    with pytest.raises(Refused, match="order_id: field required"):
        company.write("payments.release_payment_hold")
    with pytest.raises(Refused, match="idempotency_key: field required"):
        company.call("payments.release_payment_hold", order_id="O-1")


def test_the_same_key_again_gives_the_first_answer(company: Company) -> None:
    args = {"charge_id": "ch_O-2", "amount_cents": 4000}
    first = company.write("payments.refund_charge", key="k", **args)
    again = company.write("payments.refund_charge", key="k", **args)
    assert again == {**first, "replayed": True}
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 4000


def test_the_same_key_with_other_arguments_or_another_tool_is_refused(company: Company) -> None:
    company.write("payments.refund_charge", key="k", charge_id="ch_O-2", amount_cents=4000)
    with pytest.raises(Refused, match="was already used for another call"):
        company.write("payments.refund_charge", key="k", charge_id="ch_O-2", amount_cents=4001)
    with pytest.raises(Refused, match="was already used for another call"):
        company.write("payments.void_authorization", key="k", auth_id="au_O-2")
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 4000


def test_a_refused_write_does_not_use_up_its_key(company: Company) -> None:
    with pytest.raises(Refused):
        company.write("oms.release_to_fulfilment", key="k", order_id="O-1")
    company.write("wms.confirm_reservation", order_id="O-1")
    assert company.write("oms.release_to_fulfilment", key="k", order_id="O-1")["replayed"] is False


def test_two_concurrent_calls_with_one_key_run_once(company: Company) -> None:
    others = [Company(company.url) for _ in range(4)]

    def refund(one: Company) -> dict[str, Any]:
        return one.write("payments.refund_charge", key="k", charge_id="ch_O-2", amount_cents=1000)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(refund, others))
    assert sorted(answer["replayed"] for answer in answers) == [False, True, True, True]
    assert len({answer["receipt_id"] for answer in answers}) == 1
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 1000


def test_concurrent_refunds_never_exceed_the_charge(company: Company) -> None:
    others = [Company(company.url) for _ in range(4)]

    def refund(numbered: tuple[int, Company]) -> bool:
        try:
            numbered[1].write("payments.refund_charge", key=f"k{numbered[0]}", charge_id="ch_O-2", amount_cents=4000)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(refund, enumerate(others)))
    assert sum(done) == 2
    assert company.payment("O-2")["charges"][0]["refunded_cents"] == 8000
