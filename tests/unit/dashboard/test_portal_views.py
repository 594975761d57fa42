"""What a customer sees of a run, and how their message becomes an event."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.pages.portal import (
    LONGEST_MESSAGE,
    MOST_AN_HOUR,
    MOST_PHOTOS,
    Conversation,
    answering,
    conversation,
    customer_message,
    drawn,
    heading,
    moment,
    wait_of,
    zone_of,
)
from errors import BadInput, Refused
from evals.evaluation.environment import EvalEnvironment
from ledger.invariants import event_digest
from ledger.records import Effect, Event, Person, Run
from tests.actions import FLAG_CONTACT, OPEN_CASE, REFUND_CHARGE, SEND_MESSAGE

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
PIA = Person(name="pia", role="customer", customer_id="C-1")
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script> [click](javascript:alert(3)) **bold** </article>'


def run(**changes: Any) -> Run:
    trigger = {"event": "support.message", "ticket_id": "T-1", "customer_id": "C-1", "text": "charged twice", "photos": 1}
    event = Event(
        source_id="s-1", name="support.message", mission="support_resolution", subject="T-1", trigger=trigger, as_of=NOW
    )
    return replace(Run(run_id="r-1", event=event, versions={}, status="running", started_at=NOW), **changes)


def effect(action: str, status: Any = "done", **args: Any) -> Effect:
    return Effect(
        run_id="r-1", proposal_id="p-1", step=0, action=action, tool=f"crm.{action}", args=args, key=f"k-{action}",
        status=status, at=NOW,
    )  # fmt: skip


CLOSED = {"status": "closed", "verdict": "refund", "outcome": "executed", "ended_at": NOW}
REPLY = effect(SEND_MESSAGE, customer_id="C-1", template="refund_confirmation", text="We refund you.")
REFUND = effect(REFUND_CHARGE, charge_id="ch_1", amount_cents=12_900)


#: what the customer C-1 sees of a run with these effects
Talk = Callable[[Run, Sequence[Effect]], Conversation]


@pytest.fixture
def talk(lab: EvalEnvironment) -> Talk:
    """As the Mission says that takes messages."""
    pack = answering(lab.packs)
    assert pack is not None and pack.portal is not None
    return partial(conversation, customer_id="C-1", portal=pack.portal, catalogue=lab.catalogue)


@pytest.mark.parametrize(
    ("changes", "says", "is_open"),
    [
        ({}, "We are looking into it.", True),
        ({"status": "waiting"}, "A colleague is reviewing this.", True),
        ({"status": "incident"}, "We are looking into it. It takes longer than usual.", True),
        ({**CLOSED, "outcome": "escalated", "verdict": "escalate"}, "A colleague will write to you.", False),
        (CLOSED | {"outcome": "rejected"}, "We have closed this message. If something is still open, write to us again.", False),
        (CLOSED | {"outcome": "abandoned"}, "We have closed this message. If something is still open, write to us again.", False),
        (CLOSED, "This is done.", False),
    ],
)
def test_the_customer_is_told_where_their_message_stands(talk: Talk, changes: dict[str, Any], says: str, is_open: bool) -> None:
    one = talk(run(**changes), [])
    assert (one.says, one.is_open) == (says, is_open)


def test_the_reply_that_was_sent_and_what_was_done_are_shown_in_plain_words(talk: Talk) -> None:
    one = talk(run(**CLOSED), [REFUND, REPLY])
    assert one.replies == ("We refund you.",)
    assert one.done == ("Refund of $129.00",)
    assert one.says == ""


@pytest.mark.parametrize("status", ["intended", "executing", "failed", "unknown"])
def test_what_is_not_done_is_not_told(talk: Talk, status: Any) -> None:
    one = talk(run(status="incident"), [replace(REFUND, status=status), replace(REPLY, status=status)])
    assert (one.replies, one.done) == ((), ())


def test_actions_without_customer_words_are_not_told(talk: Talk) -> None:
    internal = [effect(OPEN_CASE, queue="fraud", subject_id="T-1"), effect(FLAG_CONTACT, contact_id="N-1", issue="bounced")]
    assert talk(run(**CLOSED), internal).done == ()


def test_a_message_to_another_customer_is_not_shown(talk: Talk) -> None:
    assert talk(run(**CLOSED), [replace(REPLY, args={**REPLY.args, "customer_id": "C-2"})]).replies == ()


def test_nothing_internal_is_in_the_html(talk: Talk) -> None:
    stuck = run(status="incident", verdict="refund", versions={"graph": "9"})
    effects = [replace(REFUND, error="payments refused: clause REF-1"), effect(OPEN_CASE, queue="fraud", subject_id="T-1")]
    shown = str(drawn(talk(stuck, effects), "Harbor & Pine", NOW, UTC))
    for internal in ("REF-1", "fraud", "ch_1", "r-1", "C-1", "payments", "crm", "support_resolution", REFUND_CHARGE):
        assert internal not in shown


def test_hostile_text_is_shown_as_text(talk: Talk) -> None:
    event = replace(run().event, subject=HOSTILE, trigger={**run().event.trigger, "text": HOSTILE})
    reply = replace(REPLY, args={**REPLY.args, "text": HOSTILE})
    shown = str(drawn(talk(run(event=event, **CLOSED), [reply]), HOSTILE, NOW, UTC) + heading(HOSTILE, HOSTILE))
    assert "<img" not in shown and "<script" not in shown
    assert shown.count("</article>") == 1
    assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in shown


def test_a_long_text_is_cut(talk: Talk) -> None:
    event = replace(run().event, trigger={**run().event.trigger, "text": "x" * 20_000})
    assert len(talk(run(event=event), []).wrote) == 4_000


@pytest.mark.parametrize("photos", [None, -1, "3", "<b>", 0])
def test_a_number_of_photos_that_is_none_is_not_shown(talk: Talk, photos: object) -> None:
    event = replace(run().event, trigger={**run().event.trigger, "photos": photos})
    assert talk(run(event=event), []).photos == 0


def test_ten_messages_within_an_hour_are_the_most() -> None:
    runs = [run(started_at=NOW - timedelta(minutes=5 * n)) for n in range(MOST_AN_HOUR)]
    assert wait_of(runs, NOW) == timedelta(minutes=15)
    assert wait_of(runs[:-1], NOW) is None
    assert wait_of(runs, NOW + timedelta(minutes=16)) is None


def test_moments_are_those_of_the_customer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert moment(NOW, NOW, berlin) == "10:30 AM CET"
    assert moment(NOW - timedelta(days=1), NOW, berlin) == "Mar 13, 2026, 10:30 AM CET"
    assert moment(NOW - timedelta(days=100), NOW, berlin) == "Dec 4, 2025, 10:30 AM CET"


@pytest.mark.parametrize("name", [None, "", "Nowhere/At_All", "../../etc/passwd", "x" * 300, "\0", "<b>"])
def test_a_zone_that_there_is_not_is_utc(name: str | None) -> None:
    assert zone_of(name).utcoffset(NOW) == timedelta(0)


# The event of a message


def message(
    lab: EvalEnvironment, text: str = "I was charged twice", photos: int = 0, submission: str = "ab" * 16, **by: Any
) -> Event:
    return customer_message(lab.packs, replace(PIA, **by), text, photos, submission, NOW)


def test_a_message_is_the_event_of_the_mission_that_takes_messages(lab: EvalEnvironment) -> None:
    event = message(lab, " I was charged twice for order #4471\n", 2)
    assert (event.name, event.mission, event.subject) == ("support.message", "support_resolution", "T-ABABABABAB")
    assert event.requested_by == "pia"
    assert event.as_of == NOW
    assert event.trigger == {
        "event": "support.message", "ticket_id": "T-ABABABABAB", "customer_id": "C-1",
        "text": "I was charged twice for order #4471", "photos": 2, "sender_verified": True,
    }  # fmt: skip


def test_what_is_submitted_once_is_one_event_and_twice_are_two(lab: EvalEnvironment) -> None:
    first, again, other = message(lab), message(lab), message(lab, submission="cd" * 16)
    assert (first.source_id, event_digest(first)) == (again.source_id, event_digest(again))
    assert other.source_id != first.source_id
    assert other.subject != first.subject


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u200b\u2060\ufeff", "\0\x07", "\ud800"])
def test_an_empty_message_is_not_taken(lab: EvalEnvironment, text: str) -> None:
    with pytest.raises(BadInput, match=r"Your message is empty\. Write what happened\."):
        message(lab, text)


def test_a_message_has_at_most_four_thousand_characters(lab: EvalEnvironment) -> None:
    assert len(message(lab, "x" * LONGEST_MESSAGE).trigger["text"]) == LONGEST_MESSAGE
    with pytest.raises(BadInput, match=r"Your message has 20,000 characters\. Shorten it to 4,000\."):
        message(lab, "x" * 20_000)


@pytest.mark.parametrize("photos", [-1, MOST_PHOTOS + 1])
def test_there_is_a_sensible_number_of_photos(lab: EvalEnvironment, photos: int) -> None:
    with pytest.raises(BadInput, match="photos"):
        message(lab, photos=photos)


@pytest.mark.parametrize("role", ["analyst", "reviewer", "supervisor", "finance", "administrator", "auditor"])
def test_nobody_of_the_staff_writes_as_a_customer(lab: EvalEnvironment, role: str) -> None:
    with pytest.raises(Refused, match="requires the role customer"):
        message(lab, role=role, customer_id=None)


def test_messages_are_not_taken_where_no_mission_answers_them(lab: EvalEnvironment) -> None:
    with pytest.raises(BadInput, match="no Mission has a portal"):
        customer_message({"order_exception": lab.packs["order_exception"]}, PIA, "hello", 0, "ab" * 16, NOW)
