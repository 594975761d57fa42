"""One evaluation opened: what it is, its figures, and its cases; or beside an earlier one."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.evaluation_cases import case_head, go, known, pick_case, pick_group
from dashboard.evaluation_compared import compared
from dashboard.markup import joined, markup, show
from dashboard.text import clock, label, plain, share, words
from dashboard.views.evaluation_export import as_csv
from dashboard.views.evaluations import (
    case_rows,
    chosen,
    confusion,
    figure_table,
    groups_of,
    minute,
    mission_title,
)
from errors import MissionsError
from graphs.comparison import is_exact, wrongs
from graphs.side_by_side import side_by_side
from ledger.evaluations import ALL, EvaluationRun, Opened, Shelf

_SHOW = {"exact": "not exact", "off": "not as expected in something", "all": "all"}


def opened(shelf: Shelf, runs: Sequence[EvaluationRun]) -> None:
    """What `?run` and `?with` name; a sentence where that is not there."""
    try:
        run = shelf.open(st.query_params["run"])
        earlier = shelf.open(st.query_params["with"]) if st.query_params.get("with") else None
    except MissionsError as error:
        st.error(label(error, 400), icon=":material/draft:")
        if st.button("All runs", icon=":material/arrow_back:"):
            go(run="", **{"with": "", "case": ""})
        return
    mission = _top(shelf, runs, run, earlier)
    for fault in [*run.faults, *(earlier.faults if earlier else [])]:
        st.warning(label(fault, 400), icon=":material/draft:")
    if earlier:
        compared(earlier, run, mission)
    else:
        _one(run, mission)


def _top(shelf: Shelf, runs: Sequence[EvaluationRun], run: Opened, earlier: Opened | None) -> str:
    """The line above: back, which run, beside which, which mission, and the run to take away. Returns the mission."""
    ids = [one.run_id for one in runs]
    names = {one.run_id: run_name(one) for one in runs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("", icon=":material/arrow_back:", help="All runs"):
            go(run="", **{"with": "", "case": ""})
        here, beside = run.run.run_id, earlier.run.run_id if earlier else ""
        b = _choice("B, the run" if earlier else "Run", ids, here, names)
        a = _choice(
            "A, compared with" if earlier else "Compared with",
            ["", *(one for one in ids if one != here)],
            beside,
            {**names, "": "nothing"},
        )
        missions = [ALL, *(name for name in groups_of(run.run) if name != ALL)]
        mission = _choice("Mission", missions, known("mission", missions), {name: mission_title(name) for name in missions}, 185)
        with st.popover("Take away", icon=":material/download:"):
            st.download_button("JSON lines", shelf.file(here).read_bytes(), f"evaluation-{here}.jsonl", "application/jsonl")
            st.download_button("CSV", as_csv(run.cases), f"evaluation-{here}.csv", "text/csv")
    if (b, a) != (here, beside):
        go(run=b, **{"with": a if a != b else ""})
    if mission != st.query_params.get("mission", ALL):
        go(mission="" if mission == ALL else mission)
    return mission


def _choice(title: str, options: Sequence[str], now: str, names: Mapping[str, str], width: int = 275) -> str:
    """A choice that follows the address: another `now` makes it another widget."""
    index = options.index(now) if now in options else 0
    picked = st.selectbox(title, options, index, format_func=lambda one: plain(names[one], 90), key=f"{title}·{now}", width=width)
    return picked or ""


def run_name(run: EvaluationRun) -> str:
    """A run in a list of choices."""
    return f"{minute(run)} · {share(run.figures.get(ALL, {}).get('exact'))} of {run.cases:,} exact"


def _one(run: Opened, mission: str) -> None:
    _facts(run.run)
    left, right = st.columns([1.45, 1], gap="medium")
    with left:
        show(markup('<h3 class="m-eval-h">Figures</h3>{}', figure_table(run.run)))
    with right:
        title = "Verdicts that differ" if mission == ALL else "Verdicts"
        show(markup('<h3 class="m-eval-h">{}</h3>{}', title, confusion(chosen(run.cases, mission), mission)))
    cases = chosen(run.cases, mission)
    groups = {"exact": [one for one in cases if not is_exact(one)], "off": [one for one in cases if wrongs(one)], "all": cases}
    asked = (
        known("show", list(_SHOW))
        if "show" in st.query_params
        else next(name for name in groups if groups[name] or name == "all")
    )
    key = f"{run.run.run_id}·{mission}"
    pick_group("show", {name: f"{title} ({len(groups[name]):,})" for name, title in _SHOW.items()}, asked, key)
    shown = groups[asked]
    pick_case(
        case_rows(shown), [one.case_id for one in shown], f"{key}·{asked}",
        lambda case_id: _side(run, case_id), "Every case is exactly as expected.",
    )  # fmt: skip


def _facts(run: EvaluationRun) -> None:
    """Who ran it when on what, and with which versions."""
    files = ", ".join(plain(file.name, 80) for file in run.files)
    facts = joined(
        markup("<span>{} <b>{}</b></span>", name, value)
        for name, value in (
            ("run", f"{clock(run.at)}{f' by {plain(run.by, 60)}' if run.by else ''}"),
            ("cases", f"{run.cases:,}"),
            ("took", f"{run.seconds:.1f} s, {run.cases / run.seconds:.0f} a second" if run.seconds else "–"),
            *(
                (words(plain(name, 60)), plain(value, 60))
                for name, value in run.versions.items()
                if not name.startswith("pack ") and value
            ),
        )
    )
    packs = [(words(plain(name, 60)), plain(value, 60)) for name, value in run.versions.items() if name.startswith("pack ")]
    further = joined(markup("<span>{} <b>{}</b></span>", *pack) for pack in packs)
    show(markup('<div class="m-eval-facts">{}</div><details class="m-eval-more"><summary>packs and files</summary>'
                '<div class="m-eval-facts">{}<span>files <b>{}</b></span></div></details>', facts, further, files))  # fmt: skip


def _side(run: Opened, case_id: str) -> None:
    case = next((one for one in run.cases if one.case_id == case_id), None)
    if case is None:
        st.text("The run has no such case.")
        return
    told = ", ".join(wrongs(case)) or ("as expected" if case.expected else "nothing was expected")
    show(case_head(case, told) + side_by_side(case.expected, [case.result], ["given"], run.run.counting))
