"""Kinds of arguments: what fits, how people are shown it, how it is typed, what it comes to."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from errors import BadInput, Refused, SendBack
from systems.arguments import (
    ADDRESS_FIELDS,
    Kind,
    amounts,
    currencies,
    described,
    fits,
    is_free,
    opened,
    refusal,
    require_kind,
    sample,
    shown,
    typed,
    without_words,
)
from systems.catalogue import Action, Catalogue
from systems.records import Records
from systems.schema import Collection, RecordSchema

LINES: Kind = {"list": {"object": {"sku": "id", "qty": "whole", "note": "text?"}}}
NAMES = ("id", "text", "cents", "address", "whole", "number", "flag", "moment")
_WORD = st.text("abcdefghij_", min_size=1, max_size=8)
_LEAVES = st.one_of(
    st.sampled_from([*NAMES, "id?", "text?", "cents?", "moment?"]),
    st.lists(_WORD, min_size=1, max_size=3, unique=True),
    st.sampled_from(["USD", "JPY", "KWD"]).map(lambda code: {"money": code}),
)


def _around(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    lists = st.sampled_from(["list", "list?"]).flatmap(lambda name: inner.map(lambda of: {name: of}))
    return lists | st.dictionaries(_WORD, inner, min_size=1, max_size=3).map(lambda fields: {"object": fields})


def _is_a_kind(kind: Kind) -> bool:
    try:
        return bool(require_kind(kind))
    except ValueError:
        return False


KINDS = st.recursive(_LEAVES, _around, max_leaves=5).filter(_is_a_kind)
_AMOUNTS = {"USD": 2, "JPY": 0, "KWD": 3}


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that fit a kind."""
    name, of, optional = opened(kind)
    found: st.SearchStrategy[Any]
    match name:
        case "words":
            found = st.sampled_from(of)
        case "money":
            units = st.integers(1, 10**9).map(lambda minor: f"{minor / 10 ** _AMOUNTS[of]:.{_AMOUNTS[of]}f}")
            found = units | units.map(float)
        case "list":
            found = st.lists(values(of), min_size=1, max_size=3)
        case "object":
            found = st.fixed_dictionaries({field: values(one) for field, one in of.items()})
        case "cents":
            found = st.integers(1, 10**12)
        case "whole":
            found = st.integers(-(10**12), 10**12)
        case "number":
            found = st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12)
        case "flag":
            found = st.booleans()
        case "moment":
            found = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case "address":
            found = st.fixed_dictionaries({field: st.text(max_size=9) for field in ADDRESS_FIELDS})
        case _:
            found = st.text(min_size=1, max_size=40)
    return found | st.none() if optional else found


@given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), values(kind))))
def test_what_fits_survives_json_is_shown_and_is_typed_again(case: tuple[Kind, Any]) -> None:
    kind, value = case
    assert fits(kind, value), described(kind)
    assert fits(kind, json.loads(json.dumps(value)))
    assert isinstance(shown(kind, value), str)
    assert all(minor > 0 for _, minor in amounts(kind, value))
    assert {currency for currency, _ in amounts(kind, value)} <= currencies(kind)
    again = without_words(kind, value)
    assert (again is None) == (value is None or is_free(kind))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(KINDS, JSON, st.text(max_size=40))
def test_nothing_that_is_given_makes_it_raise(kind: Kind, value: Any, text: str) -> None:
    assert isinstance(fits(kind, value), bool)
    assert isinstance(shown(kind, value), str)
    assert (refusal(kind, value, "it") == "") == fits(kind, value)
    without_words(kind, value)
    typed(kind, text, value)


@given(KINDS)
def test_a_made_up_value_of_a_kind_has_its_fields(kind: Kind) -> None:
    made = sample(kind, lambda: 3, 0, "any")
    assert fits(kind, made)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("whole", [0, -3], [True, 1.0, "1", None, 10**13]),
        ("number", [0, 1.5], [True, "1", None, float("nan"), float("inf")]),
        ("flag", [True, False], [0, 1, "true", None]),
        ("moment", ["2026-03-14", "2026-03-14T09:30:00Z"], ["2026-02-30", "2026-03-14T09:30:00", "yesterday", 20260314]),
        ("text?", [None, "", "so"], [1, "x" * 4001]),
        ("id?", [None, "", "O-1"], [1, "x" * 101]),
        ({"list": "id"}, [["a"], ["a"] * 100], [[], None, "a", ["a", 1], [""], ["a"] * 101]),
        ({"list?": "id"}, [None, [], ["a"]], ["", [None]]),
        ({"words?": ["a", "b"]}, [None, "a"], ["", "c", ["a"]]),
        ({"money": "USD"}, [12, 12.5, "12.50", 0.01], [0, "0.00", -1, 0.001, "12.505", True, "1e3", " 1", "", None]),
        ({"money": "JPY"}, [12, "1200"], [12.5, "12.50"]),
        ({"money": "KWD"}, [1.234], [1.2345]),
        (
            LINES,
            [[{"sku": "a", "qty": 1}], [{"sku": "a", "qty": 1, "note": None}]],
            [[{"sku": "a"}], [{"sku": "a", "qty": 1, "x": 1}]],
        ),
    ],
)
def test_what_fits_a_kind_and_what_does_not(kind: Kind, right: list[Any], wrong: list[Any]) -> None:
    assert [value for value in right if not fits(kind, value)] == []
    assert [value for value in wrong if fits(kind, value)] == []


@pytest.mark.parametrize(
    "kind",
    ["telephone", [], [1], {}, {"list": "id", "object": {}}, {"money": "dollars"}, {"money?": None}, {"object": {}}, "list",
     "money", {"list": {"list": {"list": {"list": "id"}}}}, {"object": {"a": "nothing"}}, {"id": "id"}, {"object": {"a": 1}}, 7],
)  # fmt: skip
def test_what_is_no_kind_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"kind|deep"):
        require_kind(kind)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ({"list": "id"}, ["a", "b"], "a, b"),
        (LINES, [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 1, "note": "blue"}], "sku a, qty 2; sku b, qty 1, note blue"),
        ({"money": "EUR"}, "1234.5", "1,234.50 EUR"),
        ({"money": "USD"}, 12.5, "$12.50"),
        ("cents", 1250, "$12.50"),
        ("flag", False, "no"),
        ("text?", None, "none"),
        ("moment", "2026-03-14", "Mar 14, 2026"),
        (["out_of_stock"], "out_of_stock", "out of stock"),
    ],
)
def test_a_value_is_shown_as_an_operations_manager_reads_it(kind: Kind, value: Any, says: str) -> None:
    assert shown(kind, value).replace("SKU", "sku") == says


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ({"list": "id"}, "a, b", ["a", "b"]),
        ({"list": "id"}, "a\nb\n", ["a", "b"]),
        ({"list": "id"}, '["a,1", "b"]', ["a,1", "b"]),
        ({"list": "whole"}, "1, 2", [1, 2]),
        ({"list?": "id"}, "", None),
        (LINES, '[{"sku": "a", "qty": 1}]', [{"sku": "a", "qty": 1}]),
        (LINES, '[{"sku": ', '[{"sku": '),
        ({"money": "USD"}, "12.50", 12.5),
        ("flag", "Yes", True),
        ("flag", "perhaps", "perhaps"),
        ("whole", "-3", -3),
        ("number", "0.5", 0.5),
        ("text?", " ", None),
        ("id", "77", "77"),
    ],
)
def test_what_a_person_types_becomes_a_value(kind: Kind, text: str, value: Any) -> None:
    assert typed(kind, text) == value


def test_an_amount_stays_text_where_it_was_text() -> None:
    assert (typed({"money": "USD"}, "12.50", "9.00"), typed({"money": "USD"}, "12.50", 9.0)) == ("12.50", 12.5)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ({"list": "id"}, ["a", ""], "items 2 must be text of 1 to 100 characters"),
        ({"list": "id"}, [], "items must be a list of 1 to 100, each text of 1 to 100 characters"),
        (LINES, [{"sku": "a", "qty": 1}, {"sku": "b", "qty": "two"}], "items 2, qty must be a whole number"),
        (LINES, [{"sku": "a", "qty": 1, "color": "red"}], "items 1 must be an object of"),
    ],
)
def test_what_does_not_fit_is_told_with_the_place_in_it(kind: Kind, value: Any, says: str) -> None:
    assert refusal(kind, value, "items").startswith(says)


# In a catalogue

SCHEMA = RecordSchema({"shop.orders": Collection.model_validate({"key": "order_id", "parts": {"items": "item_id"}})})
EXCHANGE: dict[str, Any] = {
    "system": "shop",
    "says": "Exchange {item_ids} of {order_id} for {new_ids}, {price}",
    "args": {"order_id": "id", "item_ids": {"list": "id"}, "new_ids": {"list": "id"}, "price": {"money": "USD"}, "note": "text?"},
    "effect": {
        "shop.orders[order_id].items[item_ids].status": "exchanged",
        "shop.orders[order_id].items[item_ids].new_id": "=paired(it.item_id, item_ids, new_ids)",
    },
    "money": {"cost": "=cents(price)"},
    "undo": None,
}  # fmt: skip
ARGS = {"order_id": "O-1", "item_ids": ["a", "c"], "new_ids": ["x", "z"], "price": 12.5, "note": None}


def exchange(folder: Path, currency: str = "USD", **changed: Any) -> Action:
    file = folder / "actions.yaml"
    file.write_text(yaml.safe_dump({"exchange": EXCHANGE | changed}, sort_keys=False))
    return Catalogue.load([file], SCHEMA, currency)["exchange"]


def an_order() -> Records:
    records = Records(SCHEMA)
    records.add("shop.orders", [{"order_id": "O-1", "items": [{"item_id": one, "status": "here"} for one in "abc"]}])
    return records


def test_an_effect_on_the_elements_of_a_list_of_ids_sets_each_with_what_is_paired_with_it(tmp_path: Path) -> None:
    action, records = exchange(tmp_path), an_order()
    changes = action.apply(records, action.seen(records, ARGS))
    assert {(one.field, one.after) for one in changes} == {
        ("items/a/status", "exchanged"), ("items/c/status", "exchanged"), ("items/a/new_id", "x"), ("items/c/new_id", "z"),
    }  # fmt: skip


def test_an_id_that_no_element_has_is_refused_however_many_others_are_there(tmp_path: Path) -> None:
    action, records = exchange(tmp_path), an_order()
    with pytest.raises(Refused, match="items d"):
        action.apply(records, action.seen(records, ARGS | {"item_ids": ["a", "d"]}))


def test_a_list_of_keys_changes_each_of_these_records(tmp_path: Path) -> None:
    args = {"order_ids": {"list": "id"}}
    changed = {"args": args, "says": "Hold {order_ids}", "money": "none", "effect": {"shop.orders[order_ids].status": "held"}}
    action, records = exchange(tmp_path, **changed), an_order()
    records.add("shop.orders", [{"order_id": "O-2", "items": []}])
    found = action.apply(records, action.seen(records, {"order_ids": ["O-1", "O-2"]}))
    assert [(one.record, one.after) for one in found] == [("O-1", "held"), ("O-2", "held")]
    with pytest.raises(Refused, match="O-3"):
        action.apply(records, action.seen(records, {"order_ids": ["O-1", "O-3"]}))


def test_an_amount_in_another_currency_than_the_companys_is_not_known(tmp_path: Path) -> None:
    records = an_order()
    for currency, cents in (("USD", 1250), ("EUR", None)):
        action = exchange(tmp_path, currency)
        assert action.cents(action.seen(records, ARGS), {}) == {"cost": cents}


def test_an_amount_that_is_not_counted_does_not_load_also_inside_of_lines(tmp_path: Path) -> None:
    lines = {"list": {"object": {"sku": "id", "price": {"money": "USD"}}}}
    for args in ({"price": {"money": "USD"}}, {"price": "cents?"}, {"price": lines}):
        with pytest.raises(BadInput, match="the amount price is not counted"):
            exchange(tmp_path, args={**EXCHANGE["args"], **args}, money="none")


def test_a_difference_that_one_or_the_other_owes_is_counted_for_both(tmp_path: Path) -> None:
    money = {"refund": "=cents(price) + (more < 0 ? -more : 0)", "capture": "=more > 0 ? more : 0"}
    args, to = {**EXCHANGE["args"], "more": "whole"}, {"customer": "=order_id"}
    action, records = exchange(tmp_path, args=args, money=money, to=to), an_order()
    for more, refund, capture in ((300, 1250, 300), (-300, 1550, 0)):
        assert action.cents(action.seen(records, ARGS | {"more": more}), {}) == {"refund": refund, "capture": capture}
    with pytest.raises(BadInput, match="the refund is always 0"):
        exchange(tmp_path, args=args, money=money | {"refund": "=more < 0 && more > 0 ? more : 0"}, to=to)
    exchange(tmp_path, args=args, money=money | {"refund": "=more < 0 ? -more : 0", "cost": "=cents(price)"}, to=to)


def test_a_sentence_that_names_no_argument_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="ordr_id"):
        exchange(tmp_path, says="Exchange {ordr_id}")


def test_the_sentence_says_lists_and_money_and_what_does_not_fit_is_refused_with_what_would(tmp_path: Path) -> None:
    action = exchange(tmp_path)
    action.validate(ARGS)
    assert action.sentence(ARGS) == "Exchange a, c of O-1 for x, z, $12.50"
    with pytest.raises(SendBack, match="price must be an amount of USD above 0, such as 12.50"):
        action.validate(ARGS | {"price": "12.505"})


def test_what_is_null_is_not_sent(tmp_path: Path) -> None:
    action, records = exchange(tmp_path), an_order()
    assert action.sends(action.seen(records, ARGS)) == {name: value for name, value in ARGS.items() if name != "note"}
    assert action.sends(action.seen(records, ARGS | {"note": "thanks"})) is None
