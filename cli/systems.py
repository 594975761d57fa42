"""`missions systems` and `missions sandbox`: the systems of record, and the company on which everything can be tried."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.screen import console, progress, say, table
from errors import BadInput
from evals.recorded.cases import read_objects
from graphs.runtime import open_database
from rendering import plain
from settings import settings
from strict_json import strict_json
from strict_yaml import instead
from systems.calls import Call
from systems.catalogue import load_catalogue
from systems.client import LiveSystems
from systems.config import SystemsConfig, load_config, unconfirmed_reads
from systems.consent import PATIENCE, ask_consent
from systems.drafting import drafted_action, drafted_records
from systems.oauth import consent_file
from systems.operations import Operation
from systems.pins import ListedTool, pin, write_pins
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import serve

app = typer.Typer(no_args_is_help=True)
sandbox = typer.Typer(no_args_is_help=True)


@contextmanager
def _opened(config: SystemsConfig) -> Iterator[LiveSystems]:
    """The systems of a configuration, with the database where the sandbox company is one of them."""
    url = open_database(settings())
    if any(system.is_sandbox for system in config.systems.values()):
        create_schema(url)
    with LiveSystems(config, extra_env={"DATABASE_URL": url}) as systems:
        yield systems


def _only(name: str) -> SystemsConfig:
    """The configuration of one system. Raises BadInput."""
    config = load_config(settings().systems)
    if name not in config.systems:
        raise BadInput(f"{name[:60]!r} is no system of {config.source}; {instead(name, config.systems)}")
    return replace(config, systems={name: config.systems[name]})


@app.command("pin")
def pin_tools(
    yes: Annotated[bool, typer.Option("--yes", help="The READ tools that do not say that they only read do so.")] = False,
) -> None:
    """Pin names, descriptions and schemas of all tools as they are now, after you have reviewed them."""
    chosen = settings()
    config = load_config(chosen.systems)
    with _opened(config) as systems:
        tools = systems.tools()
    _ask_for_reads([] if yes else unconfirmed_reads(config, tools))
    pins = pin(tools)
    file = chosen.systems.with_name("pins.json")
    write_pins(file, pins)
    say(f"{sum(map(len, pins.values()))} tools of {len(pins)} systems are now pinned in {file.name}.")
    actions = [action.tool for action in load_catalogue(chosen.systems).values() if action.system in config.systems]
    for tool in replace(config, pins=pins).unpinned(actions):
        say(f"{tool} is not among them, since its system has no such tool: correct its name, or add it to the system.")


def _ask_for_reads(tools: Sequence[ListedTool]) -> None:
    """Ask for a yes to each READ that does not say so itself. Raises BadInput where one is withheld, or nobody can be asked."""
    named = ", ".join(f"{plain(tool.system, 60)}.{plain(tool.name, 100)}" for tool in tools)
    if tools and not sys.stdin.isatty():
        what = f"listed as READ, though nothing in it says that it only reads: {named}"
        raise BadInput(f"{what}; make sure, then repeat this with --yes, or take it out of `reads`")
    for tool in tools:
        says = plain(tool.definition.get("description") or "nothing", 300)
        say(f"{tool.system}.{tool.name} is listed as READ, and its server does not say that it only reads. It says: {says}")
        if not typer.confirm("Does it only read?"):
            raise BadInput(f"{tool.system}.{tool.name} is a WRITE then; take it out of `reads`. Nothing is pinned")


@app.command("show")
def show_tools(name: str) -> None:
    """The tools of a system: their arguments, READ or WRITE, what they say of themselves, pins, what a WRITE would need."""
    config = _only(name)
    with _opened(config) as systems:
        tools = systems.tools()
    actions = [one for one in load_catalogue(settings().systems).values() if one.system == name]
    rows = []
    for tool in sorted(tools, key=lambda one: one.name):
        entered = config.invoices is not None and config.invoices.enter == f"{name}.{tool.name}"
        uses = [one.name for one in actions if one.tool == f"{name}.{tool.name}"]
        used = ", ".join([*uses, *(["invoices"] if entered else [])])
        rows.append((tool.name, "READ" if tool.reads else "WRITE", _pinned(config, tool), used, _takes(tool), _lacks(tool)))
    table(("tool", "is a", "pin", "actions", "arguments", "of a WRITE"), rows)


def _pinned(config: SystemsConfig, tool: ListedTool) -> str:
    if tool.name not in config.pins.get(tool.system, {}):
        return "none"
    return "as pinned" if config.is_pinned(tool) else "changed since"


def _takes(tool: ListedTool) -> str:
    schema = tool.definition.get("inputSchema") or {}
    required = schema.get("required") or ()
    return ", ".join(name if name in required else f"{name}?" for name in sorted(tool.takes)) or "none"


def _lacks(tool: ListedTool) -> str:
    """What its server says of it, and which of the guards of a WRITE it takes."""
    annotations = tool.definition.get("annotations") or {}
    said = [of for hint, of in (("readOnlyHint", "only reads"), ("destructiveHint", "destroys")) if annotations.get(hint) is True]
    if tool.reads:
        return "says: only reads" if said else "says nothing"
    lacking = [name for name in ("idempotency_key", "expects", "fencing_token") if name not in tool.takes]
    return "; ".join([*(f"says: {one}" for one in said), f"lacks {', '.join(lacking)}" if lacking else "takes all guards"])


@app.command("draft")
def draft(
    name: str,
    tools: Annotated[list[str] | None, typer.Argument(metavar="[TOOL]...")] = None,
    trial: Annotated[
        list[str] | None,
        typer.Option("--try", help="ARGUMENT=VALUE of one READ tool: draft from its answer, such as order_id=O-1."),
    ] = None,
) -> None:
    """Draft the entries of tools: actions for WRITEs, records for READs. They load when you have completed them."""
    config = _only(name)
    given = dict(one.partition("=")[::2] for one in trial or ())
    with _opened(config) as systems:
        listed = {tool.name: tool for tool in systems.tools()}
        for wanted in tools or ():
            if wanted not in listed:
                raise BadInput(f"{name} has no tool {wanted[:60]!r}; {instead(wanted, listed)}")
        chosen = [listed[one] for one in tools or sorted(listed)]
        if given and len(chosen) != 1:
            raise BadInput("--try is of one tool; name it")
        answer = _answer(systems, chosen[0], given) if given else None
    for tool in chosen:
        says_read = (tool.definition.get("annotations") or {}).get("readOnlyHint") is True
        is_read = tool.reads or says_read or (isinstance(tool, Operation) and tool.method == "GET")
        text = drafted_records(tool, answer, given) if is_read else drafted_action(tool, config.systems[name].always)
        console.print(Text(text), soft_wrap=True)


def _answer(systems: LiveSystems, tool: ListedTool, given: Mapping[str, str]) -> Any:
    """What a READ answers. Raises BadInput where it is none, or fails."""
    (result,) = systems.read_all([Call(f"{tool.system}.{tool.name}", {key: _as_json(value) for key, value in given.items()})])
    if result.status != "ok":
        raise BadInput(f"{tool.system}.{tool.name} gave nothing to draft from: {result.error or 'there is no such record'}")
    return result.value


def _as_json(text: str) -> Any:
    """A list or an object as JSON, anything else as text."""
    return strict_json(text.encode()) if text[:1] in ("[", "{") else text


@app.command("connect")
def connect(
    name: str,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port the browser comes back to; 0: one that is free.")] = 0,
) -> None:
    """Let a person consent, in a browser of this machine, that Missions call a system in her name (OAuth)."""
    config = _only(name)

    def show(address: str) -> None:
        say(f"Open this address in a browser of this machine within {PATIENCE / 60:g} minutes, and consent there:")
        console.print(Text(plain(address, 8_000)), soft_wrap=True)  # whole, so that it can be copied

    consent = ask_consent(config.systems[name], os.environ, show, port)
    say(f"{name} is connected. The consent is kept in {consent_file(name)}, which only this account can read.")
    if consent.refresh_token is None and consent.renew_at is not None:
        say(
            "It cannot be renewed and ends soon: add the `scope` that renewal takes there, often offline_access, and repeat this."
        )


@sandbox.command("load")
def load(
    cases: list[Path],
    feed: Annotated[
        bool, typer.Option("--feed", help="Also put their events on the feed of oms, from which they are accepted.")
    ] = False,
) -> None:
    """Put recorded exceptions into the sandbox company."""
    raws = [raw for file in cases for raw, _ in read_objects(file)]
    url = open_database(settings())
    with progress("loading", len(raws)) as advance:
        report = load_cases(url, raws, feed=feed, on_progress=lambda *_: advance())
    for case_id, reason in report.refused.items():
        say(f"{case_id} was not loaded: {reason}")
    say(f"The sandbox company holds {len(report.loaded)} of these {len(raws)} recorded exceptions.")
    if len(report.loaded) < max(len(raws), 1):
        raise typer.Exit(1)


@sandbox.command("reset")
def reset_all() -> None:
    """Empty the sandbox company."""
    reset(open_database(settings()))
    say("The sandbox company is empty.")


@sandbox.command("serve")
def serve_one(system: str, port: Annotated[int | None, typer.Option(help="Serve HTTP here instead of stdio.")] = None) -> None:
    """Serve one system of the sandbox company over MCP: stdio, or streamable HTTP on a port of this machine."""
    url = open_database(settings())
    create_schema(url)
    serve(system, url, port)
