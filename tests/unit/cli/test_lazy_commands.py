"""Commands are listed without what they need, and each of them is there when it is called."""

import subprocess
import sys

from cli.main import COMMANDS, loaded

HEAVY = ("langgraph", "chromadb", "mcp", "streamlit", "sqlalchemy")


def test_the_list_of_commands_loads_none_of_them() -> None:
    told = f"import sys, cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_command_of_the_list_is_there_and_says_what_the_list_says() -> None:
    found = 0
    for name, _, says in COMMANDS:
        command = loaded(name)
        assert command.help.startswith(says)
        below = getattr(command, "commands", {}).values()
        assert all(one.help for one in below)
        found += 1 + len(below)
    assert len(COMMANDS) >= 30
    assert found > 60
