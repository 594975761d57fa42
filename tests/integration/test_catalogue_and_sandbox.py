"""What the action catalogue says an action needs and changes is what the sandbox company asks and does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from errors import Refused
from ledger.memory import MemoryLedger
from ledger.records import Effect, Fact
from nodes.execute import Kept, look
from nodes.state import MissionContext
from systems.calls import Call, ReadResult
from systems.catalogue import HAND_OVER, Action, Catalogue, load_catalogue
from systems.conditions import Unknown
from systems.config import load_config
from systems.records import Records
from systems.sandbox.toolbox import reads_of
from tests.actions import (
    ASSIGN_OWNER,
    BACKORDER_LINE,
    CANCEL_LINE,
    CANCEL_ORDER,
    CAPTURE_PAYMENT,
    CHANGE_PICKUP_LOCATION,
    CHANGE_SUBSCRIPTION,
    CONFIRM_RESERVATION,
    CONVERT_TO_SHIPMENT,
    CREATE_RETURN_LABEL,
    CREATE_TASK,
    ESCALATE_OPPORTUNITY,
    EXPEDITE_PO,
    FLAG_CONTACT,
    HOLD_INVOICE,
    OFFER_CREDIT,
    OPEN_CASE,
    PLACE_ORDER_HOLD,
    POST_PAYMENT,
    POST_RETURN_RECEIPT,
    QUARANTINE_STOCK,
    REALLOCATE_LINE,
    REAUTHORIZE,
    REFUND_CHARGE,
    REJECT_INVOICE,
    RELEASE_PAYMENT_HOLD,
    RELEASE_TO_FULFILMENT,
    REQUEST_CYCLE_COUNT,
    RESHIP_ORDER,
    SEND_MESSAGE,
    SEND_OUTREACH,
    SEND_PASSWORD_RESET,
    SEND_VENDOR_MESSAGE,
    SUBSTITUTE_LINE,
    SWAP_RESERVATION,
    UPDATE_SHIPPING_ADDRESS,
    VOID_AUTHORIZATION,
)
from tests.integration.sandbox_world import MISSIONS, SHIP_TO, Company, inbound, line, recorded, shared_company, world
from tests.ledger_examples import started
from tests.reference import KEYS, READ_TOOLS, SCHEMA, SYSTEMS

NOW = datetime(2026, 3, 14, tzinfo=UTC)
Args = Mapping[str, Any]
Deed = tuple[str, Args]
#: (system, record, field) -> (before, after)
Changes = dict[tuple[str, str, str], tuple[Any, Any]]

#: What only a sandbox's receipt tells, and why a plan need not say it.
LEFT_OUT = {
    ("wms", "reserved"): "which lines hold reserved units is the warehouse's bookkeeping; no record shows it",
}
#: What a new element has in the sandbox and cannot be known before: its id and its times.
NOT_KNOWN_BEFORE = ("auth_id", "charge_id", "authorized_at", "expires_at", "captured_at")


@dataclass(frozen=True)
class Scene:
    """An action, the world it is done in, and what changes."""

    name: str
    args: Args
    #: (system, collection, number of the record) -> fields that differ from `world()`
    world: Mapping[tuple[str, str, int], Args] = field(default_factory=dict)
    #: what is done before
    before: tuple[Deed, ...] = ()
    #: the fields that it changes; none where no record shows what it does
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def _line(order_id: str, line_id: str = "1") -> dict[str, str]:
    return {"order_id": order_id, "line_id": line_id}


ON_HOLD = {("payments", "payments", 0): {"on_hold": True}}
CONFIRM = (CONFIRM_RESERVATION, {"order_id": "O-1"})
CONFIRM_OTHER = (CONFIRM_RESERVATION, {"order_id": "O-2"})
BACKORDER = (BACKORDER_LINE, {**_line("O-1"), "po_id": "PO-1"})
TO_DC_2 = {**_line("O-1"), "to_location": "DC-2"}
SWAP = {"from_order_id": "O-2", "to_order_id": "O-1", "sku": "LAMP"}
MOVED = {**SHIP_TO, "line1": "10 Orchard Rd"}
TEXT = {"text": "Dear Ann, thank you for waiting."}
DELIVERIES = {("wms", "inbound", 1): inbound("PO-1", "RUG")}

SCENES = [
    Scene(RELEASE_PAYMENT_HOLD, {"order_id": "O-1"}, ON_HOLD, changes=("on_hold",)),
    Scene(CONFIRM_RESERVATION, {"order_id": "O-1"}, changes=("reservation",)),
    Scene(RELEASE_TO_FULFILMENT, {"order_id": "O-1"}, before=(CONFIRM,), changes=("status",)),
    Scene(
        RELEASE_TO_FULFILMENT, {"order_id": "O-1"},
        before=((PLACE_ORDER_HOLD, {"order_id": "O-1", "reason": "stock"}), CONFIRM), changes=("hold_reason", "status"),
    ),
    Scene(CANCEL_ORDER, {"order_id": "O-1", "reason": "out_of_stock"}, changes=("status",)),
    Scene(CANCEL_ORDER, {"order_id": "O-1", "reason": "duplicate"}, before=(CONFIRM,), changes=("reservation", "status")),
    Scene(CANCEL_LINE, _line("O-1"), changes=("lines/1/cancelled",)),
    Scene(REALLOCATE_LINE, TO_DC_2, changes=("lines/1/location",)),
    Scene(REALLOCATE_LINE, TO_DC_2, before=(CONFIRM,), changes=("lines/1/location",)),
    Scene(REALLOCATE_LINE, TO_DC_2, before=(BACKORDER,), changes=("lines/1/backorder_po_id", "lines/1/location")),
    Scene(REALLOCATE_LINE, {**TO_DC_2, "to_location": "DC-1"}, before=(BACKORDER,), changes=("lines/1/backorder_po_id",)),
    Scene(*BACKORDER, changes=("lines/1/backorder_po_id",)),
    Scene(BACKORDER_LINE, {**_line("O-2"), "po_id": "PO-1"}, changes=("lines/1/backorder_po_id", "status")),
    Scene(
        BACKORDER_LINE, {**_line("O-1", "2"), "po_id": "PO-1"}, DELIVERIES, before=(BACKORDER,),
        changes=("lines/2/backorder_po_id", "status"),
    ),
    Scene(
        BACKORDER_LINE, {**_line("O-1", "1"), "po_id": "PO-1"}, before=((CANCEL_LINE, _line("O-1", "2")),),
        changes=("lines/1/backorder_po_id", "status"),
    ),
    Scene(SUBSTITUTE_LINE, {**_line("O-1"), "sku": "SHADE"}, changes=("lines/1/sku",)),
    Scene(
        SUBSTITUTE_LINE, {**_line("O-1"), "sku": "SHADE"}, before=(BACKORDER,),
        changes=("lines/1/backorder_po_id", "lines/1/sku"),
    ),
    Scene(UPDATE_SHIPPING_ADDRESS, {"order_id": "O-1", "ship_to": MOVED}, changes=("ship_to",)),
    Scene(PLACE_ORDER_HOLD, {"order_id": "O-1", "reason": "address"}, changes=("hold_reason", "status")),
    Scene(PLACE_ORDER_HOLD, {"order_id": "O-1", "reason": "stock"}, changes=("hold_reason",)),
    Scene(
        PLACE_ORDER_HOLD, {"order_id": "O-1", "reason": "address"}, {("oms", "orders", 0): {"status": "ready"}},
        changes=("hold_reason",),
    ),
    Scene(
        CHANGE_PICKUP_LOCATION, {"order_id": "O-4", "to_location": "ST-2"}, changes=("lines/1/location", "pickup_location")
    ),
    Scene(
        CHANGE_PICKUP_LOCATION, {"order_id": "O-4", "to_location": "ST-2"},
        {("oms", "orders", 3): {"lines": [line("1", "LAMP", location="ST-1"), line("2", "RUG", location="ST-1")]},
         ("wms", "stock", 4): {"location": "ST-2"}, ("wms", "inbound", 1): inbound("PO-2", "LAMP", "ST-1")},
        before=((BACKORDER_LINE, {**_line("O-4"), "po_id": "PO-2"}),),
        changes=("lines/1/backorder_po_id", "lines/1/location", "lines/2/location", "pickup_location"),
    ),
    Scene(
        CONVERT_TO_SHIPMENT, {"order_id": "O-4", "from_location": "DC-1"},
        {("oms", "orders", 3): {"lines": [line("1", "LAMP", location="ST-1"), line("2", "RUG"), line("3", "SHADE")]}},
        before=((CANCEL_LINE, _line("O-4", "3")),), changes=("lines/1/location", "pickup_location"),
    ),
    Scene(RESHIP_ORDER, {"order_id": "O-3"}, changes=("reshipped",)),
    Scene(CREATE_RETURN_LABEL, {"order_id": "O-3"}),
    Scene(VOID_AUTHORIZATION, {"auth_id": "au_O-1"}, changes=("authorizations/au_O-1/status",)),
    Scene(REAUTHORIZE, {"order_id": "O-1", "amount_cents": 9000}, changes=("authorizations",)),
    Scene(CAPTURE_PAYMENT, {"order_id": "O-3", "amount_cents": 9000}, changes=("charges",)),
    Scene(
        REFUND_CHARGE, {"charge_id": "ch_O-2", "amount_cents": 9000},
        changes=("charges/ch_O-2/refunded_cents", "charges/ch_O-2/status"),
    ),
    Scene(REFUND_CHARGE, {"charge_id": "ch_O-2", "amount_cents": 4000}, changes=("charges/ch_O-2/refunded_cents",)),
    Scene(REQUEST_CYCLE_COUNT, {"sku": "LAMP", "location": "DC-1"}),
    Scene(QUARANTINE_STOCK, {"sku": "LAMP", "location": "DC-1"}, changes=("quarantined",)),
    Scene(EXPEDITE_PO, {"po_id": "PO-1"}, changes=("eta", "expedited")),
    Scene(EXPEDITE_PO, {"po_id": "PO-1"}, DELIVERIES, changes=("eta", "eta", "expedited", "expedited")),
    Scene(SWAP_RESERVATION, SWAP, {("oms", "orders", 0): {"lines": [line("7", "LAMP", location="DC-2")]}},
          before=(CONFIRM_OTHER,), changes=("lines/7/location", "reservation")),
    Scene(SWAP_RESERVATION, SWAP, before=(BACKORDER,), changes=("lines/1/backorder_po_id",)),
    Scene(
        POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "restock"},
        changes=("disposition", "on_hand", "receipt_posted"),
    ),
    Scene(POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "scrap"}, changes=("disposition", "receipt_posted")),
    Scene(
        POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "restock"}, {("oms", "returns", 0): {"location": "DC-9"}},
        changes=("disposition", "receipt_posted"),
    ),
    Scene(
        POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "restock"}, {("wms", "stock", 0): {"on_hand": None}},
        changes=("disposition", "receipt_posted"),
    ),
    Scene(SEND_MESSAGE, {"customer_id": "C-1", "template": "delay_notice", **TEXT}),
    Scene(SEND_PASSWORD_RESET, {"customer_id": "C-1"}),
    Scene(CHANGE_SUBSCRIPTION, {"subscription_id": "SB-1", "plan": "cancelled"}, changes=("status",)),
    Scene(OFFER_CREDIT, {"customer_id": "C-1", "amount_cents": 1800}),
    Scene(SEND_OUTREACH, {"account_id": "A-1", "contact_id": "N-1", "template": "csm_outreach", **TEXT}),
    Scene(ESCALATE_OPPORTUNITY, {"opportunity_id": "P-1"}, changes=("escalated",)),
    Scene(ASSIGN_OWNER, {"account_id": "A-1", "owner": "csm_lead"}, changes=("owner_id",)),
    Scene(CREATE_TASK, {"account_id": "A-1", "kind": "nurture"}),
    Scene(FLAG_CONTACT, {"contact_id": "N-1b", "issue": "bounced"}),
    Scene(POST_PAYMENT, {"invoice_id": "I-1", "amount_cents": 4000}, changes=("remaining_cents", "state")),
    Scene(
        POST_PAYMENT, {"invoice_id": "I-1", "amount_cents": 4000}, {("erp", "invoices", 0): {"budget_id": None}},
        before=((HOLD_INVOICE, {"invoice_id": "I-1", "reason": "freight"}),), changes=("state", "state_reason"),
    ),
    Scene(HOLD_INVOICE, {"invoice_id": "I-1", "reason": "price_dispute"}, changes=("state", "state_reason")),
    Scene(REJECT_INVOICE, {"invoice_id": "I-1", "reason": "duplicate"}, changes=("state", "state_reason")),
    Scene(SEND_VENDOR_MESSAGE, {"vendor_id": "V-1", "template": "po_required", **TEXT}),
    Scene(OPEN_CASE, {"queue": "vip_desk", "subject_id": "O-1"}),
]  # fmt: skip

SHIPPED = {("oms", "orders", 0): {"status": "shipped"}}
CANCELLED = {("oms", "orders", 3): {"status": "cancelled"}}
DO_NOT_CONTACT = {("crm", "accounts", 0): {"do_not_contact": True}}
ON_LEGAL_HOLD = {("crm", "accounts", 0): {"legal_hold": True}}
PICKED = {("oms", "orders", 1): {"lines": [line("1", "LAMP", qty=3, picked=True)]}}
NO_ADDRESS = {("oms", "orders", 3): {"ship_to": None}}
NOT_HOME = {("oms", "orders", 3): {"allow_ship_home": False}}
DAMAGED = {("oms", "returns", 0): {"condition": "damaged"}}
OUTREACH = {"account_id": "A-1", "contact_id": "N-1", "template": "csm_outreach", **TEXT}
OPTED_OUT = {("crm", "accounts", 0): {"contacts": [{"contact_id": "N-1", "email_status": "valid", "opted_out": True}]}}
PAY = (POST_PAYMENT, {"invoice_id": "I-1", "amount_cents": 4000})
REJECT = (REJECT_INVOICE, {"invoice_id": "I-1", "reason": "duplicate"})
PICKUP = {"order_id": "O-4", "to_location": "ST-2"}
HOME = {"order_id": "O-4", "from_location": "DC-1"}

#: an action, a world in which it cannot be done, and why by the catalogue
UNMET: list[tuple[Scene, str]] = [
    (Scene(RELEASE_PAYMENT_HOLD, {"order_id": "O-1"}), "the payment is not on hold"),
    (Scene(RELEASE_PAYMENT_HOLD, {"order_id": "O-1"}, {**ON_HOLD, **SHIPPED}), "the order is neither open nor ready"),
    (Scene(CONFIRM_RESERVATION, {"order_id": "O-1"}, SHIPPED), "the order is not open"),
    (Scene(CONFIRM_RESERVATION, {"order_id": "O-1"}, before=(CONFIRM,)), "the reservation is already confirmed"),
    (Scene(CONFIRM_RESERVATION, {"order_id": "O-2"}, before=((BACKORDER_LINE, {**_line("O-2"), "po_id": "PO-1"}),)),
     "no line of the order needs stock"),
    (Scene(RELEASE_TO_FULFILMENT, {"order_id": "O-1"}, SHIPPED), "the order is not open"),
    (Scene(RELEASE_TO_FULFILMENT, {"order_id": "O-1"}, ON_HOLD, (CONFIRM,)), "the payment is still on hold"),
    (Scene(RELEASE_TO_FULFILMENT, {"order_id": "O-1"}), "the reservation is not confirmed"),
    (Scene(CANCEL_ORDER, {"order_id": "O-3", "reason": "duplicate"}), "the order is neither open nor ready"),
    (Scene(CANCEL_ORDER, {"order_id": "O-9", "reason": "duplicate"}), "the order is neither open nor ready"),
    (Scene(CANCEL_LINE, _line("O-3")), "the order is not open"),
    (Scene(CANCEL_LINE, _line("O-1", "7")), "the order has no such line"),
    (Scene(CANCEL_LINE, _line("O-1"), before=((CANCEL_LINE, _line("O-1")),)), "the order has no such line"),
    (Scene(CANCEL_LINE, _line("O-2")), "it is the only line left on the order"),
    (Scene(CANCEL_LINE, _line("O-1"), before=((CANCEL_LINE, _line("O-1", "2")),)), "it is the only line left on the order"),
    (Scene(REALLOCATE_LINE, {**_line("O-3"), "to_location": "DC-2"}), "the order has shipped or is canceled"),
    (Scene(REALLOCATE_LINE, {**_line("O-1"), "to_location": "DC-1"}), "the order has no such line at another location"),
    (Scene(BACKORDER_LINE, {**_line("O-3"), "po_id": "PO-1"}), "the order is not open"),
    (Scene(BACKORDER_LINE, {**_line("O-1", "7"), "po_id": "PO-1"}), "the order has no such line"),
    (Scene(BACKORDER_LINE, {**_line("O-1", "2"), "po_id": "PO-1"}), "no such delivery goes to the line's location"),
    (Scene(SUBSTITUTE_LINE, {**_line("O-3"), "sku": "SHADE"}), "the order is not open"),
    (Scene(SUBSTITUTE_LINE, {**_line("O-1"), "sku": "SHADE"}, {("oms", "orders", 0): {"allow_substitution": False}}),
     "the order has no such line or does not allow substitutes"),
    (Scene(UPDATE_SHIPPING_ADDRESS, {"order_id": "O-3", "ship_to": MOVED}), "the order is not open"),
    (Scene(PLACE_ORDER_HOLD, {"order_id": "O-3", "reason": "stock"}), "the order has shipped or is canceled"),
    (Scene(CHANGE_PICKUP_LOCATION, PICKUP, CANCELLED), "the order has shipped or is canceled"),
    (Scene(CHANGE_PICKUP_LOCATION, {**PICKUP, "order_id": "O-1"}), "the order has no pickup to move there"),
    (Scene(CHANGE_PICKUP_LOCATION, {**PICKUP, "to_location": "ST-1"}), "the order has no pickup to move there"),
    (Scene(CHANGE_PICKUP_LOCATION, {**PICKUP, "to_location": "DC-1"}), "the new location is not a store"),
    (Scene(CHANGE_PICKUP_LOCATION, {**PICKUP, "to_location": "ST-9"}), "the new location is not a store"),
    (Scene(CONVERT_TO_SHIPMENT, HOME, CANCELLED), "the order has shipped or is canceled"),
    (Scene(CONVERT_TO_SHIPMENT, HOME, NOT_HOME), "it is not a pickup order that can be shipped home"),
    (Scene(CONVERT_TO_SHIPMENT, HOME, NO_ADDRESS), "the order has no shipping address"),
    (Scene(CONVERT_TO_SHIPMENT, {**HOME, "from_location": "DC-9"}), "there is no such location"),
    (Scene(RESHIP_ORDER, {"order_id": "O-1"}), "the order has not shipped"),
    (Scene(RESHIP_ORDER, {"order_id": "O-3"}, before=((RESHIP_ORDER, {"order_id": "O-3"}),)),
     "the order was already reshipped"),
    (Scene(CREATE_RETURN_LABEL, {"order_id": "O-1"}), "the order has not shipped"),
    (Scene(VOID_AUTHORIZATION, {"auth_id": "au_O-1"}, before=((VOID_AUTHORIZATION, {"auth_id": "au_O-1"}),)),
     "the authorization is not active"),
    (Scene(REAUTHORIZE, {"order_id": "O-4", "amount_cents": 9000}, CANCELLED), "the order is closed"),
    (Scene(CAPTURE_PAYMENT, {"order_id": "O-4", "amount_cents": 9000}, CANCELLED), "only a shipped order is captured manually"),
    (Scene(REFUND_CHARGE, {"charge_id": "ch_O-9", "amount_cents": 1}), "the charge is not captured"),
    (Scene(REFUND_CHARGE, {"charge_id": "ch_O-2", "amount_cents": 9001}), "the amount is more than what is left on the charge"),
    (Scene(QUARANTINE_STOCK, {"sku": "RUG", "location": "DC-2"}), "there is no such stock available for sale"),
    (Scene(QUARANTINE_STOCK, {"sku": "RUG", "location": "DC-1"},
           before=((QUARANTINE_STOCK, {"sku": "RUG", "location": "DC-1"}),)), "there is no such stock available for sale"),
    (Scene(EXPEDITE_PO, {"po_id": "PO-2"}), "the delivery cannot be expedited"),
    (Scene(EXPEDITE_PO, {"po_id": "PO-1"}, before=((EXPEDITE_PO, {"po_id": "PO-1"}),)), "the delivery is already expedited"),
    (Scene(SWAP_RESERVATION, {**SWAP, "to_order_id": "O-2"}), "an order cannot take its own units"),
    (Scene(SWAP_RESERVATION, {**SWAP, "to_order_id": "O-3"}), "the order taking the units has shipped or is canceled"),
    (Scene(SWAP_RESERVATION, {**SWAP, "from_order_id": "O-3"}), "the order giving up its units is not open"),
    (Scene(SWAP_RESERVATION, {**SWAP, "sku": "RUG"}), "one of the orders has no line with this SKU"),
    (Scene(SWAP_RESERVATION, SWAP, PICKED), "the line giving up its units is already picked"),
    (Scene(SWAP_RESERVATION, SWAP, before=((BACKORDER_LINE, {**_line("O-2"), "po_id": "PO-1"}),)),
     "the line giving up its units is on backorder"),
    (Scene(SWAP_RESERVATION, {**SWAP, "from_order_id": "O-1", "to_order_id": "O-2"}),
     "the line giving up its units has too few"),
    (Scene(POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "scrap"},
           {("oms", "returns", 0): {"receipt_posted": True}}),
     "the receipt is already posted"),
    (Scene(POST_RETURN_RECEIPT, {"return_id": "R-1", "disposition": "restock"}, DAMAGED), "damaged items are not restocked"),
    (Scene(CHANGE_SUBSCRIPTION, {"subscription_id": "SB-1", "plan": "cancelled"},
           {("crm", "subscriptions", 0): {"status": "cancelled"}}), "the subscription is not active"),
    (Scene(SEND_OUTREACH, OUTREACH, DO_NOT_CONTACT), "the account must not be contacted"),
    (Scene(SEND_OUTREACH, OUTREACH, ON_LEGAL_HOLD), "the account must not be contacted"),
    (Scene(SEND_OUTREACH, {**OUTREACH, "contact_id": "N-1b"}), "the account has no such contact with a valid email address"),
    (Scene(SEND_OUTREACH, {**OUTREACH, "contact_id": "N-3"}), "the account has no such contact with a valid email address"),
    (Scene(SEND_OUTREACH, OUTREACH, OPTED_OUT), "the contact has opted out of email"),
    (Scene(ESCALATE_OPPORTUNITY, {"opportunity_id": "P-1"}, {("crm", "opportunities", 0): {"open": False}}),
     "the opportunity is not open"),
    (Scene(ESCALATE_OPPORTUNITY, {"opportunity_id": "P-1"}, before=((ESCALATE_OPPORTUNITY, {"opportunity_id": "P-1"}),)),
     "the opportunity is already escalated"),
    (Scene(*PAY, before=(PAY,)), "the invoice is already paid or rejected"),
    (Scene(*PAY, before=(REJECT,)), "the invoice is already paid or rejected"),
    (Scene(POST_PAYMENT, {"invoice_id": "I-1", "amount_cents": 4001}), "the amount is not the invoice total"),
    (Scene(POST_PAYMENT, {"invoice_id": "I-2", "amount_cents": 9_000_000}), "the budget does not cover it"),
    (Scene(HOLD_INVOICE, {"invoice_id": "I-1", "reason": "freight"}, before=(REJECT,)),
     "the invoice is already paid or rejected"),
    (Scene(*REJECT, before=(PAY,)), "the invoice is already paid or rejected"),
]  # fmt: skip

#: Needs that only the catalogue has, because the policies are stricter than the systems.
STRICTER = {
    (REAUTHORIZE, "the amount is not the order total"): "AUT-2 authorizes the order total; the system takes any amount",
    (CAPTURE_PAYMENT, "the amount is not the order total"): "CAP-1 captures the order total; the system takes any amount",
    (CAPTURE_PAYMENT, "the payment is already captured"): "CAP-1 captures once; the system captures what is authorized",
    (EXPEDITE_PO, "the cost of expediting is unknown"): "GOV-8 counts what it costs; the system expedites at any price",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def _shared(server_url: str) -> Iterator[Company]:
    with shared_company(server_url) as company:
        yield company


@pytest.fixture
def company(_shared: Company) -> Company:
    return _shared


def staged(company: Company, scene: Scene, catalogue: Catalogue) -> Records:
    """The company as the scene wants it, and its records."""
    systems = world()
    for (system, collection, number), fields in scene.world.items():
        systems[system][collection][number] |= fields
    company.reset_to(systems)
    for name, args in scene.before:
        company.write(catalogue[name].tool, **args)
    return records_of(company)


def records_of(company: Company) -> Records:
    records, taken = Records(SCHEMA), company.snapshot()
    for collection in KEYS:
        records.add(collection, taken[collection])
    return records


def foretold(action: Action, args: Args, records: Records) -> Changes:
    """What the catalogue says would change; what it says would stay as it is no receipt tells."""
    changes = [one for one in action.apply(records, action.seen(records, args)) if one.before != one.after]
    return {(change.system, change.record, change.field): (change.before, _shown(change.after)) for change in changes}


def happened(receipt: Mapping[str, Any]) -> Changes:
    """What a receipt of the sandbox says has changed in records, in the words of the catalogue."""
    changes: Changes = {}
    for one in receipt["changed"]:
        system, label = one["collection"].split(".")[0], one["field"]
        if one["collection"] not in KEYS or (system, label.split("/")[-1]) in LEFT_OUT:
            continue  # a deed, or told in LEFT_OUT
        before, after = one["before"], one["after"]
        if isinstance(after, dict) and label.count("/") == 1:
            label, after = label.split("/")[0], _shown(after)
        changes[system, one["record"], label] = (before, after)
    return changes


def _shown(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: inner for name, inner in value.items() if name not in NOT_KNOWN_BEFORE}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_what_the_catalogue_says_would_change_is_what_the_sandbox_changes(
    company: Company, catalogue: Catalogue, scene: Scene
) -> None:
    records, action = staged(company, scene, catalogue), catalogue[scene.name]
    action.validate(scene.args)
    assert action.unmet_need(action.seen(records, scene.args)) is None
    told = foretold(action, scene.args, records)
    assert told == happened(company.write(action.tool, **scene.args))
    assert tuple(sorted(label for _, _, label in told)) == scene.changes


class _Reads:
    """A Reader of the sandbox company, called without MCP's transport."""

    def __init__(self, company: Company) -> None:
        self._company = company

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        """See Reader."""
        return [self._read(call) for call in calls]

    def _read(self, call: Call) -> ReadResult:
        answer = self._company.call(call.tool, **call.args)
        value = answer["record"] if "record" in answer else answer["records"]
        return ReadResult(call, "absent" if value is None else "ok", value, NOW)


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_what_the_catalogue_promises_is_what_is_found_before_and_read_back_after(
    company: Company, catalogue: Catalogue, scene: Scene
) -> None:
    records, action = staged(company, scene, catalogue), catalogue[scene.name]
    facts = [
        Fact(
            name=f"{number}",
            tool=_tool_of(collection),
            args={},
            status="ok",
            value=one if _is_one(collection) else [one],
            read_at=NOW,
        )
        for number, (collection, one) in enumerate((name, one) for name in KEYS for one in records.all(name))
    ]
    promised = [change.plain() for change in action.apply(records, action.seen(records, scene.args))]
    effect = Effect(
        run_id="run-1", proposal_id="p-1", step=0, action=action.name, tool=action.tool, args=scene.args, key="k-1",
        status="executing", at=NOW, expects=promised,
    )  # fmt: skip
    ledger = MemoryLedger()
    started(ledger)
    ledger.record_facts("run-1", facts)
    context = cast(MissionContext, SimpleNamespace(ledger=ledger, reader=_Reads(company), catalogue=catalogue))
    kept = look(effect, context)
    assert not kept.unread and len(kept.broken) == len(promised), "none is so before"
    expects = [{name: one[name] for name in ("system", "record", "field", "before")} for one in promised]
    company.write(action.tool, **scene.args, expects=expects)
    assert look(effect, context) == Kept()


def _tool_of(collection: str) -> str:
    return next(name for name, tool in READ_TOOLS.items() if tool.collection == collection)


def _is_one(collection: str) -> bool:
    return READ_TOOLS[_tool_of(collection)].one


def test_every_action_has_a_scene(catalogue: Catalogue) -> None:
    assert {scene.name for scene in SCENES} == catalogue.keys() - {HAND_OVER}


@pytest.mark.parametrize(("scene", "why"), UNMET, ids=lambda value: str(value))
def test_what_the_catalogue_says_cannot_be_done_the_sandbox_refuses(
    company: Company, catalogue: Catalogue, scene: Scene, why: str
) -> None:
    records, action = staged(company, scene, catalogue), catalogue[scene.name]
    unmet = str(action.unmet_need(action.seen(records, scene.args)))
    assert unmet.removesuffix(", or it is not known") == why
    before = company.snapshot()
    with pytest.raises(Refused):
        company.write(action.tool, **scene.args)
    assert company.snapshot() == before


def test_every_need_is_tried_or_stricter_than_the_sandbox(catalogue: Catalogue) -> None:
    stated = {(name, otherwise) for name, action in catalogue.items() for _, otherwise in action.needs}
    tried = {(scene.name, why) for scene, why in UNMET}
    assert tried <= stated
    assert stated - tried == STRICTER.keys()


@pytest.mark.parametrize("scene", [scene for scene in SCENES if load_catalogue()[scene.name].undo], ids=str)
def test_what_undoes_an_action_takes_its_changes_back(company: Company, catalogue: Catalogue, scene: Scene) -> None:
    records, action = staged(company, scene, catalogue), catalogue[scene.name]
    undoing = action.undoing(action.seen(records, scene.args))
    if any(field.endswith("backorder_po_id") for field in scene.changes):  # no action makes a line wait as it did
        assert undoing is None
        return
    assert undoing is not None
    before = company.snapshot()
    company.write(action.tool, **scene.args)
    catalogue[undoing["name"]].validate(undoing["args"])
    company.write(catalogue[undoing["name"]].tool, **undoing["args"])
    assert company.snapshot() == before


def test_an_action_on_records_that_are_not_there_is_refused_by_both(company: Company, catalogue: Catalogue) -> None:
    company.reset_to({"oms": {}})
    with_an_effect = [scene for scene in SCENES if catalogue[scene.name].effect]
    assert {scene.name for scene in with_an_effect} == {name for name, action in catalogue.items() if action.effect} != set()
    for scene in with_an_effect:
        action, nothing = catalogue[scene.name], Records(SCHEMA)
        with pytest.raises((Refused, Unknown)):
            action.apply(nothing, action.seen(nothing, scene.args))
        with pytest.raises(Refused):
            company.write(action.tool, **scene.args)


def test_a_refund_in_two_parts_ends_where_the_sandbox_ends(company: Company, catalogue: Catalogue) -> None:
    parts: list[Args] = [{"charge_id": "ch_O-2", "amount_cents": cents} for cents in (4000, 5000)]
    action = catalogue[REFUND_CHARGE]
    records = staged(company, Scene(REFUND_CHARGE, parts[0]), catalogue)
    for args in parts:
        assert foretold(action, args, records) == happened(company.write(action.tool, **args))
    assert action.unmet_need(action.seen(records, parts[0])) == "the charge is not captured"


def test_a_whole_plan_leaves_the_same_records(company: Company, catalogue: Catalogue) -> None:
    """A swap for an important order, its release, and the delivery that the other order waits for."""
    plan: list[Deed] = [
        (RELEASE_PAYMENT_HOLD, {"order_id": "O-1"}),
        (SWAP_RESERVATION, SWAP),
        (EXPEDITE_PO, {"po_id": "PO-1"}),
        (BACKORDER_LINE, {**_line("O-2"), "po_id": "PO-1"}),
        CONFIRM,
        (RELEASE_TO_FULFILMENT, {"order_id": "O-1"}),
        (SEND_MESSAGE, {"customer_id": "C-1", "template": "delay_notice", **TEXT}),
    ]
    records = staged(company, Scene("", {}, ON_HOLD), catalogue)
    for name, args in plan:
        assert foretold(catalogue[name], args, records) == happened(company.write(catalogue[name].tool, **args)), name
    found = {one["order_id"]: one for one in records_of(company).all("oms.orders")}
    for order_id in ("O-1", "O-2"):
        foreseen = records.get("oms.orders", order_id) or {}
        assert {name: value for name, value in foreseen.items() if value is not None} == {
            **found[order_id], "lines": foreseen["lines"]
        }  # fmt: skip


@pytest.mark.parametrize("mission", MISSIONS)
def test_what_the_recorded_cases_expect_meets_every_need(catalogue: Catalogue, mission: str) -> None:
    for case in recorded(mission):
        systems, records = case["systems"], Records(SCHEMA)
        for collection in KEYS:
            system, _, name = collection.partition(".")
            records.add(collection, (systems.get(system) or {}).get(name) or ())
        planned = [catalogue[action["name"]] for action in case["expected"]["actions"]]
        for action, args in zip(planned, [dict(one["args"]) for one in case["expected"]["actions"]], strict=True):
            for name, kind in action.args.items():
                if name not in action.counting:
                    args[name] = SHIP_TO if kind == "address" else "A text."
            action.validate(args)
            seen = action.seen(records, args)
            assert action.unmet_need(seen) is None, (case["case_id"], action.name)
            action.apply(records, seen)
        for first, second in case["expected"]["before"]:
            assert not planned[first].comes_after(planned[second]), (case["case_id"], first, second)


def test_the_read_tools_of_the_sandbox_are_those_of_the_reference_company() -> None:
    offered = {
        f"{system}.{read.name}": (read.tool.collection, read.tool.one, set(read.takes))
        for system in SYSTEMS
        for read in reads_of(system)
    }
    assert offered == {tool: (entry.collection, entry.one, set(entry.by)) for tool, entry in READ_TOOLS.items()}
    configured = {f"{name}.{read}" for name, system in load_config().systems.items() for read in system.reads}
    assert configured - {feed.name for feed in load_config().feeds} == offered.keys()
