"""Reads and writes of the sandbox company as MCP tools."""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict, create_model
from sqlalchemy import Engine

from errors import BadInput, Refused, TryAgain
from systems.sandbox.arguments import Id
from systems.sandbox.reads import Read
from systems.sandbox.shapes import clean
from systems.sandbox.work import run_once

Act = Callable[..., None]


class _Arguments(ArgModelBase):
    model_config = ConfigDict(strict=True, extra="forbid")


class _AsGiven(FuncMetadata):
    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Arguments stay as they came: a message whose text is `null` or `[1]` is a text."""
        return data


def read_tool(read: Read, engine: Callable[[], Engine]) -> Tool:
    """A read tool, marked as one."""

    def run(**args: Any) -> CallToolResult:
        return _answered(lambda: read.answer(engine(), clean(args)))

    takes = {name: (kind, ...) for name, kind in read.takes.items()}
    return _tool(read.name, read.says, takes, run, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def write_tool(system: str, act: Act, destructive: bool, engine: Callable[[], Engine]) -> Tool:
    """A write tool: `act(work, …)` with an idempotency key; its docstring is the description."""

    def run(idempotency_key: str, **args: Any) -> CallToolResult:
        return _answered(lambda: run_once(engine(), f"{system}.{act.__name__}", args, idempotency_key, act))

    hints = get_type_hints(act, include_extras=True)
    parameters = list(inspect.signature(act).parameters.values())[1:]
    takes = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=destructive, idempotent_hint=True, open_world_hint=False
    )
    return _tool(act.__name__, act.__doc__ or "", {**takes, "idempotency_key": (Id, ...)}, run, annotations)


def write_tools(
    system: str, acts: Collection[Act], destructive: Collection[Act], engine: Callable[[], Engine]
) -> list[Tool]:
    """The write tools of a system."""
    return [write_tool(system, act, act in destructive, engine) for act in acts]


def _tool(
    name: str, says: str, takes: Mapping[str, Any], run: Callable[..., CallToolResult], annotations: ToolAnnotations
) -> Tool:
    arguments = create_model(f"{name}_arguments", __base__=_Arguments, **takes)
    return Tool(
        fn=run,
        name=name,
        title=None,
        description=says,
        parameters=arguments.model_json_schema(),
        fn_metadata=_AsGiven(arg_model=arguments),
        is_async=False,
        context_kwarg=None,
        annotations=annotations,
    )


def _answered(work: Callable[[], dict[str, Any]]) -> CallToolResult:
    """The answer as structured content and as text; a refusal as an error whose kind the client can tell."""
    try:
        return _result(work())
    except (Refused, BadInput) as refusal:
        return _result({"error": "refused", "message": str(refusal)}, failed=True)
    except TryAgain as failure:
        return _result({"error": "try_again", "message": str(failure)}, failed=True)


def _result(answer: dict[str, Any], failed: bool = False) -> CallToolResult:
    said = str(answer["message"]) if failed else json.dumps(answer, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=said)], structured_content=answer, is_error=failed)
