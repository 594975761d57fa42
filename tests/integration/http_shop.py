"""A real MCP server over HTTP in this process, behind a gate that may turn requests away; certificates and a proxy for it."""

import contextlib
import ipaddress
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request
from starlette.responses import Response

from systems.client import LiveSystems
from systems.config import SystemsConfig, load_config
from systems.pins import Pins, pin, write_pins

#: turns a request away with a response, or lets it pass
Gate = Callable[[Request], Response | None]


@dataclass
class HttpShop:
    """What a test sees of the server, and how it makes it behave."""

    #: of its MCP endpoint
    url: str = ""
    gate: Gate = lambda request: None
    #: (method, name of the tool or "", headers) of each request that passed or was turned away
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    #: what was put
    puts: list[str] = field(default_factory=list)
    #: what `get` answers besides what it was asked
    echo: Callable[[], Any] = lambda: None
    #: of the tool `get`
    description: str = "Gets something."
    running: int = 0
    most_running: int = 0


def _tools(shop: HttpShop) -> MCPServer:
    server = MCPServer("shop", log_level="CRITICAL")

    async def get(what: str) -> dict[str, Any]:
        shop.running += 1
        shop.most_running = max(shop.most_running, shop.running)
        try:
            if what == "slow":
                await anyio.sleep(0.2)
        finally:
            shop.running -= 1
        if what == "refuse":
            raise ToolError(f"We do not tell {shop.echo()}.")
        return {"record": {"what": what, "echo": shop.echo()}}

    async def put(what: str, idempotency_key: str) -> dict[str, Any]:
        """Puts something."""
        shop.puts.append(what)
        return {"done": True}

    server.add_tool(get, description=shop.description)
    server.add_tool(put)
    return server


class Gated:
    """The gate of a server, and what is noted of the requests to it."""

    def __init__(self, shop: HttpShop, app: Any) -> None:
        self._shop, self._app = shop, app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        tool = next((name for name in ("get", "put") if b'"tools/call"' in body and f'"name":"{name}"'.encode() in body), "")
        self._shop.requests.append((scope["method"], tool, dict(request.headers)))
        scope["tool"], scope["body"] = tool, body
        if (turned_away := self._shop.gate(request)) is not None:
            await turned_away(scope, receive, send)
            return
        bodies = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(bodies, None) or await receive()

        await self._app(scope, again, send)


@contextlib.contextmanager
def served(app: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """An ASGI application on a free port of this machine; yields its origin."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=0.2)
        if tls is not None:
            config.load()
            config.ssl = tls
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


@contextlib.contextmanager
def http_shop(tls: ssl.SSLContext | None = None, description: str = "Gets something.") -> Iterator[HttpShop]:
    """The shop over HTTP, or HTTPS, until the block ends."""
    shop = HttpShop(description=description)
    app = _tools(shop).streamable_http_app(json_response=True)
    with served(Gated(shop, app), tls) as origin:
        shop.url = f"{origin}/mcp"
        yield shop


@lru_cache(1)
def _pins() -> Pins:
    with tempfile.TemporaryDirectory() as folder, http_shop() as shop:
        (Path(folder) / "systems.yaml").write_text(f"systems: {{shop: {{url: '{shop.url}'}}}}")
        with LiveSystems(load_config(Path(folder) / "systems.yaml")) as systems:
            return pin(systems.tools())


def configured(folder: Path, shop: HttpShop, entry: str) -> SystemsConfig:
    """The shop as `systems.yaml` in a folder declares it, its tools pinned; `entry` is YAML inside { }, after its url."""
    write_pins(folder / "pins.json", _pins())
    (folder / "systems.yaml").write_text(f"systems:\n  shop: {{url: '{shop.url}', reads: [get], {entry}}}\n")
    return load_config(folder / "systems.yaml")


class Certificates:
    """An authority, and what it signs, as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test authority")])
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    def issue(self, name: str, password: bytes | None = None) -> tuple[Path, Path]:
        """(certificate, key) of 127.0.0.1, or of a client, the key encrypted where there is a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        signed = self._builder(subject, key).add_extension(here, critical=False).sign(self._key, hashes.SHA256())
        certificate, private = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
        return certificate, private

    def server(self) -> ssl.SSLContext:
        """Of a server that takes no client without a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue("server"))
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@contextlib.contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that opens tunnels (CONNECT); yields its address, and the heads of the requests that it was sent."""
    heads: list[str] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def tunnel(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (data := client.recv(65536)):
                head += data
            heads.append(head.decode())
            host, port = head.split()[1].decode().rsplit(":", 1)
            with socket.create_connection((host, int(port))) as target:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(target, client), daemon=True)
                back.start()
                pump(client, target)
                back.join(5)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=tunnel, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heads
        listening.shutdown(socket.SHUT_RDWR)
