"""Install Medusa from its lock, make its database, start it. Nothing of it leaves this machine: its reports are switched off."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import psycopg
from psycopg.conninfo import conninfo_to_dict

from errors import BadInput
from settings import CHECKOUT

CONNECTOR = CHECKOUT / "systems" / "connectors" / "medusa"
PROJECT = CONNECTOR / "project"
#: at which its systems.yaml looks for it
PORT = 9000
#: where it is installed, with its 1,065 packages (680 MB)
INSTALLED = CHECKOUT / ".shop"
#: written last, so that an interrupted installation is done again
_MARK = INSTALLED / "installed"
_START_SECONDS = 90.0
ADMIN = "admin@shop.example"


@dataclass(frozen=True)
class Shop:
    """A shop that runs: its address, and the value of the Authorization header that its administrator's API key makes."""

    url: str
    authorization: str

    def client(self) -> httpx2.Client:
        """Asks its Admin API; to be closed."""
        return httpx2.Client(base_url=f"{self.url}/admin", headers={"authorization": self.authorization}, timeout=60)


@dataclass(frozen=True)
class Place:
    """Where one shop keeps its key and secrets (a folder of its owner alone), and the database that it is in."""

    folder: Path
    database_url: str

    @property
    def key_file(self) -> Path:
        """The whole value of an Authorization header."""
        return self.folder / "authorization"

    @property
    def secret(self) -> str:
        """The password of its administrator, which also signs its sessions."""
        return self._secret("secret")

    @property
    def webhook_secret(self) -> str:
        """What its webhooks are signed with."""
        return self._secret("webhook-secret")

    def environment(self, webhook: str = "") -> dict[str, str]:
        """The variables that Medusa is given, and no others."""
        at = conninfo_to_dict(self.database_url)
        user, password = quote(str(at.get("user", "postgres"))), quote(str(at.get("password", "")))
        reports = self.folder / "config" / "medusa"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "config.json").write_text(json.dumps({"telemetry": {"enabled": False}}))
        return {
            "PATH": os.environ["PATH"], "NODE_OPTIONS": os.environ.get("NODE_OPTIONS", ""),
            "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"),
            "NODE_ENV": "production", "MEDUSA_DISABLE_TELEMETRY": "true",
            # one of its two drivers reads the host here, the other in its configuration
            "DATABASE_URL": f"postgresql://{user}:{password}@localhost:{at.get('port', 5432)}/{at['dbname']}?host={at['host']}",
            "SHOP_DATABASE_HOST": str(at["host"]), "SHOP_SECRET": self.secret, "SHOP_ADMIN": ADMIN,
            "SHOP_KEY_FILE": str(self.key_file), "SHOP_WEBHOOK": webhook, "SHOP_WEBHOOK_SECRET": self.webhook_secret,
        }  # fmt: skip

    def _secret(self, name: str) -> str:
        file = self.folder / name
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(24))
        return file.read_text()


def why_not_installed() -> str | None:
    """Why the shop cannot be started; None where it is installed as its lock says."""
    if not _MARK.exists() or _MARK.read_text() != (PROJECT / "package-lock.json").read_text():
        return "Medusa is not installed; `make shop` does it"
    return None


def install() -> None:
    """Install what the lock names, unless it is there. Raises BadInput where there is no npm, or it fails."""
    if shutil.which("npm") is None:
        raise BadInput("The shop needs Node.js 20 with npm, and there is no npm on the PATH; install it, then `make shop`.")
    if why_not_installed():
        _copy()
        # scripts of packages are not run; none is needed
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command, cwd=INSTALLED).returncode:
            raise BadInput("npm could not install Medusa (its words are above); mend that, then `make shop`.")
        shutil.copy(PROJECT / "package-lock.json", _MARK)
    _copy()
    pages = INSTALLED / "public" / "admin" / "index.html"
    if not pages.exists() and subprocess.run(["node", "build-admin.mjs"], cwd=INSTALLED).returncode:
        raise BadInput("Medusa's admin pages could not be bundled (its words are above); mend that, then `make shop`.")


def _copy() -> None:
    INSTALLED.mkdir(exist_ok=True)
    shutil.copytree(PROJECT, INSTALLED, dirs_exist_ok=True)


def database_of(server_url: str, name: str) -> str:
    """The address of a database of a server."""
    return psycopg.conninfo.make_conninfo(server_url, dbname=name)


def make_database(server_url: str, name: str) -> str:
    """An empty database of this name on a server, in place of the one that is there; its address."""
    with psycopg.connect(server_url, autocommit=True) as session:
        session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    return database_of(server_url, name)


def migrate_shop(place: Place) -> None:
    """Make the tables, an administrator and an API key. Raises BadInput with the end of what Medusa wrote."""
    done = subprocess.run(
        _medusa("db:migrate"), cwd=INSTALLED, env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode or not place.key_file.exists():
        raise BadInput(f"Medusa could not make its tables: {done.stdout[-2000:].decode(errors='replace')}")


@contextmanager
def running(place: Place, port: int = 0, webhook: str = "") -> Iterator[Shop]:
    """The shop of a place, started at a port of this machine (0: a free one), until the end of this.

    Raises BadInput where it does not come up; its words are in `log` of the place.
    """
    log, port = place.folder / "log", _free_port(port)
    command = [*_medusa("start"), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=INSTALLED, env=place.environment(webhook), stdout=out, stderr=out)
    try:
        shop = Shop(f"http://127.0.0.1:{port}", place.key_file.read_text())
        if not _answers(server, shop.url):
            raise BadInput(f"The shop did not start at port {port}: {log.read_text(errors='replace')[-2000:]}")
        yield shop
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _medusa(command: str) -> list[str]:
    return ["node", "node_modules/@medusajs/cli/cli.js", command]


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    until = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < until:
        try:
            if httpx2.get(f"{url}/health", timeout=2).is_success:
                return True
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    return False


def _free_port(port: int) -> int:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInput(f"Port {port}, at which the shop is to answer, cannot be used ({error.strerror}); free it.") from error
        return int(one.getsockname()[1])
