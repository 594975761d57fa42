"""A system of the sandbox company as an MCP server, over stdio or streamable HTTP."""

import gc
import socket
from functools import cache
from typing import TYPE_CHECKING, Literal

from errors import BadInput
from systems.company import SYSTEMS

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

#: the system that reports what happened in the whole company
FEEDING = "oms"
_HOST = "127.0.0.1"
Transport = Literal["stdio", "http"]


def serve(system: str, database_url: str, transport: Transport = "stdio", port: int | None = None) -> None:
    """Serve one system until stdin ends (stdio) or the process is stopped (http, on 127.0.0.1:`port`/mcp). Raises BadInput."""
    if transport == "http":
        _require_free(system, port)
    # Six of these start side by side: collecting garbage among a hundred thousand new classes costs each a tenth.
    gc.disable()
    server = build(system, database_url)
    gc.freeze()
    gc.enable()
    if transport == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host=_HOST, port=port or 0, json_response=True)


def build(system: str, database_url: str) -> "MCPServer":
    """The server with its tools; the database is reached at the first call. Raises BadInput for an unknown system."""
    if system not in SYSTEMS:
        raise BadInput(f"There is no system {system} in the sandbox company; it has {', '.join(SYSTEMS)}.")
    # Here and not above: six of these start side by side, and a wrong name should not wait for the imports.
    from mcp.server.mcpserver import MCPServer
    from sqlalchemy import Engine

    from systems.sandbox.database import open_engine
    from systems.sandbox.toolbox import EventsFeed, read_tool, reads_of, write_tool, writes_of

    @cache
    def writing() -> Engine:
        return open_engine(database_url)

    def reading() -> Engine:  # a record and the lists inside it are two statements of one moment
        return writing().execution_options(isolation_level="REPEATABLE READ")

    tools = [read_tool(read, reading) for read in reads_of(system)]
    tools += [read_tool(EventsFeed(), reading)] if system == FEEDING else []
    tools += [write_tool(system, write, writing) for write in writes_of(system)]
    return MCPServer(f"sandbox-{system}", tools=tools, log_level="ERROR", subscriptions=False)


def _require_free(system: str, port: int | None) -> None:
    if port is None:
        raise BadInput(f"To serve {system} over HTTP, say on which port.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", error)
            raise BadInput(
                f"{system} cannot be served on {_HOST}:{port} ({why}); choose another port, or stop what is on it."
            ) from error
