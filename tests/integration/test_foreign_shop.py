"""A shop whose MCP server strangers wrote, over Missions that know it by YAML and Markdown alone: live runs of it."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import add_case, line_of, read_cases, recorded
from evals.recorded.recording import record
from evals.walk.walk import Walk
from evals.what_if import what_if
from graphs.invoices import invoice_event
from graphs.runtime import Runtime, open_database, open_runtime
from ledger.canonical import utc_now
from ledger.records import Effect, Event, Run
from ledger.roles import grant_roles
from settings import CHECKOUT, Settings
from systems.invoices import InvoicesConfig
from systems.recorded import RecordedSystems
from tests.conftest import _database
from tests.foreign_shop.company import ForeignCompany
from tests.integration.commands import missions, refused
from tests.integration.live_company import forget_what_waits

_NUMBERS = count(1)


class Shop(ForeignCompany):
    """The company and its runtime."""

    runtime: Runtime

    def take_in(self, event: str, order_id: str, **trigger: str) -> Run:
        """Drive a run as far as it goes by itself."""
        name, email = f"request.{event}", "sara@example.com"
        given = {"event": name, "order_id": order_id, "email": email, **trigger}
        made = Event(
            source_id=f"{event}-{next(_NUMBERS)}", name=name, mission="shop_request", subject=order_id, trigger=given,
            as_of=utc_now(),
        )  # fmt: skip
        return self.runtime.drive(self.runtime.take_in(made).run_id)

    def approve(self, run: Run) -> Run:
        self.runtime.decide(run.run_id, "approve", "rita", "as the test asks")
        return self.runtime.drive(run.run_id)

    def effect(self, run: Run) -> Effect:
        (effect,) = self.runtime.ledger.effects(run.run_id)
        return effect

    def reason(self, run: Run) -> str:
        return next(one.reason for one in self.runtime.ledger.incidents() if one.run_id == run.run_id)


def settings_of(shop: ForeignCompany, url: str) -> Settings:
    return Settings(DATABASE_URL=url, **shop.variables)


@pytest.fixture(scope="module")
def opened(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One server and one runtime for all tests of this module."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    with _database(server_url) as url:
        open_database(settings_of(shop, url))
        grant_roles(url)
        with open_runtime(settings_of(shop, url)) as shop.runtime:
            shop.runtime.ledger.add_person("rita", "reviewer")
            yield shop


@pytest.fixture
def shop(opened: Shop) -> Shop:
    """The shop as it was at first; what waits from another test is about another world."""
    opened.put()
    forget_what_waits(opened.runtime.database_url)
    return opened


def test_a_request_is_read_decided_done_and_read_back(shop: Shop) -> None:
    run = shop.take_in("cancel", "#W100", reason="no longer needed")
    proposal = shop.runtime.ledger.proposal(run.run_id)
    assert proposal is not None and (run.status, proposal.verdict) == ("waiting", "cancel")
    shown = {(one["record"], one["field"]): (one["before"], one["after"]) for one in proposal.changes}
    assert shown["#W100", "status"] == ("pending", "cancelled")
    run = shop.approve(run)
    assert (run.status, run.outcome) == ("closed", "executed"), shop.reason(run)
    assert shop.order("#W100")["cancel_reason"] == "no longer needed"


def test_amounts_go_out_with_decimals_and_are_found_in_each_record_that_they_change(shop: Shop) -> None:
    run = shop.take_in("refund", "#W200", item_id="2002")
    proposal = shop.runtime.ledger.proposal(run.run_id)
    assert proposal is not None
    assert {(one["record"], one["field"], one["before"], one["after"]) for one in proposal.changes} == {
        ("#W200", "items/2002/refunded", False, True),
        ("#W200", "refunded_cents", 0, 1235),
        ("sara_doe_496", "payment_methods/gift_card_7/balance_cents", 2050, 3285),
    }
    run = shop.approve(run)
    assert (run.status, run.outcome) == ("closed", "executed"), shop.reason(run)
    assert shop.order("#W200")["payment_history"][-1]["amount"] == 12.35


def test_what_goes_to_people_is_done_by_what_its_answer_says(shop: Shop) -> None:
    dear = shop.take_in("refund", "#W200", item_id="2003")
    of_a_stranger = shop.take_in("cancel", "#W300", reason="ordered by mistake")
    for run in (dear, of_a_stranger):
        assert (run.status, run.outcome) == ("closed", "escalated"), shop.reason(run)
        assert shop.effect(run).tool == "shop.transfer_to_human_agents"


def test_what_an_order_says_meanwhile_is_a_drift(shop: Shop) -> None:
    run = shop.take_in("cancel", "#W100", reason="no longer needed")
    shop.put(**{"#W100": {**shop.order("#W100"), "status": "delivered"}})
    drift = shop.runtime.drift(run.run_id)
    assert ("#W100", "status", "pending", "delivered") in {(d.record, d.path, d.before, d.after) for d in drift.differences}
    assert any("order.pending" in reason or "is pending" in reason for reason in drift.reasons)


def test_two_requests_about_one_order_wait_for_each_other(shop: Shop) -> None:
    first = shop.take_in("cancel", "#W100", reason="no longer needed")
    second = shop.take_in("cancel", "#W100", reason="ordered by mistake")
    proposal = shop.runtime.ledger.proposal(second.run_id)
    assert proposal is not None and proposal.held_by == first.run_id


def cancelled(shop: Shop, how: str) -> Run:
    """A cancellation that was approved, on a server that misbehaves."""
    run = shop.take_in("cancel", "#W100", reason="no longer needed")
    shop.put(misbehaves=how)
    return shop.approve(run)


def test_an_answer_that_says_done_of_what_was_not_done_is_an_incident(shop: Shop) -> None:
    run = cancelled(shop, "nothing is done")
    assert run.status == "incident" and shop.effect(run).status == "unknown"
    assert "promised 'cancelled', found 'pending'" in shop.reason(run)


@pytest.mark.parametrize("how", ["done, with an error", "ends after"])
def test_what_was_done_and_not_said_so_is_found_in_the_records(shop: Shop, how: str) -> None:
    run = cancelled(shop, how)
    assert (run.status, run.outcome) == ("closed", "executed"), shop.reason(run)
    assert shop.effect(run).receipt == {"found": "its records are as it leaves them"}
    assert shop.order("#W100")["status"] == "cancelled"


def test_a_server_that_ends_before_it_writes_leaves_an_incident_and_is_not_asked_again(shop: Shop) -> None:
    run = cancelled(shop, "ends before")
    assert run.status == "incident" and shop.effect(run).status == "unknown"
    assert "do not tell whether it was done; look into shop" in shop.reason(run)
    assert shop.order("#W100")["status"] == "pending"


def test_what_its_answer_says_has_failed_is_refused_in_its_words(shop: Shop) -> None:
    run = shop.take_in("cancel", "#W100", reason="no longer needed")
    original: Any = shop.runtime.context.writer

    class Meanwhile:
        """The order is delivered right before the write."""

        def honours_keys(self, call: Any) -> bool:
            return bool(original.honours_keys(call))

        def write(self, call: Any, key: str) -> Any:
            shop.put(**{"#W100": {**shop.order("#W100"), "status": "delivered"}})
            return original.write(call, key)

    shop.runtime.context.writer = Meanwhile()
    try:
        run = shop.approve(run)
    finally:
        shop.runtime.context.writer = original
    assert run.status == "incident" and shop.effect(run).status == "failed"
    assert "refused, Error: non-pending order cannot be cancelled" in shop.reason(run)


def noted(shop: Shop, note: str, how: str = "") -> Run:
    """The note "ring twice" that is asked for on an order that has `note`."""
    order = {**shop.order("#W100"), "note": note}
    shop.put(**{"#W100": order})
    run = shop.take_in("note", "#W100", note="ring twice")
    shop.put(misbehaves=how, **{"#W100": order})
    return shop.approve(run)


@pytest.mark.parametrize("how", ["", "nothing is done"])
def test_what_the_record_says_already_is_done_when_it_says_so_afterwards(shop: Shop, how: str) -> None:
    run = noted(shop, "ring twice", how)
    assert (run.status, run.outcome) == ("closed", "executed"), shop.reason(run)
    (promised,) = shop.effect(run).expects or ()
    assert (promised["field"], promised["before"], promised["after"]) == ("note", "ring twice", "ring twice")
    assert shop.effect(run).receipt != {"found": "its records are as it leaves them"}


def test_what_the_record_says_already_does_not_show_that_an_unanswered_step_was_done(shop: Shop) -> None:
    run = noted(shop, "ring twice", "ends after")
    assert run.status == "incident" and shop.effect(run).status == "unknown"
    assert "do not tell whether it was done" in shop.reason(run)


def test_what_is_to_be_changed_and_was_not_is_an_incident(shop: Shop) -> None:
    assert "promised 'ring twice', found 'knock'" in shop.reason(noted(shop, "knock", "nothing is done"))


def test_a_record_that_two_steps_change_is_promised_and_found_as_each_leaves_it(shop: Shop) -> None:
    order = shop.order("#W200")
    items = [*order["items"], {"item_id": "2004", "name": "Spoon", "price": 3.0}]
    shop.put(**{"#W200": {**order, "items": items}})
    run = shop.approve(shop.take_in("refund", "#W200", item_id="2002", and_item_id="2004"))
    assert (run.status, run.outcome) == ("closed", "executed"), shop.reason(run)
    effects = shop.runtime.ledger.effects(run.run_id)
    refunded = [
        (one["before"], one["after"]) for effect in effects for one in effect.expects or () if one["field"] == "refunded_cents"
    ]
    assert refunded == [(0, 1235), (1235, 1535)]


@pytest.fixture(scope="module")
def cases(opened: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the shop as recorded exceptions, one approved and one that went to people by itself."""
    opened.put()
    forget_what_waits(opened.runtime.database_url)
    runs = [opened.approve(opened.take_in("refund", "#W200", item_id="2002")), opened.take_in("refund", "#W200", item_id="2003")]
    file = tmp_path_factory.mktemp("cases") / "shop_request.jsonl"
    for run in runs:
        raw = record(opened.runtime.ledger, run.run_id, opened.runtime.context.catalogue)
        add_case(file, raw["case_id"], line_of(raw))
    return file


def test_what_the_shop_said_is_recorded_and_answered_again(opened: Shop, cases: Path) -> None:
    lab = EvalEnvironment.open(settings_of(opened, opened.runtime.database_url))
    cheap, dear = read_cases(cases, lab.packs)
    said = {"tool": "find_user_by_email", "args": {"email": "sara@example.com"}, "answer": "sara_doe_496"}
    assert cheap.systems["shop"]["answers"] == [said]
    walk = Walk(lab, cheap).drive().approve(by="rita", reason="as the test asks")
    assert (walk.run.verdict, walk.run.outcome) == ("refund", "executed")
    # no record shows the hand-over, and nobody was there to say that it was done: it is simulated
    assert (Walk(lab, dear).drive().run.outcome, opened.order("#W200")["status"]) == ("escalated", "delivered")


def test_the_recorded_requests_are_asked_what_another_limit_would_do(opened: Shop, cases: Path) -> None:
    chosen = settings_of(opened, opened.runtime.database_url)
    found = what_if(changes={"SHP-6.up_to_cents": 1_000}, cases=[cases], chosen=chosen)
    assert found.ways == {"now_escalated": 1}


def test_a_case_of_a_system_that_there_is_not_is_refused(opened: Shop, cases: Path) -> None:
    raw = json.loads(cases.read_text().splitlines()[0])
    with pytest.raises(BadInput, match="systems.oms is unknown; systems.yaml has shop"):
        recorded({**raw, "systems": {"oms": None}}, opened.runtime.context.packs, "here")
    answers = [{"tool": "get_weather", "args": {}, "answer": 1}]
    with pytest.raises(BadInput, match="names 'get_weather', which is no READ tool"):
        RecordedSystems({"shop": {"answers": answers}}, opened.runtime.context.catalogue, utc_now)


def test_commands_run_no_recorded_exception_on_the_live_shop(opened: Shop, cases: Path) -> None:
    names = {"MISSIONS_SYSTEMS": opened.systems, "MISSIONS_PACKS": opened.packs, "MISSIONS_POLICIES": opened.policies}
    where = {**names, "MISSIONS_HOME": opened.home, "DATABASE_URL": opened.runtime.database_url}
    before = opened.data.read_text()
    refused(missions("run", cases, **where), "a recorded exception runs on no live system, and shop is one")
    refused(missions("start", "--no-dashboard", **where), "shop of", "is a live system")
    assert opened.data.read_text() == before


def test_an_invoice_is_what_systems_yaml_makes_of_it_and_no_tool_enters_it_that_could_do_so_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = CHECKOUT / "docs" / "invoice.xml"
    trigger = {"event": "request.cancel", "order_id": "=invoice.order_reference", "email": "", "billed": "=invoice"}
    event = {"mission": "shop_request", "trigger": trigger}
    monkeypatch.setattr(shop.runtime, "invoices", None)
    with pytest.raises(BadInput, match="does not say what becomes of an invoice"):
        invoice_event(shop.runtime, sample)
    monkeypatch.setattr(shop.runtime, "invoices", InvoicesConfig(event=event))
    made = invoice_event(shop.runtime, sample)
    assert (made.subject, made.trigger["billed"]["total_cents"]) == ("PO-32713", 9_750)
    assert made.source_id == invoice_event(shop.runtime, sample).source_id
    sent = {"order_id": "=invoice.order_reference", "reason": "no longer needed"}
    monkeypatch.setattr(shop.runtime, "invoices", InvoicesConfig(enter="shop.cancel_pending_order", send=sent, event=event))
    with pytest.raises(BadInput, match="shop.cancel_pending_order takes no idempotency_key"):
        invoice_event(shop.runtime, sample)
    with pytest.raises(ValueError, match="answer"):
        InvoicesConfig(event={**event, "source_id": "=answer.id"})


def test_what_the_shop_would_refuse_for_its_form_is_handed_over_and_nobody_is_asked_to_approve_it(shop: Shop) -> None:
    run = shop.take_in("note", "#W100", note="ring twice, and then once more at the other door")
    said = [one.text for one in shop.runtime.ledger.observations(run.run_id)]
    assert any("set_order_note would refuse it: note must have at most 40 characters" in one for one in said), said
    assert "note_order" not in {step["name"] for one in shop.runtime.ledger.proposals(run.run_id) for step in one.plan}
    assert shop.order("#W100").get("note") in (None, "")
