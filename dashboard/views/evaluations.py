"""Evaluations as the page shows them: runs, figures over time, one run, two compared, and a row a case to take away."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

import rendering
from dashboard.markup import clock, html_table, joined, markup, plain, share, words
from evals.evaluation.comparison import KINDS, Comparison, Kind, Pair, differing_versions, is_exact, wrongs
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun


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


def over_time(runs: Sequence[EvaluationRun], figure: str) -> list[dict[str, Any]]:
    """[{"run": number from the oldest, "when": str, "mission": str, "value": per cent}], for a chart."""
    return [
        {"run": number, "when": clock(run.at), "mission": mission_title(group), "value": value * 100}
        for number, run in enumerate(sorted(runs, key=lambda one: one.at), start=1)
        for group, figures in run.figures.items()
        if (value := figures.get(figure)) is not None
    ]


def figure_table(run: EvaluationRun) -> Markup:
    """The figures of a run: a row a mission, those over all last. What is not perfect stands out."""
    heads = (markup('<span title="{}">{}</span>', figure.means, figure.title) for figure in FIGURES)
    columns: dict[str, str] = {"mission": "", "cases": "m-num", **dict.fromkeys(heads, "m-num")}
    return html_table("m-table m-eval", columns, (_figure_row(group, run.figures[group]) for group in groups_of(run)))


def groups_of(run: EvaluationRun) -> list[str]:
    """The missions of a run by name, then all of them where there are several."""
    missions = sorted(name for name in run.figures if name != ALL)
    return [*missions, ALL] if len(missions) > 1 else missions


def mission_title(name: str) -> str:
    """A mission in words; those of all together too."""
    return "all missions" if name == ALL else words(plain(name, 60))


def _figure_row(group: str, figures: Mapping[str, float | None]) -> Sequence[Any]:
    values = ((figure, figures.get(figure.name)) for figure in FIGURES)
    cells = (share(value) if is_perfect(figure, value) else _styled("m-off", share(value)) for figure, value in values)
    return _title(group), f"{figures.get('cases') or 0:,.0f}", *cells


def _styled(css: str, text: object) -> Markup:
    return markup('<span class="{}">{}</span>', css, text)


def _title(group: str) -> Markup:
    """The first cell of a row about a mission, or about all together."""
    return _styled("m-sum" if group == ALL else "", mission_title(group))


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


def version_table(a: EvaluationRun, b: EvaluationRun) -> Markup:
    """What differs in versions and files, or that nothing does."""
    differing = differing_versions(a, b)
    if not differing:
        return markup('<p class="m-dim">Nothing: the same code, policies, packs, catalogue and cases.</p>')
    rows = (
        (
            plain(name, 60) if name.startswith("file ") else words(plain(name, 60)),
            plain(before or "–", 60),
            plain(after or "–", 60),
        )
        for name, before, after in differing
    )
    return html_table("m-table m-eval", {"what": "", "A": "m-mono", "B": "m-mono"}, rows)


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
            f"{given.role}{' × 2' if given.four_eyes else ''}", "" if cents is None else round(cents / 100, 2),
            *(case.figures.get(name) for name in figures),
        ]  # fmt: skip
