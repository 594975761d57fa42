"""Commands and groups of commands that stand in modules of their own, loaded when they are called.

LangGraph, Chroma and MCP take seconds to load, and many commands need none or one of them.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class _Late:
    """What the list of commands knows the name of, and what is said of it; all else is asked of what is loaded."""

    #: the command or group itself
    loaded: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded, name)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of what is loaded now: from here on it runs in place of this."""
        return self.loaded.make_context(info_name, args, parent=parent, **extra)


class Late(_Late, TyperCommand):
    """A command: a function of its module."""

    def __init__(self, name: str, place: str, says: str) -> None:
        super().__init__(name, help=says)
        self._place = place
        del self.params

    @cached_property
    def loaded(self) -> Any:
        module, function = self._place.split(":")
        alone = typer.Typer(add_completion=False)
        alone.command(help=self.help)(getattr(import_module(f"cli.{module}"), function))
        return get_command(alone)


class LateGroup(_Late, TyperGroup):
    """A group of commands: the `app` of its module."""

    def __init__(self, name: str, place: str, says: str) -> None:
        super().__init__(name=name, help=says)
        self._place = place
        del self.params, self.commands

    @cached_property
    def loaded(self) -> Any:
        group = get_group(import_module(f"cli.{self._place}").app)
        group.help = group.help or self.help
        return group


class LateCommands(TyperGroup):
    """A group of commands that are all loaded when they are called."""

    #: name, «module:function» of a command or the module of a group, and what is said of it
    rows: ClassVar[Sequence[tuple[str, str, str]]]

    def __init__(self, **attributes: Any) -> None:
        commands = {name: (Late if ":" in place else LateGroup)(name, place, says) for name, place, says in self.rows}
        super().__init__(**{**attributes, "commands": commands})
