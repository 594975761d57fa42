"""Mails are read as hostile files: what they say becomes plain data, and no mail costs more than its size allows."""

import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput
from systems.mail import LONGEST_TEXT, MOST_MAIL_BYTES, read_mail
from tests.factur_x import CII, pdf_with

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50


def a_mail(text: str = "Hello, my order O-4471 never came.", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    given = {
        "From": "Jane Doe <Jane@Example.com>", "To": "support@example.com", "Subject": "Order O-4471",
        "Message_ID": "<1@example.com>", "Date": "Sat, 14 Mar 2026 05:30:00 -0400",
    } | headers  # fmt: skip
    for name, value in given.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def test_what_a_customer_wrote_and_sent_along_is_plain_data() -> None:
    mail = a_mail(In_Reply_To="<0@example.com>")
    mail.add_alternative("<p>Hello</p>", subtype="html")
    mail.add_attachment(PNG, maintype="image", subtype="png", filename="photo.png")
    mail.add_attachment(b"MZ\x90", maintype="image", subtype="jpeg", filename="../../photo\x1b[31m.jpg")
    fields = read_mail(mail.as_bytes()).fields
    assert fields.pop("attachments") == [
        {"name": "photo.png", "type": "image/png", "size": len(PNG), "looks_like": "png", "text": "", "problem": ""},
        {"name": "../../photo [31m.jpg", "type": "image/jpeg", "size": 3, "looks_like": "program", "text": "", "problem": ""},
    ]
    assert fields == {
        "from": "jane@example.com", "from_name": "Jane Doe", "to": ["support@example.com"], "subject": "Order O-4471",
        "text": "Hello, my order O-4471 never came.", "date": "2026-03-14T09:30:00+00:00", "message_id": "<1@example.com>",
        "in_reply_to": "<0@example.com>", "auto": False, "invoices": 0, "photos": 1,
    }  # fmt: skip


def test_of_html_the_text_is_read_and_nothing_else() -> None:
    mail = EmailMessage()
    mail["From"] = "a@example.com"
    page = "<head><title>t</title><style>x{}</style></head><p>My order&nbsp;<b>O-1</b></p><script>alert(1)</script><!-- c --><img src=http://x/>"
    mail.set_content(page, subtype="html")
    assert read_mail(mail.as_bytes()).fields["text"].split() == ["My", "order", "O-1"]


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        (b"From: a@example.com, b@example.com", ""),
        (b"From: a@example.com\nFrom: b@example.com", ""),
        (b"From: =?utf-8?b?SmFuZQ==?= <a@example.com>", "a@example.com"),
        (b"From: a@example.com <b@evil.example>", ""),
        (b"From: nobody", ""),
        (b"From: " + b"(" * 5_000, ""),
        (b"Subject: no sender", ""),
        (b"From: \xff\xfe <a@example.com>", "a@example.com"),
    ],
)
def test_a_mail_has_one_sender_or_none(raw: bytes, sender: str) -> None:
    try:
        assert read_mail(raw + b"\n\nhello").fields["from"] == sender
    except BadInput:
        assert not sender


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "news"},
        {"Return_Path": "<>"},
        {"List_Unsubscribe": "x"},
    ],
)
def test_what_a_machine_wrote_says_so(headers: dict[str, str]) -> None:
    assert read_mail(a_mail(**headers).as_bytes()).fields["auto"] is True
    assert read_mail(a_mail(Auto_Submitted="no").as_bytes()).fields["auto"] is False


def test_a_ubl_invoice_is_known_by_its_content() -> None:
    ubl = b'<?xml version="1.0"?><Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><x/></Invoice>'
    mail = a_mail()
    mail.add_attachment(ubl, maintype="application", subtype="octet-stream", filename="1.bin")
    mail.add_attachment(b"<Invoice>none</Invoice>", maintype="application", subtype="xml", filename="invoice.xml")
    read = read_mail(mail.as_bytes())
    assert (read.invoices, read.fields["invoices"]) == ([ubl], 1)


def test_the_invoice_in_a_pdf_is_known_and_a_pdf_that_is_not_opened_stops_nothing() -> None:
    mail = a_mail()
    for content in (CII, pdf_with(("factur-x.xml", CII)), pdf_with(password="secret")):
        raw = content.encode() if isinstance(content, str) else content
        mail.add_attachment(raw, maintype="application", subtype="octet-stream", filename="1.bin")
    read = read_mail(mail.as_bytes())
    assert (read.invoices, [one["looks_like"] for one in read.fields["attachments"]]) == (
        [CII.encode()] * 2,
        ["cii", "pdf", "pdf"],
    )
    assert "is encrypted" in read.fields["attachments"][2]["problem"]


def _nested(depth: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    return b"From: a@example.com\n" + opened + b"\nhello"


BOMBS = {
    "multipart in multipart": _nested(5_000),
    "mail in mail": b"Content-Type: message/rfc822\n\n" * 50_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\nhello\n" * 20_000,
    "many lines": b"From: a@example.com\n\n" + b"\n" * 1_000_000,
    "many headers": b"X-A: b\n" * 100_000 + b"\nhello",
    "a long header": b"Subject: " + b"=?utf-8?q?" + b"=41" * 500_000 + b"?=\n\nhello",
    "folded headers": b"Subject: a" + b"\n a" * 100_000 + b"\n\nhello",
    "many addresses": b"To: " + b"a@example.com, " * 50_000 + b"\n\nhello",
    "deep HTML": b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
    "open comments": b"Content-Type: text/html\n\n" + b"<!--<" * 200_000,
    "entities": b'Content-Type: text/html\n\n<!DOCTYPE a [<!ENTITY b "' + b"c" * 1_000 + b'">]>' + b"&b;" * 100_000,
    "too large": b"From: a@example.com\n\n" + b"x" * MOST_MAIL_BYTES,
    "a charset that there is not": b"Content-Type: text/plain; charset=none\n\nhello",
    "a broken transfer": b"Content-Transfer-Encoding: base64\n\n" + b"?" * 1_000_000,
    "a parameter in pieces": b"Content-Type: text/plain; " + b"; ".join(b"a*%d=b" % n for n in range(200_000)) + b"\n\nhello",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_mail_that_was_built_to_cost_much_costs_little(bomb: str) -> None:
    began = time.process_time()
    try:
        fields = read_mail(BOMBS[bomb]).fields
        assert len(fields["text"]) <= LONGEST_TEXT and len(fields["subject"]) <= 2_000 and len(fields["attachments"]) <= 100
    except BadInput as error:
        assert "mailbox" in str(error)
    assert time.process_time() - began < 4.0


@given(
    st.binary(max_size=2_000), st.sampled_from([b"", b"From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"])
)
def test_whatever_comes_is_plain_data_or_bad_input(content: bytes, begin: bytes) -> None:
    try:
        fields = read_mail(begin + content).fields
    except BadInput:
        return
    fields["text"].encode()
    assert all(sign.isprintable() for name in ("from", "from_name", "subject", "message_id") for sign in fields[name])
