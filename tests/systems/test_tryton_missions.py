"""The invoice Mission, as it is, on the invoices of vendors in Tryton, and the shortages of its shipments; Tryton's client
library shows what was done.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from graphs.runtime import open_database, open_runtime
from knowledge_index.embeddings import MiniLM
from knowledge_index.index import build
from knowledge_index.policies import PolicyBook
from ledger.records import Event, Run
from ledger.roles import grant_roles
from settings import Settings
from systems.calls import Call
from systems.config import FeedConfig, load_config
from tests.conftest import _database
from tests.integration.live_company import PEOPLE, Company
from tests.systems.tryton.erp import FOLDER, Erp, company_folder

FEED, SHIPPING = load_config(FOLDER / "systems.yaml").feeds

#: of the invoices in the order in which they were typed off: the verdict, and the finding for it where there is one
EXPECTED = (
    *[("approve", "")] * 6,
    *[
        ("approve_with_note", "freight.tolerated"),
        ("approve_with_note", "price.tolerated"),
        ("dispute", "price.disputed"),
        ("hold", "quantity.not_received"),
    ]
    * 2,
    ("hold", "quantity.not_received"),
    ("dispute", "freight.high"),
    ("dispute", "sum.wrong"),
    ("escalate", "budget.short"),
    ("escalate", "currency.other"),
    ("approve", ""),
    ("reject", "invoice.repeated"),
    ("approve", "order.small_without"),
    ("reject", "order.none"),
    ("reject", "order.none"),
    ("escalate", "vendor.bank_changed"),
    ("escalate", "vendor.blocked"),
)
#: verdict -> what a person sees in Tryton once it is approved
SHOWN = {
    "approve": ["posted", None, "posted"],
    "approve_with_note": ["posted", None, "posted"],
    "dispute": ["draft", "On hold", None],
    "hold": ["draft", "On hold", None],
    "reject": ["cancelled", "Cancelled", None],
    "escalate": ["draft", None, None],
}
#: of the shipments in the order in which their sales were made: the verdict, and the finding that it stands on
SHORTAGES = (
    *[("ship", "line.here")] * 2,
    ("backorder", "line.short"),
    ("ship", "line.here"),
    ("transfer", "line.short"),
    ("cancel", "line.short"),
)


@pytest.fixture(scope="module")
def company(server_url: str, erp: Erp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Missions over the ERP."""
    folder = tmp_path_factory.mktemp("missions")
    chosen = company_folder(folder, erp.url)
    build(PolicyBook.load(chosen["policies"]), folder / "knowledge", MiniLM())
    with _database(server_url) as url:
        settings = Settings(home=folder, DATABASE_URL=url, **chosen)
        open_database(settings)
        grant_roles(url)
        with open_runtime(settings) as runtime:
            for name, role in PEOPLE.items():
                runtime.ledger.add_person(name, role)
            yield Company(runtime)


@pytest.fixture(scope="module")
def invoices(erp: Erp) -> list[dict[str, Any]]:
    """The invoices of vendors as the ERP has them at first."""
    return list(anyio.run(lambda: erp.call("list_new_invoices", after="", limit=100))["invoices"])


def received(company: Company, record: dict[str, Any], feed: FeedConfig = FEED) -> Run:
    """The run of a record that a feed of the ERP tells, as far as it goes by itself."""
    made = feed.event_of(record)
    event = Event(
        source_id=made["source_id"], name=made["trigger"]["event"], mission=made["mission"],
        subject=next(value for name, value in made["trigger"].items() if name != "event"),
        trigger=made["trigger"], as_of=datetime.fromisoformat(made["as_of"]),
    )  # fmt: skip
    return company.runtime.drive(company.runtime.take_in(event).run_id)


@pytest.fixture(scope="module")
def runs(company: Company, invoices: list[dict[str, Any]]) -> list[Run]:
    """Each invoice as it was proposed, then approved by whoever may."""
    return [company.approve(run) if run.status == "waiting" else run for run in (received(company, one) for one in invoices)]


def test_missions_read_the_feed_of_new_invoices(company: Company, invoices: list[dict[str, Any]]) -> None:
    (answer,) = company.runtime.context.reader.read_all([Call(FEED.name, {"after": "", "limit": 2})])
    assert (answer.status, answer.error) == ("ok", None)
    assert [one["id"] for one in answer.value[FEED.events]] == [one["id"] for one in invoices[:2]]
    assert answer.value["cursor"] == invoices[1]["id"]


def test_every_invoice_gets_the_verdict_that_the_policy_says(company: Company, runs: list[Run]) -> None:
    assert [(run.status, company.incidents(run)) for run in runs] == [("closed", [])] * len(EXPECTED)
    for run, (verdict, why) in zip(runs, EXPECTED, strict=True):
        rail = company.observations(run)
        assert run.verdict == verdict, company.told(run)
        assert why in [one.evidence.get("finding") for one in rail] or not why, company.told(run)


def test_the_client_library_shows_what_was_decided(erp: Erp, invoices: list[dict[str, Any]], runs: list[Run]) -> None:
    shown = erp.shows(
        f"shown = [[one.state, one.description and one.description.partition(':')[0], one.move and one.move.state]"
        f" for one in map(Model.get('account.invoice'), {[int(one['id']) for one in invoices]})]"
    )
    assert len(runs) == len(shown) and shown == [SHOWN[verdict] for verdict, _ in EXPECTED]


def test_vendors_are_owed_what_was_posted_and_the_budget_is_less_by_it(
    erp: Erp, invoices: list[dict[str, Any]], runs: list[Run]
) -> None:
    posted = [
        one for one, run in zip(invoices, runs, strict=True) if run.verdict in ("approve", "approve_with_note")
    ]  # fmt: skip
    owed, spent = erp.shows(
        "payable = sum(one.payable for one in Model.get('party.party').find([]))\n"
        "lines = Model.get('account.budget.line').find([('account', '!=', None)])\n"
        "shown = [payable, sum(line.actual_amount for line in lines if line.amount)]"
    )
    assert float(owed) == pytest.approx(-sum(float(one["total_amount"]) for one in posted))
    assert float(spent) == pytest.approx(-sum(float(one["untaxed_amount"]) for one in posted))


def test_a_dispute_leaves_its_letter_on_the_vendor_and_an_escalation_asks_colleagues(
    erp: Erp, invoices: list[dict[str, Any]], runs: list[Run]
) -> None:
    disputes = [verdict for verdict, why in EXPECTED if verdict == "dispute" or why == "order.none"]
    notes = erp.shows("shown = [note.message for note in Model.get('ir.note').find([])]")
    assert len(notes) == len(disputes) and sum("priced" in note for note in notes) == 2
    asked = [erp_id["id"] for erp_id, run in zip(invoices, runs, strict=True) if run.verdict == "escalate"]
    queues = [anyio.run(partial(erp.call, "list_notes", model="account.invoice", record=one))[-1]["content"] for one in asked]
    assert queues == [f"To be looked at: {one}" for one in ("budget_owner", "accounts_payable", "vendor_master", "vendor_master")]


@pytest.fixture(scope="module")
def shipments(erp: Erp) -> list[dict[str, Any]]:
    """The shipments to customers as the ERP has them at first."""
    return list(anyio.run(lambda: erp.call("list_new_shipments", after="", limit=100))["shipments"])


@pytest.fixture(scope="module")
def shortages(company: Company, shipments: list[dict[str, Any]]) -> list[Run]:
    """Each shipment as it was proposed, then approved."""
    return [company.approve(received(company, one, SHIPPING)) for one in shipments]


def test_a_shipment_gets_its_stock_or_another_warehouse_s_or_waits_for_a_delivery_or_is_canceled(
    company: Company, shortages: list[Run]
) -> None:
    assert [run.verdict for run in shortages] == [verdict for verdict, _ in SHORTAGES]
    assert [(run.status, company.incidents(run)) for run in shortages] == [("closed", [])] * len(SHORTAGES)
    for run, (verdict, why) in zip(shortages, SHORTAGES, strict=True):
        findings = [one.evidence.get("finding") for one in company.observations(run)]
        assert run.verdict == verdict and why in findings, company.told(run)


def test_the_client_library_shows_what_became_of_the_shipments(
    erp: Erp, shipments: list[dict[str, Any]], shortages: list[Run]
) -> None:
    numbers = [one["number"] for one in shipments]
    shown = erp.shows(
        f"found = [Model.get('stock.shipment.out').find([('number', '=', number)])[0] for number in {numbers}]\n"
        "sent = [[one.state, one.from_location.code, one.moves[0].product.code, one.moves[0].quantity]"
        " for one in Model.get('stock.shipment.internal').find([])]\n"
        "sales = [sale.shipment_state for sale in Model.get('sale.sale').find([], order=[('id', 'ASC')])]\n"
        "notes = [note.message for note in Model.get('ir.note').find([])]\n"
        "shown = [[one.state for one in found], str(found[2].planned_date), sent, sales, notes]"
    )
    states, planned, sent, sales, notes = shown
    assert states == ["assigned", "assigned", "waiting", "assigned", "waiting", "cancelled"]
    assert date.fromisoformat(planned) - date.today() in (timedelta(days=4), timedelta(days=5))
    assert sent == [["assigned", "S-STO", "BENCH-01", 3.0]]
    assert sales == ["waiting"] * 5 + ["exception"]
    assert sum("comes later than planned" in note for note in notes) == 1
    assert sum("We have canceled its shipment" in note for note in notes) == 1
    asked = partial(erp.call, "list_notes", model="stock.shipment.out", record=numbers[-1])
    assert [one["content"] for one in anyio.run(asked)] == ["To be looked at: sales"]
