"""The tables that `missions eval` prints: figures with their intervals, slices, trials."""

from collections.abc import Sequence

from cli.screen import say, table
from evals.intervals import Interval
from evals.measured import measure, measured, pass_hat, unsteady
from evals.scorers import BY_NAME, Scorer
from evals.slices import By, slices
from graphs.text import plain, words
from ledger.evaluations import ALL, EvaluationCase, EvaluationRun

#: of a slice; the rest would not fit beside each other
_OF_A_SLICE = ("unsafe", "missed_escalation", "needless_escalation", "cite_recall", "cite_precision", "approval")
_MOST_NAMED = 20


def print_figures(run: EvaluationRun, cases: Sequence[EvaluationCase]) -> None:
    """A line a figure, a column a mission, and the 95% interval over all."""
    groups = [name for name in run.figures if name != ALL or len(run.figures) > 2]
    if not groups:
        return
    sure = "95% interval" if len(groups) == 1 else "95% interval of all"
    rows: list[tuple[object, ...]] = [("cases", *(f"{run.figures[group]['cases']:.0f}" for group in groups), "")]
    for found in measured(cases):
        values = [run.figures[group].get(found.scorer.name) for group in groups]
        cells = [number(found.scorer, value) for value in values]
        rows.append((found.scorer.title, *cells, between(found.scorer, found.interval)))
    columns = ("figure", *(words(plain(group, 60)) for group in groups), sure)
    table(columns, rows, right=columns[1:], whole=columns)


def print_slices(cases: Sequence[EvaluationCase], by: By) -> None:
    """A line a slice."""
    others = [BY_NAME[name] for name in _OF_A_SLICE]
    rows = []
    for name, ones in slices([case for case in cases if case.figures], by).items():
        exact = measure(BY_NAME["exact"], ones)
        cells = [number(one, found.mean if (found := measure(one, ones).interval) else None) for one in others]
        mean = exact.interval.mean if exact.interval else None
        rows.append((name, exact.cases, number(exact.scorer, mean), between(exact.scorer, exact.interval), *cells))
    titles = ("cases", "exact", "95% interval", *(one.title for one in others))
    print()
    say(f"By {by}:")
    table(("", *titles), rows, right=titles, whole=("", *titles))


def print_trials(cases: Sequence[EvaluationCase]) -> None:
    """pass^k, and the cases that were not answered alike each time."""
    chances = pass_hat(cases)
    print()
    if chances:
        table(("k", "pass^k"), [(k, f"{value:.4f}") for k, value in enumerate(chances, start=1)], right=("k", "pass^k"))
    shaky = unsteady(cases)
    if not shaky:
        say("Every case was answered alike each time.")
        return
    named = [f"{plain(case_id, 80)} ({exact} of {n} exact)" for case_id, (exact, n) in shaky.items()]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    say(f"Not answered alike each time: {', '.join(named[:_MOST_NAMED])}{more}.")


def number(scorer: Scorer, value: float | None) -> str:
    """A figure as it is printed."""
    if value is None:
        return "–"
    return f"{value:,.2f}" if scorer.kind == "amount" else f"{value:.4f}"


def between(scorer: Scorer, interval: Interval | None) -> str:
    """An interval as it is printed."""
    return "–" if interval is None else f"{number(scorer, interval.low)} … {number(scorer, interval.high)}"
