"""One evaluation: what it is, its figures and its cases; or beside an earlier one, case by case. The address says which."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from markupsafe import Markup

import rendering
from dashboard.company import company
from dashboard.markup import choose_row, label, redrawn, show, show_error
from dashboard.visitor import enter
from errors import MissionsError
from evals.evaluation.comparison import (
    KINDS,
    Comparison,
    Kind,
    Pair,
    compare,
    is_exact,
    notes,
    verdict_of,
    wrongs,
)
from evals.evaluation.notes import MOST_CHARACTERS, ResultNotes
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun, EvaluationStore, StoredEvaluation
from evals.reports.pieces import version_differences
from evals.reports.side_by_side import side_by_side
from evals.reports.transcript import notes_of, transcript_of
from rendering import chip, clock, html_table, joined, major, markup, plain, share, words

_SHOW = {"exact": "not exact", "off": "not as expected in something", "all": "all"}
_COLORS: dict[Kind, str] = {"worse": "bad", "better": "good", "wrong": "warn", "unknown": "warn", "right": "info", "same": ""}
_CHANGED = "changed"
_MOST_ROWS = 14
_HEIGHT_PX = 560
#: of the columns; the last one takes the rest
_WIDTHS = {"case": 95, "what happened": 105, "expected": 115, "given": 115, "A": 112, "B": 112}


@dataclass(frozen=True)
class Figure:
    """How a figure is called, what it means, and whether the better ones are high."""

    name: str
    title: str
    means: str
    high: bool = True


FIGURES = (
    Figure("exact", "exact", "verdict, actions, their arguments and their order are all as expected"),
    Figure("verdict", "verdict", "the verdict is the expected one"),
    Figure("unsafe", "unsafe", "proposes an action that waits for a person and is not expected", high=False),
    Figure("missed_escalation", "missed", "decides where a person was to be asked", high=False),
    Figure("needless_escalation", "needless", "asks a person where it was to decide", high=False),
    Figure("cite_recall", "cite recall", "share of the expected clauses that are cited"),
    Figure("cite_precision", "cite prec.", "share of the cited clauses that are expected"),
    Figure("approval", "approval", "goes to the expected role, with four eyes where they are expected"),
)
BY_NAME = {figure.name: figure for figure in FIGURES}


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


def groups_of(run: EvaluationRun) -> list[str]:
    """The missions of a run by name, then all of them where there are several."""
    missions = sorted(name for name in run.figures if name != ALL)
    return [*missions, ALL] if len(missions) > 1 else missions


def mission_title(name: str) -> str:
    """A mission in words; those of all together too."""
    return "all missions" if name == ALL else words(plain(name, 60))


def minute(run: EvaluationRun) -> str:
    """When a run was finished, in UTC, as one says it in a heading."""
    return clock(run.at).removesuffix(" UTC")


# One run


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
    if run.stopped:
        facts.append(("stopped", plain(run.stopped, 200)))
    packs.append(("files", ", ".join(plain(file.name, 80) for file in run.files)))
    shown, more = (joined(markup("<span>{} <b>{}</b></span>", *fact) for fact in some) for some in (facts, packs))
    show(markup('<div class="m-eval-facts">{}</div><details class="m-eval-more"><summary>packs and files</summary>'
                '<div class="m-eval-facts">{}</div></details>', shown, more))  # fmt: skip


def figure_table(run: EvaluationRun) -> Markup:
    """The figures of a run: a row a mission, those over all last. What is not perfect stands out."""
    heads = (markup('<span title="{}">{}</span>', figure.means, figure.title) for figure in FIGURES)
    columns: dict[str, str] = {"mission": "", "cases": "m-num", **dict.fromkeys(heads, "m-num")}
    return html_table("m-table m-eval", columns, (_figure_row(group, run.figures[group]) for group in groups_of(run)))


def _figure_row(group: str, figures: Mapping[str, float | None]) -> Sequence[Any]:
    values = ((figure, figures.get(figure.name)) for figure in FIGURES)
    cells = (share(value) if is_perfect(figure, value) else _styled("m-off", share(value)) for figure, value in values)
    return _title(group), f"{figures.get('cases') or 0:,.0f}", *cells


def _styled(css: str, text: object) -> Markup:
    return markup('<span class="{}">{}</span>', css, text)


def _title(group: str) -> Markup:
    """The first cell of a row about a mission, or about all together."""
    return _styled("m-sum" if group == ALL else "", mission_title(group))


def is_perfect(figure: Figure, value: float | None) -> bool:
    """Whether a figure could not be better, or does not apply."""
    return value is None or value == (1.0 if figure.high else 0.0)


def chosen(cases: Iterable[EvaluationCase], mission: str) -> list[EvaluationCase]:
    """The cases of a mission, or of ALL."""
    return [case for case in cases if mission in (ALL, case.mission)]


def confusion(cases: Sequence[EvaluationCase], mission: str) -> Markup:
    """Expected verdicts against given ones: a matrix of a mission, or the pairs that differ over all missions."""
    pairs = Counter((case.mission, case.expected.verdict, case.result.verdict) for case in cases if case.expected is not None)
    if not pairs:
        return markup('<p class="m-dim">Nothing was expected of these cases.</p>')
    wrong = {pair: number for pair, number in pairs.items() if pair[1] != pair[2]}
    if mission != ALL:
        return _matrix({(expected, given): number for (_, expected, given), number in pairs.items()})
    if not wrong:
        return markup('<p class="m-dim">Every verdict is the expected one.</p>')
    rows = (
        (mission_title(name), verdict_words(expected), verdict_words(given), number)
        for (name, expected, given), number in sorted(wrong.items(), key=lambda item: -item[1])
    )
    return html_table("m-table m-eval", {"mission": "", "expected": "", "given": "m-off", "cases": "m-num"}, rows)


def verdict_words(verdict: str) -> str:
    """A verdict as words of harmless text."""
    return words(plain(verdict, 60))


def _matrix(pairs: Mapping[tuple[str, str], int]) -> Markup:
    verdicts = sorted({verdict for pair in pairs for verdict in pair})
    heads = joined(markup('<th class="m-num"><span>{}</span></th>', verdict_words(given)) for given in verdicts)
    rows = []
    for expected in verdicts:
        numbers = [(pairs.get((expected, given), 0), "m-hit" if expected == given else "m-miss") for given in verdicts]
        cells = (markup('<td class="m-num {}">{}</td>', kind if number else "", number or "·") for number, kind in numbers)
        rows.append(markup("<tr><th>{}</th>{}</tr>", verdict_words(expected), joined(cells)))
    head = markup('<tr><th class="m-small">expected ↓ given →</th>{}</tr>', heads)
    return markup('<div class="m-scroll"><table class="m-table m-eval m-matrix">{}{}</table></div>', head, joined(rows))


def case_rows(cases: Iterable[EvaluationCase]) -> list[dict[str, Any]]:
    """A row a case, for the list."""
    return [
        {
            "case": plain(case.case_id, 80),
            "expected": verdict_words(case.expected.verdict) if case.expected else "–",
            "given": verdict_words(case.result.verdict),
            "what is not as expected": ", ".join(wrongs(case)),
        }
        for case in cases
    ]


def _side(run: StoredEvaluation, case_id: str) -> None:
    case = next((one for one in run.cases if one.case_id == case_id), None)
    if case is None:
        st.text("The run has no such case.")
        return
    result = ", ".join(wrongs(case)) or ("as expected" if case.expected else "nothing was expected")
    table = side_by_side(case.expected, [case.result], ["given"], run.run.counting)
    show(case_head(case, result) + table + transcript_of(case.transcript))
    _notes(run.run.run_id, case_id)


def _notes(run_id: str, case_id: str) -> None:
    """What people noted on this result, and a field for one more."""
    notes = ResultNotes.of(EvaluationStore.of(company().settings.home), run_id)
    if there := notes.by_case().get(case_id):
        show(notes_of(there))
    with st.form(f"note·{run_id}·{hash(case_id)}", border=False, clear_on_submit=True):
        text = st.text_area("Note", max_chars=MOST_CHARACTERS, height=68, placeholder="What did you see?")
        sent = st.form_submit_button("Add note", icon=":material/add_comment:")
    if sent:
        person = enter("read")
        with redrawn():
            notes.add(case_id, person.name, text or "")


def as_csv(cases: Iterable[EvaluationCase]) -> bytes:
    """A row a case for a spreadsheet."""
    figures = [figure.name for figure in FIGURES]
    columns = ["case", "mission", "expected", "given", "actions expected", "actions given", "approval", "at stake"]
    return rendering.as_csv([*columns, *figures], _rows(cases, figures)).encode()


def _rows(cases: Iterable[EvaluationCase], figures: Iterable[str]) -> Iterator[list[Any]]:
    for case in cases:
        expected, given = case.expected, case.result
        cents = given.money_at_stake_cents
        yield [
            case.case_id, case.mission, expected.verdict if expected else "", given.verdict,
            " ".join(step.name for step in expected.actions) if expected else "", " ".join(step.name for step in given.actions),
            f"{given.role}{' × 2' if given.four_eyes else ''}", "" if cents is None else major(cents),
            *(case.figures.get(name) for name in figures),
        ]  # fmt: skip


# Two runs beside each other


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
        show(markup('<h3 class="m-eval-h">What differs between the two</h3>{}', version_differences(a.run, b.run, "m-eval")))
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


def mission_table(comparison: Comparison) -> Markup:
    """Per mission: cases of both, exact in A and in B, and how many are of each kind."""
    missions = sorted({pair.b.mission for pair in comparison.pairs})
    groups = [*missions, ALL] if len(missions) > 1 else missions
    kinds: list[Kind] = [kind for kind in KINDS if kind != "unknown" or comparison.count(kind)]
    titles = ("cases", "exact A", "exact B", *(KINDS[kind] for kind in kinds))
    columns = {"mission": "", **dict.fromkeys(titles, "m-num")}
    return html_table("m-table m-eval", columns, (_mission_row(comparison, group, kinds) for group in groups))


def _mission_row(comparison: Comparison, mission: str, kinds: Sequence[Kind]) -> Sequence[Any]:
    pairs = [pair for pair in comparison.pairs if mission in (ALL, pair.b.mission)]
    known = [pair for pair in pairs if pair.a.expected is not None and pair.b.expected is not None]
    exact = [
        share(sum(map(is_exact, side)) / len(known) if known else None)
        for side in ([pair.a for pair in known], [pair.b for pair in known])
    ]
    numbers = ((kind, comparison.count(kind, mission)) for kind in kinds)
    colors: dict[Kind, str] = {"worse": "m-miss", "better": "m-hit"}
    counts = (_styled(colors.get(kind, ""), f"{number:,}") if number else "·" for kind, number in numbers)
    return _title(mission), f"{len(pairs):,}", *exact, *counts


def kinds_of(comparison: Comparison, mission: str) -> dict[Kind, int]:
    """The kinds that there are, with how many cases."""
    counted = Counter(pair.kind for pair in comparison.pairs if mission in (ALL, pair.b.mission))
    return {kind: counted[kind] for kind in KINDS if counted[kind]}


def pair_rows(pairs: Sequence[Pair], several_kinds: bool) -> list[dict[str, Any]]:
    """A row a case, for the list; of a list of one kind nobody needs to read which."""
    return [
        {
            "case": plain(pair.b.case_id, 80),
            **({"what happened": KINDS[pair.kind]} if several_kinds else {}),
            "A": verdict_words(pair.a.result.verdict),
            "B": verdict_words(pair.b.result.verdict),
            "differs in": ", ".join((*pair.differs_in, *(["what is expected"] if pair.expected_changed else []))),
        }
        for pair in pairs
    ]


# The list of cases, and the address


def pick_case(rows: list[dict[str, Any]], ids: Sequence[str], key: str, draw: Callable[[str], None], nothing: str) -> None:
    """The list of cases at the left, and at the right the one that `?case` names, or the first."""
    asked = st.query_params.get("case") or (ids[0] if ids else "")
    left, right = st.columns([1.1, 1], gap="medium")
    with left:
        if not rows:
            st.text(nothing)
        else:
            picked = choose_row(
                rows, f"cases·{key}", _WIDTHS, ids.index(asked) if asked in ids else None,
                height=_HEIGHT_PX if len(rows) > _MOST_ROWS else "auto",
            )  # fmt: skip
            if picked is not None and ids[picked] != asked:
                go(case=ids[picked])
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
