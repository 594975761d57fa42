"""A REST service as strangers write them: answers in an envelope, lists in pages, amounts as text. kestrel.yaml describes it.

python tests/foreign_rest/server.py PORT FILE     its data stand in FILE; whoever calls has the token "kestrel-token"
"""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

AT_ONCE = 2


def read() -> dict[str, Any]:
    return json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))


def answered(**content: Any) -> Response:
    return JSONResponse({"request_id": "req-1", **content})


def refused(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


async def handle(request: Request) -> Response:
    if request.headers.get("authorization") != "Bearer kestrel-token":
        return refused(401, "Sign in.")
    data = read()
    if not (delivery_id := request.path_params.get("delivery_id")):
        own = [one for one in data["deliveries"].values() if one["subscriber_id"] == request.query_params["subscriber_id"]]
        begin = int(request.query_params.get("cursor", "0"))
        end = begin + AT_ONCE
        return answered(data=own[begin:end], next_cursor=str(end) if end < len(own) else None)
    delivery = data["deliveries"].get(delivery_id)
    if delivery is None:
        return refused(404, "There is no such delivery.")
    if request.method == "POST" and (key := request.headers["idempotency-key"]) not in data["keys"]:
        if delivery["state"] != "delivered":
            return refused(409, f"{delivery_id} is {delivery['state']}.")
        delivery["credited"] = str(Decimal(delivery["credited"]) + Decimal((await request.json())["amount"]))
        data["keys"].append(key)
        Path(sys.argv[2]).write_text(json.dumps(data), encoding="utf-8")
    return answered(data=delivery)


if __name__ == "__main__":
    place = "/v1/deliveries/{delivery_id}"
    routes = [Route("/v1/deliveries", handle), Route(place, handle), Route(f"{place}/credits", handle, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
