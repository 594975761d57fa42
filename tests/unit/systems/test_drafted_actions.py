"""Drafts of actions and records from what a server says of its tools, and from what it answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput
from systems.arguments import require_kind
from systems.catalogue import Catalogue
from systems.config import SystemConfig, SystemsConfig, listed_tool, unconfirmed_reads
from systems.drafting import drafted_action, drafted_records
from systems.operations import Operation, read_operations
from systems.pins import Pin
from systems.schema import Collection, RecordSchema

SHOP = SystemConfig(name="shop", command=("true",), reads=frozenset({"get_order"}))
EXCHANGE = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "item_ids": {"type": "array", "items": {"type": "string", "description": "one"}},
        "reason": {"enum": ["too small", "too big"]},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "at": {"type": "string", "format": "date-time"},
        "express": {"type": "boolean"},
        "price": {"type": ["number", "null"]},
        "tenant": {"type": "string"},
        "idempotency_key": {"type": "string"},
    },
    "required": ["order_id", "item_ids", "reason", "lines", "at", "express", "note", "tenant"],
    "$defs": {
        "Line": {"type": "object", "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}}, "required": ["sku"]}
    },
}


def drafted(name: str, schema: Any, always: Mapping[str, Any] | None = None, **more: Any) -> str:
    return drafted_action(listed_tool(SHOP, {"name": name, "inputSchema": schema, **more}), always or {})


def records(name: str, answer: Any = None, asked: Mapping[str, Any] | None = None, **more: Any) -> Any:
    takes = {"properties": {key: {"type": "string"} for key in asked or ["order_id"]}}
    return yaml.safe_load(drafted_records(listed_tool(SHOP, {"name": name, "inputSchema": takes, **more}), answer, asked or {}))


def test_an_action_is_drafted_with_the_kinds_of_its_schema() -> None:
    (entry,) = yaml.safe_load(drafted("exchange", EXCHANGE, {"tenant": "acme"})).values()
    assert entry["args"] == {
        "order_id": "id",
        "item_ids": {"list": "id"},
        "reason": ["too small", "too big"],
        "note": "text?",
        "lines": {"list": {"object": {"sku": "id", "qty": "whole?"}}},
        "at": "moment",
        "express": "flag",
        "price": "number?",
    }
    assert "{order_id}" in entry["says"]


def test_a_drafted_action_loads_only_when_a_person_has_said_what_it_does(tmp_path: Path) -> None:
    file, text = tmp_path / "actions.yaml", drafted("exchange", EXCHANGE)
    file.write_text(text)
    with pytest.raises(BadInput, match=r"effect|money|undo"):
        Catalogue.load([file], RecordSchema())
    file.write_text(f"{text}  effect: null\n  money: none\n  undo: null\n")
    assert Catalogue.load([file], RecordSchema())["exchange"].tool == "shop.exchange"


def test_names_that_are_no_words_are_sent_as_the_server_calls_them(tmp_path: Path) -> None:
    text = drafted("orders/cancel now", {"properties": {"order-id": {"type": "string"}}, "required": ["order-id"]})
    file = tmp_path / "actions.yaml"
    file.write_text(f"{text}  effect: null\n  money: none\n  undo: null\n")
    action = Catalogue.load([file], RecordSchema())["orders_cancel_now"]
    assert (action.tool, list(action.send or ())) == ("shop.orders/cancel now", ["order-id"])


def test_records_are_drafted_from_an_answer() -> None:
    answer = {"ok": True, "data": {"order": {"id": "O-1", "status": "new", "items": [{"item_id": "a"}]}}}
    assert records("get_order_details", answer, {"order_id": "O-1"}) == {
        "order_details": {
            "key": "id", "read": {"get_order_details": {"order_id": "id"}}, "at": "data.order", "parts": {"items": "item_id"},
        }
    }  # fmt: skip


def test_records_are_drafted_from_the_output_schema_too() -> None:
    order = {"type": "object", "properties": {"order_id": {"type": "string"}, "total": {"type": "number"}}}
    schema = {
        "type": "object",
        "properties": {"orders": {"type": "array", "items": {"$ref": "#/$defs/Order"}}},
        "$defs": {"Order": order},
    }
    found = records("list_orders", outputSchema=schema)
    assert found == {"orders": {"key": "order_id", "lists": {"list_orders": "order_id"}, "at": "orders"}}
    Collection.model_validate(found["orders"])


ROASTER = """
openapi: 3.0.3
paths:
  /v1/deliveries/{deliveryId}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get:
      operationId: getDelivery
      summary: One delivery
      parameters: [{name: expand, in: query}]
      responses:
        200: {content: {application/json: {schema: {$ref: "#/components/schemas/Envelope"}}}}
    post:
      operationId: creditDelivery
      summary: Give money back
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Credit"}}}}
  /v1/deliveries:
    get:
      parameters: [{name: subscriberId, in: query, required: true}, {name: cursor, in: query}]
components:
  parameters: {Id: {name: deliveryId, in: path, required: true, schema: {type: string}}}
  schemas:
    Named: {required: [amount], properties: {amount: {$ref: "#/components/schemas/Amount"}}}
    Envelope: {properties: {request_id: {}, data: {$ref: "#/components/schemas/Delivery"}}}
    Amount: {nullable: true, type: object, allOf: [{$ref: "#/components/schemas/Value"}, {properties: {currency: {}}}]}
    Value: {type: object, required: [value], properties: {value: {type: string}}}
    Credit: {allOf: [{$ref: "#/components/schemas/Named"}, {properties: {reason: {enum: [damaged, late]}}}]}
    Delivery: {allOf: [{properties: {object: {type: string}, subscriber_id: {type: string}, id: {type: string}}}]}
"""


def of_roaster(name: str, **more: Any) -> Operation:
    config = SystemConfig.model_validate({"name": "roaster", "url": "http://127.0.0.1", "openapi": "roaster.yaml", **more})
    return next(one for one in read_operations(ROASTER.encode(), config) if one.name == name)


def test_an_operation_is_drafted_with_its_summary_and_what_its_document_refers_to() -> None:
    assert "says of itself: One delivery" in drafted_records(of_roaster("getDelivery"), None, {})
    text = drafted_action(of_roaster("creditDelivery"), {})
    assert "says of itself: Give money back" in text
    ((name, entry),) = yaml.safe_load(text).items()
    amount = {"object?": {"value": "text", "currency": "text?"}}
    assert (name, entry["tool"]) == ("credit_delivery", "creditDelivery")
    assert entry["args"] == {"deliveryId": "id", "amount": amount, "reason": {"words?": ["damaged", "late"]}}


def test_the_version_that_is_given_along_is_no_argument_of_a_draft() -> None:
    records = {"deliveries": {"key": "id", "read": {"getDelivery": {"deliveryId": "id"}}}}
    operations = {"credit": {"operation": "creditDelivery", "if_match": "getDelivery"}}
    tool = of_roaster("credit", records=records, operations=operations)
    assert "If-Match" in tool.takes
    assert list(yaml.safe_load(drafted_action(tool, {}))["credit"]["args"]) == ["deliveryId", "amount", "reason"]


def test_the_key_of_a_record_is_its_own_and_not_what_happens_to_say_the_same() -> None:
    record = {"version": "7", "object": "delivery", "subscriber_id": "7", "id": "7", "lines": [{"sku": "A", "line_id": "1"}]}
    one = yaml.safe_load(drafted_records(of_roaster("getDelivery"), {"request_id": "r", "data": record}, {"deliveryId": "7"}))
    made = {"key": "id", "at": "data", "parts": {"lines": "line_id"}}
    assert one == {"deliveries": {**made, "read": {"getDelivery": {"deliveryId": "id"}}}}
    answer, asked = {"meta": {"trace_id": "t"}, "data": [record]}, {"subscriberId": "7"}
    several = yaml.safe_load(drafted_records(of_roaster("get_v1_deliveries"), answer, asked))
    assert several == {"deliveries": {**made, "lists": {"get_v1_deliveries": {"subscriberId": "subscriber_id"}}}}
    schema_alone = yaml.safe_load(drafted_records(of_roaster("getDelivery"), None, {}))
    assert schema_alone["deliveries"] == {"key": "id", "at": "data", "read": {"getDelivery": {"deliveryId": "id"}}}


def test_where_nothing_tells_what_a_read_answers_a_trial_is_asked_for() -> None:
    text = drafted_records(listed_tool(SHOP, {"name": "get_order"}), None, {})
    assert "--try" in text
    assert yaml.safe_load(text) == {"orders": {"key": "TODO", "read": "get_order"}}


@pytest.mark.parametrize(
    "says", ["x\neffect: null", "x\x1b[2J", "}: [", "\u202e", "'\"", "# x", "x\r  money: none", "\x85effect: null", "\u2028a: 1"]
)
def test_what_a_server_says_is_no_yaml_of_a_draft(says: str) -> None:
    plain = yaml.safe_load(drafted("sell", {"properties": {"sku": {"type": "string"}}}))
    assert yaml.safe_load(drafted("sell", {"properties": {"sku": {"type": "string"}}}, description=says)) == plain
    hostile = drafted(f"sell{says}", {"properties": {f"sku{says}": {"type": "string", "enum": [says]}}}, description=says)
    (entry,) = yaml.safe_load(hostile).values()
    assert set(entry) <= {"system", "says", "args", "send", "tool"}
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "nullable", "enum", "$ref", "required", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_no_schema_and_no_answer_makes_a_draft_fail(schema: Any, answer: Any) -> None:
    tool = {"name": "do", "inputSchema": {"properties": {"a": schema}}, "outputSchema": schema}
    (entry,) = yaml.safe_load(drafted("do", tool["inputSchema"])).values()
    assert all(require_kind(kind) for kind in entry["args"].values())
    yaml.safe_load(drafted_records(listed_tool(SHOP, tool), answer, {"a": "1"}))


def test_a_read_that_does_not_say_that_it_only_reads_wants_a_yes_until_it_is_pinned_as_it_is() -> None:
    silent, reading = (listed_tool(SHOP, {"name": "get_order", **more}) for more in ({}, {"annotations": {"readOnlyHint": True}}))
    write = listed_tool(SHOP, {"name": "sell"})
    config = SystemsConfig("", {"shop": SHOP}, {})
    assert unconfirmed_reads(config, [silent, write]) == [silent]
    assert unconfirmed_reads(config, [reading]) == []
    for digest, found in ((silent.digest, []), ("of another", [silent])):
        pinned = SystemsConfig("", {"shop": SHOP}, {"shop": {"get_order": Pin(digest=digest)}})
        assert unconfirmed_reads(pinned, [silent]) == found
