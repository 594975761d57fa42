"""systems.yaml is read whole, or refused with the file, the system and the remedy."""

import sys
from pathlib import Path

import pytest

from errors import BadInput
from systems.config import load_config
from tests.reference import SYSTEMS

BAD = [
    ("systems: [", "line 1: the list of systems cannot be read"),
    ("{}", "«systems» is required here"),
    ("systems: {oms: {url: 'http://x', url: 'http://y'}}", "line 1: the list of systems cannot be read («url» appears twice"),
    (
        "systems:\n  a: &a {url: 'http://x'}\n  b: *a",
        "line 3: the list of systems cannot be read (an alias",
    ),
    ("systems: {oms: 5}", "line 1: systems.oms: «5» stands here"),
    ("systems: {oms: {}}", "systems.oms: it needs either a command or a url"),
    ("systems: {oms: {command: [a], url: 'http://x'}}", "exactly one of them"),
    ("systems: {oms: {command: []}}", "systems.oms.command: Tuple should have at least 1 item"),
    ("systems: {oms: {command: a b}}", "systems.oms.command: «a b» stands here; fix it: lines with - in front"),
    ("systems: {oms: {url: 'ftp://x'}}", "systems.oms.url: String should match pattern '^https?://'"),
    (
        "systems: {oms: {url: 'http://x', reads: get_order}}",
        "systems.oms.reads: «get_order» stands here; fix it: lines with - in front",
    ),
    ("systems: {oms: {url: 'http://x', read: [a]}}", "«read» is not permitted here; fix it: did you mean reads?"),
    ("systems: {oms: {url: 'http://x', timeout_seconds: 0}}", "systems.oms.timeout_seconds: Input should be greater than 0"),
    ("systems: {oms: {url: 'http://x', timeout_seconds: true}}", "systems.oms.timeout_seconds: Input should be a valid number"),
    ("systems: {o.ms: {url: 'http://x'}}", "dot in its name"),
    ("systems: {oms: {url: 'http://x', feed: list_events}}", "systems.oms.feed: «list_events» stands here"),
    ("systems: {oms: {url: 'http://x', feed: {every_seconds: 5}}}", "«tool» is required here"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, cursor: b}}}", "«cursor» is not permitted here"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: b}}}", "'b', which is not one of its reads"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: [a]}}}", "feed.0.tool: Input should be a valid string"),
    (
        "systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, every_seconds: 0}}}",
        "feed.0.every_seconds: Input should be greater than or equal to 1",
    ),
    (
        "systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, every_seconds: true}}}",
        "feed.0.every_seconds: Input should be a valid integer",
    ),
    ("systems: {oms: {url: 'http://x', name: erp}}", "system oms says its name again"),
    ("invoices: {enter: erp.add, event: {mission: a}}\nsystems: {oms: {url: 'http://x'}}", "there is no such system"),
    ("invoices: {event: {mission: =b}}\nsystems: {oms: {url: 'http://x'}}", "its event needs the name of a mission"),
    ("invoices: {event: {mission: a, source_id: =answer.id}}\nsystems: {oms: {url: 'http://x'}}", "answer"),
    ("systems: {'o:ms': {url: 'http://x', reads: [a], feed: {tool: a}}}", "has a feed, and a name that is not of letters"),
]


@pytest.mark.parametrize(("content", "sentence"), BAD)
def test_a_bad_entry_is_refused_with_file_and_remedy(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "systems.yaml"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"systems\.yaml") as refusal:
        load_config(path)
    assert sentence in str(refusal.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.yaml: the list of systems cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_python_stands_for_the_interpreter_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "systems.yaml"
    path.write_text("systems: {oms: {command: ['{python}', -m, x], reads: [a], env: [E], timeout_seconds: 2}}")
    oms = load_config(path).systems["oms"]
    assert oms.command == (sys.executable, "-m", "x")
    assert (oms.reads, oms.env, oms.timeout_seconds, oms.start_seconds) == (frozenset({"a"}), ("E",), 2.0, 30.0)


def test_a_system_with_a_feed_is_polled_every_half_minute_unless_it_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "systems.yaml"
    path.write_text(
        "systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a}}, wms: {url: 'http://x'},"
        " crm: {url: 'http://x', reads: [b, c], feed: [{tool: b, every_seconds: 5}, {tool: c}]}}"
    )
    feeds = load_config(path).feeds
    assert [(feed.name, feed.every_seconds) for feed in feeds] == [("oms.a", 30), ("crm.b", 5), ("crm.c", 30)]


def test_the_default_names_the_sandbox_company_and_pins_its_tools() -> None:
    config = load_config()
    assert set(config.systems) == set(SYSTEMS) == set(config.pins)
    for name, system in config.systems.items():
        assert system.reads <= set(config.pins[name])
