"""What is kept of an evaluation: results, what was expected of them, figures, versions."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.evaluation import persistence
from evals.evaluation.environment import EvalEnvironment
from evals.evaluation.persistence import judged_case, run_of
from evals.evaluation.store import ALL, EvaluationCase, EvaluationStore
from evals.recorded.cases import recorded
from tests.actions import RELEASE_PAYMENT_HOLD
from tests.engine import recorded_cases, result

PHRASINGS = Path(__file__).parents[3] / "knowledge_index" / "phrasings"


def kept(raw: dict[str, Any], lab: EvalEnvironment) -> EvaluationCase:
    return judged_case(recorded(raw, lab.packs, "test"), result(raw), lab.catalogue)


def test_a_kept_run_has_the_figures_of_each_mission_and_of_all(lab: EvalEnvironment, tmp_path: Path) -> None:
    raws = [*recorded_cases("order_exception")[:3], recorded_cases("account_save")[0]]
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join(map(json.dumps, raws)))
    run = run_of(lab, PHRASINGS, [file], [kept(raw, lab) for raw in raws], 1.5, "rita")
    assert {name: figures["cases"] for name, figures in run.figures.items()} == {"order_exception": 3, "account_save": 1, ALL: 4}
    assert run.figures[ALL]["exact"] == 1.0
    assert (run.by, run.cases, run.seconds, run.files[0].name) == ("rita", 4, 1.5, "cases.jsonl")
    assert {"code", "graph", "reasoner", "policies", "phrasings", "catalogue"} < run.versions.keys()
    assert run.versions["pack order_exception"] == lab.packs["order_exception"].digest
    assert run.counting[RELEASE_PAYMENT_HOLD] == ("order_id",)


def test_what_is_kept_is_read_as_it_was(lab: EvalEnvironment, tmp_path: Path) -> None:
    cases = [kept(raw, lab) for raw in recorded_cases("omnichannel_exception")[:5]]
    run = run_of(lab, PHRASINGS, [], cases, 1.0)
    EvaluationStore.of(tmp_path).write(run, cases)
    found = EvaluationStore.of(tmp_path).open(run.run_id)
    assert (found.run.figures, found.faults) == (run.figures, [])
    assert [case.result.verdict for case in found.cases] == [case.result.verdict for case in cases]
    assert found.cases[0].expected == cases[0].expected


def test_a_case_of_which_nothing_was_expected_has_no_figures(lab: EvalEnvironment) -> None:
    raw = {**recorded_cases("order_exception")[0]}
    del raw["expected"]
    case = kept(raw, lab)
    assert (case.expected, case.figures) == (None, {})
    assert run_of(lab, PHRASINGS, [], [case], 1.0).figures == {}


def test_a_changed_file_has_another_digest(lab: EvalEnvironment, tmp_path: Path) -> None:
    digests = set()
    for content in ("one", "other"):
        (tmp_path / "cases.jsonl").write_text(content)
        digests.add(run_of(lab, PHRASINGS, [tmp_path / "cases.jsonl"], [], 1.0).files[0].digest)
    assert len(digests) == 2


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert persistence.commit() == ""
