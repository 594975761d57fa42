"""A small world for tests of the sandbox company, and a way to call its tools without a process in between."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from mcp_types import CallToolResult

from errors import Refused, TryAgain
from systems.sandbox.database import reset
from systems.sandbox.loader import LoadReport, load_cases
from systems.sandbox.serve import build
from tests.sandbox_records import snapshot

# Where recorded cases may be: the project's own copy, or beside the checkout.
CASES = Path(__file__).parents[2] / "evals" / "cases"
MISSIONS = ("order_exception", "support_resolution", "account_save", "invoice_approval", "omnichannel_exception")
SHIP_TO = {
    "name": "Ana Ruiz", "line1": "9 Orchard Rd", "city": "Albany", "region": "NY", "postal_code": "12207", "country": "US"
}  # fmt: skip


def order(order_id: str = "O-1", **values: Any) -> dict[str, Any]:
    """An open order of two lines."""
    return {
        "order_id": order_id, "customer_id": "C-1", "status": "new", "channel": "web",
        "created_at": "2026-03-06T06:48:55Z", "promised_at": "2026-03-12T00:00:00Z",
        "lines": [line("1", "LAMP"), line("2", "RUG")],
        "ship_to": dict(SHIP_TO), "total_cents": 9000, "allow_split": True, "allow_substitution": True, **values,
    }  # fmt: skip


def line(line_id: str, sku: str, qty: int = 2, location: str = "DC-1", **values: Any) -> dict[str, Any]:
    return {"line_id": line_id, "sku": sku, "qty": qty, "unit_price_cents": 2250, "location": location, **values}


def payment(order_id: str = "O-1", **values: Any) -> dict[str, Any]:
    """A payment with a live authorization of 9000 and a captured charge of 9000."""
    return {
        "order_id": order_id, "on_hold": False, "fraud": {"score": 0.39, "signals": ["order_velocity"]},
        "authorizations": [
            {"auth_id": f"au_{order_id}", "amount_cents": 9000, "status": "authorized",
             "authorized_at": "2026-03-06T15:51:20Z", "expires_at": "2026-03-07T15:51:20Z"}
        ],
        "charges": [
            {"charge_id": f"ch_{order_id}", "amount_cents": 9000, "status": "captured",
             "captured_at": "2026-03-06T16:00:00Z", "refunded_cents": 0}
        ],
        **values,
    }  # fmt: skip


def stock(sku: str, location: str = "DC-1", on_hand: int = 10, reserved: int = 0, **values: Any) -> dict[str, Any]:
    return {
        "sku": sku, "location": location, "on_hand": on_hand, "reserved": reserved, "safety_stock": 0,
        "last_counted_at": "2026-03-01T00:00:00Z", "failed_picks_14d": 0, **values,
    }  # fmt: skip


def item(sku: str, **values: Any) -> dict[str, Any]:
    return {
        "sku": sku, "title": sku.title(), "unit_price_cents": 2250, "unit_cost_cents": 900, "category": "decor",
        "final_sale": False, "substitutes": [], **values,
    }  # fmt: skip


def inbound(po_id: str, sku: str = "LAMP", location: str = "DC-1", qty: int = 3, **values: Any) -> dict[str, Any]:
    return {
        "po_id": po_id, "sku": sku, "location": location, "qty": qty, "eta": "2026-03-13T00:00:00Z",
        "expedited_eta": "2026-03-10T00:00:00Z", "expedite_cost_cents": 500, **values,
    }  # fmt: skip


def invoice(invoice_id: str = "I-1", **values: Any) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id, "vendor_id": "V-1", "vendor_invoice_no": "INV-1", "po_id": None,
        "category": "utilities", "currency": "USD", "lines": [{"po_line": "10", "qty": 1, "unit_price_cents": 4000}],
        "freight_cents": 0, "tax_cents": 0, "total_cents": 4000, "received_at": "2026-03-01T00:00:00Z",
        "budget_id": "B-1", **values,
    }  # fmt: skip


def world() -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The systems of one case with something in every collection that the writes touch."""
    return deepcopy({
        "oms": {
            "orders": [order(), order("O-2", lines=[line("1", "LAMP", qty=3)]), order("O-3", status="shipped"),
                       order("O-4", lines=[line("1", "LAMP", location="ST-1")], pickup_location="ST-1",
                             allow_ship_home=True)],
            "returns": [{"return_id": "R-1", "order_id": "O-3", "line_id": "1", "sku": "LAMP", "qty": 2,
                         "scanned_sku": "LAMP", "condition": "resellable", "refunded_cents": 0,
                         "receipt_posted": False, "received_at": "2026-03-06T00:00:00Z", "location": "DC-1"}],
        },
        "payments": {"payments": [payment("O-1", charges=[]), payment("O-2"), payment("O-3", charges=[]),
                                  payment("O-4", charges=[])]},
        "wms": {
            "stock": [stock("LAMP"), stock("LAMP", "DC-2", on_hand=4), stock("LAMP", "ST-1"), stock("LAMP", "ST-2"),
                      stock("RUG"), stock("SHADE", on_hand=2)],
            "locations": [{"location": "DC-1", "type": "dc", "km_to": {}}, {"location": "DC-2", "type": "dc", "km_to": {}},
                          {"location": "ST-1", "type": "store", "km_to": {"ST-2": 3}},
                          {"location": "ST-2", "type": "store", "km_to": {}}],
            "inbound": [inbound("PO-1"), inbound("PO-2", expedited_eta=None)],
        },
        "crm": {
            "customers": [{"customer_id": "C-1", "name": "Ana Ruiz", "tier": "standard", "since": "2022-05-07T00:53:46Z",
                           "moved_at": None, "chargebacks_24m": 0, "max_order_12m_cents": 12319}],
            "subscriptions": [{"subscription_id": "SB-1", "customer_id": "C-1", "plan": "monthly", "status": "active"}],
            "accounts": [account("A-1"), account("A-2", contact="N-3", do_not_contact=True)],
            "opportunities": [{"opportunity_id": "P-1", "account_id": "A-1", "kind": "renewal", "open": True}],
        },
        "erp": {
            "items": [item("LAMP", substitutes=["SHADE"]), item("RUG"), item("SHADE")],
            "receivables": [{"account_id": "A-1", "overdue_days": 8}, {"account_id": "A-1", "overdue_days": 105}],
            "invoices": [invoice(), invoice("I-2", total_cents=9_000_000)],
            "vendors": [{"vendor_id": "V-1", "name": "Glass Ltd", "status": "active", "bank_changed_at": None}],
            "budgets": [{"budget_id": "B-1", "remaining_cents": 5000}],
        },
        "logistics": {},
    })  # fmt: skip


def account(account_id: str, contact: str = "N-1", **values: Any) -> dict[str, Any]:
    return {
        "account_id": account_id, "name": "Cafes", "arr_cents": 9_999_999, "owner_id": "U-1", "renewal_at": None,
        "last_meaningful_contact_at": "2026-03-08T14:32:55Z", "champion_left": False, "nps": None,
        "do_not_contact": False, "legal_hold": False,
        "contacts": [{"contact_id": contact, "email_status": "valid", "opted_out": False},
                     {"contact_id": f"{contact}b", "email_status": "bounced", "opted_out": False}],
        **values,
    }  # fmt: skip


def case(systems: Mapping[str, Any], case_id: str = "case-1") -> dict[str, Any]:
    return {"case_id": case_id, "mission": "order_exception", "as_of": "2026-03-07T00:00:00Z", "systems": systems}


def recorded(mission: str) -> list[dict[str, Any]]:
    """The recorded cases of a mission; there are some, so that no loop over them is empty."""
    lines = (CASES / f"{mission}.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines, mission
    return [json.loads(line) for line in lines]


_NUMBERS = count(1)


@contextmanager
def shared_company(server_url: str) -> Iterator["Company"]:
    """A company in a database of its own, for all tests of a module: emptying it is ten times as fast as a new one."""
    name = f"test_{os.getpid()}_sandbox{next(_NUMBERS)}"
    with psycopg.connect(server_url, autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        try:
            yield Company(urlsplit(server_url)._replace(path=f"/{name}").geturl())
        finally:
            session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


class Company:
    """The sandbox company in a database, called without MCP's transport."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._servers: dict[str, Any] = {}
        self._keys = count()

    def load(self, systems: Mapping[str, Any], case_id: str = "case-1") -> LoadReport:
        return load_cases(self.url, [case(systems, case_id)])

    def empty(self) -> "Company":
        reset(self.url)
        return self

    def reset_to(self, systems: Mapping[str, Any]) -> "Company":
        report = self.empty().load(systems)
        assert not report.refused, report.refused
        return self

    def call(self, tool: str, **args: Any) -> dict[str, Any]:
        """The answer. Raises Refused or TryAgain as the tool says, and AssertionError when it crashed."""
        system, name = tool.split(".")
        if system not in self._servers:
            self._servers[system] = build(system, self.url)
        result: CallToolResult = asyncio.run(self._servers[system].call_tool(name, args))
        content = result.structured_content or {}
        if result.is_error:
            raise {"refused": Refused, "try_again": TryAgain}[content["error"]](content["message"])
        return content

    def write(self, tool: str, key: str | None = None, **args: Any) -> dict[str, Any]:
        """A write under a key of its own."""
        return self.call(tool, idempotency_key=key or f"key-{next(self._keys)}", **args)

    def order(self, order_id: str = "O-1") -> Any:
        return self.call("oms.get_order", order_id=order_id)["record"]

    def stock(self, sku: str, location: str = "DC-1") -> Any:
        return self.call("wms.get_stock", sku=sku, location=location)["record"]

    def payment(self, order_id: str = "O-1") -> Any:
        return self.call("payments.get_payment", order_id=order_id)["record"]

    def snapshot(self) -> Any:
        return snapshot(self.url)
