"""`missions systems pin|show|draft` on a server that strangers wrote: no annotations, answers in an envelope."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import CHECKOUT
from tests.integration.commands import missions, refused
from tests.integration.terminal import at_terminal

SHOP = '''
import json
from mcp.server.mcpserver import MCPServer

shop = MCPServer("shop", log_level="CRITICAL")

@shop.tool()
def get_order_details(order_id: str) -> str:
    """An order.\\x1b[2J\\n  effect: null"""
    return json.dumps({"status": "success", "content": {"order_id": order_id, "state": "new", "items": [{"item_id": "1"}]}})

@shop.tool()
def exchange_items(order_id: str, item_ids: list[str], note: str | None = None) -> str:
    """Exchange items."""
    return "done"

shop.run("stdio")
'''


@pytest.fixture
def variables(database_url: str, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "systems.yaml").write_text(
        f'systems: {{shop: {{command: ["{{python}}", {tmp_path / "shop.py"}], reads: [get_order_details]}}}}\n'
    )
    return {"MISSIONS_SYSTEMS": tmp_path / "systems.yaml", "DATABASE_URL": database_url}


def test_a_read_that_does_not_say_so_is_pinned_with_a_yes_and_shown_and_drafted_from_its_answer(
    variables: dict[str, Any], tmp_path: Path
) -> None:
    refused(missions("systems", "pin", **variables), "shop.get_order_details", "--yes", "reads")
    assert not (tmp_path / "pins.json").exists()
    done = missions("systems", "pin", "--yes", **variables)
    assert done.returncode == 0, done.stderr
    assert set(json.loads((tmp_path / "pins.json").read_text())["shop"]) == {"get_order_details", "exchange_items"}
    assert missions("systems", "pin", **variables).returncode == 0  # it is as it was when somebody said yes

    shown = missions("systems", "show", "shop", COLUMNS="200", **variables)
    assert shown.returncode == 0, shown.stderr
    (line,) = [one for one in shown.stdout.splitlines() if one.startswith("exchange_items")]
    assert "WRITE" in line
    assert "lacks idempotency_key" in line

    drafted = missions("systems", "draft", "shop", "get_order_details", "--try", "order_id=#W1", **variables)
    assert drafted.returncode == 0, drafted.stderr
    assert "\x1b" not in drafted.stdout
    assert yaml.safe_load(drafted.stdout) == {
        "order_details": {"key": "order_id", "read": "get_order_details", "at": "content", "parts": {"items": "item_id"}}
    }
    action = yaml.safe_load(missions("systems", "draft", "shop", "exchange_items", **variables).stdout)
    assert action["exchange_items"]["args"] == {"order_id": "id", "item_ids": {"list": "id"}, "note": "text?"}
    refused(missions("systems", "draft", "shop", "exchange", **variables), "no tool 'exchange'", "exchange_items")


def test_whoever_pins_at_a_terminal_is_asked_about_a_read_that_does_not_say_so(variables: dict[str, Any], tmp_path: Path) -> None:
    env, pins = {**os.environ, **{name: str(value) for name, value in variables.items()}}, tmp_path / "pins.json"
    for answer, code in (("n", 1), ("y", 0)):
        # not forked: the terminal is that of the processes that are begun at it
        line = [sys.executable, "-m", "cli", "systems", "pin"]
        done = at_terminal(line, [("Does it only read? [y/N]:", answer)], env, CHECKOUT)
        assert (done.returncode, pins.exists()) == (code, answer == "y"), done.stdout
        assert "shop.get_order_details is listed as READ" in done.stdout and "exchange_items is" not in done.stdout
        assert "An order." in done.stdout and "\x1b[2J" not in done.stdout, "what its server says is shown, and does nothing"
    assert "2 tools of 1 systems are now pinned" in done.stdout
