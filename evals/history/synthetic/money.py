"""Authorizations, charges and cancellations: of every order, and what is wrong with some."""

import numpy as np
import pandas as pd

from evals.history.synthetic.draft import DAY, END, HOUR, MINUTE, OPEN, SECOND, Draft, Ints, ids

_WINDOW = 72 * HOUR
#: a record of an order may have this many charges, and as many authorizations and cancellations
_MOST = 8


def put_in_money(draft: Draft) -> None:
    """What is charged and authorized, order by order; the lines of all orders must be there."""
    lines = draft.lines
    total = (lines["qty"] * lines["price"]).groupby(lines["order"]).sum()
    draft.orders["total"] = total.reindex(range(len(draft.orders))).to_numpy()
    ordinary = np.ones(len(draft.orders), dtype=bool)
    for put_in in (
        _charged_twice,
        _charged_otherwise,
        _not_charged,
        _authorized_too_little,
        _cancelled_in_part,
        _cancelled_wrongly,
    ):
        ordinary[np.concatenate(put_in(draft))] = False
    status = draft.orders["status"].to_numpy()
    has_left = np.flatnonzero(ordinary & np.isin(status, ["shipped", "delivered"]))
    parts = draft.random.random(len(has_left))
    at_once, in_parts = has_left[parts >= 0.1], has_left[parts < 0.1]
    _charge(draft, at_once, _total(draft, at_once))
    part = _total(draft, in_parts) * draft.between(1, 9, len(in_parts)) // 10
    _charge(draft, in_parts, part)
    _charge(draft, in_parts, _total(draft, in_parts) - part, nth=1, later=HOUR)
    _authorize(draft, np.flatnonzero(ordinary & np.isin(status, [*OPEN, "ready"])))
    _authorize(draft, np.flatnonzero(ordinary & (status == "cancelled")), status="voided")


def _charged_twice(draft: Draft) -> list[Ints]:
    parts = draft.cast(0.018, 9, status="delivered")
    again, edge, overlapping, partly_back, too_late, halves, pending, refunded, given_back = parts
    for orders, later in (
        (again, draft.between(0, _WINDOW, len(again))),
        (edge, np.full(len(edge), _WINDOW)),
        (partly_back, draft.between(MINUTE, _WINDOW, len(partly_back))),
        (too_late, np.full(len(too_late), _WINDOW + 1)),
    ):
        _charge(draft, orders, _total(draft, orders))
        _charge(draft, orders, _total(draft, orders), nth=1, later=later, refunded=1 if orders is partly_back else 0)
    most = _total(draft, overlapping) * 6 // 10
    _charge(draft, overlapping, most)
    _charge(draft, overlapping, most, nth=1, later=HOUR)
    half = _total(draft, halves) // 2
    _charge(draft, halves, half)
    _charge(draft, halves, half, nth=1, later=SECOND)
    _charge(draft, halves, _total(draft, halves) - 2 * half, nth=2, later=MINUTE)
    for orders, status, back in ((pending, "pending", 0), (refunded, "refunded", 1), (given_back, "captured", 1)):
        whole = _total(draft, orders)
        _charge(draft, orders, whole)
        _charge(draft, orders, whole, nth=1, later=MINUTE, status=status, refunded=whole * back)
    for orders in (again, edge, overlapping, partly_back):
        draft.is_true("double_charge", draft.order_ids(orders), _ids(draft, "ch-", orders, 1))
    draft.is_true("capture_mismatch", draft.order_ids(too_late), "")
    return parts


def _charged_otherwise(draft: Draft) -> list[Ints]:
    parts = draft.cast(0.012, 6, status="delivered")
    cent_less, half, cent_more, two, goodwill, unknown = parts
    for orders, amount in (
        (cent_less, _total(draft, cent_less) - 1),
        (half, _total(draft, half) // 2),
        (cent_more, _total(draft, cent_more) + 1),
        (two, _total(draft, two) // 2),
        (unknown, np.full(len(unknown), -1)),
    ):
        _charge(draft, orders, amount)
    _charge(draft, two, _total(draft, two) * 3 // 4, nth=1, later=HOUR)
    _charge(draft, goodwill, _total(draft, goodwill), refunded=_total(draft, goodwill) // 3)
    for orders in (cent_less, half, cent_more, two):
        draft.is_true("capture_mismatch", draft.order_ids(orders), "")
    return parts


def _not_charged(draft: Draft) -> list[Ints]:
    shipped = draft.cast(0.012, 5, status="shipped")
    nothing, pending, declined, disputed, refunded = shipped
    others = [
        *draft.cast(0.002, 1, status="delivered"),
        *draft.cast(0.002, 1, status=None),
        *draft.cast(0.002, 1, status="ready", promised=END + DAY),
    ]
    for orders, status in ((pending, "pending"), (declined, "declined"), (disputed, "disputed"), (refunded, "refunded")):
        whole = _total(draft, orders)
        _charge(draft, orders, whole, status=status, refunded=whole if status == "refunded" else 0)
    for orders in (nothing, pending, declined, others[0]):
        draft.is_true("capture_missing", draft.order_ids(orders), "")
    _authorize(draft, nothing)
    return [*shipped, *others]


def _authorized_too_little(draft: Draft) -> list[Ints]:
    parts = draft.cast(0.02, 9)
    for part in parts:
        draft.open_again(part)
    cent_less, expired, declined, voided, none, renewed, more, paid, unknown = parts
    _authorize(draft, cent_less, amount=_total(draft, cent_less) - 1)
    for orders, status in ((expired, "expired"), (declined, "declined"), (voided, "voided")):
        _authorize(draft, orders)
        _authorize(draft, orders, nth=1, later=HOUR, status=status)
    for orders in (cent_less, expired, declined, voided, none):
        draft.is_true("authorization_short", draft.order_ids(orders), "")
    _authorize(draft, renewed, nth=1, later=MINUTE, status="expired")
    _authorize(draft, renewed, nth=0, later=HOUR)
    _authorize(draft, more, amount=_total(draft, more) + 5_000)
    _authorize(draft, paid, status="expired")
    _charge(draft, paid, _total(draft, paid))
    _authorize(draft, unknown, amount=np.full(len(unknown), -1))
    return parts


def _cancelled_in_part(draft: Draft) -> list[Ints]:
    """Cancellations that take nothing away that was not there; captured less for it, or given back."""
    parts = draft.cast(0.008, 4, status="delivered")
    less, back, whole, piecemeal = parts
    for orders in (less, back):
        first = draft.first_lines(orders)
        worth = draft.lines["price"].to_numpy()[first]
        _cancel(draft, orders, first, np.ones(len(first), dtype=np.int64), later=-HOUR if orders is less else HOUR)
        total = _total(draft, orders)
        _charge(draft, orders, total - worth if orders is less else total, refunded=0 if orders is less else worth)
    for orders in (whole, piecemeal):
        first = draft.first_lines(orders)
        qty = draft.lines["qty"].to_numpy()[first]
        worth = qty * draft.lines["price"].to_numpy()[first]
        if orders is whole:
            _cancel(draft, orders, first, qty)
        else:
            some = (qty + 1) // 2
            _cancel(draft, orders, first, some)
            _cancel(draft, orders, first, qty - some, nth=1, later=2 * HOUR)
        _charge(draft, orders, _total(draft, orders) - worth)
    return parts


def _cancelled_wrongly(draft: Draft) -> list[Ints]:
    """Cancellations of an order that is not there, of what it has not, of more than it has, and from before it."""
    parts = draft.cast(0.01, 5)
    for part in parts:
        draft.open_again(part)
        _authorize(draft, part)
    no_order, no_sku, more, together, before = parts
    one = {id(part): np.ones(len(part), dtype=np.int64) for part in parts}
    qty = {id(part): draft.lines["qty"].to_numpy()[draft.first_lines(part)] for part in parts}
    first = {id(part): draft.first_lines(part) for part in parts}
    _cancel(draft, no_order, first[id(no_order)], one[id(no_order)], number=3)
    _cancel(draft, no_sku, first[id(no_sku)], one[id(no_sku)], sku=np.full(len(no_sku), len(draft.prices)))
    _cancel(draft, more, first[id(more)], qty[id(more)] + 1)
    _cancel(draft, together, first[id(together)], qty[id(together)])
    _cancel(draft, together, first[id(together)], one[id(together)], nth=1, later=2 * HOUR)
    _cancel(draft, before, first[id(before)], one[id(before)], later=-HOUR - 1)
    for orders, nth in ((no_order, 0), (no_sku, 0), (more, 0), (together, 1), (before, 0)):
        sku = np.full(len(orders), len(draft.prices)) if orders is no_sku else draft.lines["sku"].to_numpy()[first[id(orders)]]
        draft.is_true("cancellation_without_order", _ids(draft, "X-", orders, nth), ids("HP-", sku))
    return parts


def _total(draft: Draft, orders: Ints) -> Ints:
    total: Ints = draft.orders["total"].to_numpy()[orders].astype(np.int64)
    return total


def _ids(draft: Draft, prefix: str, orders: Ints, nth: int) -> pd.Series:
    return ids(prefix, draft.orders["number"].to_numpy()[orders] * _MOST + nth)


def _charge(
    draft: Draft,
    orders: Ints,
    amount: Ints,
    *,
    nth: int = 0,
    later: int | Ints = 0,
    status: str = "captured",
    refunded: int | Ints = 0,
) -> None:
    _pay(draft, "charge", orders, amount, _ids(draft, "ch-", orders, nth), HOUR + later, status, refunded)


def _authorize(
    draft: Draft, orders: Ints, *, amount: Ints | None = None, nth: int = 0, later: int = 0, status: str = "authorized"
) -> None:
    amount = _total(draft, orders) if amount is None else amount
    _pay(draft, "authorization", orders, amount, _ids(draft, "au-", orders, nth), MINUTE + later, status, -1)


def _pay(
    draft: Draft,
    what: str,
    orders: Ints,
    amount: Ints,
    record_id: pd.Series,
    after: int | Ints,
    status: str,
    refunded: int | Ints,
) -> None:
    chosen = draft.orders.loc[orders].reset_index(drop=True)
    draft.record(
        what, record_id=record_id, number=chosen["number"], customer=chosen["customer"], at=chosen["at"] + after,
        status=status, amount=amount, refunded=refunded,
    )  # fmt: skip


def _cancel(
    draft: Draft, orders: Ints, lines: Ints, qty: Ints, *, nth: int = 0, later: int = 0, number: int = 0, sku: Ints | None = None
) -> None:
    chosen, line = draft.orders.loc[orders].reset_index(drop=True), draft.lines.loc[lines].reset_index(drop=True)
    draft.record(
        "cancellation", record_id=_ids(draft, "X-", orders, nth), number=chosen["number"] + number, customer=chosen["customer"],
        at=chosen["at"] + HOUR + later, sku=line["sku"] if sku is None else sku, qty=qty, price=line["price"],
        location=line["location"],
    )  # fmt: skip
