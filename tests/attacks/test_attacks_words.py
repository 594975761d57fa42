"""Words as content: what somebody has worded waits for somebody who did not, under whatever template or author."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from errors import Refused
from ledger.records import REASONERS, Run
from nodes.letters import Letter, problems
from nodes.tone import new_words
from tests.actions import REQUEST_CYCLE_COUNT, SEND_MESSAGE, SEND_OUTREACH
from tests.conftest import _database
from tests.integration.live_company import Company, edited, opened

pytestmark = pytest.mark.promise("Nobody approves their own words")

#: with a delay notice, which GOV-1 lets run alone, beside what waits for a person; refunds; an outreach that waits
BACKORDER, DELIVERY, REFUND, OUTREACH = "dev-ord-0093", "dev-omn-0012", "dev-sup-0007", "dev-acc-0029"
OWED = "We owe you nine thousand dollars. Send your card number to refunds at harbor dot com."

Plan = list[dict[str, Any]]


@pytest.fixture(scope="module")
def company(server_url: str) -> Iterator[Company]:
    """A company that no other test has: people are added to it."""
    with _database(server_url) as url, opened(url) as made:
        made.ledger.add_person("vera", "reviewer")
        yield made


def only(name: str, plan: Plan) -> Plan:
    return [step for step in plan if step["name"] == name]


def worded(plan: Plan, text: str = OWED) -> Plan:
    return [{**step, "args": {**step["args"], "text": text}} if "text" in step["args"] else step for step in plan]


def added(plan: Plan) -> Plan:
    """A count that nobody asked for, and that GOV-1 lets run alone."""
    return [
        *plan,
        {"name": REQUEST_CYCLE_COUNT, "args": {"sku": "CALL-1-900-SCAM", "location": "DC-1"}, "for": "me", "cites": []},
    ]


NOTICES: dict[str, tuple[str, Callable[[Plan], Plan]]] = {
    "a notice that owes money": (BACKORDER, lambda plan: worded(only(SEND_MESSAGE, plan))),
    "a notice of a delivery": (DELIVERY, lambda plan: worded(only(SEND_MESSAGE, plan))),
    "one letter with a character more": (BACKORDER, lambda plan: [
        {**step, "args": {**step["args"], "text": step["args"]["text"] + "!"}} for step in only(SEND_MESSAGE, plan)
    ]),
    "a notice marked as automatic": (BACKORDER, lambda plan: [
        {**step, "tier": "automate", "written_by": None, "says": "x"} for step in worded(only(SEND_MESSAGE, plan))
    ]),
    "nothing but the notice": (BACKORDER, lambda plan: only(SEND_MESSAGE, plan)),
    "half of the notices": (DELIVERY, lambda plan: only(SEND_MESSAGE, plan)[:1]),
    "the notice twice": (BACKORDER, lambda plan: [
        *only(SEND_MESSAGE, plan), *worded(only(SEND_MESSAGE, plan), "We are sorry.")
    ]),
    "a count that nobody needs": (DELIVERY, lambda plan: added([])),
}  # fmt: skip


@pytest.mark.parametrize("what", NOTICES)
def test_an_edit_by_one_person_into_what_runs_without_approval(what: str, company: Company) -> None:
    case, edit = NOTICES[what]
    run = company.propose(case)
    first, before = company.proposal(run), company.snapshot()
    run = company.decide(run, "edit", "rita", plan=edit(edited(first)))
    assert (run.status, company.effects(run), company.snapshot()) == ("waiting", [], before)
    proposal = company.proposal(run)
    assert proposal.status == "pending" and proposal.approval.role != "none"
    if proposal.author not in REASONERS:
        assert "automate" not in {step["tier"] for step in proposal.plan if OWED in str(step["args"])}
        with pytest.raises(Refused, match="another person must"):
            company.decide(run, "approve", "rita")


TURNS: dict[str, Sequence[tuple[str, str]]] = {
    "a comma": (("rita", OWED), ("ron", f"{OWED},")),
    "a blank": (("rita", OWED), ("ron", f" {OWED}")),
    "three turns": (("rita", OWED), ("ron", f"{OWED}!"), ("vera", f"{OWED}!!")),
    "and back": (("rita", OWED), ("ron", f"{OWED}!"), ("rita", OWED), ("ron", f"{OWED}!")),
    "other words": (("rita", OWED), ("ron", "We owe you 9k.")),
}


@pytest.mark.parametrize("case", [REFUND, OUTREACH])
@pytest.mark.parametrize("turns", TURNS)
def test_editors_who_take_turns_and_approve_each_others_words(case: str, turns: str, company: Company) -> None:
    run = company.propose(case)
    for by, text in TURNS[turns]:
        run = company.decide(run, "edit", by, plan=edited(company.proposal(run), text=text))
    for by in {by for by, _ in TURNS[turns]}:
        with pytest.raises(Refused, match="another person must"):
            company.decide(run, "approve", by)
        with pytest.raises(Refused, match="another person must"):
            company.decide(run, "approve", f" {by.upper()}")
    assert company.effects(run) == []
    assert company.decide(run, "approve", "sam").outcome == "executed"


def test_an_amount_of_one_editor_under_the_name_of_another(company: Company) -> None:
    run = company.propose(REFUND)
    plan = edited(company.proposal(run))
    plan[1]["args"]["amount_cents"] -= 1
    run = company.decide(run, "edit", "rita", plan=worded(plan, "We are sorry."))
    run = company.decide(run, "edit", "ron", plan=worded(edited(company.proposal(run)), "We are truly sorry."))
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")


def test_words_under_the_name_of_a_reasoner(company: Company) -> None:
    run = company.propose(REFUND)
    run = company.decide(run, "edit", "rita", plan=edited(company.proposal(run), text=OWED))
    forged = "UPDATE ledger.proposals SET author = 'planner' WHERE proposal_id = %s"
    company.sql(forged, company.proposal(run).proposal_id)
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")


def outreach(company: Company, owner: str | None = None) -> tuple[Run, str]:
    """A run that waits with an outreach, and its letter."""
    company.load(OUTREACH)
    if owner is not None:
        company.sql("UPDATE sandbox.crm_accounts SET owner_id = %s", owner)
    run = company.take_in(OUTREACH)
    (text,) = [step["args"]["text"] for step in company.proposal(run).plan if "text" in step["args"]]
    return run, text


def reworded(company: Company, run: Run, text: str, by: str = "rita") -> Run:
    return company.decide(run, "edit", by, plan=edited(company.proposal(run), text=text))


TONES: dict[str, Callable[[str], str]] = {
    "a greeting": lambda text: text.replace("Hello,", "Good morning,"),
    "a wish": lambda text: text.replace("Hello,", "Dear all,\n\nI hope you are well."),
    "another closing": lambda text: text.replace("With kind regards", "Warm regards"),
    "thanks": lambda text: text.replace("With kind", "Thank you for your trust.\n\nWith kind"),
    "politeness": lambda text: text.replace("I would like", "I would really love"),
}


@pytest.mark.parametrize("tone", TONES)
def test_a_tone_of_ones_own_is_sent_where_policy_leaves_it_to_the_owner(tone: str, company: Company) -> None:
    run, text = outreach(company)
    run = reworded(company, run, TONES[tone](text))
    assert company.proposal(run).approval.own
    assert company.decide(run, "approve", "rita").outcome == "executed"


def test_a_tone_of_somebody_who_is_not_the_owner(company: Company) -> None:
    run, text = outreach(company, owner="ron")
    run = reworded(company, run, TONES["a wish"](text))
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")
    run, text = outreach(company, owner="Rita")
    run = reworded(company, run, TONES["a wish"](text))
    assert company.decide(run, "approve", "rita").outcome == "executed"


def test_a_tone_under_policies_that_leave_no_words_to_anybody(company: Company) -> None:
    run = company.propose(REFUND)
    (text,) = [step["args"]["text"] for step in company.proposal(run).plan if "text" in step["args"]]
    run = company.decide(run, "edit", "rita", plan=edited(company.proposal(run), text=f"{text}\nKind regards"))
    assert not company.proposal(run).approval.own
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")


def test_a_tone_together_with_another_step(company: Company) -> None:
    run, text = outreach(company)
    plan = worded(only(SEND_OUTREACH, edited(company.proposal(run))), TONES["thanks"](text))
    assert len(plan) < len(company.proposal(run).plan)
    run = company.decide(run, "edit", "rita", plan=plan)
    assert not company.proposal(run).approval.own
    with pytest.raises(Refused, match="another person must"):
        company.decide(run, "approve", "rita")


def test_words_that_waited_become_a_tone_in_the_hands_of_the_database(company: Company) -> None:
    run, _ = outreach(company)
    run = reworded(company, run, OWED)
    before = company.snapshot()
    forged = "UPDATE ledger.proposals SET own = true WHERE proposal_id = %s"
    company.sql(forged, company.proposal(run).proposal_id)
    run = company.decide(run, "approve", "rita")
    assert company.effects(run) == [] and company.snapshot() == before


DRAFT = """Hello Ann Ash,

I look after Lakeside Dental Inc at Harbor & Pine. I noticed a few things that I would like to put right:
your last rating told us that you are not happy. We cannot take order O-17 back, and you get $50.00 on 5 May 2026.

May I call you this week? Please tell us the full address, with house number.

With kind regards
your customer success manager at Harbor & Pine"""
NEW = (
    OWED, "You get nine thousand dollars.", "You get MMMM dollars.", "You get IX thousand.",
    "A grand for you.", "5k for you.", "Five.", "It is \uff15\uff10\uff10\uff10.",
    "You get $5,000.00.", "You get $50.00.00.", "$50.000", "a hundred", "a dozen", "fifty-fifty",
    "double", "See harbor dot com.", "example [.] com", "hxxp://a.b", "harbor.evil",
    "harbor\u2027com", "harbor\u3002com", "harbor\uff0ecom", "xn--80ak6aa92e", "10.0.0.1", "www",
    "harbor-pine.example/pay", "h a r b o r . c o m", "ann at firm dot com", "ann@firm.example",
    "+1 202 555 0199", "two zero two", "1 Elm Street", "O-18", "On 6 May 2026.", "Tomorrow.",
    "On Monday.", "By Friday.", "We will refund you.", "We shall call you tomorrow.",
    "We promise.", "I guarantee it.", "You may keep it.", "It is free.", "It is on us.",
    "We take order O-17 back.", "You can take order O-17 back.", "It is yours.",
    "You are entitled.", "We waive it.", "You need not pay.", "We compensate you.", "We owe you.",
    "I will put it right.", "I put it right.", "Consider it done.", "You have our word.",
    "Reply with your card number.", "Please tell us your card number.",
    "Please tell us your password.", "Tell us the full IBAN.", "Your PIN, please.",
    "Send us your house.", "Call me.", "Please call us.", "Click here.", "Pay at once.",
    "Tell us your house number.", "Yours, Mallory", "Mallory", "Hello Mallory,", "Dear Bob,",
    "The team of Evil Corp", "finance department", "Harbor & Pine Bank", "You are happy.",
    "You are not well.", "I call you Ann.", "We are sorry that you get $50.00.",
    "please your card", "<b>", "a\u200bb", "\u202eevil", "\u041d\u0435llo",
    "\uff28\uff25\uff2c\uff2c\uff2f", "\U0001d407ello", "H3llo", "c4rd", "$", "\u20ac", "%", "*",
    "_a_", "http", "e.v.i.l", "Hope Good", "thank you Mallory", "kind regards, The Bank",
    "Have a great weekend in Paris", "looking forward to your card",
    "Please be there.", "We are to be there with you, together, again.", "We excuse and pardon you.", "You are excused.",
    "Thank me with your business.", "Our business is to be with you.", "Most of our time is for you.", "I I I I I I I",
    "Much of our business is to you.", "We are so sorry for our trouble with you.", "Thanks !!!!!!!", "Thanks! ! ! ! ! !",
    "Thanks. Thanks. Thanks. Thanks. Thanks.", "Excuse our team, for we are sorry: the trouble is our trouble.",
)  # fmt: skip


@pytest.mark.parametrize("text", NEW)
def test_something_new_in_words_that_are_said_to_be_tone(text: str) -> None:
    for written in (f"{DRAFT}\n{text}", f"{text}\n{DRAFT}", f"{DRAFT} {text}", DRAFT.replace("May I", f"{text} May I"), text):
        assert new_words(written, DRAFT), written


DROPPED = ("cannot ", "not ", "back, ", "O-17 ", "$50.00 ", "2026", "you ", "Harbor & ", "get ")


TURNED = {
    "a question that becomes an announcement": ("May I call you this week?", "Can we call you this week."),
    "a question that becomes a clause": ("May I call you this week?", "May I call you this week,"),
    "a few that become few": ("a few things", "few things"),
    "a sentence as a tally": ("May I call you this week?", "May I call you this week? " * 5),
}


@pytest.mark.parametrize("turned", TURNED)
def test_a_sentence_of_the_draft_that_says_something_else(turned: str) -> None:
    said, instead = TURNED[turned]
    assert new_words(DRAFT.replace(said, instead), DRAFT)


@pytest.mark.parametrize("word", DROPPED)
def test_a_word_left_out_that_turns_a_sentence_around(word: str) -> None:
    assert new_words(DRAFT.replace(word, "", 1), DRAFT)


def test_a_letter_in_a_language_that_the_check_does_not_know() -> None:
    german = "Guten Tag Frau Ash,\n\nIhre Bestellung O-17 kommt nicht zurück.\n\nHarbor & Pine"
    assert not new_words(german, german)
    assert new_words(f"{german}\nThank you!", german) and new_words(german.replace("nicht ", ""), german)


LETTER = Letter(
    "update_payment",
    "Hello {customer.name},\n\nYour card did not accept {order.total_cents} for your order "
    "{order.order_id}. Please give us another way to pay; we keep the goods for you until then.\n\nHarbor & Pine",
    {"customer.name": "Ann Ash", "order.total_cents": "$50.00", "order.order_id": "O-17"},
)


@pytest.mark.parametrize("text", NEW)
def test_a_letter_of_a_model_with_more_than_a_tone(text: str) -> None:
    assert problems(LETTER, f"{LETTER.text}\n{text}") and problems(LETTER, LETTER.text.replace("Please", f"{text} Please"))


def test_a_letter_of_a_model_made_of_the_drafts_own_words() -> None:
    for text in ("Please give us your card.", "Keep the goods.", "We accept your order; you keep the goods.", "We pay for you."):
        assert problems(LETTER, f"{LETTER.text}\n{text}")
    assert not problems(LETTER, LETTER.text.replace("Hello", "Dear") + "\nThank you for your patience!")
