"""Reasoners with a model: what they take from it, and what happens where it gives nothing or something else."""

from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

from errors import NoAnswer
from evals.recorded.cases import recorded
from evals.walk import Walk
from graphs.pack_files import load_pack_file
from graphs.runtime import thread
from ledger.model_calls import ModelCall
from ledger.records import Proposal
from models.calls import Limits, Question
from nodes.pack import ExtraRead
from nodes.propose import propose
from nodes.state import unfinished
from settings import CHECKOUT
from tests.actions import CANCEL_ORDER, CONFIRM_RESERVATION, OPEN_CASE, RELEASE_PAYMENT_HOLD, RELEASE_TO_FULFILMENT
from tests.engine import an_address, an_exception, an_order, laboratory
from tests.minds import Answer, blocks, choosing, hybrid, llm, walk, worded

LARGEST_STATE = 20_000
SHIPMENTS = {
    "shipments": ExtraRead.model_validate(
        {"tool": "logistics.list_shipments", "with": {"order_ids": ["O-1"]}, "sees": ["order_id", "status"]}
    )
}
#: an order whose address nobody can correct: a customer is written to
DOUBTFUL = {"address_checks": [{"order_id": "O-1", "result": "undeliverable", "confidence": None, "suggested": None}]}


def proposed(run: Walk) -> Proposal:
    proposal = run.drive().ledger.proposal("c-1")
    assert proposal is not None, run
    return proposal


def plain(proposal: Proposal) -> list[tuple[str, dict[str, Any]]]:
    return [(step["name"], dict(step["args"])) for step in proposal.plan]


def by_planner(raw: dict[str, Any]) -> Proposal:
    return proposed(walk(raw))


def said(run: Walk, kind: str = "plan") -> list[str]:
    return [one.text for one in run.rail if one.step == "propose" and one.kind == kind]


def planning(question: Question, **other: Any) -> Answer:
    """The plan that lets an order go."""
    order = {"order_id": "O-1"}
    names = (RELEASE_PAYMENT_HOLD, CONFIRM_RESERVATION, RELEASE_TO_FULFILMENT)
    return worded(question, **{"verdict": "fulfil", "actions": [{"action": name, "args": order} for name in names], **other})


def test_a_plan_that_a_model_chose_is_the_planners_with_the_models_reasons() -> None:
    reasoner, model = hybrid(lambda question: choosing(question, summary="Nothing stops order O-1 of $100.00."))
    run = walk(an_exception(), reasoner)
    proposal, planners = proposed(run), by_planner(an_exception())
    assert (proposal.author, planners.author) == ("hybrid", "planner")
    assert (plain(proposal), proposal.verdict, proposal.cites, proposal.approval) == (
        plain(planners), planners.verdict, planners.cites, planners.approval,
    )  # fmt: skip
    assert "Written by a model (scripted): It follows from the findings. [" in proposal.rationale
    assert "Summary, written by a model: Nothing stops order O-1 of $100.00." in said(run)
    assert proposal.confidence == 0.8
    assert len(model.asked) == 1 and len(run.ledger.model_calls("c-1")) == 1


def test_a_plan_that_a_model_made_is_taken_where_it_follows() -> None:
    proposal = proposed(walk(an_exception(), llm(planning)[0]))
    assert proposal.author == "llm" and plain(proposal) == plain(by_planner(an_exception()))


def test_what_does_not_follow_is_sent_back_with_why() -> None:
    answers = iter([{"verdict": "cancel", "actions": []}, {}])
    reasoner, model = llm(lambda question: planning(question, **next(answers)))
    run = walk(an_exception(), reasoner)
    assert proposed(run).author == "llm"
    seen = blocks(model.asked[1])
    assert seen["refused answer"]["verdict"] == "cancel"
    assert "the verdict that follows is fulfil" in seen["objections"]


def test_after_three_drafts_of_a_model_the_planners_plan_stands() -> None:
    reasoner, model = llm(lambda question: planning(question, verdict="cancel", actions=[]))
    run = walk(an_exception(), reasoner)
    proposal = proposed(run)
    assert proposal.author == "planner" and plain(proposal) == plain(by_planner(an_exception()))
    assert "No plan of llm passed the check (3 tried, see above); the planner's plan is used" in said(run, "missing")
    assert len(model.asked) == 2  # the third question would have been the second


@pytest.mark.parametrize(
    ("reason", "objection"),
    [
        ({"observations": [1]}, "which is not evidence"),
        ({"says": "The order is worth $9,999.00."}, "quotes usd 9999"),
        ({"says": "Pay at evil.example/now first."}, "quotes evil.example/now"),
        ({"says": "x" * 301}, "at most 300 characters"),
    ],
)
def test_a_reason_rests_on_what_was_shown_and_quotes_nothing_else(reason: dict[str, Any], objection: str) -> None:
    def answer(question: Question) -> Answer:
        right = choosing(question)
        if "observations" in reason:  # which the schema would refuse
            question.schema["properties"]["reasons"]["items"]["properties"]["observations"]["items"].pop("enum")
        return {**right, "reasons": [{**right["reasons"][0], **reason}]}

    run = walk(an_exception(), hybrid(answer)[0])
    assert proposed(run).author == "planner"
    assert sum(objection in one.text for one in run.rail if one.kind == "check") == 3


def test_who_hands_a_case_over_without_need_leaves_it_to_a_person() -> None:
    proposal = proposed(walk(an_exception(), hybrid(lambda one: choosing(one, choice="hand_over", queue="fraud"))[0]))
    assert proposal.verdict == "escalate" and plain(proposal) == [(OPEN_CASE, {"queue": "fraud", "subject_id": "O-1"})]
    assert (proposal.author, proposal.status) == ("hybrid", "pending")


@pytest.mark.parametrize("kind", ["outage", "limit", "budget", "blocked"])
def test_without_an_answer_the_planners_plan_stands_and_the_rail_says_why(kind: Any) -> None:
    reasoner, model = hybrid(lambda question: NoAnswer("The model was not there.", kind))
    run = walk(an_exception(), reasoner)
    assert proposed(run).author == "planner"
    assert said(run, "missing") == ["hybrid gave no answer: The model was not there. The planner's plan is used."]
    (call,) = run.ledger.model_calls("c-1")
    assert len(model.asked) == 1 and (call.status, call.error) == ("failed", "The model was not there.")


def test_an_answer_without_form_is_asked_for_once_more() -> None:
    answers = chain([{"nonsense": 1}], repeat(None))
    reasoner, model = hybrid(lambda question: next(answers) or choosing(question))
    assert proposed(walk(an_exception(), reasoner)).author == "hybrid"
    assert "was not one JSON object" in model.asked[1].user
    reasoner, model = hybrid(lambda question: {"nonsense": 1})
    assert proposed(walk(an_exception(), reasoner)).author == "planner"
    assert len(model.asked) == 2


def test_where_a_pack_shows_a_model_nothing_none_is_asked() -> None:
    reasoner, model = hybrid(choosing)
    run = walk(an_exception(), reasoner, model=None)
    assert proposed(run).author == "planner" and not model.asked
    assert said(run, "missing") == ["order_exception lets no model see its cases; the planner's plan is used"]


def test_a_run_and_a_process_have_budgets() -> None:
    reasoner, model = hybrid(choosing, Limits(run_tokens=1_000))
    assert proposed(walk(an_exception(), reasoner)).author == "planner" and not model.asked
    reasoner, model = hybrid(choosing, Limits(day_tokens=8_000))
    authors = [proposed(walk(an_exception(), reasoner)).author for _ in range(4)]  # each with a ledger of its own
    assert authors[0] == "hybrid" and authors[-1] == "planner" and len(model.asked) < 4


def test_where_none_of_the_plans_is_right_a_model_may_make_one_which_the_check_judges() -> None:
    def answer(question: Question, **other: Any) -> Answer:
        return choosing(question, choice="own_plan") if question.purpose == "choice" else planning(question, **other)

    reasoner, model = hybrid(answer)
    proposal = proposed(walk(an_exception(), reasoner))
    assert (proposal.author, plain(proposal)) == ("hybrid", plain(by_planner(an_exception())))
    assert [one.purpose for one in model.asked] == ["choice", "plan"]

    cancels = {"action": CANCEL_ORDER, "args": {"order_id": "O-1", "reason": "duplicate"}}
    reasoner, model = hybrid(lambda question: answer(question, actions=[cancels]))
    run = walk(an_exception(), reasoner)
    assert proposed(run).author == "planner" and plain(proposed(run)) == plain(by_planner(an_exception()))
    assert len(said(run, "missing")) == 1 and len(model.asked) == 4  # the third time the questions are those of the second


def test_more_is_read_once_and_can_be_cited() -> None:
    def answer(question: Question) -> Answer:
        seen = blocks(question)
        if "reads" in seen:
            return choosing(question, read="shipments")
        assert seen["facts"]["shipments"] == [{"order_id": "O-1", "status": "in_transit"}]
        return choosing(question)  # the last evidence is what was read

    shipment = {"shipment_id": "s-1", "order_id": "O-1", "status": "in_transit", "carrier": "secret"}
    raw = an_exception(logistics={"address_checks": [], "shipments": [shipment]})
    reasoner, model = hybrid(answer)
    run = walk(raw, reasoner, may_read=SHIPMENTS)
    assert proposed(run).author == "hybrid" and len(model.asked) == 2
    (read,) = [one for one in run.rail if "read" in one.evidence]
    assert read.text == "A model asked for shipments, logistics.list_shipments: read"
    assert f"[{read.seq};" in proposed(run).rationale
    assert "secret" not in model.asked[1].user


def test_a_run_that_comes_back_to_a_question_takes_the_answer_that_is_there() -> None:
    reasoner, model = hybrid(choosing)
    run = walk(an_exception(), reasoner)
    while run.step().node != "assess":
        pass
    state = run._runtime.graph.get_state(thread(run._run_id)).values
    again = _Again(run)
    before = len(run.rail)
    first, rail = propose(state, again), len(run.rail)  # type: ignore[arg-type]
    again.context.echo += unfinished(run.rail)[before:]
    assert propose(state, again) == first and len(run.rail) == rail  # type: ignore[arg-type]
    assert len(model.asked) == 1


def test_a_run_that_dies_while_it_asks_asks_four_times_at_most() -> None:
    reasoner, model = hybrid(choosing)
    run = walk(an_exception(), reasoner)
    for number in range(4):
        call = ModelCall(
            call_id=f"lost-{number}", run_id="c-1", look=1, purpose="choice", model="scripted", prompt="", question="",
            status="sent", at=run._now(),
        )  # fmt: skip
        run.ledger.begin_model_call(call, run_tokens=10**9, day_tokens=10**9, day_cents=0)
    assert proposed(run).author == "planner" and not model.asked


def test_a_letter_of_a_model_is_filled_marked_and_waits() -> None:
    def answer(question: Question) -> Answer:
        (step,) = [one for one in blocks(question)["plans"][0]["steps"] if "letter" in one]
        text = blocks(question)["letters"][step["letter"]]
        return choosing(question, letters=[{"step": step["step"], "text": f"Good day! {text}"}])

    planners, run = by_planner(an_exception(**DOUBTFUL)), walk(an_exception(**DOUBTFUL), hybrid(answer)[0])
    proposal = proposed(run)
    (own,), (letter,) = ([step for step in one.plan if "text" in step["args"]] for one in (planners, proposal))
    assert letter["args"]["text"] == f"Good day! {own['args']['text']}" and "Ann Ash" in own["args"]["text"]
    assert letter["written_by"] == "scripted" and proposal.status == "pending"


def test_what_was_masked_comes_back_in_a_letter_where_the_packs_own_words_have_it_and_nowhere_else(tmp_path: Path) -> None:
    lab, file = laboratory(), tmp_path / "order_exception.yaml"
    written = (CHECKOUT / "graphs" / "packs" / file.name).read_text()
    file.write_text(written.replace("    Harbor & Pine\n", "    Harbor & Pine, help@harbor.example\n"))
    pack = load_pack_file(file, lab.catalogue, lab.policies)
    raw = an_exception(**{**DOUBTFUL, "orders": [an_order(note="Write to ann@private.example.")]})

    def run(more: str) -> Walk:
        def answer(question: Question) -> Answer:
            assert "help@" not in question.user and "ann@" not in question.user
            (step,) = [one for one in blocks(question)["plans"][0]["steps"] if "letter" in one]
            text = blocks(question)["letters"][step["letter"]].rstrip()
            return choosing(question, letters=[{"step": step["step"], "text": f"{text}{more}"}])

        own = replace(lab, packs={**lab.packs, pack.mission: pack})
        return Walk(own, recorded(raw, own.packs, "test"), reasoner=hybrid(answer)[0])

    (sent,) = [step for step in proposed(run("\nBye!")).plan if "text" in step["args"]]
    assert sent["args"]["text"].endswith("help@harbor.example\nBye!") and sent["written_by"] == "scripted"
    for mark in ("[address 1]", "[address 2]", "[address 3]"):
        (step,) = [step for step in proposed(run(f" Or {mark}.")).plan if "text" in step["args"]]
        assert "ann@private.example" not in step["args"]["text"]


@pytest.mark.parametrize(
    "hostile", ["Pay at evil.example.", "Hello {customer.name}, you get $500.00.", "Hello {customer.card}!", "", "[phone 1]"]
)
def test_a_letter_that_says_something_else_is_not_sent(hostile: str) -> None:
    run = walk(an_exception(**DOUBTFUL), hybrid(lambda one: choosing(one, letters=[{"step": 2, "text": hostile}]))[0])
    proposal = proposed(run)
    assert proposal.author == "hybrid" and plain(proposal) == plain(by_planner(an_exception(**DOUBTFUL)))
    assert any("is not used; the pack's letter is" in text for text in said(run, "missing"))


def test_a_summary_with_made_up_figures_is_left_out() -> None:
    run = walk(an_exception(), hybrid(lambda one: choosing(one, summary="The order is worth $77.77."))[0])
    assert proposed(run).author == "hybrid"
    assert not any("Summary" in text for text in said(run))
    assert "The model's summary is not used: it quotes usd 77.77, which is in none of the facts" in said(run, "missing")


def test_the_state_stays_small_and_has_no_letters_or_addresses() -> None:
    def answer(question: Question) -> Answer:
        right, alternative = choosing(question), {"option": "x" * 9_000, "for": "", "lost_because": "y" * 9_000}
        finding = blocks(question)["findings"][0]["id"]
        reasons = [{**right["reasons"][0], "says": "z" * 9_000}] * 8
        return {**right, "reasons": reasons, "alternatives": [{**alternative, "for": finding}] * 6, "summary": "w" * 9_000}

    raw = an_exception(
        orders=[an_order(ship_to=an_address(name="Zed Zander", line1="9 Secret Road"))],
        address_checks=[
            {
                "order_id": "O-1",
                "result": "corrected",
                "confidence": 0.99,
                "suggested": an_address(name="Zed Zander", line1="9 Secret Rd"),
            }
        ],
    )
    run = walk(raw, hybrid(answer)[0])
    proposal = proposed(run)
    history = list(run._runtime.graph.get_state_history(thread(run._run_id)))
    assert len(history) > 8 and max(len(ormsgpack.packb(one.values)) for one in history) < LARGEST_STATE
    assert proposal.author == "planner" and proposal.plan[0]["args"].get("ship_to", {}).get("line1") == "9 Secret Rd"
    assert not any(secret in str(one.values) for one in history for secret in ("Zed Zander", "9 Secret"))


class _Again:
    """A node's runtime, without a graph."""

    def __init__(self, run: Walk) -> None:
        self.context = run._context

    def stream_writer(self, said: Any) -> None:
        """Nobody watches."""
