"""Reads and writes of the sandbox company as MCP tools."""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ConfigDict, ValidationError, create_model
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from errors import BadInput, Refused, TryAgain
from systems.sandbox.arguments import Expected, FencingToken, Id
from systems.sandbox.feed import Feed
from systems.sandbox.reads import Read
from systems.sandbox.shapes import clean
from systems.sandbox.work import run_once

Act = Callable[..., None]
Run = Callable[[dict[str, Any]], dict[str, Any]]


class _Arguments(ArgModelBase):
    model_config = ConfigDict(strict=True, extra="forbid")


class _AsGiven(FuncMetadata):
    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Arguments stay as they came: a message whose text is `null` or `[1]` is a text. `_tool` validates them."""
        return {"given": arguments_to_validate}


def read_tool(read: Read | Feed, engine: Callable[[], Engine]) -> Tool:
    """A read tool, marked as one."""

    def run(args: dict[str, Any]) -> dict[str, Any]:
        return read.answer(engine(), clean(args))

    takes = {name: (kind, ...) for name, kind in read.takes.items()}
    return _tool(read.name, read.says, takes, run, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def write_tool(system: str, act: Act, destructive: bool, engine: Callable[[], Engine]) -> Tool:
    """A write tool: `act(work, …)` with an idempotency key; its docstring is the description."""

    def run(args: dict[str, Any]) -> dict[str, Any]:
        key, expects, fence = (args.pop(name) for name in ("idempotency_key", "expects", "fencing_token"))
        return run_once(engine(), f"{system}.{act.__name__}", args, key, act, expects, fence)

    hints = get_type_hints(act, include_extras=True)
    parameters = list(inspect.signature(act).parameters.values())[1:]
    takes = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    annotations = ToolAnnotations(read_only_hint=False, destructive_hint=destructive, idempotent_hint=True, open_world_hint=False)
    return _tool(
        act.__name__,
        act.__doc__ or "",
        {
            **takes,
            "idempotency_key": (Id, ...),
            "expects": (list[Expected], []),
            "fencing_token": (FencingToken | None, None),
        },
        run,
        annotations,
    )


def write_tools(system: str, acts: Collection[Act], destructive: Collection[Act], engine: Callable[[], Engine]) -> list[Tool]:
    """The write tools of a system."""
    return [write_tool(system, act, act in destructive, engine) for act in acts]


def _tool(name: str, says: str, takes: Mapping[str, Any], run: Run, annotations: ToolAnnotations) -> Tool:
    arguments = create_model(f"{name}_arguments", __base__=_Arguments, **takes)

    def answered(given: dict[str, Any]) -> CallToolResult:
        try:
            return _result(run(arguments.model_validate(given).model_dump_one_level()))
        except ValidationError as error:
            return _failure("refused", _sentence(name, error))
        except (Refused, BadInput) as refusal:
            return _failure("refused", str(refusal))
        except TryAgain as failure:
            return _failure("try_again", str(failure))
        except DBAPIError as failure:
            problem = str(failure.orig).strip().partition("\n")[0]
            return _failure("try_again", f"The sandbox company's database did not do {name} ({problem}); try again.")

    return Tool(
        fn=answered,
        name=name,
        title=None,
        description=says,
        parameters=arguments.model_json_schema(),
        fn_metadata=_AsGiven(arg_model=arguments),
        is_async=False,
        context_kwarg=None,
        annotations=annotations,
    )


def _sentence(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{name} does not take this {field}: {first['msg'][:1].lower()}{first['msg'][1:]}."


def _failure(kind: str, sentence: str) -> CallToolResult:
    """An error whose kind the client can tell."""
    content: list[Any] = [TextContent(type="text", text=sentence)]
    return CallToolResult(content=content, structured_content={"error": kind, "message": sentence}, is_error=True)


def _result(answer: dict[str, Any]) -> CallToolResult:
    """The answer as structured content and, for clients that know no other, as text."""
    content: list[Any] = [TextContent(type="text", text=json.dumps(answer, ensure_ascii=False))]
    return CallToolResult(content=content, structured_content=answer)
