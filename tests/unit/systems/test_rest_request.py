"""Whatever the arguments are, a request goes to one place below the base address and says what they say, or it is refused."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from errors import Refused
from systems.config import SystemConfig
from systems.operations import Operation, read_operations
from systems.rest_request import rest_request

BASE = "https://shop.example/v1/"
DOCUMENT = {
    "openapi": "3.0.0",
    "paths": {
        "/orders/{id}/lines": {
            "post": {
                "operationId": "change",
                "parameters": [
                    {"name": "id", "in": "path", "required": True},
                    {"name": "q", "in": "query"},
                    {"name": "csv", "in": "query", "explode": False},
                    {"name": "pipes", "in": "query", "style": "pipeDelimited"},
                    {"name": "deep", "in": "query", "style": "deepObject"},
                    {"name": "flat", "in": "query", "style": "form"},
                    {"name": "raw", "in": "query", "content": {"application/json": {}}},
                    {"name": "X-Note", "in": "header"},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"properties": {"a": {}, "b": {}}}}}},
            }
        }
    },
}
LINES = "/v1/orders/1/lines"


@pytest.fixture(scope="module")
def change() -> Operation:
    config = SystemConfig(name="shop", url=BASE, openapi="shop.json")
    return read_operations(json.dumps(DOCUMENT).encode(), config)[0]


def query_of(change: Operation, **args: Any) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(rest_request(change, BASE, {"id": 1, **args}).url).query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("args", "query"),
    [
        ({"q": [1, True, "ä&b=c"]}, [("q", "1"), ("q", "true"), ("q", "ä&b=c")]),
        ({"csv": ["a", "b"]}, [("csv", "a,b")]),
        ({"pipes": ["a", "b"]}, [("pipes", "a|b")]),
        ({"deep": {"a": {"b": 1}, "c": [1, {"d": 2}]}}, [("deep[a][b]", "1"), ("deep[c][]", "1"), ("deep[c][1][d]", "2")]),
        ({"flat": {"a": 1, "b": 2.5}}, [("a", "1"), ("b", "2.5")]),
        ({"csv": {"a": 1}}, [("csv[a]", "1")]),
        ({"raw": {"a": []}}, [("raw", '{"a": []}')]),
        ({"q": ""}, [("q", "")]),
    ],
)
def test_values_are_put_as_their_style_says(change: Operation, args: Any, query: Any) -> None:
    assert query_of(change, **args) == query


@pytest.mark.parametrize(
    ("method", "schema", "content"),
    [("post", {"properties": {"a": {}}}, b"{}"), ("post", {"type": "array"}, None), ("delete", {"properties": {"a": {}}}, None)],
)
def test_a_body_of_which_nothing_is_said_is_an_empty_object_where_one_is_expected(method: str, schema: Any, content: Any) -> None:
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    text = json.dumps({"openapi": "3.0.0", "paths": {"/a": {method: body}}}).encode()
    (operation,) = read_operations(text, SystemConfig(name="shop", url=BASE, openapi="shop.json"))
    assert rest_request(operation, BASE, {}).content == content


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    max_leaves=8,
)


@given(st.text(), _JSON, st.fixed_dictionaries({}, optional={"a": _JSON, "b": _JSON, "X-Note": st.text()}))
@example("../../admin", None, {})
@example("a?b=c#d", 1, {"X-Note": "x\r\nHost: evil"})
@example("@evil.example", [], {})
def test_a_request_stays_below_its_base_and_loses_nothing(change: Operation, name: str, q: Any, more: dict[str, Any]) -> None:
    args = {"id": name, "q": q, **more}
    try:
        request = rest_request(change, BASE, args)
    except Refused:
        return
    url = urlsplit(request.url)
    assert (url.scheme, url.netloc, url.fragment) == ("https", "shop.example", "")
    parts = url.path.split("/")
    assert parts[:3] == ["", "v1", "orders"] and parts[4:] == ["lines"]
    assert unquote(parts[3]) == name and name not in ("", ".", "..")
    assert q is not None and q != [] and q != {}
    assert json.loads(request.content or b"") == {key: args[key] for key in ("a", "b") if key in args}
    assert all(value.isprintable() and value.isascii() for value in request.headers.values())
