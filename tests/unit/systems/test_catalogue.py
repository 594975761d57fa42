"""An entry of the catalogue that is wrong does not load; arguments that do not fit do not pass."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput, Refused, SendBack
from systems.catalogue import Catalogue, default_catalogue
from systems.records import Records

#: every action of CONTRACT.md with the arguments that count
CONTRACT = """
release_payment_hold(order_id) confirm_reservation(order_id) release_to_fulfilment(order_id) cancel_order(order_id,reason)
cancel_line(order_id,line_id) reallocate_line(order_id,line_id,to_location) backorder_line(order_id,line_id,po_id)
substitute_line(order_id,line_id,sku) update_shipping_address(order_id) place_order_hold(order_id,reason)
void_authorization(auth_id) reauthorize(order_id,amount_cents) capture_payment(order_id,amount_cents)
refund_charge(charge_id,amount_cents) reship_order(order_id) create_return_label(order_id)
change_subscription(subscription_id,plan) send_password_reset(customer_id) send_message(customer_id,template)
send_outreach(account_id,contact_id,template) escalate_opportunity(opportunity_id) assign_owner(account_id,owner)
create_task(account_id,kind) flag_contact(contact_id,issue) post_payment(invoice_id,amount_cents)
hold_invoice(invoice_id,reason) reject_invoice(invoice_id,reason) send_vendor_message(vendor_id,template)
change_pickup_location(order_id,to_location) convert_to_shipment(order_id,from_location) quarantine_stock(sku,location)
request_cycle_count(sku,location) expedite_po(po_id) post_return_receipt(return_id,disposition)
swap_reservation(from_order_id,to_order_id,sku) offer_credit(customer_id,amount_cents) open_case(queue,subject_id)
"""

COSTS = (
    "expedite_po", "reship_order", "substitute_line", "post_return_receipt", "reallocate_line", "swap_reservation",
    "change_pickup_location", "convert_to_shipment", "create_return_label",
)  # fmt: skip

MOVE: dict[str, Any] = {
    "system": "oms",
    "says": "Move {order_id} for {fee_cents}",
    "args": {"order_id": "id", "fee_cents": "cents"},
    "looks_at": {"order": "oms.orders[order_id]"},
    "needs": [{"that": "order.status == 'new'", "else": "the order is not new"}],
    "effect": {"oms.orders[order_id].place": "=order_id", "oms.orders[order_id].note": "constant"},
    "money": {"capture": "=fee_cents"},
    "undo": {"move": {"order_id": "=order_id", "fee_cents": 1}},
}


def load(folder: Path, **entry: Any) -> Catalogue:
    file = folder / "actions.yaml"
    file.write_text(yaml.safe_dump({"move": MOVE | entry}, sort_keys=False))
    return Catalogue.load(file)


def test_the_catalogue_as_shipped_loads_and_has_a_digest() -> None:
    catalogue = default_catalogue()
    assert catalogue["refund_charge"].tool == "payments.refund_charge"
    assert catalogue.digest == default_catalogue().digest


def test_the_catalogue_has_every_action_with_the_arguments_that_count() -> None:
    assert {f"{name}({','.join(action.counting)})" for name, action in default_catalogue().items()} == set(CONTRACT.split())


def test_what_is_sent_is_an_argument_that_does_not_count() -> None:
    drafted = {name for name, action in default_catalogue().items() if action.args.get("text") == "text"}
    assert drafted == {"send_message", "send_outreach", "send_vendor_message"}


def test_each_money_of_an_action_is_of_a_kind_that_a_band_counts() -> None:
    kinds = {name: set(action.money) for name, action in default_catalogue().items() if action.money}
    assert kinds == {
        "release_payment_hold": {"release"},
        "capture_payment": {"capture"},
        "refund_charge": {"refund"},
        "post_payment": {"payment"},
        "reauthorize": {"authorization"},
        "offer_credit": {"credit"},
        **{name: {"cost"} for name in COSTS},
    }


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"colour": "red"}, "colour"),
        ({"args": {"order_id": "number", "fee_cents": "cents"}}, "args"),
        ({"needs": [{"that": "true"}]}, "needs"),
        ({"looks_at": {"order": "oms.nothing[order_id]"}}, "oms.nothing"),
        ({"looks_at": {"order": "just text"}}, "just text"),
        ({"looks_at": {"order": "oms.orders[other_id]"}}, "other_id"),
        ({"effect": {"oms.orders[other_id].status": 1}}, "other_id"),
        ({"effect": {"oms.orders[other.order_id].status": 1}}, "other"),
        ({"effect": {"oms.orders[order_id]": 1}}, "names no field"),
        ({"effect": {"oms.orders[order_id].lines[+].qty": 1}}, "names no field"),
        ({"effect": {"oms.orders[order_id].status": "=order."}}, "does not compile"),
        ({"looks_at": {"line": "oms.orders[order_id].lines[*]"}}, "no single value"),
        ({"looks_at": {"it": "oms.orders[order_id]"}}, "rename it"),
        ({"looks_at": {"order_id": "oms.orders[order_id]"}}, "rename it"),
        ({"looks_at": {"order": "oms.orders[later.order_id]", "later": "oms.orders[order_id]"}}, "later"),
        ({"money": {"capture": "=it.fee_cents"}}, "it"),
        ({"effect": {"oms.orders[order_id].status": "=nix"}}, "nix"),
        ({"needs": [{"that": "order.status ==", "else": "x"}]}, "does not compile"),
        ({"needs": [{"that": "ordr.status == 1", "else": "x"}]}, "ordr"),
        ({"money": {"capture": "=nix"}}, "nix"),
        ({"undo": {"move_back": {}}}, "move_back"),
        ({"undo": {"move": {"order_id": "=nix"}}}, "nix"),
    ],
)
def test_a_wrong_entry_is_refused_and_the_action_named(tmp_path: Path, entry: dict[str, Any], wrong: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, **entry)
    assert "action move" in str(caught.value) and wrong in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- a list", "just words", "move: [", "move: 3", ""])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"actions\.yaml"):
        Catalogue.load(file)


def test_a_missing_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Catalogue.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("capture_payment", {"order_id": "O-1", "amount_cents": -1}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": 0}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": 500.0}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": "500"}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": True}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": None}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": 10**13}, "whole number of cents"),
        ("capture_payment", {"order_id": "O-1"}, "needs the argument 'amount_cents'"),
        ("capture_payment", {"order_id": "O-1", "amount_cents": 5, "approved": True}, "no argument 'approved'"),
        ("capture_payment", {"order_id": "", "amount_cents": 5}, "1 to 100 characters"),
        ("capture_payment", {"order_id": "x" * 101, "amount_cents": 5}, "1 to 100 characters"),
        ("capture_payment", {"order_id": 7, "amount_cents": 5}, "1 to 100 characters"),
        ("capture_payment", {"order_id": ["O-1"], "amount_cents": 5}, "1 to 100 characters"),
        ("cancel_order", {"order_id": "O-1", "reason": "because"}, "one of duplicate, out_of_stock"),
        ("cancel_order", {"order_id": "O-1", "reason": None}, "one of duplicate, out_of_stock"),
        ("send_message", {"customer_id": "C-1", "template": "you_won", "text": "Hello"}, "one of cancellation_notice"),
        ("send_message", {"customer_id": "C-1", "template": "delay_notice"}, "needs the argument 'text'"),
        ("send_message", {"customer_id": "C-1", "template": "delay_notice", "text": ""}, "text of 1 to 4000 characters"),
        ("open_case", {"queue": "executive_board", "subject_id": "O-1"}, "one of account_team"),
        ("update_shipping_address", {"order_id": "O-1", "ship_to": "1 Elm St"}, "must be an address"),
        ("update_shipping_address", {"order_id": "O-1", "ship_to": {"line1": "1 Elm St"}}, "must be an address"),
    ],
)
def test_arguments_that_do_not_fit_are_sent_back_with_a_sentence(name: str, args: dict[str, Any], says: str) -> None:
    with pytest.raises(SendBack) as caught:
        default_catalogue()[name].validate(args)
    assert str(caught.value).startswith(name) and says in str(caught.value)


def test_arguments_at_their_limits_pass() -> None:
    default_catalogue()["capture_payment"].validate({"order_id": "x" * 100, "amount_cents": 1})
    default_catalogue()["capture_payment"].validate({"order_id": "x", "amount_cents": 10**12})


def test_an_action_says_what_it_does_with_money_as_dollars(tmp_path: Path) -> None:
    assert load(tmp_path)["move"].sentence({"order_id": "O-1", "fee_cents": 123_456}) == "Move O-1 for $1,234.56"


def test_hostile_text_in_an_argument_is_only_shown(tmp_path: Path) -> None:
    text = "{order_id.__class__} {0} {{fee_cents}}"
    assert load(tmp_path)["move"].sentence({"order_id": text, "fee_cents": 1}) == f"Move {text} for $0.01"


def test_an_action_changes_records_and_knows_its_money_and_its_undoing(tmp_path: Path) -> None:
    move, records, args = load(tmp_path)["move"], Records(), {"order_id": "O-1", "fee_cents": 5}
    records.add("oms.orders", [{"order_id": "O-1", "status": "new"}])
    seen = move.seen(records, args)
    assert move.unmet_need(seen) is None
    assert [change.after for change in move.apply(records, seen)] == ["O-1", "constant"]
    assert move.cents(seen, {}) == {"capture": 5}
    assert move.undoing(seen) == {"name": "move", "args": {"order_id": "O-1", "fee_cents": 1}}


@pytest.mark.parametrize(
    "orders", [[], [{"order_id": "O-1"}], [{"order_id": "O-1", "status": None}], [{"order_id": "O-1", "status": "x"}]]
)
def test_a_need_that_is_not_met_or_not_known_is_unmet(tmp_path: Path, orders: list[Any]) -> None:
    move, records, args = load(tmp_path)["move"], Records(), {"order_id": "O-1", "fee_cents": 5}
    records.add("oms.orders", orders)
    assert str(move.unmet_need(move.seen(records, args))).startswith("the order is not new")


def test_effects_are_worked_out_before_the_first_is_set(tmp_path: Path) -> None:
    effect = {"oms.orders[order_id].lines[*].at": "=it.to", "oms.orders[order_id].lines[*].to": "=it.at"}
    move, records, args = load(tmp_path, effect=effect)["move"], Records(), {"order_id": "O-1", "fee_cents": 5}
    records.add("oms.orders", [{"order_id": "O-1", "lines": [{"line_id": "1", "at": "A", "to": "B"}]}])
    changes = [(change.field, change.after) for change in move.apply(records, move.seen(records, args))]
    assert changes == [("lines/1/at", "B"), ("lines/1/to", "A")]


def test_nothing_takes_an_action_back_where_an_argument_of_its_undoing_is_null() -> None:
    action, records = default_catalogue()["assign_owner"], Records()
    records.add("crm.accounts", [{"account_id": "A-1", "owner_id": None}, {"account_id": "A-2", "owner_id": "U-2"}])
    undoing = [action.undoing(action.seen(records, {"account_id": key, "owner": "U-1"})) for key in ("A-1", "A-2")]
    assert undoing == [None, {"name": "assign_owner", "args": {"account_id": "A-2", "owner": "U-2"}}]


def test_an_effect_on_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    move, records, args = load(tmp_path)["move"], Records(), {"order_id": "O-1", "fee_cents": 5}
    with pytest.raises(Refused, match="no record O-1 in oms.orders"):
        move.apply(records, move.seen(records, args))


def test_what_comes_after_what_follows_from_what_is_changed() -> None:
    catalogue = default_catalogue()
    order = ["reauthorize", "release_payment_hold", "confirm_reservation", "release_to_fulfilment", "send_message"]
    for earlier, later in itertools.pairwise(order):
        assert catalogue[later].comes_after(catalogue[earlier])
        assert not catalogue[earlier].comes_after(catalogue[later])
    assert not catalogue["send_message"].comes_after(catalogue["send_message"])
    assert catalogue["refund_charge"].comes_after(catalogue["cancel_order"])
