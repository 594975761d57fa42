"""A Mission of the sandbox company, whose payments are behind a REST API: it reads and writes through its document alone."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from systems.calls import Call
from systems.client import LiveSystems
from systems.config import load_config
from systems.pins import pin, read_pins, write_pins
from tests.integration.live_company import RECORDED, Company, opened
from tests.integration.rest_shop import served

#: cancel_order of the oms, over MCP, then void_authorization of the payments
DUPLICATE = "dev-ord-0004"
DOCUMENT = """
openapi: 3.1.0
paths:
  /v1/payments/{order_id}:
    get: {parameters: [{name: order_id, in: path, required: true}]}
  /v1/payments:
    get: {operationId: list_payments, parameters: [{name: order_ids, in: query, schema: {type: array}}]}
  /v1/authorizations/{auth_id}/void:
    post:
      operationId: void_authorization
      parameters: [{name: auth_id, in: path, required: true}, {name: Idempotency-Key, in: header, required: true}]
"""
ENTRY = """
openapi: payments.yaml
url: URL
operations: {get_payment: "GET /v1/payments/{order_id}"}
records:
  payments:
    key: order_id
    read: get_payment
    at: payment
    fails_when: answer.payment.order_id == ""
    lists: {list_payments: {by: {order_ids: order_id}, at: data.payments, fails_when: "!has(answer.data)"}}
    parts: {authorizations: auth_id, charges: charge_id}
"""


class PaymentsApi:
    """Payments of a recorded exception, by order."""

    def __init__(self, payments: list[Mapping[str, Any]]) -> None:
        self._payments: list[dict[str, Any]] = json.loads(json.dumps(payments))
        #: the key of each write that was done
        self.voided: list[str] = []
        #: the status with which it answers a write that it has done
        self.answers = 200

    async def one(self, request: Request) -> Response:
        """GET /v1/payments/{order_id}"""
        found = [one for one in self._payments if one["order_id"] == request.path_params["order_id"]]
        return JSONResponse({"payment": found[0]}) if found else JSONResponse({"message": "no such payment"}, 404)

    async def some(self, request: Request) -> Response:
        """GET /v1/payments"""
        wanted = request.query_params.getlist("order_ids")
        return JSONResponse({"data": {"payments": [one for one in self._payments if one["order_id"] in wanted]}})

    async def void(self, request: Request) -> Response:
        """POST /v1/authorizations/{auth_id}/void"""
        for payment in self._payments:
            for authorization in payment["authorizations"]:
                if authorization["auth_id"] == request.path_params["auth_id"]:
                    authorization["status"] = "voided"
                    self.voided.append(request.headers["idempotency-key"])
                    return JSONResponse({"authorization": authorization, "message": "hm"}, self.answers)
        return JSONResponse({"message": "There is no such authorization."}, 404)


@pytest.fixture
def payments() -> PaymentsApi:
    """As they are before the Mission."""
    return PaymentsApi(RECORDED[DUPLICATE]["systems"]["payments"]["payments"])


@pytest.fixture
def rest_company(payments: PaymentsApi, ledger_url: str, tmp_path: Path) -> Iterator[Company]:
    """The company, with its payments by REST and all others over MCP."""
    routes = [
        Route("/v1/payments/{order_id}", payments.one),
        Route("/v1/payments", payments.some),
        Route("/v1/authorizations/{auth_id}/void", payments.void, methods=["POST"]),
    ]
    with served(Starlette(routes=routes)) as port:
        usual = Path(os.environ["MISSIONS_SYSTEMS"])
        systems = yaml.safe_load(usual.read_text())
        systems.pop("invoices")  # of a system that is not in both files
        systems["systems"]["payments"] = yaml.safe_load(ENTRY.replace("URL", f"http://127.0.0.1:{port}"))
        file, alone = tmp_path / "systems.yaml", tmp_path / "alone" / "systems.yaml"
        alone.parent.mkdir()
        for one, named in ((file, systems["systems"]), (alone, {"payments": systems["systems"]["payments"]})):
            one.write_text(yaml.safe_dump({**systems, "systems": named}))
            one.with_name("payments.yaml").write_text(DOCUMENT)
        with LiveSystems(load_config(alone)) as found:
            write_pins(file.with_name("pins.json"), {**read_pins(usual.with_name("pins.json")), **pin(found.tools())})
        with opened(ledger_url, systems=file) as company:
            yield company


def test_where_a_payment_is_not_it_is_absent_and_nothing_else_is_read_from_its_answer(rest_company: Company) -> None:
    calls = [Call("payments.get_payment", {"order_id": name}) for name in ("O-52022", "O-1")]
    there, absent = rest_company.runtime.context.reader.read_all(calls)
    assert (there.status, there.value["order_id"], absent.status) == ("ok", "O-52022", "absent"), absent.error


def test_a_mission_reads_and_writes_through_an_openapi_document(rest_company: Company, payments: PaymentsApi) -> None:
    run = rest_company.propose(DUPLICATE)
    assert run.status == "waiting"
    payments.answers = 500
    run = rest_company.approve(run)
    assert (run.verdict, run.outcome) == ("cancel_duplicate", "executed"), rest_company.incidents(run)
    cancelled, voided = rest_company.effects(run)
    assert (cancelled.status, voided.status) == ("done", "done")
    # what was done and answered with an error is found in the records, and not done again
    assert voided.tool == "payments.void_authorization" and payments.voided == [voided.key]
    assert rest_company.problems() == []
