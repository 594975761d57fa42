"""The one HTTP client by which a system is reached, over MCP or not: its credentials, certificates and proxy, and nothing else.

    credentials = Credentials(config, os.environ)
    async with http_client(config, credentials) as client:
        await credentials.ready()                 # raises TryAgain before anything is sent
        response = await client.get(config.url)   # any status: see `refusal`

Nothing is taken from the environment but what `config` names: no proxy, no certificates, no .netrc. Redirects are not followed.
"""

import re
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.auth.utils import extract_scope_from_www_auth

from errors import TryAgain
from systems.authorization_server import AuthorizationServer
from systems.config import SystemConfig
from systems.credentials import ProxyConfig, Secrets, TlsConfig, authorization
from systems.oauth import AccessToken

#: seconds for which a stream of events may be silent
_SILENCE = 300.0
#: seconds after which a connection is not used again: many servers close theirs after five, and what is sent at that moment is
#: of unknown outcome
_IDLE = 2.0
_SCOPE = re.compile(r"[\w:./ -]{1,200}")
#: what `errors_met` yields: MCP leaves the status out of its own errors
_MET: ContextVar[list[httpx2.Response]] = ContextVar("met")


class Credentials(httpx2.Auth):
    """Adds to each request to a system's own address what its `auth` says. Of one connection, on one event loop.

    With a `person`, in her name.
    """

    def __init__(self, config: SystemConfig, env: Mapping[str, str], person: str = "") -> None:
        self._config, self.env, self.secrets = config, env, Secrets()
        self._origin = _origin(httpx2.URL(config.url or ""))
        #: why the last token that the system rejected could not be renewed
        self.trouble = ""
        self._token: AccessToken | None = None
        if config.auth and config.auth.oauth:
            server = AuthorizationServer(config, env, self.secrets, lambda: token_client(config, env, self.secrets))
            self._token = AccessToken(server, person)

    async def ready(self) -> None:
        """Raise TryAgain, with a sentence, where a request could not be sent because a secret, token or consent is missing."""
        await self._headers()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """See httpx2.Auth. Raises TryAgain where a secret is missing."""
        if _origin(request.url) != self._origin:
            yield request
            return
        request.headers.update(await self._headers())
        response = yield request
        if response.status_code == 401 and self._token is not None:
            self._token.reject()
            try:
                request.headers.update(await self._headers())
            except TryAgain as error:  # the answer stands, and its reader is told why
                self.trouble = str(error)
            else:
                yield request

    async def _headers(self) -> dict[str, str]:
        self.trouble = ""
        if self._config.auth is None:
            return {}
        headers = authorization(self._config.auth, self.env, self._config.name, self.secrets)
        return headers | ({"Authorization": f"Bearer {await self._token.get()}"} if self._token else {})


def http_client(config: SystemConfig, credentials: Credentials) -> httpx2.AsyncClient:
    """A client of a system, to be used as an async context manager.

    Raises TryAgain with a sentence where a certificate, a key or the secret of a proxy is missing.
    """
    options = _options(config, credentials.env, credentials.secrets, only_its_own=True)
    hooks: dict[str, Any] = {"request": [_forget], "response": [_note]}
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE)
    return httpx2.AsyncClient(auth=credentials, event_hooks=hooks, limits=limits, **options)


def token_client(config: SystemConfig, env: Mapping[str, str], secrets: Secrets) -> httpx2.Client:
    """A client of a system's authorization server, which may have a certificate of the public.

    Raises TryAgain as `http_client` does.
    """
    return httpx2.Client(**_options(config, env, secrets, only_its_own=False))


def _options(config: SystemConfig, env: Mapping[str, str], secrets: Secrets, *, only_its_own: bool) -> dict[str, Any]:
    """`only_its_own`: where it names an authority, no other is trusted."""
    timeout = httpx2.Timeout(config.timeout_seconds, read=_SILENCE if only_its_own else config.timeout_seconds)
    options: dict[str, Any] = {"trust_env": False, "timeout": timeout}
    try:
        if config.tls:
            options["verify"] = _trust(config.tls, env, config.name, secrets, only_its_own)
        if config.proxy:
            options["proxy"] = _proxy(config.proxy, env, config.name, secrets)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        files = [str(file) for file in vars(config.tls).values() if isinstance(file, Path)] if config.tls else []
        reason = ", ".join(files) + f": {getattr(error, 'reason', None) or getattr(error, 'strerror', None) or 'unusable'}"
        raise TryAgain(f"{config.name} cannot be reached ({reason}); correct its entry among the systems.") from None
    return options


@contextmanager
def errors_met() -> Iterator[list[httpx2.Response]]:
    """The answer to the latest request of this block, once it has an error status; empty before that, and otherwise."""
    token = _MET.set(met := list[httpx2.Response]())
    try:
        yield met
    finally:
        _MET.reset(token)


async def _forget(request: httpx2.Request) -> None:
    if (met := _MET.get(None)) is not None:
        met.clear()


async def _note(response: httpx2.Response) -> None:
    if response.is_error and (met := _MET.get(None)) is not None:
        met.append(response)


def refusal(config: SystemConfig, answer: httpx2.Response) -> str | None:
    """What an answer of 401, 403 or 407 means, as a sentence with its remedy; None of any other status."""
    named, status = config.auth is not None, answer.status_code
    if status == 401:
        remedy = "renew what its `auth` names" if named else "give its entry an `auth`"
        return f"{config.name} does not accept {'the credentials' if named else 'a call without credentials'} (401); {remedy}."
    scope = extract_scope_from_www_auth(answer) or ""
    if status == 403 and _SCOPE.fullmatch(scope):
        return f"{config.name} asks for the scope {scope!r} for this (403); add it to the `scope` of its `oauth`."
    if status == 403:
        return f"{config.name} does not permit this with {'these' if named else 'no'} credentials (403); have it permitted there."
    if status == 407:
        return f"the proxy of {config.name} asks for a user (407); correct its `proxy`."
    return None


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _trust(tls: TlsConfig, env: Mapping[str, str], system: str, secrets: Secrets, only_its_own: bool) -> ssl.SSLContext:
    if tls.ca and only_its_own:
        context = ssl.create_default_context(cafile=str(tls.ca))
    else:
        context = httpx2.create_ssl_context(trust_env=False)
        if tls.ca:
            context.load_verify_locations(str(tls.ca))
    if tls.certificate:
        # asked for with an answer at hand: OpenSSL would ask whoever sits at the terminal
        password = secrets.add(tls.password.label, tls.password.read(env, system)) if tls.password else ""
        context.load_cert_chain(tls.certificate, tls.key, lambda: password)
    return context


def _proxy(proxy: ProxyConfig, env: Mapping[str, str], system: str, secrets: Secrets) -> httpx2.Proxy:
    if proxy.password is None:
        return httpx2.Proxy(proxy.url)
    password = secrets.add(proxy.password.label, proxy.password.read(env, system))
    return httpx2.Proxy(proxy.url, auth=(proxy.username, password))
