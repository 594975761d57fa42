"""Make the company of the ERP in a database, and run it: in an environment of its own, over a PostgreSQL that is given."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from mcp.client import Client

from errors import BadInput
from settings import CHECKOUT

FOLDER = CHECKOUT / "systems" / "connectors" / "tryton"
PYTHON = CHECKOUT / ".venv-erp" / "bin" / "python"
_MODULE = "systems.connectors.tryton"
_START_SECONDS = 120.0


def why_not_installed() -> str | None:
    """A sentence where the ERP is not installed."""
    return None if (PYTHON.parents[1] / "installed").exists() else "The ERP is not installed: `make erp`."


@dataclass(frozen=True)
class Erp:
    """An ERP that runs: the address of its MCP server, that of Tryton's own protocol, and its administrator's password."""

    url: str
    clients: str
    password: str

    def shows(self, program: str) -> Any:
        """What a program that is written with Tryton's client library, and finds `Model`, puts into `shown`.

        It signs in as the administrator and sees what a person sees in Tryton's client. Raises BadInput where it fails.
        """
        session = f"config.set_xmlrpc_session({self.clients!r}, 'admin', password={self.password!r})"
        lines = [*program.splitlines(), "print(json.dumps(shown, default=str))"]
        whole = f"import json\nfrom proteus import Model, config\nwith {session}:\n" + "".join(f"    {line}\n" for line in lines)
        done = subprocess.run([PYTHON, "-c", whole], cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadInput(f"Tryton's client library ends with: {done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    async def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool answers, without the envelope of lists and records. Raises BadInput with its sentence."""
        async with Client(self.url) as client:
            result = await client.call_tool(tool, arguments)
        if result.is_error:
            raise BadInput(result.content[0].text)
        answer = result.structured_content or {}
        return answer["result"] if answer.keys() == {"result"} else answer


def make_company(server_url: str, database: str, password: str | None = None) -> str:
    """Make the company unless it is there; what was said. Raises BadInput where that fails."""
    given = {"ERP_PASSWORD": password} if password else {}
    done = subprocess.run(
        [PYTHON, "-m", _MODULE, "company"], cwd=CHECKOUT, env=_environment(server_url, database) | given,
        stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BadInput(f"The company of the ERP was not made: {done.stdout[-500:]}")
    return done.stdout


@contextmanager
def running(server_url: str, database: str, ports: tuple[int, int], password: str = "", log: Path | None = None) -> Iterator[Erp]:
    """The ERP as it answers, on one port to Missions, on the other to Tryton's own clients. Raises BadInput where it does not."""
    if taken := [port for port in ports if _answers(port)]:
        raise BadInput(f"Port {taken[0]} is taken; stop what listens there.")
    with open(log or os.devnull, "w") as written:
        process = subprocess.Popen(
            [PYTHON, "-m", _MODULE, "serve", *map(str, ports)], cwd=CHECKOUT, env=_environment(server_url, database),
            stdout=written, stderr=written,
        )  # fmt: skip
    try:
        until = time.monotonic() + _START_SECONDS
        while not _answers(ports[0]):
            if process.poll() is not None or time.monotonic() > until:
                raise BadInput(f"The ERP does not start: {log.read_text()[-2000:] if log else 'look whether its ports are free'}")
            time.sleep(0.2)
        yield Erp(f"http://127.0.0.1:{ports[0]}/mcp", f"http://127.0.0.1:{ports[1]}/{database}/rpc/", password)
    finally:
        process.terminate()
        process.wait(20)


def copy(server_url: str, database: str, name: str) -> None:
    """Make a database that is a copy of another one."""
    with psycopg.connect(server_url, autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database}"'.encode())


def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever uses it."""
    with psycopg.connect(server_url, autocommit=True) as session:
        session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _environment(server_url: str, database: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": server_url, "ERP_DATABASE": database}


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def company_folder(folder: Path, url: str) -> dict[str, Path]:
    """Settings of Missions for this ERP, made in a folder: its systems, its policies and packs."""
    policies, packs = folder / "policies", folder / "packs"
    for one in (policies, packs):
        one.mkdir(parents=True, exist_ok=True)
    for name in ("actions.yaml", "pins.json"):
        shutil.copy(FOLDER / name, folder)
    systems = (FOLDER / "systems.yaml").read_text()
    (folder / "systems.yaml").write_text(re.sub(r"url: \S+", f"url: {url}", systems, count=1))
    shared = [CHECKOUT / "knowledge_index" / "policies" / f"{name}.md" for name in ("AP", "INV")]
    for policy in (*(FOLDER / "policies").glob("*.md"), *shared):
        shutil.copy(policy, policies)
    for pack in (FOLDER / "packs" / "stock_shortage.yaml", CHECKOUT / "graphs" / "packs" / "invoice_approval.yaml"):
        shutil.copy(pack, packs)
    return {"systems": folder / "systems.yaml", "policies": policies, "packs": packs}
