"""An independent plain reading of the handbook, for differential tests.

`decide(case)` gives a result; `decide(case, {"reading": "value"})` takes another reading where there is room.
"""

import json
import re
from datetime import datetime, timedelta

from tests.actions import (
    BACKORDER_LINE,
    CANCEL_LINE,
    CANCEL_ORDER,
    CAPTURE_PAYMENT,
    CONFIRM_RESERVATION,
    CREATE_TASK,
    FLAG_CONTACT,
    OPEN_CASE,
    PLACE_ORDER_HOLD,
    REALLOCATE_LINE,
    REAUTHORIZE,
    REFUND_CHARGE,
    RELEASE_PAYMENT_HOLD,
    RELEASE_TO_FULFILMENT,
    REQUEST_CYCLE_COUNT,
    SEND_MESSAGE,
    SUBSTITUTE_LINE,
    UPDATE_SHIPPING_ADDRESS,
    VOID_AUTHORIZATION,
)

# flag -> (default reading, *alternative readings)
READINGS = {
    "dup_middle": ("subject_only", "later_too"),  # subject has an earlier and a later duplicate
    "id_order": ("string", "numeric"),  # "the one with the higher id"
    "dup_payments_missing": ("escalate", "ignore"),  # duplicate to cancel has no payments record
    "dup_ready": ("cancel", "leave"),  # the later duplicate is `ready` (ORD-3 "left alone")
    "dup2_cancelled": ("cite", "skip"),  # differing order within 30 min is itself cancelled
    "dup2_beside_dup1": ("cite", "skip"),  # a real duplicate and a differing order as well
    "ship_to_null": ("not_same", "same"),  # both orders have ship_to null
    "fraud_null": ("operations", "clear", "fraud"),  # fraud (or its score) not known
    "signals_null": ("operations", "fraud", "none"),  # signals not known, score elevated
    "signals_read": ("unexplainable_first", "list_order", "customer_first"),
    "expiry_equal": ("expired", "live"),  # expires_at == as_of
    "expiry_null": ("not_expired", "expired"),  # status authorized, expires_at not known
    "declined_expired": ("declined", "expired"),  # newest is declined and its expires_at has passed
    "charge_cover": ("gross", "net"),  # captured charge partly refunded: does it cover?
    "captured_means": ("status_captured", "ever_captured"),  # refunded / disputed charges under CAP-1
    "line_refund_from": ("latest", "first_listed"),  # several captured charges, a line is cancelled
    "line_refund_cap": ("line_amount", "at_most_left"),  # less is left on the charge than the line's amount
    "promise_scope": ("not_finished", "open_only", "all"),  # whose backorder_po_id claims count
    "promise_of_cancelled_dup": ("counts", "freed"),  # the duplicate we cancel was promised inbound
    "vip_read": ("always_at_e", "only_if_flagship_could"),  # missing customer at STK-4 (e)
    "item_missing": ("no_substitutes", "operations"),  # erp up, but no item record for the line
    "stock_null": ("none", "as_zero"),  # null in reserved/safety_stock/failed_picks
    "auth_tie": ("first_listed", "last_listed"),  # two newest authorizations of one moment
    "gov4_cite": ("only_if_it_raises", "always"),  # money band gives supervisor or more already
}
DAY = timedelta(days=1)
OPEN = ("new", "payment_review", "backordered", "address_hold")


def when(text):
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


class Escalate(Exception):
    """A clause says *escalate to Q*."""

    def __init__(self, queue, clause):
        self.queue, self.clause = queue, clause


def missing():
    return Escalate("operations", "GOV-7")


def collection(case, system, name):
    """Records of a collection; GOV-7 if the system cannot be read."""
    records = case["systems"].get(system, {})
    if records is None:
        raise missing()
    return records.get(name) or []


def one(records, **keys):
    for r in records:
        if all(r.get(k) == v for k, v in keys.items()):
            return r
    return None


def act(name, **args):
    return {"name": name, "args": args}


def id_key(order_id, R):
    if R["id_order"] == "numeric":
        digits = re.sub(r"\D", "", order_id)
        return (int(digits or 0), order_id)
    return order_id


def same_purchase(a, b, R):
    """True / False, or None if it is not known."""

    def goods(o):
        return sorted((entry["sku"], entry["qty"]) for entry in o["lines"])

    if goods(a) != goods(b):
        return False
    sa, sb = a.get("ship_to"), b.get("ship_to")
    if sa is None and sb is None:
        return True if R["ship_to_null"] == "same" else None
    if sa is None or sb is None:
        return None
    unknown = False
    for field in ("line1", "postal_code"):
        if sa.get(field) is None or sb.get(field) is None:
            unknown = True
        elif sa[field] != sb[field]:
            return False
    return None if unknown else True


def cancel_money(case, order_id, is_subject, R):
    """CAN-1."""
    pay = one(collection(case, "payments", "payments"), order_id=order_id)
    if pay is None:
        if is_subject or R["dup_payments_missing"] == "escalate":
            raise missing()
        return []
    out = [act(VOID_AUTHORIZATION, auth_id=a["auth_id"]) for a in pay.get("authorizations") or [] if a["status"] == "authorized"]
    for c in pay.get("charges") or []:
        left = c["amount_cents"] - (c.get("refunded_cents") or 0)
        if c["status"] == "captured" and left > 0:
            out.append(act(REFUND_CHARGE, charge_id=c["charge_id"], amount_cents=left))
    return out


def newest_authorization(pay, R):
    newest, listed = None, pay.get("authorizations") or []
    for a in listed if R["auth_tie"] == "first_listed" else listed[::-1]:
        if newest is None or (a.get("authorized_at") or "") > (newest.get("authorized_at") or ""):
            newest = a
    return newest


def authorization_state(pay, order, as_of, R):
    """live | lapsed | declined of the newest authorization (AUT-1 to AUT-3), charges aside."""
    a = newest_authorization(pay, R)
    if a is None:
        return "lapsed"
    expires = when(a.get("expires_at"))
    if expires is None:
        expired = R["expiry_null"] == "expired"
    elif expires == as_of:
        expired = R["expiry_equal"] == "expired"
    else:
        expired = expires < as_of
    if a["status"] == "declined":
        return "lapsed" if expired and expires is not None and R["declined_expired"] == "expired" else "declined"
    if a["status"] != "authorized" or expired:
        return "lapsed"
    if a.get("amount_cents") is None or a["amount_cents"] < order["total_cents"]:
        return "lapsed"
    return "live"


def fraud(case, order, pay, as_of, dup_cancelled, cite, R):
    f = pay.get("fraud")
    if f is None or f.get("score") is None:
        if R["fraud_null"] == "operations":
            raise missing()
        if R["fraud_null"] == "fraud":
            raise Escalate("fraud", "FRD-2")
        return
    score = f["score"]
    if score < 0.40:
        return
    if score >= 0.75:
        raise Escalate("fraud", "FRD-3")
    signals = f.get("signals")
    if signals is None:
        if R["signals_null"] == "operations":
            raise missing()
        if R["signals_null"] == "fraud":
            raise Escalate("fraud", "FRD-2")
        signals = []

    def customer():
        c = one(collection(case, "crm", "customers"), customer_id=order["customer_id"])
        if c is None:
            raise missing()
        return c

    def explained(signal):
        if signal == "new_shipping_address":
            c = customer()
            moved, since, made = when(c.get("moved_at")), when(c.get("since")), when(order["created_at"])
            return (
                moved is not None
                and timedelta(0) <= made - moved <= 180 * DAY
                and since is not None
                and as_of - since >= 730 * DAY
                and c.get("chargebacks_24m") == 0
            )
        if signal == "high_order_value":
            largest = customer().get("max_order_12m_cents")
            return largest is not None and order["total_cents"] <= 2 * largest
        if signal == "order_velocity":
            return dup_cancelled
        return False  # card_country_mismatch and anything no clause explains

    reads_customer = ("new_shipping_address", "high_order_value")
    if R["signals_read"] == "unexplainable_first":  # a record is needed only if the verdict depends on it
        signals = sorted(signals, key=lambda s: s in reads_customer)
    elif R["signals_read"] == "customer_first":
        signals = sorted(signals, key=lambda s: s not in reads_customer)
    for s in signals:
        if not explained(s):
            raise Escalate("fraud", "FRD-2")
    cite.append("FRD-2")


def stock_dimension(case, order, as_of, cancelled_dups, R):
    """-> (plan per line, counts).  plan: (kind, argument) with kind own|move|backorder|substitute|None."""
    stock = collection(case, "wms", "stock")
    locations = {entry["location"]: entry.get("type") for entry in collection(case, "wms", "locations")}
    inbound = collection(case, "wms", "inbound")
    claimed = {}

    def available(row):
        n = [row.get("on_hand"), row.get("reserved"), row.get("safety_stock")]
        if R["stock_null"] == "as_zero":
            n = [x or 0 for x in n]
        if None in n:
            return None
        return n[0] - n[1] - n[2] - claimed.get((row["sku"], row["location"]), 0)

    def trusted(row):
        counted, picks = when(row.get("last_counted_at")), row.get("failed_picks_14d")
        if R["stock_null"] == "as_zero":
            picks = picks or 0
        return counted is not None and as_of - counted <= 30 * DAY and picks is not None and picks < 2

    def has(row, qty):
        return row is not None and available(row) is not None and available(row) >= qty

    def row_of(sku, location):
        return None if location is None else one(stock, sku=sku, location=location)

    def claim(sku, location, qty):
        claimed[sku, location] = claimed.get((sku, location), 0) + qty

    def best(line, kind):
        rows = [
            r
            for r in stock
            if r["sku"] == line["sku"]
            and r["location"] != line.get("location")
            and locations.get(r["location"]) == kind
            and trusted(r)
            and has(r, line["qty"])
        ]
        rows.sort(key=lambda r: (-available(r), r["location"]))
        return rows[0]["location"] if rows else None

    def promised_to_others(po):
        total = 0
        for other in collection(case, "oms", "orders"):
            if other["order_id"] == order["order_id"]:
                continue
            if R["promise_scope"] == "not_finished" and other["status"] in ("shipped", "delivered", "cancelled"):
                continue
            if R["promise_scope"] == "open_only" and other["status"] not in OPEN:
                continue
            if R["promise_of_cancelled_dup"] == "freed" and other["order_id"] in cancelled_dups:
                continue
            total += sum(
                entry["qty"]
                for entry in other["lines"]
                if entry.get("backorder_po_id") == po["po_id"] and entry["sku"] == po["sku"]
            )
        return total

    plan, counts = {}, []
    # lines that their own location can fill claim first
    for line in order["lines"]:
        row = row_of(line["sku"], line.get("location"))
        if has(row, line["qty"]):
            if trusted(row):
                plan[line["line_id"]] = ("own", None)
                claim(line["sku"], line["location"], line["qty"])
            else:
                counts.append(act(REQUEST_CYCLE_COUNT, sku=line["sku"], location=line["location"]))

    def alternative(line):
        for kind in ("dc", "store"):  # (a), (b)
            to = best(line, kind)
            if to:
                claim(line["sku"], to, line["qty"])
                return ("move", to)
        promised = when(order.get("promised_at"))  # (c)
        fits = [
            p
            for p in inbound
            if p["sku"] == line["sku"]
            and p["location"] == line.get("location")
            and p.get("eta") is not None
            and p.get("qty") is not None
            and promised is not None
            and when(p["eta"]) <= promised + 2 * DAY
            and p["qty"] - promised_to_others(p) >= line["qty"]
        ]
        fits.sort(key=lambda p: (when(p["eta"]), p["po_id"]))
        if fits:
            return ("backorder", fits[0])
        if order.get("allow_substitution"):  # (d)
            items = collection(case, "erp", "items")
            item = one(items, sku=line["sku"])
            if item is None and R["item_missing"] == "operations":
                raise missing()
            for sku in (item or {}).get("substitutes") or []:
                other = one(items, sku=sku)
                price = (other or {}).get("unit_price_cents")
                if price is None or 10 * abs(price - line["unit_price_cents"]) > line["unit_price_cents"]:
                    continue
                row = row_of(sku, line.get("location"))
                if has(row, line["qty"]) and trusted(row):
                    claim(sku, line["location"], line["qty"])
                    return ("substitute", sku)
        flagship = best(line, "flagship")  # (e)
        if R["vip_read"] == "only_if_flagship_could" and not flagship:
            return None
        customer = one(collection(case, "crm", "customers"), customer_id=order["customer_id"])
        if customer is None:
            raise missing()
        if customer.get("tier") == "vip" and flagship:
            claim(line["sku"], flagship, line["qty"])
            return ("move", flagship)
        return None

    for line in order["lines"]:
        if line["line_id"] not in plan:
            plan[line["line_id"]] = alternative(line)
    return plan, counts, locations


def finish(case, verdict, actions, cite, order=None, flagship=False, R=None):
    messages = [a for a in actions if a["name"] == SEND_MESSAGE]  # ORD-5: messages last
    actions = [a for a in actions if a["name"] != SEND_MESSAGE] + messages
    free = (OPEN_CASE, REQUEST_CYCLE_COUNT, CREATE_TASK, FLAG_CONTACT)
    gated = [a for a in actions if not (a["name"] in free or a["args"].get("template") == "delay_notice")]
    role, four = ("reviewer" if gated else "none"), False
    cite = list(dict.fromkeys(cite))
    refunds = sum(a["args"]["amount_cents"] for a in actions if a["name"] == REFUND_CHARGE)
    captures = sum(a["args"]["amount_cents"] for a in actions if a["name"] == CAPTURE_PAYMENT)
    held = order["total_cents"] if any(a["name"] == RELEASE_PAYMENT_HOLD for a in actions) else 0
    stake = max(refunds, captures, held)
    if stake > 500_000:
        role, four = "finance", True
    elif stake > 50_000:
        role = "supervisor"
    if stake > 50_000:
        cite.append("GOV-3")
    if flagship:
        if role == "reviewer":
            role = "supervisor"
            cite.append("GOV-4")
        elif R["gov4_cite"] == "always":
            cite.append("GOV-4")
    return {
        "case_id": case["case_id"],
        "verdict": verdict,
        "actions": actions,
        "cite": cite,
        "approval": {"role": role, "four_eyes": four},
    }


def decide(case, readings=None):
    R = {k: v[0] for k, v in READINGS.items()}
    R.update(readings or {})
    try:
        return decide_or_escalate(case, R)
    except Escalate as e:  # GOV-5
        return finish(case, "escalate", [act(OPEN_CASE, queue=e.queue, subject_id=case["trigger"]["order_id"])], [e.clause])


def decide_or_escalate(case, R):
    as_of, oid = when(case["as_of"]), case["trigger"]["order_id"]
    orders = collection(case, "oms", "orders")
    order = one(orders, order_id=oid)
    if order is None:
        raise missing()
    status, total, customer_id = order["status"], order["total_cents"], order["customer_id"]

    if status in ("ready", "delivered", "cancelled"):  # ORD-3
        return finish(case, "no_action", [], ["ORD-3"])

    def subject_payments():
        pay = one(collection(case, "payments", "payments"), order_id=oid)
        if pay is None:
            raise missing()
        return pay

    if status == "shipped":  # CAP-1
        pay = subject_payments()
        had = ("captured",) if R["captured_means"] == "status_captured" else ("captured", "refunded", "disputed")
        if any(c["status"] in had for c in pay.get("charges") or []):
            return finish(case, "no_action", [], ["CAP-1"])
        state = authorization_state(pay, order, as_of, R)
        if state == "declined":
            raise Escalate("payments", "CAP-1")
        actions, cite = [], []
        if state == "lapsed":
            actions.append(act(REAUTHORIZE, order_id=oid, amount_cents=total))
            cite.append("AUT-2")
        actions.append(act(CAPTURE_PAYMENT, order_id=oid, amount_cents=total))
        return finish(case, "capture", actions, [*cite, "CAP-1"], order)

    # --- duplicate
    created = when(order.get("created_at"))
    duplicates, differing = [], []
    for other in orders:
        if other["order_id"] == oid or other.get("customer_id") is None or other["customer_id"] != customer_id:
            continue
        made = when(other.get("created_at"))
        if created is None or made is None or abs(made - created) > timedelta(minutes=30):
            continue
        same = same_purchase(order, other, R)
        if same and other["status"] != "cancelled":
            duplicates.append(other)
        elif same is False and (other["status"] != "cancelled" or R["dup2_cancelled"] == "cite"):
            differing.append(other)
    if any(d["status"] in ("shipped", "delivered") for d in duplicates):
        raise Escalate("returns", "DUP-3")

    def place(o):
        return when(o["created_at"]), id_key(o["order_id"], R)

    dup_actions, cite, cancelled_dups = [], [], []
    earlier = [d for d in duplicates if place(d) < place(order)]
    later = sorted((d for d in duplicates if place(d) > place(order)), key=lambda o: o["order_id"])
    if R["dup_ready"] == "leave":
        later = [d for d in later if d["status"] != "ready"]
    if earlier:
        actions = [act(CANCEL_ORDER, order_id=oid, reason="duplicate"), *cancel_money(case, oid, True, R)]
        if R["dup_middle"] == "later_too":
            for d in later:
                actions += [
                    act(CANCEL_ORDER, order_id=d["order_id"], reason="duplicate"),
                    *cancel_money(case, d["order_id"], False, R),
                ]
        return finish(case, "cancel_duplicate", actions, ["DUP-1", "CAN-1"], order)
    for d in later:
        cancelled_dups.append(d["order_id"])
        dup_actions += [
            act(CANCEL_ORDER, order_id=d["order_id"], reason="duplicate"),
            *cancel_money(case, d["order_id"], False, R),
        ]
    if later:
        cite += ["DUP-1", "CAN-1"]
    if differing and case["trigger"]["event"] == "order.duplicate_suspected" and not (later and R["dup2_beside_dup1"] == "skip"):
        cite.append("DUP-2")

    def hold(reason, template, clause, counts=()):  # ORD-4
        extra = (["STK-2"] if counts else []) + [clause]
        return finish(
            case,
            "hold_for_customer",
            dup_actions
            + list(counts)
            + [
                act(PLACE_ORDER_HOLD, order_id=oid, reason=reason),
                act(SEND_MESSAGE, customer_id=customer_id, template=template),
            ],
            cite + extra,
            order,
        )

    # --- fraud
    pay = subject_payments()
    fraud(case, order, pay, as_of, bool(later), cite, R)

    # --- address
    changes, change_cite = [], []
    check = one(collection(case, "logistics", "address_checks"), order_id=oid)
    if check is not None and check.get("result") != "deliverable":
        to, ship = check.get("suggested"), order.get("ship_to")
        good = (
            check.get("result") == "corrected"
            and check.get("confidence") is not None
            and check["confidence"] >= 0.90
            and to is not None
            and ship is not None
            and all(to.get(k) is not None and to.get(k) == ship.get(k) for k in ("country", "region"))
        )
        if not good:
            return hold("address", "confirm_address", "ADR-3")
        changes.append(act(UPDATE_SHIPPING_ADDRESS, order_id=oid))
        change_cite.append("ADR-2")

    # --- payment
    def covers(c):
        amount = c["amount_cents"] - ((c.get("refunded_cents") or 0) if R["charge_cover"] == "net" else 0)
        return c["status"] == "captured" and amount >= total

    charges = pay.get("charges") or []
    if not any(covers(c) for c in charges):
        state = authorization_state(pay, order, as_of, R)
        if state == "declined":
            return hold("payment", "update_payment", "AUT-3")
        if state == "lapsed":
            changes.append(act(REAUTHORIZE, order_id=oid, amount_cents=total))
            change_cite.append("AUT-2")

    # --- stock
    plan, counts, locations = stock_dimension(case, order, as_of, cancelled_dups, R)
    unfilled = [entry for entry in order["lines"] if plan[entry["line_id"]] is None]
    if order["lines"] and len(unfilled) == len(order["lines"]):  # STK-5, nothing can be filled
        actions = (
            dup_actions
            + list(counts)
            + [act(CANCEL_ORDER, order_id=oid, reason="out_of_stock")]
            + cancel_money(case, oid, True, R)
            + [act(SEND_MESSAGE, customer_id=customer_id, template="cancellation_notice")]
        )
        return finish(case, "cancel", actions, cite + (["STK-2"] if counts else []) + ["STK-5", "CAN-1"], order)
    if unfilled and not order.get("allow_split"):
        return hold("stock", "stock_choice", "STK-5", counts)

    line_actions, late, flagship, used_alternative = [], False, False, False
    for line in order["lines"]:
        step, key = plan[line["line_id"]], {"order_id": oid, "line_id": line["line_id"]}
        if step is None:
            line_actions.append(act(CANCEL_LINE, **key))
            captured = [c for c in charges if c["status"] == "captured"]
            if captured:
                if R["line_refund_from"] == "latest":
                    charge = max(captured, key=lambda c: c.get("captured_at") or "")
                else:
                    charge = captured[0]
                amount = line["qty"] * line["unit_price_cents"]
                if R["line_refund_cap"] == "at_most_left":
                    amount = min(amount, charge["amount_cents"] - (charge.get("refunded_cents") or 0))
                if amount > 0:
                    line_actions.append(act(REFUND_CHARGE, charge_id=charge["charge_id"], amount_cents=amount))
            continue
        kind, what = step
        if kind == "own":
            continue
        used_alternative = True
        if kind == "move":
            line_actions.append(act(REALLOCATE_LINE, **key, to_location=what))
            flagship = flagship or locations.get(what) == "flagship"
        elif kind == "backorder":
            line_actions.append(act(BACKORDER_LINE, **key, po_id=what["po_id"]))
            late = late or when(what["eta"]) > when(order["promised_at"])
        else:
            line_actions.append(act(SUBSTITUTE_LINE, **key, sku=what))
    cite += (
        change_cite + (["STK-2"] if counts else []) + (["STK-4"] if used_alternative else []) + (["STK-5"] if unfilled else [])
    )
    actions = dup_actions + changes + list(counts) + line_actions

    remaining = [plan[entry["line_id"]][0] for entry in order["lines"] if plan[entry["line_id"]] is not None]
    if remaining and all(k == "backorder" for k in remaining):  # ORD-2, last sentence
        verdict = "backorder"
        cite.append("ORD-2")
    else:
        if pay.get("on_hold"):
            actions.append(act(RELEASE_PAYMENT_HOLD, order_id=oid))
        actions += [act(CONFIRM_RESERVATION, order_id=oid), act(RELEASE_TO_FULFILMENT, order_id=oid)]
        changed = line_actions or any(a["name"] == UPDATE_SHIPPING_ADDRESS for a in changes)
        verdict = "fulfil_with_changes" if changed else "fulfil"
        if not changed:
            cite.append("ORD-2")
    if late:
        actions.append(act(SEND_MESSAGE, customer_id=customer_id, template="delay_notice"))
    return finish(case, verdict, actions, cite, order, flagship, R)


def before_pairs(actions):
    """ORD-5 as pairs of indices, for `expected`."""
    change = (
        UPDATE_SHIPPING_ADDRESS,
        REAUTHORIZE,
        REALLOCATE_LINE,
        BACKORDER_LINE,
        SUBSTITUTE_LINE,
        CANCEL_LINE,
    )
    pairs = []
    names = [a["name"] for a in actions]
    chain = [n for n in (RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT, CAPTURE_PAYMENT) if n in names]
    owner = None
    for i, n in enumerate(names):
        if n == CANCEL_ORDER:
            owner = i
        elif (
            n in (VOID_AUTHORIZATION, REFUND_CHARGE)
            and owner is not None
            and all(m in (VOID_AUTHORIZATION, REFUND_CHARGE) for m in names[owner + 1 : i])
        ):
            pairs.append([owner, i])
        if n in change and chain:
            pairs.append([i, names.index(chain[0])])
        if n in chain and chain.index(n) + 1 < len(chain):
            pairs.append([i, names.index(chain[chain.index(n) + 1])])
        if n != SEND_MESSAGE:
            pairs += [[i, j] for j, m in enumerate(names) if m == SEND_MESSAGE]
    return pairs


def sensitive_to(case):
    """Names of the readings whose alternative gives another result for this case."""
    base = _compared(decide(case))
    alternatives = [(name, other) for name, readings in READINGS.items() for other in readings[1:]]
    return [f"{name}={other}" for name, other in alternatives if _compared(decide(case, {name: other})) != base]


def _compared(result):
    actions = sorted(json.dumps(action, sort_keys=True) for action in result["actions"])
    return (result["verdict"], actions, sorted(result["cite"]), result["approval"])
