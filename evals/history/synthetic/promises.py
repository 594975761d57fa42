"""Orders that left too late, and those that did not."""

import numpy as np

from evals.history.synthetic.draft import DAY, END, HOUR, NEVER, SECOND, Draft


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
