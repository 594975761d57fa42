"""Reads that need nothing of one another go side by side; a failed read is missing evidence, never a guess."""

from collections.abc import Sequence

from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded
from ledger.canonical import utc_now
from ledger.records import Fact
from nodes.gather import read_facts
from nodes.pack import Pack
from systems.calls import Call, ReadResult
from systems.recorded import RecordedSystems
from tests.engine import Raw, an_exception
from tests.unit.nodes.examples import an_invoice, an_invoice_received, return_unreconciled


class Watched(RecordedSystems):
    """Recorded systems that remember which tools were asked together."""

    waves: list[list[str]]

    def read_all(self, calls: Sequence[Call]) -> list[ReadResult]:
        self.waves = [*getattr(self, "waves", []), [call.tool for call in calls]]
        return super().read_all(calls)


def gathered(raw: Raw, lab: EvalEnvironment, pack: Pack) -> tuple[dict[str, Fact], list[list[str]]]:
    exception = recorded(raw, lab.packs, "test")
    systems = Watched(exception.systems, lab.catalogue, utc_now)
    facts = read_facts(pack, exception.event, systems, utc_now)
    return {fact.name: fact for fact in facts}, systems.waves


def test_every_fact_of_the_pack_is_there_in_its_order(lab: EvalEnvironment, pack: Pack) -> None:
    facts, _ = gathered(an_exception(), lab, pack)
    assert list(facts) == list(pack.reads)
    assert {fact.status for name, fact in facts.items() if name != "address"} == {"ok"}


def test_a_read_waits_for_what_it_needs_and_for_nothing_else(lab: EvalEnvironment, pack: Pack) -> None:
    _, waves = gathered(an_exception(), lab, pack)
    assert waves[0] == ["oms.get_order", "payments.get_payment", "logistics.get_address_check", "wms.list_locations"]
    assert {"crm.get_customer", "oms.list_orders", "wms.list_stock", "wms.list_inbound", "erp.list_items"} <= set(waves[1])
    assert "payments.list_payments" in waves[2]
    assert len(waves) <= 4


def test_what_needs_a_record_that_is_not_there_is_not_asked(lab: EvalEnvironment, pack: Pack) -> None:
    facts, waves = gathered(an_exception(orders=[]), lab, pack)
    assert facts["order"].status == "absent"
    assert (facts["customer"].status, facts["customer"].error) == (
        "failed",
        "crm.get_customer was not called, because there is no order",
    )
    assert "crm.get_customer" not in [tool for wave in waves for tool in wave]


def test_a_system_that_is_down_fails_its_reads_and_no_others(lab: EvalEnvironment, pack: Pack) -> None:
    facts, _ = gathered(an_exception(wms=None), lab, pack)
    failed = {name for name, fact in facts.items() if fact.status == "failed"}
    assert failed == {"locations", "stock", "inbound", "promised"}
    assert facts["stock"].error == "wms could not be reached"


def test_a_question_about_nothing_is_not_asked(lab: EvalEnvironment, pack: Pack) -> None:
    facts, waves = gathered(an_exception(), lab, pack)
    assert facts["promised"].value == [] and facts["substitutes"].value == []
    assert "oms.list_backorders" not in [tool for wave in waves for tool in wave]


def test_arguments_that_are_not_known_are_not_guessed(lab: EvalEnvironment, pack: Pack) -> None:
    raw = an_exception()
    del raw["systems"]["oms"]["orders"][0]["customer_id"]
    facts, _ = gathered(raw, lab, pack)
    assert facts["customer"].status == "failed" and "«order.customer_id» is not known" in str(facts["customer"].error)


def test_an_argument_that_is_null_has_no_record_and_is_not_asked(lab: EvalEnvironment) -> None:
    raw = an_invoice_received(invoices=[an_invoice(po_id=None)])
    facts, waves = gathered(raw, lab, lab.packs["invoice_approval"])
    assert [(facts[name].status, facts[name].value) for name in ("purchase_order", "receipts")] == [("absent", None)] * 2
    assert facts["purchase_order"].error == "erp.get_purchase_order was not asked, for po_id is not known"
    assert "erp.get_purchase_order" not in [tool for wave in waves for tool in wave]
    assert facts["vendor"].status == "ok"


def test_a_part_of_a_pack_reads_what_it_needs_and_nothing_else(lab: EvalEnvironment) -> None:
    raw = return_unreconciled()
    facts, waves = gathered(raw, lab, lab.packs["omnichannel_exception"].of("return.unreconciled"))
    assert list(facts) == ["returned", "order", "payment"]
    assert waves == [["oms.get_return"], ["oms.get_order", "payments.get_payment"]]
