"""Evaluations: the runs of the harness and their figures over time; one run opened; two compared case by case.

`?run=…` opens a run, `&with=…` compares it with an earlier one, `&case=…` shows one case side by side.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.company import Evaluate, company
from dashboard.evaluation import BY_NAME, FIGURES, draw_run, go, groups_of, mission_title, show_faults
from dashboard.markup import label, show
from dashboard.visitor import enter
from errors import MissionsError
from evals.evaluation.store import ALL, EvaluationRun, EvaluationStore
from rendering import clock, markup, plain, safe

_TICK_S = 0.7
_MOST_ROWS = 10
_HEIGHT_PX = 380
#: of the missions, to be told apart on light and on dark; that of all together is grey
_COLORS = ["#3b82d6", "#e07b39", "#2fa37c", "#b565c9", "#c9a227", "#d6526b", "#4fb3c9", "#8a9a3b"]
_GREY = "#8b8b96"


@dataclass
class Progress:
    """How far the evaluation of this process is."""

    running: bool = False
    done: int = 0
    total: int = 0
    failed: str = ""
    lock: Lock = field(default_factory=Lock)


@st.cache_resource
def _progress() -> Progress:
    return Progress()


def start(evaluate: Evaluate, by: str, progress: Progress) -> bool:
    """Start it in the background; False where one is running already."""
    with progress.lock:
        if progress.running:
            return False
        progress.running, progress.done, progress.total, progress.failed = True, 0, 0, ""
    Thread(target=_work, args=(evaluate, by, progress), name="evaluate", daemon=True).start()
    return True


def _work(evaluate: Evaluate, by: str, progress: Progress) -> None:
    def on_progress(done: int, total: int) -> None:
        progress.done, progress.total = done, total

    try:
        evaluate(by, on_progress)
    except MissionsError as error:
        progress.failed = str(error)
    except Exception as error:  # a defect must be seen where it was asked for, not in a thread that is gone
        progress.failed = f"The evaluation failed ({type(error).__name__}: {error}); nothing was kept."
        raise
    finally:
        progress.running = False


def start_button() -> None:
    """The button, or how far what it started is."""
    evaluate = company().tools.evaluate
    if evaluate is None:
        return
    progress = _progress()
    if progress.running:
        st.fragment(_watch, run_every=_TICK_S)()
        return
    if progress.failed:
        st.error(label(progress.failed, 400))
    if st.button("Run the recorded exceptions now", icon=":material/play_arrow:"):
        person = company().desk.require(enter("read").name, "read")
        start(evaluate, person.name, progress)
        st.rerun()


def _watch() -> None:
    progress = _progress()
    if not progress.running:
        st.rerun()
    share = progress.done / progress.total if progress.total else 0.0
    text = f"{progress.done:,} of {progress.total:,} cases" if progress.total else "Opening policies, packs and phrasings…"
    st.progress(share, text, width=320)


def draw() -> None:
    """The page."""
    enter("read")
    store = EvaluationStore.of(company().settings.home)
    kept = store.runs()
    with st.container(key="evaluations"):
        if st.query_params.get("run") and kept.runs:
            draw_run(store, kept.runs)
            return
        head = st.container(horizontal=True, vertical_alignment="center", key="evaluations_head")
        with head:
            show(markup('<h2 class="m-eval-title">Evaluations</h2>'))
            start_button()
        show_faults(kept.faults)
        if not kept.runs:
            st.text("No evaluation was kept yet: run the recorded exceptions now, or with “make eval”.")
            return
        _runs(kept.runs, head)
        _chart(kept.runs)


def _runs(runs: Sequence[EvaluationRun], above: DeltaGenerator) -> None:
    """The list. A click on a line opens its run; two that are ticked can be compared."""
    rows = run_rows(runs)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    figures = {
        figure.title: number(format="%.1f%%", help=figure.means, width=76 if "cite" in figure.title else 70) for figure in FIGURES
    }
    event = st.dataframe(
        safe(rows), hide_index=True, key="evaluation_runs", on_select="rerun", selection_mode=["multi-row", "single-cell"],
        height=_HEIGHT_PX if len(rows) > _MOST_ROWS else "auto", placeholder="–",
        column_config={
            "when": st.column_config.DatetimeColumn("when (UTC)", format="MMM D, YYYY, h:mm A", timezone="UTC", width=158),
            "cases": number(format="localized", width=58), **figures, "seconds": number(format="%.1f", width=68),
            "by": text(width=60), "code": text(help="the git commit, with + where files were changed"),
        },
    )  # fmt: skip
    ticked = [runs[row] for row in event["selection"]["rows"] if row < len(runs)]
    clicked = [runs[row] for row, _ in event["selection"]["cells"] if row < len(runs)]
    with above:
        if len(ticked) == 2:
            after, before = sorted(ticked, key=lambda run: run.at, reverse=True)
            if st.button("Compare these two", type="primary", icon=":material/compare_arrows:"):
                go(run=after.run_id, **{"with": before.run_id})
        elif len(ticked) == 1:
            st.caption("Tick one more to compare two.")
        else:
            st.caption("Click a line to open the run, or tick two to compare them.")
    if clicked and not ticked:
        go(run=clicked[0].run_id)


def run_rows(runs: Sequence[EvaluationRun]) -> list[dict[str, Any]]:
    """A row a run; shares from 0 to 100, None where a figure applies to no case."""
    return [
        {
            "when": run.at,
            "cases": run.cases,
            **{
                figure.title: None if (value := run.figures.get(ALL, {}).get(figure.name)) is None else value * 100
                for figure in FIGURES
            },
            "seconds": round(run.seconds, 1),
            "by": plain(run.by, 60),
            "code": plain(run.versions.get("code", "").replace(" with changes", "+"), 40),
        }
        for run in runs
    ]


def _chart(runs: Sequence[EvaluationRun]) -> None:
    """One figure over all runs, a line a mission."""
    missions = list(dict.fromkeys(name for run in runs for name in groups_of(run)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.segmented_control(
            "Figure over time", list(BY_NAME), format_func=lambda one: BY_NAME[one].title, default="exact", required=True,
            key="evaluation_figure",
        )  # fmt: skip
        wanted = st.multiselect(
            "Missions", missions, format_func=lambda one: label(mission_title(one)), placeholder="all of them",
            key="evaluation_missions", width=300,
        )  # fmt: skip
    figure = BY_NAME[name or "exact"]
    titles = {mission_title(one) for one in wanted or missions}
    rows = [row for row in over_time(runs, figure.name) if row["mission"] in titles]
    st.caption(f"{figure.title}: {figure.means}; percent of the cases, the {'higher' if figure.high else 'lower'} the better.")
    if rows:
        st.altair_chart(_lines(rows, figure.high), height=250)


def over_time(runs: Sequence[EvaluationRun], figure: str) -> list[dict[str, Any]]:
    """[{"run": number from the oldest, "when": str, "mission": str, "value": percent}], for a chart."""
    return [
        {"run": number, "when": clock(run.at), "mission": mission_title(group), "value": value * 100}
        for number, run in enumerate(sorted(runs, key=lambda one: one.at), start=1)
        for group, figures in run.figures.items()
        if (value := figures.get(figure)) is not None
    ]


def _lines(rows: list[dict[str, Any]], high: bool) -> Any:
    values = [row["value"] for row in rows]
    # a stretch at least five points wide: noise of a tenth must not look like a fall
    scale = [max(0.0, min(*values, 95.0) - 1), 100.5] if high else [-0.25, min(100.0, max(*values, 5.0) + 1)]
    days = json.dumps(list({row["run"]: row["when"].split(",")[0] for row in rows}.values()))
    first = min(row["run"] for row in rows)
    names = sorted({row["mission"] for row in rows} - {mission_title(ALL)})
    colors = alt.Scale(domain=[*names, mission_title(ALL)], range=[*(_COLORS * len(names))[: len(names)], _GREY])
    data = alt.Data(values=rows)  # type: ignore[no-untyped-call]
    base = alt.Chart(data).encode(
        x=alt.X("run:O", title=None, axis=alt.Axis(labelExpr=f"{days}[datum.value - {first}]", labelAngle=0, labelOverlap=True)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=scale, nice=False, clamp=True)),
        color=alt.Color("mission:N", title=None, scale=colors, legend=alt.Legend(orient="right", labelLimit=220)),
        tooltip=[alt.Tooltip("when:N"), alt.Tooltip("mission:N"), alt.Tooltip("value:Q", format=".2f", title="percent")],
    )
    thick = alt.condition(alt.datum.mission == mission_title(ALL), alt.value(3.5), alt.value(1.6))
    return base.mark_line().encode(strokeWidth=thick) + base.mark_point(filled=True, size=55)
