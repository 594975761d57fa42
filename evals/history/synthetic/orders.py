"""Orders, lines, prices and stock: what is wrong with them, and what only looks so."""

import numpy as np
import pandas as pd

from evals.history.synthetic.draft import DAY, END, HOUR, LOCATIONS, MINUTE, NEVER, SECOND, STRIDE, Draft, Ints, ids


def put_in_late_promises(draft: Draft) -> None:
    """Shipped after the promise, or not at all; and shipped at that very moment, moved by the customer, or cancelled."""
    late, just_late, moved_before, on_the_dot, moved, moved_on_the_dot, unknown = draft.cast(0.014, 7, status="delivered")
    orders = draft.orders
    for part in (late, just_late, moved_before, on_the_dot, moved, moved_on_the_dot, unknown):
        orders.loc[part, "promised"] = orders.loc[part, "at"] + draft.between(3 * DAY, 8 * DAY, len(part))
    promised = orders["promised"]
    orders.loc[late, "shipped"] = promised[late] + draft.between(SECOND, 5 * DAY, len(late))
    orders.loc[just_late, "shipped"] = promised[just_late] + 1
    orders.loc[moved_before, "moved"] = promised[moved_before] - DAY
    orders.loc[moved_before, "shipped"] = promised[moved_before] - DAY + draft.between(1, 23 * HOUR, len(moved_before))
    orders.loc[on_the_dot, "shipped"] = promised[on_the_dot]
    orders.loc[moved, "moved"] = promised[moved] + 6 * DAY
    orders.loc[moved, "shipped"] = promised[moved] + draft.between(SECOND, 5 * DAY, len(moved))
    orders.loc[moved_on_the_dot, "moved"] = promised[moved_on_the_dot] + 2 * DAY
    orders.loc[moved_on_the_dot, "shipped"] = promised[moved_on_the_dot] + 2 * DAY
    orders.loc[unknown, "shipped"] = orders.loc[unknown, "at"] + 20 * DAY
    orders.loc[unknown, "promised"] = NEVER
    for part in (late, just_late, moved_before):
        draft.is_true("late_promise", draft.order_ids(part), "")
    never_left, moved_ahead, cancelled = draft.cast(0.006, 3)
    for part in (never_left, moved_ahead, cancelled):
        draft.open_again(part)
        orders.loc[part, "promised"] = orders.loc[part, "at"] + 2 * DAY
    orders.loc[moved_ahead, "moved"] = END + 30 * DAY
    orders.loc[cancelled, "status"] = "cancelled"
    recent = orders["at"].to_numpy()[never_left] > END - 20 * DAY  # whether it is late depends on where the history ends
    orders.loc[never_left[recent], "promised"] = END + DAY
    draft.is_true("late_promise", draft.order_ids(never_left[~recent]), "")
    ready = np.flatnonzero((orders["status"] == "ready").to_numpy())
    orders.loc[ready, "promised"] = END + DAY


def put_in_duplicates(draft: Draft) -> None:
    """The same goods to the same address by the same customer, at most 30 minutes apart: DUP-1."""
    anywhere, same_time, at_the_edge, thrice, gaps = draft.cast(0.006, 5, status="delivered")
    draft.open_again(np.concatenate([anywhere[::2], thrice]))
    for originals, apart in (
        (anywhere, draft.between(SECOND, 30 * MINUTE, len(anywhere))),
        (same_time, np.zeros(len(same_time), dtype=np.int64)),
        (at_the_edge, np.full(len(at_the_edge), 30 * MINUTE)),
        (gaps, draft.between(MINUTE, 29 * MINUTE, len(gaps))),
    ):
        copies = _repeat(draft, originals, apart)
        draft.is_true("duplicate_order", draft.order_ids(copies), draft.order_ids(originals))
        if originals is gaps:  # the address is not on every line, but on one of each order
            draft.orders.loc[np.concatenate([originals, copies]), "stated"] = "once"
    second = _repeat(draft, thrice, np.full(len(thrice), 20 * MINUTE))
    third = _repeat(draft, second, np.full(len(thrice), 20 * MINUTE))
    draft.is_true("duplicate_order", draft.order_ids(second), draft.order_ids(thrice))
    draft.is_true("duplicate_order", draft.order_ids(third), draft.order_ids(second))


def put_in_separate_purchases(draft: Draft) -> None:
    """What DUP-2 calls separate: something differs, it is too late, or it is cancelled; and what cannot be known."""
    parts = draft.cast(0.009, 9, status="delivered")
    late, later, qty, sku, street, postal, cancelled, other_customer, unknown = parts
    draft.lines.loc[draft.first_lines(sku), "qty"] = 41  # as no other line has, so that the changed one repeats none
    _repeat(draft, late, np.full(len(late), 30 * MINUTE + 1))
    _repeat(draft, later, draft.between(30 * MINUTE + SECOND, 5 * HOUR, len(later)))
    soon = {id(part): _repeat(draft, part, draft.between(0, 29 * MINUTE, len(part))) for part in parts[2:]}
    draft.lines.loc[draft.first_lines(soon[id(qty)]), "qty"] += 1
    changed = draft.first_lines(soon[id(sku)])
    draft.lines.loc[changed, "sku"] = (draft.lines.loc[changed, "sku"] + len(draft.prices) // 2) % len(draft.prices)
    draft.lines.loc[changed, "price"] = draft.prices[draft.lines.loc[changed, "sku"]]
    draft.orders.loc[soon[id(street)], "street"] += 1
    draft.orders.loc[soon[id(postal)], "postal_code"] += 1
    draft.orders.loc[soon[id(cancelled)], ["status", "shipped"]] = ["cancelled", NEVER]
    draft.orders.loc[soon[id(other_customer)], "customer"] += 1
    draft.orders.loc[soon[id(unknown)], "street"] = -1


def _repeat(draft: Draft, originals: Ints, apart: Ints) -> Ints:
    """Orders again, `apart` microseconds later, with the next free number; gives their places."""
    copies = draft.orders.loc[originals].reset_index(drop=True)
    copies["number"] += 1
    if (copies["number"] % STRIDE == 0).any():
        raise ValueError("an order is repeated too often")
    for column in ("at", "promised", "shipped"):
        copies[column] = np.where(copies[column] == NEVER, NEVER, copies[column] + apart)
    places = np.arange(len(draft.orders), len(draft.orders) + len(copies))
    at = pd.Series(places, index=originals)
    lines = draft.lines[draft.lines["order"].isin(originals)].copy()
    lines["order"] = at.loc[lines["order"]].to_numpy()
    draft.orders = pd.concat([draft.orders, copies], ignore_index=True)
    draft.add_lines(lines)
    return places


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
