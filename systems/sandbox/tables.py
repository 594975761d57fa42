"""The tables of the sandbox company: schema `sandbox`, one table a collection or a list inside a record.

Columns are the fields of the records of CONTRACT.md in their order. Three kinds of columns are not:

- `inner()` columns are the company's own bookkeeping: never read back, never told in a receipt
- `mark()` columns are false until a write sets them, and appear in a record only when they are true
- `extra()` columns appear in a record only once a write has set them, so that what was loaded reads back as it was

`unsaid` lists the fields that a loaded record did not carry, because absent and null are not the same.
Money is in integer US cents. A null passes every CHECK: it means "not known".
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "sandbox"
METADATA = MetaData(schema=SCHEMA)


def key(name: str) -> Column[Any]:
    """A field that identifies the record."""
    return Column(name, Text, primary_key=True)


def text(name: str) -> Column[Any]:
    """A text, hostile ones included."""
    return Column(name, Text)


def whole(name: str) -> Column[Any]:
    """A whole number: cents, a quantity, days."""
    return Column(name, BigInteger)


def flag(name: str) -> Column[Any]:
    """True or false."""
    return Column(name, Boolean)


def moment(name: str) -> Column[Any]:
    """A moment; ISO 8601 with a Z in records."""
    return Column(name, DateTime(timezone=True))


def number(name: str) -> Column[Any]:
    """A number with a fraction."""
    return Column(name, Double)


def nested(name: str) -> Column[Any]:
    """A nested value that the company never looks into by SQL."""
    return Column(name, JSONB(none_as_null=True))


def inner(column: Column[Any]) -> Column[Any]:
    """Bookkeeping: not a field of the record."""
    column.info["kind"] = "inner"
    return column


def mark(name: str) -> Column[Any]:
    """A flag that a record has only where a write has set it."""
    column: Column[Any] = Column(name, Boolean, nullable=False, server_default="false")
    column.info["kind"] = "mark"
    return column


def extra(column: Column[Any]) -> Column[Any]:
    """A field that a record has only after a write has set it."""
    column.info["kind"] = "extra"
    return column


def one_of(name: str, *words: str) -> CheckConstraint:
    """The field is one of these words."""
    return CheckConstraint(f"{name} in ({', '.join(repr(word) for word in words)})", name=f"{name}_known")


def at_least_zero(*names: str) -> tuple[CheckConstraint, ...]:
    """None of these numbers is below zero."""
    return tuple(CheckConstraint(f"{name} >= 0", name=f"{name}_not_negative") for name in names)


def records(name: str, noun: str, *parts: Any) -> Table:
    """A table of records; `noun` is what a sentence calls one. `seq` keeps the order in which they came."""
    return Table(
        name.replace(".", "_"),
        METADATA,
        *parts,
        inner(Column("unsaid", ARRAY(Text))),
        inner(Column("seq", BigInteger, Identity())),
        info={"collection": name, "noun": noun, "part": None},
    )


def elements(parent: Table, part: str, noun: str, *parts: Any, own_key: bool = False) -> Table:
    """A table of the elements of the list `part` of a record; `position` is the place in the list, from 0.

    With `own_key` the first column alone identifies an element in the whole company; without any key its place does.
    """
    parent_key = [column.name for column in parent.primary_key]
    by_place = not any(isinstance(item, Column) and item.primary_key for item in parts)
    return Table(
        f"{parent.name}_{part}",
        METADATA,
        *[inner(Column(column, Text, primary_key=not own_key)) for column in parent_key],
        *parts,
        inner(Column("position", BigInteger, primary_key=by_place, autoincrement=False, nullable=False)),
        inner(Column("unsaid", ARRAY(Text))),
        ForeignKeyConstraint(parent_key, [f"{SCHEMA}.{parent.name}.{column}" for column in parent_key]),
        info={"collection": parent.info["collection"], "noun": noun, "part": part, "parent_key": parent_key},
    )


OPEN = ("new", "payment_review", "backordered", "address_hold")

ORDERS = records(
    "oms.orders", "order",
    key("order_id"), text("customer_id"), text("status"), text("channel"), moment("created_at"), moment("promised_at"),
    nested("ship_to"), whole("total_cents"), flag("allow_split"), flag("allow_substitution"), flag("allow_ship_home"),
    text("pickup_location"), text("note"),
    #: reservation is null while it is pending
    extra(text("hold_reason")), extra(text("reservation")), extra(flag("reshipped")),
    one_of("status", *OPEN, "ready", "shipped", "delivered", "cancelled"),
    one_of("reservation", "confirmed"),
    *at_least_zero("total_cents"),
    Index("orders_of_a_customer", "customer_id"),
)  # fmt: skip
ORDER_LINES = elements(
    ORDERS, "lines", "line",
    key("line_id"), text("sku"), whole("qty"), whole("unit_price_cents"), text("location"), text("backorder_po_id"),
    flag("picked"),
    mark("cancelled"),
    #: whether its quantity is part of wms.stock.reserved at its location
    inner(Column("reserved", Boolean, nullable=False, server_default="false")),
    CheckConstraint("qty > 0", name="qty_positive"), *at_least_zero("unit_price_cents"),
    Index("lines_of_a_sku", "sku"), Index("lines_of_a_delivery", "backorder_po_id"),
    # An order never has two lines of one SKU.
    Index("one_line_a_sku", "order_id", "sku", unique=True, postgresql_where=Column("cancelled").is_(False)),
)  # fmt: skip
RETURNS = records(
    "oms.returns", "return",
    key("return_id"), text("order_id"), text("line_id"), text("sku"), whole("qty"), text("scanned_sku"),
    text("condition"), whole("refunded_cents"), flag("receipt_posted"), moment("received_at"), text("location"),
    extra(text("disposition")),
    one_of("condition", "resellable", "damaged"), one_of("disposition", "restock", "scrap"),
    *at_least_zero("qty", "refunded_cents"),
)  # fmt: skip

PAYMENTS = records(
    "payments.payments", "payment of order",
    key("order_id"), flag("on_hold"), nested("fraud"),
    #: the moment at which the case was recorded: what is live or expired is told by it, not by today's clock
    inner(moment("clock_at")),
)  # fmt: skip
AUTHORIZATIONS = elements(
    PAYMENTS, "authorizations", "authorization",
    key("auth_id"), whole("amount_cents"), text("status"), moment("authorized_at"), moment("expires_at"),
    inner(Column("captured_cents", BigInteger, nullable=False, server_default="0")),
    one_of("status", "authorized", "expired", "voided", "declined"), *at_least_zero("amount_cents"),
    CheckConstraint("captured_cents between 0 and amount_cents", name="captured_within_amount"),
    Index("authorizations_of_an_order", "order_id"),
    own_key=True,
)  # fmt: skip
CHARGES = elements(
    PAYMENTS, "charges", "charge",
    key("charge_id"), whole("amount_cents"), text("status"), moment("captured_at"), whole("refunded_cents"),
    one_of("status", "captured", "pending", "refunded", "disputed"), *at_least_zero("amount_cents"),
    CheckConstraint("refunded_cents between 0 and amount_cents", name="refunded_within_amount"),
    Index("charges_of_an_order", "order_id"),
    own_key=True,
)  # fmt: skip

STOCK = records(
    "wms.stock", "stock of",
    key("sku"), key("location"), whole("on_hand"), whole("reserved"), whole("safety_stock"), moment("last_counted_at"),
    whole("last_counted_qty"), whole("failed_picks_14d"), extra(flag("quarantined")),
    *at_least_zero("on_hand", "reserved", "safety_stock", "failed_picks_14d"),
)  # fmt: skip
LOCATIONS = records(
    "wms.locations",
    "location",
    key("location"),
    text("type"),
    nested("km_to"),
    one_of("type", "dc", "store", "flagship"),
)
INBOUND = records(
    "wms.inbound", "inbound delivery",
    # a delivery may bring several SKUs to several locations
    key("po_id"), key("sku"), key("location"), whole("qty"), moment("eta"), moment("expedited_eta"),
    whole("expedite_cost_cents"), extra(flag("expedited")),
    *at_least_zero("qty", "expedite_cost_cents"), Index("inbound_of_a_sku", "sku"),
)  # fmt: skip

CUSTOMERS = records(
    "crm.customers", "customer",
    key("customer_id"), text("name"), text("tier"), moment("since"), moment("moved_at"), whole("chargebacks_24m"),
    whole("max_order_12m_cents"),
    one_of("tier", "standard", "gold", "vip"), *at_least_zero("chargebacks_24m"),
)  # fmt: skip
SUBSCRIPTIONS = records(
    "crm.subscriptions", "subscription",
    key("subscription_id"), text("customer_id"), text("plan"), text("status"), one_of("status", "active", "cancelled"),
    Index("subscriptions_of_a_customer", "customer_id"),
)  # fmt: skip
ACCOUNTS = records(
    "crm.accounts", "account",
    key("account_id"), text("name"), whole("arr_cents"), text("owner_id"), moment("renewal_at"),
    moment("last_meaningful_contact_at"), flag("champion_left"), whole("nps"), flag("do_not_contact"),
    flag("legal_hold"), nested("contacts"),
)  # fmt: skip
CASES = records(
    "crm.cases", "case",
    key("case_id"), text("account_id"), flag("escalated"), moment("opened_at"),
    Index("cases_of_an_account", "account_id"),
)  # fmt: skip
USAGE = records("crm.usage", "usage of account", key("account_id"), nested("weeks"))
OPPORTUNITIES = records(
    "crm.opportunities", "opportunity",
    key("opportunity_id"), text("account_id"), text("kind"), flag("open"), extra(flag("escalated")),
    one_of("kind", "renewal", "expansion"), Index("opportunities_of_an_account", "account_id"),
)  # fmt: skip

ITEMS = records(
    "erp.items", "item",
    key("sku"), text("title"), whole("unit_price_cents"), whole("unit_cost_cents"), text("category"),
    flag("final_sale"), nested("substitutes"), *at_least_zero("unit_price_cents", "unit_cost_cents"),
)  # fmt: skip
#: an account may have several overdue invoices, so nothing but the row's number identifies one
RECEIVABLES = records(
    "erp.receivables", "receivable",
    inner(Column("row", BigInteger, Identity(), primary_key=True)), text("account_id"), whole("overdue_days"),
    Index("receivables_of_an_account", "account_id"),
)  # fmt: skip
INVOICES = records(
    "erp.invoices", "invoice",
    key("invoice_id"), text("vendor_id"), text("vendor_invoice_no"), text("po_id"), text("category"), text("currency"),
    whole("freight_cents"), whole("tax_cents"), whole("total_cents"), moment("received_at"), text("budget_id"),
    extra(text("state")), extra(text("state_reason")), one_of("state", "posted", "held", "rejected"),
    Index("invoices_of_a_vendor", "vendor_id"),
)  # fmt: skip
INVOICE_LINES = elements(
    INVOICES, "lines", "line", text("po_line"), whole("qty"), whole("unit_price_cents"), *at_least_zero("qty")
)
PURCHASE_ORDERS = records(
    "erp.purchase_orders", "purchase order", key("po_id"), text("vendor_id"), text("currency"), text("budget_id")
)
PURCHASE_ORDER_LINES = elements(
    PURCHASE_ORDERS, "lines", "line",
    key("po_line"), text("sku"), whole("qty"), whole("unit_price_cents"), *at_least_zero("qty"),
)  # fmt: skip
RECEIPTS = records(
    "erp.receipts", "goods receipt",
    key("po_id"), key("po_line"), whole("qty_received"), whole("qty_invoiced"),
    *at_least_zero("qty_received", "qty_invoiced"),
)  # fmt: skip
VENDORS = records(
    "erp.vendors", "vendor",
    key("vendor_id"), text("name"), text("status"), moment("bank_changed_at"), one_of("status", "active", "blocked"),
)  # fmt: skip
BUDGETS = records("erp.budgets", "budget", key("budget_id"), whole("remaining_cents"), *at_least_zero("remaining_cents"))

ADDRESS_CHECKS = records(
    "logistics.address_checks", "address check of order",
    key("order_id"), text("result"), number("confidence"), nested("suggested"),
    one_of("result", "deliverable", "corrected", "ambiguous", "undeliverable"),
)  # fmt: skip
SHIPMENTS = records(
    "logistics.shipments", "shipment of order",
    key("order_id"), text("status"), moment("last_scan_at"), moment("delivered_at"),
    one_of("status", "in_transit", "delivered", "lost"),
)  # fmt: skip
