"""One evaluation: what it is, its figures and its cases; or beside an earlier one, case by case. The address says which."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st
from markupsafe import Markup

from dashboard.markup import chip, clock, joined, label, markup, plain, share, show, show_error, words
from dashboard.views.evaluations import (
    as_csv,
    case_rows,
    chosen,
    confusion,
    figure_table,
    groups_of,
    kinds_of,
    minute,
    mission_table,
    mission_title,
    pair_rows,
    version_table,
)  # fmt: skip
from errors import MissionsError
from evals.evaluation.comparison import KINDS, Comparison, Kind, Pair, compare, is_exact, notes, verdict_of, wrongs
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun, EvaluationStore, StoredEvaluation
from evals.reports.side_by_side import side_by_side
from rendering import safe

_SHOW = {"exact": "not exact", "off": "not as expected in something", "all": "all"}
_COLORS: dict[Kind, str] = {"worse": "bad", "better": "good", "wrong": "warn", "unknown": "warn", "right": "info", "same": ""}
_CHANGED = "changed"
_MOST_ROWS = 14
_HEIGHT_PX = 560
#: of the columns; the last one takes the rest
_WIDTHS = {"case": 95, "what happened": 105, "expected": 115, "given": 115, "A": 112, "B": 112}


def draw_run(store: EvaluationStore, runs: Sequence[EvaluationRun]) -> None:
    """What `?run` and `?with` name; a sentence where that is not there."""
    try:
        run = store.open(st.query_params["run"])
        earlier = store.open(st.query_params["with"]) if st.query_params.get("with") else None
    except MissionsError as error:
        show_error(error)
        if st.button("All runs", icon=":material/arrow_back:"):
            go(run="", **{"with": "", "case": ""})
        return
    mission = _top(store, runs, run, earlier)
    show_faults([*run.faults, *(earlier.faults if earlier else [])])
    if earlier:
        draw_comparison(earlier, run, mission)
    else:
        _one(run, mission)


def _top(store: EvaluationStore, runs: Sequence[EvaluationRun], run: StoredEvaluation, earlier: StoredEvaluation | None) -> str:
    """The line above: back, which run, beside which, which mission, and the run to take away. Returns the mission."""
    names = {one.run_id: run_name(one) for one in runs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("", icon=":material/arrow_back:", help="All runs"):
            go(run="", **{"with": "", "case": ""})
        here, beside = run.run.run_id, earlier.run.run_id if earlier else ""
        b = _choice("B, the run" if earlier else "Run", list(names), here, names)
        others = {"": "nothing", **{one: name for one, name in names.items() if one != here}}
        a = _choice("A, compared with" if earlier else "Compared with", list(others), beside, others)
        missions = [ALL, *(name for name in groups_of(run.run) if name != ALL)]
        mission = _choice("Mission", missions, known("mission", missions), {name: mission_title(name) for name in missions}, 185)
        with st.popover("Export", icon=":material/download:"):
            st.download_button("JSON lines", store.file(here).read_bytes(), f"evaluation-{here}.jsonl", "application/jsonl")
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


def _one(run: StoredEvaluation, mission: str) -> None:
    _facts(run.run)
    left, right = st.columns([1.45, 1], gap="medium")
    with left:
        show(markup('<h3 class="m-eval-h">Figures</h3>{}', figure_table(run.run)))
    with right:
        title = "Verdicts that differ" if mission == ALL else "Verdicts"
        show(markup('<h3 class="m-eval-h">{}</h3>{}', title, confusion(chosen(run.cases, mission), mission)))
    cases = chosen(run.cases, mission)
    groups = {"exact": [one for one in cases if not is_exact(one)], "off": [one for one in cases if wrongs(one)], "all": cases}
    first = next(name for name in groups if groups[name] or name == "all")
    asked, key = known("show", list(_SHOW)) if "show" in st.query_params else first, f"{run.run.run_id}·{mission}"
    pick_group("show", {name: f"{title} ({len(groups[name]):,})" for name, title in _SHOW.items()}, asked, key)
    shown = groups[asked]
    pick_case(
        case_rows(shown), [one.case_id for one in shown], f"{key}·{asked}",
        lambda case_id: _side(run, case_id), "Every case is exactly as expected.",
    )  # fmt: skip


def _facts(run: EvaluationRun) -> None:
    """Who ran it when on what, and with which versions."""
    facts = [
        ("run", f"{clock(run.at)}{f' by {plain(run.by, 60)}' if run.by else ''}"),
        ("cases", f"{run.cases:,}"),
        ("took", f"{run.seconds:.1f} s, {run.cases / run.seconds:.0f} a second" if run.seconds else "–"),
    ]
    packs: list[tuple[str, str]] = []
    for name, value in run.versions.items():
        if name.startswith("pack ") or value:
            (packs if name.startswith("pack ") else facts).append((words(plain(name, 60)), plain(value, 60)))
    packs.append(("files", ", ".join(plain(file.name, 80) for file in run.files)))
    shown, more = (joined(markup("<span>{} <b>{}</b></span>", *fact) for fact in some) for some in (facts, packs))
    show(markup('<div class="m-eval-facts">{}</div><details class="m-eval-more"><summary>packs and files</summary>'
                '<div class="m-eval-facts">{}</div></details>', shown, more))  # fmt: skip


def _side(run: StoredEvaluation, case_id: str) -> None:
    case = next((one for one in run.cases if one.case_id == case_id), None)
    if case is None:
        st.text("The run has no such case.")
        return
    result = ", ".join(wrongs(case)) or ("as expected" if case.expected else "nothing was expected")
    show(case_head(case, result) + side_by_side(case.expected, [case.result], ["given"], run.run.counting))


def draw_comparison(a: StoredEvaluation, b: StoredEvaluation, mission: str) -> None:
    """The comparison of b with the earlier a; the cases of one mission, or of ALL."""
    comparison = compare(a.cases, b.cases)
    kinds = kinds_of(comparison, ALL)
    chips = joined(chip(f"{number:,} {KINDS[kind]}", _COLORS[kind]) + markup(" ") for kind, number in kinds.items())
    show(markup('<p class="m-eval-said">{}</p><div>{}</div>', verdict_of(comparison), chips))
    for note in notes(comparison):
        st.caption(label(note, 400))
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        show(markup('<h3 class="m-eval-h">Cases by mission</h3>{}', mission_table(comparison)))
    with right:
        show(markup('<h3 class="m-eval-h">What differs between the two</h3>{}', version_table(a.run, b.run)))
    _compared_cases(a, b, comparison, mission)


def _compared_cases(a: StoredEvaluation, b: StoredEvaluation, comparison: Comparison, mission: str) -> None:
    pairs = [pair for pair in comparison.pairs if mission in (ALL, pair.b.mission)]
    kinds = kinds_of(comparison, mission)
    changed = sum(number for kind, number in kinds.items() if kind != "same")
    counts = {_CHANGED: changed, **{str(kind): number for kind, number in kinds.items()}}
    asked, key = known("kind", list(counts)), f"{a.run.run_id}·{b.run.run_id}·{mission}"
    titles: dict[str, str] = {_CHANGED: "all that changed", **{str(kind): title for kind, title in KINDS.items()}}
    pick_group("kind", {kind: f"{titles[kind]} ({number:,})" for kind, number in counts.items()}, asked, key)
    shown = [pair for pair in pairs if asked == pair.kind or (asked == _CHANGED and pair.kind != "same")]
    pick_case(
        pair_rows(shown, asked == _CHANGED), [pair.b.case_id for pair in shown], f"{key}·{asked}",
        lambda case_id: _compared_case(a, b, comparison.pairs, case_id), "Both gave the same in every case.",
    )  # fmt: skip


def _compared_case(a: StoredEvaluation, b: StoredEvaluation, pairs: Sequence[Pair], case_id: str) -> None:
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
                safe(rows), hide_index=True, key=f"cases·{key}", on_select="rerun", selection_mode="single-row",
                selection_default=default, height=_HEIGHT_PX if len(rows) > _MOST_ROWS else "auto",
                column_config={name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()},
            )  # fmt: skip
            picked = [ids[row] for row in event["selection"]["rows"] if row < len(ids)]
            if picked and picked[0] != asked:
                go(case=picked[0])
    with right:
        if asked:
            draw(asked)


def case_head(case: EvaluationCase, result: str) -> Markup:
    """The title of a case."""
    title = plain(case.case_id, 80)
    return markup('<h3 class="m-eval-h">{} <span class="m-dim">{} · {}</span></h3>', title, mission_title(case.mission), result)


def show_faults(faults: Iterable[str]) -> None:
    """What of the kept evaluations could not be read."""
    for fault in faults:
        st.warning(label(fault, 400), icon=":material/draft:")


def pick_group(parameter: str, groups: Mapping[str, str], asked: str, key: str) -> None:
    """Which cases are listed: a choice of groups, each with what it is called, that stands in the address."""
    key = f"{parameter}·{key}·{asked}"
    picked = st.segmented_control("Cases", list(groups), format_func=groups.__getitem__, default=asked, required=True, key=key)
    if picked and picked != asked:
        go(**{parameter: picked})


def known(parameter: str, options: Sequence[str]) -> str:
    asked = st.query_params.get(parameter, "")
    return asked if asked in options else options[0]


def go(**parameters: str) -> None:
    """Change the address, and draw what it says; empty values leave it."""
    st.query_params.from_dict({name: value for name, value in {**st.query_params, **parameters}.items() if value})
    st.rerun()
