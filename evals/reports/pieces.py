"""The pieces of a report, each a table or a list as Markup; `page.py` puts them together."""

from collections.abc import Sequence

from markupsafe import Markup

from evals.evaluation.comparison import KINDS, Comparison, Pair, differing_versions, is_exact, wrongs
from evals.evaluation.measured import By, FigureChange, Measured, measure, measured, pass_hat, slices, unsteady
from evals.evaluation.scorers import BY_NAME, Scorer
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun, StoredEvaluation
from evals.reports.charts import strip
from evals.reports.side_by_side import side_by_side
from rendering import chip, clock, joined, markup, plain, share, words

#: cases, flips and slices that are shown; of further cases and flips the report says how many
MOST_CASES = 200
_MOST_IN_ONE = 24
_STRIP_OF_A_SLICE = 90
#: of these, so many are open at first
_MOST_OPEN = 3
#: of a slice, beside how many are exact
_BESIDE = ("unsafe", "missed_escalation", "needless_escalation")


def figure_table(run: StoredEvaluation) -> Markup:
    """A row a figure: over all with its interval, then a column a mission."""
    missions = sorted(name for name in run.run.figures if name != ALL)
    several = missions if len(missions) > 1 else []
    sides = [measured([case for case in run.cases if case.mission == mission]) for mission in several]
    heads = joined(markup('<th class="m-num">{}</th>', words(plain(mission, 60))) for mission in several)
    head = markup('<tr><th>figure</th><th class="m-num">all</th><th>95% interval</th><th></th>{}</tr>', heads)
    rows = [_figure_row(found, [side[place] for side in sides]) for place, found in enumerate(measured(run.cases))]
    return _wide(head, rows)


def _figure_row(found: Measured, others: Sequence[Measured]) -> Markup:
    scorer, interval, mean = found.scorer, found.interval, found.mean
    return markup(
        '<tr><td><b>{}</b><div class="m-dim m-small">{}</div></td>'
        '<td class="m-num r-first {}">{}</td><td class="m-dim m-num">{}</td><td>{}</td>{}</tr>',
        scorer.title, scorer.means, _off(scorer, mean), number(scorer, mean),
        "–" if interval is None else f"{number(scorer, interval.low)} – {number(scorer, interval.high)}",
        Markup("") if scorer.kind == "amount" else strip(interval), joined(map(_figure_cell, others)),
    )  # fmt: skip


def slice_tables(cases: Sequence[EvaluationCase], by: By) -> list[Markup]:
    """A row a slice: how many of its cases are exact, with the interval, and what went wrong. Many are in two tables."""
    found = slices(cases, by)
    rows = [_slice_row(name, ones, by) for name, ones in list(found.items())[:MOST_CASES]]
    heads = joined(markup('<th class="m-num">{}</th>', BY_NAME[one].title.replace(" escalation", "")) for one in _BESIDE)
    head = markup('<tr><th>{}</th><th class="m-num">cases</th><th class="m-num">exact</th><th></th>{}</tr>', by, heads)
    half = (len(rows) + 1) // 2 if len(rows) > _MOST_IN_ONE else len(rows)
    parts = [part for part in (rows[:half], rows[half:]) if part]
    return [_wide(head, part) for part in parts]


def _slice_row(name: str, cases: Sequence[EvaluationCase], by: By) -> Markup:
    exact = measure(BY_NAME["exact"], cases)
    return markup(
        '<tr><td>{}</td><td class="m-num">{}</td>{}<td>{}</td>{}</tr>',
        plain(words(name) if by in ("mission", "event") else name, 60), f"{exact.cases:,}", _figure_cell(exact),
        strip(exact.interval, _STRIP_OF_A_SLICE), joined(_figure_cell(measure(BY_NAME[one], cases)) for one in _BESIDE),
    )  # fmt: skip


def _figure_cell(found: Measured) -> Markup:
    return markup('<td class="m-num {}">{}</td>', _off(found.scorer, found.mean), number(found.scorer, found.mean))


def trials_table(cases: Sequence[EvaluationCase]) -> Markup:
    """pass^k, and the cases that were not answered alike each time."""
    rows = joined(
        markup('<tr><td class="m-num">{}</td><td class="m-num">{}</td></tr>', k, share(value))
        for k, value in enumerate(pass_hat(cases), start=1)
    )
    shaky = joined(
        markup("<li>{} <span class='m-dim'>{} of {} exact</span></li>", plain(case_id, 80), exact, n)
        for case_id, (exact, n) in list(unsteady(cases).items())[:MOST_CASES]
    )
    unstable = markup("<ul>{}</ul>", shaky) if shaky else markup('<p class="m-dim">Every case had the same result each time.</p>')
    head = markup('<tr><th class="m-num">k</th><th class="m-num">all of k exact</th></tr>')
    return markup('<div class="r-two"><table class="m-table r-narrow">{}{}</table><div>{}</div></div>', head, rows, unstable)


def change_table(changes: Sequence[FigureChange]) -> Markup:
    """A row a figure: in A, in B, the difference with its interval, and whether that is more than noise."""
    rows = [
        markup(
            '<tr><td>{}</td><td class="m-num">{}</td><td class="m-num">{}</td><td class="m-num">{}</td>'
            '<td class="m-num m-dim">{} to {}</td><td>{}</td></tr>',
            one.scorer.title, number(one.scorer, one.a), number(one.scorer, one.b), signed(one.scorer, one.difference.mean),
            signed(one.scorer, one.difference.low), signed(one.scorer, one.difference.high),
            chip(one.meaning, {"worse": "bad", "better": "good"}.get(one.meaning, ""), f"p = {one.p:.2g}") if one.meaning else "",
        )
        for one in changes
    ]  # fmt: skip
    head = markup(
        '<tr><th>figure</th><th class="m-num">A</th><th class="m-num">B</th><th class="m-num">B − A</th>'
        '<th class="m-num">95% interval</th><th></th></tr>'
    )
    return _wide(head, rows)


def _wide(head: Markup, rows: Sequence[Markup]) -> Markup:
    return markup('<div class="r-wide"><table class="m-table">{}{}</table></div>', head, joined(rows))


def flips(comparison: Comparison, counting: dict[str, Sequence[str]]) -> Markup:
    """The cases that became right or wrong, what became unsafe first, each to be opened."""
    found = [pair for pair in comparison.pairs if pair.kind in ("worse", "better") or pair.became_unsafe]
    found.sort(key=lambda pair: (not pair.became_unsafe, pair.kind != "worse"))
    shown = joined(_flip(pair, counting, place < _MOST_OPEN) for place, pair in enumerate(found[:MOST_CASES]))
    return shown + _more(len(found))


def _flip(pair: Pair, counting: dict[str, Sequence[str]], first: bool) -> Markup:
    kind = {"worse": "bad", "better": "good"}.get(pair.kind, "warn")
    chips = chip(KINDS[pair.kind], kind) + (markup(" {}", chip("became unsafe", "bad")) if pair.became_unsafe else Markup(""))
    table = side_by_side(pair.b.expected, [pair.a.result, pair.b.result], ["A", "B"], counting)
    return _case(pair.b, chips, table, is_open=first and pair.became_unsafe)


def wrong_cases(run: StoredEvaluation) -> Markup:
    """The cases in which anything is not as expected, what is unsafe first, each to be opened."""
    found = [(case, faults) for case in run.cases if (faults := wrongs(case))]
    found.sort(key=lambda one: (not one[0].figures.get("unsafe"), is_exact(one[0])))
    shown = joined(
        _case(
            case,
            joined(
                chip(one, "bad" if one in ("unsafe action", "verdict", "actions") else "warn") + Markup(" ") for one in faults
            ),
            side_by_side(case.expected, [case.result], ["given"], run.run.counting),
            is_open=place < _MOST_OPEN and bool(case.figures.get("unsafe")),
        )
        for place, (case, faults) in enumerate(found[:MOST_CASES])
    )
    return shown + _more(len(found))


def _case(case: EvaluationCase, chips: Markup, table: Markup, is_open: bool) -> Markup:
    title = f"{words(plain(case.mission, 60))}{f' · trial {case.trial}' if case.trial > 1 else ''}"
    return markup(
        '<details class="r-case" {}><summary><b>{}</b> <span class="m-dim">{}</span> {}</summary>{}</details>',
        Markup("open") if is_open else "", plain(case.case_id, 80), title, chips, table,
    )  # fmt: skip


def _more(number_of_cases: int) -> Markup:
    if number_of_cases <= MOST_CASES:
        return Markup("")
    return markup('<p class="m-dim">{} more are not shown.</p>', f"{number_of_cases - MOST_CASES:,}")


def version_table(run: EvaluationRun) -> Markup:
    """What it was made by, and of which files."""
    versions = [*run.versions.items(), *((f"file {one.name}", one.digest) for one in run.files)]
    rows = joined(
        markup('<tr><td>{}</td><td class="m-mono">{}</td></tr>', version_name(name), plain(value or "–", 60))
        for name, value in versions
    )
    return markup('<table class="m-table r-narrow">{}</table>', rows)


def version_differences(a: EvaluationRun, b: EvaluationRun, css: str = "r-narrow") -> Markup:
    """What differs between the two in versions and files, as a table of this CSS class."""
    rows = joined(
        markup(
            '<tr><td>{}</td><td class="m-mono">{}</td><td class="m-mono">{}</td></tr>',
            version_name(name), plain(before or "–", 60), plain(after or "–", 60),
        )
        for name, before, after in differing_versions(a, b)
    )  # fmt: skip
    if not rows:
        return markup('<p class="m-dim">Nothing: the same code, policies, packs, catalogue and cases.</p>')
    return markup('<table class="m-table {}"><tr><th>what differs</th><th>A</th><th>B</th></tr>{}</table>', css, rows)


def version_name(name: str) -> str:
    """What a version is of, in words; a file by its name."""
    return plain(name if name.startswith("file ") else words(name), 80)


def run_line(run: EvaluationRun) -> str:
    """When it was, of how much, by whom."""
    trials = f", {run.trials} trials each" if run.trials > 1 else ""
    by = f" by {plain(run.by, 60)}" if run.by else ""
    return f"{clock(run.at)}{by} · {run.cases // run.trials:,} cases{trials} · {run.seconds:.1f} s"


def number(scorer: Scorer, value: float | None) -> str:
    """A figure as a report shows it."""
    if value is None:
        return "–"
    if scorer.kind == "amount":
        return f"{value:,.1f}"
    return f"{value:.3f}" if scorer.name == "brier" else share(value)


def signed(scorer: Scorer, value: float) -> str:
    """A difference: points of per cent for shares."""
    if scorer.name == "brier":
        return f"{value:+.3f}".replace("-", "−")
    return f"{value if scorer.kind == 'amount' else value * 100:+,.1f}".replace("-", "−")


def _off(scorer: Scorer, value: float | None) -> str:
    """The class of what could be better; costs always could."""
    if value is None or scorer.kind == "amount" or scorer.name == "brier":
        return ""
    return "" if value == (1.0 if scorer.better == "high" else 0.0) else "m-off"
