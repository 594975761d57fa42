"""A person hands in an invoice or events on the page of all runs, and decides nothing about them."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from errors import BadInput, Refused
from graphs.uploads import UploadReport, hand_in
from ledger.records import Run
from settings import CHECKOUT
from tests.integration.arriving import an_event
from tests.integration.open_pages import Front, html, seen

pytest_plugins = ["tests.integration.open_pages"]

UBL = CHECKOUT / "evals" / "cases" / "ubl"
COMPANY: dict[str, Any] = json.loads((UBL / "company.jsonl").read_text())
INVOICE = (UBL / "ubl-tc434-example4.xml").read_bytes()
_NUMBERS = count(1)
_FORM = "from dashboard import handing_in\nfrom dashboard.visitor import enter\nhanding_in.draw(enter('read'))\n"


@pytest.fixture(autouse=True)
def staff(front: Front) -> None:
    for name, role in (("rita", "reviewer"), ("ron", "reviewer"), ("olga", "auditor"), ("ana", "analyst")):
        front.enrol(name, role)


def form(front: Front, name: str) -> AppTest:
    """The form alone, as this person sees it."""
    front.visitor = name
    return AppTest.from_string(_FORM, default_timeout=30).run()


def handed_in(front: Front, name: str, content: bytes, file: str = "file.xml") -> AppTest:
    page = form(front, name)
    page.file_uploader[0].set_value((file, content, "application/xml"))
    return next(one for one in page.button if one.label == "Hand in").click().run()


def given(front: Front, content: bytes, by: str = "rita") -> UploadReport:
    """What the form does, without its page."""
    person = front.ledger.person(by)
    assert person is not None
    return hand_in(front.company.runtime, person, content, 1, lambda run: front.company.drive(run.run_id))


def runs_of(front: Front, subject: str) -> list[Run]:
    return [run for run in front.ledger.runs(limit=10_000) if run.event.subject == subject]


def test_an_invoice_that_rita_hands_in_waits_for_somebody_else(front: Front) -> None:
    front.load(COMPANY)
    page = handed_in(front, "rita", INVOICE)
    assert "1 accepted, 0 already known." in seen(page) and not page.error
    (run,) = [one for one in front.ledger.runs() if one.event.requested_by == "rita"]
    assert run.run_id in html(page)
    run = front.settled(run.run_id)
    assert (run.event.name, run.status) == ("invoice.received", "waiting")
    with pytest.raises(Refused):
        front.company.runtime.decide(run.run_id, "approve", "rita", "it is mine")
    front.company.runtime.decide(run.run_id, "approve", "ron", "it is as ordered")
    again = given(front, INVOICE, "ron")
    assert (again.begun, [one.run_id for one in again.known]) == ((), [run.run_id])


def test_events_of_a_file_are_requested_by_whoever_hands_them_in(front: Front) -> None:
    events = [an_event(f"handed-{next(_NUMBERS)}", f"O-{next(_NUMBERS)}") for _ in range(4)]
    for content in (
        json.dumps(events[:1]),
        json.dumps(events[1], indent=1),
        "\n".join(map(json.dumps, events[2:])),
        json.dumps(events[2]),
    ):
        given(front, content.encode())
    for event in events:
        (run,) = runs_of(front, event["trigger"]["order_id"])
        assert (run.event.source_id, run.event.requested_by) == (f"upload:{event['source_id']}", "rita")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "No file was chosen"),
        (b"<Invoice/>", "is no invoice in UBL 2 or CII"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "document type declaration"),
        (b"PK\x03\x04", "holds no events"),
        (b"[]", "0 events"),
        (b"{}\n{}", "Event 1 of 2"),
        (b"[1]", "Event 1 of 1"),
        (b"\xff\xfe", "holds no events"),
        (b"{" * 100_000, "holds no events"),
        (b" " * 1_000_001, "longer than 1,000,000 bytes"),
        (b"<a>" + b" " * 10_000_000, "which no invoice needs"),
    ],
)
def test_a_file_that_is_not_all_good_is_a_sentence_and_nothing_is_taken_in(front: Front, content: bytes, says: str) -> None:
    before = len(front.ledger.runs(limit=10_000))
    if len(content) < 1_000:
        page = handed_in(front, "rita", content) if content else next(
            one for one in form(front, "rita").button if one.label == "Hand in").click().run()  # fmt: skip
        assert says in page.error[0].value
    else:
        with pytest.raises(BadInput, match=says):
            given(front, content)
    assert len(front.ledger.runs(limit=10_000)) == before


def test_one_event_that_is_none_keeps_all_of_its_file_out(front: Front) -> None:
    good, old = an_event("good", "O-KEPT-OUT"), an_event("old") | {"as_of": "2020-01-01T00:00:00Z"}
    with pytest.raises(BadInput, match=r"Event 2 of 2: as_of .* Nothing of the file was accepted"):
        given(front, json.dumps([good, old]).encode())
    assert runs_of(front, "O-KEPT-OUT") == []


def test_nobody_hands_in_what_another_source_did(front: Front) -> None:
    given(front, json.dumps(an_event("oms:oms-8812", "O-FORGED")).encode())
    assert runs_of(front, "O-FORGED")[0].event.source == "upload"


@pytest.mark.parametrize("name", ["olga", "ana"])
def test_who_may_not_hand_anything_in_has_no_form_and_is_refused(front: Front, name: str) -> None:
    assert not form(front, name).file_uploader
    with pytest.raises(Refused, match="hand in an invoice or events"):
        given(front, json.dumps(an_event("x")).encode(), name)


def test_no_form_is_left_open_for_a_person_whose_role_is_taken(front: Front, tmp_path: Path) -> None:
    front.enrol("rolf", "reviewer")
    page = form(front, "rolf")
    page.file_uploader[0].set_value(("a.json", json.dumps(an_event("rolf", "O-ROLF")).encode(), "application/json"))
    front.ledger.add_person("rolf", "auditor")
    next(one for one in page.button if one.label == "Hand in").click().run()
    assert runs_of(front, "O-ROLF") == []
