"""Invoices of vendors in the ERP of the sandbox company: a WRITE that enters one, as its vendor sent it."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import insert

from errors import BadInput, Refused
from systems.invoices import BY_HAND, FROM_SUPPLIER, Invoice, first_fault, quoted
from systems.sandbox.database import TABLES, Row, find_records, json_value, rows_of
from systems.sandbox.work import Id, Work


def enter_invoice(work: Work, invoice_id: Id, invoice: dict[str, Any]) -> None:
    """Enter an invoice that nobody has looked at: of a known vendor, and with its order. It is paid by nobody yet."""
    try:
        given = Invoice.model_validate_json(json.dumps(invoice))
    except ValidationError as error:
        raise Refused(f"This is no invoice ({first_fault(error)}); {BY_HAND}.") from error
    (order,) = _found(work, "erp.purchase_orders", "po_id", given.order_reference) or (None,)
    entry = record(
        given, vendor_id=_vendor_id(work, given, order), purchase_order=order, received_at=json_value(datetime.now(UTC)),
        invoice_id=invoice_id, budget_id=order["budget_id"] if order else None, category=None,
    )  # fmt: skip
    for table, rows in rows_of("erp.invoices", entry).items():
        if rows:
            work.connection.execute(insert(table), rows)
    work.changed.append({"collection": "erp.invoices", "record": invoice_id, "field": "", "before": None, "after": entry})


def _vendor_id(work: Work, invoice: Invoice, order: Mapping[str, Any] | None) -> str:
    """The one vendor with the supplier's very name; of several, the one whose id it gives or whose order it is."""
    found = {vendor["vendor_id"] for vendor in _found(work, "erp.vendors", "name", invoice.supplier)}
    if len(found) > 1:
        found &= {*invoice.supplier_ids, *([order["vendor_id"]] if order else [])}
    if len(found) != 1:
        what = f"the ERP has no vendor, or several, named «{invoice.supplier}»"
        raise BadInput(f"{what}; enter the vendor, or enter this invoice manually")
    return str(found.pop())


def _found(work: Work, collection: str, field: str, value: str | None) -> list[Row]:
    return find_records(work.connection, collection, TABLES[collection][0].c[field] == value)


def record(
    invoice: Invoice, *, vendor_id: str, purchase_order: Mapping[str, Any] | None, received_at: str, invoice_id: str,
    budget_id: str | None, category: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The invoice as a record of `erp.invoices`.

    `purchase_order` is the record of the order that the invoice refers to, or None if there is none; `received_at` is a
    moment such as 2026-03-14T09:30:00Z. Raises BadInput when order, vendor and lines do not belong together.
    """
    where, ordered = f"Invoice {quoted(invoice.number)}", quoted(invoice.order_reference or "")
    if purchase_order is not None:
        po_id = purchase_order["po_id"]
        if po_id != invoice.order_reference:
            what = f"refers to {f'order {ordered}' if invoice.order_reference else 'no order'}, and was given with order {po_id}"
            raise BadInput(f"{where} {what}; give the order that it refers to, or none")
        if purchase_order["vendor_id"] != vendor_id:
            raise BadInput(f"{where} refers to order {po_id}, which vendor {vendor_id} was not given; {FROM_SUPPLIER}")
        known = {line["po_line"] for line in purchase_order["lines"]}
        for line in invoice.lines:
            if line.order_line is None and line.line_id not in known:
                what = f"does not say which line of order {ordered} its line {quoted(line.line_id)} is for"
                raise BadInput(f"{where} {what}; {FROM_SUPPLIER}, or {BY_HAND}")
    lines = [
        {"po_line": line.order_line or line.line_id, "qty": line.qty, "unit_price_cents": line.unit_price_cents}
        for line in invoice.lines
    ]
    for po_line, times in Counter(line["po_line"] for line in lines).items():
        if times > 1:  # each could bill no more than was received, and all together more
            raise BadInput(f"{where} bills line {quoted(str(po_line))} more than once; {FROM_SUPPLIER} with one line for it")
    return {
        "invoice_id": invoice_id, "vendor_id": vendor_id, "vendor_invoice_no": invoice.number, "po_id": invoice.order_reference,
        "category": category, "currency": invoice.currency, "lines": lines,
        "special_items": [item.model_dump() for item in invoice.special_items], "freight_cents": invoice.freight_cents,
        "tax_cents": invoice.tax_cents, "total_cents": invoice.total_cents, "received_at": received_at, "budget_id": budget_id,
    }  # fmt: skip
