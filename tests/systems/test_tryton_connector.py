"""The MCP server of Tryton: what it answers and does, beside what Tryton's own client library shows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import pytest

from errors import BadInput
from tests.systems.tryton.erp import Erp

Call = Callable[..., Any]


@pytest.fixture
def call(erp: Erp) -> Call:
    """Calls a tool of the ERP."""
    return lambda tool, **arguments: anyio.run(partial(erp.call, tool, **arguments))


def refusal(call: Call, tool: str, **arguments: Any) -> str:
    """The sentence with which a tool refuses."""
    with pytest.raises(BadInput) as refused:
        call(tool, **arguments)
    return str(refused.value)


def drafts(call: Call) -> list[dict[str, Any]]:
    """The invoices of vendors that nothing was done about, oldest first."""
    made = call("list_new_invoices", after="", limit=100)["invoices"]
    return [one for one in made if one["state"] == "draft" and one["on_hold"] is None]


def test_what_is_read_is_what_the_client_library_shows(erp: Erp, call: Call) -> None:
    invoice = next(one for one in drafts(call) if one["purchases"])
    purchase = call("get_purchase", number=invoice["purchases"][0])
    shown = erp.shows(
        f"invoice = Model.get('account.invoice')({invoice['id']})\n"
        "shown = [invoice.reference, invoice.party.code, invoice.total_amount, invoice.purchases[0].number,"
        " [[line.product.code, line.quantity, line.unit_price] for line in invoice.lines],"
        " [[line.product.code, sum(move.quantity for move in line.moves if move.state == 'done')]"
        "  for line in invoice.purchases[0].lines]]"
    )
    lines = [[line["product"], float(line["quantity"]), float(line["unit_price"])] for line in invoice["lines"]]
    received = [[one["product"], float(one["received"])] for one in call("list_receipts", purchase=purchase["number"])]
    assert shown[:4] == [invoice["reference"], invoice["party"], invoice["total_amount"], purchase["number"]]
    assert [[product, quantity, float(price)] for product, quantity, price in shown[4]] == lines
    assert shown[5] == received


def test_an_invoice_is_posted_once_however_often_it_is_asked(erp: Erp, call: Call) -> None:
    invoice = drafts(call)[0]
    budget = call("get_budget_line", id=invoice["lines"][0]["budget_line"])
    ask = {"invoice": invoice["id"], "total_amount": invoice["total_amount"], "currency": "USD", "idempotency_key": "post-1"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call("post_invoice", **ask), range(4)))
    assert [one.pop("replayed", False) for one in answers].count(False) == 1
    assert len({str(one) for one in answers}) == 1
    assert erp.shows(f"one = Model.get('account.invoice')({invoice['id']})\nshown = [one.state, one.move.state, one.number]") == [
        "posted", "posted", answers[0]["number"],
    ]  # fmt: skip
    left = float(call("get_budget_line", id=budget["id"])["remaining"])
    assert left == pytest.approx(float(budget["remaining"]) - float(invoice["untaxed_amount"]))


def test_an_invoice_of_another_total_is_not_posted(call: Call) -> None:
    invoice = drafts(call)[0]
    said = refusal(call, "post_invoice", invoice=invoice["id"], total_amount="1.00", currency="USD", idempotency_key="post-2")
    assert f"comes to {invoice['total_amount']} USD and not to 1.00 USD" in said
    assert call("get_invoice", invoice=invoice["id"])["state"] == "draft"
    # what was refused has used up no key
    ask = {"invoice": invoice["id"], "total_amount": float(invoice["total_amount"]), "currency": "USD"}
    assert call("post_invoice", **ask, idempotency_key="post-2")["state"] == "posted"


def test_a_key_stands_for_one_thing(call: Call) -> None:
    first, second = drafts(call)[:2]
    call("hold_invoice", invoice=first["id"], reason="awaiting_receipt", idempotency_key="hold-1")
    said = refusal(call, "hold_invoice", invoice=second["id"], reason="awaiting_receipt", idempotency_key="hold-1")
    assert "used for something else" in said
    assert call("get_invoice", invoice=second["id"])["on_hold"] is None


def test_a_hold_and_a_cancellation_are_seen_in_tryton(erp: Erp, call: Call) -> None:
    held, cancelled = drafts(call)[:2]
    call("hold_invoice", invoice=held["id"], reason="price_dispute", idempotency_key="hold-2")
    call("cancel_invoice", invoice=cancelled["id"], reason="duplicate", idempotency_key="cancel-1")
    assert call("get_invoice", invoice=held["id"])["on_hold"] == "price_dispute"
    assert erp.shows(
        f"shown = [[one.state, one.description] for one in map(Model.get('account.invoice'), ({held['id']}, {cancelled['id']}))]"
    ) == [["draft", "On hold: price_dispute"], ["cancelled", "Cancelled: duplicate"]]
    assert call("list_notes", model="account.invoice", record=held["id"])[-1] == {
        "author": "Connector", "content": "On hold: price_dispute", "audience": "internal",
    }  # fmt: skip
    assert "is cancelled and not draft" in refusal(call, "hold_invoice", invoice=cancelled["id"], reason="x", idempotency_key="h")


def test_what_tryton_would_ask_its_user_is_a_refusal(call: Call) -> None:
    wrong = next(one for one in drafts(call) if one["document_total"])
    ask = {"invoice": wrong["id"], "total_amount": wrong["total_amount"], "currency": "USD", "idempotency_key": "post-3"}
    assert "Tryton refuses" in refusal(call, "post_invoice", **ask)


def test_stock_is_assigned_to_all_of_a_shipment_or_to_nothing(erp: Erp, call: Call) -> None:
    shipments = call("list_new_shipments", after="", limit=100)["shipments"]
    enough, short = (one for one in shipments if one["moves"][0]["product"] == "CLOCK-01")
    _, stock = call("list_stock", products=["CLOCK-01"])
    assert float(short["moves"][0]["quantity"]) > float(stock["available"]) >= float(enough["moves"][0]["quantity"])
    assert "not enough stock" in refusal(call, "assign_shipment", shipment=short["number"], idempotency_key="assign-1")
    assert call("assign_shipment", shipment=enough["number"], idempotency_key="assign-2")["state"] == "assigned"
    find = "Model.get('stock.shipment.out').find([('number', '=', {!r})])[0].state"
    assert erp.shows(f"shown = {find.format(short['number'])}, {find.format(enough['number'])}") == ["waiting", "assigned"]
    _, left = call("list_stock", products=["CLOCK-01"])
    assert (left["on_hand"], float(left["available"])) == (stock["on_hand"], float(stock["available"]) - 2)


def test_what_does_not_exist_is_null_or_a_sentence(call: Call) -> None:
    assert call("get_invoice", invoice="999999") is None and call("get_invoice", invoice="'; drop table") is None
    assert call("get_party", code="nobody") is None and call("list_receipts", purchase="PO0") == []
    assert "There is no invoice 999999" in refusal(call, "hold_invoice", invoice="999999", reason="x", idempotency_key="no-1")


def test_a_blocked_vendor_and_a_changed_bank_account_are_told(call: Call) -> None:
    parties = {one["name"]: one for one in (call("get_party", code=invoice["party"]) for invoice in drafts(call))}
    assert [name for name, one in parties.items() if not one["active"]] == ["Belmont Glass"]
    assert [name for name, one in parties.items() if one["bank_changed_at"]] == ["Kiln Street Pottery"]


def test_an_invoice_that_came_as_a_file_is_entered_once_as_a_draft_that_bills_its_purchase(erp: Erp, call: Call) -> None:
    known = next(one for one in drafts(call) if one["purchases"] and not one["document_total"])
    purchase, vendor = call("get_purchase", number=known["purchases"][0]), call("get_party", code=known["party"])
    lines = [
        {
            "description": one["description"],
            "quantity": one["quantity"],
            "unit_price": one["unit_price"],
            "purchase_line": str(at),
        }
        for at, one in enumerate(purchase["lines"], 1)
    ]
    ask = {
        "supplier": vendor["name"], "supplier_codes": [], "reference": "UBL-7", "invoice_date": "2026-11-25", "currency": "USD",
        "purchase": purchase["number"], "lines": lines, "total_amount": "1.00", "idempotency_key": "enter-1",
    }  # fmt: skip
    first, second = call("enter_invoice", **ask), call("enter_invoice", **ask)
    entered = call("get_invoice", invoice=first["id"])
    assert (second["id"], second["replayed"], entered["state"], entered["reference"]) == (first["id"], True, "draft", "UBL-7")
    assert (entered["purchases"], entered["document_total"]) == ([purchase["number"]], "1.00")
    assert [one["purchase_line"] for one in entered["lines"]] == [one["id"] for one in purchase["lines"]]
    assert float(entered["untaxed_amount"]) == float(purchase["total_amount"]) or float(entered["tax_amount"]) > 0
    assert "no party" in refusal(call, "enter_invoice", **{**ask, "supplier": "Nobody", "idempotency_key": "enter-2"})
    unknown = [{"description": "Gold bar", "quantity": 1, "unit_price": "9.00"}]
    assert "names no line" in refusal(call, "enter_invoice", **{**ask, "lines": unknown, "idempotency_key": "enter-3"})
