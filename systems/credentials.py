"""How a system is told who calls: `auth`, `tls` and `proxy` of `systems.yaml`, which name secrets and hold none.

    auth:
      bearer: {env: SHOP_TOKEN}                        # or one of these in its place
      basic: {username: missions, password: {file: /run/secrets/shop}}
      oauth: {issuer: "https://login.example", grant: client_credentials, client_id: missions, client_secret: {env: SHOP_SECRET}}
      headers: {X-Api-Key: {file: /run/secrets/key}}   # alone, or beside it
    tls: {ca: /etc/shop/ca.pem, certificate: /etc/shop/missions.pem, key: /etc/shop/missions.key}
    proxy: {url: "http://proxy.example:3128", username: missions, password: {env: PROXY_PASSWORD}}

A secret file is read again whenever a request is sent, so that a secret can be changed while everything runs.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, Field, model_validator

from errors import TryAgain

#: characters; what is shorter stands in many words, so that it could not be kept out of sentences
SHORTEST_SECRET = 6
#: characters
_LONGEST_SECRET = 16_000
#: secrets of one connection that are still looked for: tokens are renewed as long as it runs
_MOST_SECRETS = 64


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("a path that begins with / is expected, since commands are called in many folders")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class SecretSource(BaseModel, extra="forbid", frozen=True):
    """Where a secret comes from: a variable of the environment, or a file that holds nothing else."""

    env: _Name | None = None
    file: AbsolutePath | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_literal(cls, given: Any) -> Any:
        if not isinstance(given, dict | SecretSource):  # and what stands there is not repeated
            raise ValueError("a secret does not stand in this file: write {env: VARIABLE} or {file: /PATH} in its place")
        return given

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret comes from either {env: VARIABLE} or {file: /PATH}, and exactly one of them")
        return self

    @property
    def label(self) -> str:
        """What stands in sentences in the place of the secret."""
        return self.env or str(self.file)

    def read(self, env: Mapping[str, str], system: str) -> str:
        """The secret. Raises TryAgain with a sentence about the system that cannot be reached without it."""
        try:
            return self._read(env)
        except ValueError as missing:  # its text holds nothing of the secret
            raise TryAgain(f"{system} cannot be reached ({missing}); provide it, or correct the entry of {system}.") from None

    def _read(self, env: Mapping[str, str]) -> str:
        if self.env is not None:
            value, what = env.get(self.env, ""), f"the variable {self.env}"
        else:
            what = f"the secret file {self.file}"
            try:
                with open(str(self.file), encoding="utf-8") as file:
                    value = file.read(_LONGEST_SECRET + 1).strip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not plain text"
                raise ValueError(f"{what} cannot be read: {reason}") from None
        if not value:
            raise ValueError(f"{what} is {'empty' if self.file or self.env in env else 'not set'}")
        if len(value) < SHORTEST_SECRET:
            raise ValueError(f"{what} has fewer than {SHORTEST_SECRET} characters, which could not be kept out of sentences")
        if len(value) > _LONGEST_SECRET or not (value.isascii() and value.isprintable()):
            raise ValueError(f"{what} holds what no header can carry: one line of at most {_LONGEST_SECRET:,} ASCII characters")
        return value


class BasicConfig(BaseModel, extra="forbid", frozen=True):
    """A user name and a password (RFC 7617)."""

    username: Annotated[_Name, Field(pattern=r"^[ -9;-~]+$")]
    password: SecretSource


class OnBehalfConfig(BaseModel, extra="forbid", frozen=True):
    """What Missions sign to call in the name of whoever approved a WRITE."""

    #: of the assertion, as the authorization server knows Missions
    issuer: str = Field(min_length=1)
    #: private key (PEM: Ed25519, P-256 or RSA)
    key: AbsolutePath


class OAuthConfig(BaseModel, extra="forbid", frozen=True):
    """How access tokens are got (OAuth 2.1). The system has no say in who is asked for them: `issuer` alone decides."""

    #: of the authorization server, as its metadata (RFC 8414) name it
    issuer: str = Field(pattern="^https?://")
    #: `authorization_code`: a person consents once, by `missions systems connect`
    grant: Literal["client_credentials", "authorization_code"]
    #: without one, `missions systems connect` registers a client (RFC 7591)
    client_id: _Name | None = None
    client_secret: SecretSource | None = None
    #: words separated by blanks
    scope: str = ""
    #: what the tokens are for (RFC 8707); None: the address of the system
    resource: str | None = None
    #: approved WRITEs go out in the name of whoever approved them (RFC 8693)
    on_behalf: OnBehalfConfig | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        require_no_password(self.issuer)
        require_private(self.issuer)
        if self.grant == "client_credentials" and not (self.client_id and self.client_secret):
            raise ValueError("client_credentials needs a `client_id` and a `client_secret`; add them")
        if self.on_behalf and self.grant != "client_credentials":
            raise ValueError("`on_behalf` needs the grant client_credentials; with a consent all goes out in one name")
        if self.client_secret and not self.client_id:
            raise ValueError("a `client_secret` needs the `client_id` that it belongs to; add it")
        return self


class AuthConfig(BaseModel, extra="forbid", frozen=True):
    """What every request to a system carries."""

    bearer: SecretSource | None = None
    basic: BasicConfig | None = None
    oauth: OAuthConfig | None = None
    headers: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")], SecretSource] = {}

    @model_validator(mode="before")
    @classmethod
    def _no_literal(cls, given: Any) -> Any:
        if not isinstance(given, dict | AuthConfig):  # and what stands there is not repeated
            raise ValueError(
                "a way stands here, `bearer`, `basic`, `oauth` or `headers`, with {env: VARIABLE} or {file: /PATH} for secrets"
            )
        return given

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = [
            self.bearer,
            self.basic,
            self.oauth,
            *(one for name, one in self.headers.items() if name.lower() == "authorization"),
        ]
        if not (self.headers or any(ways)):
            raise ValueError("it names no secret; take it out, or add `bearer`, `basic`, `oauth` or `headers`")
        if sum(way is not None for way in ways) > 1:
            raise ValueError("two of its entries fill the same header, Authorization; keep one of them")
        return self


class TlsConfig(BaseModel, extra="forbid", frozen=True):
    """Whom a connection trusts, and how it shows itself (PEM files). Without `ca` it trusts whom this machine trusts."""

    ca: AbsolutePath | None = None
    certificate: AbsolutePath | None = None
    #: of the certificate, where it does not stand in the same file
    key: AbsolutePath | None = None
    #: of the key, where it is encrypted
    password: SecretSource | None = None

    @model_validator(mode="after")
    def _has_its_certificate(self) -> Self:
        if self.certificate is None and (self.key or self.password):
            raise ValueError("a key needs the `certificate` that it belongs to; add it")
        return self


class ProxyConfig(BaseModel, extra="forbid", frozen=True):
    """The proxy by which a system is reached. Those that the environment names are not used."""

    url: str = Field(pattern="^https?://")
    username: str = ""
    password: SecretSource | None = None

    @model_validator(mode="after")
    def _holds_no_password(self) -> Self:
        require_no_password(self.url)
        if bool(self.username) != bool(self.password):
            raise ValueError("a proxy that asks for a user needs both `username` and `password`")
        return self


def require_no_password(url: str) -> None:
    """Raise ValueError, without repeating it, for an address with a user or password."""
    if "@" in urlsplit(url).netloc:
        raise ValueError("an address holds no user or password here; name them under `auth` (of a proxy: beside its url)")


def require_private(url: str) -> None:
    """Raise ValueError for an address over which a secret would travel in plain text."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("secrets would travel in plain text; use an https:// address")


class Secrets:
    """The secrets of one connection as they were read and renewed, so that none stands in what is kept or shown."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def add(self, label: str, value: str) -> str:
        """`value`, which is looked for from now on, as it is, in other capitals, and as JSON, addresses and base64 write it."""
        packed = base64.b64encode(value.encode()).decode().rstrip("=")
        as_written = {value, value.upper(), value.lower(), json.dumps(value)[1:-1], quote(value, safe="")}
        for form in as_written | {packed, packed.translate(str.maketrans("+/", "-_"))}:
            self._labels.pop(form, None)
            self._labels[form] = label
        while len(self._labels) > _MOST_SECRETS:
            del self._labels[next(iter(self._labels))]
        return value

    def hide(self, text: str) -> str:
        """`text` with "[label]" in the place of every secret, the longest first."""
        known = sorted(self._labels.items(), key=lambda one: len(one[0]), reverse=True)  # at once: a thread may renew a token
        for form, label in known:
            text = text.replace(form, f"[{label}]") if len(form) >= SHORTEST_SECRET else text
        return text

    def shown_in(self, said: BaseModel | str) -> bool:
        """Whether one of them stands in a text, or in anything of a model."""
        if not self._labels:
            return False
        text = said if isinstance(said, str) else said.model_dump_json()
        return any(form in text for form in tuple(self._labels) if len(form) >= SHORTEST_SECRET)


def authorization(auth: AuthConfig, env: Mapping[str, str], system: str, secrets: Secrets) -> dict[str, str]:
    """The headers of a request to a system, by name, but for OAuth. Raises TryAgain where a secret is missing."""
    headers = {name: secrets.add(source.label, source.read(env, system)) for name, source in auth.headers.items()}
    if auth.bearer:
        headers["Authorization"] = f"Bearer {secrets.add(auth.bearer.label, auth.bearer.read(env, system))}"
    if auth.basic:
        source = auth.basic.password
        password = secrets.add(source.label, source.read(env, system))
        pair = base64.b64encode(f"{auth.basic.username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {secrets.add(source.label, pair)}"
    return headers
