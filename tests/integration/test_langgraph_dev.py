"""`langgraph dev` serves the graph: other people's clients run an event, read what waits, and decide as who signed in."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import APIStatusError

from ledger.inbox import SourceBounds
from ledger.postgres import PostgresLedger
from ledger.services import AdminService, Inbox
from settings import CHECKOUT
from tests.conftest import _database
from tests.integration.live_company import Company, built_home, case_of, opened

pytestmark = pytest.mark.slow
CASE = "dev-ord-0004"
#: its plan takes finance, two different people
FOUR_EYES = "dev-ord-0001"
#: recorded exceptions are of any moment
BOUNDS = SourceBounds(missions=("order_exception",), as_of_days=36_500)
PASSWORD = "correct horse battery"
STARTS_WITHIN = 120.0


@dataclass
class Server:
    """A serving process, and tokens of who may ask it."""

    url: str
    company: Company
    tokens: dict[str, str]

    def client(self, name: str) -> SyncLangGraphClient:
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        return get_sync_client(url=self.url, headers=headers, api_key=None)

    def handed_in(self, case: str = CASE) -> str:
        """The run of an event that its source handed in."""
        self.company.load(case)
        oms = self.client("oms")
        thread = oms.threads.create()["thread_id"]
        said = oms.runs.wait(thread, "mission", input={"event": event(case)})
        assert set(said) == {"run_id"}, said
        return str(said["run_id"])  # type: ignore[call-overload]

    def thread(self, run_id: str, name: str) -> str:
        """A thread of a run that waits for a decision, as somebody sees it."""
        client = self.client(name)
        thread = client.threads.create()["thread_id"]
        shown = client.runs.wait(thread, "mission", input={"run_id": run_id})
        assert "__interrupt__" in shown, (shown, self.company.ledger.incidents())
        return str(thread)

    def waiting(self) -> str:
        """The thread of an event that was handed in and waits for a decision, as rita sees it."""
        return self.thread(self.handed_in(), "rita")


def event(case_id: str) -> dict[str, Any]:
    """The event of a recorded exception, as its system hands it in today."""
    case = case_of(case_id)
    source_id = f"{case_id}/{secrets.token_hex(4)}"
    return {"source_id": source_id, "mission": case["mission"], "trigger": case["trigger"], "as_of": case["as_of"]}


@pytest.fixture(scope="module")
def server(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with _database(server_url) as url, opened(url) as company:
        ledger = company.ledger
        assert isinstance(ledger, PostgresLedger)
        desk, tokens = AdminService(ledger), {"oms": Inbox(ledger).add_source("oms", bounds=BOUNDS)}
        ledger.add_person("ana", "analyst")
        desk.admit("casey", "customer", customer_id="C-1")
        for name in ("rita", "ron", "fay", "finn", "ana", "casey"):
            knock = desk.sign_in(name, desk.give_one_time(name), timedelta(hours=1), PASSWORD)
            tokens[name] = knock.token
        with serving(url, folder) as address:
            yield Server(address, company, tokens)


class serving:
    """`langgraph dev` over a database, until the end of the block; `folder` is where it keeps its threads."""

    def __init__(self, url: str, folder: Path) -> None:
        self._log = folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        # it keeps its threads where it is started, and looks for files from there
        (folder / "graphs").symlink_to(CHECKOUT / "graphs")
        shutil.copy(CHECKOUT / "langgraph.json", folder)
        command = [sys.executable, "-m", "langgraph_cli", "dev"]
        environment = {
            **os.environ, "DATABASE_URL": url, "MISSIONS_HOME": str(built_home()), "PYTHONPATH": str(CHECKOUT),
            "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "1", "LANGSMITH_TRACING": "false",
        }  # fmt: skip
        self._process = subprocess.Popen(
            [*command, "--no-browser", "--no-reload", "--port", str(self._port)],
            cwd=folder, env=environment, stdout=self._log.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> str:
        address, until = f"http://127.0.0.1:{self._port}", time.monotonic() + STARTS_WITHIN
        while True:
            try:
                httpx.get(f"{address}/ok", timeout=5).raise_for_status()
                return address
            except httpx.HTTPError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(self._log.read_text()[-4000:]) from None
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            assert self._process.wait(60) in (0, -15), self._log.read_text()[-4000:]
        finally:
            self._process.kill()


def _asked(client: SyncLangGraphClient, thread: str) -> dict[str, Any]:
    """The HITLRequest that a thread waits with."""
    (interrupt,) = client.threads.get_state(thread)["interrupts"]
    request: dict[str, Any] = interrupt["value"]
    return request


def _answer(request: dict[str, Any], kind: str = "approve", **other: Any) -> dict[str, Any]:
    decisions: list[dict[str, Any]] = [{"type": kind}]
    return {"decisions": decisions, "reason": "the move explains it", "digest": request["proposal"]["digest"], **other}


def test_an_event_runs_to_its_interrupt_and_a_person_who_signed_in_decides_and_sees_the_effects(server: Server) -> None:
    thread, rita = server.waiting(), server.client("rita")
    request = _asked(rita, thread)
    assert [one["name"] for one in request["action_requests"]]
    assert {"approve", "edit", "reject"} <= set(request["review_configs"][0]["allowed_decisions"])

    by_hand = rita.runs.wait(thread, "mission", command={"resume": "approve"})
    assert by_hand["status"] == "waiting" and by_hand["effects"] == []
    again = _asked(rita, thread)
    assert again["proposal"] == request["proposal"] and again["message"].startswith("Nothing is decided")

    done = rita.runs.wait(thread, "mission", command={"resume": _answer(request)})
    assert (done["status"], done["outcome"]) == ("closed", "executed")
    assert [one["status"] for one in done["effects"]] == ["done"] * len(request["action_requests"])
    (decision,) = server.company.ledger.decisions(done["run_id"])
    assert (decision.kind, decision.by) == ("approve", "rita")


def test_a_look_at_a_thread_opens_nothing(server: Server) -> None:
    thread, rita = server.waiting(), server.client("rita")
    rita.threads.get_state(thread)
    took = []
    for _ in range(10):
        begun = time.perf_counter()
        rita.threads.get_state(thread)
        took.append(time.perf_counter() - begun)
    # to open a runtime takes more than a second
    assert sorted(took)[5] < 0.2, took


@pytest.mark.parametrize("name", ["", "casey", "nobody"])
def test_who_is_nobody_or_a_customer_does_not_come_in(server: Server, name: str) -> None:
    server.tokens.setdefault("nobody", "x" * 40)
    with pytest.raises(APIStatusError) as refused:
        server.client(name).threads.search()
    assert refused.value.status_code in (401, 403)


def test_an_event_that_is_none_says_why_and_is_kept_as_a_dead_letter(server: Server) -> None:
    oms = server.client("oms")
    thread = oms.threads.create()["thread_id"]
    said = oms.runs.wait(thread, "mission", input={"event": {**event(CASE), "mission": "no_such"}}, raise_error=False)
    assert "there is no Mission" in json.dumps(said)
    ledger = server.company.ledger
    assert isinstance(ledger, PostgresLedger)
    assert any("no_such" in letter.body for letter in Inbox(ledger).open_letters()[0])


def test_an_edit_is_approved_by_somebody_else_and_not_by_whoever_made_it(server: Server) -> None:
    run_id = server.handed_in()
    thread, rita = server.thread(run_id, "rita"), server.client("rita")
    steps = [{"type": "approve"}, {"type": "reject"}]
    edit = _answer(_asked(rita, thread), decisions=steps)
    rita.runs.wait(thread, "mission", command={"resume": edit})
    request = _asked(rita, thread)
    assert request["message"] == "rita: edit." and len(request["action_requests"]) == 1

    rita.runs.wait(thread, "mission", command={"resume": _answer(request)})
    assert "another person must" in _asked(rita, thread)["message"]
    assert server.company.ledger.effects(run_id) == []

    other, ron = server.thread(run_id, "ron"), server.client("ron")
    done = ron.runs.wait(other, "mission", command={"resume": _answer(_asked(ron, other))})
    assert (done["status"], [one["status"] for one in done["effects"]]) == ("closed", ["done"])
    kept = [(one.kind, one.by) for one in server.company.ledger.decisions(run_id)]
    assert kept == [("edit", "rita"), ("approve", "ron")]


def test_a_remark_makes_the_mission_look_again(server: Server) -> None:
    run_id = server.handed_in()
    thread, rita = server.thread(run_id, "rita"), server.client("rita")
    first = _asked(rita, thread)
    rita.runs.wait(thread, "mission", command={"resume": _answer(first, "respond")})
    again = _asked(rita, thread)
    assert again["message"] == "rita: respond." and again["proposal"] != first["proposal"]
    assert server.company.ledger.effects(run_id) == []


def test_four_eyes_are_two_people_and_the_same_one_twice_is_not(server: Server) -> None:
    run_id = server.handed_in(FOUR_EYES)
    reviewer, rita = server.thread(run_id, "rita"), server.client("rita")
    rita.runs.wait(reviewer, "mission", command={"resume": _answer(_asked(rita, reviewer))})
    assert "requires the role finance" in _asked(rita, reviewer)["message"]

    thread, fay = server.thread(run_id, "fay"), server.client("fay")
    fay.runs.wait(thread, "mission", command={"resume": _answer(_asked(fay, thread))})
    assert "a second person must approve" in _asked(fay, thread)["message"]
    fay.runs.wait(thread, "mission", command={"resume": _answer(_asked(fay, thread))})
    assert "takes another person" in _asked(fay, thread)["message"]
    assert server.company.ledger.effects(run_id) == []

    other, finn = server.thread(run_id, "finn"), server.client("finn")
    done = finn.runs.wait(other, "mission", command={"resume": _answer(_asked(finn, other))})
    assert (done["status"], done["outcome"]) == ("closed", "executed")
    assert [one.by for one in server.company.ledger.decisions(run_id)] == ["fay", "finn"]


@pytest.mark.parametrize("name", ["rita", "ana"])
def test_the_state_of_a_thread_decides_nothing(server: Server, name: str) -> None:
    run_id = server.handed_in()
    thread, client = server.thread(run_id, name), server.client(name)
    made_up = {"status": "closed", "outcome": "executed", "message": "ron: approve.", "asks": False}
    tried = (
        lambda: client.threads.update_state(thread, made_up),
        lambda: client.threads.update_state(thread, {"answer": {"decisions": []}}, as_node="review"),
        lambda: client.runs.wait(thread, "mission", command={"goto": "decide", "update": made_up}),
        lambda: client.runs.wait(
            thread, "mission", input=None,
            checkpoint_id=client.threads.get_history(thread)[-1]["checkpoint"]["checkpoint_id"],
        ),
    )  # fmt: skip
    for attempt in tried:
        with suppress(APIStatusError, httpx.HTTPStatusError):  # whatever it is told; what counts is what was done
            attempt()
    ledger = server.company.ledger
    assert ledger.run(run_id).status == "waiting"
    assert (ledger.decisions(run_id), ledger.effects(run_id)) == ([], [])
