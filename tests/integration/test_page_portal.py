"""The portal as a customer uses it, on a live company."""

from datetime import UTC, datetime
from itertools import count

import psycopg
import pytest
from psycopg.types.json import Jsonb
from streamlit.testing.v1 import AppTest

from dashboard.pages.portal import customer_message
from ledger.records import Person, Run
from tests.actions import REFUND_CHARGE
from tests.integration.live_company import RECORDED
from tests.integration.open_pages import Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]

#: a customer whose order O-66588 of $500.00 was charged twice
CASE = RECORDED["dev-sup-0003"]
CUSTOMER = CASE["trigger"]["customer_id"]
MESSAGE = "support.message"
REQUEST = "I was charged twice for order #66588"
HOSTILE = "<img src=x onerror=alert(1)> **bold** [click](javascript:alert(2)) </article>"
_NUMBERS = count(1)


@pytest.fixture
def customer(front: Front) -> Person:
    """Somebody who has not written yet."""
    number = next(_NUMBERS)
    front.enrol(f"pia-{number}", "customer", f"C-P{number}")
    found = front.ledger.person(f"pia-{number}")
    assert found is not None
    return found


def write(page: AppTest, text: str, photos: int = 0) -> AppTest:
    """Fill the form in and send it."""
    page.text_area[0].set_value(text)
    page.number_input[0].set_value(photos)
    return next(button for button in page.button if button.label == "Send").click().run()


def messages(front: Front, person: Person) -> list[Run]:
    return list(front.desk.messages(person.customer_id or "", MESSAGE))


def taken_in(front: Front, person: Person, text: str) -> Run:
    """A message of theirs, taken in and driven as far as it goes by itself."""
    packs = front.company.runtime.context.packs
    event = customer_message(packs, person, text, 0, f"{next(_NUMBERS):032x}", datetime.now(UTC))
    run_id = front.company.runtime.take_in(event).run_id
    front.company.drive(run_id)
    return front.settled(run_id)


def test_a_message_is_taken_in_and_answered_when_somebody_has_approved(front: Front) -> None:
    front.empty()
    front.load(CASE)
    front.enrol("ida", "customer", CUSTOMER)
    with psycopg.connect(front.company.url, autocommit=True) as session:  # other tests write in this customer's name
        session.execute(
            "UPDATE ledger.inbox SET trigger = trigger || %s WHERE trigger->>'customer_id' = %s",
            [Jsonb({"customer_id": "C-ELSE"}), CUSTOMER],
        )
    for name, role in (("fay", "finance"), ("finn", "finance")):
        front.enrol(name, role)
    page = write(front.page("ida", "portal"), REQUEST, 2)
    assert not page.exception and [error.value for error in page.error] == []
    (run,) = front.desk.messages(CUSTOMER, MESSAGE)
    assert run.event.trigger["text"] == REQUEST
    assert (run.event.trigger["photos"], run.event.trigger["sender_verified"], run.event.requested_by) == (2, True, "ida")
    assert front.settled(run.run_id).status == "waiting"
    assert "A colleague is reviewing this." in html(page.run())
    proposal = front.ledger.proposal(run.run_id)
    assert proposal is not None
    for by in ("fay", "finn")[: 2 if proposal.approval.four_eyes else 1]:
        front.company.runtime.decide(run.run_id, "approve", by, "as the charges show")
    front.company.drive(run.run_id)
    assert front.settled(run.run_id).outcome == "executed"
    shown = html(page.run())
    assert "Refund of $500.00" in shown
    assert "order O-66588 was charged twice" in shown
    for internal in (
        run.run_id,
        "REF-",
        "fay",
        "as the charges show",
        "confidence",
        REFUND_CHARGE,
        "support_resolution",
        CUSTOMER,
    ):
        assert internal not in seen(page)


def test_where_no_mission_takes_messages_a_customer_reads_a_sentence(
    front: Front, customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = front.company.runtime.context
    monkeypatch.setattr(context, "packs", {name: pack for name, pack in context.packs.items() if not pack.portal})
    page = front.page(customer.name, "portal")
    assert [text.value for text in page.text] == ["Messages are not answered here. Please reach us as you usually do."]
    assert not page.text_area and not page.error and not page.exception


def test_the_form_is_empty_after_a_message(front: Front, customer: Person) -> None:
    page = write(front.page(customer.name, "portal"), "Where is my parcel?", 1)
    assert (page.text_area[0].value, page.number_input[0].value) == ("", 0)
    assert "Where is my parcel?" in html(page)


def test_what_is_sent_twice_in_one_form_is_one_message(front: Front, customer: Person) -> None:
    for _ in range(2):
        page = front.page(customer.name, "portal")
        page.session_state["portal.submission"] = f"{customer.name:0>32}"
        page = write(page.run(), "Where is my parcel?")
        assert not page.error
    assert len(messages(front, customer)) == 1


def test_what_is_sent_again_with_other_words_is_refused(front: Front, customer: Person) -> None:
    for text in ("Where is my parcel?", "Where is my money?"):
        page = front.page(customer.name, "portal")
        page.session_state["portal.submission"] = f"{customer.name:0>32}"
        page = write(page.run(), text)
    assert "already accepted with different content" in page.error[0].value
    assert [run.event.trigger["text"] for run in messages(front, customer)] == ["Where is my parcel?"]


@pytest.mark.parametrize(
    ("text", "says"), [("  \n ", "Your message is empty"), ("x" * 20_000, "Your message has 20,000 characters")]
)
def test_a_message_that_is_empty_or_too_long_is_refused_and_nothing_is_lost(
    front: Front, customer: Person, text: str, says: str
) -> None:
    page = write(front.page(customer.name, "portal"), text)
    assert says in page.error[0].value
    assert page.text_area[0].value == text
    assert messages(front, customer) == []


def test_after_ten_messages_within_an_hour_a_customer_waits(front: Front, customer: Person) -> None:
    packs = front.company.runtime.context.packs
    for number in range(10):
        event = customer_message(packs, customer, f"message {number}", 0, f"{next(_NUMBERS):032x}", datetime.now(UTC))
        front.ledger.take_in(event, f"r-{event.source_id}", {})
    page = write(front.page(customer.name, "portal"), "one more")
    assert "You have sent 10 messages within an hour" in page.error[0].value
    assert len(messages(front, customer)) == 10
    for run in messages(front, customer):
        front.ledger.finish(run.run_id, "escalate", "escalated", datetime.now(UTC))


def test_a_customer_sees_only_their_own_messages_whatever_the_address_says(front: Front, customer: Person) -> None:
    front.enrol("eve", "customer", "C-EVE")
    run = taken_in(front, customer, "Where is my parcel? It is a secret present.")
    for query in ({}, {"run": run.run_id}, {"customer_id": str(customer.customer_id)}, {"tab": "Audit log"}):
        page = front.app("eve", **query)
        assert not page.exception
        for told in ("secret present", run.run_id, run.event.subject, str(customer.customer_id), customer.name):
            assert told not in seen(page)
    assert "secret present" in seen(front.page(customer.name, "portal"))


@pytest.mark.parametrize("name", ["queue", "run", "runs", "knowledge", "evaluations", "learning", "incidents", "audit", "people"])
def test_a_customer_gets_nothing_by_the_address_of_another_page(front: Front, customer: Person, name: str) -> None:
    run = taken_in(front, customer, "Where is my parcel?")
    page = front.page(customer.name, name, run=run.run_id)
    assert not page.exception
    assert "requires the role" in page.error[0].value
    assert run.run_id not in seen(page)
    assert len(list(page.get("html"))) == 0


@pytest.mark.parametrize("role", ["analyst", "reviewer", "supervisor", "finance", "administrator", "auditor"])
def test_nobody_of_the_staff_writes_as_a_customer(front: Front, role: str) -> None:
    front.enrol(f"staff-{role}", role)
    page = front.page(f"staff-{role}", "portal")
    assert "requires the role customer" in page.error[0].value
    assert not page.text_area


def test_who_is_signed_out_sees_nothing_and_sends_nothing(front: Front, customer: Person) -> None:
    taken_in(front, customer, "Where is my parcel?")
    page = front.page(customer.name, "portal")
    assert "Where is my parcel?" in seen(page)
    page.text_area[0].set_value("Where is my money?")
    front.sign_out(customer.name)
    page = next(button for button in page.button if button.label == "Send").click().run()
    assert "Where is my parcel?" not in seen(page)
    assert len(messages(front, customer)) == 1
    assert "Where is my parcel?" not in seen(front.page("", "portal"))


def test_hostile_text_is_shown_as_text(front: Front, customer: Person) -> None:
    page = write(front.page(customer.name, "portal"), HOSTILE)
    front.settled(messages(front, customer)[0].run_id)
    shown = html(page.run())
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt; **bold** [click]" in shown
    assert not page.markdown


def test_a_question_is_answered_with_what_was_written_before(front: Front, customer: Person) -> None:
    event = customer_message(
        front.company.runtime.context.packs, customer, "I was charged twice", 2, f"{next(_NUMBERS):032x}", datetime.now(UTC)
    )
    run = front.ledger.take_in(event, f"r-{event.source_id}", {})
    front.ledger.finish(run.run_id, "ask_customer", "executed", datetime.now(UTC))
    page = front.page(customer.name, "portal")
    page = next(button for button in page.button if button.label == "Answer").click().run()
    assert page.text_area[0].value == "I was charged twice\n\n"
    assert page.number_input[0].value == 2


def test_earlier_messages_come_on_demand(front: Front, customer: Person) -> None:
    packs = front.company.runtime.context.packs
    for number in range(12):
        event = customer_message(packs, customer, f"message {number}.", 0, f"{next(_NUMBERS):032x}", datetime.now(UTC))
        run = front.ledger.take_in(event, f"r-{event.source_id}", {})
        front.ledger.finish(run.run_id, "escalate", "escalated", datetime.now(UTC))
    page = front.page(customer.name, "portal")
    assert "message 2." in html(page) and "message 1." not in html(page)
    page = next(button for button in page.button if button.label == "Earlier messages").click().run()
    assert "message 0." in html(page)
    assert not any(button.label == "Earlier messages" for button in page.button)
