"""A list of cases at the left, one of them at the right; and the address (`?case=…`) that says which."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard.markup import markup
from dashboard.text import plain
from dashboard.views.evaluations import mission_title
from graphs.spreadsheet import safe
from ledger.evaluations import EvaluationCase

_MOST_ROWS = 14
_HEIGHT_PX = 560
#: of the columns; the last one takes the rest
_WIDTHS = {"case": 95, "what happened": 105, "expected": 115, "given": 115, "A": 112, "B": 112}


def pick_case(rows: list[dict[str, Any]], ids: Sequence[str], key: str, draw: Callable[[str], None], nothing: str) -> None:
    """The list of cases at the left, and at the right the one that `?case` names, or the first."""
    asked = st.query_params.get("case") or (ids[0] if ids else "")
    left, right = st.columns([1.1, 1], gap="medium")
    with left:
        if not rows:
            st.text(nothing)
        else:
            default: Any = {"selection": {"rows": [ids.index(asked)]}} if asked in ids else None
            event = st.dataframe(
                safe(rows),
                hide_index=True,
                key=f"cases·{key}",
                on_select="rerun",
                selection_mode="single-row",
                selection_default=default,
                height=_HEIGHT_PX if len(rows) > _MOST_ROWS else "auto",
                column_config={name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()},
            )
            picked = [ids[row] for row in event["selection"]["rows"] if row < len(ids)]
            if picked and picked[0] != asked:
                go(case=picked[0])
    with right:
        if asked:
            draw(asked)


def case_head(case: EvaluationCase, told: str) -> Markup:
    """The title of a case."""
    title = plain(case.case_id, 80)
    return markup('<h3 class="m-eval-h">{} <span class="m-dim">{} · {}</span></h3>', title, mission_title(case.mission), told)


def pick_group(parameter: str, groups: Mapping[str, str], asked: str, key: str) -> None:
    """Which cases are listed: a choice of groups, each with what it is called, that stands in the address."""
    picked = st.segmented_control(
        "Cases",
        list(groups),
        format_func=lambda one: groups[one],
        default=asked,
        required=True,
        key=f"{parameter}·{key}·{asked}",
    )
    if picked and picked != asked:
        go(**{parameter: picked})


def known(parameter: str, options: Sequence[str]) -> str:
    asked = st.query_params.get(parameter, "")
    return asked if asked in options else options[0]


def go(**parameters: str) -> None:
    """Change the address, and draw what it says; empty values leave it."""
    st.query_params.from_dict({name: value for name, value in {**st.query_params, **parameters}.items() if value})
    st.rerun()
