"""The WRITE tools, each done at most once for its idempotency key: key, effect and answer are one transaction of Tryton.

What is in the way is refused with a sentence, and nothing is done then; that goes also for what Tryton would ask its user
about, as an invoice with the reference of another one.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access

from . import records

#: characters of a text
LONGEST = 10_000
_TABLE = """create table if not exists connector_effect (
  key text primary key, request text not null, answer text, done_at timestamptz not null default now())"""


def make_table() -> None:
    """Make the table of the keys, in a transaction of Tryton."""
    Transaction().connection.cursor().execute(_TABLE)


def once(key: str, tool: str, arguments: dict[str, Any], does: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of what is done now, or of what was done for this key before. ToolError where that was something else."""
    if not key or len(key) > 200:
        raise refused("The idempotency_key has 1 to 200 characters")
    request = hashlib.sha256(json.dumps([tool, arguments], sort_keys=True).encode()).hexdigest()
    cursor = Transaction().connection.cursor()
    cursor.execute("insert into connector_effect (key, request) values (%s, %s) on conflict do nothing", (key, request))
    if cursor.rowcount:
        answer = does()
        cursor.execute("update connector_effect set answer = %s where key = %s", (json.dumps(answer), key))
        return answer
    cursor.execute("select request, answer from connector_effect where key = %s", (key,))
    before, answer = cursor.fetchone()
    if before != request:
        raise refused("This idempotency_key was used for something else")
    return {**json.loads(answer), "replayed": True}


def post_invoice(invoice: str, total_amount: str | float, currency: str) -> dict[str, Any]:
    """Post an invoice that is a draft or validated and comes to this total: from then on it is to be paid."""
    record = _invoice(invoice, "draft", "validated")
    if amount(total_amount) != record.total_amount or currency != record.currency.code:
        total = f"{record.total_amount} {record.currency.code}"
        raise refused(f"Invoice {invoice} comes to {total} and not to {total_amount} {currency}")
    if (record.description or "").startswith(records.HOLD):
        record.description = None
        record.save()
    type(record).post([record])
    return done(record, number=record.number)


def hold_invoice(invoice: str, reason: str) -> dict[str, Any]:
    """Put an invoice that is a draft on hold: its description says why, and so does a message in its chat."""
    record = _invoice(invoice, "draft")
    said = record.description or ""
    if said and not said.startswith(records.HOLD):
        raise refused(f"Invoice {invoice} has a description already, in which a hold would be written")
    return _describe(record, f"{records.HOLD}{text_of(reason, 200)}")


def cancel_invoice(invoice: str, reason: str) -> dict[str, Any]:
    """Cancel an invoice that is not posted; its description says why, and so does a message in its chat."""
    record = _invoice(invoice, "draft", "validated")
    _describe(record, f"{records.CANCELLED}{text_of(reason, 200)}")
    type(record).cancel([record])
    return done(record)


def message_party(party: str, subject: str, text: str) -> dict[str, Any]:
    """Leave a message to a vendor or customer as a note on the party, from which somebody sends it."""
    record = records.found("party.party", "code", party)
    if record is None:
        raise refused(f"There is no party {party}")
    note = Pool().get("ir.note")(
        resource=record, message=f"To {record.name}: {text_of(subject, 200)}\n\n{text_of(text, LONGEST)}"
    )
    note.save()
    return {"receipt_id": f"ir.note,{note.id}"}


def ask_colleagues(model: records.Chatted, record: str, queue: str) -> dict[str, Any]:
    """Ask for somebody to look at an invoice (by id) or a shipment (by number), in its chat, where its followers are notified."""
    found = records.chatted(model, record)
    if found is None:
        raise refused(f"There is no {model} {record}")
    message = _say(found, f"To be looked at: {text_of(queue, 200)}")
    return {"receipt_id": f"ir.chat.message,{message}"}


def assign_shipment(shipment: str) -> dict[str, Any]:
    """Assign stock to a shipment to a customer that waits for it, to all of it or not at all."""
    record = _shipment(shipment, "waiting")
    type(record).assign_try([record])
    if type(record)(record.id).state != "assigned":
        raise refused(f"There is not enough stock for shipment {shipment}")
    return done(record)


def plan_shipment(shipment: str, planned_date: dt.date) -> dict[str, Any]:
    """Give a shipment to a customer that is not assigned another planned date, which is not past."""
    record = _shipment(shipment, "draft", "waiting")
    if planned_date < Pool().get("ir.date").today():
        raise refused(f"{planned_date} is past")
    record.planned_date = planned_date
    record.save()
    return done(record)


def cancel_shipment(shipment: str) -> dict[str, Any]:
    """Cancel a shipment to a customer that is not shipped; its sale then wants somebody to say what is to be done."""
    record = _shipment(shipment, "draft", "waiting", "assigned", "picked", "packed")
    type(record).cancel([record])
    return done(record)


def transfer_stock(product: str, quantity: int, from_warehouse: str, to_warehouse: str) -> dict[str, Any]:
    """Ask a warehouse to send stock to another one: an internal shipment, with the stock assigned to it."""
    Shipment = Pool().get("stock.shipment.internal")
    goods = records.found("product.product", "code", product)
    start, end = (_storage(code) for code in (from_warehouse, to_warehouse))
    if goods is None or quantity < 1 or start == end:
        raise refused(f"{quantity} of {product} cannot go from {from_warehouse} to {to_warehouse}")
    move = Pool().get("stock.move")(
        product=goods, unit=goods.default_uom, quantity=quantity, from_location=start, to_location=end
    )  # fmt: skip
    today = Pool().get("ir.date").today()
    record = Shipment(
        from_location=start, to_location=end, planned_start_date=today, planned_date=today, moves=[move]
    )  # fmt: skip
    record.save()
    Shipment.wait([record])
    Shipment.assign_try([record])
    if Shipment(record.id).state != "assigned":
        raise refused(f"{from_warehouse} has less than {quantity} of {product}")
    return done(record, number=Shipment(record.id).number)


TOOLS: tuple[Callable[..., dict[str, Any]], ...] = (
    post_invoice, hold_invoice, cancel_invoice, message_party, ask_colleagues, assign_shipment, plan_shipment, cancel_shipment,
    transfer_stock,
)  # fmt: skip
#: what Tryton has no way back from
FINAL = (post_invoice, cancel_invoice, cancel_shipment)


def refused(why: str) -> ToolError:
    """What a tool raises that does nothing, and why."""
    return ToolError(f"{why}; nothing was done.")


def _invoice(invoice: str, *states: str) -> Any:
    return _in_state(records.found("account.invoice", "id", invoice), f"invoice {invoice}", *states)


def _shipment(shipment: str, *states: str) -> Any:
    return _in_state(records.found("stock.shipment.out", "number", shipment), f"shipment {shipment}", *states)


def _storage(warehouse: str) -> Any:
    found = Pool().get("stock.location").search([("type", "=", "warehouse"), ("code", "=", warehouse)], limit=1)
    if not found:
        raise refused(f"There is no warehouse {warehouse}")
    return found[0].storage_location


def _in_state(record: Any, what: str, *states: str) -> Any:
    if record is None:
        raise refused(f"There is no {what}")
    if record.state not in states:
        raise refused(f"The {what} is {record.state} and not {' or '.join(states)}")
    return record


def _describe(record: Any, description: str | None) -> dict[str, Any]:
    record.description = description
    record.save()
    _say(record, description or "No longer on hold")
    return done(record)


def _say(record: Any, text: str) -> int:
    with without_check_access():  # a channel checks by itself whether its user may see the record
        return int(Pool().get("ir.chat.channel").post(record, text).id)


def done(record: Any, **more: str) -> dict[str, Any]:
    """The answer of a tool: the record, and its state as it is now."""
    return {"receipt_id": f"{record.__name__},{record.id}", "state": type(record)(record.id).state, **more}


def amount(written: str | float) -> Decimal:
    """A decimal of a text or number. ToolError where it is none."""
    try:
        return Decimal(str(written))
    except InvalidOperation:
        raise refused(f"«{str(written)[:40]}» is no amount") from None


def text_of(text: str, longest: int) -> str:
    """A text. ToolError where it is empty, longer than this, or has control characters."""
    if not text.strip() or len(text) > longest or any(ord(one) < 32 and one not in "\n\t" for one in text):
        raise refused(f"A text has 1 to {longest:,} characters and no control characters")
    return text
