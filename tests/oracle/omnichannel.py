"""An independent plain reading of the omnichannel clauses of the handbook (OMN, BOP, PHA, INB, RTN, VIP), for differential tests.

`expect(case)` gives what CONTRACT.md calls `expected`; `expect(case, {"reading": "value"})` takes another reading where the
handbook leaves room, and `sensitive_to(case)` names the readings that would change the answer.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.actions import (
    BACKORDER_LINE,
    CHANGE_PICKUP_LOCATION,
    CONVERT_TO_SHIPMENT,
    CREATE_TASK,
    EXPEDITE_PO,
    FLAG_CONTACT,
    OFFER_CREDIT,
    OPEN_CASE,
    PLACE_ORDER_HOLD,
    POST_RETURN_RECEIPT,
    QUARANTINE_STOCK,
    REALLOCATE_LINE,
    REFUND_CHARGE,
    REQUEST_CYCLE_COUNT,
    SEND_MESSAGE,
    SWAP_RESERVATION,
)
from tests.oracle.omnichannel_stock import (
    FINISHED,
    NEVER,
    OPEN,
    Action,
    Case,
    Escalate,
    Readings,
    Record,
    Stock,
    act,
    collection,
    id_key,
    inbound_to,
    missing,
    moment,
    one,
    when,
)

# flag -> (default reading, *alternative readings)
READINGS: dict[str, tuple[str, ...]] = {
    "id_order": ("string", "numeric"),  # "the first by id", "the order id"
    "omn1_cite": ("any_order", "reversed"),  # which other order of priority must give another plan
    "tier_read": ("any", "two_or_more", "if_it_matters"),  # crm is null: when does OMN-1 need it
    "tier_missing": ("standard", "last", "operations"),  # a competing order's customer or tier is not known
    "promised_null": ("last", "first"),  # promised_at not known, in the order of priority
    "promised_null_inb": ("not_affected", "affected"),  # promised_at not known, before the new eta?
    "eta_null": ("operations", "no_action"),  # the delayed delivery has no eta
    "pha_null": ("not_phantom", "operations", "phantom"),  # failed picks not known and the count gives no reason
    "pha_backordered": ("not_reserved", "reserved"),  # line at the phantom location that waits for a delivery
    "pha_picked": ("moves", "stays"),  # line at the phantom location that is already picked
    "bop_store": ("pickup", "line"),  # the store where a line failed, where the two differ
    "bop_km": ("either", "from_store"),  # the distance is recorded at one of the two stores only
    "bop_customer": ("not_read", "read"),  # customer record missing or crm null
    "bop_ship_to_null": ("convert", "hold"),  # shipping home without an address
    "own_count_vip": ("count", "none"),  # own location has enough but is not trusted (STK-2)
    "own_count_inb": ("count", "none"),  # the same for a line backordered to the delayed delivery
    "vip_own_enough": ("ignore", "no_action"),  # own location has trusted stock for the short line
    "vip_read": ("always_at_e", "only_if_flagship_could"),  # missing customer at STK-4 (e)
    "vip_line_missing": ("operations", "compensate"),  # the order has no such line
    "donor_location": ("dc_or_store", "own_only", "any"),  # whose reservation may be swapped
    "donor_status": ("open", "open_or_ready"),
    "donor_picked": ("any_line", "line"),  # "not picked": the order or its line
    "donor_picked_null": ("picked", "not_picked"),
    "donor_backordered": ("no_reservation", "reservation"),
    "promise_scope": ("not_finished", "open_only", "all"),  # whose backorder_po_id claims count
    "expedite_pick": ("eta", "expedited_eta", "cheapest"),  # several deliveries could be expedited
    "notice_per": ("customer", "order"),  # several remaining orders of one customer
    "cost_read": ("if_eta_suits", "always"),  # erp null: read only when the expedited eta is early enough
    "item_missing": ("no_expedite", "operations"),  # no item record or no unit cost
    "scanned_null": ("returns", "go_on", "operations"),
    "refunded_null": ("operations", "as_zero", "as_some"),
    "condition_null": ("operations", "scrap"),
    "receipt_null": ("operations", "post", "leave"),
    "rtn_amount": ("line", "returned"),  # fewer units returned than ordered: "the line's amount"
    "rtn_no_charge": ("operations", "payments", "skip"),  # a refund is due, but nothing was captured
    "rtn_charge_left": ("line", "at_most_left", "payments"),  # less is left on the charge than the line's amount
    "charge_tie": ("first_by_id", "last_listed"),  # two charges captured at one moment
    "stock_null": ("none", "as_zero"),  # null in reserved / safety_stock / failed_picks
    "finished": ("as_written", "no_action"),  # the subject order is shipped, delivered or cancelled
}
TIERS = {"vip": 0, "gold": 1, "standard": 2}
NEARBY_KM = 25
Competing = list[tuple[Record, Record]]  # (order, line)


@dataclass
class Plan:
    verdict: str
    actions: list[Action]
    cite: list[str]
    to_flagship: bool = False


def expect(case: Case, readings: Readings | None = None) -> dict[str, Any]:
    """What CONTRACT.md calls `expected`."""
    chosen = {name: values[0] for name, values in READINGS.items()} | (readings or {})
    try:
        plan = PLANS[case["trigger"]["event"]](case, chosen)
    except Escalate as stop:  # GOV-5
        plan = Plan("escalate", [act(OPEN_CASE, queue=stop.queue, subject_id=subject(case))], [stop.clause])
    return finished(plan)


def subject(case: Case) -> str:
    trigger = case["trigger"]
    if trigger["event"] == "inventory.discrepancy":
        return f"{trigger['sku']}@{trigger['location']}"
    name = {"inbound.delayed": "po_id", "return.unreconciled": "return_id"}.get(trigger["event"], "order_id")
    return str(trigger[name])


def finished(plan: Plan) -> dict[str, Any]:
    """Roles by GOV-1 to GOV-4. The omnichannel clauses name no order of the actions."""
    free = (OPEN_CASE, REQUEST_CYCLE_COUNT, CREATE_TASK, FLAG_CONTACT)
    gated = [a for a in plan.actions if a["name"] not in free and a["args"].get("template") != "delay_notice"]
    role, four_eyes, cite = ("reviewer" if gated else "none"), False, list(plan.cite)
    stake = sum(a["args"]["amount_cents"] for a in plan.actions if a["name"] == REFUND_CHARGE)
    if stake > 50_000:
        role, four_eyes = ("finance", True) if stake > 500_000 else ("supervisor", False)
        cite.append("GOV-3")
    elif plan.to_flagship:
        role = "supervisor"
        cite.append("GOV-4")
    return {
        "verdict": plan.verdict,
        "actions": plan.actions,
        "before": [],
        "cite": cite,
        "approval": {"role": role, "four_eyes": four_eyes},
    }


# --- OMN-1


def tier(case: Case, order: Record, readings: Readings) -> int:
    """0 vip, 1 gold, 2 standard."""
    customer = one(collection(case, "crm", "customers"), customer_id=order["customer_id"]) or {}
    found = TIERS.get(customer.get("tier") or "")
    if found is None and readings["tier_missing"] == "operations":
        raise missing()
    if found is None:
        return 3 if readings["tier_missing"] == "last" else 2
    return found


def by_priority(case: Case, competing: Competing, readings: Readings) -> Competing:
    if readings["tier_read"] == "two_or_more" and len(competing) < 2:
        return competing
    unknown = NEVER if readings["promised_null"] == "last" else NEVER.replace(year=1)
    keys = [
        (tier(case, order, readings), moment(order.get("promised_at"), unknown), id_key(order["order_id"], readings))
        for order, _ in competing
    ]
    return [competing[i] for i in sorted(range(len(keys)), key=lambda i: keys[i])]


def compete(
    case: Case, competing: Competing, plan_for: Callable[[Sequence[tuple[Record, Record]]], list[Action]], readings: Readings
) -> tuple[list[Action], bool]:
    """The actions in the order of priority, and whether another order of priority would have given other ones."""

    def others() -> bool:
        base = same_actions(plan_for(competing))
        queues = [competing[::-1]] if readings["omn1_cite"] == "reversed" else itertools.permutations(competing)
        return any(same_actions(plan_for(queue)) != base for queue in queues)

    if readings["tier_read"] == "if_it_matters" and case["systems"].get("crm", {}) is None and not others():
        return plan_for(competing), False
    competing = by_priority(case, competing, readings)
    return plan_for(competing), others()


def same_actions(actions: list[Action]) -> list[str]:
    return sorted(json.dumps(action, sort_keys=True) for action in actions)


def move(stock: Stock, queue: Sequence[tuple[Record, Record]]) -> tuple[list[Action], Competing]:
    """Moves to another `dc`, each using up what it takes, and those that fit nowhere."""
    moves: list[Action] = []
    rest: Competing = []
    for order, line in queue:
        place = stock.best(line, "dc")
        if place is None:
            rest.append((order, line))
            continue
        stock.take(line["sku"], place, line["qty"])
        moves.append(reallocate(order, line, place))
    return moves, rest


def reallocate(order: Record, line: Record, place: str) -> Action:
    return act(REALLOCATE_LINE, order_id=order["order_id"], line_id=line["line_id"], to_location=place)


def count(sku: str, location: str) -> Action:
    return act(REQUEST_CYCLE_COUNT, sku=sku, location=location)


def message(order: Record, template: str) -> Action:
    return act(SEND_MESSAGE, customer_id=order["customer_id"], template=template)


def subject_order(case: Case) -> Record:
    order = one(collection(case, "oms", "orders"), order_id=case["trigger"]["order_id"])
    if order is None:
        raise missing()
    return order


def left_alone(order: Record, readings: Readings) -> bool:
    return readings["finished"] == "no_action" and order["status"] in FINISHED


# --- BOP


def pickup_failed(case: Case, readings: Readings) -> Plan:
    order = subject_order(case)
    if left_alone(order, readings):
        return Plan("no_action", [], [])
    if readings["bop_customer"] == "read" and one(collection(case, "crm", "customers"), customer_id=order["customer_id"]) is None:
        raise missing()
    stock = Stock(case, readings)
    lines = order["lines"]
    store = order.get("pickup_location") or lines[0].get("location")
    counts = [count(line["sku"], (line.get("location") if readings["bop_store"] == "line" else None) or store) for line in lines]
    near = [
        (km, id_key(place, readings), place)
        for place in stock.of_type("store")
        if place != store
        and (km := distance(case, store, place, readings)) is not None
        and km <= NEARBY_KM
        and stock.fills_all(lines, place)
    ]
    if near:
        moved = act(CHANGE_PICKUP_LOCATION, order_id=order["order_id"], to_location=min(near)[2])
        return Plan("reroute", [*counts, moved, message(order, "pickup_moved")], ["BOP-1"])
    place = ship_from(order, stock, readings)
    if place is not None:
        shipped = act(CONVERT_TO_SHIPMENT, order_id=order["order_id"], from_location=place)
        return Plan("reroute", [*counts, shipped, message(order, "ship_to_home")], ["BOP-1", "BOP-2"])
    held = act(PLACE_ORDER_HOLD, order_id=order["order_id"], reason="stock")
    return Plan("hold_for_customer", [*counts, held, message(order, "stock_choice")], ["BOP-1", "BOP-3"])


def ship_from(order: Record, stock: Stock, readings: Readings) -> str | None:
    if order.get("allow_ship_home") is not True:
        return None
    if order.get("ship_to") is None and readings["bop_ship_to_null"] == "hold":
        return None
    lines = order["lines"]
    return stock.most(lines[0]["sku"], [place for place in stock.of_type("dc") if stock.fills_all(lines, place)])


def distance(case: Case, store: str, other: str, readings: Readings) -> float | None:
    """Kilometres as the failed store's record gives them, else the other's."""
    places = collection(case, "wms", "locations")

    def recorded(a: str, b: str) -> float | None:
        return ((one(places, location=a) or {}).get("km_to") or {}).get(b)

    km = recorded(store, other)
    return recorded(other, store) if km is None and readings["bop_km"] == "either" else km


# --- PHA


def is_phantom(row: Record, readings: Readings) -> bool:
    picks, on_hand, counted = row.get("failed_picks_14d"), row.get("on_hand"), row.get("last_counted_qty")
    if picks is not None and picks >= 2:
        return True
    if on_hand is not None and counted is not None:
        short = on_hand - counted
        if short >= 5 or (short > 0 and 5 * short >= on_hand):  # 20% of what the record says
            return True
    if picks is None and readings["pha_null"] == "operations":
        raise missing()
    return picks is None and readings["pha_null"] == "phantom"


def discrepancy(case: Case, readings: Readings) -> Plan:
    sku, location = case["trigger"]["sku"], case["trigger"]["location"]
    row = one(collection(case, "wms", "stock"), sku=sku, location=location)
    if row is None:
        raise missing()
    counted = count(sku, location)
    if not is_phantom(row, readings):
        return Plan("monitor", [counted], ["PHA-1"])
    quarantine = [act(QUARANTINE_STOCK, sku=sku, location=location), counted]
    affected = [
        (order, line)
        for order in collection(case, "oms", "orders")
        if order["status"] in OPEN
        for line in order["lines"]
        if line["sku"] == sku and line.get("location") == location and reserves(line, readings)
    ]
    if not affected:
        return Plan("quarantine", quarantine, ["PHA-1"])

    def plan_for(queue: Sequence[tuple[Record, Record]]) -> list[Action]:
        moves, rest = move(Stock(case, readings), queue)
        return [*moves, act(OPEN_CASE, queue="inventory", subject_id=subject(case))] if rest else moves

    actions, priority_decided = compete(case, affected, plan_for, readings)
    cite = ["PHA-1", "PHA-2", *(["OMN-1"] if priority_decided else [])]
    return Plan("quarantine", quarantine + actions, cite)


def reserves(line: Record, readings: Readings) -> bool:
    """Whether the line holds a reservation of stock at its location."""
    if line.get("backorder_po_id") is not None and readings["pha_backordered"] == "not_reserved":
        return False
    return not (line.get("picked") and readings["pha_picked"] == "stays")


# --- INB


def inbound_delayed(case: Case, readings: Readings) -> Plan:
    po_id = case["trigger"]["po_id"]
    delivery = one(collection(case, "wms", "inbound"), po_id=po_id)
    if delivery is None:
        raise missing()
    eta = when(delivery.get("eta"))
    if eta is None and readings["eta_null"] == "operations":
        raise missing()

    def late(order: Record) -> bool:
        promised = when(order.get("promised_at"))
        if promised is None:
            return readings["promised_null_inb"] == "affected"
        return eta is not None and promised < eta

    affected = [
        (order, line)
        for order in collection(case, "oms", "orders")
        if order["status"] in OPEN and late(order)
        for line in order["lines"]
        if line.get("backorder_po_id") == po_id
    ]
    if not affected:
        return Plan("no_action", [], ["INB-1"])

    def plan_for(queue: Sequence[tuple[Record, Record]]) -> list[Action]:
        moves, rest = move(Stock(case, readings), queue)
        return moves + mitigation(case, delivery, rest, readings)

    actions, priority_decided = compete(case, affected, plan_for, readings)
    names = [action["name"] for action in actions]
    moved, remained = names.count(REALLOCATE_LINE), len(affected) - names.count(REALLOCATE_LINE)
    verdict = "mitigate" if moved or EXPEDITE_PO in names else "notify"
    counts = own_counts(case, affected, readings["own_count_inb"], readings)
    cite = [
        clause
        for clause, applies in (("STK-2", counts), ("INB-2", moved), ("OMN-1", priority_decided), ("INB-3", remained))
        if applies
    ]
    return Plan(verdict, counts + actions, cite)


def own_counts(case: Case, competing: Competing, reading: str, readings: Readings) -> list[Action]:
    """STK-2, last sentence, each place once."""
    stock = Stock(case, readings)
    if reading == "none":
        return []
    found = {(line["sku"], line["location"]) for _, line in competing if stock.own_untrusted(line)}
    return [count(sku, location) for sku, location in sorted(found)]


def mitigation(case: Case, delivery: Record, rest: Competing, readings: Readings) -> list[Action]:
    """INB-3 for the affected orders that remain."""
    if not rest:
        return []
    earliest = min(moment(order.get("promised_at"), NEVER) for order, _ in rest)
    if pays_to_expedite(case, delivery, earliest, [line for _, line in rest], readings):
        return [act(EXPEDITE_PO, po_id=delivery["po_id"])]
    notices = [message(order, "delay_notice") for order, _ in rest]
    if readings["notice_per"] == "order":
        return notices
    return [notice for i, notice in enumerate(notices) if notice not in notices[:i]]


def pays_to_expedite(case: Case, delivery: Record, needed_by: datetime, lines: list[Record], readings: Readings) -> bool:
    """Whether the expedited `eta` is early enough and costs less than the margin of the lines."""
    eta, cost = when(delivery.get("expedited_eta")), delivery.get("expedite_cost_cents")
    suits = cost is not None and eta is not None and eta <= needed_by
    if not suits and readings["cost_read"] == "if_eta_suits":
        return False
    margins = [margin(case, line, readings) for line in lines]
    known = [found for found in margins if found is not None]
    return suits and len(known) == len(lines) and (cost or 0) < sum(known)


def margin(case: Case, line: Record, readings: Readings) -> int | None:
    """Line price less item cost, times quantity; None if the cost is not known."""
    item = one(collection(case, "erp", "items"), sku=line["sku"]) or {}
    cost = item.get("unit_cost_cents")
    if cost is None and readings["item_missing"] == "operations":
        raise missing()
    return None if cost is None else int((line["unit_price_cents"] - cost) * line["qty"])


# --- RTN


def unreconciled(case: Case, readings: Readings) -> Plan:
    record = one(collection(case, "oms", "returns"), return_id=case["trigger"]["return_id"])
    if record is None:
        raise missing()
    check_scan(record, readings)
    order = one(collection(case, "oms", "orders"), order_id=record["order_id"])
    line = one((order or {}).get("lines") or [], line_id=record["line_id"])
    if line is None:
        raise missing()
    qty = record["qty"] if readings["rtn_amount"] == "returned" else line["qty"]
    amount = int(qty * line["unit_price_cents"])
    refunded = refunded_so_far(record, readings)
    if refunded > amount:
        raise Escalate("payments", "RTN-1")
    receipt = receipt_actions(record, readings)
    refund = refund_actions(case, record["order_id"], amount, readings) if refunded == 0 else []
    actions = receipt + refund
    return Plan("reconcile" if actions else "no_action", actions, ["RTN-2"])


def check_scan(record: Record, readings: Readings) -> None:
    """RTN-1, first sentence."""
    if record.get("scanned_sku") is None:
        if readings["scanned_null"] == "operations":
            raise missing()
        if readings["scanned_null"] == "go_on":
            return
    if record.get("scanned_sku") != record["sku"]:
        raise Escalate("returns", "RTN-1")


def refunded_so_far(record: Record, readings: Readings) -> int:
    if record.get("refunded_cents") is None:
        if readings["refunded_null"] == "operations":
            raise missing()
        return 0 if readings["refunded_null"] == "as_zero" else -1
    return int(record["refunded_cents"])


def receipt_actions(record: Record, readings: Readings) -> list[Action]:
    posted = record.get("receipt_posted")
    if posted is None and readings["receipt_null"] == "operations":
        raise missing()
    if posted or (posted is None and readings["receipt_null"] == "leave"):
        return []
    disposition = {"resellable": "restock", "damaged": "scrap"}.get(record.get("condition") or "")
    if disposition is None:
        if readings["condition_null"] == "operations":
            raise missing()
        disposition = "scrap"
    return [act(POST_RETURN_RECEIPT, return_id=record["return_id"], disposition=disposition)]


def refund_actions(case: Case, order_id: str, amount: int, readings: Readings) -> list[Action]:
    """The refund of the line from the latest captured charge."""
    payment = one(collection(case, "payments", "payments"), order_id=order_id)
    if payment is None:
        raise missing()
    charges = [charge for charge in payment.get("charges") or [] if charge["status"] == "captured"]
    if not charges:
        if readings["rtn_no_charge"] == "skip":
            return []
        raise missing() if readings["rtn_no_charge"] == "operations" else Escalate("payments", "RTN-2")
    first = NEVER.replace(year=1)
    latest = max(moment(charge.get("captured_at"), first) for charge in charges)
    latest_ones = [charge for charge in charges if moment(charge.get("captured_at"), first) == latest]
    charge = latest_ones[-1]
    if readings["charge_tie"] == "first_by_id":
        charge = min(latest_ones, key=lambda found: id_key(found["charge_id"], readings))
    left = charge["amount_cents"] - (charge.get("refunded_cents") or 0)
    if left < amount and readings["rtn_charge_left"] == "payments":
        raise Escalate("payments", "RTN-1")
    if readings["rtn_charge_left"] == "at_most_left":
        amount = min(amount, left)
    return [act(REFUND_CHARGE, charge_id=charge["charge_id"], amount_cents=amount)]


# --- VIP


def vip_conflict(case: Case, readings: Readings) -> Plan:
    order = subject_order(case)
    if left_alone(order, readings):
        return Plan("no_action", [], [])
    line = one(order["lines"], line_id=case["trigger"]["line_id"])
    if line is None:
        if readings["vip_line_missing"] == "operations":
            raise missing()
        return compensated(order)
    stock = Stock(case, readings)
    if readings["vip_own_enough"] == "no_action" and stock.fills(line["sku"], line["location"], line["qty"]):
        return Plan("no_action", [], [])
    counts = own_counts(case, [(order, line)], readings["own_count_vip"], readings)
    plan = (
        moved(case, order, line, stock, readings)
        or swapped(case, order, line, stock, readings)
        or expedited(case, order, line, readings)
        or compensated(order)
    )
    if counts:
        plan.actions, plan.cite = counts + plan.actions, ["STK-2", *plan.cite]
    return plan


def moved(case: Case, order: Record, line: Record, stock: Stock, readings: Readings) -> Plan | None:
    """VIP-1 (a): STK-4 (a), (b), (e)."""
    place = stock.best(line, "dc") or stock.best(line, "store")
    if place is not None:
        return Plan("reallocate", [reallocate(order, line, place)], ["VIP-1"])
    place = stock.best(line, "flagship")
    if place is None and readings["vip_read"] == "only_if_flagship_could":
        return None
    customer = one(collection(case, "crm", "customers"), customer_id=order["customer_id"])
    if customer is None:
        raise missing()
    if place is None or customer.get("tier") != "vip":
        return None
    return Plan("reallocate", [reallocate(order, line, place)], ["VIP-1"], to_flagship=True)


def swapped(case: Case, order: Record, line: Record, stock: Stock, readings: Readings) -> Plan | None:
    """VIP-1 (b): the reservation of a standard order that can wait."""
    donors = [
        (other, its_line, deliveries[0])
        for other in collection(case, "oms", "orders")
        if other["order_id"] != order["order_id"]
        for its_line in other["lines"]
        if its_line["sku"] == line["sku"]
        and its_line["qty"] >= line["qty"]
        and may_give(other, its_line, line, stock, readings)
        and (deliveries := can_wait(case, other, its_line, readings))
        and is_standard(case, other)
    ]
    if not donors:
        return None
    latest = max(moment(other["promised_at"], NEVER) for other, _, _ in donors)
    other, its_line, delivery = min(
        (donor for donor in donors if moment(donor[0]["promised_at"], NEVER) == latest),
        key=lambda donor: id_key(donor[0]["order_id"], readings),
    )
    swap = act(SWAP_RESERVATION, from_order_id=other["order_id"], to_order_id=order["order_id"], sku=line["sku"])
    wait = act(BACKORDER_LINE, order_id=other["order_id"], line_id=its_line["line_id"], po_id=delivery["po_id"])
    return Plan("swap", [swap, wait], ["VIP-1"])


def is_standard(case: Case, order: Record) -> bool:
    customer = one(collection(case, "crm", "customers"), customer_id=order["customer_id"]) or {}
    return customer.get("tier") == "standard"


def may_give(other: Record, its_line: Record, line: Record, stock: Stock, readings: Readings) -> bool:
    """Whether the order holds a reservation, not picked, at a place that stock may be taken from."""
    states = (*OPEN, "ready") if readings["donor_status"] == "open_or_ready" else OPEN
    looked_at = other["lines"] if readings["donor_picked"] == "any_line" else [its_line]
    null_is_picked = readings["donor_picked_null"] == "picked"
    picked = any(entry["picked"] or (entry["picked"] is None and null_is_picked) for entry in looked_at if "picked" in entry)
    backordered = its_line.get("backorder_po_id") is not None and readings["donor_backordered"] == "no_reservation"
    place = its_line.get("location")
    reachable = place == line.get("location") or (
        readings["donor_location"] == "any"
        or (readings["donor_location"] == "dc_or_store" and stock.types.get(place or "") in ("dc", "store"))
    )
    return other["status"] in states and not picked and not backordered and reachable


def can_wait(case: Case, other: Record, its_line: Record, readings: Readings) -> list[Record]:
    """Deliveries to the location of the reservation at or before the order's `promised_at`, the earliest first."""
    promised = when(other.get("promised_at"))
    found = inbound_to(case, its_line["sku"], its_line.get("location"), its_line["qty"], other["order_id"], readings)
    return [delivery for delivery in found if promised is not None and moment(delivery.get("eta"), NEVER) <= promised]


def expedited(case: Case, order: Record, line: Record, readings: Readings) -> Plan | None:
    """VIP-1 (c)."""
    promised = when(order.get("promised_at"))
    if promised is None:
        return None
    found = inbound_to(case, line["sku"], line.get("location"), line["qty"], order["order_id"], readings)
    suitable = [delivery for delivery in found if pays_to_expedite(case, delivery, promised, [line], readings)]
    if readings["expedite_pick"] == "expedited_eta":
        suitable.sort(key=lambda delivery: moment(delivery["expedited_eta"], NEVER))
    elif readings["expedite_pick"] == "cheapest":
        suitable.sort(key=lambda delivery: delivery["expedite_cost_cents"])
    return Plan("expedite", [act(EXPEDITE_PO, po_id=suitable[0]["po_id"])], ["VIP-1"]) if suitable else None


def compensated(order: Record) -> Plan:
    """VIP-2: 20% of the total, rounded down, at most 15,000."""
    credit = act(OFFER_CREDIT, customer_id=order["customer_id"], amount_cents=min(order["total_cents"] // 5, 15_000))
    return Plan("compensate", [credit, act(OPEN_CASE, queue="vip_desk", subject_id=order["order_id"])], ["VIP-2"])


PLANS: dict[str, Callable[[Case, Readings], Plan]] = {
    "bopis.pick_failed": pickup_failed,
    "inventory.discrepancy": discrepancy,
    "inbound.delayed": inbound_delayed,
    "return.unreconciled": unreconciled,
    "order.vip_conflict": vip_conflict,
}


def sensitive_to(case: Case) -> list[str]:
    """Names of the readings whose alternative gives another result for this case."""
    base = _compared(expect(case))
    alternatives = [(name, other) for name, readings in READINGS.items() for other in readings[1:]]
    return [f"{name}={other}" for name, other in alternatives if _compared(expect(case, {name: other})) != base]


def _compared(expected: dict[str, Any]) -> tuple[Any, ...]:
    return (expected["verdict"], same_actions(expected["actions"]), sorted(expected["cite"]), expected["approval"])
