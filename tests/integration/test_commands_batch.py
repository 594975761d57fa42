"""A batch that is killed goes on where it was, whatever was lost with its process."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from settings import CHECKOUT
from tests.integration.commands import PATIENCE_S, begun, missions

CASES = CHECKOUT / "evals" / "cases" / "order_exception.jsonl"
ALL, ENOUGH = 100, 20


@pytest.mark.skipif(sys.platform == "win32", reason="commands are forked")
@pytest.mark.slow
def test_a_batch_that_is_killed_goes_on_without_what_is_finished(tmp_path: Path) -> None:
    out, unbroken, cases = tmp_path / "out.jsonl", tmp_path / "unbroken.jsonl", tmp_path / "cases.jsonl"
    cases.write_text("\n".join(CASES.read_text("utf-8").splitlines()[:ALL]))
    words = ["eval", str(cases), "--out", str(out)]
    process = begun(["missions", *words, "--workers", "2"], tmp_path / "said", tmp_path / "told")
    journal = tmp_path / "out.jsonl.partial"
    until = time.monotonic() + PATIENCE_S
    while not (journal.exists() and journal.read_bytes().count(b"\n") > ENOUGH) and time.monotonic() < until:
        time.sleep(0.002)
    assert process.pid is not None
    others = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.join()
    finished = journal.read_bytes().count(b"\n") - 1
    assert ENOUGH <= finished < ALL and not out.exists()
    assert psutil.wait_procs(others, PATIENCE_S)[1] == []

    again = missions(*words)
    assert f"Goes on after {finished} of {ALL} cases" in again.stdout, again
    assert f"\n{ALL - finished} cases in " in again.stdout
    missions("eval", cases, "--out", unbroken)
    assert _but_for_time(out) == _but_for_time(unbroken)
    assert len(out.read_bytes().splitlines()) == ALL
    assert {file.name for file in tmp_path.iterdir()} == {"cases.jsonl", "out.jsonl", "unbroken.jsonl", "said", "told"}


def _but_for_time(results: Path) -> list[dict[str, Any]]:
    return [{**json.loads(line), "latency_ms": None} for line in results.read_text().splitlines()]


def test_a_batch_over_other_cases_begins_anew_and_says_so(tmp_path: Path) -> None:
    lines = CASES.read_text("utf-8").splitlines()[:3]
    cases, out, journal = tmp_path / "cases.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    cases.write_text("\n".join(lines))
    journal.write_text(json.dumps({"cases": ["0123456789ab"]}) + "\n" + json.dumps({"case_id": "dev-ord-0001"}) + "\n")
    said = missions("eval", cases, "--out", out).stdout
    assert "Starts over: the earlier results used a different cases" in said
    assert [json.loads(line)["case_id"] for line in out.read_text().splitlines()] == [
        json.loads(line)["case_id"] for line in lines
    ]
