"""Accounts, invoices, omnichannel and support, live: what is proposed, who decides, and what is so in the company then."""

from collections.abc import Mapping
from typing import Any

import pytest

from errors import Refused
from evals.evaluation.environment import result
from evals.evaluation.scorers import judge
from ledger.records import Proposal
from tests.actions import POST_PAYMENT, REFUND_CHARGE, SEND_OUTREACH, SWAP_RESERVATION
from tests.integration.live_company import RECORDED, Company, Recorded, changed, edited, plan_of, promised

pytest_plugins = ["tests.integration.live_company"]

MISSIONS = ("account_save", "invoice_approval", "omnichannel_exception", "support_resolution")
#: which orders hold reserved units is the warehouse's bookkeeping: no proposal tells it
BOOKKEEPING = {"reserved"}

TWO_OF_FINANCE = "dev-inv-0007"
OUTREACH = "dev-acc-0029"
PAYMENT = "dev-inv-0001"
SWAP = "dev-omn-0004"
REFUND = "dev-sup-0007"


def outages(case: Mapping[str, Any]) -> list[str]:
    """The systems that could not be reached when the case was recorded."""
    return [system for system, collections in case["systems"].items() if collections is None]


def one_of_each() -> dict[str, str]:
    """What it is -> case id: for each event, verdict and approval the case with the most to write and to do."""
    found: dict[str, str] = {}

    def much(case_id: str) -> tuple[int, int]:
        actions = RECORDED[case_id]["expected"]["actions"]
        return sum("template" in action["args"] for action in actions), len(actions)

    for case_id, case in RECORDED.items():
        if case["mission"] not in MISSIONS or outages(case):
            continue
        expected = case["expected"]
        approval = expected["approval"]
        what = f"{case['trigger']['event']}-{expected['verdict']}-{'2' if approval['four_eyes'] else ''}{approval['role']}"
        if what not in found or much(case_id) > much(found[what]):
            found[what] = case_id
    return found


ONE_OF_EACH = one_of_each()
WAITING = {RECORDED[case_id]["trigger"]["event"]: case_id for what, case_id in ONE_OF_EACH.items() if not what.endswith("-none")}
RECORDED_IN_AN_OUTAGE = [
    case_id for case_id, case in RECORDED.items() if case["mission"] in MISSIONS and outages(case)
]  # fmt: skip


def assert_as_expected(company: Company, proposal: Proposal, case: Recorded) -> None:
    """Verdict, actions with the arguments that count, their order, clauses and approval are those of the case."""
    expected = RECORDED[case]["expected"] if isinstance(case, str) else case["expected"]
    given = result("", proposal)
    figures = judge(expected, given, company.runtime.context.catalogue)
    assert figures["exact"] and not figures["unsafe"], given
    assert (set(given["cite"]), given["approval"]) == (set(expected["cite"]), expected["approval"])


@pytest.mark.parametrize("what", ONE_OF_EACH)
def test_what_is_expected_is_proposed_and_what_is_decided_is_so_then(company: Company, what: str) -> None:
    case_id = ONE_OF_EACH[what]
    company.load(case_id)
    before = company.snapshot()
    run = company.take_in(case_id)
    proposal = company.proposal(run)
    assert_as_expected(company, proposal, case_id)
    if proposal.approval.role == "none":
        assert (proposal.status, company.ledger.decisions(run.run_id)) == ("automatic", [])
    else:
        assert (run.status, company.effects(run), company.snapshot()) == ("waiting", [], before)
        run = company.approve(run)
    assert (run.status, run.verdict, company.incidents(run)) == ("closed", proposal.verdict, [])
    assert [(effect.action, effect.args, effect.status) for effect in company.effects(run)] == [
        (name, args, "done") for name, args in plan_of(proposal)
    ]
    after = company.snapshot()
    told = {field: value for field, value in changed(before, after).items() if field[2] not in BOOKKEEPING}
    assert told == promised(proposal)
    sent = [deed["body"]["text"] for deed in after["deeds"] if "text" in deed["body"]]
    assert sent == [args["text"] for _, args in plan_of(proposal) if "text" in args], "what was approved is what is sent"


def test_every_mission_has_a_case_for_every_verdict_of_its_pack_that_can_be_loaded(company: Company) -> None:
    for mission in MISSIONS:
        tried = {
            RECORDED[case_id]["expected"]["verdict"]
            for case_id in ONE_OF_EACH.values()
            if RECORDED[case_id]["mission"] == mission
        }
        assert tried == set(company.runtime.context.packs[mission].verdicts), mission


@pytest.mark.parametrize("event", WAITING)
def test_a_rejected_proposal_changes_nothing(company: Company, event: str) -> None:
    run = company.propose(WAITING[event])
    before = company.snapshot()
    run = company.decide(run, "reject", "rita")
    assert (run.status, run.outcome) == ("closed", "rejected")
    assert (company.effects(run), company.snapshot()) == ([], before)


@pytest.mark.parametrize("case_id", RECORDED_IN_AN_OUTAGE)
def test_a_case_that_was_recorded_in_an_outage_comes_out_as_expected_while_the_system_does_not_answer(
    company: Company, case_id: str
) -> None:
    case = RECORDED[case_id]
    down = outages(case)
    answering = {system: collections for system, collections in case["systems"].items() if collections is not None}
    company.load({**case, "systems": answering})
    with company.without_systems(*down):
        run = company.take_in(case)
    assert_as_expected(company, company.proposal(run), case)
    assert any(down[0] in entry.text for entry in company.observations(run) if entry.kind == "missing")


def test_a_payment_of_the_highest_band_takes_two_people_of_finance(company: Company) -> None:
    run = company.propose(TWO_OF_FINANCE)
    before = company.snapshot()
    with pytest.raises(Refused, match="requires the role finance"):
        company.decide(run, "approve", "sam")
    run = company.decide(run, "approve", "fay")
    with pytest.raises(Refused, match="another person"):
        company.decide(run, "approve", "fay")
    assert (run.status, company.snapshot()) == ("waiting", before)
    run = company.decide(run, "approve", "finn")
    assert [deed["collection"] for deed in company.snapshot()["deeds"]] == ["erp.payments"]


@pytest.mark.parametrize(
    "case_id", [case_id for what, case_id in ONE_OF_EACH.items() if what.endswith("-supervisor")]
)  # fmt: skip
def test_a_reviewer_is_not_enough_for_the_plan_of_a_supervisor(company: Company, case_id: str) -> None:
    run = company.propose(case_id)
    before = company.snapshot()
    with pytest.raises(Refused, match="requires the role supervisor"):
        company.decide(run, "approve", "rita")
    assert (company.ledger.run(run.run_id).status, company.snapshot()) == ("waiting", before)


#: what somebody else does while the proposal waits: case -> SQL, and what must not be done any more
MEANWHILE = {
    OUTREACH: ("update sandbox.crm_accounts set do_not_contact = true", SEND_OUTREACH),
    PAYMENT: ("update sandbox.erp_vendors set status = 'blocked'", POST_PAYMENT),
    REFUND: ("update sandbox.payments_payments_charges set refunded_cents = amount_cents, status = 'refunded'", REFUND_CHARGE),
    SWAP: ("update sandbox.oms_orders_lines set picked = true", SWAP_RESERVATION),
}


@pytest.mark.parametrize("case_id", MEANWHILE)
def test_an_approval_after_the_world_changed_does_not_do_what_must_not_be_done_any_more(company: Company, case_id: str) -> None:
    statement, never = MEANWHILE[case_id]
    run = company.propose(case_id)
    assert never in [name for name, _ in plan_of(company.proposal(run))]
    company.sql(statement)
    run = company.approve(run)
    assert never not in [effect.action for effect in company.effects(run)]
    assert never not in [name for name, _ in plan_of(company.proposal(run))]
    assert any(text.startswith("The world has changed") for text in company.told(run))


@pytest.mark.parametrize("case_id", [OUTREACH, REFUND])
def test_the_words_of_a_draft_can_be_edited_and_another_person_approves_what_is_sent(company: Company, case_id: str) -> None:
    run = company.propose(case_id)
    words = "Dear Ms. Ruiz,\n\nwe shall call you tomorrow.\n\nHarbor & Pine"
    run = company.decide(run, "edit", "rita", plan=edited(company.proposal(run), text=words))
    proposal = company.proposal(run)
    assert (run.status, proposal.author) == ("waiting", "rita")
    assert words in [args.get("text") for _, args in plan_of(proposal)]
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")
    run = company.decide(run, "approve", "ron")
    assert run.outcome == "executed"
    assert words in [deed["body"].get("text") for deed in company.snapshot()["deeds"]]


def test_an_edited_amount_whose_letter_still_says_the_old_one_does_not_hold(company: Company) -> None:
    run = company.propose(REFUND)
    plan = edited(company.proposal(run))
    plan[1]["args"]["amount_cents"] = 5_000
    (objection,) = company.runtime.preview(run.run_id, plan).objections
    assert "the letter of step 3 still says $175.00" in objection
    plan[2]["args"]["text"] = plan[2]["args"]["text"].replace("$175.00", "$150.00")
    assert company.runtime.preview(run.run_id, plan).objections == ()


@pytest.mark.parametrize(
    ("case_id", "wrong"),
    [
        (OUTREACH, {"contact_id": "N-of-nobody"}),
        (PAYMENT, {"amount_cents": 1}),
        (PAYMENT, {"invoice_id": "I-another"}),
        (SWAP, {"from_order_id": "O-another"}),
        (REFUND, {"customer_id": "C-another"}),
        (REFUND, {"amount_cents": 900_000_000}),
    ],
)
def test_an_edit_against_a_guard_is_not_proposed(company: Company, case_id: str, wrong: Mapping[str, Any]) -> None:
    run = company.propose(case_id)
    first = company.proposal(run)
    run = company.decide(run, "edit", "rita", plan=edited(first, **wrong))
    assert any(text.startswith("The plan does not pass") for text in company.told(run))
    assert plan_of(company.proposal(run)) == plan_of(first)
    assert company.proposal(run).author == "planner"
