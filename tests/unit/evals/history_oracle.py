"""The definitions of docs/history.md once more, in plain Python, one row after the other: nothing of the queries is used."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from evals.history import ScanThresholds

Row = dict[str, Any]
Exceptional = tuple[str, str, str]
TAKEN = ("captured", "refunded", "disputed")
#: what a line tells of its order
OF_ORDER = ("customer_id", "at", "status", "total_cents", "line1", "postal_code", "promised_at", "moved_to", "shipped_at")


def exceptions_of(rows: Sequence[Row], limits: ScanThresholds) -> set[Exceptional]:
    """(kind, subject, other) of every exception."""
    rows = _completed(rows)
    by = {record: [row for row in rows if row["record"] == record] for record in {row["record"] for row in rows}}
    by = defaultdict(list, by)
    orders: dict[str, list[Row]] = defaultdict(list)
    for row in by["line"]:
        orders[row["order_id"]].append(row)
    doubled = set(_double_charges(orders, by["charge"], limits))
    return {
        *_duplicates(orders, limits),
        *doubled,
        *_captures(orders, by["charge"], by["cancellation"], {subject for _, subject, _ in doubled}),
        *_authorizations(orders, by["authorization"], by["charge"], limits),
        *_stock(orders, limits),
        *_adjustments(by["adjustment"], limits),
        *_repeated(orders),
        *_cancellations(orders, by["cancellation"]),
        *_nearly(orders, limits),
        *_reversals(orders, by["cancellation"], limits),
        *_quantities(by["line"], limits),
        *_late(orders, max(row["at"] for row in rows), limits),
        *_prices(by["line"], limits),
    }


def _completed(rows: Sequence[Row]) -> list[Row]:
    """The rows, of which each line tells of its order what any of its lines tells."""
    lines: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        if row["record"] == "line":
            lines[row["order_id"]].append(row)
    told = {order_id: {column: _told(own, column) for column in OF_ORDER} for order_id, own in lines.items()}
    return [{**row, **told[row["order_id"]]} if row["record"] == "line" else row for row in rows]


def _told(lines: Sequence[Row], column: str) -> Any:
    """What the first line that tells it says."""
    return next((line[column] for line in lines if line[column] is not None), None)


def _duplicates(orders: dict[str, list[Row]], limits: ScanThresholds) -> Iterator[Exceptional]:
    def goods(lines: Sequence[Row]) -> Any:
        counts: dict[str, int] = defaultdict(int)
        for line in lines:
            if line["sku"] is None or line["qty"] is None:
                return None
            counts[line["sku"]] += line["qty"]
        prices = [line["qty"] * line["unit_price_cents"] for line in lines if line["unit_price_cents"] is not None]
        return sorted((sku, qty) for sku, qty in counts.items() if qty), sum(prices) if prices else None

    for order_id, lines in orders.items():
        one = [_told(lines, column) for column in ("customer_id", "line1", "postal_code")], goods(lines)
        if None in one[0] or one[1] is None or lines[0]["status"] == "cancelled":
            continue
        earlier = []
        for other_id, others in orders.items():
            other = [_told(others, column) for column in ("customer_id", "line1", "postal_code")], goods(others)
            gap = lines[0]["at"] - others[0]["at"]
            before = (others[0]["at"], other_id) < (lines[0]["at"], order_id)
            if before and other == one and others[0]["status"] != "cancelled" and gap <= timedelta(minutes=limits.window_minutes):
                earlier.append((others[0]["at"], other_id))
        if earlier:
            yield "duplicate_order", order_id, max(earlier)[1]


def _nearly(orders: dict[str, list[Row]], limits: ScanThresholds) -> Iterator[Exceptional]:
    doubled = {subject for _, subject, _ in _duplicates(orders, limits)}
    large: dict[Any, list[tuple[Any, str, dict[str, int]]]] = defaultdict(list)
    for order_id, lines in orders.items():
        to = tuple(_told(lines, column) for column in ("customer_id", "line1", "postal_code"))
        goods: dict[str, int] = defaultdict(int)
        for line in lines:
            goods[line["sku"]] += line["qty"]
        if None not in to and None not in goods and len(goods) >= limits.near_lines and lines[0]["status"] != "cancelled":
            large[to].append((lines[0]["at"], order_id, goods))
    for own in large.values():
        own.sort(key=lambda one: one[:2])
        for place, (at, order_id, goods) in enumerate(own):
            near = []
            for before, earlier, has in own[max(0, place - 3) : place]:
                alike = sum(has.get(sku) == qty for sku, qty in goods.items())
                is_like = alike and 100 * alike >= limits.near_percent * max(len(has), len(goods))
                if is_like and at - before <= timedelta(hours=limits.near_hours):
                    near.append((alike, before, earlier))
            if near and order_id not in doubled:
                yield "near_duplicate", order_id, max(near)[2]


def _reversals(orders: dict[str, list[Row]], cancellations: Sequence[Row], limits: ScanThresholds) -> Iterator[Exceptional]:
    for row in cancellations:
        same = ("sku", "qty", "unit_price_cents")
        undone = [line for line in orders.get(row["order_id"], []) if [line[one] for one in same] == [row[one] for one in same]]
        before = [line["at"] for line in undone if line["at"] <= row["at"] and row["qty"] > 0 and row["sku"] is not None]
        if before and row["at"] - max(before) <= timedelta(hours=limits.reversal_hours):
            yield "quick_reversal", row["order_id"], row["record_id"]


def _quantities(lines: Sequence[Row], limits: ScanThresholds) -> Iterator[Exceptional]:
    ordered: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        if line["sku"] is not None and (line["qty"] or 0) > 0:
            ordered[line["sku"]].append(line["qty"])
    for line in lines:
        largest = sorted(ordered[line["sku"]], reverse=True)
        if len(largest) >= limits.price_lines and (line["qty"] or 0) > limits.quantity_factor * largest[limits.level_lines - 1]:
            yield "quantity_outlier", line["order_id"], line["sku"]


def _double_charges(orders: dict[str, list[Row]], charges: Sequence[Row], limits: ScanThresholds) -> Iterator[Exceptional]:
    known = [charge for charge in charges if None not in (charge["amount_cents"], charge["record_id"])]
    captured = [charge for charge in known if charge["status"] == "captured"]
    for later in captured:
        total = _told(orders.get(later["order_id"], []), "total_cents")
        for earlier in captured:
            if (
                (earlier["order_id"], earlier["amount_cents"]) == (later["order_id"], later["amount_cents"])
                and (earlier["at"], earlier["record_id"]) < (later["at"], later["record_id"])
                and later["at"] - earlier["at"] <= timedelta(hours=limits.apart_hours)
                and total is not None
                and 2 * later["amount_cents"] > total
                and later["amount_cents"] > (later["refunded_cents"] or 0)
            ):
                yield "double_charge", later["order_id"], later["record_id"]


def _captures(
    orders: dict[str, list[Row]], charges: Sequence[Row], cancellations: Sequence[Row], doubled: set[str]
) -> Iterator[Exceptional]:
    for order_id, lines in orders.items():
        own = [charge for charge in charges if charge["order_id"] == order_id]
        taken = [charge for charge in own if charge["status"] in TAKEN]
        total = _told(lines, "total_cents")
        if lines[0]["status"] not in ("shipped", "delivered"):
            continue
        if not taken and all(charge["status"] for charge in own):
            yield "capture_missing", order_id, ""
        if not taken:
            continue
        less = [row for row in cancellations if row["order_id"] == order_id]
        known = [*(charge["amount_cents"] for charge in own), *(charge["status"] for charge in own), total]
        known += [value for row in less for value in (row["qty"], row["unit_price_cents"])]
        if None in known or order_id in doubled or any(charge["status"] == "disputed" for charge in own):
            continue
        owed = total - sum(row["qty"] * row["unit_price_cents"] for row in less)
        gross = sum(charge["amount_cents"] for charge in taken)
        if gross < owed or gross - sum(charge["refunded_cents"] or 0 for charge in taken) > owed:
            yield "capture_mismatch", order_id, ""


def _authorizations(
    orders: dict[str, list[Row]], authorizations: Sequence[Row], charges: Sequence[Row], limits: ScanThresholds
) -> Iterator[Exceptional]:
    for order_id, lines in orders.items():
        total = _told(lines, "total_cents")
        own = [charge for charge in charges if charge["order_id"] == order_id]
        if lines[0]["status"] not in limits.open_statuses or total is None:
            continue
        if any(charge["amount_cents"] is None or charge["status"] is None for charge in own):
            continue
        if sum(charge["amount_cents"] for charge in own if charge["status"] == "captured") >= total:
            continue
        theirs = [row for row in authorizations if row["order_id"] == order_id]
        newest = max(theirs, key=lambda row: (row["at"], row["record_id"]), default=None)
        short = newest is not None and newest["amount_cents"] is not None and newest["amount_cents"] < total
        if newest is None or short or newest["status"] in ("expired", "voided", "declined"):
            yield "authorization_short", order_id, ""


def _stock(orders: dict[str, list[Row]], limits: ScanThresholds) -> Iterator[Exceptional]:
    for order_id, lines in orders.items():
        asked: dict[Any, list[Row]] = defaultdict(list)
        for line in lines:
            if line["status"] in limits.open_statuses and line["sku"] is not None and line["location"] is not None:
                asked[line["sku"], line["location"]].append(line)
        for (sku, _), wanting in asked.items():
            there = [
                line["on_hand"] - line["reserved"] - line["safety_stock"]
                for line in wanting
                if None not in (line["on_hand"], line["reserved"], line["safety_stock"])
            ]
            if there and sum(line["qty"] or 0 for line in wanting) > max(0, min(there)):
                yield "stock_short", order_id, sku


def _adjustments(adjustments: Sequence[Row], limits: ScanThresholds) -> Iterator[Exceptional]:
    for row in adjustments:
        gone, on_hand = -row["qty"], row["on_hand"]
        fifth = on_hand is not None and gone * 100 >= limits.shortfall_percent * on_hand
        if gone > 0 and (gone >= limits.shortfall_units or fifth):
            yield "stock_adjustment", "@".join(filter(None, (row["sku"], row["location"]))), row["record_id"]


def _repeated(orders: dict[str, list[Row]]) -> Iterator[Exceptional]:
    for order_id, lines in orders.items():
        for place, line in enumerate(lines):
            own = [line[column] for column in ("sku", "qty", "unit_price_cents", "location")]
            others = [[other[column] for column in ("sku", "qty", "unit_price_cents", "location")] for other in lines[:place]]
            if None not in own[:3] and own in others:
                yield "repeated_line", order_id, line["sku"]


def _cancellations(orders: dict[str, list[Row]], cancellations: Sequence[Row]) -> Iterator[Exceptional]:
    for row in cancellations:
        ordered = [
            line["qty"] for line in orders.get(row["order_id"], []) if line["sku"] == row["sku"] and line["at"] <= row["at"]
        ]
        cancelled = [
            other["qty"]
            for other in cancellations
            if (other["order_id"], other["sku"]) == (row["order_id"], row["sku"])
            and (other["at"], other["record_id"]) <= (row["at"], row["record_id"])
        ]
        if None in ordered or row["qty"] <= 0:
            continue
        if sum(cancelled) > sum(qty for qty in ordered if qty > 0):
            yield "cancellation_without_order", row["record_id"], row["sku"]


def _late(orders: dict[str, list[Row]], end: Any, limits: ScanThresholds) -> Iterator[Exceptional]:
    for order_id, lines in orders.items():
        line = lines[0]
        due = line["moved_to"] or line["promised_at"]
        waits = line["status"] == "ready" or line["status"] in limits.open_statuses
        left = line["shipped_at"] or (end if waits else None)
        if line["status"] != "cancelled" and due is not None and left is not None and left > due:
            yield "late_promise", order_id, ""


def _prices(lines: Sequence[Row], limits: ScanThresholds) -> Iterator[Exceptional]:
    by_level: dict[Any, list[int]] = defaultdict(list)
    for line in lines:
        if line["sku"] is not None and (line["unit_price_cents"] or 0) > 0:
            for level in (_level(line), line["sku"]):
                by_level[level].append(line["unit_price_cents"])
    for line in lines:
        own, of_all = by_level[_level(line)], by_level[line["sku"]]
        price, all_ = line["unit_price_cents"], sorted(own if len(own) >= limits.price_lines else of_all)
        if not price or price < 0 or line["sku"] is None or len(all_) < limits.price_lines:
            continue
        usual = all_[(len(all_) - 1) // 2]
        steady = sum(one <= limits.price_factor * usual and one * limits.price_factor >= usual for one in all_)
        near = sum(5 * one <= 6 * price and 6 * one >= 5 * price for one in all_)
        is_level = near >= limits.level_lines and 100 * near >= len(all_)
        if (
            not is_level
            and steady * 10 >= 9 * len(all_)
            and (price > limits.price_factor * usual or price * limits.price_factor < usual)
        ):
            yield "price_outlier", line["order_id"], line["sku"]


def _level(line: Row) -> tuple[str, Any, Any]:
    return line["sku"], line["channel"], line["customer_kind"]
