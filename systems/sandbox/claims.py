"""What a recorded exception says about each order, customer, SKU …, as digests.

Every case is a small closed world: that it says nothing more about a customer means there is nothing more. Two cases
fit into one company only if about whatever both speak of they say the same; otherwise a read for the one would give
answers of the other. Locations are the exception: they are the same company's in all cases and are merged.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

#: collection -> (kind, field) of everything that a record of it says something about
ABOUT: Mapping[str, tuple[tuple[str, str], ...]] = {
    "oms.orders": (("order", "order_id"), ("customer", "customer_id")),
    "oms.returns": (("return", "return_id"), ("order", "order_id")),
    "payments.payments": (("order", "order_id"),),
    "wms.stock": (("sku", "sku"),),
    "wms.inbound": (("purchase order", "po_id"), ("sku", "sku")),
    "crm.customers": (("customer", "customer_id"),),
    "crm.subscriptions": (("subscription", "subscription_id"), ("customer", "customer_id")),
    "crm.accounts": (("account", "account_id"),),
    "crm.cases": (("case", "case_id"), ("account", "account_id")),
    "crm.usage": (("account", "account_id"),),
    "crm.opportunities": (("opportunity", "opportunity_id"), ("account", "account_id")),
    "erp.items": (("sku", "sku"),),
    "erp.receivables": (("account", "account_id"),),
    "erp.invoices": (("invoice", "invoice_id"), ("vendor", "vendor_id"), ("budget", "budget_id")),
    "erp.purchase_orders": (("purchase order", "po_id"), ("budget", "budget_id")),
    "erp.receipts": (("purchase order", "po_id"),),
    "erp.vendors": (("vendor", "vendor_id"),),
    "erp.budgets": (("budget", "budget_id"),),
    "logistics.address_checks": (("order", "order_id"),),
    "logistics.shipments": (("order", "order_id"),),
}
#: (collection, list) -> (kind, field) of everything that an element of it says something about
ABOUT_PARTS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("oms.orders", "lines"): (("sku", "sku"), ("purchase order", "backorder_po_id")),
    ("payments.payments", "authorizations"): (("authorization", "auth_id"),),
    ("payments.payments", "charges"): (("charge", "charge_id"),),
    ("crm.accounts", "contacts"): (("contact", "contact_id"),),
}


def claims_of(records: Mapping[str, list[Mapping[str, Any]]]) -> dict[tuple[str, str], str]:
    """(kind, id) -> digest of all that the records say about it."""
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for collection, found in records.items():
        for record in found:
            statement = f"{collection} {json.dumps(record, sort_keys=True)}"
            for about in set(_subjects(collection, record)):
                said[about].append(statement)
    return {about: digest(sorted(statements)) for about, statements in said.items()}


def digest(value: Any) -> str:
    """A digest of plain data that does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _subjects(collection: str, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, field in ABOUT.get(collection, ()):
        if isinstance(record.get(field), str):
            yield kind, record[field]
    for (owner, part), about in ABOUT_PARTS.items():
        if owner != collection:
            continue
        for element in record.get(part) or ():
            for kind, field in about:
                if isinstance(element, Mapping) and isinstance(element.get(field), str):
                    yield kind, element[field]
