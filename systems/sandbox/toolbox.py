"""Reads and writes of the sandbox company as MCP tools, and the types of their arguments."""

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any, NamedTuple, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import AfterValidator, Field, ValidationError, create_model
from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import TypedDict

from errors import BadInput, Refused, TryAgain
from systems.conditions import Expression, Scope, Unknown, Value
from systems.sandbox import database as db
from systems.sandbox import programs
from systems.sandbox.company import DECLARED, RECORD_TABLES, WriteTool
from systems.sandbox.database import Row, is_moment
from systems.sandbox.work import Cents, Id, Prose, Words, Work, not_done, run_once
from systems.schema import ReadTool

Run = Callable[[dict[str, Any]], dict[str, Any]]
#: the system that reports what happened in the whole company
FEEDING = "oms"


def _with_zone(value: str) -> str:
    if not is_moment(value):
        raise ValueError("it has no time zone")
    return value


class FencingToken(TypedDict):
    """Who writes: refused where a greater token of the same scope has been here, or after its moment."""

    scope: Id
    token: Annotated[int, Field(ge=0, lt=2**63)]
    valid_until: Annotated[str, Field(max_length=50), AfterValidator(_with_zone)]


class Expected(TypedDict):
    """What a field of a record is before a write, or nothing is written."""

    system: Id
    record: Id
    field: Id
    before: Any


class SandboxTool(NamedTuple):
    """A tool of a system: what it is for (a pin covers it), and its arguments with types and defaults.

    One that reads answers by `act(connection, …)`, from one moment of the database: {"record": record or null},
    {"records": [...]}, or an object of its own. One that writes does `act(work, …)` in one transaction.
    """

    name: str
    says: str
    takes: Mapping[str, tuple[Any, Any]]
    act: Callable[..., Any]
    #: what it reads, where systems.yaml declares it
    tool: ReadTool | None = None
    destructive: bool = False


def _programmed(act: Callable[..., Any]) -> SandboxTool:
    """A tool that is a program: its name, docstring and parameters are the tool's."""
    hints = get_type_hints(act, include_extras=True)
    parameters = list(inspect.signature(act).parameters.values())[1:]
    takes = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    return SandboxTool(act.__name__, act.__doc__ or "", takes, act, destructive=act in programs.DESTRUCTIVE)


def reads_of(system: str) -> list[SandboxTool]:
    """The read tools of one system; its feed is not among them."""
    whose = f"{system}."
    return [_read(name.removeprefix(whose), tool) for name, tool in DECLARED.tools.items() if name.startswith(whose)]


def _read(name: str, tool: ReadTool) -> SandboxTool:
    """A read tool of systems.yaml."""
    table, parts = db.TABLES[tool.collection]
    says = f"All records of {tool.collection}."
    if tool.one:
        says = f"The {RECORD_TABLES[tool.collection].noun} with this {' and '.join(tool.by)}, or null."
    else:
        for argument, field in tool.by.items():
            part, _, inner = field.partition(".")
            what = f"with this {argument}" if argument == field else f"whose {part} is one of these"
            says = f"All records of {tool.collection} {what}."
            if inner:
                says = f"All orders, whatever their status, that have a line whose {inner} is one of these."

    def act(connection: Connection, **args: Any) -> dict[str, Any]:
        where = []
        for argument, field in tool.by.items():
            part, _, inner = field.partition(".")
            column, wanted = parts[part].c[inner] if inner else table.c[part], args[argument]
            fits = column.in_(wanted) if isinstance(wanted, list) else column == wanted
            if inner:
                (owner,) = parts[part].info["parent_key"]
                standing = [parts[part].c[mark].is_(False) for mark in RECORD_TABLES[tool.collection].parts[part].marks]
                fits = table.c[owner].in_(select(parts[part].c[owner]).where(fits, *standing))
            where.append(fits)
        found = db.find_records(connection, tool.collection, *where)
        return {"record": found[-1] if found else None} if tool.one else {"records": found}

    takes = {argument: (Id if argument == field else list[str], ...) for argument, field in tool.by.items()}
    return SandboxTool(name, says, takes, act, tool)


def list_events(
    connection: Connection, after: Annotated[str, Field(max_length=500)], limit: Annotated[int, Field(ge=1, le=1000)]
) -> dict[str, Any]:
    """What happened after a cursor, oldest first, and the cursor to read on from; an empty cursor is the beginning."""
    if after and not (after.isdecimal() and after.isascii() and len(after) < 19):
        raise Refused("There is no such cursor; give one that this feed returned, or an empty one.")
    found = select(db.EVENTS.c.number, db.EVENTS.c.event).where(db.EVENTS.c.number > int(after or 0))
    rows = connection.execute(found.order_by(db.EVENTS.c.number).limit(limit)).all()
    return {"events": [row.event for row in rows], "cursor": str(rows[-1].number) if rows else after}


class _Arguments(ArgModelBase, strict=True, extra="forbid"):
    pass


class _AsGiven(FuncMetadata):
    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Arguments stay as they came: a message whose text is `null` or `[1]` is a text. `_tool` validates them."""
        return {"given": arguments_to_validate}


#: by the words of company.yaml
_ARGUMENTS: Mapping[str, tuple[Any, Any]] = {
    "id": (Id, ...), "words": (Words, ...), "text": (Prose | None, None), "cents": (Cents, ...), "address": (dict[str, Any], ...)
}  # fmt: skip


def writes_of(system: str) -> list[SandboxTool]:
    """The write tools of one system: those that company.yaml declares, and the programs."""
    declared = [
        _declared(table, name, tool)
        for table in db.METADATA.tables.values()
        for name, tool in table.info.get("writes", {}).items()
        if system == (tool.system or table.info["collection"].partition(".")[0])
    ]
    return [*declared, *map(_programmed, programs.WRITES.get(system, ()))]


def _declared(table: Table, name: str, tool: WriteTool) -> SandboxTool:
    """A write tool of company.yaml; the records are locked in the order in which it names them."""
    where = f"company.yaml: {name}"
    needs = [(need, Expression.compile(need.that, where)) for need in tool.needs]
    computes, sets = ({key: Value.compile(one, where) for key, one in of.items()} for of in (tool.computes, tool.sets))

    def act(work: Work, **args: Any) -> None:
        @cache
        def rows(of: Table) -> list[Row]:
            key = {column.name: args[column.name] for column in of.primary_key if column.name in args}
            return work.rows(of, **key) or [work.row(of, **key)]

        def told(value: Expression | Value, it: Row) -> Any:
            try:
                return value.evaluate(Scope({**known, "it": it}))
            except Unknown as unknown:
                raise Refused(f"{name} cannot tell from these arguments and records whether it may be done.") from unknown

        known = dict(args)
        for key, value in computes.items():
            known[key] = told(value, rows(table)[0])
        for need, that in needs:
            for found in rows(db.TABLES[need.of][0] if need.of else table):
                fits = all(found[field] in values for field, values in need.has.items())
                if not fits or told(that, found) is not True:
                    raise Refused(need.otherwise.format_map({**found, **known}))
        for found in rows(table):
            work.change(table, found, **{field: told(value, found) for field, value in sets.items()})
        if tool.notes:
            key, *_ = keys = [column.name for column in table.primary_key]
            work.do(tool.notes, args[key], **{name: value for name, value in args.items() if name not in keys})

    takes = {arg: _ARGUMENTS[kind] for arg, kind in tool.args.items()}
    return SandboxTool(name, tool.says, takes, act, destructive=tool.destructive)


def tools_of(system: str, engine: Callable[[], Engine]) -> list[Tool]:
    """All tools of one system as MCP lists and calls them; `engine` is asked at each call."""

    def run(act: Callable[..., dict[str, Any]], args: dict[str, Any]) -> dict[str, Any]:
        # a record and the lists inside it are two statements of one moment
        with engine().execution_options(isolation_level="REPEATABLE READ").connect() as connection:
            return act(connection, **db.clean(args))

    reads, annotations = reads_of(system), ToolAnnotations(read_only_hint=True, open_world_hint=False)
    if system == FEEDING:
        reads.append(_programmed(list_events))
    tools = [_tool(read.name, read.says, read.takes, partial(run, read.act), annotations) for read in reads]
    return tools + [_write_tool(system, write, engine) for write in writes_of(system)]


def _write_tool(system: str, write: SandboxTool, engine: Callable[[], Engine]) -> Tool:
    """A write tool, which takes an idempotency key besides, and may take conditions and a fencing token."""

    def run(args: dict[str, Any]) -> dict[str, Any]:
        key, expects, fence = (args.pop(name) for name in ("idempotency_key", "expects", "fencing_token"))
        return run_once(engine(), f"{system}.{write.name}", args, key, write.act, expects, fence)

    common = {"idempotency_key": (Id, ...), "expects": (list[Expected], []), "fencing_token": (FencingToken | None, None)}
    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=write.destructive, idempotent_hint=True, open_world_hint=False
    )
    return _tool(write.name, write.says, {**write.takes, **common}, run, annotations)


def _tool(name: str, says: str, takes: Mapping[str, Any], run: Run, annotations: ToolAnnotations) -> Tool:
    arguments = create_model(f"{name}_arguments", __base__=_Arguments, **takes)

    def answered(given: dict[str, Any]) -> CallToolResult:
        try:
            answer = run(arguments.model_validate(given).model_dump_one_level())
            return _result(answer, json.dumps(answer, ensure_ascii=False))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            kind, message = "refused", f"{name} does not take this {field}: {first['msg'][:1].lower()}{first['msg'][1:]}."
        except (Refused, BadInput) as refusal:
            kind, message = "refused", str(refusal)
        except (TryAgain, DBAPIError) as failure:
            kind, message = "try_again", str(not_done(name, failure) if isinstance(failure, DBAPIError) else failure)
        return _result({"error": kind, "message": message}, message, is_error=True)

    return Tool(
        fn=answered, name=name, title=None, description=says, parameters=arguments.model_json_schema(),
        fn_metadata=_AsGiven(arg_model=arguments), is_async=False, context_kwarg=None, annotations=annotations,
    )  # fmt: skip


def _result(answer: dict[str, Any], text: str, *, is_error: bool = False) -> CallToolResult:
    """The answer as structured content and, for clients that know no other, as text."""
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer, is_error=is_error)
