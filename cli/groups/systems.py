"""`missions systems …`."""

import typer

systems = typer.Typer(no_args_is_help=True, help="The systems of record, reached through MCP.")


@systems.command("pin")
def systems_pin() -> None:
    """Pin names, descriptions and schemas of all tools as they are now, after you have reviewed them."""
    from cli.sandboxing import pin_tools

    pin_tools()
