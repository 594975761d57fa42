"""A system of the sandbox company as an MCP server, over stdio or streamable HTTP."""

import gc
import os
import socket
import sys
from functools import cache
from typing import TYPE_CHECKING

from errors import BadInput
from systems.sandbox.company import DECLARED

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

_HOST = "127.0.0.1"


def main() -> None:
    """`python -m systems.sandbox oms [PORT]`: one system, over the database of DATABASE_URL."""
    system, port = [*sys.argv[1:], "", ""][:2]
    try:
        url = os.environ.get("DATABASE_URL")
        if not url:
            raise BadInput("DATABASE_URL is not set; name the database of the sandbox company in it.")
        serve(system, url, int(port) if port else None)
    except BadInput as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def serve(system: str, database_url: str, port: int | None = None) -> None:
    """Serve one system over stdio until stdin ends, or on http://127.0.0.1:`port`/mcp until it is stopped. Raises BadInput."""
    if port is not None:
        _require_free(system, port)
    # Six of these start side by side: collecting garbage among a hundred thousand new classes costs each a tenth.
    gc.disable()
    server = build(system, database_url)
    gc.freeze()
    gc.enable()
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host=_HOST, port=port, json_response=True)


def build(system: str, database_url: str) -> "MCPServer":
    """The server with its tools; the database is reached at the first call. Raises BadInput for an unknown system."""
    if system not in DECLARED.systems:
        raise BadInput(f"There is no system {system} in the sandbox company; it has {', '.join(DECLARED.systems)}.")
    # Here and not above: six of these start side by side, and a wrong name should not wait for the imports.
    from mcp.server.mcpserver import MCPServer

    from systems.sandbox.database import open_engine
    from systems.sandbox.toolbox import tools_of

    tools = tools_of(system, cache(lambda: open_engine(database_url)))
    return MCPServer(f"sandbox-{system}", tools=tools, log_level="ERROR", subscriptions=False)


def _require_free(system: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", error)
            raise BadInput(
                f"{system} cannot be served on {_HOST}:{port} ({why}); choose another port, or stop what is on it."
            ) from error
