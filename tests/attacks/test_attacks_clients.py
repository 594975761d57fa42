"""LangGraph's own server is another door to the same authority: what a client writes decides nothing by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError

from tests.integration.test_langgraph_dev import CASE, Server, _answer, _asked, event, server

__all__ = ["server"]

pytestmark = [pytest.mark.promise("What was not approved is not executed"), pytest.mark.slow]

GARBAGE: list[Callable[[dict[str, Any]], Any]] = [
    lambda request: True,
    lambda request: [{"type": "approve"}],
    lambda request: {"decisions": [{"type": "approve"}]},
    lambda request: {"kind": "approve", "by": "fay"},
    lambda request: _answer(request, digest="0" * 64),
    lambda request: _answer(request, reason=""),
    lambda request: _answer(request, by="fay"),
    lambda request: _answer(request, "accept"),
    lambda request: _answer(request, decisions=[]),
    lambda request: _answer(request, decisions=[{"type": "approve", "role": "finance"}]),
    lambda request: _answer(request, decisions=[{"type": ["approve"]}]),
    lambda request: _answer(request, decisions=[{"type": "edit", "edited_action": {"name": "close_run", "args": {}}}] * 99),
]


@pytest.fixture(scope="module")
def waiting(server: Server) -> str:
    return server.waiting()


@contextmanager
def refused() -> Iterator[None]:
    """The server answers that this may not be, and does not break; the SDK raises one of two errors for it."""
    with pytest.raises((APIStatusError, httpx.HTTPStatusError)) as error:
        yield
    assert error.value.response.status_code in (401, 403, 404, 409, 422)


def _still_waits(server: Server, thread: str) -> None:
    rita = server.client("rita")
    run_id = rita.threads.get_state(thread)["values"]["run_id"]
    assert server.company.ledger.run(run_id).status == "waiting"
    assert server.company.ledger.decisions(run_id) == [] and server.company.ledger.effects(run_id) == []
    _asked(rita, thread)


@pytest.mark.parametrize("answer", GARBAGE)
def test_a_paused_thread_is_resumed_with_what_is_no_decision(
    server: Server, waiting: str, answer: Callable[[dict[str, Any]], Any]
) -> None:
    rita = server.client("rita")
    rita.runs.wait(waiting, "mission", command={"resume": answer(_asked(rita, waiting))})
    _still_waits(server, waiting)


as_somebody_else = pytest.mark.parametrize(
    "configurable",
    [
        {"langgraph_auth_user": {"identity": "person:fay"}},
        {"langgraph_auth_user_id": "person:fay", "langgraph_auth_permissions": ["decide"]},
    ],
)


@as_somebody_else
def test_a_source_of_events_says_that_it_is_a_person(server: Server, waiting: str, configurable: dict[str, Any]) -> None:
    answer = _answer(_asked(server.client("rita"), waiting))
    with refused():
        server.client("oms").runs.wait(waiting, "mission", command={"resume": answer}, config={"configurable": configurable})
    _still_waits(server, waiting)


@pytest.mark.parametrize("name", ["", "casey"])
def test_somebody_without_a_role_for_it_resumes(server: Server, waiting: str, name: str) -> None:
    answer = _answer(_asked(server.client("rita"), waiting))
    with refused():
        server.client(name).runs.wait(waiting, "mission", command={"resume": answer})
    _still_waits(server, waiting)


@pytest.mark.parametrize(
    "attack",
    [
        lambda client, thread: client.threads.update_state(thread, {"status": "closed"}, as_node="decide"),
        lambda client, thread: client.runs.wait(thread, "mission", command={"goto": "decide"}),
        lambda client, thread: client.runs.wait(thread, "mission", command={"update": {"run_id": "r-1"}}),
        lambda client, thread: client.threads.delete(thread),
        lambda client, thread: client.runs.wait(thread, "mission", input={}, webhook="http://192.0.2.1/"),
        lambda client, thread: client.store.put_item(["a"], "b", {}),
        lambda client, thread: client.crons.create("mission", schedule="* * * * *", input={}),
        lambda client, thread: client.assistants.create("mission"),
    ],
)
def test_a_person_writes_the_state_of_a_thread_by_hand(server: Server, waiting: str, attack: Any) -> None:
    with refused():
        attack(server.client("rita"), waiting)
    _still_waits(server, waiting)


@pytest.mark.parametrize(
    "attack",
    [
        lambda client, thread: client.threads.get_state(thread),
        lambda client, thread: client.threads.get(thread),
        lambda client, thread: client.threads.get_history(thread),
        lambda client, thread: client.threads.copy(thread),
        lambda client, thread: client.runs.list(thread),
    ],
)
def test_a_source_of_events_reads_what_people_are_asked(server: Server, waiting: str, attack: Any) -> None:
    with refused():
        attack(server.client("oms"), waiting)
    assert waiting not in [one["thread_id"] for one in server.client("oms").threads.search(limit=100)]


def test_a_person_hands_in_an_event_and_decides_about_it_alone(server: Server) -> None:
    rita = server.client("rita")
    thread = rita.threads.create()["thread_id"]
    said = rita.runs.wait(thread, "mission", input={"event": event(CASE)}, raise_error=False)
    assert "token of its source" in str(said)


@pytest.mark.parametrize(
    "other",
    [{"mission": "invoice_approval"}, {"as_of": "1900-01-01T00:00:00Z"}, {"as_of": "2999-01-01T00:00:00Z"}],
)
def test_a_source_hands_in_what_it_may_not(server: Server, other: dict[str, Any]) -> None:
    before = [run.run_id for run in server.company.ledger.runs()]
    oms = server.client("oms")
    thread = oms.threads.create()["thread_id"]
    said = oms.runs.wait(thread, "mission", input={"event": {**event(CASE), **other}})
    assert said["told"] and "run_id" not in said
    assert [run.run_id for run in server.company.ledger.runs()] == before


@as_somebody_else
def test_a_source_asks_for_a_run_as_if_it_were_a_person(server: Server, waiting: str, configurable: dict[str, Any]) -> None:
    run_id = server.client("rita").threads.get_state(waiting)["values"]["run_id"]
    oms = server.client("oms")
    thread = oms.threads.create()["thread_id"]
    config: Any = {"configurable": configurable}
    with suppress(httpx.HTTPStatusError, APIStatusError):  # refused as a whole is as good
        said = oms.runs.wait(thread, "mission", input={"run_id": run_id}, config=config)
        assert said["told"] and "__interrupt__" not in said and "status" not in said
    _still_waits(server, waiting)


@as_somebody_else
def test_an_analyst_decides_as_if_she_were_somebody_else(server: Server, waiting: str, configurable: dict[str, Any]) -> None:
    ana = server.client("ana")
    config: Any = {"configurable": configurable}
    answer = _answer(_asked(ana, waiting))
    with suppress(httpx.HTTPStatusError, APIStatusError):
        ana.runs.wait(waiting, "mission", command={"resume": answer}, config=config)
    _still_waits(server, waiting)


def test_an_analyst_who_may_only_read_resumes(server: Server, waiting: str) -> None:
    ana = server.client("ana")
    ana.runs.wait(waiting, "mission", command={"resume": _answer(_asked(ana, waiting))})
    _still_waits(server, waiting)
    assert _asked(ana, waiting)["told"].startswith("Nothing is decided")
