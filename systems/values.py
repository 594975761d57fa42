"""Functions on plain values that conditions and computed values may use wherever they stand: money, sums, lists.

Money is counted in minor units (US cents); systems that write decimals are read with `cents` and written with `amount`.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from rendering import decimals, money
from settings import company_currency


def cents(amount: Any, currency: str | None = "") -> int:
    """An amount in major units (a number, or text such as "12.50") in minor units: of the company's currency, unless another is
    given.

    Raises ValueError where it is no amount, or has more decimals than its currency.
    """
    exact = _decimal(amount).scaleb(_decimals(currency))
    if exact != exact.to_integral_value():
        raise ValueError(f"{amount} has more decimals than its currency")
    return int(exact)


def amount(minor: int, currency: str | None = "") -> float:
    """Minor units as a number in major units, as `cents` counts them. Raises ValueError for what is no whole number."""
    if type(minor) is not int:
        raise ValueError(f"{minor} is not a whole number of minor units")
    return float(Decimal(minor).scaleb(-_decimals(currency)))


def decimal(minor: int, currency: str | None = "") -> str:
    """Minor units as text in major units with all decimals, "86.80". Raises ValueError for what is no whole number."""
    if type(minor) is not int:
        raise ValueError(f"{minor} is not a whole number of minor units")
    return f"{Decimal(minor).scaleb(-_decimals(currency)):f}"


def _decimals(currency: str | None) -> int:
    return decimals(company_currency() if currency == "" else currency)


def total(values: Sequence[Any]) -> int | float:
    """The sum of numbers, exact to their decimals. Raises ValueError where one is no number."""
    exact = sum(map(_decimal, values), Decimal(0))
    return (
        int(exact) if exact == exact.to_integral_value() and not any(isinstance(one, float) for one in values) else float(exact)
    )


def join(values: Sequence[Any], separator: str = ", ") -> str:
    """Values as one text."""
    return separator.join(map(str, values))


def flat(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """The elements of lists as one list. Raises ValueError where one is no list."""
    if not all(isinstance(one, list) for one in lists):
        raise ValueError("only a list of lists can be made flat")
    return [element for one in lists for element in one]


def in_order(values: Sequence[Any]) -> list[Any]:
    """Texts, or numbers, from the lowest to the highest. Raises TypeError where there are both."""
    return sorted(values)


def rounded(value: Any, places: int = 0) -> int | float:
    """A number with so many decimals, halves away from zero. Raises ValueError for what is no number."""
    exact = _decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return int(exact) if places <= 0 else float(exact)


def paired(name: Any, names: Sequence[Any], values: Sequence[Any]) -> Any:
    """The value at the place that a name has in a list beside it. Raises ValueError where it has none."""
    return values[list(names).index(name)] if len(values) == len(names) else _unpaired(names, values)


def _unpaired(names: Sequence[Any], values: Sequence[Any]) -> Any:
    raise ValueError(f"{len(names)} names and {len(values)} values are not pairs")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r:.40} is not a number")
    try:
        exact = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r:.40} is not a number") from None
    if not exact.is_finite() or abs(exact.adjusted()) > 30:
        raise ValueError(f"{value!r:.40} is not a number that can be counted with")
    return exact


VALUE_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "amount": amount, "cents": cents, "decimal": decimal, "flat": flat, "join": join,
    "money": money, "paired": paired, "round": rounded, "sorted": in_order, "sum": total,
}  # fmt: skip
