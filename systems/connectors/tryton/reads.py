"""The READ tools, each in a transaction that can write nothing."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access

from . import records

State = Literal["draft", "validated", "posted", "paid", "cancelled"]


def get_invoice(invoice: str) -> records.InvoiceRecord | None:
    """An invoice by its id; null where there is none."""
    return _one("account.invoice", "id", invoice, records.invoice)


def list_invoices(party: str, type: Literal["in", "out"], states: list[State] | None = None) -> list[records.InvoiceRecord]:
    """The invoices of a party: of a vendor (in) or to a customer (out), in these states or all, newest first."""
    wanted: list[Any] = [("party.code", "=", party), ("type", "=", type)]
    if states is not None:
        wanted.append(("state", "in", states))
    return _list("account.invoice", wanted, records.invoice)


def list_new_invoices(after: str, limit: int) -> dict[str, Any]:
    """The invoices of vendors that were made after a cursor ("" for the beginning), oldest first, with the next cursor."""
    made, cursor = _made_after(after, limit, "account.invoice", [("type", "=", "in")])
    return {"invoices": list(map(records.invoice, made)), "cursor": cursor}


def get_party(code: str) -> records.Party | None:
    """A vendor or customer by its code, also one that is not active any more; null where there is none."""
    return _one("party.party", "code", code, records.party)


def get_purchase(number: str) -> records.Purchase | None:
    """A purchase by its number; null where there is none."""
    return _one("purchase.purchase", "number", number, records.purchase)


def list_receipts(purchase: str) -> list[records.ReceivedLine]:
    """What was received and invoiced of each line of a purchase."""
    record = records.found("purchase.purchase", "number", purchase)
    return records.receipts(record) if record else []


def get_budget_line(id: str) -> records.BudgetLine | None:
    """A line of a budget by its id; null where there is none."""
    return _one("account.budget.line", "id", id, records.budget_line)


def get_shipment(number: str) -> records.Shipment | None:
    """A shipment to a customer by its number; null where there is none."""
    return _one("stock.shipment.out", "number", number, records.shipment)


def list_new_shipments(after: str, limit: int) -> dict[str, Any]:
    """The shipments to customers that were made after a cursor ("" for the beginning), oldest first, with the next cursor."""
    made, cursor = _made_after(after, limit, "stock.shipment.out", [("number", "!=", None)])
    return {"shipments": list(map(records.shipment, made)), "cursor": cursor}


def list_stock(products: list[str]) -> list[records.Stock]:
    """These products in each warehouse."""
    answers = []
    for warehouse in Pool().get("stock.location").search([("type", "=", "warehouse")]):
        quantities = {
            "on_hand": _quantities(warehouse, stock_assign=False, forecast=False),
            "available": _quantities(warehouse, stock_assign=True, forecast=False),
            "forecast": _quantities(warehouse, stock_assign=True, forecast=True),
        }
        for product in Pool().get("product.product").search([("code", "in", products), ("type", "=", "goods")]):
            here = {name: by.get((warehouse.id, product.id), 0.0) for name, by in quantities.items()}
            answers.append(records.stock(product, warehouse, here))
    return answers


def _quantities(warehouse: Any, *, stock_assign: bool, forecast: bool) -> dict[Any, float]:
    """By warehouse and product: what is there; without what is assigned; with all that is planned."""
    today = Pool().get("ir.date").today()
    until = {"stock_date_end": dt.date.max if forecast else today, "forecast": forecast, "stock_assign": stock_assign}
    with Transaction().set_context(**until):
        return dict(Pool().get("product.product").products_by_location([warehouse.id], with_childs=True))


def list_incoming(products: list[str]) -> list[records.Incoming]:
    """What is on its way of these products from vendors, the earliest first."""
    wanted = [("product.code", "in", products), ("state", "=", "draft"), ("from_location.type", "=", "supplier")]
    moves = Pool().get("stock.move").search(wanted, order=[("planned_date", "ASC"), ("id", "ASC")], limit=records.MOST)
    return [records.incoming(move) for move in moves if move.origin and move.origin.__name__ == "purchase.line"]


def list_notes(model: records.Chatted, record: str) -> list[dict[str, str]]:
    """The messages in the chat of an invoice (by id) or a shipment to a customer (by number), oldest first."""
    subject = records.chatted(model, record)
    wanted = [("channel.resource", "=", str(subject))]
    with without_check_access():  # whoever may see a record may see its chat
        messages = Pool().get("ir.chat.message").search(wanted, order=[("id", "ASC")]) if subject else []
        return [
            {"author": message.author or "", "content": message.content, "audience": message.audience} for message in messages
        ]


TOOLS: tuple[Callable[..., Any], ...] = (
    get_invoice, list_invoices, list_new_invoices, get_party, get_purchase, list_receipts, get_budget_line, get_shipment,
    list_new_shipments, list_stock, list_incoming, list_notes,
)  # fmt: skip


def _made_after(after: str, limit: int, model: str, wanted: list[Any]) -> tuple[list[Any], str]:
    """Records by the ids that they were made with, and the id of the last one."""
    since = int(after) if after.isdecimal() and len(after) < 10 else 0
    search = Pool().get(model).search
    made = list(search([*wanted, ("id", ">", since)], order=[("id", "ASC")], limit=max(1, min(limit, records.MOST))))
    return made, str(made[-1].id) if made else after


def _one(model: str, field: str, value: str, answer: Callable[[Any], Any]) -> Any:
    record = records.found(model, field, value)
    return answer(record) if record else None


def _list(model: str, wanted: list[Any], answer: Callable[[Any], Any]) -> list[Any]:
    return list(map(partial(answer), Pool().get(model).search(wanted, order=[("id", "DESC")], limit=records.MOST)))
