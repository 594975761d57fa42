"""Functions on plain values: money exactly, sums, lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rendering import money
from settings import company_currency, settings
from systems.values import amount, cents, decimal, flat, in_order, paired, rounded, total


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (129.5, "USD", 12950),
        ("10.25", "eur", 1025),
        (7, None, 700),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        (-3.1, None, -310),
    ],
)
def test_an_amount_is_counted_exactly_in_the_minor_unit_of_its_currency(value: object, currency: str | None, minor: int) -> None:
    assert cents(value, currency) == minor


@pytest.mark.parametrize(("minor", "currency", "text"), [(8680, "EUR", "86.80"), (-5, "USD", "-0.05"), (1500, "JPY", "1500")])
def test_a_decimal_text_has_all_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert decimal(minor, currency) == text


@pytest.mark.parametrize("value", ["0.1250", 1.005, "abc", "", True, None, [1], "NaN", "1e400", float("inf")])
def test_what_is_no_amount_or_not_exact_is_refused_and_never_rounded(value: object) -> None:
    with pytest.raises(ValueError, match="number|decimals"):
        cents(value)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD", None]))
def test_minor_units_survive_the_way_out_and_back(minor: int, currency: str | None) -> None:
    assert cents(amount(minor, currency), currency) == minor


@given(st.lists(st.integers(-(10**9), 10**9)))
def test_a_sum_of_decimals_is_exact(values: list[int]) -> None:
    assert cents(total([amount(one) for one in values])) == sum(values)


def test_other_functions() -> None:
    assert (rounded(2.5), rounded(2.345, 2), rounded("1.005", 2)) == (3, 2.35, 1.01)
    assert paired("b", ["a", "b"], [1, 2]) == 2
    assert (flat([[1], [], [2, 3]]), in_order(["b", "a"])) == ([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="not pairs"):
        paired("b", ["a", "b"], [1])
    with pytest.raises(ValueError, match="list of lists"):
        flat([[1], "ab"])  # type: ignore[list-item]


def test_money_is_shown_in_the_currency_of_the_company(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (money(123450), money(-5), money(500, "EUR"), money(5, "JPY")) == ("$1,234.50", "-$0.05", "5.00 EUR", "5 JPY")
    file = tmp_path / "systems.yaml"  # type: ignore[operator]
    file.write_text("currency: EUR\nsystems: {}\n")
    monkeypatch.setenv("MISSIONS_SYSTEMS", str(file))
    settings.cache_clear()
    company_currency.cache_clear()
    try:
        assert money(123450) == "1,234.50 EUR"
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        company_currency.cache_clear()
