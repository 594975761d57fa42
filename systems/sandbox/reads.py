"""The read tools of the sandbox company: of which collection each tells, and how its arguments choose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, select

from systems.sandbox.arguments import Id
from systems.sandbox.database import find
from systems.sandbox.shapes import COLLECTIONS
from systems.sandbox.tables import ORDER_LINES, ORDERS


@dataclass(frozen=True)
class Read:
    """A read tool. `one` answers {"record": record or null}, otherwise {"records": [...]}."""

    name: str
    says: str
    collection: str
    one: bool
    #: argument -> type, in order
    takes: Mapping[str, Any]
    #: the conditions that the arguments make
    where: Callable[..., list[ColumnElement[bool]]]

    def answer(self, engine: Engine, args: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, from one moment of the database."""
        with engine.connect() as connection:
            found = find(connection, self.collection, *self.where(**args))
        if not self.one:
            return {"records": found}
        return {"record": found[-1] if found else None}


def _get(name: str, collection: str, *names: str) -> Read:
    table = COLLECTIONS[collection][0]
    says = f"The {table.info['noun']} with this {' and '.join(names)}, or null."
    takes = dict.fromkeys(names, Id)
    return Read(name, says, collection, True, takes, lambda **args: [table.c[key] == args[key] for key in names])


def _list(name: str, collection: str, by: str) -> Read:
    table = COLLECTIONS[collection][0]
    says = f"All records of {collection} with this {by}."
    return Read(name, says, collection, False, {by: Id}, lambda **args: [table.c[by] == args[by]])


def _list_in(name: str, collection: str, plural: str) -> Read:
    table, field = COLLECTIONS[collection][0], plural.removesuffix("s")
    says = f"All records of {collection} whose {field} is one of these."
    return Read(name, says, collection, False, {plural: list[str]}, lambda **args: [table.c[field].in_(args[plural])])


def _list_with_line(name: str, plural: str, field: str) -> Read:
    says = f"All orders, whatever their status, that have a line whose {field} is one of these."

    def where(**args: list[str]) -> list[ColumnElement[bool]]:
        fits = ORDER_LINES.c[field].in_(args[plural]) & ORDER_LINES.c.cancelled.is_(False)
        return [ORDERS.c.order_id.in_(select(ORDER_LINES.c.order_id).where(fits))]

    return Read(name, says, "oms.orders", False, {plural: list[str]}, where)


def _list_all(name: str, collection: str) -> Read:
    return Read(name, f"All records of {collection}.", collection, False, {}, lambda: [])


def reads_of(system: str) -> tuple[Read, ...]:
    """The read tools of one system; its feed is not among them."""
    return _READS[system]()


def _oms() -> tuple[Read, ...]:
    return (
        _get("get_order", "oms.orders", "order_id"),
        _list("list_orders", "oms.orders", "customer_id"),
        _list_with_line("list_orders_by_sku", "skus", "sku"),
        _list_with_line("list_backorders", "po_ids", "backorder_po_id"),
        _get("get_return", "oms.returns", "return_id"),
    )


def _payments() -> tuple[Read, ...]:
    return (
        _get("get_payment", "payments.payments", "order_id"),
        _list_in("list_payments", "payments.payments", "order_ids"),
    )


def _wms() -> tuple[Read, ...]:
    return (
        _list_in("list_stock", "wms.stock", "skus"),
        _get("get_stock", "wms.stock", "sku", "location"),
        _list_all("list_locations", "wms.locations"),
        _list_in("list_inbound", "wms.inbound", "skus"),
        _get("get_inbound", "wms.inbound", "po_id"),
    )


def _crm() -> tuple[Read, ...]:
    return (
        _get("get_customer", "crm.customers", "customer_id"),
        _list_in("list_customers", "crm.customers", "customer_ids"),
        _list("list_subscriptions", "crm.subscriptions", "customer_id"),
        _get("get_account", "crm.accounts", "account_id"),
        _list_all("list_accounts", "crm.accounts"),
        _list("list_cases", "crm.cases", "account_id"),
        _get("get_usage", "crm.usage", "account_id"),
        _list("list_opportunities", "crm.opportunities", "account_id"),
    )


def _erp() -> tuple[Read, ...]:
    return (
        _list_in("list_items", "erp.items", "skus"),
        _list("list_receivables", "erp.receivables", "account_id"),
        _get("get_invoice", "erp.invoices", "invoice_id"),
        _list("list_invoices", "erp.invoices", "vendor_id"),
        _get("get_purchase_order", "erp.purchase_orders", "po_id"),
        _list("list_receipts", "erp.receipts", "po_id"),
        _get("get_vendor", "erp.vendors", "vendor_id"),
        _list_in("list_vendors", "erp.vendors", "names"),
        _get("get_budget", "erp.budgets", "budget_id"),
    )


def _logistics() -> tuple[Read, ...]:
    return (
        _get("get_address_check", "logistics.address_checks", "order_id"),
        _get("get_shipment", "logistics.shipments", "order_id"),
        _list_in("list_shipments", "logistics.shipments", "order_ids"),
    )


_READS = {"oms": _oms, "payments": _payments, "wms": _wms, "crm": _crm, "erp": _erp, "logistics": _logistics}
SYSTEMS = tuple(_READS)
