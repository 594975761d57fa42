"""Two evaluations beside each other: which cases flipped, whether that is more than noise, one case in both."""

from collections.abc import Sequence

import streamlit as st

from dashboard.evaluation_cases import case_head, known, pick_case, pick_group
from dashboard.markup import chip, joined, markup, show
from dashboard.text import label
from dashboard.views.evaluation_comparison import kinds_of, mission_table, pair_rows, version_table
from dashboard.views.evaluations import minute
from graphs.comparison import KINDS, Comparison, Kind, Pair, compare, notes, verdict_of
from graphs.side_by_side import side_by_side
from ledger.evaluations import ALL, Opened

_COLOURS: dict[Kind, str] = {"worse": "bad", "better": "good", "wrong": "warn", "unknown": "warn", "right": "info", "same": ""}
_CHANGED = "changed"


def compared(a: Opened, b: Opened, mission: str) -> None:
    """The comparison of b with the earlier a; the cases of one mission, or of ALL."""
    comparison = compare(a.cases, b.cases)
    kinds = kinds_of(comparison, ALL)
    chips = joined(chip(f"{number:,} {KINDS[kind]}", _COLOURS[kind]) + markup(" ") for kind, number in kinds.items())
    show(markup('<p class="m-eval-said">{}</p><div>{}</div>', verdict_of(comparison), chips))
    for note in notes(comparison):
        st.caption(label(note, 400))
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        show(markup('<h3 class="m-eval-h">Cases by mission</h3>{}', mission_table(comparison)))
    with right:
        show(markup('<h3 class="m-eval-h">What differs between the two</h3>{}', version_table(a.run, b.run)))
    _cases(a, b, comparison, mission)


def _cases(a: Opened, b: Opened, comparison: Comparison, mission: str) -> None:
    pairs = [pair for pair in comparison.pairs if mission in (ALL, pair.b.mission)]
    kinds = kinds_of(comparison, mission)
    changed = sum(number for kind, number in kinds.items() if kind != "same")
    counts = {_CHANGED: changed, **{str(kind): number for kind, number in kinds.items()}}
    asked, key = known("kind", list(counts)), f"{a.run.run_id}·{b.run.run_id}·{mission}"
    pick_group("kind", {kind: f"{_title(kind)} ({number:,})" for kind, number in counts.items()}, asked, key)
    shown = [pair for pair in pairs if asked == pair.kind or (asked == _CHANGED and pair.kind != "same")]
    pick_case(
        pair_rows(shown, asked == _CHANGED),
        [pair.b.case_id for pair in shown],
        f"{key}·{asked}",
        lambda case_id: _side(a, b, comparison.pairs, case_id),
        "Both gave the same in every case.",
    )


def _title(kind: str) -> str:
    return next((title for known_kind, title in KINDS.items() if known_kind == kind), "all that changed")


def _side(a: Opened, b: Opened, pairs: Sequence[Pair], case_id: str) -> None:
    pair = next((one for one in pairs if one.b.case_id == case_id), None)
    if pair is None:
        st.text("The two runs have no such case in common.")
        return
    if pair.expected_changed:
        st.caption("What is expected was changed between the two; what B was measured by is shown.")
    counting = {**a.run.counting, **b.run.counting}
    titles = [f"A · {minute(a.run)}", f"B · {minute(b.run)}"]
    table = side_by_side(pair.b.expected, [pair.a.result, pair.b.result], titles, counting)
    show(case_head(pair.b, KINDS[pair.kind]) + table)
