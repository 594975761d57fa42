"""A mail as plain data, read as the hostile file that it is.

Of the parts only text is read, as text: HTML loses its tags and is never rendered. Attachments are named, measured and looked
at by their first bytes, never kept; of those only PDFs are opened, in a process of their own (systems/pdf.py). An invoice in
XML is handed on, for its reader (systems/en16931.py).
Size, lines, boundaries and parts are bounded before and while a parser sees them.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from lxml import etree, html

from errors import BadInput
from systems.pdf import open_pdf

#: bytes of a mail that is read; lines, occurrences of "boundary", semicolons (between parameters) and parts in it
MOST_MAIL_BYTES = 5_000_000
MOST_LINES, MOST_BOUNDARIES, MOST_SEMICOLONS, MOST_PARTS = 120_000, 40, 10_000, 100
#: characters of a header, of a text, and of the HTML that a text is read from
LONGEST_HEADER, LONGEST_TEXT, LONGEST_HTML = 2_000, 20_000, 200_000
_MOST_ADDRESSES = 20
_BOUNDARY = re.compile(rb"boundary", re.IGNORECASE)
#: the first bytes of files, which say more than their names
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"%PDF-": "pdf", b"PK\x03\x04": "zip", b"MZ": "program",
    b"\x7fELF": "program", b"\x1f\x8b": "gzip", b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"\xd0\xcf\x11\xe0": "office",
}  # fmt: skip
_PHOTOS = ("png", "jpeg", "gif")
_INVOICES = {
    "ubl": re.compile(rb"<(?:[\w-]+:)?(?:Invoice|CreditNote)[\s>][^<]{0,5000}urn:oasis:names:specification:ubl:schema:xsd:"),
    "cii": re.compile(rb"<(?:[\w-]+:)?CrossIndustryInvoice[\s>][^<]{0,5000}urn:un:unece:uncefact:data:standard:"),
}
#: PDFs of a mail that are opened
MOST_PDFS = 5
#: headers of what no person wrote
_BY_MACHINE = ("list-id", "list-unsubscribe", "x-auto-response-suppress", "feedback-id")


@dataclass(frozen=True)
class Mail:
    """What a mail says: `fields` are those of docs/events.md, `invoices` the XML that is an invoice by its look."""

    fields: dict[str, Any]
    #: (name in lower case, value), decoded
    headers: list[tuple[str, str]]
    invoices: list[bytes]


def read_mail(content: bytes) -> Mail:
    """The mail of its bytes (RFC 5322). Raises BadInput, in a sentence, for one that is too large, too deep or cannot be read."""
    if len(content) > MOST_MAIL_BYTES:
        raise BadInput(f"the mail is longer than {MOST_MAIL_BYTES:,} bytes; look at it in the mailbox")
    # what a parser takes long for: each line is compared with each boundary, each parameter with those before it
    lines, boundaries = content.count(b"\n") + content.count(b"\r"), len(_BOUNDARY.findall(content))
    if lines > 2 * MOST_LINES or boundaries > MOST_BOUNDARIES or content.count(b";") > MOST_SEMICOLONS:
        raise BadInput("the mail has more lines, boundaries or parameters than a person's has; look at it in the mailbox")
    try:
        return _read(BytesParser().parsebytes(content))
    except BadInput:
        raise
    except Exception as error:  # whatever a parser makes of what somebody built against it
        raise BadInput("the mail is not put together as mails are, and cannot be read; look at it in the mailbox") from error


def _read(message: Message) -> Mail:
    headers = [(name.lower(), _decoded(value)) for name, value in message.items()[:200]]
    first = dict(reversed(headers))
    plain, marked_up, attachments, invoices = list[str](), list[str](), list[dict[str, Any]](), list[bytes]()
    pdfs = 0
    for part in _parts(message):
        kind = part.get_content_type()
        content = b"" if kind == "message/rfc822" else part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment" and not part.get_filename():
            (plain if kind == "text/plain" else marked_up).append(_text(content, part))
            continue
        named = {"name": _decoded(part.get_filename() or "")[:200], "type": kind[:100], "size": len(content)}
        attachments.append({**named, "looks_like": (looks_like := _look(content)), "text": "", "problem": ""})
        if looks_like in _INVOICES:
            invoices.append(content)
        if looks_like == "pdf":
            pdfs += 1
            if invoice := _open_pdf(content, attachments[-1], pdfs):
                invoices.append(invoice)
    text = "\n".join(one for one in plain if one.strip()) or "\n".join(map(_without_tags, marked_up))
    senders, recipients = _addresses(message, "from"), _addresses(message, "to", "cc")
    fields = {
        # one sender, or nobody: who reads it must not take another than who checked it
        "from": senders[0][1] if len(senders) == 1 else "", "from_name": senders[0][0] if len(senders) == 1 else "",
        "to": [address for _, address in recipients], "subject": first.get("subject", ""),
        "text": _whole(text.strip())[:LONGEST_TEXT], "date": _date(first.get("date", "")),
        "message_id": first.get("message-id", ""), "in_reply_to": first.get("in-reply-to", ""),
        "auto": _is_by_machine(first), "attachments": attachments, "invoices": len(invoices),
        "photos": sum(one["looks_like"] in _PHOTOS for one in attachments),
    }  # fmt: skip
    return Mail(fields, headers, invoices)


def _look(content: bytes) -> str:
    """What the first bytes of a file say that it is; empty where they do not say."""
    known = next((name for begin, name in _KINDS.items() if content.startswith(begin)), "")
    return known or next((name for name, root in _INVOICES.items() if root.search(content[:20_000])), "")


def _open_pdf(content: bytes, attachment: dict[str, Any], number: int) -> bytes:
    """The invoice in a PDF, empty without one; its text, or why it is not read, is noted in `attachment`."""
    try:
        if number > MOST_PDFS:
            raise BadInput(f"of a mail {MOST_PDFS} PDFs are opened")
        opened = open_pdf(content)
    except BadInput as error:
        attachment["problem"] = str(error)
        return b""
    attachment["text"] = _whole(opened.text)
    return opened.invoice


def _parts(message: Message) -> Iterator[Message]:
    """The parts that hold something; those of a forwarded mail are its own, and it is one part."""
    waiting, seen = [message], 0
    while waiting:
        part = waiting.pop(0)
        seen += 1
        if seen > MOST_PARTS:
            raise BadInput(f"the mail has more than {MOST_PARTS} parts; look at it in the mailbox")
        inside = part.get_payload()
        if isinstance(inside, list) and part.get_content_maintype() == "multipart":
            waiting = [one for one in inside if isinstance(one, Message)] + waiting
        else:
            yield part


def _decoded(value: Any) -> str:
    """A header as one line of text."""
    raw = str(value)[:LONGEST_HEADER]
    with suppress(ValueError, LookupError):  # a charset that there is not, base64 that is none: as it stands
        raw = str(make_header(decode_header(raw)))
    return "".join(sign if sign.isprintable() else " " for sign in _whole(raw)).strip()


def _whole(text: str) -> str:
    """`text` without halves of characters, which no encoding has."""
    return text.encode("utf-8", "replace").decode()


def _addresses(message: Message, *names: str) -> list[tuple[str, str]]:
    """(name, address) of the people in headers; the address in lower case. Empty where they cannot be read."""
    raw = [str(value)[:LONGEST_HEADER] for name in names for value in message.get_all(name, [])]
    found = getaddresses(raw[:_MOST_ADDRESSES])[:_MOST_ADDRESSES]
    return [
        (_decoded(name)[:200], address.lower())
        for name, address in found
        if re.fullmatch(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}", address)
    ]


def _text(content: bytes, part: Message) -> str:
    try:
        return content[:LONGEST_HTML].decode(part.get_content_charset("utf-8"), "replace").replace("\r\n", "\n")
    except LookupError:
        return content[:LONGEST_HTML].decode("utf-8", "replace")


def _without_tags(marked_up: str) -> str:
    if not marked_up.strip():
        return ""
    tree = html.fromstring(marked_up.encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False))
    etree.strip_elements(tree, "script", "style", "head", "title", etree.Comment, with_tail=False)
    return re.sub(r"[ \t\xa0]+", " ", re.sub(r"\s*\n\s*", "\n", "\n".join(tree.itertext())))


def _date(text: str) -> str | None:
    """ISO 8601 of the moment that the sender names."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _is_by_machine(headers: dict[str, str]) -> bool:
    """Whether no person wrote it: answering such a mail would answer a machine, which answers again."""
    if headers.get("auto-submitted", "no").lower() != "no" or any(name in headers for name in _BY_MACHINE):
        return True
    return headers.get("precedence", "").lower() in ("bulk", "list", "junk") or headers.get("return-path") == "<>"
