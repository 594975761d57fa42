"""The list of what waits, as a component of ours: rows of two lines that are text, keys J and K, ticks."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

_STATIC = Path(__file__).parent / "static"


@lru_cache(maxsize=1)
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "missions.queue_list",
        html='<ul class="list" role="listbox" tabindex="0" aria-label="What waits"></ul>',
        css=(_STATIC / "queue-list.css").read_text(),
        js=(_STATIC / "queue-list.js").read_text(),
    )


def queue_list(
    rows: Sequence[Mapping[str, Any]],
    open_: str,
    ticked: Sequence[str],
    on_open: Callable[[str], None],
    on_ticked: Callable[[list[str]], None],
) -> None:
    """Draw the rows of `dashboard.views.queue.listed`; `on_open` gets a row's id, `on_ticked` all that are ticked."""
    key = "queue_list"

    def told(name: str, tell: Callable[[Any], None]) -> None:
        value = getattr(st.session_state.get(key), name, None)
        if value is not None:
            tell(value)

    _component()(
        key=key,
        data={"rows": list(rows), "open": open_, "ticked": list(ticked)},
        on_open_change=lambda: told("open", on_open),
        on_ticked_change=lambda: told("ticked", on_ticked),
    )
