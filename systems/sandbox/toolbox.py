"""Reads and writes of the sandbox company as MCP tools, and the types of their arguments."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model
from sqlalchemy import ColumnElement, Engine, Table, select
from sqlalchemy.exc import DBAPIError
from typing_extensions import TypedDict

from errors import BadInput, Refused, TryAgain
from systems.company import COLLECTIONS, READ_TOOLS, ReadTool, WriteTool
from systems.sandbox import accounts, orders
from systems.sandbox import tables as t
from systems.sandbox.database import Row, clean, find_records
from systems.sandbox.work import Act, Cents, Id, Prose, Words, Work, not_done, run_once

Run = Callable[[dict[str, Any]], dict[str, Any]]


def _with_zone(value: str) -> str:
    if datetime.fromisoformat(value).tzinfo is None:
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


@dataclass(frozen=True)
class CollectionRead:
    """A read tool of a collection. It answers {"record": record or null}, or {"records": [...]}."""

    name: str
    tool: ReadTool

    @property
    def takes(self) -> Mapping[str, Any]:
        """Its arguments with their types, in order."""
        return {argument: Id if argument == field else list[str] for argument, field in self.tool.by.items()}

    @property
    def says(self) -> str:
        """What it is for; a pin covers it."""
        collection, by = self.tool.collection, self.tool.by
        if self.tool.one:
            return f"The {COLLECTIONS[collection].noun} with this {' and '.join(by)}, or null."
        for argument, field in by.items():
            part, _, inner = field.partition(".")
            if inner:
                return f"All orders, whatever their status, that have a line whose {inner} is one of these."
            what = f"with this {argument}" if argument == field else f"whose {part} is one of these"
            return f"All records of {collection} {what}."
        return f"All records of {collection}."

    def answer(self, engine: Engine, args: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, from one moment of the database."""
        with engine.connect() as connection:
            where = [self._selects(field, args[argument]) for argument, field in self.tool.by.items()]
            found = find_records(connection, self.tool.collection, *where)
        return {"record": found[-1] if found else None} if self.tool.one else {"records": found}

    def _selects(self, field: str, wanted: Any) -> ColumnElement[bool]:
        part, _, inner = field.partition(".")
        table, parts = t.TABLES[self.tool.collection]
        column = parts[part].c[inner] if inner else table.c[part]
        fits: ColumnElement[bool] = column.in_(wanted) if isinstance(wanted, list) else column == wanted
        if inner:
            (owner,) = parts[part].info["parent_key"]
            fits = table.c[owner].in_(select(parts[part].c[owner]).where(fits & parts[part].c.cancelled.is_(False)))
        return fits


def reads_of(system: str) -> tuple[CollectionRead, ...]:
    """The read tools of one system; its feed is not among them."""
    whose = f"{system}."
    return tuple(CollectionRead(name.removeprefix(whose), tool) for name, tool in READ_TOOLS.items() if name.startswith(whose))


class EventsFeed:
    """A read tool. It answers {"events": [...], "cursor": "..."}; the cursor is where to read on."""

    name = "list_events"
    says = "What happened after a cursor, oldest first, and the cursor to read on from; an empty cursor is the beginning."
    takes: Mapping[str, Any] = {"after": Annotated[str, Field(max_length=500)], "limit": Annotated[int, Field(ge=1, le=1000)]}

    def answer(self, engine: Engine, args: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, from one moment of the database."""
        after = str(args["after"])
        if after and not (after.isdecimal() and after.isascii() and len(after) < 19):
            raise Refused("There is no such cursor; give one that this feed returned, or an empty one.")
        found = select(t.EVENTS.c.number, t.EVENTS.c.event).where(t.EVENTS.c.number > int(after or 0))
        with engine.connect() as connection:
            rows = connection.execute(found.order_by(t.EVENTS.c.number).limit(args["limit"])).all()
        return {"events": [row.event for row in rows], "cursor": str(rows[-1].number) if rows else after}


class _Arguments(ArgModelBase):
    model_config = ConfigDict(strict=True, extra="forbid")


class _AsGiven(FuncMetadata):
    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Arguments stay as they came: a message whose text is `null` or `[1]` is a text. `_tool` validates them."""
        return {"given": arguments_to_validate}


def read_tool(read: CollectionRead | EventsFeed, engine: Callable[[], Engine]) -> Tool:
    """A read tool, marked as one."""

    def run(args: dict[str, Any]) -> dict[str, Any]:
        return read.answer(engine(), clean(args))

    takes = {name: (kind, ...) for name, kind in read.takes.items()}
    return _tool(read.name, read.says, takes, run, ToolAnnotations(read_only_hint=True, open_world_hint=False))


class WriteAct(NamedTuple):
    """A write tool of a system: `act(work, …)` in one transaction; `takes` are its arguments with types and defaults."""

    name: str
    says: str
    takes: Mapping[str, tuple[Any, Any]]
    act: Act
    destructive: bool


#: by the words of company.yaml
_ARGUMENTS = {"id": (Id, ...), "words": (Words, ...), "text": (Prose | None, None), "cents": (Cents, ...)}


def writes_of(system: str) -> list[WriteAct]:
    """The write tools of one system: those that company.yaml declares, and the programs."""
    tables = [one for one in t.METADATA.tables.values() if one.info.get("collection", "").startswith(f"{system}.")]
    declared = [_declared(table, name, tool) for table in tables for name, tool in table.info["writes"].items()]
    return [*declared, *map(_programmed, {**orders.WRITES, **accounts.WRITES}.get(system, ()))]


def _programmed(act: Act) -> WriteAct:
    """A write tool that is a program: its name, docstring and parameters are the tool's."""
    hints = get_type_hints(act, include_extras=True)
    parameters = list(inspect.signature(act).parameters.values())[1:]
    takes = {one.name: (hints[one.name], ... if one.default is one.empty else one.default) for one in parameters}
    return WriteAct(act.__name__, act.__doc__ or "", takes, act, act in (*orders.DESTRUCTIVE, *accounts.DESTRUCTIVE))


def _declared(table: Table, name: str, tool: WriteTool) -> WriteAct:
    """A write tool of company.yaml; the records are locked in the order in which it names them."""

    def act(work: Work, **args: Any) -> None:
        @cache
        def row(of: Table) -> Row:
            return work.row(of, **{column.name: args[column.name] for column in of.primary_key})

        for need in tool.needs:
            found = row(t.TABLES[need.of][0] if need.of else table)
            if any(found[field] not in values for field, values in need.has.items()):
                raise Refused(need.otherwise.format_map({**found, **args}))
        values = {f"={name}": value for name, value in args.items()}
        work.change(table, row(table), **{name: values.get(str(value), value) for name, value in tool.sets.items()})
        if tool.notes:
            key, *_ = keys = [column.name for column in table.primary_key]
            work.do(tool.notes, args[key], **{name: value for name, value in args.items() if name not in keys})

    return WriteAct(name, tool.says, {arg: _ARGUMENTS[kind] for arg, kind in tool.args.items()}, act, tool.destructive)


def write_tool(system: str, write: WriteAct, engine: Callable[[], Engine]) -> Tool:
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
