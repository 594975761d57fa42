"""`missions systems` and `missions sandbox`: the systems of record, and the company on which everything can be tried."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.screen import console, progress, say
from errors import BadInput
from evals.recorded.cases import read_objects
from graphs.runtime import open_database
from rendering import plain
from settings import settings
from strict_yaml import instead
from systems.catalogue import load_catalogue
from systems.client import McpSystems
from systems.config import load_config, pin, write_pins
from systems.consent import PATIENCE, ask_consent
from systems.oauth import consent_file
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import serve

app = typer.Typer(no_args_is_help=True)
sandbox = typer.Typer(no_args_is_help=True)


@app.command("pin")
def pin_tools() -> None:
    """Pin names, descriptions and schemas of all tools as they are now, after you have reviewed them."""
    chosen = settings()
    url, config = open_database(chosen), load_config(chosen.systems)
    if any(system.is_sandbox for system in config.systems.values()):
        create_schema(url)
    with McpSystems(config, extra_env={"DATABASE_URL": url}) as systems:
        pins = pin(systems.tools())
    file = chosen.systems.with_name("pins.json")
    write_pins(file, pins)
    say(f"{sum(map(len, pins.values()))} tools of {len(pins)} systems are now pinned in {file.name}.")
    actions = [action.tool for action in load_catalogue(chosen.systems).values() if action.system in config.systems]
    for tool in replace(config, pins=pins).unpinned(actions):
        say(f"{tool} is not among them, since its system has no such tool: correct its name, or add it to the system.")


@app.command("connect")
def connect(
    name: str,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port the browser comes back to; 0: one that is free.")] = 0,
) -> None:
    """Let a person consent, in a browser of this machine, that Missions call a system in her name (OAuth)."""
    config = load_config(settings().systems)
    if name not in config.systems:
        raise BadInput(f"{name[:60]!r} is no system of {config.source}; {instead(name, config.systems)}")

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
