"""Lines, prices and stock: what is wrong with them, and what only looks so."""

import numpy as np

from evals.history.synthetic.draft import LOCATIONS, Draft, Ints, ids


def put_in_repeated_lines(draft: Draft) -> None:
    """A line that stands twice; and the same SKU in another quantity, at another price, from another place."""
    twice, thrice, qty, price, place = draft.cast(0.01, 5, status="delivered")
    for orders, more in ((twice, 1), (thrice, 2)):
        first = draft.first_lines(orders)
        for _ in range(more):
            _again(draft, first)
        draft.is_true("repeated_line", draft.order_ids(orders), _sku(draft, first))
    for orders, column in ((qty, "qty"), (price, "price"), (place, "location")):
        first = draft.first_lines(orders)
        again = _again(draft, first)
        if column == "location":
            draft.lines.loc[again, column] = (draft.lines.loc[again, column] + 1) % len(LOCATIONS)
        else:
            draft.lines.loc[again, column] += 1
        draft.lines.loc[again, "on_hand"] += 100  # enough for both
        draft.lines.loc[first, "on_hand"] += 100


def put_in_wrong_prices(draft: Draft) -> None:
    """A price over five times the usual one or under a fifth of it; and those at exactly that."""
    parts = draft.cast(0.012, 6)
    tenfold, hundredth, just_over, just_under, five, fifth = parts
    usual = {id(part): draft.prices[draft.lines["sku"].to_numpy()[draft.first_lines(part)]] for part in parts}
    for orders, true, price in (
        (tenfold, True, usual[id(tenfold)] * 10),
        (hundredth, True, usual[id(hundredth)] // 100),
        (just_over, True, usual[id(just_over)] * 5 + 1),
        (just_under, True, usual[id(just_under)] // 5 - 1),
        (five, False, usual[id(five)] * 5),
        (fifth, False, usual[id(fifth)] // 5),
    ):
        first = draft.first_lines(orders)
        draft.lines.loc[first, "price"] = price
        if true:
            draft.is_true("price_outlier", draft.order_ids(orders), _sku(draft, first))


def put_in_short_stock(draft: Draft) -> None:
    """Open orders of which a place has too little (STK-1); and just enough, an order that has left, a count not known."""
    parts = draft.cast(0.012, 6)
    one_short, nothing, together, enough, enough_together, unknown = parts
    for part in parts:
        draft.open_again(part)
    for orders, spare, true in ((one_short, -1, True), (enough, 0, False)):
        first = draft.first_lines(orders)
        _leave(draft, first, draft.lines["qty"].to_numpy()[first] + spare)
        if true:
            draft.is_true("stock_short", draft.order_ids(orders), _sku(draft, first))
    first = draft.first_lines(nothing)
    draft.lines.loc[first, "on_hand"] = 0
    draft.is_true("stock_short", draft.order_ids(nothing), _sku(draft, first))
    for orders, spare in ((together, -1), (enough_together, 0)):  # two lines of one SKU, at two prices
        first = draft.first_lines(orders)
        again = _again(draft, first)
        draft.lines.loc[again, "price"] += 1
        for lines in (first, again):
            _leave(draft, lines, 2 * draft.lines["qty"].to_numpy()[first] + spare)
    draft.is_true("stock_short", draft.order_ids(together), _sku(draft, draft.first_lines(together)))
    draft.lines.loc[draft.first_lines(unknown), "on_hand"] = -1


def put_in_adjustments(draft: Draft) -> None:
    """Corrections of stock: of five units or a fifth of what was on record and more, PHA-1; smaller ones, and finds."""
    number = max(1, len(draft.orders) // 1_600)
    cases: list[tuple[Ints, Ints, bool]] = [
        (draft.between(100, 900, number), -draft.between(5, 90, number), True),
        (np.full(number, 1000), np.full(number, -5), True),
        (np.full(number, 5), np.full(number, -1), True),
        (np.full(number, 20), np.full(number, -4), True),
        (np.full(number, 21), np.full(number, -4), False),
        (draft.between(30, 900, number), -draft.between(1, 4, number), False),
        (draft.between(0, 900, number), draft.between(1, 50, number), False),
        (np.full(number, -1), -draft.between(1, 4, number), False),
    ]
    first = int(draft.orders["number"].iloc[0]) * 8
    for on_hand, qty, true in cases:
        numbers = first + np.arange(number)
        first += number
        sku, location = draft.between(0, len(draft.prices) - 1, number), draft.between(0, len(LOCATIONS) - 1, number)
        at = draft.random.choice(draft.orders["at"].to_numpy(), number)
        draft.record("adjustment", record_id=ids("A-", numbers), at=at, sku=sku, location=location, qty=qty, on_hand=on_hand)
        if true:
            places = np.array(LOCATIONS, dtype=object)[location]
            draft.is_true("stock_adjustment", ids("HP-", sku).astype(object) + "@" + places, ids("A-", numbers))


def _again(draft: Draft, lines: Ints) -> Ints:
    """Lines once more, under ids of their own; gives their places."""
    begin = len(draft.lines)
    again = draft.lines.loc[lines].reset_index(drop=True)
    draft.add_lines(again)
    places = np.arange(begin, len(draft.lines))
    taken = draft.lines.groupby("order")["line"].transform("max").to_numpy()
    draft.lines.loc[places, "line"] = taken[places] + 1
    return places


def _leave(draft: Draft, lines: Ints, available: Ints) -> None:
    draft.lines.loc[lines, "on_hand"] = draft.lines.loc[lines, "reserved"] + draft.lines.loc[lines, "safety"] + available


def _sku(draft: Draft, lines: Ints) -> object:
    return ids("HP-", draft.lines["sku"].to_numpy()[lines])
