"""`missions sandbox`: the company on which everything can be tried."""

from pathlib import Path
from typing import Annotated

import typer

from cli.screen import progress, say
from evals.cases import read_objects
from graphs.runtime import open_database
from graphs.settings import settings
from systems.sandbox.database import create_schema, reset
from systems.sandbox.loader import load_cases
from systems.sandbox.serve import serve

app = typer.Typer(no_args_is_help=True)


@app.command("load")
def load(
    cases: list[Path],
    feed: Annotated[
        bool, typer.Option("--feed", help="Put their events on the feed of oms too, from which they are taken in.")
    ] = False,
) -> None:
    """Put recorded exceptions into the sandbox company."""
    raws = [raw for file in cases for raw, _ in read_objects(file)]
    url = open_database(settings())
    create_schema(url)
    with progress("loading", len(raws)) as advance:
        report = load_cases(url, raws, feed=feed, on_progress=lambda *_: advance())
    for case_id, sentence in report.refused.items():
        say(f"{case_id} was not loaded: {sentence}")
    say(f"The sandbox company holds {len(report.loaded)} of these {len(raws)} recorded exceptions.")
    if len(report.loaded) < max(len(raws), 1):
        raise typer.Exit(1)


@app.command("reset")
def reset_all() -> None:
    """Empty the sandbox company."""
    url = open_database(settings())
    create_schema(url)
    reset(url)
    say("The sandbox company is empty.")


@app.command("serve")
def serve_one(system: str, port: Annotated[int | None, typer.Option(help="Serve HTTP here instead of stdio.")] = None) -> None:
    """Serve one system of the sandbox company over MCP: stdio, or streamable HTTP on a port of this machine."""
    url = open_database(settings())
    create_schema(url)
    serve(system, url, "stdio" if port is None else "http", port)
