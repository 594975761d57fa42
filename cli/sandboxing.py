"""`missions sandbox` and `missions systems`."""

from collections.abc import Sequence
from pathlib import Path

from cli.screen import progress, say
from errors import BadInput
from evals.cases import parse_line
from graphs.runtime import open_database
from graphs.settings import settings
from systems.client import McpSystems
from systems.config import load_config
from systems.pins import pin, write_pins
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import serve


def load(files: Sequence[Path], feed: bool) -> None:
    """Load the recorded exceptions of files, their events onto the feed if wanted; say what was refused and why."""
    cases = []
    for file in files:
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise BadInput(f"{file}: cannot be read ({error.strerror}); give a file of recorded exceptions") from error
        cases += [parse_line(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    url = open_database(settings())
    create_schema(url)
    with progress("loading", len(cases)) as advance:
        report = load_cases(url, cases, feed=feed, on_progress=lambda *_: advance())
    for case_id, sentence in report.refused.items():
        say(f"{case_id} was not loaded: {sentence}")
    say(f"The sandbox company holds {len(report.loaded)} of these {len(cases)} recorded exceptions.")


def reset_all() -> None:
    """Empty the sandbox company."""
    url = open_database(settings())
    create_schema(url)
    reset(url)
    say("The sandbox company is empty.")


def serve_one(system: str, port: int | None) -> None:
    """Serve one system over MCP until it is stopped."""
    url = open_database(settings())
    create_schema(url)
    serve(system, url, "stdio" if port is None else "http", port)


def pin_tools() -> None:
    """Pin the tools of all systems as they are now."""
    chosen = settings()
    url, config = open_database(chosen), load_config(chosen.systems)
    if any(system.is_sandbox for system in config.systems.values()):
        create_schema(url)
    with McpSystems(config, extra_env={"DATABASE_URL": url}) as systems:
        pins = pin(systems)
    file = chosen.systems.with_name("pins.json")
    write_pins(file, pins)
    say(f"{sum(map(len, pins.values()))} tools of {len(pins)} systems are pinned as they are now, in {file.name}.")
