"""The authorization server of a system (OAuth 2.1): what it says of itself, the client it registers, the tokens it gives.

Only that of `issuer` is asked, at the endpoints of its metadata (RFC 8414), for tokens that are good at one system (RFC 8707).
Whatever the system itself says of authorization servers is not followed.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

import httpx2
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls as metadata_addresses
from mcp.shared.auth import OAuthToken
from mcp.shared.auth_utils import resource_url_from_server_url
from pydantic import BaseModel, Field, ValidationError

from errors import BadInput, TryAgain
from strict_json import strict_json
from systems.config import SystemConfig
from systems.credentials import Secrets, require_private

#: bytes of an answer of an authorization server
_LONGEST = 200_000
#: a code of RFC 6749, which may stand in a sentence; what a server describes it with may quote what it was sent
_CODE = re.compile(r"[a-z_]{1,40}")

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


class AuthorizationServer:
    """The authorization server of one system. Its methods wait, and are called in a thread; they raise TryAgain."""

    def __init__(self, config: SystemConfig, env: Mapping[str, str], secrets: Secrets, http: Callable[[], httpx2.Client]) -> None:
        assert config.auth is not None and config.auth.oauth is not None  # whoever makes one has looked
        self.system, self.oauth = config.name, config.auth.oauth
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
