"""What the READ tools answer: records of Tryton, under Tryton's names.

Amounts are decimals, as text, beside the currency of their record; quantities are numbers. An invoice has no number before
it is posted, so it is named by its id; purchases and shipments are named by their number, parties and products by
their code.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel
from trytond.pool import Pool
from trytond.transaction import inactive_records

#: what the description of an invoice begins with that is held, or was cancelled
HOLD, CANCELLED = "On hold: ", "Cancelled: "
#: three of them are 3, half of one is 0.5
Quantity = int | float
#: models whose records have a chat
Chatted = Literal["account.invoice", "stock.shipment.out"]
#: records of a list
MOST = 1_000


class InvoiceLineRecord(BaseModel):
    """A line of an invoice; `purchase_line` is what it bills, null where that is no purchase."""

    id: str
    product: str | None
    description: str
    quantity: Quantity
    unit_price: str
    amount: str
    category: str | None
    account: str
    budget_line: str | None
    purchase_line: str | None


class InvoiceRecord(BaseModel):
    """An invoice of a vendor (`in`) or to a customer (`out`); `document_total` is what its paper says, if typed in."""

    id: str
    number: str | None
    type: str
    state: str
    reference: str | None
    party: str
    currency: str
    invoice_date: str | None
    created_at: str
    purchases: list[str]
    lines: list[InvoiceLineRecord]
    untaxed_amount: str
    tax_amount: str
    total_amount: str
    document_total: str | None
    description: str | None
    on_hold: str | None
    cancelled_for: str | None


class Party(BaseModel):
    """A vendor or customer; `bank_changed_at` is when a number of a bank account was changed, or added to the first."""

    code: str
    name: str
    active: bool
    email: str | None
    bank_changed_at: str | None
    receivable: str
    payable: str


class OrderLine(BaseModel):
    """A line of a purchase; `moved` is what was received of its quantity."""

    id: str
    product: str | None
    description: str
    quantity: Quantity
    unit_price: str
    amount: str
    moved: Quantity


class Purchase(BaseModel):
    """A purchase from a vendor."""

    number: str
    reference: str | None
    party: str
    state: str
    shipment_state: str
    invoice_state: str
    currency: str
    purchase_date: str | None
    lines: list[OrderLine]
    total_amount: str


class ReceivedLine(BaseModel):
    """What was received of a line of a purchase, and what is on invoices that are validated, posted or paid."""

    purchase: str
    purchase_line: str
    product: str | None
    ordered: Quantity
    received: Quantity
    invoiced: Quantity


class BudgetLine(BaseModel):
    """A line of a budget of this fiscal year: `remaining` is what may still be spent."""

    id: str
    budget: str
    account: str
    amount: str
    actual_amount: str
    remaining: str
    currency: str


class Shipment(BaseModel):
    """A shipment to a customer: `draft`, `waiting` for stock, `assigned`, `picked`, `packed`, `shipped`, `done`, `cancelled`."""

    number: str
    state: str
    customer: str
    warehouse: str
    sales: list[str]
    created_at: str
    planned_date: str | None
    moves: list["Move"]


class Move(BaseModel):
    """What moves of a product: `draft` waits for stock, `assigned` has it."""

    id: str
    product: str
    quantity: Quantity
    state: str
    planned_date: str | None


class Stock(BaseModel):
    """A product in a warehouse: `on_hand` is there, `available` is not assigned, `forecast` counts all that is planned."""

    product: str
    name: str
    warehouse: str
    on_hand: Quantity
    available: Quantity
    forecast: Quantity


class Incoming(BaseModel):
    """What is on its way of a product."""

    purchase: str
    product: str
    warehouse: str
    quantity: Quantity
    planned_date: str | None


def found(model: str, field: str, value: str) -> Any:
    """The one record with this value, or None; of several with one value, the first."""
    if field == "id" and not (value.isdecimal() and len(value) < 10):
        return None
    with inactive_records():
        records = Pool().get(model).search([(field, "=", int(value) if field == "id" else value)], limit=1)
    return records[0] if records else None


def chatted(model: Chatted, name: str) -> Any:
    """The record with a chat that has this name, or None."""
    return found(model, "id" if model == "account.invoice" else "number", name)


def invoice(record: Any) -> InvoiceRecord:
    """An invoice."""
    return InvoiceRecord(
        id=str(record.id), number=record.number or None, type=record.type, state=record.state, reference=record.reference or None,
        party=record.party.code, currency=record.currency.code, invoice_date=_day(record.invoice_date),
        created_at=_moment(record.create_date), purchases=sorted(one.number for one in record.purchases),
        lines=[_invoice_line(line) for line in record.line_lines], untaxed_amount=_money(record.untaxed_amount, record.currency),
        tax_amount=_money(record.tax_amount, record.currency), total_amount=_money(record.total_amount, record.currency),
        document_total=None if record.source_total_amount is None else _money(record.source_total_amount, record.currency),
        description=record.description or None, on_hold=_after(HOLD, record.description),
        cancelled_for=_after(CANCELLED, record.description),
    )  # fmt: skip


def _after(begins: str, description: str | None) -> str | None:
    return description.removeprefix(begins) if description and description.startswith(begins) else None


def _invoice_line(line: Any) -> InvoiceLineRecord:
    origin = line.origin
    return InvoiceLineRecord(
        id=str(line.id), product=line.product and line.product.code, description=line.description or line.rec_name,
        quantity=_quantity(line.quantity), unit_price=_price(line.unit_price), amount=_money(line.amount, line.currency),
        category=line.product and line.product.account_category and line.product.account_category.name,
        account=line.account.code or line.account.name, budget_line=_budget_line(line.account),
        purchase_line=str(origin.id) if origin is not None and origin.__name__ == "purchase.line" else None,
    )  # fmt: skip


def _budget_line(account: Any) -> str | None:
    today = Pool().get("ir.date").today()
    year = [("budget.fiscalyear.start_date", "<=", today), ("budget.fiscalyear.end_date", ">=", today)]
    lines = Pool().get("account.budget.line").search([("account", "=", account.id), ("amount", "!=", None), *year], limit=1)
    return str(lines[0].id) if lines else None


def party(record: Any) -> Party:
    """A vendor or customer."""
    with inactive_records():
        numbers = [number for account in record.bank_accounts for number in account.numbers]
    first = min((number.create_date for number in numbers), default=None)
    changes = [number.write_date or number.create_date for number in numbers if number.write_date or number.create_date != first]
    company = Pool().get("company.company").search([], limit=1)[0].currency
    return Party(
        code=record.code, name=record.name, active=record.active, email=record.email or None,
        bank_changed_at=_moment(max(changes)) if changes else None,
        receivable=_money(record.receivable, company), payable=_money(record.payable, company),
    )  # fmt: skip


def purchase(record: Any) -> Purchase:
    """A purchase."""
    return Purchase(
        number=record.number, reference=record.reference or None, party=record.party.code, state=record.state,
        shipment_state=record.shipment_state, invoice_state=record.invoice_state, currency=record.currency.code,
        purchase_date=_day(record.purchase_date), lines=[_order_line(line) for line in record.line_lines],
        total_amount=_money(record.total_amount, record.currency),
    )  # fmt: skip


def receipts(record: Any) -> list[ReceivedLine]:
    """What was received and invoiced of each line of a purchase."""
    return [
        ReceivedLine(
            purchase=record.number, purchase_line=str(line.id), product=line.product and line.product.code,
            ordered=_quantity(line.quantity), received=_quantity(_moved(line)), invoiced=_quantity(_invoiced(line)),
        )
        for line in record.line_lines
    ]  # fmt: skip


def _invoiced(line: Any) -> float:
    compute = Pool().get("product.uom").compute_qty
    billed = [one for one in line.invoice_lines if one.invoice and one.invoice.state in ("validated", "posted", "paid")]
    return sum(compute(one.unit, one.quantity, line.unit) if one.unit else one.quantity for one in billed)


def budget_line(record: Any) -> BudgetLine:
    """A line of a budget; Tryton counts what is spent as negative."""
    actual, amount = record.actual_amount or Decimal(0), record.amount or Decimal(0)
    return BudgetLine(
        id=str(record.id), budget=record.budget.name, account=record.account.code or record.account.name,
        amount=_money(amount, record.currency), actual_amount=_money(actual, record.currency),
        remaining=_money(actual - amount, record.currency), currency=record.currency.code,
    )  # fmt: skip


def shipment(record: Any) -> Shipment:
    """A shipment to a customer, with what is to be taken from stock for it."""
    moves = record.inventory_moves or record.outgoing_moves
    origins = [move.origin for move in record.outgoing_moves]
    return Shipment(
        number=record.number or "", state=record.state, customer=record.customer.code, warehouse=_place(record.warehouse),
        created_at=_moment(record.create_date), planned_date=_day(record.planned_date),
        sales=sorted({origin.sale.number for origin in origins if origin and origin.__name__ == "sale.line"}),
        moves=[_move(move) for move in moves],
    )  # fmt: skip


def _move(record: Any) -> Move:
    return Move(
        id=str(record.id), product=record.product.code, quantity=_quantity(record.quantity), state=record.state,
        planned_date=_day(record.planned_date),
    )  # fmt: skip


def incoming(record: Any) -> Incoming:
    """A move from a vendor that is not done."""
    return Incoming(
        purchase=record.origin.purchase.number, product=record.product.code, quantity=_quantity(record.quantity),
        warehouse=_place(record.to_location.warehouse or record.to_location),
        planned_date=_day(record.planned_date),
    )  # fmt: skip


def stock(product: Any, warehouse: Any, quantities: dict[str, float]) -> Stock:
    """A product in a warehouse."""
    amounts = {name: _quantity(quantity) for name, quantity in quantities.items()}
    return Stock(product=product.code, name=product.name, warehouse=_place(warehouse), **amounts)


def _place(location: Any) -> str:
    return str(location.code or location.name)


def _order_line(line: Any) -> OrderLine:
    return OrderLine(
        id=str(line.id), product=line.product and line.product.code, description=line.description or line.rec_name,
        quantity=_quantity(line.quantity), unit_price=_price(line.unit_price),
        amount=_money(line.amount, line.currency), moved=_quantity(_moved(line)),
    )  # fmt: skip


def _moved(line: Any) -> float:
    compute = Pool().get("product.uom").compute_qty
    return sum(compute(move.unit, move.quantity, line.unit) for move in _done(line.moves))


def _done(moves: Iterable[Any]) -> list[Any]:
    return [move for move in moves if move.state == "done"]


def _money(amount: Decimal | None, currency: Any) -> str:
    return str((amount or Decimal(0)).quantize(Decimal(1).scaleb(-currency.digits)))


def _price(amount: Decimal) -> str:
    """With the digits that it has: Tryton keeps four."""
    text = f"{amount:f}"
    whole, _, digits = text.partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def _quantity(quantity: float | None) -> Quantity:
    return int(quantity or 0) if (quantity or 0) == int(quantity or 0) else float(quantity or 0)


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _moment(moment: dt.datetime) -> str:
    """Tryton keeps them in UTC."""
    return moment.isoformat() + "Z"
