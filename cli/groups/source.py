"""`missions source …`."""

from typing import Annotated

import typer

source = typer.Typer(no_args_is_help=True, help="The systems that may hand events in, by POST /events.")


@source.command("add")
def source_add(
    name: Annotated[str, typer.Argument(help="As the system is called whose events it hands in, such as oms.")],
) -> None:
    """Add an event source and print its token, once. Takes an administrator."""
    from cli.sources import add_source

    add_source(name)


@source.command("list")
def source_list() -> None:
    """The event sources."""
    from cli.sources import list_sources

    list_sources()


@source.command("end")
def source_end(name: str) -> None:
    """End an event source: its token is good for nothing any more. Takes an administrator."""
    from cli.sources import end_source

    end_source(name)
