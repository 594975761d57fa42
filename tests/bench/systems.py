"""Reads and writes a second over MCP and by REST, of systems that do nothing: what Missions add to what a system takes.

python -m tests.bench.systems
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config, pin, write_pins

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
def opened(kind: str) -> Iterator[LiveSystems]:
    """A system of a kind, with its tools pinned."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as name:
        probe.bind(("127.0.0.1", 0))
        port, folder = probe.getsockname()[1], Path(name)
        probe.close()
        with subprocess.Popen([sys.executable, "-m", "tests.bench.systems", kind, str(port)]) as server:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)
            reached = (
                f"url: 'http://127.0.0.1:{port}/mcp'" if kind == MCP else f"url: 'http://127.0.0.1:{port}', openapi: bench.yaml"
            )
            (folder / "bench.yaml").write_text(DOCUMENT)
            (folder / "systems.yaml").write_text(f"systems: {{bench: {{{reached}, reads: [get_order]}}}}\n")
            try:
                with LiveSystems(load_config(folder / "systems.yaml")) as found:
                    write_pins(folder / "pins.json", pin(found.tools()))
                with LiveSystems(load_config(folder / "systems.yaml")) as systems:
                    yield systems
            finally:
                server.kill()


def a_second(times: int, act: Callable[[], object], each: int = 1) -> str:
    """How often something happens in a second, by the clock and of this process' work, in the best of three rounds."""
    rounds = []
    for _ in range(3):
        start, worked = time.perf_counter(), time.process_time()
        for _ in range(times):
            act()
        rounds.append((time.perf_counter() - start, time.process_time() - worked))
    by_clock, by_work = (times * each / min(seconds) for seconds in zip(*rounds, strict=True))
    return f"{by_clock:5,.0f}/s by the clock, {by_work:5,.0f}/s of the client's processor"


def main() -> None:
    """Measure, and print."""
    print(f"load of {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors, which the servers share")
    read = Call("bench.get_order", {"order_id": "O-1"})
    cancel = Call("bench.cancel_order", {"order_id": "O-1"})
    for kind in (MCP, REST):
        with opened(kind) as systems:
            assert systems.read_all([read])[0].status == "ok"
            print(f"  {kind:5} reads, one after the other  {a_second(READS, lambda: systems.read_all([read]))}")
            several = a_second(READS // SIDE_BY_SIDE, lambda: systems.read_all([read] * SIDE_BY_SIDE), SIDE_BY_SIDE)
            print(f"  {kind:5} reads, {SIDE_BY_SIDE} side by side       {several}")
            print(f"  {kind:5} writes                      {a_second(WRITES, lambda: systems.write(cancel, 'k'))}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {MCP: serve_mcp, REST: serve_rest}[sys.argv[1]](int(sys.argv[2]))
    else:
        main()
