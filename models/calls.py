"""What is asked of a language model, and what comes back. START HERE.

This room knows no Mission. A model is asked one question at a time and answers with one JSON object of the schema that the
question gives; it is offered no tool. Nothing that it answers is trusted: who asks checks it.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import orjson

from errors import BadInput

#: how an answer is made to be one JSON object: by the server's grammar, by the arguments of one tool, or by asking for it
Structure = Literal["auto", "json_schema", "tools", "json"]
OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible server; OpenAI's own where `url` is empty."""

    model: str
    #: ends in /v1, say
    url: str
    key: str = ""
    structure: Structure = "auto"

    def __post_init__(self) -> None:
        """Raises BadInput where a case or the key would travel in the open, and for what is no address or no key."""
        try:
            parts = urlsplit(self.address)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        host = parts.hostname or ""
        plain = self.url.isascii() and self.url.isprintable()
        if parts.scheme not in ("http", "https") or not host or port == 0 or not plain:
            raise BadInput(f"MISSIONS_MODEL_URL is {self.url[:100]!r}, and no address of a model; give one such as {OPENAI}")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise BadInput("MISSIONS_MODEL_URL has more than an address in it; give the key in MISSIONS_MODEL_KEY alone")
        if parts.scheme == "http" and not _near(host):
            read = f"what goes to {host} over http can be read on the way"
            raise BadInput(f"MISSIONS_MODEL_URL: {read}; give an address with https")
        if not (self.key.isascii() and self.key.isprintable()):
            raise BadInput("MISSIONS_MODEL_KEY contains characters that are not allowed in a key; copy it again")

    @property
    def address(self) -> str:
        """Where to send to."""
        return (self.url or OPENAI).rstrip("/")


def _near(host: str) -> bool:
    """Whether a host is this machine or of the own network, as names without a dot are."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a call, a run and a day may take."""

    #: of one question, all its tries and waiting together
    seconds: float = 45.0
    output_tokens: int = 2_000
    #: of one answer on the wire, where a streamed token takes some 300
    most_bytes: int = 1_000_000
    prompt_characters: int = 60_000
    run_tokens: int = 60_000
    day_tokens: int = 2_000_000
    #: US cents; 0 for no limit, or where prices are not known
    day_cents: float = 0.0
    #: US cents for a million tokens
    price_input: float = 0.0
    price_output: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: instructions, data, and the JSON schema of the answer."""

    #: "plan", "choice", "understand" or "invoice": what it is for, and the name of its schema
    purpose: str
    #: name, version and digest of the prompt file, as "hybrid@1:3fa2b19c"
    prompt: str
    system: str
    user: str
    schema: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of everything that could change the answer, but the model."""
        asked = [self.purpose, self.prompt, self.system, self.user, self.schema]
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer that fits the schema of its question."""

    answer: Mapping[str, Any]
    #: the way by which it was made to fit: "json_schema", "tools" or "json"
    structure: str
    input_tokens: int
    output_tokens: int
    latency_ms: float
    #: how often the question was sent again
    retries: int = 0


class Model(Protocol):
    """A language model behind an endpoint."""

    #: as people and records name it
    name: str

    def ask(self, question: Question) -> Reply:
        """The answer to a question; may be called from any thread. Raises NoAnswer within the limits."""
