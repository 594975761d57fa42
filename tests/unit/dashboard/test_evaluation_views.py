"""What the page says of evaluations: figures, cases side by side, two runs compared."""

import csv
import io

import pytest

from dashboard import evaluation as evaluations
from dashboard.evaluation import as_csv
from dashboard.pages.evaluations import over_time
from evals.evaluation.answers import PlanStep
from evals.evaluation.comparison import compare
from evals.evaluation.store import ALL
from evals.reports.pieces import version_differences
from evals.reports.side_by_side import side_by_side
from rendering import share
from tests.evaluation_examples import HOSTILE, RIGHT, a_case, a_run, answer


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100%"), (0.0, "0%"), (0.9999, "> 99.9%"), (0.0001, "< 0.1%"), (0.975, "97.5%"), (None, "–")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float | None, text: str) -> None:
    assert share(value) == text


def test_figures_over_time_go_from_the_oldest_to_the_newest() -> None:
    rows = over_time([a_run(2, 0.9), a_run(1, 0.8)], "exact")
    assert [(row["run"], row["value"]) for row in rows if row["mission"] == "all missions"] == [(1, 80.0), (2, 90.0)]


def test_what_is_not_perfect_stands_out_and_all_missions_come_last() -> None:
    table = str(evaluations.figure_table(a_run(exact=0.5)))
    assert table.count("m-off") == 3
    assert table.index("order exception") < table.index("support resolution") < table.index("all missions")


def test_a_confusion_counts_each_verdict_that_was_given_for_another() -> None:
    cases = [a_case("a"), a_case("b", exact=False), a_case("c", exact=False)]
    assert "replace" in evaluations.confusion(cases, ALL)
    matrix = str(evaluations.confusion(cases, "support_resolution"))
    assert 'm-miss">2<' in matrix and 'm-hit">1<' in matrix
    assert "Every verdict is the expected one." in evaluations.confusion(cases[:1], ALL)
    assert "Nothing was expected" in evaluations.confusion([a_case(expected=None, figures={})], ALL)


def test_text_from_outside_is_shown_as_text() -> None:
    hostile = answer(HOSTILE, PlanStep(name=HOSTILE, args={HOSTILE: HOSTILE}), cite=(HOSTILE,), role=HOSTILE)
    case = a_case(HOSTILE, mission=HOSTILE, result=hostile, figures={**RIGHT, "exact": 0.0, "verdict": 0.0})
    run = a_run(by=HOSTILE, versions={HOSTILE: HOSTILE}, figures={HOSTILE: RIGHT})
    comparison = compare([a_case(HOSTILE)], [case])
    for piece in (
        side_by_side(case.expected, [hostile], ["given"], {}),
        evaluations.confusion([case], ALL),
        evaluations.confusion([case], HOSTILE),
        evaluations.figure_table(run),
        evaluations.mission_table(comparison),
        version_differences(a_run(), run, "m-eval"),
    ):
        assert "<img" not in piece and "&lt;img" in piece


def test_a_spreadsheet_gets_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([a_case("=1+1", exact=False)]).decode())))
    assert (rows[0]["case"], rows[0]["given"], rows[0]["exact"]) == ("'=1+1", "replace", "0")
