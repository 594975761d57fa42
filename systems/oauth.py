"""Access tokens by OAuth 2.1: who issues them, what a person's consent is kept as, and when they are renewed.

Only the authorization server of `issuer` is asked, at the endpoints of its metadata (RFC 8414), for tokens that are good at
one system (RFC 8707). Whatever the system itself says of authorization servers is not followed.
"""

import asyncio
import os
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx2
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fasteners import InterProcessLock  # type: ignore[import-untyped]
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls as metadata_addresses
from mcp.shared.auth import OAuthToken
from mcp.shared.auth_utils import resource_url_from_server_url
from pydantic import BaseModel, Field, ValidationError

from errors import BadInput, TryAgain
from settings import settings
from strict_json import strict_json
from systems.config import SystemConfig
from systems.credentials import OAuthConfig, Secrets, require_private

#: bytes of an answer of an authorization server
_LONGEST = 200_000
#: seconds before its end at which a token is renewed, at most
_LEEWAY = 30.0
#: a code of RFC 6749, which may stand in a sentence; what a server describes it with may quote what it was sent
_CODE = re.compile(r"[a-z_]{1,40}")
#: of a system there is one renewal at a time in this process; the lock of a file is one between processes
_RENEWING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

#: beginning of the names of RFC 8693
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type"
#: kind of a key -> how it signs
_ALGORITHMS = {Ed25519PrivateKey: "EdDSA", EllipticCurvePrivateKey: "ES256", RSAPrivateKey: "RS256"}

M = TypeVar("M", bound=BaseModel)


class ServerMetadata(BaseModel, frozen=True):
    """What an authorization server says of itself (RFC 8414), as far as it is used."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    registration_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    code_challenge_methods_supported: list[str] = ["S256"]
    authorization_response_iss_parameter_supported: bool = False


class OAuthClient(BaseModel, frozen=True):
    """Who asks for a token."""

    client_id: str = Field(min_length=1)
    client_secret: str | None = Field(default=None, repr=False)


class Consent(BaseModel, extra="forbid", frozen=True):
    """What a person consented to, as it is kept, and the tokens of it. Good for one issuer and one resource."""

    issuer: str
    resource: str
    client: OAuthClient
    access_token: str = Field(repr=False)
    #: seconds since 1970 from which on it is renewed; None: until it is rejected
    renew_at: float | None = None
    refresh_token: str | None = Field(default=None, repr=False)


class AuthorizationServer:
    """The authorization server of one system. Its methods wait, and are called in a thread; they raise TryAgain."""

    def __init__(self, config: SystemConfig, env: Mapping[str, str], secrets: Secrets, http: Callable[[], httpx2.Client]) -> None:
        self.system, self.oauth = config.name, oauth_of(config)
        self.resource = self.oauth.resource or resource_url_from_server_url(config.url or "")
        self._env, self._secrets, self._http = env, secrets, http
        self._metadata: ServerMetadata | None = None

    def metadata(self) -> ServerMetadata:
        """What it says of itself, asked for once. Raises TryAgain where that is of no use."""
        if self._metadata is None:
            answers = (self._send("GET", url) for url in metadata_addresses(self.oauth.issuer, self.oauth.issuer))
            found = next((answer for answer in answers if answer.status_code == 200), None)
            if found is None:
                raise self.failure("it publishes no metadata")
            metadata = self._read(found, ServerMetadata)
            if metadata.issuer.rstrip("/") != self.oauth.issuer.rstrip("/"):
                raise self.failure("its metadata name another issuer")
            try:
                for url in (metadata.token_endpoint, metadata.authorization_endpoint, metadata.registration_endpoint):
                    require_private(url or self.oauth.issuer)
            except ValueError:
                raise self.failure("its metadata name an address that is not https") from None
            self._metadata = metadata
        return self._metadata

    def configured_client(self) -> OAuthClient | None:
        """The client that the configuration names. Raises TryAgain where its secret is missing."""
        source = self.oauth.client_secret
        secret = self._secrets.add(source.label, source.read(self._env, self.system)) if source else None
        return OAuthClient(client_id=self.oauth.client_id, client_secret=secret) if self.oauth.client_id else None

    def register(self, redirect_uri: str) -> OAuthClient:
        """A client of this installation (RFC 7591). Raises TryAgain where it registers none."""
        url = self.metadata().registration_endpoint
        if url is None:
            raise self.failure("it registers no clients; name one by `client_id`")
        asked = {
            "client_name": "Missions",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }
        answer = self._send("POST", url, json=asked)
        if answer.status_code not in (200, 201):
            raise self.failure(f"it registers no client ({self._code(answer)}); name one by `client_id`")
        client = self._read(answer, OAuthClient)
        self.hide(client.client_secret)
        return client

    def token(self, client: OAuthClient, **form: str) -> OAuthToken:
        """A token for a grant (RFC 6749, 8707). Raises TryAgain, and Expired where what was granted is no longer."""
        methods = self.metadata().token_endpoint_auth_methods_supported
        data = {**form, "resource": self.resource}
        auth = None
        if client.client_secret and "client_secret_basic" in methods:
            auth = httpx2.BasicAuth(quote(client.client_id, safe=""), quote(client.client_secret, safe=""))
        else:
            data["client_id"] = client.client_id
            if client.client_secret:
                data["client_secret"] = client.client_secret
        answer = self._send("POST", self.metadata().token_endpoint, data=data, auth=auth)
        if answer.status_code != 200:
            code = self._code(answer)
            raise Expired() if code == "invalid_grant" else self.failure(f"it gives no token ({code})")
        token = self._read(answer, OAuthToken)
        self.hide(token.access_token)
        self.hide(token.refresh_token)
        if not (token.access_token.isascii() and token.access_token.isprintable()):
            raise self.failure("its token is none that a header can carry")
        return token

    def hide(self, secret: str | None) -> None:
        """Keep a secret out of sentences from now on."""
        if secret:
            self._secrets.add(f"a token of {self.system}", secret)

    def failure(self, reason: str) -> TryAgain:
        """That no token can be got, for a reason."""
        asked = f"its authorization server {self.oauth.issuer} was asked"
        return TryAgain(f"{self.system} cannot be reached ({asked}: {reason}); look at its `auth`, or try again.")

    def _send(self, method: str, url: str, **options: object) -> httpx2.Response:
        try:
            with self._http() as http, http.stream(method, url, **options) as answer:  # type: ignore[arg-type]
                content = b""
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > _LONGEST:
                        raise self.failure(f"its answer is longer than {_LONGEST:,} bytes")
                return httpx2.Response(answer.status_code, content=content)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self.failure(self._secrets.hide(str(error))[:200] or type(error).__name__) from None

    def _read(self, answer: httpx2.Response, model: type[M]) -> M:
        try:
            return model.model_validate(strict_json(answer.content))
        except (ValidationError, BadInput):  # whose texts quote what they are about
            raise self.failure("its answer is not as OAuth describes it") from None

    def _code(self, answer: httpx2.Response) -> str:
        try:
            code = strict_json(answer.content)["error"]
            return code if _CODE.fullmatch(code) else str(answer.status_code)
        except (BadInput, KeyError, TypeError):
            return str(answer.status_code)


class Expired(Exception):
    """A refresh token or code is good no longer."""


class AccessToken:
    """The access token of one connection, renewed when its time has come or the system rejected it.

    With a `person` it is hers, which she has by what she approved.
    """

    def __init__(self, server: AuthorizationServer, person: str = "") -> None:
        self._server, self._person = server, person
        self._held: Consent | None = None
        self._rejected = ""

    async def get(self) -> str:
        """The token. Raises TryAgain with a sentence where there is none."""
        if not self._is_good(self._held):
            await asyncio.to_thread(self._renew)
        return self._held.access_token if self._held else ""

    def reject(self) -> None:
        """The system did not accept it."""
        self._rejected = self._held.access_token if self._held else ""

    def _is_good(self, consent: Consent | None) -> bool:
        if consent is None or consent.access_token == self._rejected:
            return False
        return consent.renew_at is None or time.time() < consent.renew_at

    def _renew(self) -> None:
        with _RENEWING[self._server.system]:
            if self._is_good(self._held):  # another thread was first
                return
            if self._server.oauth.grant == "client_credentials":
                self._held = self._of_client()
                return
            with _locked(self._server.system):
                self._held = self._of_person()

    def _of_client(self) -> Consent:
        server = self._server
        client = server.configured_client()
        assert client is not None  # as OAuthConfig requires
        grant = self._exchange() if self._person else {"grant_type": "client_credentials"}
        try:
            token = server.token(client, **grant, **({"scope": server.oauth.scope} if server.oauth.scope else {}))
        except Expired:
            name = f" in the name of {self._person}" if self._person else ""
            raise server.failure(f"it gives no token{name} (invalid_grant)") from None
        return consent_of(server, client, token)

    def _exchange(self) -> dict[str, str]:
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": assertion(self._server, self._person),
            "subject_token_type": f"{_TOKEN_TYPE}:jwt",
            "requested_token_type": f"{_TOKEN_TYPE}:access_token",
        }

    def _of_person(self) -> Consent:
        server, system = self._server, self._server.system
        remedy = f"run `missions systems connect {system}`"
        kept = read_consent(system)
        if kept is None or (kept.issuer, kept.resource) != (server.oauth.issuer, server.resource):
            raise TryAgain(f"{system} cannot be reached (nobody has consented to it as its `auth` is now); {remedy}.")
        for secret in (kept.access_token, kept.refresh_token, kept.client.client_secret):
            server.hide(secret)
        if self._is_good(kept):  # another process has renewed it
            return kept
        try:
            if kept.refresh_token is None:
                raise Expired
            client = server.configured_client() or kept.client
            token = server.token(client, grant_type="refresh_token", refresh_token=kept.refresh_token)
        except Expired:
            raise TryAgain(f"{system} cannot be reached (the consent to it has run out or was withdrawn); {remedy}.") from None
        renewed = consent_of(server, kept.client, token, kept.refresh_token)
        write_consent(system, renewed)
        return renewed


def assertion(server: AuthorizationServer, person: str) -> str:
    """That a person approved, signed for the authorization server and good for a minute (RFC 7523).

    Raises TryAgain where the key is missing.
    """
    on_behalf = server.oauth.on_behalf
    assert on_behalf is not None  # whoever calls in the name of a person has looked
    now = int(time.time())
    claims = {"iss": on_behalf.issuer, "sub": person, "aud": server.oauth.issuer, "iat": now, "exp": now + 60}
    try:
        key = load_pem_private_key(on_behalf.key.read_bytes(), None)
        name = next(name for kind, name in _ALGORITHMS.items() if isinstance(key, kind))
        signed = jwt.encode(claims | {"jti": secrets.token_urlsafe(16)}, key, algorithm=name)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, StopIteration, jwt.PyJWTError):
        what = f"{on_behalf.key} is no private key of Ed25519, P-256 or RSA that can be read"
        raise TryAgain(f"{server.system} cannot be reached ({what}); provide it, or correct `on_behalf`.") from None
    server.hide(signed)
    return signed


def oauth_of(config: SystemConfig) -> OAuthConfig:
    """The `oauth` of a system. Raises BadInput where it has none."""
    if config.auth is None or config.auth.oauth is None:
        raise BadInput(f"{config.name} has no `oauth` in its `auth`; add it, as docs/connect-a-system.md describes.")
    return config.auth.oauth


def consent_of(server: AuthorizationServer, client: OAuthClient, token: OAuthToken, refresh_token: str | None = None) -> Consent:
    """What is kept of a token; where it brings no refresh token, the one before it stays good."""
    lasts = token.expires_in
    return Consent(
        issuer=server.oauth.issuer,
        resource=server.resource,
        client=client,
        access_token=token.access_token,
        renew_at=None if lasts is None else time.time() + lasts - min(_LEEWAY, lasts / 2),
        refresh_token=token.refresh_token or refresh_token,
    )


# A consent is kept in a file that only this account can read


def consent_file(system: str) -> Path:
    """Where the consent to a system is kept."""
    return settings().home / "connections" / f"{quote(system, safe='')}.json"


def read_consent(system: str) -> Consent | None:
    """The consent as it is kept; None where there is none. Raises TryAgain where the file is not as it was written."""
    file = consent_file(system)
    try:
        return Consent.model_validate(strict_json(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, BadInput, ValidationError):  # whose texts quote what they are about
        raise TryAgain(f"{file} is no consent that can be read; run `missions systems connect {system}`.") from None


def write_consent(system: str, consent: Consent) -> None:
    """Keep a consent in place of the one before, which stays where that fails. Raises OSError."""
    file = consent_file(system)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
        new.write(consent.model_dump_json())
        new.flush()
        os.fsync(new.fileno())
    os.replace(beside, file)


@contextmanager
def _locked(system: str) -> Iterator[None]:
    file = consent_file(system)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with InterProcessLock(str(file.with_suffix(".lock"))):
        yield
