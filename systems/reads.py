"""The READ tools of the reference company: which collection each answers from, and how it selects.

The sandbox company offers them over MCP, recorded systems answer them from a recorded exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ReadTool:
    """A READ tool: `one` record or a list of a collection; `by` maps an argument to the field it selects by.

    An argument whose name is a plural (`skus`) selects every record whose field is in the list; a field of the form
    `lines.backorder_po_id` is looked for in every element of a list.
    """

    collection: str
    one: bool
    by: Mapping[str, str]

    def selects(self, record: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
        """Whether these arguments, which are those of `by`, select a record."""
        for argument, field in self.by.items():
            wanted = args[argument]
            part, _, inner = field.partition(".")
            values = [element.get(inner) for element in record.get(part) or ()] if inner else [record.get(field)]
            if not any(value in wanted if isinstance(wanted, list) else value == wanted for value in values):
                return False
        return True

    def refuses(self, value: Any, args: Mapping[str, Any]) -> str | None:
        """Why an answer is not one to these arguments, or None. `value` is a record, None where there is none, or a list."""
        if self.one and not isinstance(value, dict | None):
            return "its answer is no record"
        records = [] if value is None else [value] if self.one else value
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            return "its answer is no list of records"
        try:
            fits = not self.by.keys() <= args.keys() or all(self.selects(record, args) for record in records)
        except (TypeError, AttributeError):  # a list is looked into that is none
            fits = False
        return None if fits else "its answer is about another record than was asked for"


def _one(collection: str, *fields: str) -> ReadTool:
    return ReadTool(collection, True, {field: field for field in fields})


def _many(collection: str, **by: str) -> ReadTool:
    return ReadTool(collection, False, by)


READ_TOOLS: Mapping[str, ReadTool] = {
    "oms.get_order": _one("oms.orders", "order_id"),
    "oms.list_orders": _many("oms.orders", customer_id="customer_id"),
    "oms.list_orders_by_sku": _many("oms.orders", skus="lines.sku"),
    "oms.list_backorders": _many("oms.orders", po_ids="lines.backorder_po_id"),
    "oms.get_return": _one("oms.returns", "return_id"),
    "payments.get_payment": _one("payments.payments", "order_id"),
    "payments.list_payments": _many("payments.payments", order_ids="order_id"),
    "wms.list_stock": _many("wms.stock", skus="sku"),
    "wms.get_stock": _one("wms.stock", "sku", "location"),
    "wms.list_locations": _many("wms.locations"),
    "wms.list_inbound": _many("wms.inbound", skus="sku"),
    "wms.get_inbound": _one("wms.inbound", "po_id"),
    "crm.get_customer": _one("crm.customers", "customer_id"),
    "crm.list_customers": _many("crm.customers", customer_ids="customer_id"),
    "crm.list_subscriptions": _many("crm.subscriptions", customer_id="customer_id"),
    "crm.get_account": _one("crm.accounts", "account_id"),
    "crm.list_accounts": _many("crm.accounts"),
    "crm.list_cases": _many("crm.cases", account_id="account_id"),
    "crm.get_usage": _one("crm.usage", "account_id"),
    "crm.list_opportunities": _many("crm.opportunities", account_id="account_id"),
    "erp.list_items": _many("erp.items", skus="sku"),
    "erp.list_receivables": _many("erp.receivables", account_id="account_id"),
    "erp.get_invoice": _one("erp.invoices", "invoice_id"),
    "erp.list_invoices": _many("erp.invoices", vendor_id="vendor_id"),
    "erp.get_purchase_order": _one("erp.purchase_orders", "po_id"),
    "erp.list_receipts": _many("erp.receipts", po_id="po_id"),
    "erp.get_vendor": _one("erp.vendors", "vendor_id"),
    "erp.list_vendors": _many("erp.vendors", names="name"),
    "erp.get_budget": _one("erp.budgets", "budget_id"),
    "logistics.get_address_check": _one("logistics.address_checks", "order_id"),
    "logistics.get_shipment": _one("logistics.shipments", "order_id"),
    "logistics.list_shipments": _many("logistics.shipments", order_ids="order_id"),
}
