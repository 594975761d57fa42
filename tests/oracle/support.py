"""An independent plain reading of the handbook's customer messages (SUP, REF, SUB, CRD), for differential tests.

`expect(case, intent, named)` gives the expected outcome once somebody has said what the message asks for and which
orders it names; `expect(case, intent, named, {"reading": "value"})` takes another reading where there is room.
"""

from datetime import datetime, timedelta
from typing import Any, NoReturn

from tests.actions import (
    CHANGE_SUBSCRIPTION,
    CREATE_RETURN_LABEL,
    OPEN_CASE,
    REFUND_CHARGE,
    RESHIP_ORDER,
    SEND_MESSAGE,
    SEND_PASSWORD_RESET,
)

Record = dict[str, Any]

# flag -> (default reading, *alternative readings)
READINGS: dict[str, tuple[str, ...]] = {
    "sup1_scope": ("every_message", "not_other", "order_questions"),  # whose named orders are checked
    "several_named": ("ask", "first", "last"),  # several orders of the customer are named
    "sup2_cancelled": ("counts", "skipped"),  # a cancelled order among those of the last 60 days
    "ref5_scope": ("asked_order", "any_named"),  # a disputed order named beside another wish
    "dispute_unread": ("operations", "ignored"),  # no payments, and no other clause on the way reads them
    "customer_read": ("if_it_decides", "where_mentioned", "always"),  # when a missing customer matters
    "crd_customer": ("operations", "ignored"),  # cannot sign in, sender verified, no customer record
    "sub_customer": ("operations", "ignored"),  # cancels a subscription, no customer record
    "tier_null": ("standard", "operations"),  # the tier is not known and would decide
    "exceed": ("gross", "net"),  # do earlier refunds count in "exceed the order total"
    "ref1_count": ("exactly_two", "any_pair"),  # three captured charges, two of them alike
    "captured_at_null": ("payments", "operations"),  # two alike, the time of one is not known
    "later_tie": ("higher_id", "last_listed", "first_listed"),  # two alike of one moment
    "refunded_null": ("operations", "zero"),  # what is left is not known
    "emptied": ("refunded", "captured"),  # status captured, everything refunded
    "ref4_later": ("settled", "newest_of_all"),  # a pending charge newer than the refunded one
    "no_clause": ("payments", "support", "operations"),  # "charged twice", and no clause fits the charges
    "nothing_left": ("literal", "payments"),  # a refund of REF-6 or REF-7 finds no cent to refund
    "ref7_several": ("each", "latest"),  # REF-7 refunds "the captured charge", and there are two
    "delivered_at_null": ("operations", "out_of_window"),
    "scan_null": ("operations", "longer_ago"),  # in transit, never scanned as far as known
    "item_missing": ("operations", "not_final"),  # final_sale of a line is not known
}
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ABOUT_AN_ORDER = ("charged_twice", "not_received", "damaged", "return")
INTENTS = (*ABOUT_AN_ORDER, "cancel_subscription", "sign_in", "other")


class Escalate(Exception):
    """A clause says *escalate to queue*."""

    def __init__(self, queue: str, clause: str) -> None:
        super().__init__(queue, clause)
        self.queue, self.clause = queue, clause


def missing() -> NoReturn:
    raise Escalate("operations", "GOV-7")


def when(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def act(name: str, **args: Any) -> Record:
    return {"name": name, "args": args}


def left(charge: Record, R: dict[str, str]) -> int:
    """Cents of a charge that are not yet refunded."""
    refunded = charge.get("refunded_cents")
    if refunded is None:
        if R["refunded_null"] == "operations":
            missing()
        refunded = 0
    return int(charge["amount_cents"]) - int(refunded)


class Reading:
    """One case under one set of readings."""

    def __init__(self, case: Record, R: dict[str, str]) -> None:
        self.case, self.R = case, R
        self.trigger = case["trigger"]
        self.as_of = when(case["as_of"])
        self.me = self.trigger["customer_id"]

    # --- records

    def collection(self, system: str, name: str) -> list[Record]:
        """Records of a collection; GOV-7 if the system cannot be read."""
        records = self.case["systems"].get(system, {})
        if records is None:
            missing()
        return records.get(name) or []

    def one(self, system: str, name: str, **keys: Any) -> Record | None:
        for record in self.collection(system, name):
            if all(record.get(key) == value for key, value in keys.items()):
                return record
        return None

    def customer(self) -> Record:
        found = self.one("crm", "customers", customer_id=self.me)
        if found is None:
            missing()
        return found

    def is_gold(self) -> bool:
        """Whether the customer is `gold` or `vip`."""
        tier = self.customer().get("tier")
        if tier is None and self.R["tier_null"] == "operations":
            missing()
        return tier in ("gold", "vip")

    def mentioned_customer(self) -> None:
        """A clause that mentions the tier is reached, and the tier does not matter."""
        if self.R["customer_read"] == "where_mentioned":
            self.customer()

    # --- the way to the clause

    def decide(self, intent: str, named: list[str]) -> Record:
        named = list(dict.fromkeys(named))
        scope = self.R["sup1_scope"]
        if scope == "every_message" or intent in ABOUT_AN_ORDER or (scope == "not_other" and intent != "other"):
            for order_id in named:
                self.own_order(order_id)
        if self.R["ref5_scope"] == "any_named" and intent not in ABOUT_AN_ORDER:
            for order_id in named:
                self.charges(order_id)
        if intent == "other":
            raise Escalate("support", "SUP-3")
        if self.R["customer_read"] == "always" and (intent != "sign_in" or self.trigger.get("sender_verified") is True):
            self.customer()
        if intent == "sign_in":
            return self.sign_in()
        if intent == "cancel_subscription":
            return self.cancel_subscription()
        order = self.which_order(named)
        if order is None:
            return self.done("ask_customer", [self.message("which_order")], "SUP-2")
        charges = self.charges(order["order_id"], reads_money=intent == "charged_twice")
        if intent == "charged_twice":
            return self.charged_twice(order, charges)
        if intent == "not_received":
            return self.not_received(order, charges)
        return self.damaged_or_return(intent, order, charges)

    def own_order(self, order_id: str) -> Record:
        """SUP-1."""
        order = self.one("oms", "orders", order_id=order_id)
        if order is None or order.get("customer_id") != self.me:
            raise Escalate("identity", "SUP-1")
        return order

    def which_order(self, named: list[str]) -> Record | None:
        """SUP-2; None if the customer has to be asked."""
        if len(named) > 1 and self.R["several_named"] == "ask":
            return None
        if named:
            return self.own_order(named[-1] if self.R["several_named"] == "last" else named[0])
        recent = [
            order
            for order in self.collection("oms", "orders")
            if order.get("customer_id") == self.me
            and order.get("created_at") is not None
            and timedelta(0) <= self.as_of - when(order["created_at"]) <= 60 * DAY
            and not (order.get("status") == "cancelled" and self.R["sup2_cancelled"] == "skipped")
        ]
        return recent[0] if len(recent) == 1 else None

    def charges(self, order_id: str, reads_money: bool = False) -> list[Record]:
        """The charges of an order that is not disputed (REF-5)."""
        try:
            payment = self.one("payments", "payments", order_id=order_id)
            if payment is None:
                missing()
        except Escalate:
            if reads_money or self.R["dispute_unread"] == "operations":
                raise
            return []
        found: list[Record] = payment.get("charges") or []
        if any(charge["status"] == "disputed" for charge in found):
            raise Escalate("payments", "REF-5")
        return found

    # --- the clauses

    def sign_in(self) -> Record:
        """CRD-1."""
        if self.trigger.get("sender_verified") is not True:
            raise Escalate("identity", "CRD-1")
        if self.R["crd_customer"] == "operations":
            self.customer()
        return self.done("reset_sent", [act(SEND_PASSWORD_RESET, customer_id=self.me)], "CRD-1")

    def cancel_subscription(self) -> Record:
        """SUB-1."""
        if self.R["sub_customer"] == "operations":
            self.customer()
        active = [
            one
            for one in self.collection("crm", "subscriptions")
            if one.get("customer_id") == self.me and one.get("status") == "active"
        ]
        if len(active) > 1:
            return self.done("ask_customer", [self.message("which_subscription")], "SUB-1")
        if not active:
            return self.done("deny", [self.message("no_subscription")], "SUB-1")
        change = act(CHANGE_SUBSCRIPTION, subscription_id=active[0]["subscription_id"], plan="cancelled")
        return self.done("subscription_changed", [change, self.message("subscription_changed")], "SUB-1")

    def is_emptied(self, charge: Record) -> bool:
        return (
            self.R["emptied"] == "refunded"
            and charge.get("refunded_cents") is not None
            and charge["refunded_cents"] >= charge["amount_cents"]
        )

    def charged_twice(self, order: Record, charges: list[Record]) -> Record:
        """REF-1, REF-4, REF-3, REF-2 in this order."""
        total = order["total_cents"]
        captured = [c for c in charges if c["status"] == "captured" and not self.is_emptied(c)]
        refunded = [c for c in charges if c["status"] == "refunded" or (c["status"] == "captured" and self.is_emptied(c))]
        pending = [c for c in charges if c["status"] == "pending"]

        def taken(some: list[Record]) -> int:
            return sum(c["amount_cents"] if self.R["exceed"] == "gross" else left(c, self.R) for c in some)

        pairs = [(a, b) for i, a in enumerate(captured) for b in captured[i + 1 :]]
        if len(captured) > 2 and self.R["ref1_count"] == "exactly_two":
            pairs = []
        alike = [(a, b) for a, b in pairs if a["amount_cents"] == b["amount_cents"] and taken([a, b]) > total and self.near(a, b)]
        if alike:
            later = max((self.later(a, b) for a, b in alike), key=lambda c: c["captured_at"])
            if left(later, self.R) <= 0:
                return self.done("deny", [self.message("already_refunded")], "REF-4")
            refund = act(REFUND_CHARGE, charge_id=later["charge_id"], amount_cents=left(later, self.R))
            return self.done("refund", [refund, self.message("refund_confirmation")], "REF-1", before=[[0, 1]])
        if taken(captured) > total:
            raise Escalate("payments", "REF-1")
        settled = captured + refunded
        if self.R["ref4_later"] == "newest_of_all":
            settled += pending
        newest = max(settled, key=lambda c: c.get("captured_at") or "", default=None)
        if newest is not None and newest in refunded and len(charges) > 1:
            return self.done("deny", [self.message("already_refunded")], "REF-4")
        if len(captured) == 1 and pending:
            return self.done("deny", [self.message("pending_explained")], "REF-3")
        if len(captured) > 1:
            return self.done("deny", [self.message("charges_explained")], "REF-2")
        if self.R["no_clause"] == "operations":
            missing()
        raise Escalate(self.R["no_clause"], "REF-1" if self.R["no_clause"] == "payments" else "SUP-3")

    def near(self, a: Record, b: Record) -> bool:
        """Whether two charges lie at most 72 hours apart."""
        if a.get("captured_at") is None or b.get("captured_at") is None:
            if self.R["captured_at_null"] == "operations":
                missing()
            return False
        return abs(when(a["captured_at"]) - when(b["captured_at"])) <= 72 * HOUR

    def later(self, a: Record, b: Record) -> Record:
        """The later of two charges in the order in which they are listed."""
        if a["captured_at"] != b["captured_at"]:
            return max(a, b, key=lambda c: when(c["captured_at"]))
        if self.R["later_tie"] == "higher_id":
            return max(a, b, key=lambda c: str(c["charge_id"]))
        return b if self.R["later_tie"] == "last_listed" else a

    def refunds(self, charges: list[Record]) -> list[Record]:
        """What is left of each captured charge."""
        out = [
            act(REFUND_CHARGE, charge_id=c["charge_id"], amount_cents=left(c, self.R))
            for c in charges
            if c["status"] == "captured" and left(c, self.R) > 0
        ]
        if not out and self.R["nothing_left"] == "payments":
            raise Escalate("payments", "REF-6")
        return out

    def not_received(self, order: Record, charges: list[Record]) -> Record:
        """REF-6."""
        shipment = self.one("logistics", "shipments", order_id=order["order_id"])
        tracking = self.done("deny", [self.message("tracking_update")], "REF-6")
        if shipment is None:
            return tracking
        if shipment["status"] == "delivered":
            raise Escalate("logistics", "REF-6")
        if shipment["status"] == "in_transit":
            scan = shipment.get("last_scan_at")
            if scan is None and self.R["scan_null"] == "operations":
                missing()
            if scan is not None and self.as_of - when(scan) <= 10 * DAY:
                return tracking
        if order["total_cents"] <= 20_000:
            self.mentioned_customer()
        elif not self.is_gold():
            raise Escalate("logistics", "REF-6")
        return self.done("refund", [*self.refunds(charges), self.message("refund_confirmation")], "REF-6")

    def in_window(self, order: Record) -> bool:
        """REF-9."""
        shipment = self.one("logistics", "shipments", order_id=order["order_id"])
        if shipment is None or shipment["status"] != "delivered":
            return False
        if shipment.get("delivered_at") is None:
            if self.R["delivered_at_null"] == "operations":
                missing()
            return False
        age = self.as_of - when(shipment["delivered_at"])
        if not 30 * DAY < age <= 90 * DAY:
            self.mentioned_customer()
            return age <= 30 * DAY
        return self.is_gold()

    def damaged_or_return(self, intent: str, order: Record, charges: list[Record]) -> Record:
        """REF-7 and REF-8."""
        if not self.in_window(order):
            return self.done("deny", [self.message("out_of_window")], "REF-9")
        if intent == "return":
            if self.has_final_sale(order):
                return self.done("deny", [self.message("final_sale")], "REF-8")
            label = act(CREATE_RETURN_LABEL, order_id=order["order_id"])
            return self.done("return_authorized", [label, self.message("return_label")], "REF-8")
        if (self.trigger.get("photos") or 0) < 1:
            return self.done("ask_customer", [self.message("need_photo")], "REF-7")
        if order["total_cents"] > 10_000:
            again = act(RESHIP_ORDER, order_id=order["order_id"])
            return self.done("replace", [again, self.message("replacement_sent")], "REF-7")
        if self.R["ref7_several"] == "latest":
            captured = [c for c in charges if c["status"] == "captured"]
            charges = sorted(captured, key=lambda c: c.get("captured_at") or "")[-1:]
        return self.done("refund", [*self.refunds(charges), self.message("refund_confirmation")], "REF-7")

    def has_final_sale(self, order: Record) -> bool:
        """Whether an item of the order is `final_sale`; one that is known to be decides."""
        items = [self.one("erp", "items", sku=line["sku"]) for line in order["lines"]]
        known = [item.get("final_sale") if item else None for item in items]
        if any(known):
            return True
        if None in known and self.R["item_missing"] == "operations":
            missing()
        return False

    # --- the outcome

    def message(self, template: str) -> Record:
        return act(SEND_MESSAGE, customer_id=self.me, template=template)

    def done(self, verdict: str, actions: list[Record], clause: str, before: list[list[int]] | None = None) -> Record:
        """The expected outcome; what is not an escalation always waits for a person here (GOV-2, GOV-3)."""
        cite, role, four_eyes = [clause], "reviewer", False
        if verdict == "escalate":
            role = "none"
        stake = sum(a["args"]["amount_cents"] for a in actions if a["name"] == REFUND_CHARGE)
        if stake > 50_000:
            cite.append("GOV-3")
            role, four_eyes = ("finance", True) if stake > 500_000 else ("supervisor", False)
        return {
            "verdict": verdict,
            "actions": actions,
            "before": before or [],
            "cite": cite,
            "approval": {"role": role, "four_eyes": four_eyes},
        }


def expect(case: Record, intent: str, named: list[str], readings: dict[str, str] | None = None) -> Record:
    """The expected outcome of a support message with this intent that names these orders ("O-36751")."""
    if intent not in INTENTS:
        raise ValueError(f"{intent!r} is not one of {', '.join(INTENTS)}.")
    R = {flag: choices[0] for flag, choices in READINGS.items()} | (readings or {})
    reading = Reading(case, R)
    try:
        return reading.decide(intent, named)
    except Escalate as e:  # GOV-5
        return reading.done("escalate", [act(OPEN_CASE, queue=e.queue, subject_id=case["trigger"]["ticket_id"])], e.clause)


def sensitive_to(case: Record, intent: str, named: list[str]) -> list[str]:
    """Readings ("flag=value") whose alternative gives another outcome for this case."""
    base = expect(case, intent, named)
    alternatives = [(flag, other) for flag, choices in READINGS.items() for other in choices[1:]]
    return [f"{flag}={other}" for flag, other in alternatives if expect(case, intent, named, {flag: other}) != base]
