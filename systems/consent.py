"""A person consents once that Missions call a system in her name: authorization code with PKCE (OAuth 2.1, RFC 8252).

The browser comes back to a port of this machine, which is open until then.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from mcp.client.auth.utils import build_protected_resource_metadata_discovery_urls as resource_metadata_addresses
from mcp.shared.auth import ProtectedResourceMetadata
from pydantic import ValidationError

from errors import BadInput, Refused, TryAgain
from systems.authorization_server import AuthorizationServer, Expired
from systems.config import SystemConfig
from systems.credentials import Secrets
from systems.http import token_client
from systems.oauth import Consent, consent_of, write_consent

#: seconds for which the person has time
PATIENCE = 300.0
_PATH = "/callback"


def ask_consent(
    config: SystemConfig, env: Mapping[str, str], show: Callable[[str], None], port: int = 0, patience: float = PATIENCE
) -> Consent:
    """Let a person consent, and keep and return that. `show` is given the address to open; `port` 0 takes any that is free.

    Raises BadInput where the system asks for no consent or the port is taken, Refused where the person declined or took
    too long, TryAgain where the authorization server is of no use.
    """
    if config.auth is None or config.auth.oauth is None:
        raise BadInput(_without_oauth(config, env))
    if config.auth.oauth.grant != "authorization_code":
        raise BadInput(f"{config.name} needs no consent: its `oauth` has the grant client_credentials.")
    hidden = Secrets()
    server = AuthorizationServer(config, env, hidden, lambda: token_client(config, env, hidden))
    metadata = server.metadata()
    if metadata.authorization_endpoint is None or "S256" not in metadata.code_challenge_methods_supported:
        raise server.failure("it offers no authorization with PKCE (S256)")
    verifier, state = secrets.token_urlsafe(64), secrets.token_urlsafe(32)
    with _listening(port, state) as listener:
        redirect_uri = f"http://127.0.0.1:{listener.server_port}{_PATH}"
        client = server.configured_client() or server.register(redirect_uri)
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "resource": server.resource,
            **({"scope": server.oauth.scope} if server.oauth.scope else {}),
        }
        joined = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        show(f"{metadata.authorization_endpoint}{joined}{urlencode(query)}")
        answer = listener.wait(patience)
    if answer is None:
        raise Refused(f"Nobody consented to {config.name} within {patience:g} seconds; run the command again.")
    iss = answer.get("iss")
    if (iss is None and metadata.authorization_response_iss_parameter_supported) or iss not in (None, metadata.issuer):
        raise Refused(f"The answer about {config.name} did not come from {metadata.issuer}; nothing was kept of it.")
    if "code" not in answer:
        raise Refused(f"The consent to {config.name} was not given; run the command again to ask for it.")
    try:
        grant = {"code": answer["code"], "redirect_uri": redirect_uri, "code_verifier": verifier}
        token = server.token(client, grant_type="authorization_code", **grant)
    except Expired:
        raise TryAgain(f"The consent to {config.name} came too late for its issuer; run the command again.") from None
    consent = consent_of(server, client, token)
    write_consent(config.name, consent)
    return consent


def _without_oauth(config: SystemConfig, env: Mapping[str, str]) -> str:
    """That a system has no `oauth`, and which issuer it names itself (RFC 9728): somebody has to say that it is right."""
    if config.url is None:
        return f"{config.name} is started by a command, and needs no consent."
    named = ""
    with suppress(TryAgain, httpx2.HTTPError, ValidationError), token_client(config, env, Secrets()) as http:
        for url in resource_metadata_addresses(None, config.url):
            with http.stream("GET", url) as answer:
                if answer.status_code == 200 and (content := next(answer.iter_bytes(100_000), b"")):
                    issuers = ProtectedResourceMetadata.model_validate_json(content).authorization_servers
                    named = f" It names {' and '.join(str(one).rstrip('/') for one in issuers[:5])}: is that right?"
                    break
    return f"{config.name} has no `oauth` in its `auth`; add it, with the issuer, as docs/your-systems.md describes.{named}"


class _Listener(HTTPServer):
    """Waits for the one answer with the right state; whatever else knocks is turned away."""

    allow_reuse_address = False

    def __init__(self, port: int, state: str) -> None:
        super().__init__(("127.0.0.1", port), _Callback)
        self.state, self.answer = state, dict[str, str]()

    def wait(self, seconds: float) -> dict[str, str] | None:
        until = time.monotonic() + seconds
        while not self.answer and (left := until - time.monotonic()) > 0:
            self.timeout = left
            self.handle_request()
        return self.answer or None

    def handle_error(self, *_: Any) -> None:
        """Nothing: whoever knocks and goes away is no news."""


class _Callback(BaseHTTPRequestHandler):
    #: seconds; a client that sends nothing does not hold up the others
    timeout = 5
    server: _Listener

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query, max_num_fields=20).items()}
        fits = parts.path == _PATH and secrets.compare_digest(given.get("state", "").encode(), self.server.state.encode())
        text = b"You may close this page and go back to the terminal." if fits else b"This is not what is waited for."
        self.send_response(200 if fits else 404)
        for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(text)), "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        if fits:
            self.server.answer = given

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: its line would hold the code."""


def _listening(port: int, state: str) -> _Listener:
    try:
        return _Listener(port, state)
    except OSError as error:
        raise BadInput(
            f"Port {port} of this machine cannot be listened on ({error.strerror}); name another by --port."
        ) from error
