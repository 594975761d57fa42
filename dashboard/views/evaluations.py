"""Evaluations as the page shows them: the runs, their figures over time, one run with its figures, verdicts and cases."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dashboard.markup import joined, markup
from dashboard.text import clock, plain, share, words
from graphs.comparison import wrongs
from ledger.evaluations import ALL, EvaluationCase, EvaluationRun


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


def run_rows(runs: Sequence[EvaluationRun]) -> list[dict[str, Any]]:
    """A row a run; shares from 0 to 100, None where a figure applies to no case."""
    return [
        {
            "when": run.at,
            "cases": run.cases,
            **{figure.title: _percent(run.figures.get(ALL, {}).get(figure.name)) for figure in FIGURES},
            "seconds": round(run.seconds, 1),
            "by": plain(run.by, 60),
            "code": plain(run.versions.get("code", "").replace(" with changes", "+"), 40),
        }
        for run in runs
    ]


def over_time(runs: Sequence[EvaluationRun], figure: str) -> list[dict[str, Any]]:
    """[{"run": number from the oldest, "when": str, "mission": str, "value": per cent}], for a chart."""
    rows = []
    for number, run in enumerate(sorted(runs, key=lambda one: one.at), start=1):
        for group, figures in run.figures.items():
            value = figures.get(figure)
            if value is not None:
                rows.append({"run": number, "when": clock(run.at), "mission": mission_title(group), "value": value * 100})
    return rows


def figure_table(run: EvaluationRun) -> Markup:
    """The figures of a run: a row a mission, those over all last. What is not perfect stands out."""
    heads = joined(markup('<th class="m-num" title="{}">{}</th>', figure.means, figure.title) for figure in FIGURES)
    rows = joined(_figure_row(group, run.figures[group]) for group in groups_of(run))
    head = markup('<tr><th>mission</th><th class="m-num">cases</th>{}</tr>', heads)
    return markup('<table class="m-table m-eval">{}{}</table>', head, rows)


def groups_of(run: EvaluationRun) -> list[str]:
    """The missions of a run by name, then all of them where there are several."""
    missions = sorted(name for name in run.figures if name != ALL)
    return [*missions, ALL] if len(missions) > 1 else missions


def mission_title(name: str) -> str:
    """A mission in words; those of all together too."""
    return "all missions" if name == ALL else words(plain(name, 60))


def _figure_row(group: str, figures: Mapping[str, float | None]) -> Markup:
    cells = joined(
        markup('<td class="m-num {}">{}</td>', "" if is_perfect(figure, value) else "m-off", share(value))
        for figure in FIGURES
        for value in [figures.get(figure.name)]
    )
    name = markup('<td class="{}">{}</td>', "m-sum" if group == ALL else "", mission_title(group))
    return markup('<tr>{}<td class="m-num">{}</td>{}</tr>', name, f"{figures.get('cases') or 0:,.0f}", cells)


def minute(run: EvaluationRun) -> str:
    """When a run was finished, in UTC, as one says it in a heading."""
    return clock(run.at).removesuffix(" UTC")


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
        return markup('<p class="m-dim">All {} verdicts are the expected ones.</p>', f"{pairs.total():,}")
    rows = joined(
        markup(
            '<tr><td>{}</td><td>{}</td><td class="m-off">{}</td><td class="m-num">{}</td></tr>',
            mission_title(name), verdict_words(expected), verdict_words(given), number,
        )
        for (name, expected, given), number in sorted(wrong.items(), key=lambda item: -item[1])
    )  # fmt: skip
    head = markup('<tr><th>mission</th><th>expected</th><th>given</th><th class="m-num">cases</th></tr>')
    return markup('<table class="m-table m-eval">{}{}</table>', head, rows)


def verdict_words(verdict: str) -> str:
    """A verdict as words of harmless text."""
    return words(plain(verdict, 60))


def _matrix(pairs: Mapping[tuple[str, str], int]) -> Markup:
    verdicts = sorted({verdict for pair in pairs for verdict in pair})
    heads = joined(markup('<th class="m-num"><span>{}</span></th>', verdict_words(given)) for given in verdicts)
    rows = joined(
        markup(
            "<tr><th>{}</th>{}</tr>",
            verdict_words(expected),
            joined(_cell(pairs.get((expected, given), 0), expected == given) for given in verdicts),
        )
        for expected in verdicts
    )
    head = markup('<tr><th class="m-small">expected ↓ given →</th>{}</tr>', heads)
    return markup('<div class="m-scroll"><table class="m-table m-eval m-matrix">{}{}</table></div>', head, rows)


def _cell(number: int, right: bool) -> Markup:
    kind = "" if not number else "m-hit" if right else "m-miss"
    return markup('<td class="m-num {}">{}</td>', kind, number or "·")


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


def _percent(value: float | None) -> float | None:
    return None if value is None else value * 100
