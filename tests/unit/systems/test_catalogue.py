"""An entry of the catalogue that is wrong does not load; arguments that do not fit do not pass."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput, Refused, SendBack
from systems.catalogue import Catalogue, load_catalogue
from systems.records import Records
from tests.actions import (
    ASSIGN_OWNER,
    CANCEL_ORDER,
    CAPTURE_PAYMENT,
    CHANGE_PICKUP_LOCATION,
    CONFIRM_RESERVATION,
    CONVERT_TO_SHIPMENT,
    CREATE_RETURN_LABEL,
    EXPEDITE_PO,
    OFFER_CREDIT,
    OPEN_CASE,
    POST_PAYMENT,
    POST_RETURN_RECEIPT,
    REALLOCATE_LINE,
    REAUTHORIZE,
    REFUND_CHARGE,
    RELEASE_PAYMENT_HOLD,
    RELEASE_TO_FULFILMENT,
    RESHIP_ORDER,
    SEND_MESSAGE,
    SEND_OUTREACH,
    SEND_VENDOR_MESSAGE,
    SUBSTITUTE_LINE,
    SWAP_RESERVATION,
    UPDATE_SHIPPING_ADDRESS,
)
from tests.reference import SCHEMA

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
    EXPEDITE_PO, RESHIP_ORDER, SUBSTITUTE_LINE, POST_RETURN_RECEIPT, REALLOCATE_LINE, SWAP_RESERVATION,
    CHANGE_PICKUP_LOCATION, CONVERT_TO_SHIPMENT, CREATE_RETURN_LABEL,
)  # fmt: skip

MOVE: dict[str, Any] = {
    "system": "oms",
    "says": "Move {order_id} for {fee_cents}",
    "args": {"order_id": "id", "fee_cents": "cents"},
    "binds": {"order": "oms.orders[order_id]"},
    "needs": [{"that": "order.status == 'new'", "else": "the order is not new"}],
    "effect": {"oms.orders[order_id].place": "=order_id", "oms.orders[order_id].note": "constant"},
    "money": {"capture": "=fee_cents"},
    "undo": {"move": {"order_id": "=order_id", "fee_cents": 1}},
}


def load(folder: Path, **entry: Any) -> Catalogue:
    file = folder / "actions.yaml"
    file.write_text(yaml.safe_dump({"move": MOVE | entry}, sort_keys=False))
    return Catalogue.load([file], SCHEMA)


def test_the_catalogue_as_shipped_loads_and_has_a_digest() -> None:
    catalogue = load_catalogue()
    assert catalogue[REFUND_CHARGE].tool == "payments.refund_charge"
    assert catalogue.digest == load_catalogue().digest


def test_the_catalogue_has_every_action_with_the_arguments_that_count() -> None:
    assert {f"{name}({','.join(action.counting)})" for name, action in load_catalogue().items()} == {
        *CONTRACT.split(),
        "hand_over(queue)",
    }


def test_what_is_sent_is_an_argument_that_does_not_count() -> None:
    drafted = {name for name, action in load_catalogue().items() if action.args.get("text") == "text"}
    assert drafted == {SEND_MESSAGE, SEND_OUTREACH, SEND_VENDOR_MESSAGE}


def test_each_money_of_an_action_is_of_a_kind_that_a_band_counts() -> None:
    kinds = {name: set(action.money) for name, action in load_catalogue().items() if action.money}
    assert kinds == {
        RELEASE_PAYMENT_HOLD: {"release"},
        CAPTURE_PAYMENT: {"capture"},
        REFUND_CHARGE: {"refund"},
        POST_PAYMENT: {"payment"},
        REAUTHORIZE: {"authorization"},
        OFFER_CREDIT: {"credit"},
        **{name: {"cost"} for name in COSTS},
    }


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"colour": "red"}, "colour"),
        ({"args": {"order_id": "telephone", "fee_cents": "cents"}}, "no kind of argument"),
        ({"needs": [{"that": "true"}]}, "needs"),
        ({"binds": {"order": "oms.nothing[order_id]"}}, "oms.nothing"),
        ({"binds": {"order": "just text"}}, "just text"),
        ({"binds": {"order": "oms.orders[other_id]"}}, "other_id"),
        ({"effect": {"oms.orders[other_id].status": 1}}, "other_id"),
        ({"effect": {"oms.orders[other.order_id].status": 1}}, "other"),
        ({"effect": {"oms.orders[order_id]": 1}}, "names no field"),
        ({"effect": {"oms.orders[order_id].lines[+].qty": 1}}, "names no field"),
        ({"effect": {"oms.orders[order_id].status": "=order."}}, "does not compile"),
        ({"binds": {"line": "oms.orders[order_id].lines[*]"}}, "not a single value"),
        ({"binds": {"it": "oms.orders[order_id]"}}, "rename it"),
        ({"binds": {"order_id": "oms.orders[order_id]"}}, "rename it"),
        ({"binds": {"order": "oms.orders[later.order_id]", "later": "oms.orders[order_id]"}}, "later"),
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
    assert re.search(r"actions\.yaml, line \d+: (action move|move\.)", str(caught.value)) and wrong in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["effect", "money", "undo"])
def test_an_action_says_what_it_changes_what_it_costs_and_what_takes_it_back(tmp_path: Path, name: str) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text(yaml.safe_dump({"move": {key: value for key, value in MOVE.items() if key != name}}))
    with pytest.raises(BadInput, match=rf"actions\.yaml, line 1: move\.{name}: «{name}» is required here"):
        Catalogue.load([file], SCHEMA)
    assert load(tmp_path, effect=None, undo=None)["move"].undo is None


def test_the_digest_is_of_what_a_catalogue_says(tmp_path: Path) -> None:
    before = load(tmp_path).digest
    file = tmp_path / "actions.yaml"
    file.write_text("# why\n\n" + file.read_text().replace("system: oms", "system: 'oms'  # orders\n"))
    assert Catalogue.load([file], SCHEMA).digest == before
    assert load(tmp_path, once=True).digest != before


def test_a_key_that_stands_twice_or_is_unknown_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "actions.yaml"
    load(tmp_path)
    text = file.read_text()
    file.write_text(text + "  says: Again\n")
    line = len(text.splitlines()) + 1
    with pytest.raises(BadInput, match=rf"actions\.yaml, line {line}: the action catalogue .*«says» appears twice in one place"):
        Catalogue.load([file], SCHEMA)
    file.write_text(text + "  sais: Again\n")
    with pytest.raises(BadInput, match=rf"actions\.yaml, line {line}: move\.sais: «sais» is not permitted .*did you mean says"):
        Catalogue.load([file], SCHEMA)


@pytest.mark.parametrize("text", ["- a list", "just words", "move: [", "move: 3", ""])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "actions.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"actions\.yaml"):
        Catalogue.load([file], SCHEMA)


def test_a_missing_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Catalogue.load([tmp_path / "nowhere.yaml"], SCHEMA)


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": -1}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": 0}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": 500.0}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": "500"}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": True}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": None}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": 10**13}, "whole number of cents"),
        (CAPTURE_PAYMENT, {"order_id": "O-1"}, "needs the argument 'amount_cents'"),
        (CAPTURE_PAYMENT, {"order_id": "O-1", "amount_cents": 5, "approved": True}, "no argument 'approved'"),
        (CAPTURE_PAYMENT, {"order_id": "", "amount_cents": 5}, "1 to 100 characters"),
        (CAPTURE_PAYMENT, {"order_id": "x" * 101, "amount_cents": 5}, "1 to 100 characters"),
        (CAPTURE_PAYMENT, {"order_id": 7, "amount_cents": 5}, "1 to 100 characters"),
        (CAPTURE_PAYMENT, {"order_id": ["O-1"], "amount_cents": 5}, "1 to 100 characters"),
        (CANCEL_ORDER, {"order_id": "O-1", "reason": "because"}, "one of duplicate, out_of_stock"),
        (CANCEL_ORDER, {"order_id": "O-1", "reason": None}, "one of duplicate, out_of_stock"),
        (SEND_MESSAGE, {"customer_id": "C-1", "template": "you_won", "text": "Hello"}, "one of cancellation_notice"),
        (SEND_MESSAGE, {"customer_id": "C-1", "template": "delay_notice"}, "needs the argument 'text'"),
        (SEND_MESSAGE, {"customer_id": "C-1", "template": "delay_notice", "text": ""}, "text of 1 to 4000 characters"),
        (OPEN_CASE, {"queue": "executive_board", "subject_id": "O-1"}, "one of account_team"),
        (UPDATE_SHIPPING_ADDRESS, {"order_id": "O-1", "ship_to": "1 Elm St"}, "must be an address"),
        (UPDATE_SHIPPING_ADDRESS, {"order_id": "O-1", "ship_to": {"line1": "1 Elm St"}}, "must be an address"),
    ],
)
def test_arguments_that_do_not_fit_are_sent_back_with_a_sentence(name: str, args: dict[str, Any], says: str) -> None:
    with pytest.raises(SendBack) as caught:
        load_catalogue()[name].validate(args)
    assert str(caught.value).startswith(name) and says in str(caught.value)


def test_arguments_at_their_limits_pass() -> None:
    capture = load_catalogue()[CAPTURE_PAYMENT]
    for order_id, cents in (("x" * 100, 1), ("x", 10**12)):
        capture.validate({"order_id": order_id, "amount_cents": cents})
    for order_id, cents in (("x" * 101, 1), ("x", 10**12 + 1), ("x", 0), ("", 1)):
        with pytest.raises(SendBack):
            capture.validate({"order_id": order_id, "amount_cents": cents})


def test_an_action_says_what_it_does_with_money_as_dollars(tmp_path: Path) -> None:
    assert load(tmp_path)["move"].sentence({"order_id": "O-1", "fee_cents": 123_456}) == "Move O-1 for $1,234.56"


def test_hostile_text_in_an_argument_is_only_shown(tmp_path: Path) -> None:
    text = "{order_id.__class__} {0} {{fee_cents}}"
    assert load(tmp_path)["move"].sentence({"order_id": text, "fee_cents": 1}) == f"Move {text} for $0.01"


def test_an_action_changes_records_and_knows_its_money_and_its_undoing(tmp_path: Path) -> None:
    move, records, args = load(tmp_path)["move"], Records(SCHEMA), {"order_id": "O-1", "fee_cents": 5}
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
    move, records, args = load(tmp_path)["move"], Records(SCHEMA), {"order_id": "O-1", "fee_cents": 5}
    records.add("oms.orders", orders)
    assert str(move.unmet_need(move.seen(records, args))).startswith("the order is not new")


def test_effects_are_worked_out_before_the_first_is_set(tmp_path: Path) -> None:
    effect = {"oms.orders[order_id].lines[*].at": "=it.to", "oms.orders[order_id].lines[*].to": "=it.at"}
    move, records, args = load(tmp_path, effect=effect)["move"], Records(SCHEMA), {"order_id": "O-1", "fee_cents": 5}
    records.add("oms.orders", [{"order_id": "O-1", "lines": [{"line_id": "1", "at": "A", "to": "B"}]}])
    changes = [(change.field, change.after) for change in move.apply(records, move.seen(records, args))]
    assert changes == [("lines/1/at", "B"), ("lines/1/to", "A")]


def test_nothing_takes_an_action_back_where_an_argument_of_its_undoing_is_null() -> None:
    action, records = load_catalogue()[ASSIGN_OWNER], Records(SCHEMA)
    records.add("crm.accounts", [{"account_id": "A-1", "owner_id": None}, {"account_id": "A-2", "owner_id": "U-2"}])
    undoing = [action.undoing(action.seen(records, {"account_id": key, "owner": "U-1"})) for key in ("A-1", "A-2")]
    assert undoing == [None, {"name": ASSIGN_OWNER, "args": {"account_id": "A-2", "owner": "U-2"}}]


def test_an_effect_on_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    move, records, args = load(tmp_path)["move"], Records(SCHEMA), {"order_id": "O-1", "fee_cents": 5}
    with pytest.raises(Refused, match="no record O-1 in oms.orders"):
        move.apply(records, move.seen(records, args))


def test_what_comes_after_what_follows_from_what_is_changed() -> None:
    catalogue = load_catalogue()
    order = [REAUTHORIZE, RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT, SEND_MESSAGE]
    for earlier, later in itertools.pairwise(order):
        assert catalogue[later].comes_after(catalogue[earlier])
        assert not catalogue[earlier].comes_after(catalogue[later])
    assert not catalogue[SEND_MESSAGE].comes_after(catalogue[SEND_MESSAGE])
    assert catalogue[REFUND_CHARGE].comes_after(catalogue[CANCEL_ORDER])
