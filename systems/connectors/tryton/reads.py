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
    since = int(after) if after.isdecimal() and len(after) < 10 else 0
    wanted = [("type", "=", "in"), ("id", ">", since)]
    made = Pool().get("account.invoice").search(wanted, order=[("id", "ASC")], limit=max(1, min(limit, records.MOST)))
    answers = [records.invoice(one) for one in made]
    return {"invoices": answers, "cursor": answers[-1].id if answers else after}


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


def get_sale(number: str) -> records.Sale | None:
    """A sale by its number, with its shipments; null where there is none."""
    return _one("sale.sale", "number", number, records.sale)


def list_sales(party: str) -> list[records.Sale]:
    """The sales to a customer, newest first."""
    return _list("sale.sale", [("party.code", "=", party), ("number", "!=", None)], records.sale)


def list_waiting_sales(products: list[str]) -> list[records.Sale]:
    """The sales that a shipment waits for with one of these products, newest first."""
    wanted = [
        ("state", "=", "processing"),
        ("lines.product.code", "in", products),
        ("shipment_state", "in", ["waiting", "partially shipped"]),
    ]
    return _list("sale.sale", wanted, records.sale)


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


def list_notes(model: Literal["account.invoice", "sale.sale"], record: str) -> list[dict[str, str]]:
    """The messages in the chat of an invoice (by id) or a sale (by number), oldest first."""
    subject = records.found(model, "number" if model == "sale.sale" else "id", record)
    wanted = [("channel.resource", "=", str(subject))]
    with without_check_access():  # whoever may see a record may see its chat
        messages = Pool().get("ir.chat.message").search(wanted, order=[("id", "ASC")]) if subject else []
        return [
            {"author": message.author or "", "content": message.content, "audience": message.audience} for message in messages
        ]


TOOLS: tuple[Callable[..., Any], ...] = (
    get_invoice, list_invoices, list_new_invoices, get_party, get_purchase, list_receipts, get_budget_line, get_sale, list_sales,
    list_waiting_sales, list_stock, list_incoming, list_notes,
)  # fmt: skip


def _one(model: str, field: str, value: str, answer: Callable[[Any], Any]) -> Any:
    record = records.found(model, field, value)
    return answer(record) if record else None


def _list(model: str, wanted: list[Any], answer: Callable[[Any], Any]) -> list[Any]:
    return list(map(partial(answer), Pool().get(model).search(wanted, order=[("id", "DESC")], limit=records.MOST)))
