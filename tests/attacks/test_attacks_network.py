"""Every connection of an evaluation, of a live run and of the dashboard is recorded by the kernel's own account of it.

strace sees what native libraries do too: what they connect to, what they send without connecting, and which names they
look up, for that is a message to a name server. What stays on the machine (sockets of files, the loopback) is left out.
"""

import ipaddress
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings import CHECKOUT
from tests.conftest import _database

pytestmark = pytest.mark.promise("No byte leaves that nobody configured")

_CALLS = "connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')

EVALUATION = """
import sys
from cli.main import main
sys.argv[1:] = ["eval", "evals/cases/sample.jsonl", "--out", sys.argv[2], "--reasoner", "planner"]
main()
"""
COMMANDS = """
import sys
from cli.main import main
sys.argv[1:] = sys.argv[1].split()
main()
"""
SERVED = """
import sys, time
from pathlib import Path
from tests.integration.live_company import opened
from tests.integration.test_langgraph_dev import serving
with opened(sys.argv[1]), serving(sys.argv[1], Path(sys.argv[2])):
    time.sleep(5)
"""
LIVE = """
import sys
from tests.integration.live_company import opened
with opened(sys.argv[1]) as company:
    run = company.approve(company.propose("dev-ord-0004"))
    assert run.outcome == "executed", run
"""
DASHBOARD = """
import sys, urllib.request
from pathlib import Path
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from dashboard.visitor import COOKIE
from ledger.services import AdminService
from tests.browser.serving import serving, signed_in
from tests.integration.live_company import opened
_, url, log, address = sys.argv
with opened(url) as company, serving(url, Path(log), MISSIONS_ADDRESS=address) as at:
    company.propose("dev-ord-0004")
    token = signed_in(AdminService(company.ledger), "rita")
    place = at.replace("http", "ws") + "/_stcore/stream"
    cookie = {"Cookie": f"{COOKIE}={token}"}
    for stranger in ("https://example.com", "http://127.0.0.1:1", "null"):
        try:
            connect(place, origin=stranger, additional_headers=cookie, subprotocols=["streamlit"]).close()
        except InvalidStatus:
            pass
    for path in ("/", "/sign-in", "/health", "/metrics"):
        urllib.request.urlopen(at + path).read()
    with connect(place, origin=at, additional_headers=cookie, subprotocols=["streamlit"]) as page:
        asked = BackMsg()
        asked.rerun_script.page_name = "queue"
        page.send(asked.SerializeToString())
        told = ForwardMsg()
        while told.WhichOneof("type") != "script_finished":
            told.ParseFromString(page.recv(timeout=120))
"""
#: what a library does that reports to its maker: from C, without Python's sockets
NATIVE = """
import ctypes, struct
libc = ctypes.CDLL(None)
one = libc.socket({family}, {kind}, 0)
libc.fcntl(one, 4, 0o4000)
address = {address}
libc.{call}
"""
_V4 = 'struct.pack("=HHI8x", 2, 0xBB01, int.from_bytes(bytes([192, 0, 2, 1]), "little"))'
_V6 = 'struct.pack("=HHI16sI", 10, 0xBB01, 0, bytes.fromhex("20010db8000000000000000000000001"), 0)'


def outgoing(code: str, *arguments: str, folder: Path) -> list[str]:
    """Run this Python with all that it starts; where its connections went that did not stay on the machine."""
    strace = shutil.which("strace")
    if strace is None:
        assert not os.environ.get("CI"), "strace must be there where everything is tested: apt-get install strace"
        pytest.skip("strace is not installed here: apt-get install strace")
    record = folder / "connections"
    traced = [strace, "-f", "--seccomp-bpf", "-qq", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(record)]
    # what would be asked of a person's machine, not of a build server
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run(
        [*traced, sys.executable, "-c", code, *arguments],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    return sorted({place for line in record.open(errors="replace") if (place := _outside(line))})


def _outside(line: str) -> str:
    found = _ADDRESS.search(line)
    if found is None or (address := ipaddress.ip_address(found[2])).is_loopback or address.is_unspecified:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return "" if mapped and mapped.is_loopback else f"{address} port {found[1]}"


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        (NATIVE.format(family=2, kind=1, address=_V4, call="connect(one, address, 16)"), "192.0.2.1 port 443"),
        (NATIVE.format(family=2, kind=2, address=_V4, call="sendto(one, b'x', 1, 0, address, 16)"), "192.0.2.1 port 443"),
        (NATIVE.format(family=10, kind=1, address=_V6, call="connect(one, address, 28)"), "2001:db8::1 port 443"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import socket; "
         "socket.socket(2, 2).connect((\"192.0.2.1\", 53))'])", "192.0.2.1 port 53"),
    ],
    ids=["connect", "message", "six", "child"],
)  # fmt: skip
def test_a_library_or_a_child_process_connects_and_is_recorded(code: str, seen: str, tmp_path: Path) -> None:
    assert outgoing(code, folder=tmp_path) == [seen]


def test_an_evaluation_asks_nobody(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _database(server_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        assert outgoing(EVALUATION, url, str(tmp_path / "results.jsonl"), folder=tmp_path) == []


def test_a_live_run_to_its_effects_asks_nobody(server_url: str, tmp_path: Path) -> None:
    with _database(server_url) as url:
        assert outgoing(LIVE, url, folder=tmp_path) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_dashboard_asks_nobody_whoever_opens_a_page(server_url: str, tmp_path: Path, address: str) -> None:
    with _database(server_url) as url:
        assert outgoing(DASHBOARD, url, str(tmp_path / "log"), address, folder=tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("commands", [
    ["knowledge build", "knowledge search refund"],
    ["history make --lines 10000 --out {folder}/h.parquet --truth {folder}/t.parquet",
     "history scan {folder}/h.parquet --out {folder}/found.parquet", "backtest {folder}/h.parquet --out {folder}/report.html"],
    ["eval evals/cases/sample.jsonl --out {folder}/results.jsonl --reasoner planner --engine ray"],
], ids=["knowledge", "history", "ray"])  # fmt: skip
def test_what_reads_much_or_starts_much_asks_nobody(commands: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISSIONS_HOME", str(tmp_path / "home"))
    for command in commands:
        assert outgoing(COMMANDS, command.format(folder=tmp_path), folder=tmp_path) == []


@pytest.mark.slow
def test_the_server_for_other_peoples_clients_asks_nobody(server_url: str, tmp_path: Path) -> None:
    with _database(server_url) as url:
        assert outgoing(SERVED, url, str(tmp_path), folder=tmp_path) == []
