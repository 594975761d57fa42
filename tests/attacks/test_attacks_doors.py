"""What strangers try at the doors of a dashboard that serves: foreign sites, half-sent requests."""

import contextlib
import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from dashboard.serving import HEADERS_SECONDS
from ledger.migrate import migrate
from ledger.postgres import PostgresLedger
from ledger.services import AdminService
from tests.browser.serving import free_port, serving, signed_in
from tests.conftest import _database
from tests.integration.raw_sockets import half_sent, handshake, health_seconds
from tests.ledger_examples import enrolled

pytestmark = pytest.mark.promise("The doors tell and give nothing to strangers")


@dataclass(frozen=True)
class Served:
    """A dashboard in a process of its own, and the token of somebody who is signed in."""

    url: str
    token: str
    desk: AdminService

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def get(self, path: str, host: str | None, **headers: str) -> tuple[int, str]:
        """Status and body of a request with this `Host`, or with none."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest("GET", path, skip_host=True)
            for name, value in {**({} if host is None else {"Host": host}), **headers}.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def served(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with _database(server_url) as database:
        migrate(database)
        with PostgresLedger.open(database) as ledger:
            desk = AdminService(ledger)
            for name, role in (("admin", "administrator"), ("rita", "reviewer"), ("sam", "supervisor")):
                enrolled(desk, name, role)
            token = signed_in(desk, "rita")
            log = tmp_path_factory.mktemp("served") / "log.txt"
            with serving(database, log, MISSIONS_HOSTS="missions.example") as url:
                yield Served(url, token, desk)


FOREIGN = (
    "https://evil.example", "http://evil.example:{port}", "http://127.0.0.1:{other}", "http://localhost:{other}",
    "http://localhost:{port}", "http://127.0.0.1", "https://127.0.0.1:{port}", "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:{port}@evil.example", "http://evil.example#127.0.0.1:{port}", "http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}", "http://127.0.0.1:0{port}", "http://127.1:{port}", "http://0.0.0.0:{port}",
    "http://[::1]:{port}", "null", "", "file://", None,
)  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_site_connects_with_a_session_that_the_browser_sends_along(served: Served, origin: str | None) -> None:
    port = urlsplit(served.url).port
    named = origin.format(port=port, other=free_port()) if origin else origin
    assert handshake(served.url, named, served.token) == 403


def test_a_page_of_this_site_connects_while_its_session_lasts(served: Served) -> None:
    assert handshake(served.url, served.url, served.token) == 101
    for token in ("", "made-up", "x" * 3_000):
        assert handshake(served.url, served.url, token) == 403


def test_ten_foreign_pages_connect_at_once_and_health_answers_all_the_same(served: Served) -> None:
    origins = [f"https://evil-{number}.example" for number in range(10)]
    with ThreadPoolExecutor(11) as pool:
        begun = time.monotonic()
        answers = [pool.submit(handshake, served.url, origin, served.token) for origin in origins]
        assert pool.submit(health_seconds, served.url).result() < 1.0 + (time.monotonic() - begun) / 2
        assert {answer.result() for answer in answers} == {403}
    assert time.monotonic() - begun < 5


HOSTS = (
    "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:{other}", "localhost", "localhost:{other}",
    "127.0.0.1:{port}.evil.example", "missions.example:{port}", "missions.example.evil.example", "evil.missions.example",
    "127.0.0.2:{port}", "", None,
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/sign-in", "/health", "/metrics", "/events", "/_stcore/health", "/media/x"])
def test_a_name_of_somebody_else_leads_here(served: Served, host: str | None, path: str) -> None:
    named = host.format(port=urlsplit(served.url).port, other=free_port()) if host else host
    status, body = served.get(path, named, Cookie=f"missions_session={served.token}")
    assert status in (400, 421)
    assert "rita" not in body and "Sign in" not in body


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "missions.example"])
def test_our_own_hosts_and_those_of_a_proxy_are_answered(served: Served, host: str) -> None:
    assert served.get("/sign-in", host.format(port=urlsplit(served.url).port))[0] == 200


HALF: dict[str, bytes] = {
    "nothing": b"",
    "the first line": b"GET / HTTP/1.1\r\n",
    "half a header": b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le",
    "half a body": (
        b"POST /sign-in HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 5000\r\n\r\nname=rita"
    ),
    "half an event": (
        b"POST /events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n["
    ),
    "half a chunk": b"POST /sign-in HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nname",
}


@pytest.mark.parametrize("what", HALF)
def test_two_hundred_requests_are_half_sent_and_others_are_answered(served: Served, what: str) -> None:
    text = HALF[what].replace(b"{host}", served.host.encode())
    with contextlib.ExitStack() as opened:
        for _ in range(200):
            opened.enter_context(half_sent(served.url, text))
        assert health_seconds(served.url) < 2
        assert served.get("/sign-in", served.host)[0] == 200


def test_a_request_whose_headers_trickle_in_is_ended(served: Served) -> None:
    begun = time.monotonic()
    with half_sent(served.url, b"GET /sign-in HTTP/1.1\r\n") as trickling, half_sent(served.url, b"") as silent:
        with contextlib.suppress(OSError):
            while time.monotonic() - begun < HEADERS_SECONDS - 1:
                trickling.sendall(b"X-A: b\r\n")
                time.sleep(1)
        answers = [one.recv(200) for one in (trickling, silent)]
    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 408 Request Timeout"] * 2
    assert time.monotonic() - begun < HEADERS_SECONDS + 5
