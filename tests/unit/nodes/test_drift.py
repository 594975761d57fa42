"""What differs from what a proposal stood on is told value by value, and matters only where it decides something."""

from dataclasses import replace

import pytest

from errors import MissionsError
from evals.evaluation.environment import EvalEnvironment
from evals.recorded.cases import recorded
from ledger.canonical import utc_now
from ledger.records import Proposal
from nodes.drift import Difference, Drift, drift
from nodes.understanding import Listening
from systems.recorded import RecordedSystems
from tests.actions import REALLOCATE_LINE
from tests.engine import LiveRun, Raw, a_charge, a_line, a_payment, a_stock, an_authorization, an_exception, an_order, opened
from tests.unit.nodes.examples import account_review, an_invoice, an_invoice_received, delay

ELSEWHERE = a_stock(location="DC-2")


def since(then: Raw, now: Raw, lab: EvalEnvironment, left_out: tuple[int, ...] = ()) -> Drift:
    """A proposal is made of one world; then the world is another."""
    run = LiveRun.of(then)
    systems = RecordedSystems(recorded(now, lab.packs, "test").systems, lab.catalogue, utc_now)
    context = replace(run._context, reader=Listening(systems, lab.phrasebook, utc_now))
    return drift(context, run.ledger.history("r-1"), run.proposal, run.ledger.person, left_out)


def told(found: Drift) -> list[tuple[str, str, str]]:
    """Where it differs."""
    return [(one.tool, one.record, one.path) for one in found.differences]


def a_check(result: str) -> Raw:
    return {"order_id": "O-1", "result": result}


def test_where_nothing_has_changed_nothing_differs(lab: EvalEnvironment) -> None:
    assert since(an_exception(), an_exception(), lab).differences == ()


def test_what_no_ledger_keeps_in_a_text_is_no_difference(lab: EvalEnvironment) -> None:
    unkept = RecordedSystems(an_exception(orders=[an_order(note="a\0b\ud800")])["systems"], lab.catalogue, utc_now)
    run = LiveRun.of(an_exception(orders=[an_order(note="a\ufffdb\ufffd")]))
    context = replace(run._context, reader=Listening(unkept, lab.phrasebook, utc_now))
    assert drift(context, run.ledger.history("r-1"), run.proposal, run.ledger.person).differences == ()


def test_a_unit_of_stock_that_decides_nothing_differs_and_gives_no_reason(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(stock=[a_stock(on_hand=11)]), lab)
    assert found.differences == (Difference("wms.list_stock", "A, DC-1", "on_hand", 10, 11),)
    assert found.reasons == ()


def test_stock_that_suffices_no_more_is_told_with_the_findings_that_come_out_otherwise(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(stock=[a_stock(on_hand=1)]), lab)
    assert found.differences == (Difference("wms.list_stock", "A, DC-1", "on_hand", 10, 1),)
    assert found.reasons == (
        "no longer so: DC-1 has 2 × A in stock (line 1).",
        "now: DC-1 is short of 2 × A (line 1).",
    )  # fmt: skip


def test_a_plan_that_holds_no_more_is_told_with_what_the_check_objects_to(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(payments=[a_payment(on_hold=False)]), lab)
    assert told(found) == [("payments.get_payment", "O-1", "on_hold"), ("payments.list_payments", "O-1", "on_hold")]
    assert found.reasons == ("step 1, release_payment_hold: the payment is not on hold",)


def test_another_approval_than_the_one_that_was_asked_for_is_a_reason(lab: EvalEnvironment) -> None:
    dear = an_order(lines=[a_line(unit_price_cents=2_000_000)])
    paid = a_payment(authorizations=[an_authorization(amount_cents=4_000_000)])
    found = since(an_exception(), an_exception(orders=[dear], payments=[paid]), lab)
    assert ("oms.get_order", "O-1", "lines/1/unit_price_cents") in told(found)
    assert found.reasons[-1] == "the plan needs another approval now"


def test_no_sentence_is_told_as_gone_and_as_new(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(orders=[an_order(lines=[a_line(picked=True)])]), lab)
    gone = {reason.removeprefix("no longer so: ") for reason in found.reasons if reason.startswith("no longer so: ")}
    assert not gone & {reason.removeprefix("now: ") for reason in found.reasons}


def test_a_record_that_appeared_and_one_that_is_gone_differ_as_a_whole(lab: EvalEnvironment) -> None:
    appeared = since(an_exception(), an_exception(stock=[a_stock(), ELSEWHERE]), lab)
    assert appeared.differences == (Difference("wms.list_stock", "A, DC-2", "", None, ELSEWHERE),)
    gone = since(an_exception(stock=[a_stock(), ELSEWHERE]), an_exception(), lab)
    assert gone.differences == (Difference("wms.list_stock", "A, DC-2", "", ELSEWHERE, None),)
    assert appeared.reasons == gone.reasons == ()


def test_the_only_record_of_its_kind_that_is_gone_is_named_by_what_was_asked(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(customers=[]), lab)
    assert [(one.tool, one.record, one.path, one.after) for one in found.differences] == [("crm.get_customer", "C-1", "", None)]


def test_parts_of_a_record_are_told_by_their_key(lab: EvalEnvironment) -> None:
    lines, stock = [a_line("7", "A"), a_line("9", "B")], [a_stock("A"), a_stock("B")]
    charges = [a_charge("ch-1", status="failed"), a_charge("ch-2", status="failed")]

    def world(lines: list[Raw], charges: list[Raw]) -> Raw:
        return an_exception(orders=[an_order(lines=lines)], stock=stock, payments=[a_payment(charges=charges)])

    now = world(
        [lines[0], {**lines[1], "qty": 3}], [charges[1], {**charges[0], "amount_cents": 1}, a_charge("ch-3", status="failed")]
    )
    found = {(one.tool, one.path): (one.before, one.after) for one in since(world(lines, charges), now, lab).differences}
    assert found["oms.get_order", "lines/9/qty"] == (2, 3)
    assert not any(path.startswith("lines/7") for _, path in found)
    assert found["payments.get_payment", "charges/ch-1/amount_cents"] == (10_000, 1)
    assert found["payments.get_payment", "charges/ch-3"] == (None, a_charge("ch-3", status="failed"))
    assert not any(path.startswith("charges/ch-2") for _, path in found)


def test_parts_that_no_key_tells_apart_differ_as_a_list(lab: EvalEnvironment) -> None:
    """Lines of an invoice have no line_id."""
    dearer = an_invoice(lines=[{"po_line": "10", "qty": 2, "unit_price_cents": 5_100}])
    found = since(an_invoice_received(), an_invoice_received(invoices=[dearer]), lab)
    by_path = {one.path: one for one in found.differences if one.tool == "erp.get_invoice"}
    assert by_path.keys() == {"lines", "total_cents"}
    assert (by_path["lines"].before, by_path["lines"].after) == (an_invoice()["lines"], dearer["lines"])


def test_parts_that_share_a_key_hide_no_change(lab: EvalEnvironment) -> None:
    """Otherwise an approval is carried out although a charge was captured meanwhile."""
    then, now = ([a_charge(status=status), a_charge(status="failed")] for status in ("failed", "captured"))
    found = since(an_exception(payments=[a_payment(charges=then)]), an_exception(payments=[a_payment(charges=now)]), lab)
    assert found.differences


def test_records_that_come_in_another_order_differ_in_their_order_alone(lab: EvalEnvironment) -> None:
    found = since(an_exception(stock=[a_stock(), ELSEWHERE]), an_exception(stock=[ELSEWHERE, a_stock()]), lab)
    assert (found.differences, found.reasons) == (
        (Difference("wms.list_stock", "", "order", ["A, DC-1", "A, DC-2"], ["A, DC-2", "A, DC-1"]),),
        (),
    )


def test_a_field_that_is_null_now_and_was_not_there_differs_in_nothing(lab: EvalEnvironment) -> None:
    assert since(an_exception(), an_exception(stock=[a_stock(last_counted_qty=None)]), lab).differences == ()


def test_a_read_that_fails_now_differs_and_is_a_reason_where_something_stands_on_it(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(wms=None), lab)
    assert ("wms.list_stock", "", "") in told(found)
    (stock,) = [one for one in found.differences if one.tool == "wms.list_stock" and one.before]
    assert (stock.before, stock.after) == ([a_stock()], "wms could not be reached")
    assert "no longer so: DC-1 has 2 × A in stock (line 1)." in found.reasons
    assert any("wms could not be reached" in reason for reason in found.reasons)


def test_a_read_that_fails_now_and_decides_nothing_is_no_reason(lab: EvalEnvironment) -> None:
    found = since(an_exception(), an_exception(crm=None), lab)
    assert told(found) == [("crm.get_customer", "C-1", "")]
    assert found.reasons == ()


def test_what_could_not_be_told_and_can_be_now_is_told_so(lab: EvalEnvironment) -> None:
    found = since(an_exception(logistics=None), an_exception(), lab)
    assert any("logistics could not be reached" in reason for reason in found.reasons)
    assert "the findings come in another order" not in found.reasons


def test_a_run_of_another_pack_is_an_error_of_the_project(lab: EvalEnvironment) -> None:
    """The page of a proposal asks for the drift of whatever waits, also after a new version was rolled out."""
    run = LiveRun.of(an_exception())
    pack = lab.packs["order_exception"]
    older = pack.model_copy(update={"reads": {name: read for name, read in pack.reads.items() if name != "locations"}})
    context = replace(run._context, packs={**lab.packs, "order_exception": older})
    with pytest.raises(MissionsError):
        drift(context, run.ledger.history("r-1"), run.proposal, run.ledger.person)


def test_steps_that_are_left_out_are_not_asked_about(lab: EvalEnvironment) -> None:
    """Two orders wait for five of A; now there are four, which is enough for each of them and not for both."""
    fewer = delay(stock=[a_stock("A", "DC-2", 4)])
    assert [action["part"] for action in LiveRun.of(delay()).proposal.plan] == ["O-2", "O-1"]
    whole, rest = since(delay(), fewer, lab), since(delay(), fewer, lab, left_out=(0,))
    assert whole.differences == rest.differences == (Difference("wms.list_stock", "A, DC-2", "on_hand", 5, 4),)
    assert [reason.split(":")[0] for reason in whole.reasons] == [REALLOCATE_LINE]
    assert rest.reasons == ()


# The facts behind a finding


@pytest.mark.parametrize(
    ("raw", "finding", "facts"),
    [
        (an_exception(orders=[an_order(status="delivered")]), "order.settled", {"order"}),
        # through what has a name in the pack
        (an_exception(address_checks=[a_check("undeliverable")]), "address.doubtful", {"address", "order"}),
        (account_review(), "risk.tier_1", {"account", "cases", "usage", "receivables"}),
        # and what functions looked into, under whatever names it was read
        (an_exception(), "stock.own_location", {"order", "stock", "substitute_stock"}),
        (delay(), "order.late", {"inbound", "orders", "customers"}),
    ],
)
def test_behind_a_finding_stand_the_reads_that_it_is_made_of(raw: Raw, finding: str, facts: set[str]) -> None:
    found = next(one for one in opened(raw).findings if one["id"] == finding)
    assert set(found["facts"]) == facts


def test_the_facts_behind_a_finding_stand_with_it_on_the_rail() -> None:
    run = LiveRun.of(an_exception())
    (finding,) = [one for one in run.observed() if one.kind == "finding"]
    assert finding.evidence == {"finding": "stock.own_location", "facts": ["order", "stock", "substitute_stock"]}
    assert set(finding.evidence["facts"]) <= {fact.name for fact in run.ledger.facts("r-1")}


def test_what_one_finding_looked_into_is_not_said_of_the_next() -> None:
    raw = an_exception(payments=[a_payment(fraud={"score": 0.7, "signals": ["new_shipping_address"]})])
    facts = {finding["id"]: set(finding["facts"]) for finding in opened(raw).findings}
    assert not facts["fraud.unexplained"] & {"stock", "substitute_stock"}
    assert not facts["stock.own_location"] & {"payment", "customer"}


def test_behind_what_cannot_be_told_stands_nothing() -> None:
    lacking = [finding for finding in opened(an_exception(wms=None)).findings if finding["lacking"]]
    assert lacking and all(finding["facts"] == [] for finding in lacking)


def test_a_plan_of_a_model_still_has_to_follow_when_it_is_executed_unless_a_person_took_a_part_of_it(
    lab: EvalEnvironment,
) -> None:
    run = LiveRun.of(an_exception())
    own = replace(run.proposal, author="hybrid")
    less = replace(own, plan=own.plan[1:])
    assert _drift(run, own) == _drift(run, run.proposal)
    assert "release_payment_hold (order_id 'O-1') is required but missing" in _why(run, less)
    assert not any("called for" in reason for reason in _why(run, own, left_out=(0,)))


def _why(run: LiveRun, proposal: Proposal, left_out: tuple[int, ...] = ()) -> tuple[str, ...]:
    return _drift(run, proposal, left_out).reasons


def _drift(run: LiveRun, proposal: Proposal, left_out: tuple[int, ...] = ()) -> Drift:
    return drift(run._context, run.ledger.history("r-1"), proposal, run.ledger.person, left_out)
