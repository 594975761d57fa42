"""What a change would do to recorded exceptions, as the pages show it: replayed with a bar, then case by case."""

from collections.abc import Callable

import streamlit as st

from dashboard.markup import show
from dashboard.views.what_if import answer_card, broken, flip_rows, headline, money_table
from graphs.spreadsheet import safe
from graphs.what_if import WhatIf

#: height of a table of flips in pixels, at most
TALLEST = 420


def replayed(ask: Callable[..., WhatIf]) -> WhatIf:
    """The answer to a question that takes seconds, which is asked with `on_progress`. Raises what that raises."""
    bar = st.progress(0.0, "Replaying recorded exceptions")

    def told(done: int, total: int) -> None:
        bar.progress(done / total, f"Replaying recorded exceptions, as it is and as it would be: {done:,} of {total:,} replays")

    try:
        return ask(on_progress=told)
    finally:
        bar.empty()


def show_found(found: WhatIf, key: str, change: str) -> None:
    """Show what was found; `change` is what both sides differ by, such as "the draft"."""
    show(headline(found) + broken(found) + money_table(found))
    if not found.flips:
        return
    money, text = st.column_config.NumberColumn(format="dollar", width=85), st.column_config.TextColumn
    event = st.dataframe(
        safe(flip_rows(found.flips)), key=key, hide_index=True, row_height=29,
        height=min(TALLEST, 38 + 29 * len(found.flips)), on_select="rerun", selection_mode="single-row",
        column_config={
            "Case": text(width=105), "Subject": text(width=75), "Mission": text(width=145), "Verdict": text(width=190),
            "Approval": text(width=150), "At stake now": money, "At stake then": money, "Because of": text(width=75),
        },
    )  # fmt: skip
    rows = event["selection"]["rows"]
    if not rows:
        st.caption("Choose a case to see both plans.")
        return
    flip = found.flips[rows[0]]
    before, after = st.columns(2, gap="medium")
    with before:
        show(answer_card("with the present version", flip.before, flip.after))
    with after:
        show(answer_card(f"with {change}", flip.after, flip.before))
