"""Records as systems.yaml declares them: what an answer of somebody else's tool becomes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from errors import BadInput
from systems.config import SystemsConfig, load_config
from systems.schema import Collection, RecordSchema

ORDERS = {
    "key": "order_id",
    "read": {"get_order": {"tool": "fetch", "send": {"id": "=order_id", "expand": ["lines"]}, "at": "data.order"}},
    "lists": {"list_orders": {"by": "customer_id", "tool": "search", "send": {"who": "=customer_id"}, "at": "data.orders"}},
    "fields": {"order_id": "=it.id", "customer_id": "=it.customer.id", "total_cents": "=cents(it.total, it.currency)"},
    "parts": {
        "lines": {
            "key": "line_id",
            "of": "=it.items.filter(i, i.kind != 'fee')",
            "fields": {"line_id": "=it.id", "qty": "=it.quantity", "price_cents": "=cents(it.price, record.currency)"},
        }
    },
}
ANSWER = {
    "id": "#W1", "customer": {"id": "c1"}, "total": 129.5, "currency": "EUR", "raw_total": "x",
    "items": [{"id": "a", "kind": "goods", "quantity": 2, "price": "10.25"}, {"id": "f", "kind": "fee", "price": "1"}],
}  # fmt: skip


def declared(folder: Path, records: dict[str, Any], **more: Any) -> SystemsConfig:
    path = folder / "systems.yaml"
    path.write_text(yaml.safe_dump({"systems": {"shop": {"command": ["x"], "records": records, **more}}}))
    return load_config(path)


def made(config: SystemsConfig, tool: str, answer: dict[str, Any], **args: Any) -> Any:
    read = config.record_schema.tools[tool]
    return config.record_schema.made_of(read, read.answers.value(answer), args)


def test_an_answer_becomes_a_record_with_the_fields_that_are_declared_and_no_others(tmp_path: Path) -> None:
    config = declared(tmp_path, {"orders": ORDERS})
    read = config.record_schema.tools["shop.get_order"]
    assert read.sent({"order_id": "#W1"}) == {"id": "#W1", "expand": ["lines"]}
    assert read.tool == "shop.fetch" and config.systems["shop"].reads == {"fetch", "search"}
    record = made(config, "shop.get_order", {"data": {"order": ANSWER}}, order_id="#W1")
    lines = [{"line_id": "a", "qty": 2, "price_cents": 1025}]
    assert record == {"order_id": "#W1", "customer_id": "c1", "total_cents": 12950, "lines": lines}
    assert made(config, "shop.list_orders", {"data": {"orders": [ANSWER]}}, customer_id="c1") == [record]


def test_what_cannot_be_computed_is_null_and_what_is_not_exact_is_never_rounded(tmp_path: Path) -> None:
    config = declared(tmp_path, {"orders": ORDERS})
    odd = {**ANSWER, "total": 1.005, "customer": None, "items": [{**ANSWER["items"][0], "price": "0.1250"}]}  # type: ignore[index]
    record = made(config, "shop.get_order", {"data": {"order": odd}}, order_id="#W1")
    assert (record["total_cents"], record["customer_id"], record["lines"][0]["price_cents"]) == (None, None, None)


def test_an_object_whose_names_are_keys_is_a_part(tmp_path: Path) -> None:
    config = declared(tmp_path, {"users": {"key": "user_id", "read": "get_user", "parts": {"methods": "id"}, "unnamed": True}})
    answer = {"name": "Ann", "methods": {"card_1": {"id": "card_1", "last": "12"}, "gift_2": {"balance": 7}}}
    record = made(config, "shop.get_user", answer, user_id="ann_1")
    assert record["user_id"] == "ann_1"
    assert record["methods"] == [{"id": "card_1", "last": "12"}, {"id": "gift_2", "balance": 7}]


def test_one_record_for_each_element_of_an_answer(tmp_path: Path) -> None:
    stock = {
        "key": ["sku", "place"],
        "lists": {"list_stock": {"by": {"skus": "sku"}, "at": "items", "each": "=it.levels"}},
        "fields": {"sku": "=record.sku", "place": "=it.at", "on_hand": "=it.units"},
    }
    config = declared(tmp_path, {"stock": stock})
    answer = {"items": [{"sku": "A", "levels": [{"at": "N", "units": 1}, {"at": "S", "units": 2}]}, {"sku": "B", "levels": []}]}
    found = made(config, "shop.list_stock", answer, skus=["A", "B"])
    assert found == [{"sku": "A", "place": "N", "on_hand": 1}, {"sku": "A", "place": "S", "on_hand": 2}]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({"orders": {**ORDERS, "fields": {"total": "=it.total"}}}, "lack its key order_id"),
        ({"orders": {**ORDERS, "fields": {"order_id": "=itt.id"}}}, "unknown name 'itt'"),
        ({"orders": {**ORDERS, "fields": {"order_id": "=it.id +"}}}, "does not compile"),
        ({"orders": {**ORDERS, "keys": "order_id"}}, "«keys» is not permitted here"),
        ({"orders": {"key": "id", "read": {"get": {"tool": "x", "send": {"a": "=ordr"}}}}}, "unknown name 'ordr'"),
        ({"orders": {"key": "id", "read": "get", "fails_when": "answr.error"}}, "unknown name 'answr'"),
        ({"a": {"key": "id", "as": "stock"}, "b": {"key": "id", "as": "stock"}}, "said of two kinds of records"),
    ],
)
def test_what_is_declared_wrongly_is_refused_with_the_file_and_the_place(
    tmp_path: Path, records: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        declared(tmp_path, records)
    assert "systems.yaml" in str(refused.value)


def test_what_an_answer_says_of_itself(tmp_path: Path) -> None:
    conditions = {"absent_when": "has(answer.error) && answer.error == 'none'", "fails_when": "has(answer.error)"}
    answers = declared(tmp_path, {"orders": {"key": "id", "read": "get"}}, at="data", **conditions).answers["shop"]
    assert answers.absent({"error": "none"}) and not answers.absent({"data": {}})
    assert answers.failure({"error": "busy"}) == "busy" and answers.failure({"data": {}}) is None
    assert answers.value({"data": '{"id": 1}'}) == {"id": 1}


@pytest.mark.parametrize(
    ("where", "ask", "sentence"),
    [
        ("lists", {"cursor": "=next"}, "next"),
        ("lists", {"cursor": "more"}, "same page for ever"),
        ("read", {"cursor": "=answer.next"}, "has no pages"),
    ],
)
def test_pages_that_would_never_end_or_are_of_one_record_do_not_load(where: str, ask: dict[str, str], sentence: str) -> None:
    orders = Collection.model_validate({"key": "id", where: {"orders": {"by": [], "pages": {"ask": ask}}}})
    with pytest.raises(BadInput, match=sentence):
        RecordSchema({"shop.orders": orders}).check()
