"""Reasoner and executor are both taken over: the tables and the log agree, and both are wrong. The audit works it out again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import nodes.execute
from graphs.approval_audit import ApprovalAudit
from knowledge_index.policies import PolicyBook
from ledger.audit_export import examine
from ledger.postgres import PostgresLedger
from ledger.records import Fact, Proposal, Run, RunHistory
from nodes.drift import Drift
from tests.attacks.test_attacks_effect import (
    ALONE,
    FOUR_EYES,
    NONE,
    SHORT,
    SHOWN,
    Forge,
    Lying,
    run_with,
)
from tests.conftest import _database
from tests.integration.live_company import Company, edited, opened

pytestmark = pytest.mark.promise("A change behind the ledger's back is found")

#: those that the forger's executor can carry out: a plan without a step has no effect
CARRIED_OUT = {name: forge for name, forge in ALONE.items() if "nothing to do" not in name}
LESS = {
    name: (case, forge)
    for name, (case, forge) in SHOWN.items()
    if name not in ("an approval for ever", "a beginning that is to come", "another tool")
}


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    """A company that no other test has: what is forged in it stays."""
    with _database(server_url) as url, opened(url) as made:
        yield made


def approval_audit(company: Company) -> ApprovalAudit:
    """As an installation has it that runs what the company runs."""
    context = company.runtime.context
    return ApprovalAudit(context.packs, context.catalogue, [context.policies])


def found(company: Company, run: Run) -> list[str]:
    """What the audit says of a run beyond what its rows and the log say of each other."""
    assert isinstance(company.ledger, PostgresLedger)
    problems = examine(company.ledger, also=approval_audit(company)).problems
    assert not [one for one in examine(company.ledger).problems if run.run_id in one]
    return [one for one in problems if run.run_id in one]


@pytest.fixture
def believing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor that believes what stands in the proposal, and compares nothing."""

    def believe(context: Any, history: RunHistory, proposal: Proposal, *_: Any) -> Drift:
        return Drift(promises=tuple(proposal.changes), approval=proposal.approval)

    monkeypatch.setattr(nodes.execute, "drift", believe)
    monkeypatch.setattr(nodes.execute, "_unapproved", lambda *_: ())


def carried_out(company: Company, case: str, forge: Forge, read: Any = lambda fact: fact) -> Run:
    run, _ = run_with(company, case, forge, read)
    if run.status == "waiting":
        run = company.approve(run)
    assert company.effects(run), "the attack is one that has an effect"
    return run


@pytest.mark.usefixtures("believing")
@pytest.mark.parametrize("says", CARRIED_OUT)
@pytest.mark.parametrize("case", [SHORT, FOUR_EYES])
def test_a_plan_that_nobody_decided_about_is_carried_out(says: str, case: str, company: Company) -> None:
    run = carried_out(company, case, CARRIED_OUT[says])
    (sentence,) = found(company, run)
    assert "worked out again it should not have been" in sentence


@pytest.mark.usefixtures("believing")
@pytest.mark.parametrize("what", LESS)
def test_a_plan_is_carried_out_that_is_not_what_people_were_shown(what: str, company: Company) -> None:
    case, forge = LESS[what]
    run = carried_out(company, case, forge)
    assert len(found(company, run)) == 1


def cheap(fact: Fact) -> Fact:
    """A fact of about a different record than requested."""
    return replace(fact, args={"order_id": "O-1"}) if fact.name == "order" else fact


@pytest.mark.usefixtures("believing")
def test_a_plan_stands_on_facts_that_its_pack_does_not_read(company: Company) -> None:
    run = carried_out(company, SHORT, lambda one: replace(one, approval=NONE), cheap)
    assert "facts" in found(company, run)[0]


@pytest.mark.usefixtures("believing")
def test_an_own_edit_is_approved_as_if_a_policy_left_it_to_whoever_made_it(
    company: Company,
) -> None:
    run = company.propose(SHORT)
    steps = edited(company.proposal(run), drop=1)
    context, honest = company.runtime.context, company.runtime.context.ledger

    def owned(proposal: Proposal) -> Proposal:
        return replace(proposal, approval=replace(proposal.approval, own=True))

    context.ledger = Lying(honest, company, owned, lambda fact: fact)  # type: ignore[assignment]
    try:
        run = company.decide(run, "edit", "rita", plan=steps)
    finally:
        context.ledger = honest
    run = company.decide(run, "approve", "rita")
    assert company.effects(run)
    (sentence,) = found(company, run)
    assert "who made it" in sentence


def test_what_was_done_as_it_should_be_is_found_to_be_so(company: Company) -> None:
    for case in (SHORT, FOUR_EYES, "dev-ord-0010", "dev-ord-0007"):
        run = company.approve(company.propose(case))
        assert company.effects(run) and found(company, run) == []
    assert approval_audit(company).recomputed == 0


def test_a_plan_of_policies_that_are_known_no_more_is_told_of(company: Company) -> None:
    run = company.approve(company.propose(SHORT))
    assert isinstance(company.ledger, PostgresLedger)
    context = company.runtime.context
    audit = ApprovalAudit(context.packs, context.catalogue, [PolicyBook([])])
    examine(company.ledger, also=audit)
    assert audit.recomputed == 0 and "of another policies" in audit.summary()
    audit = ApprovalAudit({}, context.catalogue, [PolicyBook([]), context.policies])
    examine(company.ledger, also=audit)
    assert audit.left_out and company.effects(run)
