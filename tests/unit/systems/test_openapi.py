"""A document is read as it is, or refused: whatever it says, nothing is fetched, followed without end, or left out in silence."""

import json
import time
from typing import Any

import pytest

from errors import BadInput
from systems.config import SystemConfig
from systems.openapi import OpenApi
from systems.operations import Operation, read_operations

GET = {"responses": {"200": {"description": "ok"}}}


def document(paths: Any, **components: Any) -> bytes:
    return json.dumps({"openapi": "3.1.0", "paths": paths, "components": components}).encode()


def config(*reads: str, **more: Any) -> SystemConfig:
    return SystemConfig(name="shop", url="http://shop.example", openapi="shop.json", reads=frozenset(reads), **more)


def operations(text: bytes, *reads: str, **more: Any) -> dict[str, Operation]:
    return {one.name: one for one in read_operations(text, config(*reads, **more))}


def refused(text: bytes, *reads: str, **more: Any) -> str:
    with pytest.raises(BadInput) as error:
        read_operations(text, config(*reads, **more))
    return str(error.value)


def body(schema: Any) -> Any:
    return {"post": {"operationId": "put", "requestBody": {"content": {"application/json": {"schema": schema}}}}}


def test_an_operation_without_an_id_is_called_by_its_method_and_path_or_as_the_configuration_says() -> None:
    paths = {"/admin/orders/{id}": {"get": {**GET, "parameters": [{"name": "id", "in": "path", "required": True}]}}}
    assert list(operations(document(paths))) == ["get_admin_orders_id"]
    named = {"get_order": {"operation": "GET /admin/orders/{id}"}}
    assert list(operations(document(paths), operations=named)) == ["get_order"]
    odd = {"/a": {"get": {**GET, "operationId": "get.\u202eorder\n"}}, "/b": {"get": {**GET, "operationId": 7}}}
    assert list(operations(document(odd))) == ["get_a", "get_b"]


def test_an_operation_that_is_named_and_not_there_refuses_the_document() -> None:
    assert "no operation 'GET /b'" in refused(document({"/a": {"get": GET}}), operations={"b": {"operation": "GET /b"}})


def test_an_argument_whose_name_is_taken_has_its_place_behind_it() -> None:
    parameters = [{"name": "id", "in": "query"}, {"name": "id", "in": "path", "required": True}]
    paths = {"/a/{id}": {**body({"properties": {"id": {}, "text": {}}}), "parameters": parameters}}
    (put,) = operations(document(paths)).values()
    assert {name: one.place for name, one in put.arguments.items()} == {
        "id": "path", "id_query": "query", "id_body": "body", "text": "body"
    }  # fmt: skip
    assert put.takes == put.arguments.keys()


def test_headers_of_the_connection_and_of_who_calls_are_no_arguments() -> None:
    names = ["Authorization", "Cookie", "Host", "Content-Length", "X-Forwarded-For", "X-HTTP-Method-Override", "X-Reason"]
    paths = {"/a": {"get": {**GET, "parameters": [{"name": name, "in": "header"} for name in names]}}}
    assert list(operations(document(paths))["get_a"].arguments) == ["X-Reason"]


def test_a_body_that_is_no_plain_object_is_one_argument() -> None:
    for schema in (
        {"type": "array"},
        {"oneOf": [{"properties": {"a": {}}}]},
        True,
        {"allOf": [{"$ref": "#/components/schemas/A"}]},
    ):
        text = document(
            {"/a": body(schema)}, schemas={"A": {"allOf": [{"$ref": "#/components/schemas/A"}], "properties": {"a": {}}}}
        )
        assert list(operations(text)["put"].arguments) == ["body"]


def test_fields_that_only_answers_have_are_no_arguments_and_those_of_optional_bodies_are_not_required() -> None:
    schema = {"properties": {"id": {"readOnly": True}, "text": {}, "note": {}}, "required": ["id", "text"]}
    optional = body(schema)
    needed = {"post": {**optional["post"], "requestBody": {**optional["post"]["requestBody"], "required": True}}}
    for paths, required in ((optional, []), (needed, ["text"])):
        put = operations(document({"/a": paths}))["put"]
        assert put.takes == {"text", "note"} and [name for name, one in put.arguments.items() if one.required] == required
        assert put.definition["inputSchema"]["required"] == required


UNUSABLE: dict[str, tuple[Any, str]] = {
    "a file": ({"requestBody": {"content": {"multipart/form-data": {}}}}, "neither JSON nor a form"),
    "a cookie": ({"parameters": [{"name": "s", "in": "cookie", "required": True}]}, "cookie"),
    "a path without its parameter": ({"parameters": [{"name": "id", "in": "path", "required": True}]}, "do not fit"),
    "a reference to a file": ({"parameters": [{"$ref": "file:///etc/passwd"}]}, "not in its document"),
    "a reference to another host": ({"requestBody": {"content": {"application/json": {"schema": {"$ref": "http://127.0.0.1:9/x"}}}}},
                                    "not in its document"),
    "a schema at another host": ({"parameters": [{"name": "a", "in": "query", "schema": {"items": {"$ref": "//evil/x"}}}]},
                                 "none of the schemas"),
    "a reference to nothing": ({"parameters": [{"$ref": "#/components/parameters/None"}]}, "not there"),
    "a reference to itself": ({"parameters": [{"$ref": "#/components/parameters/Loop"}]}, "itself"),
    "a body among the parameters": ({"parameters": [{"name": "a", "in": "body"}]}, "in: Input should be"),
    "the same argument twice": ({"parameters": [{"name": n, "in": "query"} for n in ("a_query",)] + [
        {"name": "a", "in": "path", "required": True}, {"name": "a", "in": "query"}]}, "called|do not fit"),
    "a list for an operation": ([], "valid"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNUSABLE)
def test_what_cannot_be_a_tool_is_none_and_is_told_where_it_is_named(what: str) -> None:
    operation, sentence = UNUSABLE[what]
    loop = {"parameters": {"Loop": {"$ref": "#/components/parameters/Loop"}}}
    text = document({"/a": {"get": operation}, "/b": {"get": GET}}, **loop)
    assert list(operations(text)) == ["get_b"]
    said = refused(text, "get_a")
    assert said.startswith("get_a cannot be a tool: ") and any(one in said for one in sentence.split("|"))


DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "no document": (b"{}", "OpenAPI 3"),
    "an old one": (b'{"swagger": "2.0"}', "OpenAPI 3"),
    "a list": (b"- a", "OpenAPI 3"),
    "junk": (b"{", "not valid JSON"),
    "10,000 operations": (
        document({f"/{number}": {"get": GET} for number in range(10_000)}),
        "10,000 operations, more than 2,000",
    ),
    "huge": (b" " * 16_000_001, "longer than 16,000,000 bytes"),
    "deep": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "not valid JSON"),
    "aliases": (b"openapi: 3.0.0\na: &a [x, x]\nb: [*a, *a]\n", "alias"),
    "tags": (b"openapi: !!python/object/apply:os.system [ls]\n", "cannot be read"),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_that_is_none_or_too_large_is_refused_in_one_sentence(what: str) -> None:
    text, sentence = DOCUMENTS[what]
    start = time.monotonic()
    said = refused(text)
    assert sentence in said and "\n" not in said and len(said) < 400
    assert time.monotonic() - start < 5


def test_parts_and_references_that_multiply_are_gone_through_once() -> None:
    schemas: dict[str, Any] = {
        f"S{level}": {"allOf": [{"$ref": f"#/components/schemas/S{level + 1}"}] * 50, "properties": {f"p{level}": {}}}
        for level in range(9)
    }
    schemas["S9"] = {"properties": {"last": {"$ref": "#/components/schemas/S0"}}}
    start = time.monotonic()
    text = document({f"/{n}": body({"$ref": "#/components/schemas/S0"}) for n in range(300)}, schemas=schemas)
    put = read_operations(text, config())[0]
    assert set(put.arguments) == {*(f"p{level}" for level in range(9)), "last"}
    assert time.monotonic() - start < 5


def test_a_schema_that_a_document_forgot_is_pinned_as_missing() -> None:
    forgot = {"parameters": [{"name": "a", "in": "query", "schema": {"$ref": "#/components/schemas/A"}}]}
    texts = [document({"/a": {"get": forgot}}, schemas=schemas) for schemas in ({}, {"A": {"x-ref": {"$ref": "file:///x"}}})]
    missing, there = (operations(text)["get_a"] for text in texts)
    assert missing.digest != there.digest and missing.takes == there.takes == {"a"}


def test_schemas_that_come_and_go_have_digests_of_their_own() -> None:
    api = OpenApi({})
    assert len({api.digests({"": {"maxLength": number}})[""] for number in range(50)}) == 50


def test_an_object_of_too_many_fields_is_no_tool() -> None:
    text = document({"/a": body({"properties": {f"p{number}": {} for number in range(2_000)}})})
    assert "more than 1,000 fields" in refused(text, "put")


def test_servers_and_security_of_a_document_lead_nowhere() -> None:
    text = json.dumps({"openapi": "3.0.0", "servers": [{"url": "http://evil"}], "paths": {
        "/a": {"servers": [{"url": "http://evil"}], "get": {**GET, "servers": [{"url": "http://evil"}], "security": [{"x": []}]}},
        "//evil/b": {"get": GET}, "http://evil/c": {"get": GET}, "/d?e=f": {"get": GET}}}).encode()  # fmt: skip
    assert [one.path for one in operations(text).values()] == ["/a", "//evil/b"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"openapi": None, "operations": {"a": {"operation": "b"}}}, "name it"),
        ({"url": None, "command": ("x",)}, "base address"),
        ({"openapi": "http://elsewhere/openapi.json"}, "another address"),
        ({"idempotency_header": "X: y"}, "pattern"),
        ({"url": "http://shop.example/?a=b"}, "what follows"),
    ],
)
def test_a_configuration_that_says_half_is_refused(more: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SystemConfig(**{"name": "shop", "url": "http://shop.example", "openapi": "shop.json", **more})
