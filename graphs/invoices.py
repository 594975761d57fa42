"""Invoices that come as files: entered into the ERP of the sandbox company, and their events."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import BadInput, TryAgain
from graphs.runtime import Runtime
from ledger.canonical import utc_now
from ledger.records import Event
from nodes.case import iso
from settings import settings
from systems.calls import Call
from systems.config import load_config
from systems.invoices import Invoice, read_invoice_file, record
from systems.sandbox.loader import add_invoice
from systems.ubl import read_invoice

#: the event of an invoice that came
INVOICE_RECEIVED = "invoice.received"


def invoice_event(runtime: Runtime, file: Path, content: bytes | None = None) -> Event:
    """Enter the invoice of a file, once however often it comes, and give its event; `content` where that is at hand.

    Raises BadInput, or TryAgain where the ERP does not answer; then nothing is entered.
    """
    erp = load_config(settings().systems).systems.get("erp")
    if erp is None or not erp.is_sandbox:
        raise BadInput(
            f"{file}: invoices are entered into the sandbox company only; enter it in your ERP and "
            f"send {INVOICE_RECEIVED} with its id"
        )
    is_json = content is None and file.suffix.lower() == ".json"
    invoice = read_invoice_file(file) if is_json else read_invoice(file, content)
    content = file.read_bytes() if content is None else content
    invoice_id = f"I-{hashlib.sha256(content).hexdigest()[:12]}"
    if not _read(runtime, "erp.get_invoice", invoice_id=invoice_id):
        order = _read(runtime, "erp.get_purchase_order", po_id=invoice.order_reference) if invoice.order_reference else None
        entry = record(
            invoice, vendor_id=_vendor_id(runtime, invoice, order, file), purchase_order=order, received_at=iso(utc_now()),
            invoice_id=invoice_id, budget_id=order["budget_id"] if order else None, category=None,
        )  # fmt: skip
        add_invoice(runtime.database_url, entry)
    mission = next(name for name, pack in runtime.context.packs.items() if INVOICE_RECEIVED in pack.trigger.events)
    trigger = {"event": INVOICE_RECEIVED, "invoice_id": invoice_id}
    return Event(
        source_id=invoice_id, name=INVOICE_RECEIVED, mission=mission, subject=invoice_id, trigger=trigger, as_of=utc_now()
    )


def _vendor_id(runtime: Runtime, invoice: Invoice, order: Mapping[str, Any] | None, file: Path) -> str:
    """The one vendor of the ERP with the supplier's very name; of several, the one whose id it gives or whose order it is."""
    found = {vendor["vendor_id"] for vendor in _read(runtime, "erp.list_vendors", names=[invoice.supplier]) or ()}
    if len(found) > 1:
        found &= {*invoice.supplier_ids, *([order["vendor_id"]] if order else [])}
    if len(found) != 1:
        raise BadInput(
            f"{file}: the ERP has no vendor, or several, named «{invoice.supplier}»; enter the vendor, "
            "or enter this invoice manually"
        )
    return str(found.pop())


def _read(runtime: Runtime, tool: str, **args: Any) -> Any:
    (result,) = runtime.context.reader.read_all([Call(tool, args)])
    if result.status == "failed":
        raise TryAgain(f"the invoice cannot be entered: {result.error}; try again when the ERP answers")
    return result.value
