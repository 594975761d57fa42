"""Which site the dashboard is: the hosts it answers for, and what a page of another site may not ask of it."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request

from errors import BadInput
from graphs.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE = ("0.0.0.0", "::")
#: a host as browsers send it: lower case, with the port unless it is that of the scheme
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")


class Site:
    """The hosts by which a browser may ask for the dashboard, as `Host` names them: `missions.example`, `127.0.0.1:8501`."""

    def __init__(self, hosts: Collection[str], port: int, everywhere: bool = False) -> None:
        self._hosts, self._port, self._everywhere = frozenset(hosts), port, everywhere

    def answers_for(self, headers: Headers) -> bool:
        """Whether the one `Host` is ours. A name of somebody else may lead here too: then a page of theirs would seem ours."""
        named = headers.getlist("host")
        return len(named) == 1 and (named[0] in self._hosts or (self._everywhere and self._is_number(named[0])))

    def _is_number(self, host: str) -> bool:
        """Whether it is an address in numbers, which nobody can have lead elsewhere, with our port."""
        name, _, port = host.rpartition(":")
        try:
            ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return port == str(self._port)


def site_of(chosen: Settings) -> Site:
    """The site that is served. BadInput for a host in MISSIONS_HOSTS that no browser would send."""
    given = [host.strip() for host in chosen.hosts.split(",") if host.strip()]
    for host in given:
        if not _HOST.fullmatch(host):
            raise BadInput(f"MISSIONS_HOSTS: {host!r} is no host; write missions.example, or missions.example:8443")
    hosts = {*given, urlsplit(chosen.oidc_redirect_uri).netloc.lower()} - {""}
    address = f"[{chosen.address}]" if ":" in chosen.address else chosen.address
    everywhere = chosen.address in _EVERYWHERE
    names = _LOOPBACK if everywhere or address in _LOOPBACK else (address,)
    hosts |= {f"{name}:{chosen.port}" for name in names}
    if chosen.port == 80:  # which browsers leave out
        hosts |= set(names)
    return Site(hosts, chosen.port, everywhere)


def is_own_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks is of this site: scheme, host and port are those that it asks for, to the letter."""
    origins = connection.headers.getlist("origin")
    scheme = "https" if by_https(connection) else "http"
    return origins == [f"{scheme}://{connection.headers.get('host', '')}"]


def same_origin(request: Request) -> bool:
    """Whether a page of this site sent it. Browsers say so in one header or the other; who says nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host") != ""


def by_https(connection: HTTPConnection) -> bool:
    """Whether the browser asked by https, of us or of a proxy before us."""
    forwarded = connection.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return connection.scope["scheme"] in ("https", "wss") or forwarded == "https"
