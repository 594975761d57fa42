"""`missions eval` and its commands, from the first run to the gate."""

import json
from pathlib import Path

import pytest

from evals.evaluation.store import EvaluationStore
from tests.evaluation_examples import a_case, a_run
from tests.integration.commands import missions, refused
from tests.integration.live_company import SAMPLE, built_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for part in ("knowledge", "language"):
        (home / part).symlink_to(built_home() / part)
    return home


def test_a_run_is_made_a_baseline_held_compared_and_reported(home: Path, tmp_path: Path) -> None:
    cases, out, baseline = tmp_path / "cases.jsonl", tmp_path / "results.jsonl", tmp_path / "baseline.jsonl"
    lines = SAMPLE.read_bytes().splitlines(keepends=True)[:4]
    cases.write_bytes(b"".join(lines))
    done = missions("eval", "--out", out, cases, "--trials", "2", "--by", "dimensions", MISSIONS_HOME=home)
    assert done.returncode == 0, done.stderr
    for told in ("95% interval", "By dimensions:", "pass^k", "Every case had the same result", "8 cases (2 trials of each)"):
        assert told in done.stdout
    assert [json.loads(line)["trial"] for line in out.read_text().splitlines()] == [1, 2] * 4

    done = missions("eval", "gate", "--baseline", baseline, "--renew", MISSIONS_HOME=home)
    assert done.returncode == 0 and baseline.stat().st_size < 20_000, done.stderr
    raw = json.loads(lines[0])
    raw["expected"]["actions"] = []
    raw["expected"]["before"] = []
    cases.write_bytes(b"".join([json.dumps(raw).encode() + b"\n", *lines[1:]]))
    done = missions("eval", "gate", "--baseline", baseline, cases, "--out", out, MISSIONS_HOME=home)
    assert (
        done.returncode == 1
        and "exact is worse" in done.stdout
        and "Newly unsafe" in done.stdout
        and raw["case_id"] in done.stdout
    )

    done = missions("eval", "compare", "last~1", MISSIONS_HOME=home)
    assert done.returncode == 0 and f"UNSAFE in B, but not in A: {raw['case_id']}" in done.stdout, done.stderr
    page = tmp_path / "report.html"
    done = missions("eval", "report", "--out", page, "--against", "last~1", MISSIONS_HOME=home)
    assert done.returncode == 0 and "1 became unsafe" in page.read_text("utf-8"), done.stderr
    assert len(EvaluationStore.of(home).runs().runs) == 2


def test_cases_that_cannot_fail_are_told(home: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    raw = json.loads(SAMPLE.read_bytes().splitlines()[0])
    cases.write_text(json.dumps({**raw, "expected": None}))
    done = missions("eval", "lint", cases, MISSIONS_HOME=home)
    assert done.returncode == 1 and f"case {raw['case_id']}" in done.stdout.replace("\n", " ") and "cannot fail" in done.stdout


def test_what_is_not_there_is_refused_and_every_command_is_listed(home: Path) -> None:
    refused(missions("eval", "compare", "last~3", MISSIONS_HOME=home), "last~3")
    EvaluationStore.of(home).write(a_run(cases=1), [a_case()])
    refused(missions("eval", "gate", "--baseline", "last", MISSIONS_HOME=home), "the run itself, which is never worse")
    cases = home / "cases.jsonl"
    cases.write_bytes(SAMPLE.read_bytes())
    refused(missions("eval", cases, "--out", home / "." / "cases.jsonl", MISSIONS_HOME=home), "would be overwritten")
    kept = EvaluationStore.of(home).file(EvaluationStore.of(home).runs().runs[0].run_id)
    refused(missions("eval", "report", kept, "--out", kept, MISSIONS_HOME=home), "would be overwritten")
    refused(missions("eval", "gate", "--baseline", cases, "--renew", MISSIONS_HOME=home), "is not a saved run")
    assert cases.read_bytes() == SAMPLE.read_bytes()
    refused(missions("eval", SAMPLE, "--out", home / "out", "--reasoner", "llm", MISSIONS_HOME=home), "MISSIONS_MODEL")
    told = missions("eval", "--help", MISSIONS_HOME=home).stdout
    assert all(
        f" {name} " in told for name in ("run", "compare", "gate", "lint", "report", "matrix", "save", "sets", "export", "note")
    )
