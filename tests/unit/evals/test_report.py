"""The report of a run, and what notebooks show of it."""

import re
from pathlib import Path

import pytest

from errors import BadInput
from evals.evaluation.answers import PlanStep
from evals.evaluation.store import CaseFile, EvaluationStore, StoredEvaluation
from evals.reports.charts import confidences, latencies, reliability, strip
from evals.reports.page import compared_fragment, page, run_fragment
from evals.reports.runs import OpenRun, open_run
from tests.evaluation_examples import HOSTILE, RIGHT, a_case, a_run, answer


def hostile() -> StoredEvaluation:
    """A run in which everything that comes from outside is hostile."""
    result = answer(HOSTILE, PlanStep(name=HOSTILE, args={HOSTILE: HOSTILE}), cite=(HOSTILE,), role=HOSTILE, confidence=0.3)
    unsafe = {**RIGHT, "exact": 0.0, "verdict": 0.0, "unsafe": 1.0}
    case = a_case(HOSTILE, mission=HOSTILE, result=result, figures=unsafe, event=HOSTILE, latency_ms=3.0)
    files, versions = [CaseFile(name=HOSTILE, digest=HOSTILE)], {HOSTILE: HOSTILE}
    return StoredEvaluation(
        a_run(2, cases=1, by=HOSTILE, versions=versions, files=files, figures={HOSTILE: RIGHT}), [case], [HOSTILE]
    )


def test_text_from_outside_is_text_in_reports_and_notebooks() -> None:
    run, before = hostile(), StoredEvaluation(a_run(cases=1), [a_case(HOSTILE, mission=HOSTILE)], [])
    for shown in (page(run, before), run_fragment(run), compared_fragment(before, run), OpenRun(run)._repr_html_()):
        assert "<img" not in shown and "&lt;img" in shown
    assert repr(OpenRun(run)).startswith("1 cases of ") and repr(OpenRun(run)).endswith(": – exact")
    assert repr(OpenRun(run).compare(OpenRun(before))).startswith("No difference that is more than noise: 0 became right")


def test_a_report_is_whole_in_itself() -> None:
    text = page(hostile(), StoredEvaluation(a_run(), [a_case()], []))
    assert not re.search(r"<script|<link|<iframe|@import|url\(|src=(?!x)|href=", text.replace("&lt;", ""))
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert text.count("<svg") > 3


def test_what_became_unsafe_stands_before_all_other_flips() -> None:
    unsafe = a_case("unsafe", figures={**RIGHT, "exact": 0.0, "unsafe": 1.0})
    text = str(compared_fragment(
        StoredEvaluation(a_run(1), [a_case("wrong"), a_case("unsafe")], []),
        StoredEvaluation(a_run(2), [a_case("wrong", exact=False), unsafe], []),
    ))  # fmt: skip
    assert "1 became unsafe" in text and text.index("<b>unsafe</b>") < text.index("<b>wrong</b>")


def test_a_run_without_cases_or_expectations_has_a_report() -> None:
    assert "Nothing: every case" in page(StoredEvaluation(a_run(cases=0, figures={}), [], []))
    assert "<h1>" in page(StoredEvaluation(a_run(cases=1, figures={}), [a_case(expected=None, figures={})], []))
    assert strip(None) == latencies([]) == ""


def test_charts_bear_any_values() -> None:
    from evals.evaluation.measured import calibration

    assert "NaN" not in latencies([0.0, 0.001, 1e9]) and "<rect" in latencies([5.0])
    for cases in (
        [],
        [a_case(result=answer(confidence=2.0))],
        [a_case(str(n), result=answer(confidence=n / 9)) for n in range(10)],
    ):
        found = calibration(cases)
        assert "<svg" in reliability(found) and "<svg" in confidences(found)


def test_a_run_is_opened_by_what_one_calls_it_and_gives_frames(tmp_path: Path) -> None:
    shelf = EvaluationStore.of(tmp_path)
    shelf.write(a_run(1, cases=2), [a_case("a"), a_case("b", exact=False)])
    file = shelf.write(a_run(2, cases=2), [a_case("a"), a_case("b")])
    last = open_run("last", shelf)
    assert last.kept.run.run_id == open_run(str(file)).kept.run.run_id == shelf.find("last") == shelf.find("20260316")
    compared = last.compare(open_run("last~1", shelf))
    assert list(compared.frame()["what"]) == ["the same", "wrong → right"]
    assert compared.figures.loc["exact", "difference"] == 0.5 and "became right" in str(compared)
    assert last.figures.loc["exact", "mean"] == 1.0 and list(last.cases["case"]) == ["a", "b"]
    assert list(last.slices("clause").index) == ["REF-2"]
    for wrong in ("last~2", "2026", "", "nothing", "../../x"):
        with pytest.raises(BadInput):
            open_run(wrong, shelf)
    with pytest.raises(BadInput, match="cannot be read"):
        open_run(str(tmp_path / "nothing.jsonl"))


def test_a_file_of_an_older_release_opens(tmp_path: Path) -> None:
    file = EvaluationStore.of(tmp_path).write(a_run(cases=1), [a_case()])
    old = re.sub(rb',"(trials|event|trial|usage|latency_ms|confidence)":("[^"]*"|\{\}|null|\d+)', b"", file.read_bytes())
    assert b"trial" not in old and b"usage" not in old
    file.write_bytes(old)
    found = open_run(str(file)).kept
    assert (found.run.trials, found.cases[0].trial, found.cases[0].usage, found.faults) == (1, 1, {}, [])
