"""Change feeds over real MCP servers: the sandbox company's, and one that answers whatever a test wants."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from errors import TryAgain
from graphs.sources import AT_ONCE, MOST_PAGES, poll
from ledger.postgres import PostgresLedger
from ledger.services import Inbox
from systems.client import LiveSystems
from systems.config import FeedConfig, load_config
from systems.pins import pin, write_pins
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from tests.integration.arriving import Arriving, an_event
from tests.integration.live_company import CASES

pytest_plugins = ["tests.integration.arriving"]

SANDBOX = load_config().feeds[0]
SHOP = FeedConfig(system="shop", tool="list_events", missions=("order_exception",))
SERVER = '''
import json, os, sys
from typing import Any
from mcp.server.mcpserver import MCPServer

shop = MCPServer("shop", log_level="CRITICAL")

@shop.tool(structured_output=False)
def list_events(after: str, limit: int) -> Any:
    """What happened."""
    with open(os.environ["ANSWERS"]) as file:
        told = json.load(file)
    with open(os.environ["ANSWERS"] + ".asked", "a") as file:
        file.write(after + "\\n")
    answer = told[after] if isinstance(told, dict) and after in told else told
    return answer if isinstance(answer, str) else json.dumps(answer)

shop.run("stdio")
'''


@pytest.fixture(scope="module")
def sandbox(_ledger_database: str) -> Iterator[LiveSystems]:
    """The sandbox company of the ledger's database, as it is configured."""
    create_schema(_ledger_database)
    with LiveSystems(load_config(), extra_env={"DATABASE_URL": _ledger_database}) as systems:
        yield systems


class Shop:
    """A system whose feed answers by cursor what it is told to."""

    def __init__(self, systems: LiveSystems, file: Path) -> None:
        self.systems, self._file, self._asked = systems, file, file.with_name(f"{file.name}.asked")

    def tells(self, answers: Any) -> None:
        """Answers by cursor, or one answer for all."""
        self._file.write_text(json.dumps(answers))
        self._asked.write_text("")

    @property
    def asked(self) -> list[str]:
        """The cursors that the feed was asked with."""
        return self._asked.read_text().split("\n")[:-1]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(textwrap.dedent(SERVER))
    entry = {"command": ["{python}", str(folder / "shop.py")], "env": ["ANSWERS"], "reads": ["list_events"], "timeout_seconds": 5}
    (folder / "systems.yaml").write_text(json.dumps({"systems": {"shop": entry}}))
    environment = {"ANSWERS": str(folder / "answers")}
    with LiveSystems(load_config(folder / "systems.yaml"), extra_env=environment) as systems:
        write_pins(folder / "pins.json", pin(systems.tools()))
    with LiveSystems(load_config(folder / "systems.yaml"), extra_env=environment) as systems:
        yield Shop(systems, folder / "answers")


@pytest.fixture
def fed(arriving: Arriving, shop: Shop) -> Arriving:
    """An intake that reads the shop."""
    arriving.reads(shop.systems.reader())
    return arriving


def page(cursor: Any, *events: Any) -> dict[str, Any]:
    return {"events": list(events), "cursor": cursor}


def position(arriving: Arriving) -> tuple[str, str]:
    """Cursor and error of the shop's feed."""
    found = arriving.inbox.feed(SHOP.name)
    return (found.cursor, found.error) if found else ("", "")


def test_recorded_exceptions_come_in_by_the_feed_of_the_sandbox_company(
    arriving: Arriving, sandbox: LiveSystems, ledger_url: str
) -> None:
    url = ledger_url
    reset(url)
    arriving.reads(sandbox.reader())
    assert poll(arriving.intake, SANDBOX).taken_in == []
    cases = list(CASES.values())[:3]
    assert load_cases(url, cases[:2]).refused == {}
    assert poll(arriving.intake, SANDBOX).taken_in == [], "nobody asked for their events"
    assert load_cases(url, cases, feed=True).refused == {}
    assert load_cases(url, cases, feed=True).refused == {}
    report = poll(arriving.intake, SANDBOX)
    assert [one.source_id for one in report.taken_in] == [case["case_id"] for case in cases]
    assert [run.event.subject for run in arriving.begun] == [run.event.subject for run in reversed(arriving.ledger.runs())]
    assert report.stopped == "" and report.dead_letters == []
    again = poll(arriving.intake, SANDBOX)
    assert (again.taken_in, again.known, again.stopped) == ([], [], "")


def test_the_feed_of_the_sandbox_company_comes_to_a_database_of_before(database_url: str) -> None:
    create_schema(database_url)
    with psycopg.connect(database_url) as session:
        session.execute("DROP TABLE sandbox.events")
    create_schema(database_url)
    assert load_cases(database_url, [next(iter(CASES.values()))], feed=True).refused == {}


def test_a_cursor_that_the_sandbox_company_never_gave_is_an_error_of_the_feed(arriving: Arriving, sandbox: LiveSystems) -> None:
    arriving.reads(sandbox.reader())
    arriving.inbox.advance(SANDBOX.name, "", "1; DROP TABLE sandbox.events")
    assert "There is no such cursor" in poll(arriving.intake, SANDBOX).stopped


def test_a_poll_reads_on_until_the_feed_tells_nothing_more(fed: Arriving, shop: Shop) -> None:
    shop.tells({"": page("a", an_event("1")), "a": page("b", an_event("2"), an_event("3")), "b": page("b")})
    report = poll(fed.intake, SHOP)
    assert [one.source_id for one in report.taken_in] == ["1", "2", "3"]
    assert {run.event.source_id for run in fed.begun} == {"shop:1", "shop:2", "shop:3"}
    assert position(fed) == ("b", "") and shop.asked == ["", "a", "b"]
    poll(fed.intake, SHOP)
    assert shop.asked == ["", "a", "b", "b"]


def test_an_event_that_is_none_is_a_dead_letter_and_stops_no_other(fed: Arriving, shop: Shop) -> None:
    shop.tells({"": page("a", "text", an_event("1"), {"source_id": "2"}), "a": page("a")})
    report = poll(fed.intake, SHOP)
    assert ([one.source_id for one in report.taken_in], len(report.dead_letters)) == (["1"], 2)
    assert {letter.source for letter in fed.inbox.open_letters()[0]} == {"feed shop.list_events"}
    assert position(fed) == ("a", "")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("junk", 'did not answer {"events"'),
        ([], 'did not answer {"events"'),
        ({}, 'did not answer {"events"'),
        (page(7), "did not answer"),
        ({"events": {}, "cursor": "a"}, "did not answer"),
        (page("a", *[an_event(str(number)) for number in range(AT_ONCE + 1)]), "answered 101 events; at most 100"),
        (page("x" * 501), "a cursor that cannot be stored"),
        (page("a\0b"), "a cursor that cannot be stored"),
        (page("a", "x" * 2_100_000), "longer than 2,000,000 bytes"),
        ({"record": None}, "answered nothing"),
    ],
)
def test_a_feed_that_answers_garbage_keeps_its_cursor_and_its_error(fed: Arriving, shop: Shop, answer: Any, says: str) -> None:
    fed.inbox.advance(SHOP.name, "", "before")
    shop.tells(answer)
    report = poll(fed.intake, SHOP)
    assert says in report.stopped and report.taken_in == []
    assert position(fed) == ("before", report.stopped) and shop.asked == ["before"]
    shop.tells(page("after"))
    assert poll(fed.intake, SHOP).stopped == ""
    assert position(fed) == ("after", ""), "the next poll that goes well says so"


def test_a_feed_in_words_of_its_own_is_made_into_events(fed: Arriving, shop: Shop) -> None:
    wanted = an_event("1")
    trigger = {**wanted["trigger"], "order_id": "=it.no"}
    event = {**wanted, "source_id": "='o-' + it.id", "as_of": "=it.made", "trigger": trigger}
    feed = FeedConfig(system="shop", tool="list_events", missions=SHOP.missions, events="orders", event=event)
    order = {"id": "7", "no": "O-1", "made": wanted["as_of"]}
    shop.tells({"": {"orders": [order, {"id": 8}, "junk"], "cursor": "8"}, "8": {"orders": [], "cursor": "8"}})
    report = poll(fed.intake, feed)
    assert ([one.source_id for one in report.taken_in], len(report.dead_letters)) == (["o-7"], 2)
    assert position(fed) == ("8", "")


def test_an_event_of_a_feed_is_computed_of_what_it_tells_alone() -> None:
    with pytest.raises(ValueError, match="order"):
        FeedConfig(system="shop", tool="list_events", event={"source_id": "=order.id"})


def test_a_cursor_that_does_not_move_with_events_takes_them_in_and_asks_once(fed: Arriving, shop: Shop) -> None:
    shop.tells(page("", an_event("1")))
    report = poll(fed.intake, SHOP)
    assert len(report.taken_in) == 1 and "the feed cannot advance" in report.stopped
    assert shop.asked == [""] and position(fed) == ("", report.stopped)
    assert len(poll(fed.intake, SHOP).known) == 1


def test_cursors_that_go_round_in_a_circle_end_the_poll(fed: Arriving, shop: Shop) -> None:
    shop.tells({"": page("a", an_event("1")), "a": page("b", an_event("1")), "b": page("a", an_event("1"))})
    report = poll(fed.intake, SHOP)
    assert (len(report.taken_in), len(report.known), len(shop.asked)) == (1, MOST_PAGES - 1, MOST_PAGES)


def test_a_feed_that_is_no_read_tool_or_of_no_system_is_an_error_of_the_feed(fed: Arriving, shop: Shop) -> None:
    for feed in (FeedConfig(system="shop", tool="put"), FeedConfig(system="moon", tool="list_events")):
        assert feed.name in poll(fed.intake, feed).stopped


def test_what_was_not_taken_in_is_read_once_more(fed: Arriving, shop: Shop) -> None:
    shop.tells({"": page("a", an_event("1"), an_event("2")), "a": page("a")})

    def down(_: Any) -> None:
        raise TryAgain("The database of the ledger did not answer.")

    report = poll(type(fed.intake)(fed.intake.runtime, fed.inbox, down), SHOP)
    assert report.stopped == "The database of the ledger did not answer."
    assert position(fed) == ("", report.stopped)
    again = poll(fed.intake, SHOP)
    assert ([one.source_id for one in again.known], [one.source_id for one in again.taken_in]) == (["1"], ["2"])
    assert position(fed) == ("a", "")


def test_a_slower_reader_does_not_move_the_cursor_back(fed: Arriving) -> None:
    assert fed.inbox.advance(SHOP.name, "", "a")
    assert fed.inbox.advance(SHOP.name, "a", "b")
    assert not fed.inbox.advance(SHOP.name, "a", "a2")
    assert position(fed)[0] == "b"


def test_without_a_database_a_poll_is_tried_again(fed: Arriving) -> None:
    with (
        PostgresLedger.open("postgresql://nobody@127.0.0.1:1/none") as nowhere,
        pytest.raises(TryAgain, match="did not answer"),
    ):
        poll(type(fed.intake)(fed.intake.runtime, Inbox(nowhere)), SHOP)
