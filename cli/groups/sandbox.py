"""`missions sandbox …`."""

from pathlib import Path
from typing import Annotated

import typer

sandbox = typer.Typer(no_args_is_help=True, help="The sandbox company: six systems over one database.")


@sandbox.command("load")
def sandbox_load(
    cases: list[Path],
    feed: Annotated[
        bool, typer.Option("--feed", help="Put their events on the feed of oms too, from which they are taken in.")
    ] = False,
) -> None:
    """Put recorded exceptions into the sandbox company."""
    from cli.sandboxing import load

    load(cases, feed)


@sandbox.command("reset")
def sandbox_reset() -> None:
    """Empty the sandbox company."""
    from cli.sandboxing import reset_all

    reset_all()


@sandbox.command("serve")
def sandbox_serve(
    system: str, port: Annotated[int | None, typer.Option(help="Serve HTTP here instead of stdio.")] = None
) -> None:
    """Serve one system of the sandbox company over MCP: stdio, or streamable HTTP on a port of this machine."""
    from cli.sandboxing import serve_one

    serve_one(system, port)
