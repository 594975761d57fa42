"""Access tokens (OAuth 2.1): in whose name they are, when they are renewed, and what a person's consent is kept as."""

import asyncio
import os
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fasteners import InterProcessLock  # type: ignore[import-untyped]
from mcp.shared.auth import OAuthToken
from pydantic import BaseModel, Field, ValidationError

from errors import BadInput, TryAgain
from settings import settings
from strict_json import strict_json
from systems.authorization_server import AuthorizationServer, Expired, OAuthClient

#: seconds before its end at which a token is renewed, at most
_LEEWAY = 30.0
#: of a system there is one renewal at a time in this process; the lock of a file is one between processes
_RENEWING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

#: beginning of the names of RFC 8693
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type"
#: kind of a key -> how it signs
_ALGORITHMS = {Ed25519PrivateKey: "EdDSA", EllipticCurvePrivateKey: "ES256", RSAPrivateKey: "RS256"}


class Consent(BaseModel, extra="forbid", frozen=True):
    """What a person consented to, as it is kept, and the tokens of it. Good for one issuer and one resource."""

    issuer: str
    resource: str
    client: OAuthClient
    access_token: str = Field(repr=False)
    #: seconds since 1970 from which on it is renewed; None: until it is rejected
    renew_at: float | None = None
    refresh_token: str | None = Field(default=None, repr=False)


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
