"""Invoices as UBL, live: from a file into the ERP, through the Mission, to a payment or to none."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput, Refused
from graphs.ingestion import Intake
from graphs.invoices import invoice_event
from ledger.jobs import open_jobs
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.services import Inbox
from settings import CHECKOUT
from systems.event_sources import load_mappings
from systems.sandbox.loader import load_cases
from tests.actions import POST_PAYMENT, REJECT_INVOICE, SEND_VENDOR_MESSAGE
from tests.conftest import _database
from tests.factur_x import CII, pdf_with
from tests.imap_server import PASSWORD, mail_server
from tests.integration.commands import missions
from tests.integration.live_company import PEOPLE, RECORDED, Company, World, changed, plan_of
from tests.integration.sessions import home_of
from tests.integration.test_mailboxes import MAPPING
from tests.integration.test_workers import eventually, working
from tests.sandbox_records import snapshot
from tests.unit.systems.test_mail import PNG, a_mail

pytest_plugins = ["tests.integration.live_company"]

UBL = CHECKOUT / "evals" / "cases" / "ubl"
SAMPLE = UBL / "ubl-tc434-example4.xml"
#: the vendor, the purchase order, the receipts and the budget of that sample
COMPANY: dict[str, Any] = json.loads((UBL / "company.jsonl").read_text())
TOTAL, BUDGET = 467_500, 900_000
#: the samples with special items: of whom, what is proposed, and the clause
SPECIAL = {
    "guide-example1.xml": ("De Koksmaat", "reject", "AP-3"),
    "ubl-tc434-creditnote1.xml": ("My Supplier Company N.V.", "hold", "INV-1"),
    "ubl-tc434-example1.xml": ("De Koksmaat", "reject", "AP-3"),
    "ubl-tc434-example2.xml": ("Salescompany ltd.", "escalate", "INV-3"),
    "ubl-tc434-example5.xml": ("SelCo", "escalate", "INV-3"),
}
_NUMBERS = count(1)

WriteInvoice = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> WriteInvoice:
    """Writes the sample with some of its text replaced, and a comment that makes it a file that never came before."""

    def write(**replaced: str) -> Path:
        text = SAMPLE.read_text().replace("<cbc:ID>TOSL110<", f"<!-- {next(_NUMBERS)} --><cbc:ID>TOSL110<")
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / f"{next(_NUMBERS)}.xml"
        file.write_text(text)
        return file

    return write


def with_vendors(*names: str) -> dict[str, Any]:
    """The company with further vendors, V-1, V-2 …"""
    case: dict[str, Any] = json.loads(json.dumps(COMPANY))
    case["systems"]["erp"]["vendors"] += [
        {"vendor_id": f"V-{n}", "name": name, "status": "active", "bank_changed_at": None} for n, name in enumerate(names, 1)
    ]
    return case


def arrives(company: Company, file: Path) -> Run:
    """What `missions run FILE.xml` does, in the company that is open."""
    return company.runtime.drive(company.runtime.take_in(invoice_event(company.runtime, file)).run_id)


def not_taken_in(company: Company, file: Path) -> str:
    """The sentence with which a file is refused; nothing is entered and nothing is run."""
    before, runs = company.snapshot(), len(company.ledger.runs(limit=10_000))
    with pytest.raises(BadInput) as told:
        arrives(company, file)
    assert (company.snapshot(), len(company.ledger.runs(limit=10_000))) == (before, runs)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500
    return str(told.value)


def paid(world: World) -> list[Any]:
    return [deed["body"]["amount_cents"] for deed in world["deeds"] if deed["collection"] == "erp.payments"]


@pytest.fixture(scope="module")
def commanded(server_url: str) -> Iterator[tuple[str, PostgresLedger]]:
    """(database, ledger) with the company of the sample, for commands as processes."""
    with _database(server_url) as url:
        migrate(url)
        ledger = PostgresLedger.open(url)
        for name, role in PEOPLE.items():
            ledger.add_person(name, role)
        assert load_cases(url, [COMPANY]).refused == {}
        yield url, ledger
        ledger.close()


def done(command: subprocess.CompletedProcess[str]) -> str:
    assert (command.returncode, command.stderr) == (0, ""), command.stderr
    return command.stdout


def test_the_command_takes_an_invoice_in_once_waits_for_a_reviewer_and_pays_it_once(
    commanded: tuple[str, PostgresLedger],
    tmp_path: Path,
) -> None:
    url, ledger = commanded
    told = done(missions("run", SAMPLE, DATABASE_URL=url))
    (run,) = ledger.runs()
    proposal = ledger.proposal(run.run_id)
    assert proposal is not None
    assert (run.status, proposal.verdict, proposal.approval.role) == ("waiting", "approve_with_note", "reviewer")
    assert all(word in told for word in (run.run_id, "approve with note", "reviewer"))
    assert plan_of(proposal) == [(POST_PAYMENT, {"invoice_id": run.event.subject, "amount_cents": TOTAL})]
    assert run.run_id in done(missions("run", SAMPLE, DATABASE_URL=url))
    assert [one.run_id for one in ledger.runs()] == [run.run_id]
    assert [invoice["invoice_id"] for invoice in snapshot(url)["erp.invoices"]] == [run.event.subject]
    assert paid(snapshot(url)) == []
    home = home_of("rita", url, tmp_path)
    done(missions("decide", run.run_id, "approve", "--reason", "agreed", DATABASE_URL=url, MISSIONS_HOME=home))
    assert ledger.run(run.run_id).outcome == "executed"
    assert paid(snapshot(url)) == [TOTAL]


def test_an_invoice_that_a_person_left_as_json_is_run_like_any_other(company: Company, tmp_path: Path) -> None:
    company.load(COMPANY)
    lines = [
        {"line_id": "1", "order_line": "1", "qty": 1000, "unit_price_cents": 100, "amount_cents": 100_000, "name": "Paper"},
    ]
    told = {"number": "J-1", "currency": "DKK", "issue_date": "2026-03-14", "supplier": "SellerCompany", "order_reference": "123"}
    file = tmp_path / "invoice.json"
    file.write_text(json.dumps({**told, "lines": lines, "total_cents": 100_000}))
    run = arrives(company, file)
    assert plan_of(company.proposal(run)) == [(POST_PAYMENT, {"invoice_id": run.event.subject, "amount_cents": 100_000})]


def test_a_pdf_that_carries_an_invoice_is_run_like_any_other_and_in_ubl_too_it_is_a_duplicate(
    company: Company, written: WriteInvoice, tmp_path: Path
) -> None:
    company.load(COMPANY)
    file = tmp_path / "factur-x.pdf"
    file.write_bytes(pdf_with(("factur-x.xml", CII)))
    run = arrives(company, file)
    assert plan_of(company.proposal(run)) == [(POST_PAYMENT, {"invoice_id": run.event.subject, "amount_cents": TOTAL})]
    assert arrives(company, file) == run
    assert plan_of(company.proposal(arrives(company, written())))[0][1]["reason"] == "duplicate"
    file.write_bytes(pdf_with(("terms.xml", CII)))
    assert "carries no invoice as Factur-X does" in not_taken_in(company, file)
    file.write_bytes(pdf_with(("factur-x.xml", CII), password="secret"))
    assert "is encrypted" in not_taken_in(company, file)


def test_a_payment_lowers_the_budget_and_its_receipts_count_as_invoiced(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, written())
    before = company.snapshot()
    run = company.approve(run)
    assert run.outcome == "executed"
    assert changed(before, company.snapshot()) == {
        ("erp", run.event.subject, "state"): "posted",
        ("erp", "B-office", "remaining_cents"): BUDGET - TOTAL,
        ("erp", "123/1", "qty_invoiced"): 1000,
        ("erp", "123/2", "qty_invoiced"): 100,
        ("erp", "123/3", "qty_invoiced"): 500,
    }
    assert paid(company.snapshot()) == [TOTAL]


def test_the_same_file_again_is_the_same_run_also_after_it_was_paid(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    file = written()
    run = arrives(company, file)
    assert arrives(company, file) == run
    run = company.approve(run)
    assert arrives(company, file) == run
    assert (paid(company.snapshot()), len(company.snapshot()["erp.invoices"])) == ([TOTAL], 1)


@pytest.mark.parametrize("number", ["TOSL110", "tosl-110", "T.O.S.L 110"])
def test_another_file_with_the_same_number_is_rejected_as_a_duplicate_before_and_after_the_payment(
    company: Company, written: WriteInvoice, number: str
) -> None:
    company.load(COMPANY)
    first = arrives(company, written())
    for _ in range(2):
        again = arrives(company, written(TOSL110=number))
        assert again.event.subject != first.event.subject
        (step,) = plan_of(company.proposal(again))
        assert step == (REJECT_INVOICE, {"invoice_id": again.event.subject, "reason": "duplicate"})
        assert company.proposal(again).verdict == "reject"
        if first.status == "waiting":
            first = company.approve(first)
    assert company.approve(again).outcome == "executed"
    assert paid(company.snapshot()) == [TOTAL]


def test_another_number_for_receipts_that_are_paid_is_held(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    company.approve(arrives(company, written()))
    second = arrives(company, written(TOSL110="TOSL111"))
    (step,) = plan_of(company.proposal(second))
    assert (company.proposal(second).verdict, step[1]["reason"]) == ("hold", "awaiting_receipt")
    company.approve(second)
    assert paid(company.snapshot()) == [TOTAL]


def test_of_two_invoices_for_the_same_receipts_that_wait_together_one_is_paid(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    first, second = arrives(company, written()), arrives(company, written(TOSL110="TOSL111"))
    assert [company.proposal(run).verdict for run in (first, second)] == ["approve_with_note"] * 2
    assert company.proposal(second).held_by == first.run_id
    with pytest.raises(Refused, match=f"would change the same records as run {first.run_id}"):
        company.approve(second)
    company.approve(first)
    second = company.ledger.run(second.run_id)  # it has looked anew as soon as the first was closed
    assert (second.status, company.proposal(second).verdict, company.proposal(second).held_by) == ("waiting", "hold", "")
    assert any("the data is read again" in text for text in company.told(second))
    assert paid(company.snapshot()) == [TOTAL]


def test_a_rejected_payment_is_not_made(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, written())
    before = company.snapshot()
    company.decide(run, "reject", "rita")
    assert company.snapshot() == before


@pytest.mark.parametrize("name", SPECIAL)
def test_a_sample_with_special_items_is_entered_and_a_person_decides(company: Company, name: str) -> None:
    vendor, verdict, clause = SPECIAL[name]
    world = with_vendors(vendor)
    del world["systems"]["erp"]["purchase_orders"]  # those of another vendor
    company.load(world)
    run = arrives(company, UBL / name)
    proposal = company.proposal(run)
    assert proposal.verdict == verdict and [one["clause"] for one in proposal.cites] == [clause]
    assert run.status == ("closed" if verdict == "escalate" else "waiting") and paid(company.snapshot()) == []
    (entered,) = company.snapshot()["erp.invoices"]
    assert entered["special_items"] and entered["invoice_id"] == run.event.subject


BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
HOSTILE: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "a billion laughs": (lambda text: with_doctype(text, f"<!DOCTYPE x [{BOMB}]>").replace("TOSL110", "&l9;"), "DTD"),
    "an external entity": (
        lambda text: with_doctype(text, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>').replace("TOSL110", "&e;"),
        "DTD",
    ),
    "a DOCTYPE": (lambda text: with_doctype(text, '<!DOCTYPE Invoice SYSTEM "http://127.0.0.1:9/x.dtd">'), "DTD"),
    "an entity of nobody": (lambda text: text.replace("TOSL110", "&e;"), "not well-formed"),
    "20 MB": (lambda text: text.replace("Ordered through", "x" * 20_000_000), "over 10 MB"),
    "text named .xml": (lambda _: "Dear Sirs, please pay 100 EUR.", "not well-formed"),
    "JSON named .xml": (lambda _: '{"invoice": 1}', "not well-formed"),
    "nothing": (lambda _: "", "not well-formed"),
    "other XML": (lambda _: "<html/>", "no invoice in UBL 2 or CII"),
    "UTF-16": (lambda text: text.encode("utf-16"), "UTF-8"),
    "depth": (lambda _: "<a>" * 100_000, "not well-formed"),
    "an unknown currency": (lambda text: text.replace("DKK", "QQQ"), "'QQQ' is not a currency"),
    "a currency of its lines": (lambda text: text.replace('currencyID="DKK">1.00', 'currencyID="EUR">1.00'), "'EUR'"),
    "a supplier whom nobody knows": (
        lambda text: text.replace("SellerCompany", "Nobody A/S"),
        "no vendor, or several, named «Nobody A/S»",
    ),
}


def with_doctype(text: str, doctype: str) -> str:
    declaration, _, rest = text.partition("?>")
    return f"{declaration}?>{doctype}{rest}"


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_is_no_invoice_to_be_entered_is_one_sentence(company: Company, what: str, tmp_path: Path) -> None:
    made, sentence = HOSTILE[what]
    content = made(SAMPLE.read_text())
    file = tmp_path / "invoice.xml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    company.load(COMPANY)
    told = not_taken_in(company, file)
    assert sentence in told
    assert "invoice.xml" in told
    assert "root:" not in told


def test_what_a_file_would_include_from_this_machine_is_not_read(company: Company, written: WriteInvoice) -> None:
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    company.load(COMPANY)
    run = arrives(company, written(**{"<cbc:Note>Ordered through our website</cbc:Note>": include}))
    assert "root:" not in json.dumps([fact.value for fact in company.ledger.facts(run.run_id)])


@pytest.mark.parametrize(
    ("vendors", "supplier"), [(("Other Ltd",), "Other Ltd"), (("SellerCompany", "Other Ltd"), "Other Ltd")]
)  # fmt: skip
def test_an_invoice_whose_supplier_is_not_the_vendor_of_the_order_is_not_entered(
    company: Company, written: WriteInvoice, vendors: tuple[str, ...], supplier: str
) -> None:
    company.load(with_vendors(*vendors))
    assert "refers to order 123, which vendor V-" in not_taken_in(company, written(SellerCompany=supplier))


def test_a_name_of_several_vendors_is_the_vendor_of_the_order_or_nobody(company: Company, written: WriteInvoice) -> None:
    company.load(with_vendors("SellerCompany"))
    assert arrives(company, written()).status == "waiting"
    assert company.snapshot()["erp.invoices"][0]["vendor_id"] == "V-110"
    without_order = re.search(r"<cac:OrderReference>.*?</cac:OrderReference>", SAMPLE.read_text(), re.DOTALL)
    assert without_order
    told = not_taken_in(company, written(**{without_order[0]: ""}))
    assert "no vendor, or several, named «SellerCompany»" in told


def test_an_invoice_that_names_one_supplier_and_carries_the_id_of_another_is_not_taken_for_either(
    company: Company, written: WriteInvoice
) -> None:
    company.load(COMPANY)
    not_taken_in(company, written(**{"SellerCompany": "Nobody A/S", "5790000436101": "V-110"}))


def with_line_references(file: Path) -> Path:
    """Each line of a file names the line of the order that it bills."""
    pattern = r"(<cac:InvoiceLine>\s*<cbc:ID>(\d)</cbc:ID>.*?</cbc:LineExtensionAmount>)"
    reference = r"\1<cac:OrderLineReference><cbc:LineID>\2</cbc:LineID></cac:OrderLineReference>"
    text, times = re.subn(pattern, reference, file.read_text(), flags=re.DOTALL)
    assert times == 3
    file.write_text(text)
    return file


ANOTHER_ORDER = {"<cbc:ID>123<": "<cbc:ID>999<"}


def test_an_order_that_does_not_exist_is_escalated_and_never_paid(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, with_line_references(written(**ANOTHER_ORDER)))
    assert (run.status, run.verdict) == ("closed", "escalate")
    assert [effect.args["queue"] for effect in company.effects(run)] == ["operations"]
    assert "has no record of 999" in company.proposal(run).rationale
    assert paid(company.snapshot()) == []


def test_an_order_that_does_not_exist_is_escalated_also_where_the_lines_name_none_of_its_lines(
    company: Company, written: WriteInvoice
) -> None:
    company.load(COMPANY)
    assert arrives(company, written(**ANOTHER_ORDER)).verdict == "escalate"


def test_a_line_that_the_order_does_not_have_is_never_paid(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    file = with_line_references(written())
    file.write_text(file.read_text().replace("<cbc:LineID>3<", "<cbc:LineID>9<"))
    run = arrives(company, file)
    assert company.proposal(run).verdict in ("hold", "dispute", "escalate")
    assert POST_PAYMENT not in [name for name, _ in plan_of(company.proposal(run))]


def test_another_currency_than_that_of_the_order_is_escalated(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, written(DKK="EUR"))
    assert (run.verdict, [effect.args["queue"] for effect in company.effects(run)]) == ("escalate", ["accounts_payable"])


def test_an_invoice_whose_lines_do_not_add_up_is_disputed_in_its_own_currency(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, written(**{">4675.00</cbc:Payable": ">4676.00</cbc:Payable"}))
    assert company.proposal(run).verdict == "dispute"
    (text,) = [args["text"] for name, args in plan_of(company.proposal(run)) if name == SEND_VENDOR_MESSAGE]
    assert "4,676.00 DKK" in text


def test_a_letter_to_a_vendor_writes_no_dollars_for_another_currency(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = arrives(company, written(**{">4675.00</cbc:Payable": ">4676.00</cbc:Payable"}))
    assert not [args["text"] for _, args in plan_of(company.proposal(run)) if "$" in args.get("text", "")]


def test_a_paid_invoice_is_not_paid_again_by_a_run_of_its_own(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    run = company.approve(arrives(company, written()))
    event = {"event": "invoice.received", "invoice_id": run.event.subject}
    again = company.take_in({**COMPANY, "case_id": f"again {run.event.subject}", "trigger": event})
    if again.status == "waiting":
        again = company.approve(again)
    assert paid(company.snapshot()) == [TOTAL]


def test_of_an_invoice_that_a_model_read_the_words_are_told_that_it_read(company: Company, written: WriteInvoice) -> None:
    company.load(COMPANY)
    event = {"event": "invoice.received", "invoice_id": arrives(company, written()).event.subject, "read_by": "gpt-x"}
    trigger = {**event, "read_from": {"total_cents": "DKK 4,675.00"}}
    run = company.take_in({**COMPANY, "case_id": f"read {event['invoice_id']}", "trigger": trigger})
    assert any("read by a model (gpt-x) in a text: total_cents from “DKK 4,675.00”" in text for text in company.told(run))


def test_a_reviewer_is_not_enough_where_the_amount_is_of_a_higher_band(company: Company, written: WriteInvoice) -> None:
    text = {">5.00</cbc:PriceAmount": ">25.00</cbc:PriceAmount"}
    case: dict[str, Any] = json.loads(json.dumps(COMPANY))
    order = case["systems"]["erp"]["purchase_orders"][0]
    order["lines"][1]["unit_price_cents"] = order["lines"][2]["unit_price_cents"] = 2_500
    case["systems"]["erp"]["budgets"][0]["remaining_cents"] = 9_000_000
    company.load(case)
    run = arrives(company, written(**text, **{">4675.00</cbc:Payable": ">16675.00</cbc:Payable"}))
    assert (company.proposal(run).verdict, company.proposal(run).money_at_stake_cents) == ("approve", 1_667_500)
    with pytest.raises(Refused, match="requires the role supervisor"):
        company.decide(run, "approve", "rita")
    assert company.approve(run).outcome == "executed"


def test_an_invoice_and_a_customers_request_by_mail_are_read_by_a_worker_and_wait_for_a_person(
    company: Company, written: WriteInvoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = RECORDED["dev-sup-0003"]  # a customer who was charged twice for an order, known by the address she writes from
    customers = json.dumps(twice).replace(twice["trigger"]["customer_id"], "jane@example.com")
    company.load(COMPANY, json.loads(customers))
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    assert isinstance(company.ledger, PostgresLedger)
    content = written().read_bytes()
    invoice_id = f"I-{hashlib.sha256(content).hexdigest()[:16]}"
    mail = a_mail("Please find our invoice.", From="billing@vendor.example")
    mail.add_attachment(content, maintype="application", subtype="xml", filename="TOSL110.xml")
    asked = a_mail("I was charged twice for my order O-66588.", Subject="Double charge", Message_ID="<2@example.com>")
    asked.add_attachment(PNG, maintype="image", subtype="png", filename="statement.png")
    with mail_server() as box:
        box.deliver(mail.as_bytes())
        box.deliver(asked.as_bytes())
        text = MAPPING.replace("PORT", str(box.port)).replace("[support_resolution]", "[invoice_approval, support_resolution]")
        (tmp_path / "support.yaml").write_text(f"{text}- body.invoices > 0\n".replace("auto == false", "invoices == 0"))
        with open_jobs(company.url) as jobs:
            inbox = Inbox(company.ledger)
            intake = Intake(company.runtime, inbox, jobs.drive, mappings=load_mappings(tmp_path))
            with working(company, intake=intake):
                eventually(lambda: {invoice_id, "<2@example.com>"} <= {run.event.subject for run, _, _ in company.ledger.queue()})
            assert inbox.ignored() == {"mailbox support": 1}
    waiting = {run.event.subject: (run, proposal) for run, proposal, _ in company.ledger.queue()}
    _, proposal = waiting[invoice_id]
    assert (proposal.verdict, proposal.approval.role) == ("approve_with_note", "reviewer")
    run, proposal = waiting["<2@example.com>"]
    assert (proposal.verdict, run.event.trigger["photos"], run.event.requested_by) == ("refund", 1, "")
    assert proposal.money_at_stake_cents == 50_000
    assert invoice_event(company.runtime, Path("any.xml"), content).source_id == invoice_id, "however it comes it is one"
