"""What people overrule is counted against how often the proposals that they decided about stood on it."""

import pytest

from evals.learning.judged import DecisionDifference, difference
from evals.learning.overruled import judged_proposals, overruled
from evals.recorded.cases import recorded
from evals.walk import Walk
from ledger.memory import MemoryLedger
from ledger.records import Decision, DecisionKind
from tests.actions import REFUND_CHARGE, SEND_MESSAGE
from tests.engine import an_exception, laboratory
from tests.ledger_examples import LATER, PLAN, a_proposal, decided, staffed, started

CATALOGUE = laboratory().catalogue


def test_what_a_proposal_did_not_stand_on_is_not_overruled_with_it() -> None:
    """The steps of a whole order are there for its conclusion, which is no finding; and CAN-1 is what the person put in."""
    ledger = MemoryLedger()
    for number in range(3):
        raw = {**an_exception(), "case_id": f"c-{number}"}
        walk = Walk(laboratory(), recorded(raw, laboratory().packs, "test"), ledger=ledger).drive()
        assert walk.proposal is not None and {step["for"] for step in walk.proposal.plan} == {"order.fulfil"}
        if number < 2:
            walk.approve(by="rita", reason="in order")
            continue
        refund = {"name": REFUND_CHARGE, "args": {"charge_id": "ch-1", "amount_cents": 500}, "cites": ["CAN-1"]}
        walk.edit([*walk.proposal.plan[1:], refund], by="fay", reason="not yet")
    report = overruled(judged_proposals(ledger, CATALOGUE))
    told = {name: [(one.name, one.decided, one.overruled) for one in getattr(report, name)] for name in ("clauses", "findings")}
    assert told == {"clauses": [("ORD-2", 3, 0)], "findings": [("stock.own_location", 3, 0)]}
    assert [(one.decided, one.overruled) for one in report.verdicts] == [(3, 1)]


def test_a_rejection_overrules_every_finding_and_every_clause_that_decided() -> None:
    walk = Walk(laboratory(), recorded(an_exception(), laboratory().packs, "test")).drive()
    walk.reject(by="rita", reason="no")
    report = overruled(judged_proposals(walk.ledger, CATALOGUE))
    assert [(one.name, one.decided, one.overruled) for one in report.findings] == [("stock.own_location", 1, 1)]
    assert [(one.name, one.decided, one.overruled) for one in report.clauses] == [("ORD-2", 1, 1)]


def test_of_two_approvals_what_either_left_out_counts() -> None:
    ledger = MemoryLedger()
    staffed(ledger)
    started(ledger)
    plan = [
        {**step, "part": part, "for": f"late.{part}", "cites": [f"ORD-{part}"]} for step, part in zip(PLAN, "12", strict=True)
    ]
    ledger.propose(a_proposal(role="finance", four_eyes=True, plan=plan))
    decided(ledger, by="Fred", details={"without": ["1"]})
    decided(ledger, by="Fay", details={"without": ["2"]})
    (one,) = judged_proposals(ledger, CATALOGUE)
    assert (one.difference.without, len(one.difference.removed)) == (("1", "2"), 2)
    assert one.difference.clauses == ["ORD-1", "ORD-2"]


def test_what_was_changed_is_told_without_texts_and_addresses() -> None:
    letter = {"customer_id": "C-1", "template": "delay_notice", "text": "Dear Jane Doe, we are sorry"}
    before = {"name": SEND_MESSAGE, "args": letter, "for": None, "cites": ["ORD-2"]}
    after = {**before, "args": {**letter, "text": "Dear Ms. Doe"}}
    for plan, told in ((after, f"{SEND_MESSAGE}: another text"), (None, f"took out {SEND_MESSAGE}(C-1, delay_notice)")):
        decision = Decision(
            decision_id="d-1", proposal_id="p-1", run_id="run-1", kind="edit", by="Fred", role="finance", reason="x", digest="d",
            at=LATER, details={"plan": [plan] if plan else []},
        )  # fmt: skip
        assert difference(a_proposal(plan=[before]), decision, [], CATALOGUE).sentences() == [told]


@pytest.mark.parametrize(
    ("kind", "details", "sentence"),
    [
        ("edit", {"plan": PLAN}, "changed nothing"),
        ("reject", {}, "rejected the whole"),
        ("escalate", {}, "escalated"),
        ("escalate", {"queue": "fraud"}, "escalated to fraud"),
        ("respond", {}, "asked to look again"),
        ("respond", {"remark": "call them"}, "asked: call them"),
    ],
)
def test_a_decision_is_told_as_what_it_was(kind: DecisionKind, details: dict[str, object], sentence: str) -> None:
    decision = Decision(
        decision_id="d-1", proposal_id="p-1", run_id="run-1", kind=kind, by="Fred", role="finance", reason="x", digest="d",
        at=LATER, details=details,
    )  # fmt: skip
    told = difference(a_proposal(), decision, ["stock.short"], CATALOGUE)
    assert isinstance(told, DecisionDifference) and told.sentences() == [sentence]


def test_of_many_decisions_the_latest_are_looked_at() -> None:
    ledger = MemoryLedger()
    for number in range(3):
        raw = {**an_exception(), "case_id": f"l-{number}"}
        Walk(laboratory(), recorded(raw, laboratory().packs, "test"), ledger=ledger).drive().reject(by="rita", reason="no")
    runs = [one.run.run_id for one in judged_proposals(ledger, CATALOGUE, latest=2)]
    assert runs == [one.run.run_id for one in judged_proposals(ledger, CATALOGUE)][1:] == ["l-1", "l-2"]
