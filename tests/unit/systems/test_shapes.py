"""What is known of the fields of a value, and which field an expression names that is not there."""

from typing import Any

import pytest

from systems.json_schema import kept
from systems.shapes import ANY, Shape, misspelt, shape_of

TEXT = {"type": "string"}
LINES = {"type": "array", "items": {"type": "object", "properties": {"sku": TEXT, "qty": {"type": "integer"}}}}
PERSON = {"allOf": [{"type": "object", "properties": {"name": TEXT}}, {"properties": {"boss": {"$ref": "#/$defs/Person"}}}]}
ORDER = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "lines": LINES,
        "buyer": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
        "cards": {"type": "object", "additionalProperties": {"type": "object", "properties": {"balance": {"type": "number"}}}},
        "note": {"type": "object"},
    },
    "$defs": {"Person": PERSON},
}
ONE = Shape.of_schema(kept(ORDER))
KNOWN = {"order": ONE, "orders": Shape(element=ONE)}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("order.idd == '1'", "idd"),
        ("has(order.idd) && order.id == ''", "idd"),
        ("order['idd']", "idd"),
        ("order.lines.map(l, l.skuu)", "skuu"),
        ("order.lines.filter(l, l.qty > 1)[0].skuu", "skuu"),
        ("order.lines.map(l, l.qty > 1, l.skuu)", "skuu"),
        ("orders.filter(o, o.lines.exists(l, l.qyt > 1 && o.id != ''))", "qyt"),
        ("orders.filter(o, o.id == 'o.idd').map(o, o.totl)", "totl"),
        ("size(orders) > 0 ? orders[0].statu : ''", "statu"),
        ("order.buyer.boss.boss.nam", "nam"),
        ("order.cards.map(k, order.cards[k].balanc)", "balanc"),
        ("[order.idd][0]", "idd"),
    ],
)
def test_a_field_that_is_not_there_is_found_wherever_it_is_named(source: str, wrong: str) -> None:
    found = misspelt(source, KNOWN)
    assert found is not None and found[0] == wrong


@pytest.mark.parametrize(
    "source",
    [
        "order.id + order.buyer.name + 'order.idd'",
        "order.note.anything.at_all",
        "orders.all(o, o.lines.size() > 0)",
        "orders.map(o, o.lines).exists(o, o.sku == '')",
        "sorted(orders).map(order, order.whatever)",
        "orders.filter(o, others.exists(o, o.whatever == 1))",
        "latest(orders, 'at').whatever == others.order.whatever",
        "orders.map(o, o.id).exists(o, o.whatever)",
        "1.5 < 2 && orders[0].lines[0].sku == ''",
    ],
)
def test_nothing_is_said_of_what_is_there_or_is_not_known(source: str) -> None:
    assert misspelt(source, KNOWN) is None


def test_what_an_expression_gives_is_known_through_filters_and_maps() -> None:
    assert shape_of("orders.filter(o, o.id != '')", KNOWN).elements.lacks("idd")
    assert shape_of("orders.map(o, o.lines)[0][0]", KNOWN).lacks("skuu")
    assert shape_of("order.id == ''", KNOWN) == shape_of("[order]", KNOWN) == ANY


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": True, "properties": {"id": TEXT}},
        {"type": "object", "patternProperties": {"^x": TEXT}, "properties": {"id": TEXT}},
        {"anyOf": [{"type": "object", "properties": {"id": TEXT}}, {"type": "object"}]},
        {"$ref": "#/$defs/Nobody"},
        {"$ref": "https://shop.example/order.json"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"type": "array", "items": {"$ref": "#"}},
        {"properties": ["id"], "required": 7, "type": 8, "enum": "x", "items": [], "anyOf": {}},
    ],
)
def test_of_an_object_that_may_have_more_or_of_a_careless_schema_no_field_is_said_to_lack(schema: dict[str, Any]) -> None:
    shape = Shape.of_schema(kept(schema))
    assert not shape.lacks("other") and not shape.elements.lacks("other")


def test_arguments_have_the_fields_of_their_kinds() -> None:
    shape = Shape.of_kind({"list": {"object": {"sku": "id"}}})
    assert misspelt("lines.map(l, l.skuu)", {"lines": shape}) == ("skuu", ["sku"])
    assert Shape.of_kind("address").lacks("street") and not Shape.of_kind("id").lacks("x")
