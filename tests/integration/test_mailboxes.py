"""A mailbox is read by IMAP, and its mails are events by the mapping of their source."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import BadInput
from graphs.ingestion import Intake, ingest_dead_letter
from graphs.mailboxes import mailbox_bounds, poll_mailbox
from graphs.mapping import by_mailbox
from settings import settings
from systems.event_sources import load_mapping
from systems.invoices import InvoicesConfig
from systems.mail import MOST_MAIL_BYTES
from tests.imap_server import PASSWORD, USER, MailServer, mail_server
from tests.integration.arriving import Arriving
from tests.model_server.behaviours import Say
from tests.model_server.server import ModelServer
from tests.unit.models.test_invoices import RIGHT, TEXT
from tests.unit.models.test_invoices import read as in_text
from tests.unit.systems.test_mail import BOMBS, a_mail

pytest_plugins = ["tests.integration.arriving"]

MAPPING = """
mailbox: {host: 127.0.0.1, port: PORT, encryption: none, user: support@example.com, password: {env: MAIL_PASSWORD}, missions: [support_resolution]}
headers: [X-Spam-Flag]
events:
- when: body.auto == false && body.from != '' && !('x-spam-flag' in headers)
  mission: support_resolution
  trigger:
    event: support.message
    ticket_id: =body.message_id
    customer_id: =body.from
    text: =body.subject + '\\n' + body.text
    photos: =body.photos
ignore:
- body.auto == true
"""  # noqa: E501
NAME = "mailbox support"


class Reading:
    """A mailbox, and an intake that reads it."""

    def __init__(self, arriving: Arriving, box: MailServer, folder: Path) -> None:
        self.arriving, self.box, self._file = arriving, box, folder / "support.yaml"
        self.map(MAPPING)

    def map(self, text: str) -> None:
        self._file.write_text(text.replace("PORT", str(self.box.port)))
        self.mapping = load_mapping(self._file)
        assert self.mapping.mailbox
        self.intake = Intake(
            self.arriving.intake.runtime, self.arriving.inbox, self.arriving.begun.append,
            feeds={by_mailbox("support"): mailbox_bounds(self.mapping.mailbox)}, mappings={"support": self.mapping},
        )  # fmt: skip

    def poll(self) -> tuple[int, int, int, int, str]:
        """(taken in, known, ignored, dead letters, why it stopped)."""
        report = poll_mailbox(self.intake, self.mapping)
        return len(report.taken_in), len(report.known), report.ignored, len(report.dead_letters), report.stopped

    @property
    def cursor(self) -> str:
        position = self.arriving.inbox.feed(NAME)
        return position.cursor if position else ""


@pytest.fixture
def reading(arriving: Arriving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    with mail_server() as box:
        yield Reading(arriving, box, tmp_path)


def test_a_customers_mail_is_a_message_once(reading: Reading) -> None:
    assert reading.poll() == (0, 0, 0, 0, "")
    reading.box.deliver(a_mail("Where is it?").as_bytes())
    assert reading.poll() == (1, 0, 0, 0, "")
    (run,) = reading.arriving.begun
    assert (run.event.source, run.event.subject, run.event.requested_by) == ("support", "<1@example.com>", "")
    assert run.event.trigger["text"] == "Order O-4471\nWhere is it?" and run.event.trigger["customer_id"] == "jane@example.com"
    assert (reading.poll(), reading.cursor) == ((0, 0, 0, 0, ""), "7/1")
    assert not [line for line in reading.box.lines if re.search(r"STORE|SELECT|EXPUNGE|COPY|APPEND", line)], "nothing is changed"


def test_a_mailbox_that_numbers_its_mails_anew_is_read_again_and_nothing_comes_twice(reading: Reading) -> None:
    reading.box.deliver(a_mail().as_bytes())
    reading.poll()
    reading.box.validity = 8
    reading.box.deliver(a_mail(Message_ID="<2@example.com>").as_bytes())
    assert (reading.poll(), reading.cursor) == ((1, 1, 0, 0, ""), "8/2")


def test_many_mails_are_read_in_pages(reading: Reading) -> None:
    for number in range(25):
        reading.box.deliver(a_mail(Message_ID=f"<{number}@example.com>").as_bytes())
    assert [reading.poll()[0] for _ in range(3)] == [20, 5, 0]


def test_what_a_machine_wrote_is_ignored_and_what_does_not_fit_can_be_mapped_again(reading: Reading) -> None:
    reading.box.deliver(a_mail(Auto_Submitted="auto-replied").as_bytes())
    reading.box.deliver(a_mail(X_Spam_Flag="YES").as_bytes())
    assert reading.poll() == (0, 0, 1, 1, "")
    (letter,) = reading.arriving.inbox.open_letters()[0]
    assert letter.source == NAME and json.loads(letter.body)["headers"] == {"x-spam-flag": "YES"}
    reading.map(MAPPING.replace(" && !('x-spam-flag' in headers)", ""))
    run = ingest_dead_letter(reading.intake, letter.letter_id, "rita", "it is no spam")
    assert (run.event.source, run.event.subject) == ("support", "<1@example.com>")


@pytest.mark.parametrize("bomb", ["multipart in multipart", "mail in mail", "many parts", "too large", "nothing"])
def test_a_mail_that_cannot_be_read_is_a_dead_letter_and_stops_no_other(reading: Reading, bomb: str) -> None:
    reading.box.deliver(BOMBS[bomb] + b"x")
    reading.box.deliver(a_mail().as_bytes())
    taken, _, ignored, dead, stopped = reading.poll()
    assert (taken, ignored, dead, stopped) == (1, 0, 1, "")


def test_a_mail_of_another_mission_or_too_many_of_them_stay_out(reading: Reading) -> None:
    reading.map(MAPPING.replace("missions: [support_resolution]", "missions: [account_save]"))
    reading.box.deliver(a_mail().as_bytes())
    assert reading.poll()[3] == 1
    reading.map(MAPPING.replace("missions:", "per_hour: 3, missions:"))
    for number in range(4):
        reading.box.deliver(a_mail(Message_ID=f"<{number}@example.com>").as_bytes())
    before = reading.cursor
    taken, _, _, _, stopped = reading.poll()
    assert taken == 2 and "in an hour" in stopped and reading.cursor == before, "the rest is read later"


def test_an_invoice_by_mail_is_one_only_where_the_mailbox_may_start_that(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"mission": "invoice_approval", "trigger": {"event": "invoice.received", "invoice_id": "=digest"}}
    monkeypatch.setattr(reading.intake.runtime, "invoices", InvoicesConfig(event=event))
    ubl = b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><x/></Invoice>'
    mail = a_mail()
    mail.add_attachment(ubl, maintype="application", subtype="xml", filename="invoice.xml")
    reading.box.deliver(mail.as_bytes())
    assert reading.poll()[:4] == (1, 0, 0, 1)
    (letter,) = reading.arriving.inbox.open_letters()[0]
    assert "may not start the Mission invoice_approval" in letter.reason
    reading.map(MAPPING.replace("[support_resolution]", "[support_resolution, invoice_approval]"))
    with pytest.raises(BadInput, match="the invoice has no DocumentCurrencyCode"):  # it is read again, as the invoice that it is
        ingest_dead_letter(reading.intake, letter.letter_id, "rita", "it may now")


def test_a_server_that_cannot_be_read_is_told_about_and_nothing_is_lost(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.box.deliver(a_mail().as_bytes())
    monkeypatch.setenv("MAIL_PASSWORD", "wrong password")
    stopped = reading.poll()[4]
    assert f"the mailbox {USER} of 127.0.0.1 cannot be read" in stopped and "wrong password" not in stopped
    monkeypatch.setenv("MAIL_PASSWORD", "")
    assert "MAIL_PASSWORD" in reading.poll()[4]
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    reading.map(MAPPING.replace("missions:", "folder: Elsewhere, missions:"))
    assert "no folder 'Elsewhere'" in reading.poll()[4]
    reading.map(MAPPING)
    reading.box.lies = MOST_MAIL_BYTES * 100
    assert "cannot be read (it ended the connection)" in reading.poll()[4]
    reading.box.lies, reading.box.announced = None, MOST_MAIL_BYTES + 1
    position = reading.arriving.inbox.feed(NAME)
    assert position and position.error and position.cursor == ""
    assert reading.poll()[3:] == (1, ""), "a mail that is too large is not fetched"
    assert "5,000,001 bytes" in reading.arriving.inbox.open_letters()[0][0].reason


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("127.0.0.1", "mail.example.com", "plain text"),
        ("support@example.com", "'a b'", "pattern"),
        ("{env: MAIL_PASSWORD}", "the secret itself", "does not stand in this file"),
        ("[support_resolution]", "[]", "at least 1"),
        ("encryption: none", "encryption: none, folder: 'a\"b'", "pattern"),
    ],
)
def test_a_mailbox_that_would_not_be_safe_does_not_load(reading: Reading, right: str, wrong: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as told:
        reading.map(MAPPING.replace(right, wrong, 1))
    assert "secret itself" not in str(told.value)


INVOICE_TEXT = TEXT.replace("1.000 pcs", "1 pcs").replace("1,00 DKK     1.000,00", "1.000,00 DKK     1.000,00")
_LINE = {**RIGHT["lines"][0], "qty": in_text(1, "1 pcs"), "unit_price_cents": in_text(100_000, "at 1.000,00")}
FOUND = {**RIGHT, "lines": [_LINE]}


def test_an_invoice_in_the_text_of_a_mail_is_what_a_model_finds_there_if_it_stands_there_and_adds_up(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = {"event": "invoice.received", "invoice_id": "=invoice.number", "total": "=invoice.total_cents"}
    config = InvoicesConfig(event={"mission": "invoice_approval", "trigger": trigger})
    monkeypatch.setattr(reading.intake.runtime, "invoices", config)
    by_model = "read_by_model: [body.subject == 'Invoice']\n"
    reading.map(MAPPING.replace("[support_resolution]", "[support_resolution, invoice_approval]") + by_model)
    reading.box.deliver(a_mail(INVOICE_TEXT, Subject="Invoice").as_bytes())
    assert reading.poll()[3] == 1
    (letter,) = reading.arriving.inbox.open_letters()[0]
    assert "only a model reads free text, and none is set" in letter.reason
    answers = iter([FOUND, FOUND | {"total_cents": in_text(1_250, "DKK 1,250.00")}, FOUND | {"tax_cents": None}])
    with ModelServer(lambda _: Say(next(answers))) as server:
        monkeypatch.setenv("MISSIONS_MODEL", "gpt-x")
        monkeypatch.setenv("MISSIONS_MODEL_URL", server.url)
        settings.cache_clear()
        run = ingest_dead_letter(reading.intake, letter.letter_id, "rita", "there is a model now")
        for wrong in ("total_cents is not in its quote", "what gpt-x read in it does not add up to its total"):
            reading.box.deliver(a_mail(f"{INVOICE_TEXT}\n{wrong}", Subject="Invoice").as_bytes())
            assert reading.poll()[3] == 1
            assert any(wrong in letter.reason for letter in reading.arriving.inbox.open_letters()[0])
    reading.box.deliver(a_mail(f"{INVOICE_TEXT}\nagain", Subject="Invoice").as_bytes())
    assert reading.poll()[3:] == (1, ""), "a model that is away holds up no other mail"
    settings.cache_clear()
    assert (run.event.subject, run.event.trigger["total"], run.event.trigger["read_by"]) == ("TOSL-110", 125_000, "gpt-x")
    assert run.event.trigger["read_from"]["total_cents"] == "DKK 1,250.00"
