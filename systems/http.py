"""The one HTTP client by which a system is reached, over MCP or not: its credentials, certificates and proxy, and nothing else.

    credentials = Credentials(config, os.environ)
    async with http_client(config, credentials) as client:
        await credentials.ready()                 # raises TryAgain before anything is sent
        response = await client.get(config.url)   # any status: see `refusal`

Nothing is taken from the environment but what `config` names: no proxy, no certificates, no .netrc. Redirects are not followed.
"""

import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

from errors import TryAgain
from systems.config import SystemConfig
from systems.credentials import ProxyConfig, Secrets, TlsConfig, authorization

#: seconds for which a stream of events may be silent
_SILENCE = 300.0
#: what `errors_met` yields: MCP leaves the status out of its own errors
_MET: ContextVar[list[httpx2.Response]] = ContextVar("met")


class Credentials(httpx2.Auth):
    """Adds to each request to a system's own address what its `auth` says. Of one connection, on one event loop."""

    def __init__(self, config: SystemConfig, env: Mapping[str, str]) -> None:
        self._config, self.env, self.secrets = config, env, Secrets()
        self._origin = _origin(httpx2.URL(config.url or ""))

    async def ready(self) -> None:
        """Raise TryAgain, with a sentence, where a request could not be sent because a secret is missing."""
        await self._headers()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """See httpx2.Auth. Raises TryAgain where a secret is missing."""
        if _origin(request.url) == self._origin:
            request.headers.update(await self._headers())
        yield request

    async def _headers(self) -> dict[str, str]:
        if self._config.auth is None:
            return {}
        try:
            return authorization(self._config.auth, self.env, self.secrets)
        except TryAgain as missing:
            remedy = "provide it, or correct the `auth` of the system"
            raise TryAgain(f"{self._config.name} cannot be reached ({missing}); {remedy}.") from None


def http_client(config: SystemConfig, credentials: Credentials) -> httpx2.AsyncClient:
    """A client of a system, to be used as an async context manager.

    Raises TryAgain with a sentence where a certificate, a key or the secret of a proxy is missing.
    """
    options: dict[str, Any] = {
        "auth": credentials,
        "trust_env": False,
        "event_hooks": {"request": [_forget], "response": [_note]},
    }
    try:
        if config.tls:
            options["verify"] = _trust(config.tls, credentials)
        if config.proxy:
            options["proxy"] = _proxy(config.proxy, credentials)
    except (TryAgain, OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        reason = _why_no_client(error, config)
        raise TryAgain(f"{config.name} cannot be reached ({reason}); correct its entry among the systems.") from None
    return httpx2.AsyncClient(timeout=httpx2.Timeout(config.timeout_seconds, read=_SILENCE), **options)


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


def refusal(config: SystemConfig, status: int) -> str | None:
    """What an answer of 401, 403 or 407 means, as a sentence with its remedy; None of any other status."""
    named = config.auth is not None
    if status == 401:
        remedy = "renew the secret that its `auth` names" if named else "give its entry an `auth`"
        return f"{config.name} does not accept {'the credentials' if named else 'a call without credentials'} (401); {remedy}."
    if status == 403:
        return f"{config.name} does not permit this with {'these' if named else 'no'} credentials (403); have it permitted there."
    if status == 407:
        return f"the proxy of {config.name} asks for a user (407); correct its `proxy`."
    return None


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _trust(tls: TlsConfig, credentials: Credentials) -> ssl.SSLContext:
    own = str(tls.ca) if tls.ca else None
    context = ssl.create_default_context(cafile=own) if own else httpx2.create_ssl_context(trust_env=False)
    if tls.certificate:
        # asked for with an answer at hand: OpenSSL would ask whoever sits at the terminal
        secret = tls.password
        password = credentials.secrets.add(secret.label, secret.read(credentials.env)) if secret else ""
        context.load_cert_chain(tls.certificate, tls.key, lambda: password)
    return context


def _proxy(proxy: ProxyConfig, credentials: Credentials) -> httpx2.Proxy:
    if proxy.password is None:
        return httpx2.Proxy(proxy.url)
    password = credentials.secrets.add(proxy.password.label, proxy.password.read(credentials.env))
    return httpx2.Proxy(proxy.url, auth=(proxy.username, password))


def _why_no_client(error: Exception, config: SystemConfig) -> str:
    if isinstance(error, TryAgain):
        return str(error)
    files = [str(file) for file in vars(config.tls).values() if file] if config.tls else []
    return f"{', '.join(files)}: {getattr(error, 'reason', None) or getattr(error, 'strerror', None) or type(error).__name__}"
