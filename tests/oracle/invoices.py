"""An independent plain reading of the handbook's AP clauses, for differential tests.

`expect(case)` gives `expected` in the form of the contract; `expect(case, {"reading": "value"})` takes another reading
where the handbook leaves room, and `sensitive_to(case)` names the readings on which a case hangs.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.actions import HOLD_INVOICE, OPEN_CASE, POST_PAYMENT, REJECT_INVOICE, SEND_VENDOR_MESSAGE

Record = dict[str, Any]

# question -> (chosen reading, *other readings)
READINGS: dict[str, tuple[str, ...]] = {
    "same_moment": ("not_earlier", "earlier", "by_id"),  # same number, received at the very same time
    "other_received_null": ("operations", "not_earlier", "earlier"),  # when the other invoice came is not known
    "own_received_null": ("operations", "ignore"),  # when this invoice came is not known
    "vendor_missing": ("operations", "ignore"),  # no record of the vendor
    "status_null": ("vendor_master", "ignore"),  # whether the vendor is blocked is not known
    "bank_after": ("counts", "not_before"),  # bank details changed after the invoice came
    "category_null": ("reject", "operations"),  # no purchase order, category not known
    "order_missing": ("operations", "no_po"),  # the invoice names a purchase order of which there is no record
    "currency_null": ("accounts_payable", "ignore"),  # one of the two currencies is not known
    "total_null": ("operations", "arithmetic"),  # the invoice's total is not known
    "extras_null": ("arithmetic", "as_zero"),  # freight or tax not known
    "lines_of_one_order_line": ("together", "each"),  # two invoice lines bill one line of the order: AP-5
    "price_of_one_order_line": ("each", "together"),  # the same, for the 5,000 of AP-6
    "receipts_of_one_line": ("sum", "first"),  # several receipts of one line of the order
    "received_null": ("hold", "as_zero"),  # received or invoiced quantity not known
    "order_line_missing": ("dispute", "operations", "hold"),  # billed and received, but not a line of the order
    "order_price_null": ("dispute", "ignore"),  # the order's unit price is not known
    "budget_missing": ("operations", "budget_owner"),  # no record of the budget
    "budget_null": ("budget_owner", "operations"),  # remaining budget not known
    "budget_of": ("invoice", "order"),  # invoice and order name different budgets
}
DAY = timedelta(days=1)
WITHOUT_ORDER = ("utilities", "subscriptions", "postage")


class Escalate(Exception):
    """A clause says *escalate to Q*."""

    def __init__(self, queue: str, clause: str) -> None:
        self.queue, self.clause = queue, clause


def operations() -> Escalate:
    return Escalate("operations", "GOV-7")


def when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def act(name: str, **args: Any) -> Record:
    return {"name": name, "args": args}


def rows(case: Record, name: str, **keys: Any) -> list[Record]:
    """The erp records with these values, in their order. Raises Escalate (GOV-7) if erp cannot be read."""
    erp = case["systems"].get("erp", {})
    if erp is None:
        raise operations()
    return [r for r in erp.get(name) or [] if all(r.get(k) == v for k, v in keys.items())]


def one(case: Record, name: str, **keys: Any) -> Record | None:
    return next(iter(rows(case, name, **keys)), None)


def plain_number(number: str | None) -> str:
    """AP-1: without case, spaces and punctuation. Nothing else is alike: O is not 0, a leading zero counts."""
    return "".join(c for c in number or "" if c.isalnum()).casefold()


def is_earlier(other: Record, invoice: Record, reading: Mapping[str, str]) -> bool:
    came, own = when(other.get("received_at")), when(invoice.get("received_at"))
    if own is None:
        return False
    if came is None:
        return reading["other_received_null"] == "earlier"
    if came == own:
        by_id = reading["same_moment"] == "by_id" and other["invoice_id"] < invoice["invoice_id"]
        return reading["same_moment"] == "earlier" or by_id
    return came < own


def is_duplicate(case: Record, invoice: Record, reading: Mapping[str, str]) -> bool:
    """AP-1."""
    number = plain_number(invoice.get("vendor_invoice_no"))
    same = [
        other
        for other in rows(case, "invoices", vendor_id=invoice["vendor_id"])
        if number and other["invoice_id"] != invoice["invoice_id"] and plain_number(other.get("vendor_invoice_no")) == number
    ]
    if any(is_earlier(other, invoice, reading) for other in same):
        return True
    if reading["other_received_null"] == "operations" and any(other.get("received_at") is None for other in same):
        raise operations()
    return False


def check_vendor(case: Record, invoice: Record, reading: Mapping[str, str]) -> None:
    """AP-2."""
    vendor = one(case, "vendors", vendor_id=invoice["vendor_id"])
    if vendor is None:
        if reading["vendor_missing"] == "operations":
            raise operations()
        return
    status, changed, came = vendor.get("status"), when(vendor.get("bank_changed_at")), when(invoice.get("received_at"))
    if status == "blocked" or (status is None and reading["status_null"] == "vendor_master"):
        raise Escalate("vendor_master", "AP-2")
    if changed is None or came is None:
        return
    since = came - changed
    if since <= 30 * DAY and (since >= timedelta(0) or reading["bank_after"] == "counts"):
        raise Escalate("vendor_master", "AP-2")


def order_of(case: Record, invoice: Record, reading: Mapping[str, str]) -> Record | None:
    """The purchase order, or None if the invoice has none."""
    if invoice.get("po_id") is None:
        return None
    order = one(case, "purchase_orders", po_id=invoice["po_id"])
    if order is None and reading["order_missing"] == "operations":
        raise operations()
    return order


def may_do_without_order(invoice: Record, reading: Mapping[str, str]) -> bool:
    """AP-3."""
    if invoice.get("category") is None and reading["category_null"] == "operations":
        raise operations()
    return bool(invoice["total_cents"] <= 50_000 and invoice.get("category") in WITHOUT_ORDER)


def check_currency(invoice: Record, order: Record, reading: Mapping[str, str]) -> None:
    """AP-4."""
    pair = (invoice.get("currency"), order.get("currency"))
    if None in pair and reading["currency_null"] == "ignore":
        return
    if None in pair or pair[0] != pair[1]:
        raise Escalate("accounts_payable", "AP-4")


def adds_up(invoice: Record, reading: Mapping[str, str]) -> bool:
    """AP-7."""
    extras = [invoice.get("freight_cents"), invoice.get("tax_cents")]
    if None in extras and reading["extras_null"] == "arithmetic":
        return False
    goods: int = sum(line["qty"] * line["unit_price_cents"] for line in lines_of(invoice))
    total: int = invoice["total_cents"]
    return abs(goods + sum(e or 0 for e in extras) - total) <= 1


def lines_of(invoice: Record) -> list[Record]:
    return invoice.get("lines") or []


def receivable(receipts: Iterable[Record], reading: Mapping[str, str]) -> int | None:
    """Units received and not yet invoiced; None if not known; 0 without a receipt."""
    known = list(receipts)
    if reading["receipts_of_one_line"] == "first":
        known = known[:1]
    units = 0
    for receipt in known:
        pair = (receipt.get("qty_received"), receipt.get("qty_invoiced"))
        if None in pair and reading["received_null"] == "hold":
            return None
        units += (pair[0] or 0) - (pair[1] or 0)
    return units


def billed_more_than_received(case: Record, invoice: Record, reading: Mapping[str, str]) -> bool:
    """AP-5."""
    billed: dict[Any, int] = {}
    for line in lines_of(invoice):
        name, before = line.get("po_line"), billed.get(line.get("po_line"), 0)
        billed[name] = before + line["qty"] if reading["lines_of_one_order_line"] == "together" else max(before, line["qty"])
    for name, units in billed.items():
        free = receivable(rows(case, "receipts", po_id=invoice["po_id"], po_line=name), reading)
        if free is None or units > free:
            return True
    return False


def price_check(invoice: Record, order: Record, reading: Mapping[str, str]) -> str:
    """AP-6: `same`, `tolerated`, `dispute` or, in another reading, `hold`. The worst line counts."""
    prices = {line.get("po_line"): line.get("unit_price_cents") for line in order.get("lines") or []}
    found, over = {"same"}, dict[Any, int]()
    for line in lines_of(invoice):
        name = line.get("po_line")
        if name not in prices:
            if reading["order_line_missing"] == "operations":
                raise operations()
            found.add(reading["order_line_missing"])
            continue
        price = prices[name]
        if price is None:
            found.add("dispute" if reading["order_price_null"] == "dispute" else "same")
            continue
        apart = abs(line["unit_price_cents"] - price)
        whole = apart * line["qty"]
        if reading["price_of_one_order_line"] == "together":
            over[name] = whole = over.get(name, 0) + whole
        if apart:
            found.add("tolerated" if 100 * apart <= 2 * price and whole <= 5_000 else "dispute")
    return next(worst for worst in ("dispute", "hold", "tolerated", "same") if worst in found)


def check_budget(case: Record, invoice: Record, order: Record | None, reading: Mapping[str, str]) -> None:
    """AP-9."""
    holder = order if order is not None and reading["budget_of"] == "order" else invoice
    name = holder.get("budget_id")
    budget = None if name is None else one(case, "budgets", budget_id=name)
    left = None if budget is None else budget.get("remaining_cents")
    unknown = "budget_missing" if budget is None else "budget_null"
    if left is None and reading[unknown] == "operations":
        raise operations()
    if left is None or left < invoice["total_cents"]:
        raise Escalate("budget_owner", "AP-9")


def answer(verdict: str, actions: list[Record], cite: list[str], role: str = "reviewer") -> Record:
    return {
        "verdict": verdict,
        "actions": actions,
        "before": [],
        "cite": cite,
        "approval": {"role": role, "four_eyes": role == "finance"},
    }


def hold(invoice: Record, reason: str, cite: list[str], message: bool = True) -> Record:
    """A held invoice: `dispute` with a message to the vendor, `hold` without."""
    actions = [act(HOLD_INVOICE, invoice_id=invoice["invoice_id"], reason=reason)]
    if message:
        actions.append(act(SEND_VENDOR_MESSAGE, vendor_id=invoice["vendor_id"], template=reason))
    return answer("dispute" if message else "hold", actions, cite)


def reject(invoice: Record, reason: str, clause: str) -> Record:
    return answer("reject", [act(REJECT_INVOICE, invoice_id=invoice["invoice_id"], reason=reason)], [clause])


def approve(invoice: Record, cite: list[str], noted: bool) -> Record:
    """AP-10 and AP-11."""
    total = invoice["total_cents"]
    role = "reviewer" if total <= 1_000_000 else "supervisor" if total <= 5_000_000 else "finance"
    payment = act(POST_PAYMENT, invoice_id=invoice["invoice_id"], amount_cents=total)
    cite = [*cite, "AP-10"] if role == "reviewer" else [*cite, "AP-10", "AP-11"]
    return answer("approve_with_note" if noted else "approve", [payment], cite, role)


def matched_to_order(case: Record, invoice: Record, order: Record, reading: Mapping[str, str]) -> Record | list[str]:
    """AP-5, AP-6, AP-8: the answer if one of them fails, else the clauses that tolerated something."""
    noted: list[str] = []
    if billed_more_than_received(case, invoice, reading):
        return hold(invoice, "awaiting_receipt", ["AP-5"], message=False)
    price = price_check(invoice, order, reading)
    if price == "dispute":
        return hold(invoice, "price_dispute", ["AP-6"])
    if price == "hold":
        return hold(invoice, "awaiting_receipt", ["AP-5"], message=False)
    if price == "tolerated":
        noted.append("AP-6")
    freight = invoice.get("freight_cents") or 0
    if freight > 10_000:
        return hold(invoice, "freight", ["AP-8"])
    return [*noted, "AP-8"] if freight > 0 else noted


def review(case: Record, reading: Mapping[str, str]) -> Record:
    invoice = one(case, "invoices", invoice_id=case["trigger"]["invoice_id"])
    if invoice is None:
        raise operations()
    if invoice.get("received_at") is None and reading["own_received_null"] == "operations":
        raise operations()
    if is_duplicate(case, invoice, reading):
        return reject(invoice, "duplicate", "AP-1")
    check_vendor(case, invoice, reading)
    if invoice.get("total_cents") is None:
        if reading["total_null"] == "operations":
            raise operations()
        return hold(invoice, "arithmetic", ["AP-7"])
    order = order_of(case, invoice, reading)
    passed: list[str] = []
    if order is None:
        if not may_do_without_order(invoice, reading):
            rejected = reject(invoice, "no_po", "AP-3")
            rejected["actions"].append(act(SEND_VENDOR_MESSAGE, vendor_id=invoice["vendor_id"], template="po_required"))
            return rejected
        passed = ["AP-3"]
    else:
        check_currency(invoice, order, reading)
    if not adds_up(invoice, reading):
        return hold(invoice, "arithmetic", [*passed, "AP-7"])
    noted: list[str] = []
    if order is not None:
        matched = matched_to_order(case, invoice, order, reading)
        if isinstance(matched, dict):
            return matched
        noted = matched
    check_budget(case, invoice, order, reading)
    return approve(invoice, [*passed, *noted], bool(noted))


def expect(case: Record, readings: Mapping[str, str] | None = None) -> Record:
    """What a careful operator would recommend: verdict, actions, before, cite, approval."""
    reading = {question: answers[0] for question, answers in READINGS.items()} | dict(readings or {})
    try:
        return review(case, reading)
    except Escalate as stop:
        opened = act(OPEN_CASE, queue=stop.queue, subject_id=case["trigger"]["invoice_id"])
        return answer("escalate", [opened], [stop.clause], role="none")


def sensitive_to(case: Record) -> list[str]:
    """The other readings, as `question=answer`, under which this case comes out differently."""
    chosen = json.dumps(expect(case), sort_keys=True)
    others = [(question, other) for question, answers in READINGS.items() for other in answers[1:]]
    return [f"{q}={other}" for q, other in others if json.dumps(expect(case, {q: other}), sort_keys=True) != chosen]
