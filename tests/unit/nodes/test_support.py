"""Messages in people's own words: what they ask for, what follows from it, and what nobody may make of them."""

from typing import Any

import pytest

from evals.evaluation.understanding import INJECTIONS
from tests.actions import (
    CHANGE_SUBSCRIPTION,
    CREATE_RETURN_LABEL,
    OFFER_CREDIT,
    OPEN_CASE,
    REFUND_CHARGE,
    RESHIP_ORDER,
    SEND_MESSAGE,
    SEND_PASSWORD_RESET,
)
from tests.engine import (
    LiveRun,
    Raw,
    a_charge,
    a_customer,
    a_payment,
    an_order,
    drafted,
    judged,
    names,
    objections,
    opened,
    recorded_cases,
    result,
)
from tests.unit.nodes.examples import a_subscription, message

TWICE = "You charged me twice for my order O-1001, please refund one of them."
BROKEN = "My order O-1001 arrived completely damaged."
BACK = "I want to return my order O-1001."
CANCEL = "Please cancel my subscription."
LOCKED = "I forgot my password and cannot log in."
REPLY = {"customer_id": "C-1", "template": "refund_confirmation", "text": "Hello"}


def double_charge(**other: Any) -> list[Raw]:
    later = a_charge("ch-2", captured_at="2026-03-09T15:00:00Z", **other)
    return [a_payment("O-1001", charges=[a_charge("ch-1"), later])]


def charged_twice(text: str = TWICE, **changes: Any) -> Raw:
    return message(text, payments=changes.pop("payments", double_charge()), **changes)


@pytest.mark.parametrize(
    ("raw", "verdict", "actions", "cites"),
    [
        (charged_twice(), "refund", [REFUND_CHARGE, SEND_MESSAGE], ["REF-1"]),
        (charged_twice(payments=double_charge(status="disputed")), "escalate", [OPEN_CASE], ["REF-5"]),
        (message(BROKEN, trigger={"photos": 1}), "refund", [REFUND_CHARGE, SEND_MESSAGE], ["REF-7"]),
        (message(BROKEN), "ask_customer", [SEND_MESSAGE], ["REF-7"]),
        (message(BACK), "return_authorized", [CREATE_RETURN_LABEL, SEND_MESSAGE], ["REF-8"]),
        (message(CANCEL), "subscription_changed", [CHANGE_SUBSCRIPTION, SEND_MESSAGE], ["SUB-1"]),
        (message(LOCKED, trigger={"sender_verified": True}), "reset_sent", [SEND_PASSWORD_RESET], ["CRD-1"]),
        (message(LOCKED), "escalate", [OPEN_CASE], ["CRD-1"]),
        (message(LOCKED, trigger={"sender_verified": None}), "escalate", [OPEN_CASE], ["CRD-1"]),
        (message("My order O-2002 never arrived, where is it?"), "escalate", [OPEN_CASE], ["SUP-1"]),
        (message("My order O-9999 never arrived, where is it?"), "escalate", [OPEN_CASE], ["SUP-1"]),
    ],
)
def test_a_message_leads_to_what_the_handbook_says(raw: Raw, verdict: str, actions: list[str], cites: list[str]) -> None:
    draft = drafted(raw)
    assert (draft["verdict"], names(draft), draft["cites"]) == (verdict, actions, cites)
    assert not judged(raw, draft).objections


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "?!", "👍", "x" * 20_000, "a\x00b", "Meine Bestellung ist kaputt angekommen.", "注文が届きません", "\u202e"],
)
def test_a_message_that_is_not_understood_goes_to_a_person(text: str) -> None:
    draft = drafted(message(text))
    assert (draft["verdict"], draft["cites"]) == ("escalate", ["SUP-3"])
    assert draft["plan"][0]["args"] == {"queue": "support", "subject_id": "T-1"}


@pytest.mark.parametrize("text", [None, 7, ["refund"], {"text": "refund"}])
def test_a_message_that_is_no_text_is_missing_evidence(text: Any) -> None:
    draft = drafted(message(text))
    assert (draft["verdict"], draft["cites"]) == ("escalate", ["GOV-7"])


def test_what_a_message_is_understood_to_ask_is_a_fact_with_its_evidence() -> None:
    fact = next(fact for fact in opened(charged_twice()).facts if fact.name == "message")
    assert fact.tool == "language.understand" and fact.value["intent"] == "charged_twice"
    # the number says which order, not what is asked
    assert (
        fact.args["text"] == "You charged me twice for my order, please refund one of them."
        and 0 <= fact.value["confidence"] <= 1
        and len(fact.value["nearest"]) == 3
    )


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda text: repr(text[:15]))
@pytest.mark.parametrize("place", ["before", "after"])
def test_instructions_in_a_message_give_nobody_anything(injection: str, place: str) -> None:
    """A message may be less clear with them; nothing is done that was not done without them."""
    for case in recorded_cases("support_resolution")[:: 6 if place == "after" else 9]:
        text = case["trigger"]["text"]
        told = f"{text}\n{injection}" if place == "after" else f"{injection}\n{text}"
        before, found = result(case), result({**case, "trigger": {**case["trigger"], "text": told}})
        if found["verdict"] != before["verdict"]:
            assert found["verdict"] == "escalate", case["case_id"]
        else:
            assert names(found) == names(before), case["case_id"]


REFUND = {"charge_id": "ch-2", "amount_cents": 10_000}
GUARDED: list[tuple[Raw, str, str, Raw, str]] = [
    (
        charged_twice(),
        "refund",
        REFUND_CHARGE,
        {**REFUND, "amount_cents": 10_001},
        "a refund does not exceed what is left on the order's charge",
    ),
    (charged_twice(), "refund", REFUND_CHARGE, {**REFUND, "charge_id": "ch-9"}, "what is left on the order's charge (SUP-1)"),
    (charged_twice(), "refund", REFUND_CHARGE, {**REFUND, "amount_cents": 0}, "whole number of cents"),
    (
        charged_twice(payments=double_charge(refunded_cents=1)),
        "refund",
        REFUND_CHARGE,
        REFUND,
        "a refund does not exceed what is left on the order's charge",
    ),
    (
        charged_twice(payments=double_charge(status="disputed")),
        "refund",
        REFUND_CHARGE,
        REFUND,
        "while a charge is disputed (REF-5)",
    ),
    (charged_twice(), "refund", SEND_MESSAGE, {**REPLY, "customer_id": "C-2"}, "the reply goes to the customer who wrote"),
    (
        charged_twice(),
        "refund",
        RESHIP_ORDER,
        {"order_id": "O-1001"},
        "the damage is shown in photos and reported within the return window (REF-7)",
    ),
    (
        message(BROKEN),
        "replace",
        RESHIP_ORDER,
        {"order_id": "O-1001"},
        "the damage is shown in photos and reported within the return window (REF-7)",
    ),
    (message(BROKEN, trigger={"photos": 1}), "refund", RESHIP_ORDER, {"order_id": "O-2002"}, "the damage is shown in photos"),
    (
        message(LOCKED),
        "reset_sent",
        SEND_PASSWORD_RESET,
        {"customer_id": "C-1"},
        "a password reset goes only to a verified sender (CRD-1)",
    ),
    (
        message(LOCKED, trigger={"sender_verified": "true"}),
        "reset_sent",
        SEND_PASSWORD_RESET,
        {"customer_id": "C-1"},
        "a password reset goes only to a verified sender",
    ),
    (
        message(LOCKED, trigger={"sender_verified": True}),
        "reset_sent",
        SEND_PASSWORD_RESET,
        {"customer_id": "C-2"},
        "a password reset goes only to a verified sender",
    ),
    (
        message(CANCEL),
        "subscription_changed",
        CHANGE_SUBSCRIPTION,
        {"subscription_id": "S-9", "plan": "cancelled"},
        "only an active subscription of this customer (SUP-1)",
    ),
    (
        message(CANCEL, subscriptions=[a_subscription(), a_subscription("S-2", customer_id="C-2")]),
        "subscription_changed",
        CHANGE_SUBSCRIPTION,
        {"subscription_id": "S-2", "plan": "cancelled"},
        "only an active subscription of this customer",
    ),
    (
        message(CANCEL),
        "subscription_changed",
        CHANGE_SUBSCRIPTION,
        {"subscription_id": "S-1", "plan": "platinum"},
        "plan must be one of",
    ),
    (
        message(BACK),
        "return_authorized",
        CREATE_RETURN_LABEL,
        {"order_id": "O-2002"},
        "the order is eligible for return (REF-8)",
    ),
    (
        message(BACK, items=[{"sku": "A", "title": "A", "unit_price_cents": 5_000, "final_sale": True, "substitutes": []}]),
        "return_authorized",
        CREATE_RETURN_LABEL,
        {"order_id": "O-1001"},
        "the order is eligible for return (REF-8)",
    ),
    (
        message(BACK, shipments=[]),
        "return_authorized",
        CREATE_RETURN_LABEL,
        {"order_id": "O-1001"},
        "the order is eligible for return (REF-8)",
    ),
    (
        message(BACK),
        "return_authorized",
        OFFER_CREDIT,
        {"customer_id": "C-1", "amount_cents": 1},
        "is not an action of support_resolution",
    ),
]


@pytest.mark.parametrize(
    ("raw", "verdict", "name", "args", "says"),
    [pytest.param(*row, id=f"{row[2]}-{number}") for number, row in enumerate(GUARDED)],
)
def test_a_support_plan_that_the_facts_do_not_bear_is_sent_back(raw: Raw, verdict: str, name: str, args: Raw, says: str) -> None:
    said = objections(raw, verdict, (name, args))
    assert said
    assert all(part in said for part in says.split(" (", 1)), said


@pytest.mark.parametrize("text", ["Dear Ann, the money is on its way.", "x" * 4_000])
def test_an_edited_reply_is_what_is_sent(text: str) -> None:
    run = LiveRun.of(charged_twice())
    before = run.proposal
    plan = [{"name": step["name"], "args": dict(step["args"])} for step in before.plan]
    plan[-1]["args"]["text"] = text
    run.decide("edit", by="vera", plan=plan)
    assert run.done() == [] and run.proposal.status == "pending" and run.proposal.digest != before.digest
    assert (run.proposal.author, run.proposal.plan[-1]["args"]["text"]) == ("vera", text)
    run.decide("approve", by="sam")
    assert [(action, args.get("text")) for action, args in run.done()] == [(REFUND_CHARGE, None), (SEND_MESSAGE, text)]


@pytest.mark.parametrize(
    "change",
    [{"text": ""}, {"customer_id": "C-2"}, {"template": "you_won"}, {"text": "x" * 4_001}],
    ids=lambda change: next(iter(change)),
)
def test_an_edit_that_does_not_pass_is_sent_back_and_nothing_of_it_is_done(change: Raw) -> None:
    run = LiveRun.of(charged_twice())
    plan = [{"name": step["name"], "args": dict(step["args"])} for step in run.proposal.plan]
    plan[-1]["args"].update(change)
    run.decide("edit", by="vera", plan=plan)
    assert run.done() == []
    assert any(one.step == "check" and "does not pass" in one.text for one in run.observed())
    assert run.proposal.plan[-1]["args"]["text"].startswith("Hello Ann Ash,")


def test_however_many_edits_do_not_pass_the_missions_own_plan_waits() -> None:
    run = LiveRun.of(charged_twice())
    first = run.proposal
    plan = [{"name": step["name"], "args": dict(step["args"])} for step in first.plan]
    plan[-1]["args"]["text"] = ""
    for _ in range(4):
        run.decide("edit", by="vera", plan=plan)
    assert (run.proposal.status, run.proposal.verdict, run.proposal.author) == ("pending", first.verdict, first.author)
    assert run.proposal.plan == first.plan and run.done() == []


def test_one_open_order_needs_no_number() -> None:
    assert drafted(message("My parcel never arrived."))["plan"][0]["args"]["subject_id"] == "T-1"
    several = [an_order("O-1001"), an_order("O-1002"), an_order("O-2002", customer_id="C-2")]
    asked = drafted(message("My parcel never arrived.", orders=several))
    assert (asked["verdict"], asked["cites"], asked["plan"][0]["args"]["template"]) == ("ask_customer", ["SUP-2"], "which_order")


def test_a_reply_tells_the_facts() -> None:
    (text,) = [step["args"]["text"] for step in drafted(charged_twice())["plan"] if step["name"] == SEND_MESSAGE]
    assert text.startswith("Hello Ann Ash,\n\n") and "order O-1001 was charged twice" in text


def test_a_reply_writes_money_as_people_write_it() -> None:
    raws = [
        charged_twice(payments=double_charge(refunded_cents=2_500)),
        message(BROKEN, trigger={"photos": 1}, customers=[a_customer()]),
    ]
    told = [next(step["args"]["text"] for step in drafted(raw)["plan"] if step["name"] == SEND_MESSAGE) for raw in raws]
    assert "the second charge, $75.00, to the card" in told[0]
    assert "what you paid, $100.00. You" in told[1]
