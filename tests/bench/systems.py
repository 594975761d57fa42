"""Reads and writes a second over MCP and by REST, of systems that do nothing, beside the bare client in the same run.

python -m tests.bench.systems
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import mcp
import psutil

from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, write_pins

MCP, REST = "mcp", "rest"
READS, WRITES, SIDE_BY_SIDE = 400, 200, 8
ORDER = {"order_id": "O-1", "lines": [{"line_id": str(number), "sku": "LAMP", "qty": 1} for number in range(20)]}
DOCUMENT = """
openapi: 3.1.0
paths:
  /orders/{order_id}: {get: {operationId: get_order, parameters: [{name: order_id, in: path, required: true}]}}
  /orders/{order_id}/cancel:
    parameters: [{name: order_id, in: path, required: true}, {name: Idempotency-Key, in: header}]
    post: {operationId: cancel_order}
"""


def serve_mcp(port: int) -> None:
    """An MCP server on a port of this machine."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", log_level="CRITICAL")

    @server.tool(structured_output=False)
    def get_order(order_id: str) -> dict[str, Any]:
        return {"record": ORDER}

    @server.tool(structured_output=False)
    def cancel_order(order_id: str, idempotency_key: str) -> dict[str, Any]:
        return {"ok": True}

    server.run("streamable-http", host="127.0.0.1", port=port, json_response=True)


def serve_rest(port: int) -> None:
    """The same by REST."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def get_order(request: Request) -> Response:
        return JSONResponse({"record": ORDER})

    async def cancel_order(request: Request) -> Response:
        return JSONResponse({"ok": True})

    routes = [Route("/orders/{id}", get_order), Route("/orders/{id}/cancel", cancel_order, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="critical")


@contextmanager
def served(kind: str) -> Iterator[int]:
    """A system of a kind, on the port that this gives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "tests.bench.systems", kind, str(port)]) as server:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        try:
            yield port
        finally:
            server.kill()


@contextmanager
def opened(kind: str, port: int) -> Iterator[LiveSystems]:
    """Missions' way to it, with its tools pinned."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reached = f"url: 'http://127.0.0.1:{port}/mcp'" if kind == MCP else f"url: 'http://127.0.0.1:{port}', openapi: bench.yaml"
        (folder / "bench.yaml").write_text(DOCUMENT)
        (folder / "systems.yaml").write_text(f"systems: {{bench: {{{reached}, reads: [get_order]}}}}\n")
        with LiveSystems(load_config(folder / "systems.yaml")) as found:
            write_pins(folder / "pins.json", pin(found.tools()))
        with LiveSystems(load_config(folder / "systems.yaml")) as systems:
            yield systems


async def bare(kind: str, port: int) -> tuple[float, float]:
    """Reads and writes a second, by the clock, of the client library alone: no guard, no pin, no limit, no check of an answer."""
    if kind == MCP:
        async with mcp.Client(f"http://127.0.0.1:{port}/mcp") as client:
            read = partial(client.call_tool, "get_order", {"order_id": "O-1"})
            write = partial(client.call_tool, "cancel_order", {"order_id": "O-1", "idempotency_key": "k"})
            return await _a_second(READS, read), await _a_second(WRITES, write)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def sent(method: str, path: str) -> object:
            return (await http.request(method, path, headers={"Idempotency-Key": "k"})).json()

        reads = await _a_second(READS, partial(sent, "GET", "/orders/O-1"))
        return reads, await _a_second(WRITES, partial(sent, "POST", "/orders/O-1/cancel"))


async def _a_second(times: int, act: Callable[[], Awaitable[object]]) -> float:
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(times):
            await act()
        rounds.append(times / (time.perf_counter() - start))
    return max(rounds)


def a_second(times: int, act: Callable[[], object], each: int = 1) -> float:
    """How often something happens in a second, by the clock, in the best of three rounds."""
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(times):
            act()
        rounds.append(times * each / (time.perf_counter() - start))
    return max(rounds)


def main() -> None:
    """Measure, and print."""
    print(f"load of {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors, which the servers share")
    read = Call("bench.get_order", {"order_id": "O-1"})
    cancel = Call("bench.cancel_order", {"order_id": "O-1"})
    for kind in (MCP, REST):
        with served(kind) as port, opened(kind, port) as systems:
            assert systems.read_all([read])[0].status == "ok"
            bare_reads, bare_writes = asyncio.run(bare(kind, port))
            reads = a_second(READS, lambda: systems.read_all([read]))
            several = a_second(READS // SIDE_BY_SIDE, lambda: systems.read_all([read] * SIDE_BY_SIDE), SIDE_BY_SIDE)
            writes = a_second(WRITES, lambda: systems.write(cancel, "k"))
            print(f"  {kind:5} reads, one after the other  {reads:6,.0f}/s  the bare client {bare_reads:6,.0f}/s")
            print(f"  {kind:5} reads, {SIDE_BY_SIDE} side by side       {several:6,.0f}/s")
            print(f"  {kind:5} writes                      {writes:6,.0f}/s  the bare client {bare_writes:6,.0f}/s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {MCP: serve_mcp, REST: serve_rest}[sys.argv[1]](int(sys.argv[2]))
    else:
        main()
