"""What a tool may be used for: READ only if the configuration says so and the tool itself does not say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from errors import Refused
from systems.calls import Call
from systems.config import SystemConfig, SystemsConfig
from systems.pins import digest


@dataclass(frozen=True)
class ListedTool:
    """A tool as its system lists it. `definition` is data for review, never an instruction."""

    system: str
    name: str
    reads: bool
    digest: str
    takes_key: bool
    #: whether it can be told what it is to find before it writes
    takes_conditions: bool
    #: whether it can be told who writes, and until when
    takes_fence: bool
    definition: Mapping[str, Any]


def listed(config: SystemConfig, definition: Mapping[str, Any]) -> ListedTool:
    """The tool that a definition (as MCP lists it) describes.

    The configuration makes it a READ; its annotations may only raise it to a WRITE.
    """
    annotations = definition.get("annotations") or {}
    says_write = annotations.get("readOnlyHint") is False or annotations.get("destructiveHint") is True
    name = str(definition.get("name"))
    properties = (definition.get("inputSchema") or {}).get("properties") or {}
    return ListedTool(
        system=config.name,
        name=name,
        reads=name in config.reads and not says_write,
        digest=digest(definition),
        takes_key="idempotency_key" in properties,
        takes_conditions="expects" in properties,
        takes_fence="fencing_token" in properties,
        definition=definition,
    )


def require_configured_read(config: SystemsConfig, call: Call) -> None:
    """Raise Refused unless the configuration lists the tool as a READ. Needs no connection."""
    system = config.systems.get(call.system)
    if system is None:
        raise Refused(f"{call.tool} belongs to no system of {config.source}; correct its name or add it.")
    if call.name not in system.reads:
        raise Refused(
            f"{call.tool} is not among the READ tools of {call.system} in {config.source}, so it counts as a WRITE; "
            "correct the name, or list it there if it only reads."
        )


def require_known(config: SystemsConfig, tools: Mapping[str, ListedTool], call: Call) -> ListedTool:
    """The tool of a call. Raises Refused when nobody has looked at its system, or it is not listed as it was pinned."""
    pins = config.pins.get(call.system)
    if pins is None:
        raise Refused(
            f"{call.system} has no pins, so nothing is taken from it and nothing sent to it; "
            "review its tools and run `missions systems pin`."
        )
    tool = tools.get(call.name)
    if tool is None:
        raise Refused(f"{call.system} has no tool {call.name}; correct the name or look at the system.")
    if call.name not in pins:
        raise Refused(f"{call.tool} was never pinned; review it and run `missions systems pin`.")
    if pins[call.name] != tool.digest:
        raise Refused(
            f"{call.tool} is not as it was when it was pinned: its description, schema or annotations changed; "
            "review it and run `missions systems pin`."
        )
    return tool


def require_read(config: SystemsConfig, tools: Mapping[str, ListedTool], call: Call) -> ListedTool:
    """The tool of a READ call. Raises Refused when it is not known, not as pinned, or says itself that it writes."""
    tool = require_known(config, tools, call)
    if not tool.reads:
        raise Refused(f"{call.tool} says of itself that it writes, whatever {config.source} says; take it out of `reads` there.")
    return tool
