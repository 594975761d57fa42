"""Commands are listed without what they need, and each of them is there when it is called."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cli.late import Late, LateGroup
from cli.main import app

HEAVY = ("langgraph", "chromadb", "mcp", "streamlit", "sqlalchemy")


def commands(group: Any) -> Iterator[Late | LateGroup]:
    """Every command and group below a group that is loaded when it is called."""
    for command in group.commands.values():
        if isinstance(command, Late | LateGroup):
            yield command
        if isinstance(command, LateGroup):
            yield from commands(command)


def test_the_list_of_commands_loads_none_of_them() -> None:
    told = f"import sys, cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_command_of_the_list_is_there_and_says_what_the_list_says() -> None:
    found = list(commands(get_command(app)))
    assert len(found) > 30
    for command in found:
        assert command.loaded.help.startswith(command.help)
