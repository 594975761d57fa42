"""The sandbox company over HTTP: its six systems in one process, each behind its faults."""

import asyncio
import contextlib
import logging
import socket
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from systems.config import DEFAULT, load_config
from systems.sandbox.serve import build
from tests.chaos.faults import Faulty, Rules
from tests.reference import SYSTEMS

_HOST = "127.0.0.1"
_READS = load_config().systems


def serve_company(url: str, ports: dict[str, int], keyless: bool, told: Connection) -> None:
    """Serve until killed; tells the ports that it listens on. `ports` are those of a company that was killed, or none."""
    logging.disable(logging.CRITICAL)
    rules, sockets = Rules(), {system: _listening(ports.get(system, 0)) for system in SYSTEMS}
    servers = [(_server(system, url, rules, keyless), [sockets[system]]) for system in SYSTEMS]
    told.send({system: sockets[system].getsockname()[1] for system in SYSTEMS})
    told.close()
    asyncio.run(_serve(servers))


def systems_file(folder: Path, ports: dict[str, int], timeout_seconds: float) -> Path:
    """A systems.yaml for these ports, in a folder of its own because pins lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    for system, entry in written["systems"].items():
        del entry["command"]
        entry |= {"url": f"http://{_HOST}:{ports[system]}/mcp", "timeout_seconds": timeout_seconds, "start_seconds": 20}
    file = folder / "systems.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return file


def _listening(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((_HOST, port))
    made.listen(512)
    return made


def _server(system: str, url: str, rules: Rules, keyless: bool) -> uvicorn.Server:
    app: Any = build(system, url).streamable_http_app(json_response=True)
    faulty: Any = Faulty(app, system, sorted(_READS[system].reads), rules, keyless)
    return uvicorn.Server(uvicorn.Config(faulty, log_config=None, lifespan="on"))


async def _serve(servers: list[tuple[uvicorn.Server, list[socket.socket]]]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*(server.serve(sockets=sockets) for server, sockets in servers))
