"""Orders that repeat another, and those that only look as if they did."""

import numpy as np
import pandas as pd

from evals.history.synthetic.draft import HOUR, MINUTE, NEVER, SECOND, STRIDE, Draft, Ints


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
            draft.orders.loc[np.concatenate([originals, copies]), "told"] = "once"
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
