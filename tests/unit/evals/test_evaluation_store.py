"""The shelf of evaluations: whole files, and what is done with those that are not."""

from pathlib import Path

import pytest

from errors import BadInput
from evals.evaluation.store import EvaluationStore, new_id
from tests.evaluation_examples import AT, HOSTILE, a_case, a_run


@pytest.fixture
def shelf(tmp_path: Path) -> EvaluationStore:
    return EvaluationStore.of(tmp_path)


def test_a_run_comes_back_as_it_was_kept(shelf: EvaluationStore) -> None:
    run, cases = a_run(cases=3), [a_case("a"), a_case("b", exact=False), a_case(HOSTILE, expected=None, figures={})]
    shelf.write(run, cases)
    found = shelf.open(run.run_id)
    assert (found.run, found.cases, found.faults) == (run, cases, [])


def test_the_newest_run_is_listed_first(shelf: EvaluationStore) -> None:
    for number in (2, 3, 1):
        shelf.write(a_run(number, cases=0), [])
    assert [run.run_id[-1] for run in shelf.runs().runs] == ["3", "2", "1"]


def test_there_is_nothing_on_a_shelf_that_was_never_used(shelf: EvaluationStore) -> None:
    assert (shelf.runs().runs, shelf.runs().faults) == ([], [])


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"{}\n", b"[1]\n", b'{"run_id": "x"}\n', b"{" * 100_000])
def test_a_broken_file_is_one_sentence_and_the_rest_is_shown(shelf: EvaluationStore, content: bytes) -> None:
    kept = shelf.write(a_run(cases=0), [])
    broken = kept.with_name("20260101T000000-0000.jsonl")
    broken.write_bytes(content)
    found = shelf.runs()
    assert len(found.runs) == 1
    assert len(found.faults) == 1 and broken.name in found.faults[0]
    with pytest.raises(BadInput, match="is not a saved run"):
        shelf.open("20260101T000000-0000")


def test_a_broken_line_and_a_missing_end_are_told(shelf: EvaluationStore) -> None:
    run = a_run(cases=3)
    file = shelf.write(run, [a_case("a"), a_case("b"), a_case("c")])
    head, first, second, _ = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([head, first, second[:40]]))
    found = shelf.open(run.run_id)
    assert [case.case_id for case in found.cases] == ["a"]
    assert [sentence.split(" ")[0] for sentence in found.faults] == ["1", file.name]


def test_a_run_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "evaluations").write_text("a file, where a folder must be")
    with pytest.raises(BadInput, match="cannot be written"):
        EvaluationStore.of(tmp_path).write(a_run(), [])
    assert [one.name for one in tmp_path.iterdir()] == ["evaluations"]


@pytest.mark.parametrize("run_id", ["", "../../etc/passwd", "20260314T093000-0001/..", "x" * 1_000, "20260314T093000-000g"])
def test_what_is_no_id_is_no_path(shelf: EvaluationStore, run_id: str) -> None:
    with pytest.raises(BadInput, match="no evaluation with that id"):
        shelf.open(run_id)


def test_a_run_that_was_deleted_is_told(shelf: EvaluationStore) -> None:
    with pytest.raises(BadInput, match="no longer available"):
        shelf.open(new_id(AT))
