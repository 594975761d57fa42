"""What follows from each decision, live: in the ledger, in the sandbox company, on the Explain rail."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from langgraph.types import Command

from errors import BadInput, MissionsError, Refused, TryAgain
from tests.actions import CANCEL_ORDER, OPEN_CASE, REALLOCATE_LINE
from tests.integration.live_company import CASES, Company, edited, order_in, plan_of

pytest_plugins = ["tests.integration.live_company"]

#: five findings, nine actions, a reviewer may approve
LONG = "dev-ord-0007"
#: finance, two different people
FOUR_EYES = "dev-ord-0001"
SUPERVISOR = "dev-ord-0084"
SHORT = "dev-ord-0004"


def expected(case_id: str) -> list[tuple[str, dict[str, Any]]]:
    return [(action["name"], action["args"]) for action in CASES[case_id]["expected"]["actions"]]


def test_an_approved_plan_changes_the_sandbox_in_the_order_of_the_plan_and_every_effect_has_a_receipt(
    company: Company,
) -> None:
    run = company.propose(LONG)
    plan = company.proposal(run).plan
    assert order_in(company.snapshot(), run.event.subject)["status"] != "ready"
    run = company.decide(run, "approve", "rita")
    assert (run.status, run.verdict, run.outcome) == ("closed", "fulfil_with_changes", "executed")
    effects = company.effects(run)
    assert [(effect.step, effect.action, effect.args) for effect in effects] == [
        (step, action["name"], action["args"]) for step, action in enumerate(plan)
    ]
    assert {effect.status for effect in effects} == {"done"}
    assert all(effect.receipt and effect.receipt["receipt_id"] for effect in effects)
    done = [observation.text for observation in company.observations(run) if observation.kind == "effect"]
    assert [text.split(".")[0] for text in done] == [str(number) for number in range(1, len(plan) + 1)]
    world = company.snapshot()
    assert order_in(world, run.event.subject)["status"] == "ready"
    assert order_in(world, "O-15386")["status"] == "cancelled"


def test_what_the_proposal_said_would_change_is_what_changed(company: Company) -> None:
    run = company.propose(SHORT)
    told = {(change["record"], change["field"]): change["after"] for change in company.proposal(run).changes}
    run = company.decide(run, "approve", "rita")
    changed = {
        (change["record"], change["field"]): change["after"]
        for effect in company.effects(run)
        for change in (effect.receipt or {})["changed"]
    }
    assert changed.items() >= told.items()


def test_a_rejected_plan_changes_nothing(company: Company) -> None:
    run = company.propose(LONG)
    before = company.snapshot()
    run = company.decide(run, "reject", "rita")
    assert (run.status, run.outcome) == ("closed", "rejected")
    assert company.effects(run) == []
    assert company.snapshot() == before


def test_a_remark_makes_the_mission_look_again_and_an_unchanged_world_gives_the_same_plan(company: Company) -> None:
    run = company.propose(LONG)
    first = company.proposal(run)
    run = company.decide(run, "respond", "rita", remark="look at the stock once more")
    second = company.proposal(run)
    assert run.status == "waiting"
    assert (first.revision, second.revision) == (1, 2)
    assert plan_of(second) == plan_of(first)
    assert second.author == "planner"
    assert [proposal.status for proposal in company.ledger.proposals(run.run_id)] == ["sent_back", "pending"]
    assert len(company.ledger.facts(run.run_id, 2)) == len(company.ledger.facts(run.run_id, 1))
    assert company.effects(run) == []


def test_an_edit_must_be_approved_by_somebody_else(company: Company) -> None:
    run = company.propose(SHORT)
    plan = edited(company.proposal(run), drop=1)
    run = company.decide(run, "edit", "rita", plan=plan)
    proposal = company.proposal(run)
    assert (run.status, proposal.revision, proposal.author) == ("waiting", 2, "rita")
    assert [name for name, _ in plan_of(proposal)] == [CANCEL_ORDER]
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "RITA ")
    assert company.effects(run) == []
    run = company.decide(run, "approve", "ron")
    assert (run.outcome, [effect.action for effect in company.effects(run)]) == ("executed", [CANCEL_ORDER])


def test_an_edit_to_an_argument_that_the_guards_refuse_is_not_proposed_and_the_rail_says_why(company: Company) -> None:
    run = company.propose(LONG)
    first = company.proposal(run)
    run = company.decide(run, "edit", "rita", plan=edited(first, to_location="DC-NOWHERE"))
    second = company.proposal(run)
    assert run.status == "waiting"
    assert (REALLOCATE_LINE, "DC-NOWHERE") not in [(name, args.get("to_location")) for name, args in plan_of(second)]
    assert any(text.startswith("The plan does not pass: reallocate_line") for text in company.told(run))
    assert (second.author, plan_of(second)) == ("planner", plan_of(first))


def test_an_edit_into_another_order_of_actions_is_not_proposed_and_the_rail_says_why(company: Company) -> None:
    run = company.propose(LONG)
    run = company.decide(run, "edit", "rita", plan=edited(company.proposal(run))[::-1])
    assert run.status == "waiting"
    assert any("must come after" in text for text in company.told(run) if text.startswith("The plan does not pass"))
    assert company.proposal(run).author == "planner"


def test_an_edit_with_an_unknown_action_is_not_proposed(company: Company) -> None:
    run = company.propose(SHORT)
    plan = [{"name": "drop_database", "args": {}, "for": "me", "cites": []}]
    with pytest.raises(BadInput, match="'drop_database' is not an action of the catalogue"):
        company.decide(run, "edit", "rita", plan=plan)
    assert company.ledger.run(run.run_id).status == "waiting"
    assert company.ledger.decisions(run.run_id) == []


def test_an_edit_that_claims_a_lower_approval_is_still_judged_by_what_it_does(company: Company) -> None:
    run = company.propose(FOUR_EYES)
    plan = [{**step, "tier": "automate"} for step in edited(company.proposal(run))]
    run = company.decide(run, "edit", "fay", plan=plan)
    approval = company.proposal(run).approval
    assert (run.status, approval.role, approval.four_eyes) == ("waiting", "finance", True)


def test_an_escalation_by_a_person_opens_one_case_and_does_nothing_else(company: Company) -> None:
    run = company.propose(LONG)
    before = company.snapshot()
    run = company.decide(run, "escalate", "rita", queue="fraud")
    assert (run.status, run.verdict, run.outcome) == ("closed", "escalate", "escalated")
    assert any(one.text.startswith("The plan passes: 1 action, ") for one in company.observations(run))
    assert [(effect.action, effect.args["queue"]) for effect in company.effects(run)] == [(OPEN_CASE, "fraud")]
    after = company.snapshot()
    opened = {"collection": "crm.queued_cases", "subject": run.event.subject, "body": {"queue": "fraud"}}
    assert after.pop("deeds") == [*before.pop("deeds"), opened]
    assert after == before


@contextmanager
def lost_after_the_proposal(company: Company) -> Iterator[None]:
    """The database is lost as soon as a proposal stands in the ledger."""
    company.sql(
        "CREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'lost on purpose' USING ERRCODE = '57P01'; END $$"
    )
    company.sql("CREATE TRIGGER lose BEFORE INSERT ON public.checkpoints FOR EACH ROW EXECUTE FUNCTION public.lose()")
    try:
        yield
    finally:
        company.sql("DROP FUNCTION public.lose() CASCADE")


@pytest.mark.parametrize(("kind", "details", "outcome", "proposals"), [
    ("reject", {}, "rejected", 1), ("respond", {}, None, 2), ("escalate", {"queue": "fraud"}, "escalated", 2),
    ("approve", {}, "executed", 1),
])  # fmt: skip
def test_a_decision_about_a_proposal_that_was_made_as_the_database_was_lost_is_carried_out(
    company: Company, kind: str, details: dict[str, Any], outcome: str | None, proposals: int
) -> None:
    company.load(SHORT)
    run = company.runtime.take_in(company.event(SHORT))
    with lost_after_the_proposal(company), pytest.raises(TryAgain, match="lost on purpose"):
        company.runtime.drive(run.run_id)
    assert company.ledger.run(run.run_id).status == "waiting"
    run = company.decide(run, kind, "rita", **details)
    assert (run.status, run.outcome) == ("closed" if outcome else "waiting", outcome)
    assert len(company.ledger.proposals(run.run_id)) == proposals


def test_four_eyes_are_two_different_people_of_finance(company: Company) -> None:
    run = company.propose(FOUR_EYES)
    before = company.snapshot()
    with pytest.raises(Refused, match="requires the role finance"):
        company.decide(run, "approve", "sam")
    run = company.decide(run, "approve", "fay")
    assert run.status == "waiting"
    with pytest.raises(Refused, match="another person"):
        company.decide(run, "approve", "fay")
    assert (company.effects(run), company.snapshot()) == ([], before)
    run = company.decide(run, "approve", "finn")
    assert (run.status, run.outcome) == ("closed", "executed")
    assert [effect.action for effect in company.effects(run)] == [name for name, _ in expected(FOUR_EYES)]


def test_a_reviewer_may_not_approve_the_plan_of_a_supervisor(company: Company) -> None:
    run = company.propose(SUPERVISOR)
    with pytest.raises(Refused, match="requires the role supervisor"):
        company.decide(run, "approve", "rita")
    assert company.ledger.run(run.run_id).status == "waiting"
    assert company.decide(run, "approve", "sam").outcome == "executed"


def test_a_decision_about_another_digest_is_refused(company: Company) -> None:
    run = company.propose(SHORT)
    with pytest.raises(Refused, match="digest differs"):
        company.runtime.decide(run.run_id, "approve", "rita", "agreed", digest="0" * 64)
    assert company.ledger.decisions(run.run_id) == []


FORGED: list[dict[str, Any]] = [
    {"kind": "approve"},
    {"kind": "approve", "by": "rita", "id": "d-1", "details": {}},
    {"kind": "reject", "by": "rita", "details": {}},
    {"kind": "respond", "by": "rita", "details": {"remark": "x"}},
    {"kind": "escalate", "by": "rita", "details": {"queue": "fraud"}},
    {"kind": "edit", "by": "rita", "details": {"plan": []}},
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: f"{forged['kind']}-{len(forged)}")
def test_a_forged_resumption_of_the_graph_does_nothing_and_the_run_waits_or_is_an_incident(
    company: Company, forged: dict[str, Any]
) -> None:
    run = company.propose(SHORT)
    before, proposals = company.snapshot(), company.ledger.proposals(run.run_id)
    resume_behind_the_ledger(company, run.run_id, forged)
    company.runtime.drive(run.run_id)
    now = company.ledger.run(run.run_id)
    assert company.snapshot() == before
    assert company.effects(run) == []
    assert now.status in ("waiting", "incident")
    assert company.ledger.proposals(run.run_id) == proposals, "the proposal stands as it stood"
    assert company.ledger.decisions(run.run_id) == []


def test_after_a_forged_approval_the_run_still_waits_for_a_real_decision(company: Company) -> None:
    run = company.propose(SHORT)
    resume_behind_the_ledger(company, run.run_id, {"kind": "approve"})
    assert company.runtime.drive(run.run_id).status == "waiting"
    assert run.run_id in [waiting.run_id for waiting, _, _ in company.ledger.queue()]


@pytest.mark.parametrize(("kind", "outcome"), [("reject", "rejected"), ("approve", "executed")])
def test_a_real_decision_after_a_forged_one_counts(company: Company, kind: str, outcome: str) -> None:
    run = company.propose(SHORT)
    resume_behind_the_ledger(company, run.run_id, {"kind": "approve" if kind == "reject" else "reject"})
    run = company.decide(run, kind, "rita")
    assert (run.status, run.outcome) == ("closed", outcome)


def resume_behind_the_ledger(company: Company, run_id: str, value: dict[str, Any]) -> None:
    """What a client with access to the checkpoints (Studio, a script) can do: resume the interrupt by its id."""
    graph: Any = company.runtime.graph
    config = {"configurable": {"thread_id": run_id}}
    paused = graph.get_state(config)
    with suppress(MissionsError):  # that it is told is fine; what counts is what was done
        graph.invoke(Command(resume={paused.interrupts[0].id: value}), config, context=company.runtime.context)
