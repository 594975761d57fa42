"""The world does not stand still: what changed, what is down, what refuses, what comes twice."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import Refused
from ledger.canonical import utc_now
from ledger.incident_resolution import settle
from settings import CHECKOUT
from tests.actions import OPEN_CASE, REALLOCATE_LINE
from tests.conftest import _database
from tests.integration.live_company import CASES, Company, Meanwhile, opened, order_in, plan_of

pytest_plugins = ["tests.integration.live_company"]

#: the plan moves line 1 of O-79814 to DC-ATL
MOVING = "dev-ord-0031"
AUTOMATIC = "dev-ord-0014"
LONG = "dev-ord-0007"


def sell_out(company: Company, location: str) -> None:
    """Another order takes all the stock of a location."""
    company.sql("update sandbox.wms_stock set reserved = on_hand where location = %s", location)


def test_an_approval_after_the_stock_was_taken_does_nothing_of_the_old_plan_and_leads_to_a_new_one(
    company: Company,
) -> None:
    run = company.propose(MOVING)
    first = company.proposal(run)
    moved = next(args for name, args in plan_of(first) if name == REALLOCATE_LINE)
    sell_out(company, moved["to_location"])
    before = company.snapshot()
    run = company.decide(run, "approve", "rita")
    second = company.proposal(run)
    assert run.status == "waiting"
    assert company.snapshot() == before
    assert company.effects(run) == []
    assert (second.revision, second.status) == (2, "pending")
    assert moved not in [args for name, args in plan_of(second) if name == REALLOCATE_LINE]
    assert any(text.startswith("The world has changed: wms.list_stock") for text in company.told(run))
    assert company.ledger.facts(run.run_id, 2) != company.ledger.facts(run.run_id, 1)


def test_an_approval_after_the_order_was_cancelled_by_somebody_else_closes_the_run_without_an_effect(
    company: Company,
) -> None:
    run = company.propose(MOVING)
    company.sql("update sandbox.oms_orders set status = 'cancelled' where order_id = %s", run.event.subject)
    before = company.snapshot()
    run = company.decide(run, "approve", "rita")
    assert (run.status, run.verdict, run.outcome) == ("closed", "no_action", "nothing_to_do")
    assert (company.snapshot(), company.effects(run)) == (before, [])


def test_a_change_that_decides_nothing_does_not_stop_an_approved_plan(company: Company) -> None:
    run = company.propose(MOVING)
    company.sql("update sandbox.crm_customers set name = 'Ana Maria Ruiz'")
    run = company.decide(run, "approve", "rita")
    assert (run.status, run.outcome) == ("closed", "executed")
    assert not any("The world has changed" in text for text in company.told(run))


def test_the_same_event_twice_gives_one_run(company: Company) -> None:
    company.load(MOVING)
    event = company.event(MOVING)
    first = company.runtime.drive(company.runtime.take_in(event).run_id)
    told = company.told(first)
    again = company.runtime.drive(company.runtime.take_in(event).run_id)
    assert again == first
    assert company.told(again) == told
    assert len(company.ledger.proposals(first.run_id)) == 1


def test_the_same_event_with_another_content_is_refused(company: Company) -> None:
    event = company.event(MOVING)
    company.runtime.take_in(event)
    with pytest.raises(Refused):
        company.runtime.take_in(type(event)(**{**vars(event), "subject": "O-1", "trigger": {**event.trigger, "order_id": "O-1"}}))


def test_an_automatic_plan_runs_without_a_person(company: Company) -> None:
    run = company.propose(AUTOMATIC)
    assert (run.status, run.verdict, run.outcome) == ("closed", "escalate", "escalated")
    assert company.proposal(run).status == "automatic"
    assert [effect.status for effect in company.effects(run)] == ["done"]
    assert company.ledger.decisions(run.run_id) == []
    assert [deed["body"] for deed in company.snapshot()["deeds"]] == [{"queue": "fraud"}]


def test_a_write_that_the_system_refuses_is_an_incident_with_all_before_it_done_and_nothing_after(
    company: Company,
) -> None:
    run = company.propose(MOVING)
    names = [name for name, _ in plan_of(company.proposal(run))]
    step = names.index(REALLOCATE_LINE)
    with company.writes_through(Meanwhile(company, REALLOCATE_LINE, lambda: sell_out(company, "DC-ATL"))):
        run = company.decide(run, "approve", "rita")
    assert run.status == "incident"
    assert [effect.status for effect in company.effects(run)] == ["done"] * step + ["failed"] + ["intended"] * (
        len(names) - step - 1
    )
    failed = company.effects(run)[step]
    assert failed.error
    assert company.incidents(run) == [failed.error]
    order = order_in(company.snapshot(), run.event.subject)
    assert order["status"] not in ("ready", "cancelled")
    assert any(failed.error in text for text in company.told(run))


def test_an_incident_that_was_resumed_tells_of_every_write_that_happened(company: Company) -> None:
    run = company.propose(MOVING)
    with company.writes_through(Meanwhile(company, REALLOCATE_LINE, lambda: sell_out(company, "DC-ATL"))):
        run = company.decide(run, "approve", "rita")
    company.sql("update sandbox.wms_stock set reserved = 0 where location = 'DC-ATL'")
    company.ledger.resume(run.run_id, by="rita", reason="the stock is back", at=company.runtime.context.clock())
    run = company.runtime.drive(run.run_id)
    assert (run.status, company.incidents(run)) == ("closed", [])
    written = {key for (key,) in company.sql("select key from sandbox.receipts")}
    assert written == {effect.key for effect in company.effects(run) if effect.status == "done"}


def test_a_system_that_is_down_leads_to_an_escalation_to_operations_that_says_what_was_missing(
    server_url: str, tmp_path: Path
) -> None:
    config: dict[str, Any] = yaml.safe_load((CHECKOUT / "systems" / "systems.yaml").read_text())
    config["systems"]["oms"] |= {"command": [sys.executable, "-c", "import sys; sys.exit('no licence for the order system')"]}
    (tmp_path / "systems.yaml").write_text(json.dumps(config))
    shutil.copy(CHECKOUT / "systems" / "pins.json", tmp_path)
    with _database(server_url) as url, opened(url, systems=tmp_path / "systems.yaml") as company:
        run = company.propose(MOVING)
        assert (run.status, run.verdict, run.outcome) == ("closed", "escalate", "escalated")
        assert [(effect.action, effect.args["queue"]) for effect in company.effects(run)] == [(OPEN_CASE, "operations")]
        missing = [entry.text for entry in company.observations(run) if entry.kind == "missing"]
        assert any("oms" in text for text in missing)
        assert "oms" in company.proposal(run).rationale


def test_a_system_that_is_down_at_the_approval_leaves_an_incident_and_the_approval_stands(company: Company) -> None:
    run = company.propose(LONG)

    class Down:
        """A reader to which one system does not answer."""

        def read_all(self, calls: Any) -> Any:
            results = reader.read_all(calls)
            return [
                replace(result, status="failed", value=None, error="payments cannot be reached")
                if result.call.system == "payments"
                else result
                for result in results
            ]

    reader = company.runtime.context.reader
    company.runtime.context.reader = Down()
    try:
        run = company.decide(run, "approve", "rita")
    finally:
        company.runtime.context.reader = reader
    assert run.status == "incident" and company.effects(run) == []
    assert "the approval stands: what it rests on cannot be read now, payments" in company.incidents(run)[0]
    assert order_in(company.snapshot(), run.event.subject)["status"] == CASES[LONG]["systems"]["oms"]["orders"][0]["status"]
    settle(company.ledger, run.run_id, "retry", "rita", "it is back", utc_now())
    assert company.runtime.drive(run.run_id).outcome == "executed"
