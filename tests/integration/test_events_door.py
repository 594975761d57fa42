"""POST /events by real HTTP, at a dashboard that serves in a process of its own."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from graphs.events import MOST_BODY_BYTES
from ledger.postgres import PostgresLedger
from ledger.services import Inbox
from systems.sandbox.database import create_schema
from tests.browser.serving import serving
from tests.conftest import _database
from tests.integration.arriving import BOUNDS, an_event

#: one dashboard for all tests of this module
JSON, LINES = "application/json", "application/x-ndjson"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.text)
        return told


class Door:
    """A serving dashboard, seen by a system that hands events in."""

    def __init__(self, url: str, ledger: PostgresLedger, database_url: str) -> None:
        self.ledger, self.inbox, self.database_url = ledger, Inbox(ledger), database_url
        self._place = urlsplit(url).netloc
        self.token = self.inbox.add_source("oms", bounds=BOUNDS)

    def ask(self, method: str, body: Any = None, path: str = "/events", **headers: str) -> Answer:
        """One request; a body that is an iterator is sent in chunks, without its length."""
        connection = http.client.HTTPConnection(self._place, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            came = connection.getresponse()
            return Answer(came.status, {name.lower(): value for name, value in came.getheaders()}, came.read().decode())
        finally:
            connection.close()

    def post(self, body: Any, kind: str = JSON, token: str | None = None, **headers: str) -> Answer:
        """Hand something in; values as JSON, bytes as they are."""
        sent = body if isinstance(body, bytes | Iterator) else json.dumps(body).encode()
        return self.ask("POST", sent, Authorization=f"Bearer {token or self.token}", Content_Type=kind, **headers)


@pytest.mark.promise("A source of events starts only what it may")
@pytest.mark.parametrize("what", ["events", "no events", "one batch"])
def test_a_source_that_has_used_up_its_hour_is_told_when_to_go_on(door: "Door", what: str) -> None:
    token = door.inbox.add_source(f"few-{what.replace(' ', '-')}", bounds=replace(BOUNDS, hourly=2))
    sent = [an_event(f"{what} {number}") if what != "no events" else {"no": number} for number in range(3)]
    batches = [sent] if what == "one batch" else [[one] for one in sent]
    answers = [door.post(batch, token=token) for batch in batches]
    assert [one.status for one in answers[:-1]] == [202] * (len(answers) - 1)
    last = answers[-1]
    assert last.status == 429 and 0 < int(last.headers["retry-after"]) <= 3_600
    assert "2 that it may in an hour" in last.json["error"]
    if what != "no events":
        assert door.post(sent[:1], token=token).status == 202, "what came before is known"
    other = door.post([an_event(f"other {what}")])
    assert other.status == 202, "nobody else's hour is used up"


@pytest.fixture(scope="module")
def door(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with _database(server_url) as url:
        create_schema(url)
        with serving(url, tmp_path_factory.mktemp("door") / "log.txt") as address, PostgresLedger.open(url) as ledger:
            yield Door(address, ledger, url)


def subjects(door: Door) -> set[str]:
    return {run.event.subject for run in door.ledger.runs()}


def test_an_event_is_taken_in_once_and_its_mission_begins(door: Door) -> None:
    first = door.post(an_event("once", "O-ONCE"))
    assert first.status == 202
    (taken,) = first.json["taken_in"]
    assert taken["source_id"] == "once" and first.json == {"taken_in": [taken], "known": [], "dead_letters": []}
    assert door.post(an_event("once", "O-ONCE")).json == {"taken_in": [], "known": [taken], "dead_letters": []}
    run = door.ledger.run(taken["run_id"])
    assert (run.event.source_id, run.event.subject, run.event.requested_by) == ("oms:once", "O-ONCE", "")
    assert (first.headers["cache-control"], first.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "set-cookie" not in first.headers


def test_a_list_and_lines_are_taken_in_one_by_one_and_what_is_no_event_is_a_dead_letter(door: Door) -> None:
    events = [an_event("list-1"), {"source_id": "list-2"}, an_event("list-3")]
    lines = b"\n\n".join([json.dumps(an_event("line-1")).encode(), b"{", b"\xff", json.dumps(an_event("line-2")).encode(), b""])
    for told, names, bad in ((door.post(events), "list-1 list-3", 1), (door.post(lines, LINES), "line-1 line-2", 2)):
        assert told.status == 202
        assert [one["source_id"] for one in told.json["taken_in"]] == names.split()
        assert len(told.json["dead_letters"]) == bad
    letters = {letter.letter_id: letter for letter in door.inbox.open_letters()[0]}
    for one in told.json["dead_letters"]:
        assert letters[one["letter_id"]].source == "POST /events by oms"
        assert letters[one["letter_id"]].reason == one["reason"]


def test_without_a_good_token_nothing_is_told_and_nothing_read(door: Door) -> None:
    ended = door.inbox.add_source("gone")
    door.inbox.end_source("gone")
    answers = [
        door.ask("POST", json.dumps(an_event("no token", "O-401")), Content_Type=JSON, **headers)
        for headers in (
            {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {door.token}"},
            {"Authorization": f"Bearer {ended}"}, {"Authorization": f"Bearer {door.token}x"}, {"Authorization": door.token},
            {"Cookie": f"missions={door.token}"}, {"Authorization": "Bearer ' OR 1=1 --"},
        )
    ]  # fmt: skip
    assert {(one.status, one.text, one.headers["www-authenticate"]) for one in answers} == {
        (401, '{"error":"This takes the token of an event source, as Authorization: Bearer TOKEN."}', "Bearer")
    }
    assert "O-401" not in subjects(door)


def test_two_sources_hand_in_the_same_source_id_and_both_are_taken_in(door: Door) -> None:
    other = door.inbox.add_source("shop", bounds=BOUNDS)
    told = [door.post(an_event("same"), token=token).json["taken_in"] for token in (door.token, other)]
    assert [len(one) for one in told] == [1, 1] and told[0][0]["run_id"] != told[1][0]["run_id"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jso"]
)
def test_what_is_no_json_by_its_type_is_refused(door: Door, kind: str) -> None:
    told = door.post(an_event("typed", "O-415"), kind)
    assert told.status == 415 and "application/json" in told.json["error"]
    assert door.post(an_event("typed", "O-415"), JSON, Content_Encoding="gzip").status == 415
    assert "O-415" not in subjects(door)


def test_the_type_may_name_its_charset(door: Door) -> None:
    assert door.post(an_event("charset"), "Application/JSON; charset=utf-8").status == 202


@pytest.mark.parametrize(
    "body", [b"", b"{", b"5", b'"text"', b"null", b"[NaN]", b'{"a": 1, "a": 2}', b"\xff", b"[" * 500_000, b'[{"a": 1e999}]']
)
def test_a_body_that_is_no_json_of_events_is_one_sentence_and_no_dead_letter(door: Door, body: bytes) -> None:
    before = door.inbox.open_letters()[1]
    told = door.post(body)
    assert told.status == 400 and told.json["error"].startswith("The body is n")
    assert door.inbox.open_letters()[1] == before


def test_a_body_that_is_too_long_is_refused_whether_or_not_it_says_so(door: Door) -> None:
    long = json.dumps([an_event("long", "O-413")]).encode() + b" " * MOST_BODY_BYTES
    pieces = (long[place : place + 50_000] for place in range(0, len(long), 50_000))
    for body in (long, pieces):
        try:
            told = door.post(body)
        except (BrokenPipeError, ConnectionResetError):
            continue  # it did not listen to the end
        assert told.status == 413 and "1,000,000 bytes" in told.json["error"]
    assert "O-413" not in subjects(door)


def test_more_events_than_a_request_may_have_are_refused_as_a_whole(door: Door) -> None:
    for told in (door.post([an_event("many", "O-1001")] * 1_001), door.post(b"{}\n" * 1_001, LINES)):
        assert told.status == 413 and "1,001 events" in told.json["error"]
    assert "O-1001" not in subjects(door)


def test_an_event_that_is_too_long_is_a_dead_letter_beside_others(door: Door) -> None:
    told = door.post([an_event("too long", note="x" * 100_000), an_event("beside it")])
    assert told.status == 202
    assert [one["source_id"] for one in told.json["taken_in"]] == ["beside it"]
    assert "longer than 100,000 bytes" in told.json["dead_letters"][0]["reason"]


def test_nothing_else_is_answered_there(door: Door) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        told = door.ask(method, Authorization=f"Bearer {door.token}")
        assert told.status == 405 and told.headers["allow"] == "POST"
    beside = door.ask("POST", json.dumps(an_event("beside")), "/events/x/y", Content_Type=JSON)
    assert (beside.status, beside.headers["location"]) == (303, "/sign-in?next=/events/x/y"), "the pages stay closed"


def test_without_its_database_the_source_is_told_to_come_again(door: Door, server_url: str) -> None:
    name = urlsplit(door.database_url).path[1:]
    with psycopg.connect(server_url, autocommit=True) as session:
        session.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        session.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            told = door.post(an_event("later", "O-503"))
        finally:
            session.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    assert (told.status, told.headers["retry-after"]) == (503, "5")
    assert "did not answer" in told.json["error"]
    assert [one["source_id"] for one in door.post(an_event("later", "O-503")).json["taken_in"]] == ["later"]
