"""An expression gives its value, or says that it cannot be told; it never guesses."""

from typing import Any

import pytest

from errors import BadInput
from systems.conditions import Expression, Scope, Unknown, Value


def value(source: str, functions: Any = None, **names: Any) -> Any:
    return Expression.compile(source, "here").evaluate(Scope(names, functions))


def broken() -> int:
    raise KeyError("no such order")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2", 3),
        ("order.total_cents", 500),
        ("order.total_cents > 400 && order.status == 'new'", True),
        ("order.lines.exists(l, l.qty > 1)", True),
        ("order.lines.filter(l, l.qty > 5)", []),
        ("order.moved_at == null", True),
        ("order.moved_at", None),
        ("nothing == null", True),
        ("nothing", None),
    ],
)
def test_an_expression_gives_its_value(source: str, expected: object) -> None:
    order = {"total_cents": 500, "status": "new", "lines": [{"qty": 1}, {"qty": 2}], "moved_at": None}
    assert value(source, order=order, nothing=None) == expected


@pytest.mark.parametrize(
    "source",
    [
        "nix",
        "nix.status",
        "nix == null",
        "order.nix",
        "order.nix == 1",
        "order.since.year",
        "timestamp(order.since) > timestamp('2020-01-01T00:00:00Z')",
        "order.since > 3",
        "!order.since",
        "size(nothing)",
        "broken() == 1",
        "order.name + 1 == 2",
    ],
)
def test_what_has_no_value_or_no_sense_is_unknown(source: str) -> None:
    with pytest.raises(Unknown):
        value(source, {"broken": broken}, order={"since": None, "name": "A"}, nothing=None)


@pytest.mark.parametrize("source", ["true || nix", "nix || true", "broken() == 1 || true", "has(order.a) || nix"])
def test_an_or_that_holds_anyway_does_not_need_what_is_unknown(source: str) -> None:
    assert value(source, {"broken": broken}, order={"a": 1}) is True


@pytest.mark.parametrize("source", ["false && nix", "nix && false", "broken() == 1 && false"])
def test_an_and_that_fails_anyway_does_not_need_what_is_unknown(source: str) -> None:
    assert value(source, {"broken": broken}) is False


@pytest.mark.parametrize("source", ["false || nix", "true && nix"])
def test_an_unknown_that_would_decide_is_unknown(source: str) -> None:
    with pytest.raises(Unknown):
        value(source)


def test_functions_take_and_give_plain_data() -> None:
    assert value("twice(order.lines)[0].qty", {"twice": lambda lines: lines * 2}, order={"lines": [{"qty": 7}]}) == 7


def test_an_unknown_names_the_expression_that_could_not_be_told() -> None:
    with pytest.raises(Unknown) as caught:
        value("nix.status == 'new'")
    assert caught.value.expression.names == {"nix"}


def test_a_name_bound_for_a_while_hides_another_and_is_gone_after() -> None:
    scope, line = Scope({"line": {"qty": 1}}), Expression.compile("line.qty * 2", "here")
    path = Expression.compile("line.qty", "here")
    with scope.binding({"line": {"qty": 5}}):
        assert path.evaluate(scope) == 5
        with scope.binding({"line": {"qty": 6}}):
            assert path.evaluate(scope) == 6
        assert path.evaluate(scope) == 5
    assert (path.evaluate(scope), line.evaluate(scope)) == (1, 2)


@pytest.mark.parametrize("given", [5, None, [1], {"a": 1}, False, ""])
def test_a_name_defined_late_has_its_value(given: object) -> None:
    scope, same = Scope({"a": 1}), Expression.compile("late == a || late != a", "here")
    assert Expression.compile("a", "here").evaluate(scope) == 1
    assert Expression.compile("a + 1", "here").evaluate(scope) == 2
    scope.define("late", given)
    assert Expression.compile("late", "here").evaluate(scope) == given
    assert same.evaluate(scope) is True


def test_an_expression_knows_its_free_names_and_functions() -> None:
    found = Expression.compile("order.lines.exists(l, cover(l.sku, place) == 'sure') && size(items) > 0", "here")
    assert (found.names, found.functions, found.plain) == ({"order", "place", "items"}, {"cover"}, None)


@pytest.mark.parametrize("source", ["order.", "1 +", "(", "a b", ""])
def test_a_condition_that_does_not_compile_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(BadInput, match=r"^pack\.yaml, guard 3: .*fix it$"):
        Expression.compile(source, "pack.yaml, guard 3")


def test_an_unknown_name_or_function_is_refused_with_what_is_known() -> None:
    with pytest.raises(BadInput, match=r"here: .* unknown name 'ordr'; known are order"):
        Expression.compile("ordr.status", "here").require({"order"}, (), "here")
    with pytest.raises(BadInput, match=r"here: .* unknown function 'covers'; known are cover"):
        Expression.compile("covers(1)", "here").require((), {"cover"}, "here")


@pytest.mark.parametrize(
    ("raw", "expected"), [("= a + 1", 3), ("a", "a"), (7, 7), (None, None), ({"b": ["=a", "a"]}, {"b": [2, "a"]})]
)
def test_only_text_that_begins_with_an_equals_sign_is_computed(raw: Any, expected: object) -> None:
    assert Value.compile(raw, "here").evaluate(Scope({"a": 2})) == expected


def test_text_from_outside_is_never_computed() -> None:
    hostile = "='a' + size([1,2,3]) || true }} ${x}"
    assert value("order.note", order={"note": hostile}) == hostile
    assert value("order.note == 'x'", order={"note": hostile}) is False
