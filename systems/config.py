"""Which systems of record there are and how they are reached: `systems.yaml`, with the pins beside it.

    systems:
      oms:
        command: ["{python}", "-m", "systems.sandbox", "oms"]    # or  url: "http://127.0.0.1:8701/mcp"
        env: [DATABASE_URL]          # names of the environment variables that this system is given, and no others
        records: {orders: {key: order_id, read: get_order}}    # what it holds and the READ tools for it (systems/records.py)
        reads: [list_events]         # its other READ tools; every tool that is named nowhere is a WRITE
        at: data                     # where in an answer of it the record stands, unless its records say otherwise
        absent_when: "has(answer.error) && answer.error == 'not found'"    # conditions on an `answer`: there is no such record
        fails_when: has(answer.error)      # or it was refused, beside what MCP calls an error
        always: {tenant: acme}       # arguments that every call gets, where its tool takes them
        timeout_seconds: 10          # of one call
        start_seconds: 30            # until it must be ready
        openapi: shop.yaml           # of a REST API at the url: its OpenAPI document (docs/your-systems.md)
        feed: {tool: list_events, every_seconds: 30}    # where it reports events, if it does: a READ tool, or a list; how
                                     # they are made; and its bounds: missions, as_of_days, per_hour (docs/events.md)

    actions: ["{missions}/systems/actions.yaml"]    # what may be done there; a file of its own beside this one is its name
    currency: USD                    # of the amounts that policies name
    invoices: {enter: …, event: …}   # what becomes of an invoice that comes as a file or by mail (systems/invoices.py)

{python} stands for the interpreter that runs now, {missions} for the folder of the project. Pins are the digests of the tools
that a person has reviewed: a tool whose name, description or schema changed after that is not called before it is reviewed
again. A description is never an instruction.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from errors import BadInput, Refused
from strict_yaml import read_yaml
from systems.calls import Call
from systems.conditions import Scope, Unknown, Value
from systems.credentials import AuthConfig, ProxyConfig, TlsConfig, require_no_password, require_private
from systems.invoices import InvoicesConfig
from systems.json_schema import Takes
from systems.pace import LimitsConfig
from systems.pins import ListedTool, Pin, Pins, digest, read_pins
from systems.replies import AnswerConfig, Answers
from systems.schema import ANSWERS, Collection, RecordSchema
from systems.shapes import Shape
from systems.values import VALUE_FUNCTIONS

DEFAULT = Path(__file__).with_name("systems.yaml")
_CHECKOUT = Path(__file__).parents[1]
#: the arguments that the engine gives along where a tool takes them
GIVEN = frozenset({"idempotency_key", "expects", "fencing_token"})
#: the source ids of a feed's events begin with the name of its system and a colon
_FEEDING = re.compile(r"[\w-]{1,50}")


def _without_dot(name: str) -> str:
    if "." in name:
        raise ValueError(f"system {name} has a dot in its name, which separates systems from tools; rename it")
    return name


Word = Annotated[str, Field(min_length=1)]
Words = tuple[Word, ...]


def _in_place(text: str) -> str:
    return text.replace("{python}", sys.executable).replace("{missions}", str(_CHECKOUT))


_IN_PLACE = AfterValidator(lambda command: tuple(map(_in_place, command)))
Seconds = Annotated[float, Field(strict=True, gt=0, le=3600)]


class FeedConfig(BaseModel, extra="forbid", frozen=True):
    """A READ tool by which a system reports what happened; see docs/events.md for what it answers."""

    #: the name of its system, given by where it stands
    system: str = ""
    tool: str
    #: where in its answer the list of events stands
    events: Word = "events"
    #: what an event is made of an element of that list, `it`; None where the elements are events
    event: Mapping[Word, Any] | None = None
    #: between two polls
    every_seconds: int = Field(default=30, strict=True, ge=1, le=86_400)
    #: the Missions that its events may start; None for those that read from its system
    missions: Words | None = None
    #: how many days the `as_of` of its events may lie back; None for MISSIONS_AS_OF_DAYS
    as_of_days: int | None = Field(default=None, strict=True, ge=0, le=36_500)
    #: events that it may report in an hour
    per_hour: int = Field(default=3_600, strict=True, ge=1, le=1_000_000)

    @property
    def name(self) -> str:
        """The feed as its position is kept: "oms.list_events"."""
        return f"{self.system}.{self.tool}"

    @cached_property
    def computed_event(self) -> Value | None:
        """What `event` computes."""
        return None if self.event is None else Value.compile(dict(self.event), f"the feed {self.name}")

    @model_validator(mode="after")
    def _is_computed_of_it(self) -> Self:
        try:
            for expression in self.computed_event.expressions if self.computed_event else ():
                expression.require({"it"}, VALUE_FUNCTIONS, f"the feed {self.name}")
        except BadInput as error:
            raise ValueError(str(error)) from error
        return self

    def event_of(self, element: Any) -> Any:
        """The event that an element of its answer stands for; the element where that cannot be computed, which is none then."""
        try:
            return self.computed_event.evaluate(Scope({"it": element}, VALUE_FUNCTIONS)) if self.computed_event else element
        except Unknown:
            return element


class OperationConfig(BaseModel, extra="forbid", frozen=True):
    """An operation of an OpenAPI document that has a name of its own here."""

    #: its operationId, or its method and path: "GET /admin/orders/{id}"
    operation: Word
    #: somebody's yes to its being a READ, though it is no GET
    only_reads: bool = Field(default=False, strict=True)
    #: of a WRITE: the READ of the record that it changes, whose ETag it is sent with, as If-Match
    if_match: Word | None = None


_NAMED = BeforeValidator(lambda value: {"operation": value} if isinstance(value, str) else value)


class SystemConfig(AnswerConfig, frozen=True):
    """How one system is reached: by a command that speaks MCP over stdio, or at an address: over MCP, or by REST."""

    #: given by the key that it stands under
    name: str = ""
    command: Annotated[Words, Field(min_length=1), _IN_PLACE] | None = None
    url: str | None = Field(default=None, pattern="^https?://")
    #: names of environment variables that its process is given
    env: Words = ()
    records: Mapping[Annotated[str, Field(pattern=r"^\w+$")], Collection] = {}
    reads: frozenset[Word] = frozenset()
    always: Mapping[str, Any] = {}
    timeout_seconds: Seconds = 10.0
    start_seconds: Seconds = 30.0
    feed: Annotated[tuple[FeedConfig, ...], BeforeValidator(lambda one: [one] if isinstance(one, dict) else one)] = ()
    #: of a url, as systems/credentials.py describes them
    auth: AuthConfig | None = None
    tls: TlsConfig | None = None
    proxy: ProxyConfig | None = None
    #: systems/pace.py
    limits: LimitsConfig = LimitsConfig()
    #: an OpenAPI document, a file beside this one or at its url: each operation is a tool
    openapi: Word | None = None
    #: names of its operations that take the place of their own
    operations: Mapping[Word, Annotated[OperationConfig, _NAMED]] = {}
    #: the header in which its operations take idempotency keys; None for what the document calls Idempotency-Key
    idempotency_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,100}$")

    @model_validator(mode="after")
    def _is_reached_and_fed(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("it needs either a command or a url, and exactly one of them")
        if self.url is None and (self.auth or self.tls or self.proxy):
            raise ValueError("auth, tls and proxy are for a url; a command gets its secrets by `env`")
        require_no_password(self.url or "")
        if self.auth and self.url:
            require_private(self.url)
        if self.openapi is None and (self.operations or self.idempotency_header):
            raise ValueError("operations and idempotency_header are of an openapi document; name it")
        ones = {one.tool or name for records in self.records.values() for name, one in records.read.items()}
        if strange := next((one.if_match for one in self.operations.values() if one.if_match and one.if_match not in ones), None):
            raise ValueError(f"if_match names {strange!r}, which is the `read` of none of its records; name one that is")
        if self.openapi and self.url is None:
            raise ValueError("it is reached by its openapi document; give it its base address as url")
        if self.openapi and urlsplit(self.url or "")[3:] != ("", ""):
            raise ValueError("its url is the base address of an openapi document; take out what follows ? or #")
        if self.openapi and "://" in self.openapi and not _is_of(self.openapi, self.url or ""):
            raise ValueError("its openapi document is at another address than its url; save it as a file beside this one")
        if strange := next((feed.tool for feed in self.feed if feed.tool not in self.reads), None):
            raise ValueError(f"its feed has the tool {strange!r}, which is not one of its reads; name one of them")
        return self

    @cached_property
    def reading(self) -> frozenset[str]:
        """All its READ tools."""
        return self.reads.union(*(one.reads for one in self.records.values()))

    @property
    def other_reads(self) -> frozenset[str]:
        """Its READ tools whose answers are no records."""
        return self.reading.difference(*({*one.reads, *one.read, *one.lists} for one in self.records.values()))

    @property
    def is_sandbox(self) -> bool:
        """Whether it is a system of the sandbox company, whose records are at hand."""
        return "systems.sandbox" in (self.command or ())


def _is_of(address: str, base: str) -> bool:
    """Whether an address is of the same server as another."""
    return urlsplit(address)[:2] == urlsplit(base)[:2]


class _SystemsFile(BaseModel, extra="forbid"):
    actions: Words = ()
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    invoices: InvoicesConfig | None = None
    systems: dict[Annotated[str, AfterValidator(_without_dot)], SystemConfig] = Field(min_length=1)

    @model_validator(mode="after")
    def _enters_invoices_where_it_can(self) -> Self:
        tool = self.invoices.enter if self.invoices else None
        if tool and tool.partition(".")[0] not in self.systems:
            raise ValueError(f"invoices are entered with {tool}, and there is no such system; correct its name")
        return self

    @field_validator("systems")
    @classmethod
    def _named(cls, systems: dict[str, SystemConfig]) -> dict[str, SystemConfig]:
        for name, system in systems.items():
            if system.name or any(feed.system for feed in system.feed):
                raise ValueError(f"system {name} says its name again; take that out")
            if system.feed and not _FEEDING.fullmatch(name):
                raise ValueError(f"system {name} has a feed, and a name that is not of letters, digits, - and _; rename it")
            if system.records and not name.isidentifier():
                raise ValueError(f"system {name} has records, and a name that is not of letters, digits and _; rename it")
            if ANSWERS in system.records:
                raise ValueError(
                    f"system {name} has records named {ANSWERS}, as recorded exceptions call other answers; rename them"
                )
        parts = [one.takes_the_part_of for system in systems.values() for one in system.records.values() if one.takes_the_part_of]
        if twice := next((part for part in parts if parts.count(part) > 1), None):
            raise ValueError(f"`as: {twice}` is said of two kinds of records; take one out")
        return {
            name: one.model_copy(
                update={
                    "name": name,
                    "reads": one.reading,
                    "feed": tuple(feed.model_copy(update={"system": name}) for feed in one.feed),
                }
            )
            for name, one in systems.items()
        }


@dataclass(frozen=True)
class SystemsConfig:
    """All systems by name, the pins of their tools, and the file that says so."""

    source: str
    systems: Mapping[str, SystemConfig]
    pins: Pins
    #: files of the action catalogue
    actions: Sequence[Path] = ()
    #: of the amounts that policies name
    currency: str = "USD"
    #: what becomes of an invoice that comes as a file or by mail
    invoices: InvoicesConfig | None = None

    @cached_property
    def answers(self) -> Mapping[str, Answers]:
        """How the answers of each system are read where nothing else is said."""
        return {name: Answers.of([system], f"system {name}") for name, system in self.systems.items()}

    @cached_property
    def record_schema(self) -> RecordSchema:
        """What all systems hold."""
        return RecordSchema(
            {f"{system}.{name}": one for system, config in self.systems.items() for name, one in config.records.items()},
            self.systems,
            frozenset(f"{system}.{tool}" for system, config in self.systems.items() for tool in config.other_reads),
            {tool: Shape.of_schema(pin.answers) for tool, pin in self._pinned.items() if pin.answers},
            {tool: Takes(pin.takes, self._given(tool)) for tool, pin in self._pinned.items() if pin.takes},
        )

    @property
    def _pinned(self) -> Mapping[str, Pin]:
        return {f"{system}.{name}": pin for system, tools in self.pins.items() for name, pin in tools.items()}

    def _given(self, tool: str) -> frozenset[str]:
        """The arguments of a tool that the engine sends by itself."""
        system = self.systems.get(tool.partition(".")[0])
        return GIVEN.union(system.always if system else ())

    def pinned_without_schemas(self, tools: Iterable[str]) -> list[str]:
        """Of tools those that were pinned without what they take, as before schemas were kept."""
        return [tool for tool in sorted(tools) if tool in self._pinned and self._pinned[tool].takes is None]

    def is_pinned(self, tool: ListedTool) -> bool:
        """Whether it is as it was pinned."""
        pin = self.pins.get(tool.system, {}).get(tool.name)
        return pin is not None and pin.digest == tool.digest

    @property
    def feeds(self) -> list[FeedConfig]:
        """The feeds of all systems that have one."""
        return [feed for system in self.systems.values() for feed in system.feed]

    def unpinned(self, tools: Iterable[str]) -> list[str]:
        """Of READ tools, the tool that enters invoices and the given ones ("wms.reserve") those not pinned: a call is refused."""
        wanted = [f"{system.name}.{name}" for system in self.systems.values() for name in sorted(system.reads)]
        enters = [self.invoices.enter] if self.invoices and self.invoices.enter else []
        return [tool for tool in dict.fromkeys([*wanted, *tools, *enters]) if tool not in self._pinned]


def load_config(path: Path = DEFAULT) -> SystemsConfig:
    """Read `path` and `pins.json` beside it. Raises BadInput that names the file, the line and the remedy."""
    read = read_yaml(path, "list of systems").as_model(_SystemsFile, "systems/config.py")
    actions = [path.parent / _in_place(name) for name in read.actions]
    config = SystemsConfig(str(path), read.systems, read_pins(path.with_name("pins.json")), actions, read.currency, read.invoices)
    try:
        _ = config.answers
        config.record_schema.check()
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    return config


# What a tool may be used for: READ only if the configuration says so and the tool itself does not say otherwise


def listed_tool(config: SystemConfig, definition: Mapping[str, Any], pinned: str | None = None) -> ListedTool:
    """The tool of a definition, as MCP lists it: a READ by configuration, which its annotations may only raise to a WRITE.

    `pinned` is its digest where that covers more than MCP lists.
    """
    annotations, name = definition.get("annotations") or {}, str(definition.get("name"))
    says_write = annotations.get("readOnlyHint") is False or annotations.get("destructiveHint") is True
    arguments = frozenset(map(str, (definition.get("inputSchema") or {}).get("properties") or ()))
    reads = name in config.reads and not says_write
    return ListedTool(config.name, name, reads, pinned or digest(definition), arguments, definition)


def unconfirmed_reads(config: SystemsConfig, tools: Iterable[ListedTool]) -> list[ListedTool]:
    """The READs by configuration that nobody has confirmed: nothing in them says so, and they are not pinned as they are.

    A GET of an OpenAPI document says so by its method.
    """
    return [
        tool
        for tool in tools
        if tool.reads
        and config.systems[tool.system].openapi is None
        and (tool.definition.get("annotations") or {}).get("readOnlyHint") is not True
        and not config.is_pinned(tool)
    ]


def require_configured_read(config: SystemsConfig, call: Call) -> None:
    """Raise Refused unless the configuration lists the tool as a READ. Needs no connection."""
    system = config.systems.get(call.system)
    if system is None:
        raise Refused(f"{call.tool} belongs to no system of {config.source}; correct its name or add it.")
    if call.name not in system.reads:
        what = f"{call.tool} is not among the READ tools of {call.system} in {config.source}, so it counts as a WRITE"
        raise Refused(f"{what}; correct the name, or list it there if it only reads.")


def require_known(config: SystemsConfig, tools: Mapping[str, ListedTool], call: Call) -> ListedTool:
    """The tool of a call. Raises Refused when nobody has looked at its system, or it is not listed as it was pinned."""
    pins = config.pins.get(call.system)
    if pins is None:
        what = f"{call.system} has no pins, so nothing is taken from it and nothing sent to it"
        raise Refused(f"{what}; review its tools and run `missions systems pin`.")
    tool = tools.get(call.name)
    if tool is None:
        raise Refused(f"{call.system} has no tool {call.name}; correct the name or look at the system.")
    if call.name not in pins:
        raise Refused(f"{call.tool} was never pinned; review it and run `missions systems pin`.")
    if not config.is_pinned(tool):
        what = f"{call.tool} is not as it was when it was pinned: its description, schema or annotations changed"
        raise Refused(f"{what}; review it and run `missions systems pin`.")
    return tool


def require_read(config: SystemsConfig, tools: Mapping[str, ListedTool], call: Call) -> ListedTool:
    """The tool of a READ call. Raises Refused when it is not known, not as pinned, or says itself that it writes."""
    tool = require_known(config, tools, call)
    if not tool.reads:
        raise Refused(f"{call.tool} declares that it writes, but {config.source} lists it in `reads`; remove it there.")
    return tool
