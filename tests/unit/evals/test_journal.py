"""What an evaluation has finished outlives it, and is gone on with only where nothing else has changed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import BadInput
from evals.evaluation.journal import open_journal
from settings import CHECKOUT

MADE_OF = {"cases": ["0123"], "code": "4567", "trials": 1}
RESULTS = [{"case_id": f"c-{number}", "verdict": "fülfil"} for number in range(5)]


def begun(out: Path, results: int = 3) -> Path:
    """The journal of results that were broken off."""
    with open_journal(out, MADE_OF) as journal:
        for result in RESULTS[:results]:
            journal.append(result)
    return journal.file


def test_results_go_on_after_those_that_are_finished_and_become_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    begun(out)
    assert not out.exists()
    with open_journal(out, MADE_OF) as journal:
        assert (journal.done, list(journal.results()), journal.changed) == (3, RESULTS[:3], [])
        for result in RESULTS[3:]:
            journal.append(result)
        journal.finish()
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == RESULTS
    assert os.listdir(tmp_path) == ["out.jsonl"]


@settings(max_examples=40)
@given(st.data())
def test_wherever_the_last_write_was_cut_off_the_whole_results_stay(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        file = begun(Path(folder) / "out.jsonl")
        whole = file.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        file.write_bytes(whole[:cut] + data.draw(st.sampled_from([b"", b"\0" * 40, b"\xff\n", b"[1]\n"])))
        with open_journal(Path(folder) / "out.jsonl", MADE_OF) as journal:
            kept = max(whole[:cut].count(b"\n") - 1, 0)
            assert list(journal.results()) == RESULTS[:kept]
            journal.append(RESULTS[4])
        with open_journal(Path(folder) / "out.jsonl", MADE_OF) as journal:
            assert list(journal.results()) == [*RESULTS[:kept], RESULTS[4]]


def test_where_something_else_is_evaluated_it_begins_anew_and_says_what_has_changed(tmp_path: Path) -> None:
    begun(tmp_path / "out.jsonl")
    with open_journal(tmp_path / "out.jsonl", {**MADE_OF, "code": "89ab", "pack": "new"}) as journal:
        assert (journal.done, list(journal.results()), journal.changed) == (0, [], ["code", "pack"])


def test_it_begins_anew_where_somebody_says_so(tmp_path: Path) -> None:
    begun(tmp_path / "out.jsonl")
    with open_journal(tmp_path / "out.jsonl", MADE_OF, restart=True) as journal:
        assert (journal.done, journal.changed) == (0, [])


def test_a_journal_without_results_leaves_nothing_behind(tmp_path: Path) -> None:
    begun(tmp_path / "out.jsonl", results=0)
    assert os.listdir(tmp_path) == []


def test_two_evaluations_do_not_write_the_same_results(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    other = f"from evals.evaluation.journal import *\nwith open_journal(Path({str(out)!r}), {MADE_OF}): pass"
    with open_journal(out, MADE_OF) as journal:
        journal.append(RESULTS[0])
        told = subprocess.run([sys.executable, "-c", other], cwd=CHECKOUT, capture_output=True, text=True)
        assert "errors.Refused" in told.stderr and "another evaluation" in told.stderr
        journal.append(RESULTS[1])
    with open_journal(out, MADE_OF) as journal:
        assert journal.done == 2


def test_results_into_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="folder"), open_journal(tmp_path / "no" / "out.jsonl", MADE_OF):
        pass
    with pytest.raises(BadInput, match="is a folder; name a file"), open_journal(tmp_path, MADE_OF):
        pass
    assert os.listdir(tmp_path) == []
