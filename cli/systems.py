"""`missions systems`: the systems of record."""

import typer

from cli.screen import say
from graphs.runtime import open_database
from graphs.settings import settings
from systems.client import McpSystems
from systems.config import load_config
from systems.pins import pin, write_pins
from systems.sandbox.database import create_schema

app = typer.Typer(no_args_is_help=True)


@app.command("pin")
def pin_tools() -> None:
    """Pin names, descriptions and schemas of all tools as they are now, after you have reviewed them."""
    chosen = settings()
    url, config = open_database(chosen), load_config(chosen.systems)
    if any(system.is_sandbox for system in config.systems.values()):
        create_schema(url)
    with McpSystems(config, extra_env={"DATABASE_URL": url}) as systems:
        pins = pin(systems)
    file = chosen.systems.with_name("pins.json")
    write_pins(file, pins)
    say(f"{sum(map(len, pins.values()))} tools of {len(pins)} systems are pinned as they are now, in {file.name}.")
