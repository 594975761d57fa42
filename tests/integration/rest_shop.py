"""A shop with an admin API of the usual style, over HTTP on a port of this machine, and the document that describes it.

It answers in envelopes, takes nested bodies and lists in its query, remembers idempotency keys, and misbehaves when asked to.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

DOCUMENT = """
openapi: 3.0.3
info: {title: Shop, version: "1"}
servers: [{url: "https://elsewhere.example"}]
paths:
  /admin/orders:
    get:
      operationId: ListOrders
      summary: Orders
      parameters:
        - {name: id, in: query, schema: {type: array, items: {type: string}}}
        - {name: status, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: created_at, in: query, schema: {type: object}}
        - {$ref: "#/components/parameters/Limit"}
      responses:
        200: {description: Orders, content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}
  /admin/orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      parameters: [{name: fields, in: query, schema: {type: string}}]
      responses:
        200: {$ref: "#/components/responses/One"}
  /admin/orders/{id}/cancel:
    post:
      operationId: CancelOrder
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: Idempotency-Key, in: header, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              allOf:
                - {type: object, required: [reason], properties: {reason: {type: string}}}
                - $ref: "#/components/schemas/Notice"
      responses: {200: {description: Done, content: {application/json: {schema: {type: object}}}}}
  /admin/orders/search:
    post:
      operationId: SearchOrders
      requestBody: {content: {application/json: {schema: {type: object, properties: {q: {type: string}}}}}}
      responses: {200: {description: Orders}}
  /admin/refunds:
    post:
      operationId: CreateRefund
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              properties:
                order_id: {type: string}
                amount: {type: integer}
                metadata: {type: object}
                expand: {type: array, items: {type: string}}
            encoding: {expand: {style: deepObject, explode: true}, metadata: {style: deepObject}}
      responses: {204: {description: Done}}
  /admin/files:
    post:
      operationId: UploadFile
      requestBody: {content: {multipart/form-data: {schema: {type: object}}}}
      responses: {200: {description: Done}}
components:
  parameters:
    Limit: {name: limit, in: query, schema: {type: integer}}
  responses:
    One: {description: One, content: {application/json: {schema: {properties: {order: {$ref: "#/components/schemas/Order"}}}}}}
  schemas:
    Notice: {type: object, properties: {notify: {type: object, properties: {email: {type: boolean}}}}}
    Orders: {type: object, properties: {orders: {type: array, items: {$ref: "#/components/schemas/Order"}}}}
    Order:
      type: object
      properties:
        id: {type: string}
        status: {type: string}
        parent: {$ref: "#/components/schemas/Order"}
"""

ENTRY = """
systems:
  shop:
    openapi: shop.yaml
    url: {url}
    reads: [get_order, ListOrders, search]
    operations:
      get_order: GET /admin/orders/{{id}}
      search: {{operation: SearchOrders, only_reads: true}}
    timeout_seconds: 2
"""


@dataclass
class Shop:
    """The shop, and what it was sent."""

    port: int = 0
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: (method, path with query, headers, body) of each request, oldest first
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)
    #: the ports of the connections over which it was asked
    connections: set[int] = field(default_factory=set)
    #: what it answers to the next requests in place of what it would
    instead: list[Callable[[], Response]] = field(default_factory=list)
    document: str = DOCUMENT

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    def configure(self, folder: Path, entry: str = ENTRY) -> Path:
        """Write the file of systems that names it, and its document; its path."""
        (folder / "shop.yaml").write_text(self.document)
        (folder / "systems.yaml").write_text(entry.format(url=self.url))
        return folder / "systems.yaml"

    def answers(self, status: int, body: object = None, text: str | None = None, kind: str = "text/html", **headers: str) -> None:
        """Let it answer the next request so."""
        content = json.dumps(body) if text is None else text
        kind = "application/json" if text is None else kind
        self.instead.append(lambda: Response(content, status, headers=headers, media_type=kind))

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append((request.method, path, dict(request.headers), body))
        self.connections.add(request.client.port if request.client else 0)
        if self.instead:
            return await asyncio.to_thread(self.instead.pop(0))
        key = request.headers.get("idempotency-key")
        if key in self.done:
            return JSONResponse({**self.done[key], "replayed": True})
        answer, status = self._handled(request, body)
        if key and status == 200:
            self.done[key] = answer
        return JSONResponse(answer, status) if answer is not None else Response(status_code=status)

    def _handled(self, request: Request, body: bytes) -> tuple[Any, int]:
        order = self.orders.get(request.path_params.get("id", ""))
        match request.method, request.url.path.split("/")[2:]:
            case "GET", ["orders"]:
                ids = request.query_params.getlist("id")
                found = [one for name, one in self.orders.items() if not ids or name in ids]
                return {"orders": found, "count": len(found)}, 200
            case "POST", ["orders", "search"]:
                return [one for one in self.orders.values() if json.loads(body)["q"] in one["status"]], 200
            case "GET", ["orders", _]:
                return ({"order": order}, 200) if order else ({"type": "not_found", "message": "No such order."}, 404)
            case "POST", ["orders", _, "cancel"] if order is None:
                return {"message": "No such order."}, 404
            case "POST", ["orders", _, "cancel"] if order["status"] != "pending":
                return {"errors": [{"message": f"<b>Order</b> {order['id']} is {order['status']}."}]}, 409
            case "POST", ["orders", _, "cancel"]:
                order.update(status="canceled", reason=json.loads(body)["reason"])
                return {"order": order}, 200
            case "POST", ["refunds"]:
                return None, 204
        return {"message": "not here"}, 404


@contextmanager
def served(app: Starlette) -> Iterator[int]:
    """An application on a port of this machine."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def open_shop(orders: int = 2) -> Iterator[Shop]:
    """A shop with orders O-1, O-2, …, that listens."""
    names = [f"O-{number}" for number in range(1, orders + 1)]
    shop = Shop(orders={name: {"id": name, "order_id": name, "status": "pending", "total": 10.5} for name in names})
    routes = [
        Route("/openapi.json", lambda request: PlainTextResponse(shop.document)),
        Route("/admin/orders/{id}", shop._answer, methods=["GET", "POST"]),
        Route("/admin/orders/{id}/cancel", shop._answer, methods=["POST"]),
        Route("/{rest:path}", shop._answer, methods=["GET", "POST"]),
    ]
    with served(Starlette(routes=routes)) as shop.port:
        yield shop


def redirected(place: str) -> Callable[[], Response]:
    """An answer that sends somewhere else."""
    return lambda: RedirectResponse(place, 302)


def page(text: str, status: int = 200) -> Callable[[], Response]:
    """A page for a browser."""
    return lambda: HTMLResponse(text, status)


def late(seconds: float) -> Callable[[], Response]:
    """An answer that comes late."""

    def answer() -> Response:
        time.sleep(seconds)
        return JSONResponse({"order": {}})

    return answer
