"""systems.yaml is read whole, or refused with the file, the system and the remedy."""

import sys
from pathlib import Path

import pytest

from errors import BadInput
from systems.config import load_config
from systems.sandbox.serve import SYSTEMS

BAD = [
    ("systems: [", "is no YAML"),
    ("{}", "names no systems"),
    ("systems: {oms: 5}", "system oms is 5"),
    ("systems: {oms: {}}", "system oms needs either a command or a url"),
    ("systems: {oms: {command: [a], url: 'http://x'}}", "exactly one of them"),
    ("systems: {oms: {command: []}}", "empty command"),
    ("systems: {oms: {command: a b}}", "command is 'a b'; give a list"),
    ("systems: {oms: {url: 'ftp://x'}}", "begins with http"),
    ("systems: {oms: {url: 'http://x', reads: get_order}}", "reads is 'get_order'; give a list"),
    ("systems: {oms: {url: 'http://x', read: [a]}}", "unknown field read"),
    ("systems: {oms: {url: 'http://x', timeout_seconds: 0}}", "timeout_seconds is 0"),
    ("systems: {oms: {url: 'http://x', timeout_seconds: true}}", "timeout_seconds is True"),
    ("systems: {o.ms: {url: 'http://x'}}", "dot in its name"),
    ("systems: {oms: {url: 'http://x', feed: list_events}}", "feed is 'list_events'; give it a tool"),
    ("systems: {oms: {url: 'http://x', feed: {every_seconds: 5}}}", "give it a tool"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, cursor: b}}}", "give it a tool"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: b}}}", "'b', which is none of its reads"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: [a]}}}", "which is none of its reads"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, every_seconds: 0}}}", "every_seconds of feed is 0"),
    ("systems: {oms: {url: 'http://x', reads: [a], feed: {tool: a, every_seconds: true}}}", "every_seconds of feed is True"),
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
    with pytest.raises(BadInput, match=r"none\.yaml cannot be read"):
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
        " crm: {url: 'http://x', reads: [b], feed: {tool: b, every_seconds: 5}}}"
    )
    assert [(feed.name, feed.every_seconds) for feed in load_config(path).feeds] == [("oms.a", 30), ("crm.b", 5)]


def test_the_default_names_the_sandbox_company_and_pins_its_tools() -> None:
    config = load_config()
    assert set(config.systems) == set(SYSTEMS) == set(config.pins)
    for name, system in config.systems.items():
        assert system.reads <= set(config.pins[name])
