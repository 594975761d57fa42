"""A mailbox that is read by IMAP (RFC 3501): where it is, and what came since the last look. Nothing in it is changed."""

import imaplib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from errors import TryAgain
from systems.credentials import SecretSource
from systems.mail import MOST_MAIL_BYTES

#: mails that one look reads
AT_ONCE = 20
_SECONDS = 30.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: what went wrong, in words of ours: the first that fits
_WHY: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted"), (ssl.SSLError, "no encrypted connection comes about"),
    (socket.gaierror, "no host has that name"), (TimeoutError, f"no answer within {_SECONDS:g} seconds"),
    (ConnectionRefusedError, "nothing answers there"), (imaplib.IMAP4.abort, "it ended the connection"),
    (OSError, "it cannot be reached"), (imaplib.IMAP4.error, "it refused"), (Exception, "what it answers is not IMAP"),
)  # fmt: skip
_CURSOR = re.compile(r"(\d{1,10})/(\d{1,10})")
_SIZE = re.compile(rb"UID (\d+).*?RFC822\.SIZE (\d+)|RFC822\.SIZE (\d+).*?UID (\d+)")


class Mailbox(BaseModel, extra="forbid", frozen=True):
    """`mailbox` of an event source: how it is reached, and what its mails may start."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: int = Field(default=993, strict=True, ge=1, le=65_535)
    #: none only on this machine
    encryption: Literal["tls", "starttls", "none"] = "tls"
    user: Annotated[str, Field(pattern=r'^[^\s"\\(){}%*]{1,200}$')]
    password: SecretSource
    folder: Annotated[str, Field(pattern=r"^[ !#-\[\]-~]{1,100}$")] = "INBOX"
    every_seconds: int = Field(default=60, strict=True, ge=5, le=86_400)
    #: days: mails that came earlier are not read, and an `as_of` may lie so far back
    as_of_days: int = Field(default=3, strict=True, ge=0, le=365)
    missions: tuple[str, ...] = Field(min_length=1)
    per_hour: int = Field(default=600, strict=True, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        if self.encryption == "none" and not _is_here(self.host):
            raise ValueError("the password would travel in plain text; use tls or starttls")
        return self


@dataclass(frozen=True)
class FetchedMail:
    """A mail of a mailbox; of one that is too large, nothing."""

    uid: int
    size: int
    content: bytes


class _Bounded(imaplib.IMAP4):
    """Takes no more at once than a mail may have, whatever the server announces."""

    def read(self, size: int) -> bytes:
        if size > MOST_MAIL_BYTES + 1_000:
            raise self.abort("a literal that is too long")
        return super().read(size)


class _BoundedTls(imaplib.IMAP4_SSL):
    def read(self, size: int) -> bytes:
        if size > MOST_MAIL_BYTES + 1_000:
            raise self.abort("a literal that is too long")
        return super().read(size)


def read_mailbox(mailbox: Mailbox, cursor: str, now: datetime) -> tuple[list[FetchedMail], str]:
    """(the next mails, oldest first, at most `AT_ONCE`; the cursor after them).

    A cursor is UIDVALIDITY/UID; where the server has numbered its mails anew, all of the last days are read again. Raises
    TryAgain where the mailbox cannot be read.
    """
    with _opened(mailbox) as box:
        validity, last = _position(box, cursor)
        since = (now - timedelta(days=mailbox.as_of_days + 1)).date()
        day = f"{since.day:02}-{_MONTHS[since.month - 1]}-{since.year}"
        _, found = box.uid("SEARCH", f"UID {last + 1}:*", "SINCE", day)
        uids = sorted({int(one) for one in (found[0] or b"").split() if one.isdigit() and int(one) > last})[:AT_ONCE]
        mails = [_fetched(box, uid) for uid in uids]
    return [mail for mail in mails if mail], f"{validity}/{uids[-1] if uids else last}"


@contextmanager
def _opened(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    where = f"the mailbox {mailbox.user} of {mailbox.host}"
    password = mailbox.password.read(os.environ, where)
    box: imaplib.IMAP4 | None = None
    try:
        if mailbox.encryption == "tls":
            box = _BoundedTls(mailbox.host, mailbox.port, ssl_context=ssl.create_default_context(), timeout=_SECONDS)
        else:
            box = _Bounded(mailbox.host, mailbox.port, timeout=_SECONDS)
            if mailbox.encryption == "starttls":
                box.starttls(ssl.create_default_context())
        box.login(mailbox.user, password)
        if box.select(f'"{mailbox.folder}"', readonly=True)[0] != "OK":
            raise TryAgain(f"{where} has no folder {mailbox.folder!r}; correct its name")
        yield box
    # what a server says may quote the password
    except (imaplib.IMAP4.error, OSError, ValueError, IndexError, TypeError) as error:
        why = next(words for kind, words in _WHY if isinstance(error, kind))
        raise TryAgain(f"{where} cannot be read ({why}); check its address, user and password") from None
    finally:
        if box is not None:
            _closed(box)


def _closed(box: imaplib.IMAP4) -> None:
    try:
        box.logout()
    except (imaplib.IMAP4.error, OSError):
        box.shutdown()


def _position(box: imaplib.IMAP4, cursor: str) -> tuple[int, int]:
    """(UIDVALIDITY, the last UID that was read)."""
    validity = int(box.response("UIDVALIDITY")[1][0])
    before = _CURSOR.fullmatch(cursor)
    return validity, int(before[2]) if before and int(before[1]) == validity else 0


def _fetched(box: imaplib.IMAP4, uid: int) -> FetchedMail | None:
    """A mail; None for one that is gone by now."""
    _, sizes = box.uid("FETCH", str(uid), "(UID RFC822.SIZE)")
    told = _SIZE.search(sizes[0]) if sizes and isinstance(sizes[0], bytes) else None
    if told is None:
        return None
    size = int(told[2] or told[3])
    if size > MOST_MAIL_BYTES:
        return FetchedMail(uid, size, b"")
    _, parts = box.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_MAIL_BYTES}>)")
    content = next((part[1] for part in parts if isinstance(part, tuple)), None)
    return None if content is None else FetchedMail(uid, size, content)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
