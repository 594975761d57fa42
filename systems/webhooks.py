"""The signatures of webhooks: HMAC-SHA256 over the raw body and, where the sender says when, over the moment of sending.

    signature:
      scheme: hmac_sha256
      header: Stripe-Signature         # where the signature stands
      secret: {env: STRIPE_SECRET}     # or {file: /run/secrets/stripe}; a key in base64: {…, encoding: base64, prefix: whsec_}
      encoding: hex                    # or base64
      separator: ","                   # where the header holds several things: t=…,v1=…,v1=…
      prefix: "v1="                    # what stands before each signature
      timestamp: {part: "t="}          # in the same header; or {header: webhook-timestamp}. Seconds, or ISO 8601
      tolerance_seconds: 300           # how far that moment may lie from now
      signed: "{timestamp}.{body}"     # what is signed; {webhook-id} stands for a header

A secret is read at each request, so that a file may change under a running process. It stands in no sentence.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from errors import Refused, TryAgain
from systems.credentials import SecretSource

#: (name, value) of the headers of a request, as they came; names in lower case
HeaderList = Sequence[tuple[str, str]]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$", to_lower=True)]
Encoding = Literal["hex", "base64"]
BODY, TIMESTAMP = "body", "timestamp"
#: characters of a header that is looked at, signatures that one may hold
LONGEST_HEADER, MOST_SIGNATURES = 4_000, 10
_PLACE = re.compile(r"\{([^{}]*)\}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class WebhookSecret(SecretSource, extra="forbid", frozen=True):
    """The secret of a signature: its characters are the key, or say the key in base64 behind a prefix."""

    encoding: Literal["text", "base64"] = "text"
    prefix: str = ""

    def key(self) -> bytes:
        """The key. Raises TryAgain, naming the place alone, where there is none, or it is not encoded so."""
        try:
            text = self._read(os.environ).removeprefix(self.prefix)
            return text.encode() if self.encoding == "text" else base64.b64decode(text, validate=True)
        except binascii.Error:
            raise TryAgain(f"the secret in {self.label} is not base64; correct it, and send again") from None
        except ValueError as missing:  # its text holds nothing of the secret
            raise TryAgain(f"no signature can be checked ({missing}); provide it, and send again") from None


class SignatureTime(BaseModel, extra="forbid", frozen=True):
    """Where the moment of sending stands: in a header of its own, or in a part of that of the signature."""

    header: HeaderName | None = None
    part: str = ""

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if bool(self.part) == (self.header is not None):
            raise ValueError("the timestamp stands in a header or in a part of the signature's: name one of them")
        return self


class Signature(BaseModel, extra="forbid", frozen=True):
    """How the requests of a source are signed."""

    scheme: Literal["hmac_sha256"]
    header: HeaderName
    secret: WebhookSecret
    encoding: Encoding
    separator: str = ""
    prefix: str = ""
    timestamp: SignatureTime | None = None
    tolerance_seconds: int = Field(default=300, strict=True, ge=1, le=3_600)
    signed: str = "{body}"

    @model_validator(mode="after")
    def _signs_what_counts(self) -> Self:
        places = _PLACE.findall(self.signed)
        if places.count(BODY) != 1:
            raise ValueError("what is signed must hold {body}, once")
        if (TIMESTAMP in places) != (self.timestamp is not None):
            raise ValueError("what is signed must hold {timestamp} where there is one: anybody could change it otherwise")
        if self.timestamp and self.timestamp.part and not self.separator:
            raise ValueError("a part of a header needs the separator between its parts")
        for name in self.signed_headers:
            if not re.fullmatch(r"[a-z0-9-]+", name):
                raise ValueError(f"what is signed names {{{name}}}, which is no header in lowercase letters")
        return self

    @property
    def signed_headers(self) -> frozenset[str]:
        """The headers that are signed with the body, whose values whoever sends a request again cannot change."""
        return frozenset(_PLACE.findall(self.signed)) - {BODY, TIMESTAMP}

    @property
    def own_headers(self) -> frozenset[str]:
        """The headers that only the signature needs."""
        return frozenset({self.header, (self.timestamp and self.timestamp.header) or self.header})


def require_signature(signature: Signature, headers: HeaderList, body: bytes, at: datetime) -> None:
    """Raise Refused, with the reason for the log, unless somebody who has the secret signed this body, and did so lately.

    Raises TryAgain where the secret is not there.
    """
    key = signature.secret.key()
    parts = (
        _one(headers, signature.header).split(signature.separator) if signature.separator else [_one(headers, signature.header)]
    )
    values = {name: _one(headers, name) for name in signature.signed_headers}
    if signature.timestamp:
        values[TIMESTAMP] = _timestamp(signature.timestamp, headers, parts)
        _require_recent(values[TIMESTAMP], at, signature.tolerance_seconds)
    expected = hmac.new(key, b"".join(_pieces(signature.signed, values, body)), hashlib.sha256).digest()
    given = [part.strip().removeprefix(signature.prefix) for part in parts if part.strip().startswith(signature.prefix)]
    if not given or len(given) > MOST_SIGNATURES:
        raise Refused(f"its header {signature.header} holds no signature, or more than {MOST_SIGNATURES}")
    if not any(hmac.compare_digest(expected, _decoded(one, signature.encoding)) for one in given):
        raise Refused("its signature is not that of its body")


def _one(headers: HeaderList, name: str) -> str:
    """The one value of a header: of two, one could be signed and the other read."""
    found = [value for given, value in headers if given == name]
    if len(found) != 1 or len(found[0]) > LONGEST_HEADER:
        raise Refused(f"it has the header {name} {len(found)} times" if len(found) != 1 else f"its header {name} is too long")
    return found[0].strip()


def _timestamp(where: SignatureTime, headers: HeaderList, parts: Sequence[str]) -> str:
    if where.header:
        return _one(headers, where.header)
    found = [part.strip().removeprefix(where.part) for part in parts if part.strip().startswith(where.part)]
    if len(found) != 1:
        raise Refused(f"its signature has {len(found)} parts {where.part}, and should have one")
    return found[0]


def _require_recent(timestamp: str, at: datetime, tolerance_seconds: int) -> None:
    try:
        sent = datetime.fromtimestamp(int(timestamp), UTC) if _SECONDS.fullmatch(timestamp) else datetime.fromisoformat(timestamp)
        apart = abs((at - sent).total_seconds())
    except (ValueError, OverflowError, OSError, TypeError):  # TypeError: without a zone
        raise Refused("its timestamp is no moment") from None
    if apart > tolerance_seconds:
        raise Refused(f"it was signed {apart:.0f} s from now, which is more than {tolerance_seconds} s")


def _pieces(signed: str, values: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    for place, piece in enumerate(_PLACE.split(signed)):
        if place % 2 == 0:
            yield piece.encode()
        else:
            # headers are bytes that HTTP reads as Latin-1
            yield body if piece == BODY else values[piece].encode("latin-1", "replace")


def _decoded(text: str, encoding: Encoding) -> bytes:
    """The bytes of a signature; none of what is not encoded so, which no signature equals."""
    try:
        if encoding == "hex":
            return bytes.fromhex(text) if _HEX.fullmatch(text) else b""
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
