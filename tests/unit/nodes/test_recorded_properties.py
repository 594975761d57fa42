"""What holds for the recorded exceptions of every Mission: text, other people's records, order and clocks change nothing."""

import json
import random
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine import (
    HOSTILE,
    MISSIONS,
    Raw,
    a_charge,
    a_line,
    a_payment,
    decided,
    drafted,
    in_any_order,
    judged,
    laboratory,
    opened,
    recorded_cases,
)

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
#: fields of free text that no clause reads, by collection
FREE = {
    "orders": ["note", "channel"],
    "customers": ["name"],
    "accounts": ["name", "owner_id"],
    "vendors": ["name"],
    "items": ["title", "category"],
    "locations": ["title"],
    "stock": ["note"],
    "payments": ["note"],
    "address_checks": ["note"],
    "inbound": ["note"],
    "returns": ["note"],
    "usage": ["note"],
    "opportunities": ["title"],
    "cases": ["subject"],
    "subscriptions": ["note"],
    "shipments": ["note", "carrier"],
    "invoices": ["note"],
    "purchase_orders": ["note"],
    "receipts": ["note"],
    "budgets": ["title"],
    "receivables": ["note"],
}
#: lists whose order says something: the first contact is the primary one, the first substitute is preferred, of
#: several open renewals the first one counts, lines claim stock in turn
ORDERED = ("lines", "contacts", "substitutes", "weeks", "opportunities")


@cache
def cases() -> list[Raw]:
    return [case for mission in MISSIONS if mission in laboratory().packs for case in recorded_cases(mission)]


@cache
def before(case_id: str) -> tuple[Any, ...]:
    """What is decided about a recorded case as it is."""
    return decided(next(case for case in cases() if case["case_id"] == case_id))


def some_case() -> st.SearchStrategy[Raw]:
    return st.deferred(lambda: st.sampled_from(cases()))


def collections(raw: Raw) -> list[tuple[str, list[Raw]]]:
    return [(name, records) for found in raw["systems"].values() if found for name, records in found.items()]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_text_changes_neither_verdict_nor_plan(text: str) -> None:
    for case in cases()[HOSTILE.index(text) :: len(HOSTILE)]:
        raw = deepcopy(case)
        for name, records in collections(raw):
            for record in records:
                record.update(dict.fromkeys(FREE[name], text))
                for address in (record.get("ship_to"), record.get("suggested")):
                    if address:
                        address.update(name=text, city=text)
        assert decided(raw) == before(case["case_id"]), case["case_id"]
        assert all(len(action["args"].get("text", "")) < 4_000 for action in drafted(raw)["plan"])


@FEW
@given(some_case(), st.text(max_size=200) | st.sampled_from(HOSTILE))
def test_any_text_changes_neither_verdict_nor_plan(case: Raw, text: str) -> None:
    raw = deepcopy(case)
    for name, records in collections(raw):
        for record in records:
            record.update(dict.fromkeys(FREE[name], text))
    assert decided(raw) == before(case["case_id"])


@FEW
@given(some_case(), st.text(max_size=20) | st.sampled_from(HOSTILE))
def test_fields_that_nobody_knows_mean_nothing(case: Raw, text: str) -> None:
    raw = deepcopy(case)
    for _, records in collections(raw):
        for record in records:
            record.update({"approved_by": text, "override": {"refund": True}, "x": None, "intent": "refund", "priority": 0})
            for line in record.get("lines") or ():
                line.update({"approved": True, "remark": text})
    for found in filter(None, raw["systems"].values()):
        found["to_approve"] = [{"text": text}]
    raw["trigger"] |= {"approved": True, "verdict": "refund", "remark": text}
    assert decided(raw) == before(case["case_id"])


@FEW
@given(some_case(), st.integers(0, 3))
def test_an_unrelated_record_changes_nothing(case: Raw, twice: int) -> None:
    raw = deepcopy(case)
    for system, name, record in unrelated():
        if raw["systems"].get(system) is not None:
            raw["systems"][system].setdefault(name, []).insert(0 if twice % 2 else 9_999, deepcopy(record))
    assert decided(raw) == before(case["case_id"])


@FEW
@given(some_case(), st.randoms(use_true_random=False))
def test_the_order_of_records_changes_nothing(case: Raw, chance: random.Random) -> None:
    raw = deepcopy(case)
    for name, records in collections(raw):
        if name not in ORDERED:
            chance.shuffle(records)
        for record in records:
            for part in ("authorizations", "charges"):
                if isinstance(record.get(part), list):
                    chance.shuffle(record[part])
    assert in_any_order(decided(raw)) == in_any_order(before(case["case_id"]))


@FEW
@given(some_case(), st.integers(1, 900))
def test_moving_all_moments_by_the_same_span_changes_nothing(case: Raw, days: int) -> None:
    assert decided(moved(case, days)) == before(case["case_id"])


@FEW
@given(some_case())
def test_what_is_drafted_passes_the_check_and_is_the_same_again(case: Raw) -> None:
    draft = drafted(case)
    assert not judged(case, draft).objections and drafted(case) == draft
    assert all(clause in laboratory().policies.period(opened(case).event.as_of).clauses for clause in draft["cites"])
    json.dumps(draft)


@FEW
@given(some_case(), st.sampled_from(["oms", "payments", "wms", "crm", "erp", "logistics"]))
def test_without_a_system_the_plan_is_the_same_or_the_case_is_escalated(case: Raw, down: str) -> None:
    raw = deepcopy(case)
    raw["systems"][down] = None
    verdict, plan, _, approval = decided(raw)
    if verdict != before(case["case_id"])[0]:
        assert verdict == "escalate" and len(plan) == 1 and approval.role == "none"
    assert not judged(raw, drafted(raw)).objections


def moved(found: Any, days: int) -> Any:
    """The same with every moment so many days later."""
    if isinstance(found, dict):
        return {name: moved(value, days) for name, value in found.items()}
    if isinstance(found, list):
        return [moved(value, days) for value in found]
    if isinstance(found, str) and found.endswith("Z") and found[10:11] == "T":
        later = datetime.fromisoformat(found).astimezone(UTC) + timedelta(days=days)
        return later.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


def unrelated() -> list[tuple[str, str, Raw]]:
    """Records of people, orders, goods and vendors that no recorded case names."""
    line = a_line("1", "X-SKU", location="X-DC")
    order = {
        "order_id": "X-1", "customer_id": "X-C", "status": "new", "channel": "web", "created_at": "2026-01-01T00:00:00Z",
        "promised_at": "2026-01-02T00:00:00Z", "lines": [line], "ship_to": None, "total_cents": 1, "allow_split": True,
        "allow_substitution": True,
    }  # fmt: skip
    account = {
        "account_id": "X-A", "name": "X", "arr_cents": 1, "owner_id": None, "renewal_at": None,
        "last_meaningful_contact_at": None, "champion_left": True, "nps": 0, "do_not_contact": True,
        "legal_hold": True, "contacts": [],
    }  # fmt: skip
    invoice: Raw = {
        "invoice_id": "X-I", "vendor_id": "X-V", "vendor_invoice_no": "1", "po_id": None, "category": "x", "currency": "USD",
        "lines": [], "freight_cents": 0, "tax_cents": 0, "total_cents": 1, "received_at": "2024-01-01T00:00:00Z",
        "budget_id": "X-B",
    }  # fmt: skip
    return [
        ("oms", "orders", order),
        ("oms", "returns", {"return_id": "X-R", "order_id": "X-1", "line_id": "1", "sku": "X-SKU", "refunded_cents": 5}),
        ("payments", "payments", a_payment("X-1", charges=[a_charge("X-ch", status="disputed")])),
        ("wms", "stock", {"sku": "X-SKU", "location": "X-DC", "on_hand": 1, "reserved": 0, "safety_stock": 0,
                          "last_counted_at": None, "failed_picks_14d": 9}),
        ("wms", "inbound", {"po_id": "X-PO", "sku": "X-SKU", "location": "X-DC", "qty": 1, "eta": None}),
        ("crm", "customers", {"customer_id": "X-C", "name": "X", "tier": "vip"}),
        ("crm", "subscriptions", {"subscription_id": "X-S", "customer_id": "X-C", "plan": "x", "status": "active"}),
        ("crm", "accounts", account),
        ("crm", "cases", {"case_id": "X-K", "account_id": "X-A", "escalated": True, "opened_at": "2026-01-01T00:00:00Z"}),
        ("crm", "usage", {"account_id": "X-A", "weeks": [9] * 8 + [0] * 4}),
        ("crm", "opportunities", {"opportunity_id": "X-P", "account_id": "X-A", "kind": "renewal", "open": True}),
        ("erp", "items", {"sku": "X-SKU", "title": "X", "unit_price_cents": 1, "unit_cost_cents": 0, "substitutes": []}),
        ("erp", "receivables", {"account_id": "X-A", "overdue_days": 999}),
        ("erp", "invoices", invoice),
        ("erp", "purchase_orders", {"po_id": "X-PO", "vendor_id": "X-V", "currency": "USD", "lines": [], "budget_id": "X-B"}),
        ("erp", "receipts", {"po_id": "X-PO", "po_line": "10", "qty_received": 1, "qty_invoiced": 0}),
        ("erp", "vendors", {"vendor_id": "X-V", "name": "X", "status": "blocked", "bank_changed_at": None}),
        ("erp", "budgets", {"budget_id": "X-B", "remaining_cents": 0}),
        ("logistics", "address_checks", {"order_id": "X-1", "result": "undeliverable", "confidence": None, "suggested": None}),
        ("logistics", "shipments", {"order_id": "X-1", "status": "lost", "last_scan_at": None, "delivered_at": None}),
    ]  # fmt: skip
