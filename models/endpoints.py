"""Which addresses of a model may be used: data of cases goes there."""

import ipaddress
from urllib.parse import urlsplit

from errors import BadInput
from models.calls import Endpoint

OPENAI = "https://api.openai.com/v1"


def address_of(endpoint: Endpoint) -> str:
    """The address to send to. Raises BadInput where a case or the key would travel in the open, or which is none."""
    url = endpoint.url or OPENAI
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or port == 0 or not (url.isascii() and url.isprintable()):
        raise BadInput(f"MISSIONS_MODEL_URL is {url[:100]!r}, and no address of a model; give one such as {OPENAI}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise BadInput("MISSIONS_MODEL_URL has more than an address in it; give the key in MISSIONS_MODEL_KEY alone")
    if parts.scheme == "http" and not _near(host):
        raise BadInput(f"MISSIONS_MODEL_URL: what goes to {host} over http can be read on the way; give an address with https")
    if not (endpoint.key.isascii() and endpoint.key.isprintable()):
        raise BadInput("MISSIONS_MODEL_KEY holds characters that no key has; copy it anew")
    return url.rstrip("/")


def is_openai(url: str) -> bool:
    """Whether the address is OpenAI's own, or Azure's, which take no other parameter than they know."""
    host = urlsplit(url).hostname or ""
    return host.endswith(("openai.com", "openai.azure.com"))


def _near(host: str) -> bool:
    """Whether a host is this machine or of the own network, as names without a dot are."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private
