"""The pieces of a report, each a table or a list as Markup; `page.py` puts them together."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from evals.evaluation.comparison import KINDS, Comparison, Pair, differing_versions, is_exact, made_by, wrongs
from evals.evaluation.measured import By, FigureChange, Measured, measure, measured, pass_hat, slices, unsteady
from evals.evaluation.scorers import BY_NAME
from evals.evaluation.store import ALL, EvaluationCase, EvaluationRun, StoredEvaluation
from evals.reports.charts import strip
from evals.reports.side_by_side import side_by_side
from evals.reports.transcript import transcript_of
from rendering import chip, clock, html_table, joined, markup, plain, share, words

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
    titles = [words(plain(mission, 60)) for mission in several]
    columns = {"figure": "", "all": "m-num r-first", "95% interval": "m-dim m-num", "": "", **dict.fromkeys(titles, "m-num")}
    rows = [
        (
            markup('<b>{}</b><div class="m-dim m-small">{}</div>', of_all.scorer.title, of_all.scorer.means),
            _figure(of_all), of_all.scorer.between(of_all.interval),
            Markup("") if of_all.scorer.kind == "amount" else strip(of_all.interval), *map(_figure, of_missions),
        )
        for of_all, *of_missions in zip(measured(run.cases), *sides, strict=True)
    ]  # fmt: skip
    return _wide(columns, rows)


def slice_tables(cases: Sequence[EvaluationCase], by: By) -> list[Markup]:
    """A row a slice: how many of its cases are exact, with the interval, and what went wrong. Many are in two tables."""
    rows = [_slice(name, ones, by) for name, ones in list(slices(cases, by).items())[:MOST_CASES]]
    titles = [BY_NAME[one].title.replace(" escalation", "") for one in _BESIDE]
    columns = {by: "", "cases": "m-num", "exact": "m-num", "": "", **dict.fromkeys(titles, "m-num")}
    half = (len(rows) + 1) // 2 if len(rows) > _MOST_IN_ONE else len(rows)
    return [_wide(columns, part) for part in (rows[:half], rows[half:]) if part]


def _slice(name: str, cases: Sequence[EvaluationCase], by: By) -> tuple[object, ...]:
    title = plain(words(name) if by in ("mission", "event") else name, 60)
    exact, *others = (measure(BY_NAME[one], cases) for one in ("exact", *_BESIDE))
    return title, f"{exact.cases:,}", _figure(exact), strip(exact.interval, _STRIP_OF_A_SLICE), *map(_figure, others)


def _figure(found: Measured) -> Markup:
    """A mean; what could be better stands out, and of costs and of Brier's score nothing does."""
    scorer, mean = found.scorer, found.mean
    is_perfect = mean is None or mean == (1.0 if scorer.better == "high" else 0.0)
    off = not is_perfect and scorer.kind != "amount" and scorer.name != "brier"
    return markup('<span class="{}">{}</span>', "m-off" if off else "", scorer.text(mean))


def trials_table(cases: Sequence[EvaluationCase]) -> Markup:
    """pass^k, and the cases that were not answered alike each time."""
    rows = [(k, share(value)) for k, value in enumerate(pass_hat(cases), start=1)]
    shaky = joined(
        markup("<li>{} <span class='m-dim'>{} of {} exact</span></li>", plain(case_id, 80), exact, n)
        for case_id, (exact, n) in list(unsteady(cases).items())[:MOST_CASES]
    )
    unstable = markup("<ul>{}</ul>", shaky) if shaky else markup('<p class="m-dim">Every case had the same result each time.</p>')
    table = html_table("m-table r-narrow", {"k": "m-num", "all of k exact": "m-num"}, rows)
    return markup('<div class="r-two">{}<div>{}</div></div>', table, unstable)


def change_table(changes: Sequence[FigureChange]) -> Markup:
    """A row a figure: in A, in B, the difference with its interval, and whether that is more than noise."""
    columns = {"figure": "", "A": "m-num", "B": "m-num", "B − A": "m-num", "95% interval": "m-num m-dim", "": ""}
    return _wide(columns, map(_change, changes))


def _change(one: FigureChange) -> tuple[object, ...]:
    scorer, moved = one.scorer, one.difference
    interval = f"{scorer.signed(moved.low)} to {scorer.signed(moved.high)}"
    kind = {"worse": "bad", "better": "good"}.get(one.meaning, "")
    meaning = chip(one.meaning, kind, f"p = {one.p:.2g}") if one.meaning else ""
    return scorer.title, scorer.text(one.a), scorer.text(one.b), scorer.signed(moved.mean), interval, meaning


def _wide(columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> Markup:
    return markup('<div class="r-wide">{}</div>', html_table("m-table", columns, rows))


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
            side_by_side(case.expected, [case.result], ["given"], run.run.counting) + transcript_of(case.transcript),
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
    rows = [(version_name(name), plain(value or "–", 60)) for name, value in made_by(run).items()]
    return html_table("m-table r-narrow", {"version of": "", "": "m-mono"}, rows)


def version_differences(a: EvaluationRun, b: EvaluationRun, css: str = "r-narrow") -> Markup:
    """What differs between the two in versions and files, as a table of this CSS class."""
    rows = [
        (version_name(name), plain(before or "–", 60), plain(after or "–", 60))
        for name, before, after in differing_versions(a, b)
    ]
    if not rows:
        return markup('<p class="m-dim">Nothing: the same code, policies, packs, catalogue and cases.</p>')
    return html_table(f"m-table {css}", {"what differs": "", "A": "m-mono", "B": "m-mono"}, rows)


def version_name(name: str) -> str:
    """What a version is of, in words; a file by its name."""
    return plain(name if name.startswith("file ") else words(name), 80)


def run_line(run: EvaluationRun) -> str:
    """When it was, of how much, by whom."""
    trials = f", {run.trials} trials each" if run.trials > 1 else ""
    by = f" by {plain(run.by, 60)}" if run.by else ""
    stopped = f" · {plain(run.stopped, 200)}" if run.stopped else ""
    return f"{clock(run.at)}{by} · {run.cases // run.trials:,} cases{trials} · {run.seconds:.1f} s{stopped}"
