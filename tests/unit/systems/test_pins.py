"""A digest covers what a person reviews of a tool, and pins survive a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput
from systems.pins import ListedTool, Pin, digest, pin, read_pins, write_pins

TOOL: dict[str, Any] = {
    "name": "get_order",
    "description": "One order.",
    "inputSchema": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    "annotations": {"readOnlyHint": True},
}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "get_orders"},
        {"description": "One order!"},
        {"title": "Order"},
        {"inputSchema": {"type": "object", "properties": {}}},
        {"outputSchema": {"type": "object"}},
        {"annotations": {"readOnlyHint": False}},
        {"description": "\ud800"},
    ],
)
def test_a_changed_tool_has_another_digest(change: dict[str, Any]) -> None:
    assert digest({**TOOL, **change}) != digest(TOOL)


def test_the_order_of_keys_and_what_is_not_reviewed_do_not_matter() -> None:
    assert digest({**dict(reversed(TOOL.items())), "_meta": {"at": 1}, "icons": []}) == digest(TOOL)


def test_pins_read_back_as_they_were_written_a_line_for_each_tool(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    assert read_pins(path) == {}
    reads = ListedTool("oms", "get_order", True, "1", frozenset(), {**TOOL, "outputSchema": {"type": "object"}})
    pins = pin([reads, replace(reads, name="cancel", reads=False)])
    write_pins(path, pins)
    assert read_pins(path) == pins
    assert [line.split(":")[0].strip() for line in path.read_text().splitlines()[2:4]] == ['"cancel"', '"get_order"']
    kept = pins["oms"]["get_order"]
    assert (kept.takes, kept.answers) == (TOOL["inputSchema"], {"type": "object"})
    assert pins["oms"]["cancel"].answers is None, "what a WRITE answers is not looked into"


def test_pins_of_before_schemas_were_kept_are_read(tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text('{"oms": {"get_order": "1"}}')
    assert read_pins(tmp_path / "pins.json") == {"oms": {"get_order": Pin(digest="1")}}


@pytest.mark.parametrize("content", ["[]", "{", '{"oms": 1}', '{"oms": {"a": 1}}'])
def test_a_broken_pins_file_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pins.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"pins\.json.*missions systems pin"):
        read_pins(path)
