"""Whoever has one database role, and would have an effect without the people it takes. The executor believes no row."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.audit_export import examine
from ledger.connections import parse, plain
from ledger.postgres import PostgresLedger
from ledger.records import Approval, Fact, Proposal, Run
from ledger.roles import Role, as_role
from nodes.authorship import evidence_digest, plan_digest
from tests.actions import CANCEL_ORDER, OPEN_CASE
from tests.conftest import _database
from tests.integration.live_company import Company, opened

pytestmark = pytest.mark.promise("What was not approved is not executed")

#: a reviewer may approve the first; the second takes finance, two different people; the third nobody
SHORT, FOUR_EYES = "dev-ord-0004", "dev-ord-0001"
LONG_AGO, FAR = timedelta(days=30), datetime(9999, 1, 1, tzinfo=UTC)
NONE = Approval(role="none", four_eyes=False)
REVIEWER = Approval(role="reviewer", four_eyes=False)


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    """A company that no other test has: what is forged in it stays."""
    with _database(server_url) as url, opened(url) as made:
        yield made


Forge = Callable[[Proposal], Proposal]


class Lying:
    """The ledger in the reasoner's role, held by somebody who writes other proposals and facts than were made."""

    def __init__(self, ledger: Any, company: Company, forge: Forge, read: Callable[[Fact], Fact]) -> None:
        self._ledger, self._company, self._forge, self._read = ledger, company, forge, read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def under(self, held: Any) -> "Lying":
        """See Ledger."""
        return Lying(self._ledger.under(held), self._company, self._forge, self._read)

    def record_facts(self, run_id: str, facts: list[Fact]) -> list[Fact]:
        """See Ledger."""
        kept: list[Fact] = self._ledger.record_facts(run_id, [self._read(fact) for fact in facts])
        return kept

    def propose(self, proposal: Proposal) -> Proposal:
        """See Ledger. The digest is made to fit: whoever forges a plan can do that too."""
        forged = self._forge(proposal)
        if forged.digest == proposal.digest:
            run = self._ledger.run(proposal.run_id)
            policies = self._company.runtime.context.policies.period(run.event.as_of).digest
            evidence = evidence_digest(self._ledger.facts(proposal.run_id))
            forged = replace(forged, digest=plan_digest(forged.verdict, forged.plan, evidence, policies))
        kept: Proposal = self._ledger.propose(forged)
        return kept


def run_with(company: Company, case: str, forge: Forge, read: Callable[[Fact], Fact] = lambda fact: fact) -> tuple[Run, Any]:
    """Drive a case whose reasoner lies; the run, and the world before."""
    context = company.runtime.context
    company.load(case)
    before, honest = company.snapshot(), context.ledger
    context.ledger = Lying(honest, company, forge, read)  # type: ignore[assignment]
    try:
        return company.take_in(case), before
    finally:
        context.ledger = honest


def step(proposal: Proposal, **other: Any) -> Proposal:
    """With its first step written otherwise."""
    first, *rest = proposal.plan
    return replace(proposal, plan=[{**first, **other}, *rest])


def with_args(proposal: Proposal) -> Proposal:
    """With another order in its first step."""
    args = {**proposal.plan[0]["args"], "order_id": "O-1"}
    return step(proposal, args=args)


ALONE: dict[str, Forge] = {
    "that it takes nobody": lambda one: replace(one, approval=NONE),
    "that it takes nobody, and costs nothing": lambda one: replace(one, approval=NONE, money_at_stake_cents=0, changes=[]),
    "that it takes nobody, of all tiers too": lambda one: replace(
        one, approval=NONE, plan=[{**action, "tier": "automate"} for action in one.plan]
    ),
    "that a model made it": lambda one: replace(one, approval=NONE, author="llm"),
    "that a person made it": lambda one: replace(one, approval=NONE, author="rita"),
    "that it takes steps back": lambda one: replace(one, approval=NONE, undoes=one.proposal_id),
    "that it is over and nothing to do": lambda one: replace(one, approval=NONE, plan=[], changes=[], money_at_stake_cents=0),
    "that the case is handed to another queue": lambda one: replace(
        one, approval=NONE, verdict="escalate", money_at_stake_cents=0, changes=[],
        plan=[{"name": OPEN_CASE, "tool": "crm.open_case", "args": {"queue": "legal", "subject_id": "O-1"},
               "says": "Open a case", "tier": "automate", "undo": None}],
    ),
    "that another order is meant": lambda one: with_args(replace(one, approval=NONE)),
}  # fmt: skip


@pytest.mark.parametrize("says", ALONE)
@pytest.mark.parametrize("case", [SHORT, FOUR_EYES])
def test_a_reasoner_alone_writes_a_plan_that_nobody_decides_about(says: str, case: str, company: Company) -> None:
    run, before = run_with(company, case, ALONE[says])
    assert (run.status, company.effects(run), company.snapshot()) == ("incident", [], before)


SHOWN: dict[str, tuple[str, Forge]] = {
    "a lower role": (FOUR_EYES, lambda one: replace(one, approval=REVIEWER)),
    "one pair of eyes": (FOUR_EYES, lambda one: replace(one, approval=Approval(role="finance", four_eyes=False))),
    "another sentence": (SHORT, lambda one: step(one, says="Nothing happens.")),
    "another tool": (SHORT, lambda one: step(one, tool="crm.send_message")),
    "another tier": (SHORT, lambda one: step(one, tier="none at all")),
    "another way back": (SHORT, lambda one: step(one, undo={"name": CANCEL_ORDER, "args": {"order_id": "O-1"}})),
    "another amount": (SHORT, lambda one: replace(one, money_at_stake_cents=one.money_at_stake_cents + 1)),
    "no changes": (SHORT, lambda one: replace(one, changes=[])),
    "a plan that is not the planner's": (SHORT, lambda one: replace(one, plan=one.plan[:-1])),
    "another verdict": (SHORT, lambda one: replace(one, verdict="hold")),
    "another digest": (SHORT, lambda one: replace(one, digest="0" * 64)),
    "an author who made nothing": (SHORT, lambda one: replace(one, author="ron")),
    "steps that it takes back": (SHORT, lambda one: replace(one, undoes="r-other.1")),
    "an approval for ever": (SHORT, lambda one: replace(one, created_at=one.created_at - LONG_AGO, expires_at=FAR)),
    "a beginning that is to come": (SHORT, lambda one: replace(one, created_at=FAR - LONG_AGO, expires_at=FAR)),
}


@pytest.mark.parametrize("what", SHOWN)
def test_people_are_shown_and_approve_something_else_than_would_be_done(what: str, company: Company) -> None:
    case, forge = SHOWN[what]
    run, before = run_with(company, case, forge)
    if run.status == "waiting":
        run = company.approve(run)
    assert run.status in ("incident", "waiting")
    assert (company.effects(run), company.snapshot()) == ([], before)


def test_facts_that_nobody_read_make_a_dear_plan_cheap(company: Company) -> None:
    def cheap(fact: Fact) -> Fact:
        if fact.name != "order" or not isinstance(fact.value, dict):
            return fact
        return replace(fact, value={**fact.value, "lines": [{**one, "unit_price_cents": 1} for one in fact.value["lines"]]})

    run, before = run_with(company, FOUR_EYES, lambda one: one, cheap)
    if run.status == "waiting":
        run = company.approve(run)
    assert (company.effects(run), company.snapshot()) == ([], before)


def as_(company: Company, role: Role, statement: str, *values: Any) -> None:
    """One statement in a role of the database."""
    with psycopg.connect(plain(parse(as_role(company.url, role))), autocommit=True) as session:
        session.execute(statement.encode(), values)


EFFECT = """
INSERT INTO ledger.effects (key, run_id, proposal_id, step, action, tool, args, status, at)
SELECT 'forged', run_id, proposal_id, 0, plan -> 0 ->> 'name', plan -> 0 ->> 'tool', plan -> 0 -> 'args', 'intended', now()
FROM ledger.proposals WHERE run_id = %s
"""
ALLOWED = """
INSERT INTO ledger.authorizations (proposal_id, run_id, digest, role, four_eyes, decisions, at)
SELECT proposal_id, run_id, digest, {}, {}, '[]', now() FROM ledger.proposals WHERE run_id = %s
"""
GOES_ON = "UPDATE ledger.runs SET status = 'running' WHERE run_id = %s"
STATEMENTS: list[tuple[Role, str]] = [
    ("missions_reasoner", EFFECT),
    ("missions_reasoner", ALLOWED.format("role", "four_eyes")),
    ("missions_reasoner", "UPDATE ledger.proposals SET status = 'approved' WHERE run_id = %s"),
    ("missions_reasoner", "UPDATE ledger.proposals SET status = 'automatic' WHERE run_id = %s"),
    ("missions_dashboard", EFFECT),
    ("missions_dashboard", ALLOWED.format("role", "four_eyes")),
    ("missions_executor", EFFECT),
    ("missions_executor", EFFECT.replace("'intended'", "'done'")),
    ("missions_executor", ALLOWED.format("role", "four_eyes")),
    ("missions_executor", ALLOWED.format("'none'", "false")),
    ("missions_executor", ALLOWED.format("'reviewer'", "false")),
]


@pytest.mark.parametrize("case", [SHORT, FOUR_EYES])
@pytest.mark.parametrize("number", range(len(STATEMENTS)))
def test_a_role_of_the_database_writes_an_effect_or_its_leave_without_decisions(number: int, case: str, company: Company) -> None:
    role, statement = STATEMENTS[number]
    run = company.propose(case)
    as_(company, "missions_reasoner", GOES_ON, run.run_id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_(company, role, statement, run.run_id)
    assert company.effects(run) == []


def test_one_of_four_eyes_is_not_leave_for_an_effect(company: Company) -> None:
    run = company.propose(FOUR_EYES)
    run = company.decide(run, "approve", "fay")
    as_(company, "missions_reasoner", GOES_ON, run.run_id)
    for needed in (("role", "four_eyes"), ("role", "false")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_(company, "missions_executor", ALLOWED.format(*needed), run.run_id)


def test_an_executed_plan_is_executed_once_more_under_another_key(company: Company) -> None:
    run = company.approve(company.propose(SHORT))
    assert run.outcome == "executed"
    company.sql("UPDATE ledger.runs SET status = 'running', outcome = NULL, ended_at = NULL WHERE run_id = %s", run.run_id)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no step of a plan that is authorized"):
        as_(company, "missions_executor", EFFECT, run.run_id)


@pytest.mark.parametrize("role", ["missions_executor", "missions_dashboard"])
def test_an_effect_that_was_done_is_made_to_start_again(role: Role, company: Company) -> None:
    run = company.approve(company.propose(SHORT))
    for status in ("executing", "intended", "unknown", "failed"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_(company, role, "UPDATE ledger.effects SET status = %s WHERE run_id = %s", status, run.run_id)


def test_a_run_that_people_have_ended_is_opened_again_by_the_reasoner(company: Company) -> None:
    run = company.decide(company.propose(SHORT), "reject", "rita")
    again = "UPDATE ledger.runs SET status = 'running', outcome = NULL, ended_at = NULL WHERE run_id = %s"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="a person settles that"):
        as_(company, "missions_reasoner", again, run.run_id)


def test_an_approval_counts_for_nothing_once_its_person_may_not(company: Company) -> None:
    run = company.propose(SHORT)
    before = company.snapshot()
    company.runtime.decide(run.run_id, "approve", "rita", "agreed")
    company.ledger.add_person("rita", "analyst")
    try:
        run = company.runtime.drive(run.run_id)
    finally:
        company.ledger.add_person("rita", "reviewer")
    assert (run.status, company.effects(run), company.snapshot()) == ("incident", [], before)
    assert "is not reviewer or above now" in company.incidents(run)[0]


BEHIND = {
    "an effect": EFFECT,
    "an effect that is done": EFFECT.replace("'intended'", "'done'"),
    "leave for effects": ALLOWED.format("'none'", "false"),
}


@pytest.mark.parametrize("what", BEHIND)
def test_an_owner_of_the_tables_writes_what_was_not_decided_and_the_audit_finds_it(what: str, company: Company) -> None:
    run = company.propose(SHORT)
    with psycopg.connect(company.url) as session:
        session.execute(b"SET session_replication_role = replica")
        session.execute(BEHIND[what].encode(), (run.run_id,))
        session.commit()
        try:
            assert isinstance(company.ledger, PostgresLedger)
            problems = [one for one in examine(company.ledger).problems if run.run_id in one]
        finally:
            for table in ("effects", "authorizations"):
                session.execute(f"DELETE FROM ledger.{table} WHERE run_id = %s".encode(), (run.run_id,))
    assert problems and all("bypassing the audit log" in one for one in problems)


ASKED = (
    "INSERT INTO ledger.inbox (source_id, name, mission, subject, trigger, as_of, requested_by)"
    " SELECT source_id || 'x', name, mission, subject, trigger, as_of, 'rita'"
    " FROM ledger.inbox JOIN ledger.runs USING (source_id) WHERE run_id = %s",
    "UPDATE ledger.inbox SET requested_by = 'rita' FROM ledger.runs WHERE run_id = %s",
    "UPDATE ledger.runs SET source_id = 'another' WHERE run_id = %s",
    "DELETE FROM ledger.inbox USING ledger.runs WHERE run_id = %s",
)


@pytest.mark.parametrize("statement", ASKED)
@pytest.mark.parametrize("role", ["missions_reasoner", "missions_executor"])
def test_whoever_reasons_or_executes_says_who_asked_for_a_run(role: Role, statement: str, company: Company) -> None:
    run = company.propose(SHORT)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_(company, role, statement, run.run_id)
